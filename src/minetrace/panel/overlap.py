"""How much ground the outlines of two sets share, and who follows whom from one to the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent

LONLAT = "EPSG:4326"
EQUAL_AREA = "EPSG:6933"  # cylindrical, WGS 84: an area is the same wherever it lies
HECTARES: dict[Extent, str] = {"mined": "area_ha", "footprint": "footprint_ha"}
_PAIRS_AT_ONCE = 2_000
_GRAIN_M2 = 0.01  # overlaps closer than this are equal

Index = NDArray[np.intp]


def sound(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """Mend what was valid before vertices moved by a rounding; the ground stays the same."""
    geometry = np.asarray(geometry, dtype=object)
    broken = np.flatnonzero(~(spread(shapely.is_valid, geometry) | shapely.is_missing(geometry)))
    if len(broken):
        geometry = geometry.copy()
        geometry[broken] = shapely.make_valid(
            geometry[broken], method="structure", keep_collapsed=False
        )
    return geometry


def spread(work: Callable[..., Any], *geometry: NDArray[np.object_]) -> NDArray[Any]:
    """An overlay of pairs, or a look at each, on all cores: shapely works without Python's lock."""
    chunks = range(0, len(geometry[0]), _PAIRS_AT_ONCE)
    if len(chunks) < 2:
        return np.asarray(work(*geometry))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda k: work(*(g[k : k + _PAIRS_AT_ONCE] for g in geometry)), chunks)
        return np.concatenate(list(parts))


def shared_m2(left: NDArray[np.object_], right: NDArray[np.object_]) -> NDArray[np.float64]:
    """Ground that each pair shares; what it looks like is let go at once, which memory thanks."""
    return np.asarray(shapely.area(shapely.intersection(left, right)), dtype=np.float64)


def told_again(parts: Sequence[NDArray[np.object_]]) -> NDArray[np.float64]:
    """Of each part's outlines, the share whose middle lies in an outline of another part.

    Args:
        parts: (n,) polygons each, all in one CRS.
    """
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    shapes = np.concatenate(parts)
    inside = shapely.point_on_surface(shapes)
    point, shape = shapely.STRtree(shapes).query(inside, predicate="intersects")
    again = np.unique(point[owner[point] != owner[shape]])
    counts = [np.bincount(owner[rows], minlength=len(parts)) for rows in (again, slice(None))]
    return np.asarray(counts[0] / np.maximum(counts[1], 1))


@dataclass(frozen=True)
class Overlaps:
    """Pairs of outlines that share ground.

    Attributes:
        left: (k,) index of the outline on the left.
        right: (k,) index of the outline on the right.
        area_m2: (k,) ground shared.
        iou: (k,) ground shared over ground covered by either.
    """

    left: Index
    right: Index
    area_m2: NDArray[np.float64]
    iou: NDArray[np.float64]

    def where(self, keep: NDArray[np.bool_]) -> Overlaps:
        """The pairs that a mask names."""
        return Overlaps(self.left[keep], self.right[keep], self.area_m2[keep], self.iou[keep])


def overlaps(
    left: NDArray[np.object_], right: NDArray[np.object_], *, min_share: float = 0.0
) -> Overlaps:
    """All pairs of outlines that share ground, ordered by left, then right.

    Args:
        left: (n,) valid polygons in an equal-area CRS with metre units.
        right: (m,) likewise.
        min_share: least part of the smaller of the two that must be shared; a pair that shares
            no area at all, such as neighbours that touch, is never one.
    """
    a, b = shapely.STRtree(right).query(left, predicate="intersects")
    order = np.lexsort((b, a))
    a, b = a[order].astype(np.intp), b[order].astype(np.intp)
    shared = spread(shared_m2, left[a], right[b])
    area_a, area_b = shapely.area(left)[a], shapely.area(right)[b]
    iou = shared / np.maximum(area_a + area_b - shared, _GRAIN_M2)
    keep = (shared > 0) & (shared >= min_share * np.minimum(area_a, area_b))
    return Overlaps(a, b, shared, np.asarray(iou)).where(np.asarray(keep))


def follow(pairs: Overlaps, n_left: int) -> Index:
    """For each outline on the left the one on the right that holds most of it, -1 if none does.

    Among equal overlaps the pair that fits best wins, then the first on the right.
    """
    grains = np.rint(pairs.area_m2 / _GRAIN_M2)
    order = np.lexsort((pairs.right, -np.round(pairs.iou, 9), -grains, pairs.left))
    who, first = np.unique(pairs.left[order], return_index=True)
    heir = np.full(n_left, -1, dtype=np.intp)
    heir[who] = pairs.right[order][first]
    return heir


def keepers(heir: Index, n_right: int, seniority: NDArray[np.intp]) -> Index:
    """For each outline on the right the most senior of those that it is the heir of, else -1.

    Args:
        heir: what ``follow`` found.
        n_right: outlines on the right.
        seniority: (n_left,) distinct numbers, lowest first in line.
    """
    with_heir = np.flatnonzero(heir >= 0)
    order = with_heir[np.lexsort((seniority[with_heir], heir[with_heir]))]
    where, first = np.unique(heir[order], return_index=True)
    keeper = np.full(n_right, -1, dtype=np.intp)
    keeper[where] = order[first]
    return keeper
