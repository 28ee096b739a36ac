"""How near mining is to places: distance to it, and hectares of it around them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.region import project
from minetrace.errors import OutlineError, StudyError
from minetrace.panel.ledger import Ledger
from minetrace.panel.overlap import EQUAL_AREA, LONLAT, sound
from minetrace.panel.pieces import cut
from minetrace.panel.rules.globe import WGS84, within

CIRCLE_VERTICES = 180
_FARTHEST_KM = 500.0


def exposure(
    ledger: Ledger, points: gpd.GeoDataFrame, *, id: str, radius_km: float = 5.0
) -> pd.DataFrame:
    """Distance from each place to the nearest outline, and hectares within a radius of it.

    Args:
        ledger: outlines by period.
        points: villages, airstrips; in any CRS. Of other shapes a point inside counts.
        id: the column that names a place.
        radius_km: kilometres on the ground.

    Returns:
        One row per place and period: ``place``, ``period``, ``start``, ``end``, ``extent``,
        ``distance_km`` geodesic to the nearest outline within the radius (0 inside one, empty if
        there is none), ``within_ha`` of outlines within the radius, ``sites`` there, and
        ``radius_km``. Of newly mined ground, what was newly mined in the period.

    Raises:
        OutlineError: the column is missing, or a place has no point or no name.
        StudyError: the radius is none.
    """
    if not 0 < radius_km <= _FARTHEST_KM:
        raise StudyError(f"radius_km is {radius_km}; give kilometres up to {_FARTHEST_KM:g}")
    lon, lat = _places(points, id)
    spots = np.asarray(shapely.points(lon, lat), dtype=object)
    rounds = sound(project(_circles(lon, lat, radius_km * 1000), LONLAT, EQUAL_AREA))
    names = points[id].astype(str).to_numpy()
    frames = []
    for now, period in enumerate(ledger.periods):
        here = ledger.of_period(now)
        near = within(spots, ledger.lonlat[here], radius_km * 1000)
        nearest = np.full(len(spots), np.inf)
        np.minimum.at(nearest, near.left, near.distance_m / 1000)
        touched = np.unique(near.right)
        flat = ledger.flat(here[touched])
        area = np.asarray(shapely.area(flat), dtype=np.float64)
        pieces = cut(flat, area, rounds)
        weight = ledger.hectares[here[touched]] / area
        around = np.bincount(pieces.cell, weight[pieces.row] * pieces.area_m2, minlength=len(spots))
        pairs = np.unique(
            np.column_stack([near.left, ledger.site[here[near.right]]]).reshape(-1, 2), axis=0
        )
        frames.append(pd.DataFrame({
            "place": names,
            "period": period.label,
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "extent": ledger.extent,
            "distance_km": np.where(np.isfinite(nearest), nearest, np.nan),
            "within_ha": around,
            "sites": np.bincount(pairs[:, 0], minlength=len(spots)),
            "radius_km": radius_km,
        }))  # fmt: skip
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values(["place", "start"], kind="stable", ignore_index=True)


def _places(points: gpd.GeoDataFrame, id: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if id not in points.columns:
        known = ", ".join(str(c) for c in points.columns if c != points.geometry.name)
        raise OutlineError(f"places: no column {id!r}; there are {known or 'none'}")
    shapes = np.asarray(points.geometry.to_numpy(), dtype=object)
    unusable = points[id].isna().to_numpy() | shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if unusable.any():
        row = int(np.flatnonzero(unusable)[0])
        raise OutlineError(f"places: row {row} has no {id} or no point; leave it out")
    spots = project(shapely.point_on_surface(shapes), points.crs.to_string(), LONLAT)
    return shapely.get_x(spots), shapely.get_y(spots)


def _circles(
    lon: NDArray[np.float64], lat: NDArray[np.float64], radius_m: float
) -> NDArray[np.object_]:
    """Geodesic circles, as polygons of the same area as the circle."""
    corner = 2 * np.pi / CIRCLE_VERTICES
    radius_m = radius_m * np.sqrt(corner / np.sin(corner))
    bearing = np.linspace(0, 360, CIRCLE_VERTICES, endpoint=False)
    start, level = np.repeat(lon, CIRCLE_VERTICES), np.repeat(lat, CIRCLE_VERTICES)
    around = np.tile(bearing, len(lon))
    x, y, _ = WGS84.fwd(start, level, around, np.full(len(around), radius_m))
    x = start + (np.asarray(x) - start + 180) % 360 - 180  # do not jump over the date line
    rings = np.stack([x, np.asarray(y)], axis=-1).reshape(len(lon), CIRCLE_VERTICES, 2)
    return np.asarray(shapely.polygons(rings), dtype=object)
