"""Outlines across the date line, cut there.

In longitude and latitude a mine at 180° is drawn past it (179.9 to 180.1) or, worse, once around
the globe (179.9 to -179.9), and then it overlaps everything on its latitude. No mine is half a
globe wide, so what was meant is plain; cut in two at 180°, as RFC 7946 asks, it is small again.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.panel.overlap import Index

Shapes = NDArray[np.object_]
_WIDEST_DEG = 90  # what is wider is no outline of a mine, and left as it is
_EAST = shapely.box(-180.0, -90.0, 180.0, 90.0)
_PAST = shapely.box(180.0, -90.0, 540.0, 90.0)


def cut_at_date_line(shapes: Shapes) -> tuple[Shapes, Index]:
    """Outlines that cross 180°, each as two parts that do not.

    Args:
        shapes: (n,) polygons in EPSG:4326.

    Returns:
        All outlines in their order, and the numbers of those that were cut.
    """
    parts, owner = shapely.get_parts(shapes, return_index=True)
    west, _, east, _ = shapely.bounds(parts).reshape(-1, 4).T
    odd = (east - west > 180) | (east > 180) | (west < -180)
    shapes, cut = shapes.copy(), []
    for row in np.unique(owner[odd & (west >= -360) & (east <= 360)]).tolist():
        own = [_moved(part) for part in parts[owner == row]]
        if all(0 < _width(part) <= _WIDEST_DEG for part in own):
            shapes[row] = shapely.union_all([_cut(part) for part in own])
            cut.append(row)
    return shapes, np.array(cut, dtype=np.intp)


def _moved(part: shapely.Geometry) -> shapely.Geometry:
    """One polygon in one piece between 0° and 360°, if it lay past 180° or around the globe."""
    lon = shapely.get_coordinates(part)[:, 0]
    behind = lon < 0 if np.ptp(lon) > 180 else np.full(len(lon), lon.min() < -180)
    return shapely.transform(part, lambda xy: xy + np.column_stack([360.0 * behind, 0 * behind]))


def _width(part: shapely.Geometry) -> float:
    west, _, east, _ = shapely.bounds(part)
    return float(east - west)


def _cut(part: shapely.Geometry) -> shapely.Geometry:
    past = shapely.transform(shapely.intersection(part, _PAST), lambda xy: xy - [360.0, 0.0])
    return shapely.union_all([shapely.intersection(part, _EAST), past])
