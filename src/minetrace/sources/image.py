"""Bands that share their pixels, from one raster file or several, and windows of their counts."""

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

warning_filters = threading.Lock()  # they are the process's, whichever thread sets them
_LEAVE_NO_FILES = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO"}  # GDAL would, beside the user's archive


@dataclass(frozen=True)
class RasterFile:
    """A raster file, as GDAL calls it.

    Attributes:
        address: a path, or GDAL's name for a file inside an archive or on a server.
        disk: the file on this machine that it is in, whose change is its change; None if it is
            on none.
        label: what to call it in an error; default: its address.
    """

    address: str
    disk: Path | None = None
    label: str = ""

    @classmethod
    def at(cls, path: Path) -> RasterFile:
        """A file of its own."""
        return cls(str(path), path)

    def read(self, indexes: Sequence[int], window: Rect) -> list[NDArray[Any]]:
        """Counts of bands (from 1) in a window that lies inside the file.

        Raises:
            ReadFailedError: the file cannot be read there.
        """
        try:
            source = _handle(self)
            if len({source.dtypes[i - 1] for i in indexes}) > 1:  # a VRT may mix them
                return [source.read(i, window=_window(window)) for i in indexes]
            return list(source.read(list(indexes), window=_window(window)))
        except (RasterioError, OSError) as error:
            raise _failed(self, error) from error


@dataclass(frozen=True)
class Band:
    """One band of a file, and what its counts mean.

    Attributes:
        index: its position in the file, from 1.
        nodata: the count that means that nothing was seen.
        saturated: the count that means that the sensor was blinded: nothing was seen either.
    """

    file: RasterFile
    index: int
    dtype: str
    nodata: float | None
    radiometry: Radiometry
    saturated: float | None = None


@dataclass(frozen=True)
class MaskBand:
    """The band that says what is clear; where there are several, their maximum does.

    Attributes:
        affine: corner of its pixels to the CRS; None where its pixels are the image's own.
        shape: (height, width) of its pixels, with ``affine``.
    """

    file: RasterFile
    indexes: tuple[int, ...]
    nodata: float | None
    options: MaskOptions
    affine: Affine | None = None
    shape: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Image:
    """Bands on one grid of pixels, of which all is known that must be. Holds no open handle.

    Attributes:
        path: the file or product, for names and errors.
        crs: authority code, or WKT where there is none.
        affine: pixel corner (col, row) to CRS.
        bands: by common name.
        mask: None if nothing but nodata and the file's own mask says what is clear.
        alpha: position of the alpha band, from 1, or None.
        has_mask: True if the file has a mask of its own that is not an alpha band.
        resolution_m: side of a pixel on the ground.
        parts: name, bytes and time of change (ns) of each file that it is read from.
        pad_px: margin of pixels that are looked at from within, and are not the image's own.
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
    pad_px: int = 0

    @property
    def own(self) -> Rect:
        """All pixels without the margin."""
        return self.rect.expand(-self.pad_px)

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
        counts = self._counts(here, window)
        seen = np.ones(window.shape, dtype=bool)
        for band, values in zip(here, counts, strict=True):
            if values.dtype.kind == "f":
                seen &= np.isfinite(values)
            if band.radiometry.power:
                seen &= values > 0
            for unseen in (band.nodata, band.saturated):
                if unseen is not None and not np.isnan(unseen):
                    seen &= values != unseen
        if self.alpha is not None:
            seen &= self._file.read([self.alpha], window)[0] != 0
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
        if self.mask.affine is None:
            values = _read_most(self.mask, window)
            return classify(values, self.mask.options, self.mask.nodata)
        rows, cols = self._mask_pixels(self.mask, self.mask.affine, window)
        inside_rows = (rows >= 0) & (rows < self.mask.shape[0])
        inside_cols = (cols >= 0) & (cols < self.mask.shape[1])
        if not (inside_rows.any() and inside_cols.any()):
            return np.zeros(window.shape, dtype=bool), np.zeros(window.shape, dtype=bool)
        there = Rect.spanning(
            int(rows[inside_rows].min()), int(cols[inside_cols].min()),
            int(rows[inside_rows].max()) + 1, int(cols[inside_cols].max()) + 1,
        )  # fmt: skip
        clear, spread = classify(_read_most(self.mask, there), self.mask.options, self.mask.nodata)
        spot = np.ix_(
            np.clip(rows - there.row, 0, there.height - 1),
            np.clip(cols - there.col, 0, there.width - 1),
        )
        inside = inside_rows[:, None] & inside_cols[None, :]
        return clear[spot] & inside, spread[spot] & inside

    def _mask_pixels(
        self, mask: MaskBand, affine: Affine, window: Rect
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row of the mask under each row of a window, and column under each column, by centres."""
        inverse = ~affine
        row, col = window.row + 0.5, window.col + 0.5
        x = self.affine.a * (col + np.arange(window.width)) + self.affine.c
        y = self.affine.e * (row + np.arange(window.height)) + self.affine.f
        rows = np.floor(inverse.e * y + inverse.f).astype(np.intp)
        cols = np.floor(inverse.a * x + inverse.c).astype(np.intp)
        return rows, cols

    @property
    def _file(self) -> RasterFile:
        return next(iter(self.bands.values())).file

    def _counts(self, bands: Sequence[Band], window: Rect) -> list[NDArray[Any]]:
        """Counts of bands in their order, each file read once."""
        files = dict.fromkeys(band.file for band in bands)
        found: dict[tuple[RasterFile, int], NDArray[Any]] = {}
        for file in files:
            indexes = [band.index for band in bands if band.file == file]
            for index, values in zip(indexes, file.read(indexes, window), strict=True):
                found[file, index] = values
        return [found[band.file, band.index] for band in bands]

    def _own_mask(self, window: Rect) -> NDArray[np.uint8]:
        try:
            return np.asarray(_handle(self._file).read_masks(1, window=_window(window)))
        except (RasterioError, OSError) as error:
            raise _failed(self._file, error) from error


def _read_most(mask: MaskBand, window: Rect) -> NDArray[Any]:
    values = mask.file.read(mask.indexes, window)
    return values[0] if len(values) == 1 else np.asarray(np.maximum.reduce(values))


def _handle(file: RasterFile) -> Any:
    changed_ns = 0 if file.disk is None else file.disk.stat().st_mtime_ns
    return _opened(file.address, changed_ns, threading.get_ident())


def open_raster(path: Path | str) -> Any:
    """An open rasterio dataset; whether it has a place on Earth is for the caller to ask."""
    with warning_filters, warnings.catch_warnings(), rasterio.Env(**_LEAVE_NO_FILES):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path)


@closed_at_exit
@lru_cache(maxsize=32)
def _opened(address: str, _changed_ns: int, _thread: int) -> Any:
    return open_raster(address)


def _window(rect: Rect) -> Window:
    return Window(rect.col, rect.row, rect.width, rect.height)


def _failed(file: RasterFile, error: Exception) -> ReadFailedError:
    reason = " ".join(str(error.__cause__ or error).split())
    return ReadFailedError(
        f"{file.label or file.address}: its pixels cannot be read, perhaps it is cut short "
        f"({reason}); "
        "fetch the file again, or take it out of the source"
    )
