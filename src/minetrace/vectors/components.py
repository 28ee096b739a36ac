"""Connected ground, 4-connected, from runs of pixels.

A run is a stretch of set pixels in one row; two runs are connected where they share a column in
neighbouring rows. Runs are far fewer than pixels, so that labels, counts and sums cost one pass
over the pixels and little more.

Source: run-based labelling as in He, Chao & Suzuki (2008), "A run-based two-scan labeling
algorithm"; the equivalences are solved by hooking and pointer jumping (Shiloach & Vishkin 1982),
which numpy can do without a loop over runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """The runs of a mask, row by row.

    Attributes:
        mask: (height + 2, width + 2) bool, the mask within a frame of False.
        edge: (height + 2, width + 1) bool, True where a pixel and the one west of it differ.
        at: (2 n,) flat addresses into ``edge``: start and end of each run in turn.
    """

    mask: NDArray[np.bool_]
    edge: NDArray[np.bool_]
    at: Ints

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Runs:
        """The runs of a (height, width) mask."""
        framed = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), dtype=bool)
        framed[1:-1, 1:-1] = mask
        edge = framed[:, 1:] ^ framed[:, :-1]
        return cls(framed, edge, np.flatnonzero(edge))

    def __len__(self) -> int:
        return len(self.at) // 2

    @property
    def stride(self) -> int:
        """From an edge to the one below it."""
        return int(self.edge.shape[1])

    @cached_property
    def row(self) -> Ints:
        """(2 n,) row of each start and end, counted from the mask's first row."""
        return self.at // self.stride - 1

    @cached_property
    def col(self) -> Ints:
        """(2 n,) first column of each run and the column after its last."""
        return self.at - (self.row + 1) * self.stride

    def pixel_east(self, at: Ints) -> NDArray[np.bool_]:
        """The mask east of addresses into ``edge``."""
        return np.asarray(self.mask.ravel()[at + at // self.stride + 1])  # one wider than edge

    @property
    def length(self) -> Ints:
        """(n,) pixels in each run."""
        return self.at[1::2] - self.at[0::2]

    @property
    def at_border(self) -> NDArray[np.bool_]:
        """(n,) True for runs with a pixel on the mask's border."""
        height, width = self.mask.shape[0] - 2, self.mask.shape[1] - 2
        row = self.row[0::2]
        ends = (self.col[0::2] == 0) | (self.col[1::2] == width)
        return np.asarray(ends | (row == 0) | (row == height - 1))

    def labels(self) -> tuple[Ints, int]:
        """(n,) component of each run, numbered in row-major order of first pixels; how many."""
        start, end = self.at[0::2], self.at[1::2]
        first = np.searchsorted(end, start + self.stride, side="right")
        count = np.searchsorted(start, end + self.stride, side="left") - first
        above = np.flatnonzero(count > 0)
        count = count[above]
        upper = np.repeat(above, count)
        within = np.arange(len(upper)) - np.repeat(np.cumsum(count) - count, count)
        return unite(len(self), upper, first[upper] + within)


def unite(n: int, a: Ints, b: Ints) -> tuple[Ints, int]:
    """Number the classes of n things of which a[k] and b[k] belong together.

    Returns:
        (n,) class of each thing, in order of each class's first thing; how many classes.
    """
    root = np.arange(n)
    low, high = np.minimum(a, b), np.maximum(a, b)
    while len(low):
        root[high] = low  # any of several is fine: the others come again in the next round
        root = _settled(root)
        low, high = root[low], root[high]
        apart = np.flatnonzero(low != high)
        low, high = np.minimum(low[apart], high[apart]), np.maximum(low[apart], high[apart])
    own = root == np.arange(n)
    number = np.cumsum(own) - 1
    return number[root], int(own.sum())


def _settled(root: Ints) -> Ints:
    while True:
        higher = root[root]
        if np.array_equal(higher, root):
            return root
        root = higher
