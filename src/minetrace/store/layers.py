"""Stored rasters of a kind and period as one lazy xarray, read where it is looked at."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import rasterio
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from rasterio.errors import RasterioError
from xarray.backends import BackendArray
from xarray.core import indexing

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import project
from minetrace.errors import ReadFailedError, RunError
from minetrace.store.cog import Mosaic
from minetrace.store.outlines import read_region
from minetrace.store.run_folder import Key, RunFolder
from minetrace.store.stored import stored_tiles


def zones(run: RunFolder, kind: str, period: str) -> tuple[str, ...]:
    """The zones that have a stored tile of a kind and period, as tiles are named: EPSG codes."""
    return tuple(sorted({key.tile.partition("_")[0] for key in stored_tiles(run, kind, period)}))


def layer(run: RunFolder, kind: str, period: str, zone: str) -> xr.Dataset:
    """Every stored tile of a kind, period and zone as one dataset.

    It spans the bounds of the region. Until values are asked for, only headers are read; then only
    the blocks under them.

    Args:
        run: the run.
        kind: ``composites`` or ``scores``.
        period: a label.
        zone: one of ``zones()``.

    Returns:
        One variable per band, dimensions ``y`` and ``x``, float32 in physical units (reflectance,
        probability, looks, days), NaN where nothing is known; ``spatial_ref`` holds the CRS.

    Raises:
        RunError: no tile of it is stored.
    """
    keys = [k for k in stored_tiles(run, kind, period) if k.tile.startswith(f"{zone}_")]
    if not keys:
        raise RunError(f"{run.root}: no {kind} of {period} in zone {zone} are stored")
    boxes = [_geobox(run, key) for key in keys]
    grid = _grid(boxes[0])
    rects = [grid.rect_of(geobox) for geobox in boxes]
    frame = _trimmed(reduce(Rect.__or__, rects), run, grid)
    paths = [run.path(key) for key in keys]
    with rasterio.open(paths[0]) as first:
        names, scales, nodata = first.descriptions, first.scales, first.nodata
        dtype = np.dtype(first.dtypes[0])
    mosaic = Mosaic(tuple(zip(rects, paths, strict=True)), int(nodata))
    coords = xr_coords(grid.geobox(frame))
    variables = {}
    for number, (name, scale) in enumerate(zip(names, scales, strict=True), start=1):
        attrs = {"_FillValue": dtype.type(nodata), "grid_mapping": "spatial_ref"}
        if scale != 1:
            attrs["scale_factor"] = np.float32(scale)
        stored = indexing.LazilyIndexedArray(_Stored(mosaic, frame, number, dtype))
        variables[str(name)] = xr.Variable(("y", "x"), stored, attrs)
    lazy = xr.Dataset(variables, coords=coords, attrs={"kind": kind, "period": period})
    return xr.decode_cf(lazy, decode_times=False, decode_coords="all")


def _trimmed(frame: Rect, run: RunFolder, grid: Grid) -> Rect:
    """The part of whole tiles that the region's bounds hold."""
    if not run.region.is_file():
        return frame
    region = read_region(run.region)
    edges = shapely.segmentize(shapely.box(*region.bounds), 0.05)
    return frame & grid.rect(project(edges, "EPSG:4326", grid.crs).bounds)


class _Stored(BackendArray):
    """One band of a mosaic, as xarray wants to index it."""

    def __init__(self, mosaic: Mosaic, frame: Rect, band: int, dtype: np.dtype[Any]) -> None:
        self._mosaic, self._frame, self._band = mosaic, frame, band
        self.shape = frame.shape
        self.dtype = dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        """Read the rectangle around the key, then thin it as the key says."""
        (top, rows), (left, cols) = (_span(k, n) for k, n in zip(key, self.shape, strict=True))
        rect = Rect(self._frame.row + top[0], self._frame.col + left[0],
                    top[1] - top[0], left[1] - left[0])  # fmt: skip
        if rect.empty:
            return np.empty(rect.shape, self.dtype)[rows, cols]
        return np.asarray(self._mosaic.read(rect, (self._band,), self.dtype)[0][rows, cols])


def _span(key: int | slice, size: int) -> tuple[tuple[int, int], int | slice]:
    """The half-open range that a key touches, and the key within it."""
    if not isinstance(key, slice):
        at = int(key) % size
        return (at, at + 1), 0
    steps = range(*key.indices(size))
    if not steps:
        return (0, 0), slice(0, 0)
    low, high = min(steps[0], steps[-1]), max(steps[0], steps[-1])
    return (low, high + 1), slice(None, None, steps.step)


def _geobox(run: RunFolder, key: Key) -> GeoBox:
    path = run.path(key)
    try:
        with rasterio.open(path) as source:
            return GeoBox(source.shape, source.transform, str(source.crs))
    except RasterioError as error:
        raise ReadFailedError(f"{path}: cannot be read ({error}); run again to make it") from error


def _grid(geobox: GeoBox) -> Grid:
    """The lattice that a stored tile lies on."""
    resolution = float(geobox.resolution.x)
    top, left = float(geobox.transform.f), float(geobox.transform.c)
    return Grid(str(geobox.crs), resolution, "edge", _remainder(left, top, resolution))


def _remainder(left: float, top: float, resolution: float) -> float:
    """How far north-west of the origin the lattice begins; one number, as tiles are made."""
    across, down = -left % resolution, top % resolution
    apart = abs(across - down)
    if min(apart, resolution - apart) > 1e-3:
        raise ValueError(f"corner ({left}, {top}) lies on no lattice of {resolution} m")
    return 0.0 if min(across, resolution - across) < 1e-6 else across
