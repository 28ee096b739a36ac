"""Sets that are arrays: ``.npz`` files and Zarr groups, chips along the first axis."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.chips.mining_net import TILE, YEARS, ground, is_mining_net, said, was_written
from minetrace.chips.names import SPLIT_OF
from minetrace.chips.options import SetOptions
from minetrace.chips.values import Values, classes_of, glance, refuse_guesses
from minetrace.core.bands import common_name
from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.errors import DataSetError, MissingExtraError

IMAGES = ("images", "image", "features", "chips", "x", "img", "data")
MASKS = ("masks", "mask", "labels", "annotations", "y", "msk")
WHOLE = ("label", "labels", "y", "class")
SPLIT, PLACE, PERIOD, SOURCE, NAME = "split", "place", "period", "source", "name"
BANDS, CRS, BOUNDS = "bands", "crs", "bounds"
BLOCK = 64  # rows held at once while they are hashed
LANDSAT_NAMES = {"swir1": "swir16", "swir2": "swir22", "thermal": "lwir11"}


@dataclass(frozen=True)
class ArrayChips:
    """Reads chips whose ``image`` and ``mask`` are row numbers.

    Attributes:
        path: of the ``.npz`` file or the Zarr group.
        images: name of the array, (n, bands, height, width), or with the bands last.
        masks: name of the array, (n, height, width) or (n, 1, height, width); empty if none.
        bands: how many there are.
        values: what the numbers of the bands mean.
        classes: how many there are.
        known: class of a mask's number, where it is not the number itself.
    """

    path: Path
    images: str
    masks: str
    bands: int
    values: Values
    classes: int
    known: Mapping[int, int] = field(default_factory=dict)

    @property
    def meaning(self) -> Mapping[str, Any]:
        """What makes values and classes of its arrays' numbers."""
        return {"values": asdict(self.values), "known": self.known}

    def image(self, chip: Chip) -> NDArray[np.float32]:
        """(bands, height, width), NaN where nothing was seen."""
        numbers = np.asarray(self._held[self.images][int(chip.image)])
        if numbers.shape[0] != self.bands:
            numbers = numbers.transpose(2, 0, 1)
        return self.values.of(numbers)

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        """(height, width), a class index or IGNORE."""
        numbers = np.asarray(self._held[self.masks][int(chip.mask)])
        return classes_of(numbers.reshape(numbers.shape[-2:]), self.known, self.classes,
                          f"{self.path}, row {chip.mask}")  # fmt: skip

    @cached_property
    def _held(self) -> Mapping[str, Any]:
        return _open_group(self.path) if self.path.is_dir() else _open_npz(self.path)

    def __getstate__(self) -> dict[str, Any]:  # what is open stays with its process
        return {k: v for k, v in self.__dict__.items() if k != "_held"}


def open_arrays(path: Path, options: SetOptions) -> DataSet:
    """A ``.npz`` file or a Zarr group of chips.

    Its arrays may be called images, features, chips or x (n, bands, height, width; or bands last),
    and masks, labels or y: (n, height, width) classes of pixels, or (n,) classes of whole chips.
    Further arrays (n,) called split, place, period, source, name and crs are taken as that, bounds
    (n, 4) as left, bottom, right, top in that crs, and bands as the bands' names in their order.
    Of mining-net's groups, ``year`` is the period; ``tile_ix`` and ``tile_iy`` say the ground.

    Raises:
        DataSetError: an array is missing, of another length, or pickled.
        BandError: nobody names the bands.
        RadiometryError: optical bands hold no reflectance, and nobody says what they hold.
        MissingExtraError: the package zarr is not installed.
    """
    held = _open_group(path) if path.is_dir() else _open_npz(path)
    images = _named(held, IMAGES, path)
    shape = held[images].shape
    if len(shape) != 4:
        raise DataSetError(f"{path}: {images} has {len(shape)} axes; chips have four: "
                           "(chip, band, row, column), or with the band last")  # fmt: skip
    if is_mining_net(held):
        options = said(options, shape[1])
    bands = _bands(held, shape, options, path)
    masks, whole = _labels(held, images, shape[0])
    chips = _rows(path, held, shape[0], images, masks, whole, options)
    values = Values(
        tuple(options.scale.get(band, 1.0) for band in bands),
        tuple(options.offset.get(band, 0.0) for band in bands), options.nodata,
    )  # fmt: skip
    reader = ArrayChips(path, images, masks, len(bands), values, len(options.classes),
                        options.values)  # fmt: skip
    reader.__dict__["_held"] = held
    if not chips:
        raise DataSetError(f"{path}: holds no chips that were written; is it finished?")
    for chip in glance(chips):
        refuse_guesses(reader.image(chip), bands, f"{path}, row {chip.image}")
    return DataSet(path.stem, chips, bands, options.classes, reader, options.resolution_m,
                   options.level, options.data)  # fmt: skip


def _open_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except ValueError as error:
        if "pickle" not in str(error):
            raise DataSetError(f"{path}: is no .npz file ({error}); get it again") from error
        raise DataSetError(f"{path}: holds pickled objects. {PICKLE}") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise DataSetError(f"{path}: is no .npz file ({error}); get it again") from error


PICKLE = (
    "A pickle runs any program that it holds when it is opened, so none is read here. Where you "
    "trust it, open it in a Python of its own without your keys and files (a container, no "
    "network) and save plain arrays: np.savez('chips.npz', images=…, masks=…, split=…)"
)


def _open_group(path: Path) -> Mapping[str, Any]:
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: reading Zarr needs the package zarr: pip install 'minetrace[zarr]'"
        ) from error
    try:
        group = zarr.open_group(str(path), mode="r")
        return dict(group.arrays())
    except Exception as error:  # zarr raises what its store or codec raises
        raise DataSetError(f"{path}: is no Zarr group that can be read ({error})") from error


def _named(held: Mapping[str, Any], names: tuple[str, ...], path: Path) -> str:
    for name in names:
        if name in held and held[name].ndim == 4:
            return name
    raise DataSetError(f"{path}: holds {', '.join(held) or 'nothing'}; the chips must be an array "
                       f"of four axes called {', '.join(names[:4])}")  # fmt: skip


def _labels(held: Mapping[str, Any], images: str, count: int) -> tuple[str, str]:
    """The arrays of masks and of whole labels; empty if there is none."""
    masks = next((n for n in MASKS if n in held and n != images and held[n].ndim >= 3
                  and held[n].shape[0] == count), "")  # fmt: skip
    whole = next((n for n in WHOLE if n in held and held[n].shape == (count,)), "")
    if not masks and not whole:
        raise DataSetError("holds neither masks (n, height, width) nor a label per chip (n,)")
    return masks, whole


def _bands(
    held: Mapping[str, Any], shape: tuple[int, ...], options: SetOptions, path: Path
) -> tuple[str, ...]:
    own = [_text(name) for name in held[BANDS][:]] if BANDS in held else []
    names = options.bands or own
    named = [common_name(LANDSAT_NAMES.get(name, name)) or "" for name in names]
    if "" in named or len(named) not in (shape[1], shape[3]):
        from minetrace.errors import BandError

        raise BandError(
            f"{path}: chips are {' x '.join(map(str, shape[1:]))}, and nobody names that many "
            "bands; say them in order, such as bands: [blue, green, red, nir]"
        )
    return tuple(named)


def _rows(
    path: Path, held: Mapping[str, Any], count: int, images: str, masks: str, whole: str,
    options: SetOptions,
) -> tuple[Chip, ...]:  # fmt: skip
    columns = {
        name: np.asarray(held[name][:])
        for name in (NAME, SPLIT, PLACE, PERIOD, SOURCE, CRS, *YEARS, *TILE)
        if name in held and held[name].shape == (count,)
    }
    year = next((name for name in YEARS if name in columns), "")
    bounds = _bounds(held, count)
    labels = _classes(path, held, whole, count, options)
    pixels = [held[name] for name in (images, masks) if name]
    checksums = _checksums(pixels, count)
    left_out, chips = set(options.exclude), []
    for row in range(count):
        told = {name: _text(column[row]) for name, column in columns.items()}
        if year and not was_written(int(columns[year][row])):
            continue
        name = told.get(NAME, f"{row:06d}")
        if name in left_out:
            continue
        chip = Chip(
            name=name, image=str(row), mask=str(row) if masks else "",
            split=_split(told.get(SPLIT, ""), path, row), place=told.get(PLACE, ""),
            period=told.get(PERIOD, told.get(year, "")),
            source=told.get(SOURCE, options.source), crs=told.get(CRS, ""), bounds=bounds[row],
            label=None if labels[row] == IGNORE else int(labels[row]), checksum=checksums[row],
        )  # fmt: skip
        tile = [int(columns[name][row]) for name in TILE if name in columns]
        chips.append(ground(chip, tile, held[images].shape[2]) if len(tile) == 2 else chip)
    return tuple(chips)


def _bounds(
    held: Mapping[str, Any], count: int
) -> Sequence[tuple[float, float, float, float] | None]:
    if BOUNDS not in held or held[BOUNDS].shape != (count, 4):
        return [None] * count
    edges = np.asarray(held[BOUNDS][:], float)
    known = np.isfinite(edges).all(axis=1)
    return [(row[0], row[1], row[2], row[3]) if sure else None
            for row, sure in zip(edges.tolist(), known, strict=True)]  # fmt: skip


def _classes(
    path: Path, held: Mapping[str, Any], whole: str, count: int, options: SetOptions
) -> NDArray[np.uint8]:
    """The class of each row as a whole; IGNORE, as 255 and -1 are, where nobody says it."""
    if not whole:
        return np.full(count, IGNORE, np.uint8)
    known = {-1: IGNORE, **options.values}
    return classes_of(
        np.asarray(held[whole][:]), known, len(options.classes), f"{path}, array {whole}"
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _split(said: str, path: Path, row: int) -> str:
    word = said.strip().lower()
    if word and word not in SPLIT_OF:
        raise DataSetError(f"{path}, row {row}: {said!r} is no split; train, val or test")
    return SPLIT_OF.get(word, "")


def _checksums(arrays: Sequence[Any], count: int) -> list[str]:
    """Of each row over all arrays; by blocks, since a chunk of Zarr may hold several rows."""
    found: list[str] = []
    for start in range(0, count, BLOCK):
        blocks = [np.asarray(array[start : start + BLOCK]) for array in arrays]
        found += [hashlib.sha256(b"".join(part.tobytes() for part in row)).hexdigest()[:32]
                  for row in zip(*blocks, strict=True)]  # fmt: skip
    return found
