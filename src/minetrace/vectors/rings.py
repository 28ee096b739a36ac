"""Closed rings of lattice points, many in one array, and how links become rings.

Rings run with the ground on their right hand in rows that grow southwards: outer rings clockwise
as seen on a map, holes the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.vectors.components import Ints

EAST, SOUTH, WEST, NORTH = range(4)


@dataclass(frozen=True)
class Rings:
    """Rings, or open chains, in lattice units.

    Attributes:
        points: (n, 2) int32 column and row; a ring's first point is not repeated.
        offsets: (r + 1,) where each ring starts in ``points``.
        owner: (r,) which outline it belongs to.
    """

    points: NDArray[np.int32]
    offsets: Ints
    owner: Ints

    def __len__(self) -> int:
        return len(self.owner)

    @classmethod
    def concat(cls, parts: Sequence[Rings]) -> Rings:
        """All rings in one."""
        lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(p.offsets) for p in parts)])
        return cls(
            np.concatenate([np.empty((0, 2), np.int32), *(p.points for p in parts)]),
            np.cumsum(lengths),
            np.concatenate([np.empty(0, np.int64), *(p.owner for p in parts)]),
        )

    def take(self, index: NDArray[np.integer]) -> Rings:
        """The rings that an index names, in its order."""
        lengths = np.diff(self.offsets)[index]
        points = self.points[spread(self.offsets[:-1][index], lengths)]
        return Rings(points, offsets_of(lengths), self.owner[index])

    @property
    def area_px(self) -> Ints:
        """(r,) pixels enclosed: above 0 for outer rings, below 0 for holes. Exact."""
        if not len(self):
            return np.empty(0, np.int64)
        x, y = self.points[:, 0].astype(np.int64), self.points[:, 1].astype(np.int64)
        x -= x.min()  # keeps sums far from the ends of int64
        fall = np.empty_like(y)
        fall[:-1] = y[1:] - y[:-1]
        last = self.offsets[1:] - 1
        fall[last] = y[self.offsets[:-1]] - y[last]
        # only steps along a column change the row, so x * dy is the area under the step
        return np.add.reduceat(x * fall, self.offsets[:-1])


def spread(start: Ints, length: Ints) -> Ints:
    """The ranges [start, start + length) one after another."""
    base = start - (np.cumsum(length) - length)
    return np.repeat(base, length) + np.arange(int(length.sum()))


def offsets_of(length: Ints) -> Ints:
    """Where things of these lengths start when laid one after another, and where they end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(length, dtype=np.int64)])


def cycles(following: Ints, first: NDArray[np.bool_] | None = None) -> tuple[Ints, Ints]:
    """Lay the cycles of a permutation out one after another.

    Args:
        following: (n,) what follows each thing; a permutation.
        first: (n,) things at which a cycle should rather begin; by default its lowest.

    Returns:
        (n,) the things, cycle by cycle in order of their beginnings; (c + 1,) offsets of cycles.

    Source: pointer doubling (Wyllie 1979): after k rounds each thing knows the best beginning
    among the 2**k things that follow it, and how far away that is.
    """
    n = len(following)
    best = np.arange(n, dtype=np.int32)
    if first is not None:
        best += np.where(first, 0, n).astype(np.int32)
    distance = np.zeros(n, dtype=np.int32)
    ahead = following.astype(np.int32)
    step = 1
    one_ahead = ahead
    while True:
        theirs = best[ahead]
        better = np.flatnonzero(theirs < best)
        distance[better] = distance[ahead[better]] + step
        best[better] = theirs[better]
        if len(better) == 0 and np.array_equal(best[one_ahead], best):
            break
        ahead = ahead[ahead]
        step *= 2
    begins = np.flatnonzero(distance == 0)
    begins = begins[np.argsort(best[begins], kind="stable")]
    return _laid_out(best, distance, begins, n)


def _laid_out(
    best: NDArray[np.int32], distance: NDArray[np.int32], begins: Ints, n: int
) -> tuple[Ints, Ints]:
    rank = np.empty(2 * n, dtype=np.int32)
    rank[best[begins]] = np.arange(len(begins), dtype=np.int32)
    cycle = rank[best]
    length = np.bincount(cycle, minlength=len(begins))
    offsets = offsets_of(length)
    place = np.where(distance > 0, offsets[1:][cycle] - distance, offsets[:-1][cycle])
    laid = np.empty(n, dtype=np.int64)
    laid[place] = np.arange(n)
    return laid, offsets
