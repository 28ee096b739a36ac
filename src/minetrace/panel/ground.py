"""Ground through time: what of an outline was never mapped before, and what is mapped no more."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.panel.overlap import Index, spread

Shapes = NDArray[np.object_]
NOTHING = shapely.Polygon()


def without(shapes: Shapes, others: Shapes) -> Shapes:
    """Each shape without all ground that any of the others covers.

    Args:
        shapes: (n,) valid polygons.
        others: (m,) valid polygons in the same CRS; they may overlap.
    """
    left = shapes.copy()
    if not len(shapes) or not len(others):
        return left
    row, other = shapely.STRtree(others).query(shapes, predicate="intersects")
    order = np.lexsort((other, row))
    row, other = row[order], other[order]
    same = np.asarray(shapely.equals_identical(shapes[row], others[other]))
    left[row[same]] = NOTHING
    gone = np.isin(row, row[same])
    row, other = row[~gone], other[~gone]
    turn = _turns(row)
    for k in range(int(turn.max(initial=-1)) + 1):  # as many as one shape meets at most
        now = turn == k
        left[row[now]] = spread(shapely.difference, left[row[now]], others[other[now]])
    return left


def _turns(row: Index) -> Index:
    """For a sorted index, the how manieth of its kind each is."""
    first = np.flatnonzero(np.diff(row, prepend=-1))
    return np.arange(len(row)) - np.repeat(first, np.diff(np.append(first, len(row))))


class Ever:
    """All ground that each site ever covered, grown period by period."""

    def __init__(self, sites: int) -> None:
        self._ground = np.full(sites, None, dtype=object)

    def new(self, sites: Index, shapes: Shapes) -> Shapes:
        """What of these outlines no site covered before; then it is covered.

        Args:
            sites: (n,) the site of each outline, each once.
            shapes: (n,) equal-area outlines of one period, which share no ground.
        """
        known = self._ground[~shapely.is_missing(self._ground)]
        fresh = without(shapes, known)
        before = self._ground[sites]
        unknown = np.asarray(shapely.is_missing(before))
        grown = ~unknown & ~np.asarray(shapely.is_empty(fresh))
        self._ground[sites[unknown]] = shapes[unknown]
        self._ground[sites[grown]] = spread(shapely.union, before[grown], shapes[grown])
        return fresh
