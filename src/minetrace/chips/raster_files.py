"""Chips that are image files on a disk."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from minetrace.chips.values import Values, classes_of
from minetrace.core.bands import common_name, nearest
from minetrace.core.data_set import IGNORE, Chip
from minetrace.errors import BandError, RasterError, ReadFailedError


@dataclass(frozen=True)
class Frame:
    """What an image file says of itself.

    Attributes:
        shape: (height, width).
        bands: descriptions, empty strings where there are none.
        scales, offsets: of each band.
        nodata: the number, or None.
        crs: empty if the file has no place.
        bounds: (left, bottom, right, top), None if the file has no place.
        resolution: side of a pixel in units of ``crs``.
        dtype: of the numbers.
    """

    shape: tuple[int, int]
    bands: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: float | None
    crs: str
    bounds: tuple[float, float, float, float] | None
    resolution: float
    dtype: str


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as file:
                yield file
        except (RasterioError, OSError) as error:
            raise ReadFailedError(
                f"{path}: cannot be read ({error}); get the file again or leave it out with exclude"
            ) from error


def frame_of(path: Path) -> Frame:
    """Read the header of an image.

    Raises:
        ReadFailedError: it cannot be read.
    """
    with _opened(path) as file:
        placed = file.crs is not None and not file.transform.is_identity
        return Frame(
            shape=file.shape, bands=tuple(d or "" for d in file.descriptions),
            scales=tuple(map(float, file.scales)), offsets=tuple(map(float, file.offsets)),
            nodata=None if file.nodata is None else float(file.nodata),
            crs=_code(file.crs) if placed else "",
            bounds=tuple(map(float, file.bounds)) if placed else None,  # type: ignore[arg-type]
            resolution=abs(float(file.transform.a)), dtype=str(file.dtypes[0]),
        )  # fmt: skip


def _code(crs: Any) -> str:
    code = crs.to_authority()
    return ":".join(code) if code else str(crs.to_wkt())


def band_order(frame: Frame, named: Sequence[str], origin: Path) -> tuple[str, ...]:
    """Common names of a file's bands, as given, or else as the file describes them.

    Raises:
        BandError: a name is not known, or there are not as many names as bands.
    """
    if named:
        found = [common_name(name) for name in named]
        for name, known in zip(named, found, strict=True):
            if known is None:
                from minetrace.core.bands import COMMON_NAMES

                hint = nearest(name, COMMON_NAMES)
                raise BandError(f"bands: {name!r} is no band; did you mean {hint or 'red'}?")
        if len(named) != len(frame.bands):
            raise BandError(
                f"{origin}: has {len(frame.bands)} bands, and bands names {len(named)}: "
                "name every band of the files, in their order"
            )
        return tuple(str(name) for name in found)
    described = [common_name(name) for name in frame.bands]
    if None in described or len(set(described)) < len(described):
        raise BandError(
            f"{origin}: its {len(frame.bands)} bands are not named in the file; say them in order, "
            "such as bands: [blue, green, red, nir]"
        )
    return tuple(str(name) for name in described)


@dataclass(frozen=True)
class RasterChips:
    """Reads chips whose ``image`` and ``mask`` are paths from ``root``.

    Attributes:
        root: folder of the set.
        values: what the numbers of the bands mean.
        classes: how many there are.
        known: class of a mask's number, where it is not the number itself.
        mask_nodata: numbers of a mask that mean nobody knows, besides IGNORE.
    """

    root: Path
    values: Values
    classes: int
    known: Mapping[int, int] = field(default_factory=dict)
    mask_nodata: tuple[float, ...] = ()

    @property
    def meaning(self) -> Mapping[str, Any]:
        """What makes values and classes of its files' numbers."""
        return {"values": asdict(self.values), "known": self.known, "nodata": self.mask_nodata}

    def image(self, chip: Chip) -> NDArray[np.float32]:
        """(bands, height, width), NaN where nothing was seen.

        Raises:
            ReadFailedError: the file cannot be read.
        """
        with _opened(self.root / chip.image) as file:
            return self.values.of(file.read())

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        """(height, width), a class index or IGNORE.

        Raises:
            ReadFailedError: the file cannot be read.
            DataSetError: it holds a number that is no class.
        """
        path = self.root / chip.mask
        with _opened(path) as file:
            if file.count != 1:
                raise RasterError(
                    f"{path}: a mask has one band, this has {file.count}; "
                    "save the class numbers as one grey band"
                )
            numbers = file.read(1)
        return classes_of(
            np.where(np.isin(numbers, self.mask_nodata), IGNORE, numbers),
            self.known, self.classes, str(path),
        )  # fmt: skip
