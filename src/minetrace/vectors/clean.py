"""Clean outlines: specks, holes, scores, hectares; and make polygons of their rings.

All of it sees whole outlines, after tiles were joined, so that no rule depends on how the raster
was cut. The order is fixed: specks go, holes are filled, then whole outlines are judged by their
highest score and their hectares.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj

from minetrace.core.footprints import HECTARE_M2
from minetrace.core.grid import Grid
from minetrace.vectors.components import Ints, unite
from minetrace.vectors.join import Traces
from minetrace.vectors.rings import Rings, offsets_of

_SMALLEST_AROUND_ISLAND_PX = 5  # a pixel and the four beside it


def without_specks(traces: Traces, sieve_px: int) -> Traces:
    """Drop outlines of fewer pixels, and fill holes that enclose fewer."""
    rings, area = traces.rings, traces.rings.area_px
    kept = traces.tallies.pixels >= sieve_px
    stays = kept[rings.owner] & ((area > 0) | (-area >= sieve_px))
    return Traces(traces.tallies, rings.take(np.flatnonzero(stays)))


def without_holes(traces: Traces, grid: Grid, fill_holes_ha: float) -> Traces:
    """Fill holes that enclose less than ``fill_holes_ha``; outlines inside become part.

    Scores of an outline are those of its own detected pixels and of the outlines that it took in,
    not of the ground that was filled.
    """
    rings, area = traces.rings, traces.rings.area_px
    if fill_holes_ha <= 0 or not len(rings):
        return traces
    holes = np.flatnonzero(area < 0)
    small = ring_hectares(rings.take(holes), grid) < fill_holes_ha
    filled, wide = holes[small], holes[~small]
    outer = np.flatnonzero(area > 0)
    into, count = _taken_in(rings, area, filled, outer, len(traces.tallies))
    largest = outer[np.argsort(area[outer], kind="stable")]
    head = np.full(count, -1)
    head[into[rings.owner[largest]]] = rings.owner[largest]
    stays = np.sort(np.concatenate([outer, wide]))
    stays = stays[head[into[rings.owner[stays]]] == rings.owner[stays]]
    left = rings.take(stays)
    return Traces(
        traces.tallies.merged(into, count), Rings(left.points, left.offsets, into[left.owner])
    )


def _taken_in(rings: Rings, area: Ints, filled: Ints, outer: Ints, n: int) -> tuple[Ints, int]:
    """What each of n outlines becomes a part of when holes are filled, and how many are left."""
    around = filled[-area[filled] >= _SMALLEST_AROUND_ISLAND_PX]
    limit = -area[around].min() if len(around) else 0
    islands = outer[area[outer] < limit]
    if not len(islands):
        return unite(n, np.empty(0, np.int64), np.empty(0, np.int64))
    inside = np.asarray(shapely.points(first_points(rings.take(islands)) + 0.5))
    points, ring = _closed(rings.take(around))
    holes = shapely.polygons(shapely.linearrings(points, indices=ring))
    hole, island = shapely.STRtree(inside).query(holes, predicate="contains")
    return unite(n, rings.owner[around[hole]], rings.owner[islands[island]])


def with_score(traces: Traces, high: int) -> Traces:
    """Keep outlines whose highest score x 10,000 reaches ``high``."""
    kept = traces.tallies.highest >= high
    return Traces(traces.tallies, traces.rings.take(np.flatnonzero(kept[traces.rings.owner])))


def first_points(rings: Rings) -> Ints:
    """(r, 2) the westmost of each ring's northmost points; for an outer ring a pixel of it."""
    points = rings.points.astype(np.int64)
    key = points[:, 1] * 2**32 + (points[:, 0] + 2**31)
    low = np.minimum.reduceat(key, rings.offsets[:-1]) if len(rings) else key
    return np.column_stack([low % 2**32 - 2**31, low // 2**32])


def ring_hectares(rings: Rings, grid: Grid) -> NDArray[np.float64]:
    """Hectares enclosed by rings, by the projection's areal scale where each lies.

    Within 1e-4 of geodesic hectares for what is small beside a UTM zone.
    """
    if not len(rings):
        return np.empty(0)
    first = first_points(rings)
    planar = np.abs(rings.area_px) * (grid.resolution_m**2 / HECTARE_M2)
    proj = Proj(grid.projection)
    lon, lat = proj(_x(grid, first[:, 0]), _y(grid, first[:, 1]), inverse=True)
    scale = np.asarray(proj.get_factors(lon, lat).areal_scale, dtype=np.float64)
    return np.asarray(planar / np.where(np.isfinite(scale) & (scale > 0), scale, 1.0))


def polygons(rings: Rings, grid: Grid) -> tuple[NDArray[np.object_], Ints]:
    """Polygons in the grid's CRS, from north to south, and the owner of each.

    Rings of one owner are one outer ring and its holes.
    """
    area = rings.area_px
    outer = np.flatnonzero(area > 0)
    first = first_points(rings.take(outer))
    rank = np.full(int(rings.owner.max()) + 1 if len(rings) else 0, -1)
    in_order = np.lexsort((first[:, 0], first[:, 1]))
    owner = rings.owner[outer][in_order]
    rank[owner] = np.arange(len(owner))
    by_rank = np.lexsort((area < 0, rank[rings.owner]))
    ordered = rings.take(by_rank)
    points, ring = _closed(ordered)
    coords = np.column_stack([_x(grid, points[:, 0]), _y(grid, points[:, 1])])
    per_polygon = np.bincount(rank[ordered.owner], minlength=len(owner))
    offsets = (offsets_of(np.bincount(ring, minlength=len(ordered))), offsets_of(per_polygon))
    made = shapely.from_ragged_array(shapely.GeometryType.POLYGON, coords, offsets)
    return shapely.normalize(made), owner


def _closed(rings: Rings) -> tuple[NDArray[np.int32], Ints]:
    """Points with each ring's first repeated at its end, and the ring of each point."""
    length = np.diff(rings.offsets)
    ring = np.repeat(np.arange(len(rings)), length + 1)
    index = np.arange(len(ring)) - ring
    last = np.cumsum(length + 1) - 1
    index[last] = rings.offsets[:-1]
    return rings.points[index], ring


def _x(grid: Grid, col: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.asarray(col * grid.resolution_m - grid.offset_m, dtype=np.float64)


def _y(grid: Grid, row: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.asarray(grid.offset_m - row * grid.resolution_m, dtype=np.float64)
