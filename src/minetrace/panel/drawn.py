"""What a panel says of ground that somebody draws: outlines cut at its edge, period by period.

The cut is exact: pieces are intersected, never counted by pixels. Edges are straight in longitude
and latitude, as GeoJSON has them (RFC 7946). A piece has the share of its outline's hectares that
it has of its geodesic ground, so that a polygon around everything says what the panel says.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import geodesic_hectares
from minetrace.panel.overlap import LONLAT, sound

Shapes = NDArray[np.object_]


def shares_inside(shapes: Shapes, ground: BaseGeometry) -> NDArray[np.float64]:
    """The share of each outline that lies inside, by geodesic ground.

    Args:
        shapes: (n,) polygons, EPSG:4326.
        ground: a valid polygon or multipolygon, EPSG:4326.

    Returns:
        (n,) from 0 to 1.
    """
    shares = np.zeros(len(shapes))
    shapely.prepare(ground)
    touched = np.asarray(shapely.intersects(ground, shapes), dtype=bool)
    whole = touched & np.asarray(shapely.covers(ground, shapes), dtype=bool)
    shares[whole] = 1.0
    cut = np.flatnonzero(touched & ~whole)
    if len(cut):
        pieces = polygons_of(shapely.intersection(sound(shapes[cut]), ground))
        all_ha = geodesic_hectares(shapes[cut], LONLAT)
        inside_ha = geodesic_hectares(pieces, LONLAT)
        shares[cut] = np.clip(inside_ha / np.maximum(all_ha, 1e-12), 0.0, 1.0)
    return shares


def polygons_of(shapes: Shapes) -> Shapes:
    """Each geometry without its lines and points, which have no ground."""
    mixed = ~np.isin(shapely.get_type_id(shapes), (3, 6))
    if not mixed.any():
        return shapes
    kept = shapes.copy()
    for number in np.flatnonzero(mixed):
        parts = shapely.get_parts(shapes[number])
        kept[number] = shapely.union_all(parts[np.isin(shapely.get_type_id(parts), (3, 6))])
        if shapely.get_type_id(kept[number]) not in (3, 6):
            kept[number] = shapely.Polygon()
    return kept
