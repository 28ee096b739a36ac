"""The region that is asked about: polygons in longitude and latitude."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from minetrace.core.grid import Grid, Rect, Tile, tiles_over, utm_crs
from minetrace.errors import RegionError

SEGMENT_DEG = 0.01  # straight in longitude and latitude bends in a projection: about 1 km


@dataclass(frozen=True)
class Region:
    """A valid polygon or multipolygon in EPSG:4326."""

    geometry: Polygon | MultiPolygon

    @classmethod
    def of(cls, geometry: BaseGeometry, *, origin: str = "region") -> Region:
        """Check a geometry and make a region of it.

        Args:
            geometry: polygons in EPSG:4326.
            origin: what to call it in an error, such as its file.

        Raises:
            RegionError: it is empty, has no area, crosses itself or lies off the globe.
        """
        if geometry.is_empty:
            raise RegionError(f"{origin}: the region is empty; draw at least one polygon")
        if not isinstance(geometry, Polygon | MultiPolygon):
            raise RegionError(
                f"{origin}: the region is a {geometry.geom_type}, not a polygon; "
                "draw an outline or give bbox: [west, south, east, north]"
            )
        if not geometry.is_valid:
            raise RegionError(
                f"{origin}: the region is not a valid polygon ({explain_validity(geometry)}); "
                "repair it, for example with 'Fix geometries' in QGIS"
            )
        if geometry.area == 0:
            raise RegionError(f"{origin}: the region has no area; draw a polygon around the place")
        west, south, east, north = geometry.bounds
        if west < -180 or east > 180 or south < -90 or north > 90:
            raise RegionError(
                f"{origin}: bounds {west:g}, {south:g}, {east:g}, {north:g} are not longitude and "
                "latitude; save the file in EPSG:4326, or with its CRS"
            )
        return cls(geometry)

    def zones(self, crs: str | None = None) -> list[Zone]:
        """The region by CRS: one zone if ``crs`` is named, else one per UTM zone touched."""
        if crs is not None:
            return [Zone(crs, self.geometry, None)]
        found = []
        west, south, east, north = self.geometry.bounds
        for left in range(int(np.floor(west / 6)) * 6, int(np.ceil(east / 6)) * 6, 6):
            for low, high in ((-90.0, 0.0), (0.0, 90.0)):
                if high <= south or low >= north:
                    continue
                strip = box(left, low, left + 6, high)
                part = _polygons(shapely.intersection(self.geometry, strip))
                if not part.is_empty:
                    middle = part.representative_point()
                    found.append(Zone(utm_crs(middle.x, middle.y), part, strip))
        if len(found) == 1:
            return [Zone(found[0].crs, self.geometry, None)]
        return found


@dataclass(frozen=True)
class Zone:
    """The part of a region that is worked in one CRS.

    Attributes:
        crs: the CRS of its grid.
        geometry: the part, EPSG:4326.
        strip: the strip of longitude and latitude that bounds the part where it meets another
            zone, or None if the region lies in one zone.
    """

    crs: str
    geometry: BaseGeometry
    strip: Polygon | None

    def projected(self, grid: Grid) -> BaseGeometry:
        """The part in the grid's CRS, its long edges bent as the projection bends them."""
        bent: BaseGeometry = project(
            shapely.segmentize(self.geometry, SEGMENT_DEG), "EPSG:4326", grid.crs
        )
        return bent


@lru_cache(maxsize=64)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def project(geometry: Any, source: str, target: str) -> Any:
    """A geometry, or an array of them, from one CRS to another; x is always east."""
    if source == target:
        return geometry
    to = _transformer(source, target)

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to.transform(xy[:, 0], xy[:, 1])) if len(xy) else xy

    return shapely.transform(geometry, move)


def _polygons(geometry: BaseGeometry) -> MultiPolygon:
    parts = [q for p in shapely.get_parts(geometry) for q in shapely.get_parts(p)]
    return MultiPolygon([p for p in parts if p.geom_type == "Polygon" and p.area > 0])


@dataclass(frozen=True)
class Coverage:
    """Which pixels of a grid belong to a geometry: those whose centre lies inside.

    The answer for a pixel never depends on the rectangle that was asked for.
    """

    geometry: BaseGeometry
    grid: Grid

    @classmethod
    def of(cls, zone: Zone, grid: Grid, *, halo_px: int = 0) -> Coverage:
        """The coverage of a zone, grown so that it holds ``halo_px`` pixels on every side.

        A square window reaches further over its corner than over its edge, hence the diagonal.
        """
        area = zone.projected(grid)
        if halo_px:
            reach_m = halo_px * grid.resolution_m * math.sqrt(2)
            area = area.buffer(reach_m, join_style="mitre", mitre_limit=2.0)
        shapely.prepare(area)
        return cls(area, grid)

    @property
    def rect(self) -> Rect:
        """The pixels around the whole geometry."""
        return self.grid.rect(self.geometry.bounds)

    def tiles(self, size_px: int) -> list[Tile]:
        """The tiles that the geometry touches, in row-major order; only parts are walked."""
        rects = (self.grid.rect(p.bounds) for p in shapely.get_parts(self.geometry))
        near = {tile for rect in rects for tile in tiles_over(self.grid, rect, size_px)}
        return sorted(tile for tile in near if self.touches(tile.rect))

    def touches(self, rect: Rect) -> bool:
        """True if the geometry and the rectangle share any ground."""
        shapely.prepare(self.geometry)  # does nothing the second time; a pickle forgets it
        return bool(self.geometry.intersects(box(*self.grid.bounds(rect))))

    def part(self, rect: Rect) -> BaseGeometry:
        """The geometry inside a rectangle; only the polygons that it meets are looked at."""
        frame = box(*self.grid.bounds(rect))
        parts, tree = self._indexed
        return shapely.union_all(shapely.intersection(parts[tree.query(frame)], frame))

    @cached_property
    def _indexed(self) -> tuple[NDArray[np.object_], shapely.STRtree]:
        parts = shapely.get_parts(self.geometry)
        return parts, shapely.STRtree(parts)

    def mask(self, rect: Rect) -> NDArray[np.bool_]:
        """True where a pixel's centre lies inside; shape (rect.height, rect.width)."""
        shapely.prepare(self.geometry)
        inside = np.zeros(rect.shape, dtype=bool)
        for part, whole in self._walk(rect):
            rows, cols = part.within(rect)
            inside[rows, cols] = True if whole else self._by_centre(part)
        return inside

    def _by_centre(self, rect: Rect) -> NDArray[np.bool_]:
        r, grid = self.grid.resolution_m, self.grid
        x = grid.x(rect.col) + r * (np.arange(rect.width) + 0.5)
        y = grid.y(rect.row) - r * (np.arange(rect.height) + 0.5)
        xx, yy = np.meshgrid(x, y)
        return np.asarray(shapely.contains_xy(self.geometry, xx, yy), dtype=bool)

    def _walk(self, rect: Rect) -> Iterator[tuple[Rect, bool]]:
        """Parts that are wholly inside, and small parts that the boundary crosses."""
        if rect.empty:
            return
        frame = box(*self.grid.bounds(rect))
        if not self.geometry.intersects(frame):
            return
        if self.geometry.contains(frame):
            yield rect, True
        elif max(rect.shape) <= 32:
            yield rect, False
        else:
            top, left = (rect.height + 1) // 2, (rect.width + 1) // 2
            for row, height in ((0, top), (top, rect.height - top)):
                for col, width in ((0, left), (left, rect.width - left)):
                    yield from self._walk(Rect(rect.row + row, rect.col + col, height, width))
