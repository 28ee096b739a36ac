"""One raster file: what it says about itself, and windows of its counts."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from minetrace.core.grid import Rect
from minetrace.errors import ReadFailedError
from minetrace.sources.masks import MaskOptions, classify
from minetrace.sources.radiometry import Radiometry
from minetrace.store.handles import closed_at_exit


@dataclass(frozen=True)
class Band:
    """One band of a file, and what its counts mean."""

    index: int
    dtype: str
    nodata: float | None
    radiometry: Radiometry


@dataclass(frozen=True)
class MaskBand:
    """The band of a file that says what is clear."""

    index: int
    nodata: float | None
    options: MaskOptions


@dataclass(frozen=True)
class Image:
    """A file whose bands, date, place and radiometry are known. Holds no open handle.

    Attributes:
        crs: authority code, or WKT where there is none.
        affine: pixel corner (col, row) to CRS.
        bands: by common name.
        mask: None if nothing but nodata and the file's own mask says what is clear.
        alpha: position of the alpha band, from 1, or None.
        has_mask: True if the file has a mask of its own that is not an alpha band.
        resolution_m: side of a pixel on the ground.
        parts: name, bytes and time of change (ns) of each file that it is read from.
    """

    path: Path
    day: date
    crs: str
    affine: Affine
    height: int
    width: int
    bands: Mapping[str, Band]
    mask: MaskBand | None
    alpha: int | None
    has_mask: bool
    resolution_m: float
    parts: tuple[tuple[str, int, int], ...]

    @property
    def rect(self) -> Rect:
        """All pixels, counted from the file's own corner."""
        return Rect(0, 0, self.height, self.width)

    @cached_property
    def to_pixel(self) -> Affine:
        """CRS to pixel corner (col, row)."""
        inverse: Affine = ~self.affine
        return inverse

    def read(
        self, bands: Sequence[str], window: Rect
    ) -> tuple[list[NDArray[Any]], NDArray[np.bool_]]:
        """Counts of a window that lies inside the file.

        Returns:
            One (height, width) of counts per band, and True where every band was seen.

        Raises:
            ReadFailedError: the file cannot be read there.
        """
        here = [self.bands[name] for name in bands]
        counts = self._read([band.index for band in here], window)
        seen = np.ones(window.shape, dtype=bool)
        for band, values in zip(here, counts, strict=True):
            if values.dtype.kind == "f":
                seen &= np.isfinite(values)
            if band.nodata is not None and not np.isnan(band.nodata):
                seen &= values != band.nodata
        if self.alpha is not None:
            seen &= self._read([self.alpha], window)[0] != 0
        if self.has_mask:
            seen &= self._own_mask(window) != 0
        return counts, seen

    def read_mask(self, window: Rect) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What the mask band says of a window that lies inside the file.

        Returns:
            clear, and what a dilation grows; both (height, width).

        Raises:
            ReadFailedError: the file cannot be read there.
        """
        if self.mask is None:
            return np.ones(window.shape, dtype=bool), np.zeros(window.shape, dtype=bool)
        values = self._read([self.mask.index], window)[0]
        return classify(values, self.mask.options, self.mask.nodata)

    def _read(self, indexes: list[int], window: Rect) -> list[NDArray[Any]]:
        try:
            source = self._handle()
            if len({source.dtypes[i - 1] for i in indexes}) > 1:  # a VRT may mix them
                return [source.read(i, window=_window(window)) for i in indexes]
            return list(source.read(indexes, window=_window(window)))
        except (RasterioError, OSError) as error:
            raise _failed(self.path, error) from error

    def _own_mask(self, window: Rect) -> NDArray[np.uint8]:
        try:
            return np.asarray(self._handle().read_masks(1, window=_window(window)))
        except (RasterioError, OSError) as error:
            raise _failed(self.path, error) from error

    def _handle(self) -> Any:
        changed_ns = self.path.stat().st_mtime_ns
        return _opened(self.path, changed_ns, threading.get_ident())


def open_raster(path: Path) -> Any:
    """An open rasterio dataset; whether it has a place on Earth is for the caller to ask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path)


@closed_at_exit
@lru_cache(maxsize=32)
def _opened(path: Path, _changed_ns: int, _thread: int) -> Any:
    return open_raster(path)


def _window(rect: Rect) -> Window:
    return Window(rect.col, rect.row, rect.width, rect.height)


def _failed(path: Path, error: Exception) -> ReadFailedError:
    reason = " ".join(str(error.__cause__ or error).split())
    return ReadFailedError(
        f"{path}: its pixels cannot be read, perhaps it is cut short ({reason}); "
        "fetch the file again, or take it out of the source"
    )
