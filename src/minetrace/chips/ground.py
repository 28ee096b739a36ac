"""How far apart the ground of chips is, and how much of it they share."""

from __future__ import annotations

import math
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
    """

    known: NDArray[np.bool_]
    crs: NDArray[np.object_]
    bounds: FloatArray
    corners: FloatArray

    @classmethod
    def of(cls, chips: Sequence[Chip]) -> Frames:
        """Where chips are; each CRS is projected once."""
        known = np.array([c.bounds is not None and bool(c.crs) for c in chips], dtype=bool)
        crs = np.array([c.crs for c in chips], dtype=object)
        bounds = np.array([c.bounds or (np.nan,) * 4 for c in chips], float).reshape(-1, 4)
        corners = np.full((len(chips), 4, 2), np.nan)
        for code in {str(c) for c in crs[known]}:
            here = known & (crs == code)
            rings = shapely.get_coordinates(
                project(shapely.box(*bounds[here].T), code, "EPSG:4326")
            )
            corners[here] = rings.reshape(-1, 5, 2)[:, :4]
        return cls(known, crs, bounds, corners)

    @property
    def centres(self) -> FloatArray:
        """(n, 2) longitude and latitude."""
        return np.asarray(self.corners.mean(axis=1))


def nearest(here: Sequence[Chip], there: Sequence[Chip]) -> Nearest:
    """For each chip of one group, what lies nearest in the other.

    Distances are between the edges of the frames: exact on the plane where both are in one
    projected CRS, else on a plane around the chip (0.1 % over tens of kilometres).
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
    same = ours.crs[i] == theirs.crs[j]
    degrees = np.array([c.startswith("EPSG:4326") or "GEOGC" in c[:8] for c in ours.crs[i]])
    lat = np.radians(ours.centres[i, 1])
    metre = np.where(degrees[:, None], np.column_stack([np.cos(lat), np.ones_like(lat)]) * DEGREE_M,
                     1.0)  # fmt: skip
    p, q = ours.bounds[i], theirs.bounds[j]
    apart = np.maximum(p[:, :2] - q[:, 2:], q[:, :2] - p[:, 2:])
    gap = np.hypot(*(np.maximum(apart, 0) * metre).T)
    shared = np.maximum(-apart, 0).prod(axis=1)
    sides = [(f[:, 2:] - f[:, :2]) for f in (p, q)]
    reach = np.minimum(np.maximum(-apart, 0), np.minimum(*sides)).prod(axis=1)
    share = np.minimum(shared, reach) / np.minimum(*(s.prod(axis=1) for s in sides))
    for k in np.flatnonzero(~same):
        gap[k], share[k] = _across(ours.corners[i[k]], theirs.corners[j[k]])
    return gap, share


def _across(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Gap and shared share of two frames of other projections, on a plane around the first."""
    middle = a.mean(axis=0)
    scale = np.array([math.cos(math.radians(middle[1])), 1.0]) * DEGREE_M
    away = b - middle
    away[:, 0] = (away[:, 0] + 180) % 360 - 180  # the short way round the globe
    first, second = shapely.Polygon((a - middle) * scale), shapely.Polygon(away * scale)
    shared = first.intersection(second).area / min(first.area, second.area)
    return float(first.distance(second)), float(shared)


def inside(chips: Sequence[Chip], polygons: Iterable[shapely.Geometry]) -> NDArray[np.bool_]:
    """(n,) whether the centre of a chip lies in any of the polygons (EPSG:4326)."""
    frames, ground = Frames.of(chips), shapely.union_all(list(polygons))
    shapely.prepare(ground)
    x, y = frames.centres.T
    return np.asarray(frames.known & shapely.contains_xy(ground, np.nan_to_num(x),
                                                         np.nan_to_num(y)))  # fmt: skip
