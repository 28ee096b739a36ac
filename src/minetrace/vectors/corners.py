"""Where the boundary of a tile's ground turns, and which turn follows which.

At a lattice point where only two diagonal pixels are ground, the boundary passes twice. If both
belong to one outline, each pass turns round the empty pixel; if not, each turns round its own
ground. That is the one choice that leaves outlines 4-connected and every ring simple, hence
polygons valid. Where it hangs on what lies beyond the border, it is left undecided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.vectors.components import Ints, Runs


@dataclass(frozen=True)
class Corners:
    """Where the boundary turns, once per pass, in any order.

    Attributes:
        x, y: lattice column and row within the tile.
        rank: order of passes that share a row of the lattice: x, then which pass.
        below: True if the step along the column lies below the corner, else above it.
        east: True if the ground lies east of that step.
        owner: outline on the right hand.
        undecided: True if what happens here hangs on what lies beyond the border.
    """

    x: Ints
    y: Ints
    rank: Ints
    below: NDArray[np.bool_]
    east: NDArray[np.bool_]
    owner: Ints
    undecided: NDArray[np.bool_]


def corners_of(runs: Runs, owner: Ints, open_: NDArray[np.bool_]) -> Corners:
    """The corners of all runs that have an owner.

    Args:
        runs: the tile's.
        owner: (n,) outline of each run, below 0 for runs that are left out.
        open_: for each outline, whether it may go on beyond the tile.
    """
    above, below = (_turns(runs, owner, open_, is_below) for is_below in (True, False))
    return Corners(*(np.concatenate(both) for both in zip(above, below, strict=True)))


def _turns(
    runs: Runs, owner: Ints, open_: NDArray[np.bool_], below: bool
) -> tuple[NDArray[Any], ...]:
    """The columns of ``Corners`` for steps that lie below their corner, or above it."""
    number = np.flatnonzero(np.repeat(owner >= 0, 2))
    at, is_start = runs.at[number], number % 2 == 0
    step = -runs.stride if below else runs.stride
    goes_on = runs.edge.ravel()[at + step]
    beyond = np.where(goes_on, runs.pixel_east(at + step), False)
    turns = np.flatnonzero(~goes_on | (beyond != is_start))
    number, at, start, facing = number[turns], at[turns], is_start[turns], goes_on[turns]
    mine = owner[number // 2]
    theirs = np.full(len(turns), -1, dtype=np.int64)
    theirs[facing] = owner[np.searchsorted(runs.at, at[facing] + step) // 2]
    same = facing & (theirs == mine)
    undecided = facing & ~same & (theirs >= 0)
    undecided[undecided] = open_[mine[undecided]] & open_[theirs[undecided]]
    x, y = runs.col[number], runs.row[number] + (0 if below else 1)
    second = facing & (start ^ same)  # each turns round its own ground, or both round empty pixels
    return x, y, 2 * x + second, np.full(len(turns), below), start, mine, undecided


def links(c: Corners) -> tuple[Ints, NDArray[np.bool_]]:
    """What corner follows each, and whether the step to it goes along a column."""
    n = len(c.x)
    along_column, along_row = np.empty(n, np.int64), np.empty(n, np.int64)
    width = int(c.rank.max()) + 1 if n else 1
    in_row = np.argsort(c.y * width + c.rank, kind="stable")
    along_row[in_row[0::2]], along_row[in_row[1::2]] = in_row[1::2], in_row[0::2]
    tops, bottoms = np.flatnonzero(c.below), np.flatnonzero(~c.below)
    tops = tops[np.argsort(_small(c.x[tops]), kind="stable")]
    bottoms = bottoms[np.argsort(_small(c.x[bottoms]), kind="stable")]
    along_column[tops], along_column[bottoms] = bottoms, tops
    by_column = c.below ^ c.east
    return np.where(by_column, along_column, along_row), by_column


def _small(x: Ints) -> NDArray[np.integer]:
    return x.astype(np.uint16) if len(x) and x.max() < 65_536 else x  # sorted by radix
