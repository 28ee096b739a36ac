"""The lattice of windows: where a model looks, whatever the cut.

Window (i, j) starts at pixel (i * stride, j * stride) of the grid. The runtime is called with
squares that hold ``side`` by ``side`` windows; call (a, b) starts at pixel (a * step, b * step),
where step = side * stride. Both are anchored on pixel (0, 0) of the grid, so every answer is a
function of the lattice and the pixels under it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.model import ModelCard
from minetrace.core.region import Coverage

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Lattice:
    """The geometry of a model's windows, in pixels.

    Attributes:
        window: side of a window.
        stride: distance between windows.
        side: windows along one side of a call.
        cell_px: side of a score cell.
    """

    window: int
    stride: int
    side: int
    cell_px: int

    @classmethod
    def of(cls, card: ModelCard) -> Lattice:
        """The lattice that a card describes."""
        return cls(card.window, card.stride, card.grid_side, card.cell_px)

    @property
    def step(self) -> int:
        """Distance between calls."""
        return self.side * self.stride

    @property
    def call_px(self) -> int:
        """Side of the square of pixels of a call."""
        return self.window + (self.side - 1) * self.stride

    @property
    def step_cells(self) -> int:
        """Rows of cells that are complete once a row of calls is."""
        return self.step // self.cell_px

    def call(self, row: int, col: int) -> Rect:
        """The pixels of a call."""
        return Rect(row * self.step, col * self.step, self.call_px, self.call_px)

    def touching(self, start: int, stop: int) -> range:
        """Numbers of the calls along one axis that touch the pixels ``[start, stop)``."""
        return range((start - self.call_px) // self.step + 1, (stop - 1) // self.step + 1)

    def valid_pixels(self, valid: NDArray[np.bool_]) -> IntArray:
        """How many pixels of each window of a call are valid: (side, side).

        Args:
            valid: (call_px, call_px).
        """
        if self.side == 1:
            return np.full((1, 1), np.count_nonzero(valid), dtype=np.int64)
        cells = cell_sums(valid, self.stride)
        sums = np.zeros((len(cells) + 1, len(cells) + 1), dtype=np.int64)  # integral image
        sums[1:, 1:] = cells.cumsum(axis=0).cumsum(axis=1)
        k = self.window // self.stride
        return sums[k:, k:] - sums[:-k, k:] - sums[k:, :-k] + sums[:-k, :-k]

    def ground(self, tile: Rect) -> Rect:
        """The pixels under the cells of a tile."""
        return tile.cells(self.cell_px).scaled(self.cell_px)


def cell_sums(valid: NDArray[np.bool_], cell_px: int) -> IntArray:
    """How many pixels of each cell are True: (n, n) from (n * cell_px, n * cell_px)."""
    n = len(valid) // cell_px
    if valid.all():
        return np.full((n, n), cell_px**2, dtype=np.int64)
    rows = valid.reshape(n, cell_px, -1).sum(axis=1, dtype=np.int64)
    return np.asarray(rows.reshape(n, n, cell_px).sum(axis=2))


@dataclass(frozen=True)
class Plan:
    """The calls that a unit of work needs, by row, in the order in which they are made.

    Attributes:
        lattice: where calls lie.
        cells: the cells around all tiles.
        columns: by row of calls, ascending, the columns, ascending; no row is empty.
    """

    lattice: Lattice
    cells: Rect
    columns: dict[int, IntArray]

    @classmethod
    def of(
        cls, lattice: Lattice, grid: Grid, tiles: Sequence[Rect], coverage: Coverage | None
    ) -> Plan:
        """Every call that touches a tile's cells and the coverage.

        A call more or less than needed changes no score: what it adds lies outside the tiles.
        """
        grounds = [ground for ground in map(lattice.ground, tiles) if not ground.empty]
        if not grounds:
            return cls(lattice, Rect(0, 0, 0, 0), {})
        around = grounds[0]
        for ground in grounds:
            around |= ground
        columns = {}
        for row in lattice.touching(around.row, around.row_stop):
            cols = _columns(lattice, grounds, row)
            if coverage is not None:
                cols = _covered(lattice, grid, coverage, row, cols)
            if len(cols):
                columns[row] = cols
        return cls(lattice, around.cells(lattice.cell_px), columns)

    def reads(self, rows: range) -> list[Rect]:
        """The rectangles of pixels that the calls need within some rows of pixels.

        They do not touch each other and are in order of their columns.
        """
        need = {int(col) for row in self.lattice.touching(rows.start, rows.stop)
                for col in self.columns.get(row, ())}  # fmt: skip
        spans: list[tuple[int, int]] = []
        for col in sorted(need):
            here = self.lattice.call(0, col)
            if spans and here.col <= spans[-1][1]:
                spans[-1] = (spans[-1][0], here.col_stop)
            else:
                spans.append((here.col, here.col_stop))
        return [Rect.spanning(rows.start, left, rows.stop, right) for left, right in spans]


def _columns(lattice: Lattice, grounds: Sequence[Rect], row: int) -> IntArray:
    here = lattice.call(row, 0)
    found: set[int] = set()
    for ground in grounds:
        if ground.row < here.row_stop and here.row < ground.row_stop:
            found.update(lattice.touching(ground.col, ground.col_stop))
    return np.array(sorted(found), dtype=np.int64)


def _covered(
    lattice: Lattice, grid: Grid, coverage: Coverage, row: int, cols: IntArray
) -> IntArray:
    r, here = grid.resolution_m, lattice.call(row, 0)
    left = grid.x(0) + cols * (lattice.step * r)
    bottom, top = (np.full(len(cols), grid.y(edge)) for edge in (here.row_stop, here.row))
    boxes = shapely.box(left, bottom, left + lattice.call_px * r, top)
    shapely.prepare(coverage.geometry)
    touched = np.asarray(shapely.intersects(coverage.geometry, boxes), dtype=bool)
    return np.asarray(cols[touched])
