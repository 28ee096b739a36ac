"""Outlines of one period that share no ground.

Published outlines now and then lie over each other: a mine drawn twice, a buffer that reaches into
its neighbour. Ground can be mined once, so where outlines overlap the larger one keeps it.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Footprints
from minetrace.core.region import project
from minetrace.panel.overlap import EQUAL_AREA, HECTARES, Index, spread

LEAST_M2 = 1.0  # less shared ground than this is the rounding of a border; less left is nothing


def disjoint(footprints: Footprints) -> Footprints:
    """Take ground that several outlines claim away from all but the largest.

    Args:
        footprints: valid polygons of one period, in any CRS.

    Returns:
        The rows in their order; what lies wholly under larger outlines is left out. Hectares in a
        column shrink with the ground. Overlaps below a square metre are left as they are.
    """
    lower, upper = _claims(footprints)
    if not len(lower):
        return footprints
    geometry = footprints.geometry.copy()
    starts = np.flatnonzero(np.diff(lower, prepend=-1))
    for row, above in zip(lower[starts], np.split(upper, starts[1:]), strict=True):
        taken = shapely.union_all(footprints.geometry[above])
        geometry[row] = _surface(shapely.difference(footprints.geometry[row], taken))
    rows = lower[starts]
    before = _area_m2(footprints.geometry[rows], footprints.crs)
    after = _area_m2(geometry[rows], footprints.crs)
    columns = {name: values.copy() for name, values in footprints.columns.items()}
    for name in HECTARES.values():
        if name in columns:
            columns[name] = columns[name].astype(np.float64)
            columns[name][rows] *= after / before
    keep = np.ones(len(footprints), dtype=bool)
    keep[rows[after < LEAST_M2]] = False
    return Footprints(geometry, footprints.crs, footprints.extent, columns).where(keep)


def _claims(footprints: Footprints) -> tuple[Index, Index]:
    """Pairs that share ground, the smaller first; sorted by it."""
    shapes = footprints.geometry
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    a, b = a[a < b], b[a < b]
    a, b = (side[~shapely.touches(shapes[a], shapes[b])] for side in (a, b))
    shared = _area_m2(spread(shapely.intersection, shapes[a], shapes[b]), footprints.crs)
    a, b = a[shared > LEAST_M2], b[shared > LEAST_M2]
    rank = _rank(footprints, np.unique(np.concatenate([a, b])))
    lower, upper = np.where(rank[a] > rank[b], a, b), np.where(rank[a] > rank[b], b, a)
    order = np.lexsort((upper, lower))
    return lower[order].astype(np.intp), upper[order].astype(np.intp)


def _rank(footprints: Footprints, which: Index) -> Index:
    """The order of outlines from large to small; it does not depend on the order of rows.

    Of equal outlines the one with the higher hectares and scores comes first.
    """
    shapes = footprints.geometry
    rank = np.zeros(len(shapes), dtype=np.intp)
    area = np.round(_area_m2(shapes[which], footprints.crs), 2)
    bounds = shapely.bounds(shapes[which]).reshape(-1, 4)
    _, form = np.unique(shapely.to_wkb(shapely.normalize(shapes[which])), return_inverse=True)
    told = (footprints.columns[name][which] for name in sorted(footprints.columns))
    numbers = [-np.nan_to_num(column) for column in told if column.dtype.kind in "iuf"]
    order = np.lexsort((*numbers, form, *bounds.T, -area))
    rank[which[order]] = np.arange(len(which))
    return rank


def _area_m2(shapes: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    return np.asarray(shapely.area(project(shapes, crs, EQUAL_AREA)), dtype=np.float64)


def _surface(shape: shapely.Geometry) -> shapely.Geometry:
    """Without the lines and points that an overlay may leave."""
    parts = shapely.get_parts(shape)
    if (shapely.get_type_id(parts) == 3).all():
        return shape
    return shapely.union_all(parts[np.isin(shapely.get_type_id(parts), (3, 6))])
