"""The ground of a run, pixel by pixel: what was looked at, what was mapped, how sure the model was.

All comes from the run folder, so that a sample can be drawn where the imagery is no longer at hand.
The ground is walked in blocks of the lattice, which have nothing to do with the run's tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from pyproj import Proj, Transformer
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import Coverage, Region, Zone, project
from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.errors import RunError
from minetrace.flow.study import Study
from minetrace.store.coarse import Header
from minetrace.store.cog import Mosaic
from minetrace.store.outlines import read_region
from minetrace.store.run_folder import RunFolder
from minetrace.store.stored import stored_tiles

BLOCK_PX = 1024
HECTARE_M2 = 10_000.0


@dataclass(frozen=True)
class Block:
    """Pixels of one rectangle of the lattice; arrays are (height, width).

    Attributes:
        zone: number of the grid among the run's.
        grid: their grid.
        rect: where they are on it.
        pixel_ha: hectares of one pixel on the curved Earth.
        wanted: True inside the region.
        looked: True where there is a score in every period asked for.
        mapped: per period, True where the pixel's centre lies in an outline of the panel.
        near: True within the buffer's reach of an outline of any of the periods.
        score: per period, 0 to 1; meaningless where nobody looked.
    """

    zone: int
    grid: Grid
    rect: Rect
    pixel_ha: float
    wanted: NDArray[np.bool_]
    looked: NDArray[np.bool_]
    mapped: tuple[NDArray[np.bool_], ...]
    near: NDArray[np.bool_]
    score: tuple[NDArray[np.float32], ...]


@dataclass(frozen=True)
class _Period:
    """Scores of a zone in one period, and the outlines of the panel there."""

    looked: Mosaic
    value: Mosaic
    band: int
    stride: int
    outlines: NDArray[np.object_]

    def read(self, rect: Rect) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Which pixels were looked at, and their score."""
        cells = rect.snapped(self.stride).cells(self.stride)
        looked = self.looked.read(cells, (1,), np.uint16)[0] != NOT_LOOKED
        value = self.value.read(cells, (self.band,), np.uint16)[0]
        inside = rect.within(cells.scaled(self.stride))
        score = np.where(value == NOT_LOOKED, 0, value).astype(np.float32) / SCALE
        return self._fine(looked)[inside], self._fine(score)[inside]

    def _fine(self, cells: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(np.repeat(cells, self.stride, axis=0), self.stride, axis=1)


@dataclass(frozen=True)
class RunGround:
    """A run's ground in some of its periods.

    Attributes:
        folder: the run.
        study: as resolved.
        panel: one row per site and period, EPSG:4326.
        labels: the periods asked for, in time order.
    """

    folder: RunFolder
    study: Study
    panel: gpd.GeoDataFrame
    labels: tuple[str, ...]

    def blocks(self, *, buffer_m: float, side_px: int = 1) -> Iterator[Block]:
        """Walk the region, zone by zone.

        Args:
            buffer_m: how far from an outline is near, in metres of the grid.
            side_px: of squares of the lattice that no block cuts.
        """
        block_px = max(BLOCK_PX // side_px, 1) * side_px
        region = Region.of(read_region(self.folder.region), origin=str(self.folder.region))
        for number, (zone, grid) in enumerate(self.grids(region)):
            coverage = Coverage.of(zone, grid)
            periods = [self._period(label, grid) for label in self.labels]
            drawn = [_Burner(period.outlines, grid) for period in periods]
            shapes = np.concatenate([period.outlines for period in periods])
            around = _Burner(shapely.buffer(shapes, buffer_m, quad_segs=8), grid)
            for rect in coverage.rect.blocks(block_px):
                if not coverage.touches(rect):
                    continue
                read = [period.read(rect) for period in periods]
                yield Block(
                    number, grid, rect, _pixel_ha(grid, rect), coverage.mask(rect),
                    np.logical_and.reduce([looked for looked, _ in read]),
                    tuple(burner(rect) for burner in drawn), around(rect),
                    tuple(score for _, score in read),
                )  # fmt: skip

    def grids(self, region: Region) -> list[tuple[Zone, Grid]]:
        """The run's grids of pixels, each with its part of the region."""
        settings = self.study.grid
        return [
            (zone, Grid(zone.crs, self.pixel_m, settings.anchor))
            for zone in region.zones(settings.crs)
        ]

    @property
    def pixel_m(self) -> float:
        """Side of a pixel, in metres of the grid."""
        return float(self.study.grid.resolution_m or 10.0)

    def outlines(self, label: str) -> gpd.GeoDataFrame:
        """The panel's outlines in a period."""
        rows = self.panel[(self.panel["period"] == label) & self.panel.geometry.notna()]
        return rows[~rows.geometry.is_empty]

    def _period(self, label: str, grid: Grid) -> _Period:
        shapes = np.asarray(self.outlines(label).geometry.to_numpy(), dtype=object)
        bent = np.asarray(project(shapes, "EPSG:4326", grid.crs), dtype=object)
        looked, header = self._mosaic("scores", label, grid)
        value, _ = self._mosaic("decoded", label, grid)
        decoded = bool(value.places)
        if header is None:
            return _Period(looked, looked, 1, 1, bent)
        highest = header.bands.index("max") + 1 if "max" in header.bands and not decoded else 1
        stride = round(header.resolution_m / grid.resolution_m)
        return _Period(looked, value if decoded else looked, highest, stride, bent)

    def _mosaic(self, kind: str, label: str, grid: Grid) -> tuple[Mosaic, Header | None]:
        keys = stored_tiles(self.folder, kind, label)
        done = [self.folder.path(k) for k in keys if k.tile.startswith(f"{grid.zone}_")]
        headers = [Header.read(path) for path in done]
        cells = [
            grid.coarsened(round(h.resolution_m / grid.resolution_m)).rect(h.bounds)
            for h in headers
        ]
        return Mosaic(tuple(zip(cells, done, strict=True)), NOT_LOOKED), next(iter(headers), None)


class _Burner:
    """Polygons onto pixels, by pixel centre."""

    def __init__(self, shapes: NDArray[np.object_], grid: Grid) -> None:
        self._shapes, self._grid = shapes, grid
        self._tree = shapely.STRtree(shapes)

    def __call__(self, rect: Rect) -> NDArray[np.bool_]:
        frame: BaseGeometry = shapely.box(*self._grid.bounds(rect))
        here = self._shapes[np.sort(self._tree.query(frame, predicate="intersects"))]
        if not len(here):
            return np.zeros(rect.shape, dtype=bool)
        burnt = rasterio.features.rasterize(
            here, out_shape=rect.shape, transform=self._grid.affine(rect), dtype=np.uint8
        )
        return np.asarray(burnt, dtype=bool)


def _pixel_ha(grid: Grid, rect: Rect) -> float:
    """Hectares of a pixel in the middle of a rectangle, by the projection's areal scale there."""
    left, bottom, right, top = grid.bounds(rect)
    lonlat = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = lonlat.transform((left + right) / 2, (bottom + top) / 2)
    scale = Proj(grid.projection).get_factors(lon, lat).areal_scale
    return grid.resolution_m**2 / float(scale) / HECTARE_M2


def open_ground(root: RunFolder, panel: gpd.GeoDataFrame, labels: Sequence[str]) -> RunGround:
    """A run's ground in periods of it.

    Raises:
        RunError: it did not keep its region, or a period has no scores.
    """
    if not root.region.is_file():
        raise RunError(f"{root.root}: kept no region.geojson; run the study again to make it")
    study = Study.read(root.study)
    order = [period.label for period in study.timeline]
    for label in labels:
        if not stored_tiles(root, "scores", label):
            raise RunError(f"{root.root}: no scores of {label} are stored; run the study first")
    return RunGround(root, study, panel, tuple(sorted(labels, key=order.index)))
