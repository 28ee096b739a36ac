"""Trace one tile: rings of what lies inside, open chains of what may go on beyond its border.

A ring that runs along the border, or through a corner that its tile cannot decide, is broken
there; the join makes it whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Rect
from minetrace.core.scores import NOT_LOOKED
from minetrace.vectors.components import Ints, Runs
from minetrace.vectors.corners import Corners, corners_of, links
from minetrace.vectors.pieces import Border, Chains, Tallies, Traced
from minetrace.vectors.rings import EAST, NORTH, SOUTH, WEST, Rings, cycles, offsets_of, spread

Read = Callable[[Rect], tuple[NDArray[np.uint16], NDArray[np.uint16]]]


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
    closed, chains = _traced(corners_of(runs, owner, open_[kept]), mask.shape, rect)
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


def _traced(c: Corners, shape: tuple[int, int], rect: Rect) -> tuple[Rings, Chains]:
    following, by_column = links(c)
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


def _headings(c: Corners, following: Ints, by_column: NDArray[np.bool_]) -> Ints:
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
