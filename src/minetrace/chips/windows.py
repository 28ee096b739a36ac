"""Which squares of the lattice become chips.

Chips are squares of one lattice of their own size, never centred on a label: a mine that always
lies in the middle teaches a model to look at the middle. Squares of one lattice also never
overlap, and a square is the same place in every period.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Tile, tiles_over


def touched(grid: Grid, shapes: NDArray[np.object_], size_px: int) -> dict[Tile, list[int]]:
    """The squares that shapes (in the grid's CRS) touch, each with the rows that touch it."""
    found: dict[Tile, list[int]] = {}
    for row, shape in enumerate(shapes):
        if shape is None or shape.is_empty:
            continue
        shapely.prepare(shape)
        for tile in tiles_over(grid, grid.rect(shape.bounds), size_px):
            if shape.intersects(shapely.box(*grid.bounds(tile.rect))):
                found.setdefault(tile, []).append(row)
    return found


def background(
    tiles: Iterable[Tile], taken: Collection[Tile], count: int, *, seed: int, apart: int = 1
) -> list[Tile]:
    """Squares away from those that are taken, in an order that hangs on the seed and their names.

    Args:
        tiles: of the region.
        taken: squares that labels touch.
        count: how many are wanted; fewer if there are no more.
        apart: whole squares that must lie between a background and a taken one.
    """
    near = {
        (t.zone, t.row + dr, t.col + dc)
        for t in taken
        for dr in range(-apart, apart + 1)
        for dc in range(-apart, apart + 1)
    }
    free = [t for t in tiles if (t.zone, t.row, t.col) not in near]
    return sorted(sorted(free, key=lambda t: draw(seed, t.id))[:count])


def draw(seed: int, name: str) -> str:
    """A number for a name that looks random and is the same on every machine."""
    return hashlib.sha256(f"{seed}|{name}".encode()).hexdigest()
