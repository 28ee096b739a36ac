"""Stored rasters drawn onto another, mostly coarser, lattice, read through their overviews."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.warp
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from minetrace.core.grid import Grid, Rect
from minetrace.errors import ReadFailedError

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Header:
    """What a stored raster says of itself before a pixel is read.

    Attributes:
        bounds: (left, bottom, right, top) in its CRS.
        offset_m: how far its lattice lies off multiples of its resolution.
        bands: their descriptions.
    """

    path: Path
    crs: str
    bounds: Bounds
    resolution_m: float
    offset_m: float
    bands: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Header:
        """Open a raster and close it again.

        Raises:
            ReadFailedError: it is not there or is cut short.
        """
        try:
            with rasterio.open(path) as source:
                side = float(source.res[0])
                offset = round(-source.bounds.left % side, 6) % side
                names = tuple(str(name) for name in source.descriptions)
                return cls(path, source.crs.to_string(), tuple(source.bounds), side, offset, names)
        except (OSError, RasterioError) as error:
            raise _unreadable(path, error) from error

    def bounds_in(self, crs: str) -> Bounds:
        """Bounds in another CRS; infinite where that CRS has no numbers for the place."""
        if crs == self.crs:
            return self.bounds
        west, south, east, north = rasterio.warp.transform_bounds(self.crs, crs, *self.bounds)
        return float(west), float(south), float(east), float(north)


def read_onto(
    headers: Sequence[Header], bands: Sequence[int], grid: Grid, rect: Rect, *, smooth: bool
) -> NDArray[np.float32]:
    """Bands (1-based) of many rasters on a rectangle of any lattice.

    Each raster is read about as coarsely as it is wanted, so memory follows the rectangle and
    not the rasters; the first to have a value for a cell gives it.

    Args:
        headers: rasters in any CRS; those elsewhere are not opened.
        smooth: interpolate between pixels; otherwise the nearest is taken.

    Returns:
        (bands, rect.height, rect.width), NaN where no raster has a value.

    Raises:
        ReadFailedError: a raster is cut short.
    """
    target = np.full((len(bands), *rect.shape), np.nan, dtype=np.float32)
    for header in headers:
        around = header.bounds_in(grid.crs)
        if not np.isfinite(around).all():
            continue
        part = grid.rect(around).expand(1) & rect
        if part.empty:
            continue
        piece = np.full((len(bands), *part.shape), np.nan, dtype=np.float32)
        _draw(header, bands, grid, part, piece, smooth=smooth)
        spot = target[:, *part.within(rect)]
        np.copyto(spot, piece, where=np.isnan(spot))
    return target


def _draw(
    header: Header, bands: Sequence[int], grid: Grid, rect: Rect, piece: NDArray[np.float32],
    *, smooth: bool,
) -> None:  # fmt: skip
    try:
        with rasterio.open(header.path) as source:
            window = _window(header, grid, rect, source.shape)
            if window is None:
                return
            factor = max(1, int(grid.resolution_m / header.resolution_m + 1e-6))
            shape = (math.ceil(window.height / factor), math.ceil(window.width / factor))
            pixels = source.read(list(bands), window=window, out_shape=(len(bands), *shape))
            values = np.where(pixels == source.nodata, np.nan, pixels).astype(np.float32)
            affine = source.window_transform(window)
            affine = affine * affine.scale(window.width / shape[1], window.height / shape[0])
    except (OSError, RasterioError) as error:
        raise _unreadable(header.path, error) from error
    rasterio.warp.reproject(
        values, piece, src_transform=affine, src_crs=header.crs, src_nodata=np.nan,
        dst_transform=grid.affine(rect), dst_crs=grid.crs, dst_nodata=np.nan, init_dest_nodata=True,
        resampling=Resampling.bilinear if smooth else Resampling.nearest,
    )  # fmt: skip


def _window(header: Header, grid: Grid, rect: Rect, shape: tuple[int, int]) -> Window | None:
    """The pixels under a rectangle with a few around, on whole steps of the overviews."""
    left, bottom, right, top = grid.bounds(rect)
    if grid.crs != header.crs:
        left, bottom, right, top = rasterio.warp.transform_bounds(
            grid.crs, header.crs, left, bottom, right, top
        )
    if not np.isfinite([left, bottom, right, top]).all():
        return Window(0, 0, shape[1], shape[0])
    side, margin = header.resolution_m, 2 * max(grid.resolution_m, header.resolution_m)
    west, north = header.bounds[0], header.bounds[3]
    rows = _span((north - top - margin) / side, (north - bottom + margin) / side, shape[0])
    cols = _span((left - west - margin) / side, (right - west + margin) / side, shape[1])
    if rows[0] >= rows[1] or cols[0] >= cols[1]:
        return None
    return Window.from_slices(rows, cols)


def _span(start: float, stop: float, most: int) -> tuple[int, int]:
    return max(0, math.floor(start / 16) * 16), min(most, math.ceil(stop / 16) * 16)


def _unreadable(path: Path, error: Exception) -> ReadFailedError:
    return ReadFailedError(
        f"{path}: cannot be read ({error}); delete it and run again to make it anew"
    )
