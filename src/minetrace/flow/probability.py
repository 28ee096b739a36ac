"""A probability raster from anywhere as outlines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.grid import Grid, Rect, utm_crs
from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.errors import MissingFileError, OutlineError, RasterError
from minetrace.vectors.outlines import OutlineRules, outlines

raster_files = (".tif", ".tiff", ".vrt")
TILE_PX = 2048
_ROUNDED = 2e-4  # by which a share may pass 1: a scale of 1/255 is written as 0.003922
_MASK = {0.0, 255.0}  # the numbers of a mask in eight bits
_METRES_A_DEGREE = 111_320.0


def outlines_of(
    path: Path, extent: Extent, *, threshold: float = 0.5, scale: float | None = None
) -> Footprints:
    """Outlines of where a raster's first band reaches a threshold.

    Args:
        path: a raster of shares: floats from 0 to 1, integers with a scale in the file or in
            ``scale``, or a mask of 0 and 1 or of 0 and 255 alone. Where it has no data nobody
            looked. In degrees it is warped, by nearest pixel, to the UTM zone of its middle.
        extent: what the outlines mean.
        threshold: share from which on ground belongs to an outline.
        scale: what a value is multiplied by to be a share, whatever the file says; default: the
            file's own scale, 1/255 of a mask of 0 and 255, or none where values go to 1.

    Raises:
        MissingFileError: it is not there.
        RasterError: it cannot be read, has no place on Earth, or its values are not shares.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such raster")
    try:
        with rasterio.open(path) as source:
            reader = _Shares(path, source, _scale(path, source, scale))
            tiles = list(reader.frame.blocks(TILE_PX))
            return outlines(tiles, reader, reader.grid, OutlineRules(threshold), extent)
    except RasterioError as error:
        raise RasterError(f"{path}: cannot be read as a raster ({error})") from error


class _Shares:
    """The raster on a lattice of square metres, probability x 10,000."""

    def __init__(self, path: Path, source: rasterio.DatasetReader, scale: float) -> None:
        if source.crs is None:
            raise RasterError(f"{path}: does not say its CRS; save it with one")
        self._path, self._scale = path, scale
        crs, resolution_m = _metric(source)
        self.grid = Grid(crs, resolution_m)
        bounds = transform_bounds(source.crs, crs, *source.bounds, densify_pts=21)
        self.frame = self.grid.rect(bounds)
        self._source = WarpedVRT(
            source, crs=crs, transform=self.grid.affine(self.frame), height=self.frame.height,
            width=self.frame.width, resampling=Resampling.nearest, nodata=source.nodata,
            add_alpha=source.nodata is None and ColorInterp.alpha not in source.colorinterp,
        )  # fmt: skip

    def __call__(self, rect: Rect) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        part = rect & self.frame
        scores = np.full(rect.shape, NOT_LOOKED, dtype=np.uint16)
        if not part.empty:
            rows, cols = part.within(self.frame)
            found = self._source.read(1, window=Window.from_slices(rows, cols), masked=True)
            scores[part.within(rect)] = self._scored(found)
        return scores, scores

    def _scored(self, found: np.ma.MaskedArray[Any, Any]) -> NDArray[np.uint16]:
        share = np.ma.getdata(found).astype(np.float64) * self._scale
        known = ~np.ma.getmaskarray(found) & np.isfinite(share)
        wrong = known & ((share < 0) | (share > 1 + _ROUNDED))
        if wrong.any():
            value = share[wrong][0]
            raise RasterError(
                f"{self._path}: holds {value / self._scale:g}, a share of {value:g}; shares lie "
                "from 0 to 1: give --scale, such as 0.01 for percent or 0.003922 for 0 to 255"
            )
        counts = np.rint(np.where(known, np.minimum(share, 1), 0) * SCALE).astype(np.uint16)
        return np.where(known, counts, np.uint16(NOT_LOOKED))


def _scale(path: Path, source: rasterio.DatasetReader, given: float | None) -> float:
    """What makes values shares: what is given, or else what the file says."""
    if given is not None and not given > 0:
        raise OutlineError(f"--scale is {given}; give a number above 0")
    if given is not None:
        return given
    told = float(source.scales[0])
    if told != 1:
        return told
    top, mask = 0.0, True
    for _, window in source.block_windows(1):
        block = source.read(1, window=window, masked=True).compressed()
        values = np.unique(block[np.isfinite(block)])
        if len(values):
            top, mask = max(top, float(values[-1])), mask and set(values.tolist()) <= _MASK
    if top > 1 and not mask:
        raise RasterError(
            f"{path}: values up to {top:g} without a scale; say with --scale what makes them "
            "shares, such as 0.01 for percent, 0.003922 for 0 to 255, or 0.0001"
        )
    return 1 / top if top > 1 else 1.0


def _metric(source: rasterio.DatasetReader) -> tuple[str, float]:
    """The CRS and pixel size of the lattice: its own if that is in metres and square."""
    across, down = abs(source.transform.a), abs(source.transform.e)
    if source.crs.is_projected and source.crs.linear_units_factor[1] == 1:
        return source.crs.to_string(), across
    west, south, east, north = transform_bounds(source.crs, "EPSG:4326", *source.bounds)
    return utm_crs((west + east) / 2, (south + north) / 2), round(down * _METRES_A_DEGREE, 1)
