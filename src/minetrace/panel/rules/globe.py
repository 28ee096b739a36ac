"""Outlines on the globe: distances along the ground, right across zones and the date line.

Nothing here measures in a projection. Candidates are found in longitude and latitude, the points
of two outlines that lie nearest in a plane made for that pair alone, and the distance between
these points is that of the geodesic on WGS 84.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from minetrace.core.footprints import Footprints
from minetrace.core.region import project
from minetrace.errors import OutlineError

LONLAT = "EPSG:4326"
WGS84 = Geod(ellps="WGS84")
_LEAST_M_A_DEGREE = 110_570.0  # of latitude at the equator, and less than of longitude there
_PAIRS_AT_ONCE = 20_000

Index = NDArray[np.intp]
Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Pairs:
    """Outlines that lie near each other.

    Attributes:
        left: (k,) index on the left.
        right: (k,) index on the right.
        distance_m: (k,) along the ground, 0 if they touch or overlap.
    """

    left: Index
    right: Index
    distance_m: NDArray[np.float64]


def lonlat(footprints: Footprints) -> Shapes:
    """Outlines in longitude and latitude, checked to lie on the globe.

    Raises:
        OutlineError: an outline is missing, not a polygon, or not on the globe.
    """
    shapes = np.asarray(footprints.geometry, dtype=object)
    polygon = np.isin(shapely.get_type_id(shapes), (3, 6)) & ~shapely.is_empty(shapes)
    if not polygon.all():
        row = int(np.flatnonzero(~polygon)[0])
        raise OutlineError(f"row {row} is not a polygon, or empty; drop such rows first")
    found = np.asarray(project(shapes, footprints.crs, LONLAT), dtype=object)
    bounds = shapely.bounds(found).reshape(-1, 4)
    on_globe = np.isfinite(bounds).all(axis=1) & (np.abs(bounds[:, [1, 3]]) <= 90).all(axis=1)
    on_globe &= (bounds[:, 0] >= -540) & (bounds[:, 2] <= 540)
    if not on_globe.all():
        row = int(np.flatnonzero(~on_globe)[0])
        raise OutlineError(
            f"row {row} lies at {np.round(bounds[row], 3).tolist()}, which is not on the globe: "
            f"are its coordinates really in {footprints.crs}?"
        )
    return found


def within(left: Shapes, right: Shapes, reach_m: float) -> Pairs:
    """All pairs of outlines no further apart than ``reach_m``, ordered by left, then right.

    Args:
        left: (n,) polygons in EPSG:4326.
        right: (m,) likewise.
        reach_m: metres on the ground.
    """
    tree, parts = shapely.STRtree(right), []
    for turns in (-360.0, 0.0, 360.0):
        frames = _frames(shapely.bounds(left).reshape(-1, 4), reach_m, turns)
        a, b = tree.query(frames)
        for k in range(0, len(a), _PAIRS_AT_ONCE):
            part = slice(k, k + _PAIRS_AT_ONCE)
            distance_m = _distances(left[a[part]], right[b[part]], -turns)
            near = distance_m <= reach_m
            parts.append((a[part][near], b[part][near], distance_m[near]))
    if not parts:
        none = np.empty(0, dtype=np.intp)
        return Pairs(none, none, np.empty(0))
    a, b, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((distance, b, a))
    a, b, distance = a[order], b[order], distance[order]
    fresh = np.ones(len(a), dtype=bool)  # an outline that spans the globe is met more than once
    fresh[1:] = (np.diff(a) != 0) | (np.diff(b) != 0)
    return Pairs(a[fresh], b[fresh], distance[fresh])


def _frames(bounds: NDArray[np.float64], reach_m: float, turns: float) -> Shapes:
    """Boxes of longitude and latitude that hold everything within reach, and a little more."""
    north = np.minimum(np.abs(bounds[:, [1, 3]]).max(axis=1) + reach_m / _LEAST_M_A_DEGREE, 90.0)
    high = 1.01 * reach_m / _LEAST_M_A_DEGREE + 1e-7
    wide = np.minimum(high / np.maximum(np.cos(np.radians(north)), 1e-6), 360.0)
    west, south, east, top = bounds.T
    frames = shapely.box(west - wide + turns, south - high, east + wide + turns, top + high)
    return np.asarray(frames, dtype=object)


def _distances(left: Shapes, right: Shapes, shift: float) -> NDArray[np.float64]:
    """(k,) metres between the outlines of each pair, the right one moved by ``shift`` degrees."""
    if not len(left):
        return np.empty(0)
    low = np.maximum(shapely.bounds(left)[:, 1], shapely.bounds(right)[:, 1])
    top = np.minimum(shapely.bounds(left)[:, 3], shapely.bounds(right)[:, 3])
    narrow = np.cos(np.radians((low + top) / 2))
    line = shapely.shortest_line(_stretched(left, narrow, 0.0), _stretched(right, narrow, shift))
    ends = shapely.get_coordinates(line).reshape(-1, 2, 2)
    lon, lat = ends[..., 0] / narrow[:, None], ends[..., 1]
    distance_m = WGS84.inv(lon[:, 0], lat[:, 0], lon[:, 1], lat[:, 1])[2]
    return np.asarray(distance_m, dtype=np.float64)


def _stretched(shapes: Shapes, narrow: NDArray[np.float64], shift: float) -> Shapes:
    """Each outline in a plane in which a metre is as long eastwards as northwards at its pair."""
    xy, index = shapely.get_coordinates(shapes, return_index=True)
    xy[:, 0] = (xy[:, 0] + shift) * narrow[index]
    return np.asarray(shapely.set_coordinates(shapes.copy(), xy), dtype=object)


def neighbours(
    lon: NDArray[np.float64], lat: NDArray[np.float64], distance_m: float
) -> Iterator[tuple[Index, Index]]:
    """Ordered pairs of different points no further apart than ``distance_m``, some at a time.

    A chord through the Earth tells nearly all pairs apart; only what is closer to the limit than
    the bulge of the Earth can explain is measured along the geodesic.
    """
    lon = (np.asarray(lon, dtype=np.float64) + 180) % 360 - 180
    lat = np.asarray(lat, dtype=np.float64)
    points = np.asarray(shapely.points(lon, lat), dtype=object)
    tree, xyz = shapely.STRtree(points), _chord_frame(lon, lat)
    bounds = np.column_stack([lon, lat, lon, lat])
    for k in range(0, len(lon), 4096):
        for turns in (-360.0, 0.0, 360.0):
            a, b = tree.query(_frames(bounds[k : k + 4096], distance_m, turns))
            a = a + k
            chord = np.linalg.norm(xyz[a] - xyz[b], axis=1)
            near = (a != b) & (chord <= distance_m)
            a, b, chord = a[near], b[near], chord[near]
            bulge = (chord / 6_335_000.0) ** 2  # the smallest radius of curvature, and then some
            unsure = np.flatnonzero(chord * (1 + bulge) > distance_m)
            true_m = WGS84.inv(lon[a[unsure]], lat[a[unsure]], lon[b[unsure]], lat[b[unsure]])[2]
            keep = np.ones(len(a), dtype=bool)
            keep[unsure] = np.asarray(true_m) <= distance_m
            yield a[keep], b[keep]


def _chord_frame(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) metres from the centre of the Earth, on the ellipsoid."""
    east, north = np.radians(lon), np.radians(lat)
    radius = WGS84.a / np.sqrt(1 - WGS84.es * np.sin(north) ** 2)
    return np.column_stack([
        radius * np.cos(north) * np.cos(east),
        radius * np.cos(north) * np.sin(east),
        radius * (1 - WGS84.es) * np.sin(north),
    ])  # fmt: skip


def groups(count: int, a: Index, b: Index) -> Index:
    """(count,) a number from 0 up for each set of things that pairs tie together, in order."""
    root = np.arange(count)
    while len(a):
        ends = root[a], root[b]
        np.minimum.at(root, np.maximum(*ends), np.minimum(*ends))
        while (root != root[root]).any():
            root = root[root]
        apart = root[a] != root[b]
        a, b = a[apart], b[apart]
    return np.unique(root, return_inverse=True)[1].astype(np.intp)
