"""Join what was traced tile by tile, as if it had been one raster.

What lies inside a tile is left as it is. Along the borders, the edge of a pixel is boundary where
the pixel beyond is not ground; these edges and the open chains are linked where they meet, and
what they enclose is one outline if any of its tiles say so. The work follows the length of the
borders, not the number of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.vectors.components import Ints, unite
from minetrace.vectors.pieces import Chains, Tallies, Traced
from minetrace.vectors.rings import (
    EAST,
    NORTH,
    SOUTH,
    WEST,
    Rings,
    cycles,
    offsets_of,
    spread,
)  # fmt: skip

_STEP = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # columns and rows, by direction
_CORNER = {NORTH: (0, 0), EAST: (1, 0), SOUTH: (1, 1), WEST: (0, 1)}  # where a side begins


@dataclass(frozen=True)
class Traces:
    """Outlines in lattice units: their tallies, and their rings in any order."""

    tallies: Tallies
    rings: Rings


def join(tiles: Sequence[Traced]) -> Traces:
    """Join traced tiles, which must not overlap."""
    if not tiles:
        return Traces(Tallies(*np.zeros((4, 0), np.int64)), Rings.concat([]))
    shift = offsets_of(np.array([len(t.tallies) for t in tiles], dtype=np.int64))
    pixel = np.concatenate([t.border.pixel for t in tiles]).astype(np.int64)
    side = np.concatenate([t.border.side for t in tiles])
    owner = _shifted([t.border.owner for t in tiles], shift)
    beyond = _owner_at(pixel + _STEP[side], pixel, owner)
    met = beyond >= 0
    into, count = unite(int(shift[-1]), owner[met], beyond[met])
    tallies = Tallies(
        *(np.concatenate([getattr(t.tallies, name) for t in tiles])
          for name in ("pixels", "looked", "total", "highest"))
    ).merged(into, count)  # fmt: skip
    chains = _edges(pixel[~met], side[~met], owner[~met])
    parts = [(t.chains, by) for t, by in zip(tiles, shift[:-1], strict=True)]
    linked = _linked([*(_owned(chain, into, by) for chain, by in parts), _owned(chains, into, 0)])
    closed = [
        Rings(t.rings.points, t.rings.offsets, into[t.rings.owner + by])
        for t, by in zip(tiles, shift[:-1], strict=True)
    ]
    return Traces(tallies, Rings.concat([*closed, linked]))


def _shifted(owners: Sequence[Ints], shift: Ints) -> Ints:
    return np.concatenate([o + by for o, by in zip(owners, shift[:-1], strict=True)])


def _owned(chains: Chains, into: Ints, shift: int) -> Chains:
    rings = chains.rings
    owner = into[rings.owner + shift]
    return Chains(Rings(rings.points, rings.offsets, owner), chains.stop, chains.heading)


def _key(points: NDArray[np.integer]) -> Ints:
    return points[:, 1].astype(np.int64) * 2**32 + points[:, 0]


def _owner_at(wanted: Ints, pixel: Ints, owner: Ints) -> Ints:
    """Who owns each wanted pixel; -1 where none of the known ones is there."""
    if not len(pixel):
        return np.empty(0, np.int64)
    known = _key(pixel)
    order = np.argsort(known, kind="stable")
    sought = _key(wanted)
    found = order[np.minimum(np.searchsorted(known, sought, sorter=order), len(known) - 1)]
    return np.where(known[found] == sought, owner[found], -1)


def _edges(pixel: Ints, side: Ints, owner: Ints) -> Chains:
    """One chain for each side of a pixel that is boundary, with the pixel on its right."""
    start = pixel + np.array([_CORNER[s] for s in range(4)], dtype=np.int64)[side]
    heading = (side + 1) % 4
    rings = Rings(start.astype(np.int32), np.arange(len(start) + 1), owner)
    stop = (start + _STEP[heading]).astype(np.int32)
    return Chains(rings, stop, np.column_stack([heading, heading]))


def _linked(parts: Sequence[Chains]) -> Rings:
    """Link chains end to end into rings, and drop points at which the ring goes straight on."""
    chains = Rings.concat([p.rings for p in parts])
    if not len(chains):
        return chains
    stop = np.concatenate([p.stop for p in parts])
    heading = np.concatenate([p.heading for p in parts])
    start = chains.points[chains.offsets[:-1]]
    # one chain comes and one goes, or two pairs: then the owners differ, or the ring turns left
    comes = np.lexsort(((heading[:, 1] + 3) % 4, chains.owner, _key(stop)))
    goes = np.lexsort((heading[:, 0], chains.owner, _key(start)))
    following = np.empty(len(chains), dtype=np.int64)
    following[comes] = goes
    turns = np.ones(len(chains), dtype=bool)
    turns[following] = heading[:, 1] != heading[following, 0]
    laid, cycle_offsets = cycles(following)
    skip = (~turns[laid]).astype(np.int64)
    length = np.diff(chains.offsets)[laid] - skip
    points = chains.points[spread(chains.offsets[:-1][laid] + skip, length)]
    offsets = offsets_of(length)[cycle_offsets]
    return Rings(points, offsets, chains.owner[laid[cycle_offsets[:-1]]])
