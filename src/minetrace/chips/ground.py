"""How far apart the ground of chips is, and how much of it they share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.data_set import Chip
from minetrace.core.region import project

FloatArray = NDArray[np.float64]
EARTH_M = 6_371_008.8  # mean radius
DEGREE_M = math.pi * EARTH_M / 180
UTM = re.compile(r"EPSG:32[67]\d\d")
NEAREST = 12  # candidates by centre among which the nearest by edge is looked for
PAIRS = 1 << 23  # of centres held at once


@dataclass(frozen=True)
class Nearest:
    """For each chip, the chip of another group that lies nearest.

    Attributes:
        index: (n,) into the other group, -1 where nobody knows the place of one of them.
        gap_m: (n,) metres between their edges, 0 if they touch, NaN where not known.
        overlap: (n,) largest share of the smaller chip's ground that any of the group covers.
    """

    index: NDArray[np.int64]
    gap_m: FloatArray
    overlap: FloatArray


@dataclass(frozen=True)
class Frames:
    """The ground of chips.

    Attributes:
        known: (n,) whether anybody says where the chip is.
        crs: (n,) as the chip says it.
        bounds: (n, 4) left, bottom, right, top in ``crs``.
        corners: (n, 4, 2) longitude and latitude of the corners.
        centres: (n, 2) longitude and latitude; found in ``crs``, since the mean of longitudes on
            both sides of the date line lies on the far side of the globe.
    """

    known: NDArray[np.bool_]
    crs: NDArray[np.object_]
    bounds: FloatArray
    corners: FloatArray
    centres: FloatArray

    @classmethod
    def of(cls, chips: Sequence[Chip]) -> Frames:
        """Where chips are; each CRS is projected once."""
        known = np.array([c.bounds is not None and bool(c.crs) for c in chips], dtype=bool)
        crs = np.array([c.crs for c in chips], dtype=object)
        bounds = np.array([c.bounds or (np.nan,) * 4 for c in chips], float).reshape(-1, 4)
        corners, centres = np.full((len(chips), 4, 2), np.nan), np.full((len(chips), 2), np.nan)
        middles = shapely.points((bounds[:, :2] + bounds[:, 2:]) / 2)
        for code in {str(c) for c in crs[known]}:
            here = known & (crs == code)
            rings = shapely.get_coordinates(
                project(shapely.box(*bounds[here].T), code, "EPSG:4326")
            )
            corners[here] = rings.reshape(-1, 5, 2)[:, :4]
            centres[here] = shapely.get_coordinates(project(middles[here], code, "EPSG:4326"))
        return cls(known, crs, bounds, corners, centres)


def nearest(here: Sequence[Chip], there: Sequence[Chip]) -> Nearest:
    """For each chip of one group, what lies nearest in the other.

    Distances are between the edges of the frames: on the plane where both are in one UTM zone, else
    on a plane around the chip (0.1 % over tens of kilometres), since a unit of another CRS need not
    be a metre on the ground.
    """
    ours, theirs = Frames.of(here), Frames.of(there)
    index = np.full(len(here), -1, np.int64)
    gap, overlap = np.full(len(here), np.nan), np.full(len(here), np.nan)
    placed, others = np.flatnonzero(ours.known), np.flatnonzero(theirs.known)
    if not len(placed) or not len(others):
        return Nearest(index, gap, overlap)
    a, b = _on_sphere(ours.centres[placed]), _on_sphere(theirs.centres[others])
    take = min(NEAREST, len(others))
    step = max(1, PAIRS // len(others))
    for start in range(0, len(placed), step):
        rows = placed[start : start + step]
        near = others[np.argpartition(-(a[start : start + step] @ b.T), take - 1)[:, :take]]
        gaps, shares = _measure(ours, theirs, np.repeat(rows, take), near.ravel())
        gaps, shares = gaps.reshape(-1, take), shares.reshape(-1, take)
        best = np.lexsort((-shares, gaps), axis=1)[:, 0]
        line = np.arange(len(rows))
        index[rows], gap[rows] = near[line, best], gaps[line, best]
        overlap[rows] = shares.max(axis=1)
    return Nearest(index, gap, overlap)


def _on_sphere(lonlat: FloatArray) -> FloatArray:
    lon, lat = np.radians(lonlat).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def _measure(
    ours: Frames, theirs: Frames, i: NDArray[np.int64], j: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Gaps in metres and shared shares of pairs of frames."""
    p, q = ours.bounds[i], theirs.bounds[j]
    apart = np.maximum(p[:, :2] - q[:, 2:], q[:, :2] - p[:, 2:])
    gap = np.hypot(*np.maximum(apart, 0).T)
    shared = np.maximum(-apart, 0).prod(axis=1)
    sides = [(f[:, 2:] - f[:, :2]) for f in (p, q)]
    reach = np.minimum(np.maximum(-apart, 0), np.minimum(*sides)).prod(axis=1)
    share = np.minimum(shared, reach) / np.minimum(*(s.prod(axis=1) for s in sides))
    utm = np.array([UTM.fullmatch(code) is not None for code in ours.crs[i]], dtype=bool)
    far = ~(utm & (ours.crs[i] == theirs.crs[j]))
    gap[far], share[far] = _across(
        ours.centres[i[far]], ours.corners[i[far]], theirs.corners[j[far]]
    )
    return gap, share


def _across(
    centres: FloatArray, a: FloatArray, b: FloatArray
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Gaps and shared shares of pairs of frames on planes around the first.

    Args:
        centres: (n, 2) of the first frames.
        a, b: (n, 4, 2) corners of the first and second, all longitude and latitude.
    """
    lat = np.radians(centres[:, 1])
    scale = np.column_stack([np.cos(lat), np.ones_like(lat)])[:, None] * DEGREE_M

    def flat(corners: FloatArray) -> NDArray[np.object_]:
        away = corners - centres[:, None]
        away[..., 0] = (away[..., 0] + 180) % 360 - 180  # the short way round the globe
        return np.asarray(shapely.polygons(away * scale), dtype=object)

    first, second = flat(a), flat(b)
    smaller = np.minimum(shapely.area(first), shapely.area(second))
    shared = shapely.area(shapely.intersection(first, second)) / smaller
    return shapely.distance(first, second), shared


def inside(chips: Sequence[Chip], polygons: Iterable[shapely.Geometry]) -> NDArray[np.bool_]:
    """(n,) whether the centre of a chip lies in any of the polygons (EPSG:4326)."""
    frames, ground = Frames.of(chips), shapely.union_all(list(polygons))
    shapely.prepare(ground)
    x, y = frames.centres.T
    return np.asarray(frames.known & shapely.contains_xy(ground, np.nan_to_num(x),
                                                         np.nan_to_num(y)))  # fmt: skip
