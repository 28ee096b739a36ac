"""Trace one tile: rings of what lies inside, open chains of what may go on beyond its border.

At a lattice point where only two diagonal pixels are ground, the boundary passes twice. If both
belong to one outline, each pass turns round the empty pixel; if not, each turns round its own
ground. That is the one choice that leaves outlines 4-connected and every ring simple, hence
polygons valid. Where it hangs on what lies beyond the border, the chains end at the point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Rect
from minetrace.core.scores import NOT_LOOKED
from minetrace.vectors.components import Ints, Runs
from minetrace.vectors.rings import EAST, NORTH, SOUTH, WEST, Rings, cycles, offsets_of, spread

Read = Callable[[Rect], tuple[NDArray[np.uint16], NDArray[np.uint16]]]


@dataclass(frozen=True)
class Tallies:
    """Exact sums over the pixels of each outline, scores x 10,000.

    Attributes:
        pixels: (n,) how many.
        looked: (n,) how many of them have a value.
        total: (n,) sum of those values.
        highest: (n,) highest score that was thresholded.
    """

    pixels: Ints
    looked: Ints
    total: Ints
    highest: Ints

    def __len__(self) -> int:
        return len(self.pixels)

    def merged(self, into: Ints, n: int) -> Tallies:
        """The tallies of n outlines, of which row k becomes a part of ``into[k]``."""
        pixels, looked, total, highest = np.zeros((4, n), dtype=np.int64)
        np.add.at(pixels, into, self.pixels)
        np.add.at(looked, into, self.looked)
        np.add.at(total, into, self.total)
        np.maximum.at(highest, into, self.highest)
        return Tallies(pixels, looked, total, highest)


@dataclass(frozen=True)
class Chains:
    """Stretches of boundary that go on beyond a tile, in lattice units.

    Attributes:
        rings: their points without the last, and the outline of the tile on their right.
        stop: (c, 2) int32 their last points.
        heading: (c, 2) directions of the first and the last step.
    """

    rings: Rings
    stop: NDArray[np.int32]
    heading: Ints


@dataclass(frozen=True)
class Border:
    """Ground along a tile's border, one row per pixel and side that it lies at.

    Attributes:
        pixel: (b, 2) int32 column and row.
        side: (b,) direction in which the tile ends.
        owner: (b,) the outline of the tile.
    """

    pixel: NDArray[np.int32]
    side: Ints
    owner: Ints


@dataclass(frozen=True)
class Traced:
    """What is known of one tile, ``owner`` numbering its outlines."""

    tallies: Tallies
    rings: Rings
    chains: Chains
    border: Border


def trace(rect: Rect, *, read: Read, least: int, sieve_px: int) -> Traced:
    """Trace the ground of one tile.

    Args:
        rect: the tile.
        read: see ``outlines``.
        least: score x 10,000 from which on a pixel is ground.
        sieve_px: outlines smaller than this are left out if they lie wholly inside the tile.
    """
    detect, value = read(rect)
    if detect.shape != rect.shape or value.shape != rect.shape:
        raise ValueError(f"read({rect}) gave {detect.shape} and {value.shape}, not {rect.shape}")
    mask = detect >= least
    mask &= detect != NOT_LOOKED
    runs = Runs.of(mask)
    label, count = runs.labels()
    open_ = np.zeros(count, dtype=bool)
    open_[label[runs.at_border]] = True
    kept = open_ | (np.bincount(label, runs.length, count) >= sieve_px)
    owner = np.where(kept, np.cumsum(kept) - 1, -1)[label]
    tallies = _tallies(mask, runs, detect, value, owner, int(kept.sum()))
    closed, chains = _traced(_corners(runs, owner, open_[kept]), mask.shape, rect)
    return Traced(tallies, closed, chains, _border(runs, owner, rect))


def _tallies(
    mask: NDArray[np.bool_], runs: Runs, detect: NDArray[np.uint16], value: NDArray[np.uint16],
    owner: Ints, count: int,
) -> Tallies:  # fmt: skip
    length = runs.length
    if not len(runs):
        return Tallies(*np.zeros((4, 0), np.int64))
    start = np.cumsum(length) - length
    of_detect = detect[mask]
    of_value = of_detect if value is detect else value[mask]
    highest = np.maximum.reduceat(of_detect, start).astype(np.int64)
    looked = length
    unseen = of_value == NOT_LOOKED
    if unseen.any():
        of_value = np.where(unseen, np.uint16(0), of_value)
        looked = length - np.add.reduceat(unseen, start, dtype=np.int64)
    total = np.add.reduceat(of_value, start, dtype=np.int64)
    here = owner >= 0
    return Tallies(length[here], looked[here], total[here], highest[here]).merged(
        owner[here], count
    )


@dataclass(frozen=True)
class _Corners:
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


def _corners(runs: Runs, owner: Ints, open_: NDArray[np.bool_]) -> _Corners:
    """The corners of all runs that have an owner."""
    edge, stride = runs.edge.ravel(), runs.stride
    number = np.flatnonzero(np.repeat(owner >= 0, 2))
    at, row, col = runs.at[number], runs.row[number], runs.col[number]
    east_pixel = runs.mask.ravel()[1:]
    pixel = at + row + 1  # the mask is one wider than its edges
    is_start = number % 2 == 0
    parts = []
    for below, step in ((True, -stride), (False, stride)):
        ahead = edge[at + step]
        turns = np.flatnonzero(
            ~ahead | (east_pixel[pixel + (step + (-1 if below else 1))] != is_start)
        )
        facing = ahead[turns]
        mine = owner[number[turns] // 2]
        theirs = np.full(len(turns), -1, dtype=np.int64)
        across = np.searchsorted(runs.at, at[turns[facing]] + step)
        theirs[facing] = owner[across // 2]
        same = theirs == mine
        # which of two passes comes first on the row: see the module's first lines
        start = is_start[turns]
        late = facing & (start ^ same)
        x, y = col[turns], row[turns] + (0 if below else 1)
        undecided = np.zeros(len(turns), dtype=bool)
        pairs = np.flatnonzero(facing & ~same & (theirs >= 0))
        undecided[pairs] = open_[mine[pairs]] & open_[theirs[pairs]]
        parts.append((x, y, 2 * x + late, np.full(len(turns), below), start, mine, undecided))
    return _Corners(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _links(c: _Corners) -> tuple[Ints, NDArray[np.bool_]]:
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


def _traced(c: _Corners, shape: tuple[int, int], rect: Rect) -> tuple[Rings, Chains]:
    following, by_column = _links(c)
    height, width = shape
    on_border = np.where(by_column, (c.x == 0) | (c.x == width), (c.y == 0) | (c.y == height))
    breaks = c.undecided | on_border
    breaks[following[on_border]] = True
    laid, offsets = cycles(following, breaks)
    points = np.empty((len(laid), 2), dtype=np.int32)
    points[:, 0], points[:, 1] = (c.x + rect.col)[laid], (c.y + rect.row)[laid]
    rings = Rings(points, offsets, c.owner[laid[offsets[:-1]]])
    whole = np.flatnonzero(~breaks[laid[offsets[:-1]]])
    # a cycle that has breaks begins at one: its stretches lie from break to break
    start = np.flatnonzero(breaks[laid])
    cycle = np.searchsorted(offsets, start, side="right") - 1
    end = np.minimum(np.append(start[1:], len(laid))[: len(start)], offsets[1:][cycle])
    inside = ~on_border[laid[start]]
    start, end, cycle = start[inside], end[inside], cycle[inside]
    stop = np.where(end == offsets[1:][cycle], offsets[:-1][cycle], end)
    heading = _headings(c, following, by_column)
    length = end - start
    stretches = Rings(points[spread(start, length)], offsets_of(length), c.owner[laid[start]])
    ends = np.column_stack([heading[laid[start]], heading[laid[end - 1]]])
    return rings.take(whole), Chains(stretches, points[stop], ends)


def _headings(c: _Corners, following: Ints, by_column: NDArray[np.bool_]) -> Ints:
    """Direction of the step that leaves each corner."""
    along_row = np.where(c.x[following] > c.x, EAST, WEST)
    return np.where(by_column, np.where(c.below, SOUTH, NORTH), along_row)


def _border(runs: Runs, owner: Ints, rect: Rect) -> Border:
    row, first, after = runs.row[0::2], runs.col[0::2], runs.col[1::2]
    sides = (
        (NORTH, row == 0, None), (SOUTH, row == rect.height - 1, None),
        (WEST, first == 0, first), (EAST, after == rect.width, after - 1),
    )  # fmt: skip
    pixels, side, owners = [], [], []
    for direction, there, column in sides:
        here = np.flatnonzero(there)
        length = (after - first)[here] if column is None else np.ones(len(here), np.int64)
        x = spread(first[here] if column is None else column[here], length)
        y = np.repeat(row[here], length)
        pixels.append(np.column_stack([x + rect.col, y + rect.row]).astype(np.int32))
        side.append(np.full(len(x), direction))
        owners.append(np.repeat(owner[here], length))
    return Border(np.concatenate(pixels), np.concatenate(side), np.concatenate(owners))
