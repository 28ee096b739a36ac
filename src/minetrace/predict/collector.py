"""From complete rows of cells to complete tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import Coverage
from minetrace.core.scores import NOT_LOOKED, Scores
from minetrace.predict.boards import UInt16Array
from minetrace.predict.lattice import Plan


class Collector:
    """Cuts rows of cells into tiles and hands each out when its last row is in.

    A tile takes memory from its first row with something on it until it is handed out.
    """

    def __init__(
        self, names: tuple[str, ...], plan: Plan, grid: Grid, tiles: Sequence[Rect],
        coverage: Coverage | None,
    ) -> None:  # fmt: skip
        """Tiles without a cell are left out."""
        cell_px = plan.lattice.cell_px
        self._names, self._plan = names, plan
        self._grid = grid.coarsened(cell_px)
        self._coverage = Coverage(coverage.geometry, self._grid) if coverage else None
        rows = [(tile.cells(cell_px), tile) for tile in tiles]
        self._waiting = sorted((r for r in rows if not r[0].empty), reverse=True)
        self._open: list[tuple[Rect, Rect]] = []
        self._values: dict[Rect, UInt16Array] = {}

    def take(self, call_row: int, values: UInt16Array | None) -> Iterator[tuple[Rect, Scores]]:
        """Take the complete cells of a row of calls; give the tiles that are complete with it.

        Args:
            values: (bands, step_cells, width) over the columns of the plan, None for nothing.
        """
        height = self._plan.lattice.step_cells
        here = Rect(call_row * height, self._plan.cells.col, height, self._plan.cells.width)
        while self._waiting and self._waiting[-1][0].row < here.row_stop:
            self._open.append(self._waiting.pop())
        if values is not None:
            for cells, _ in self._open:
                self._copy(cells, here, values)
        done = [pair for pair in self._open if pair[0].row_stop <= here.row_stop]
        self._open = [pair for pair in self._open if pair[0].row_stop > here.row_stop]
        for cells, tile in done:
            yield tile, self._scores(cells)

    def rest(self) -> Iterator[tuple[Rect, Scores]]:
        """The tiles that no row of calls completed, in order."""
        for cells, tile in self._open + self._waiting[::-1]:
            yield tile, self._scores(cells)

    def _copy(self, cells: Rect, here: Rect, values: UInt16Array) -> None:
        part = cells & here
        if part.empty:
            return
        rows, cols = part.within(here)
        fresh = values[:, rows, cols]
        if cells not in self._values:
            if (fresh[0] == NOT_LOOKED).all():
                return
            self._values[cells] = self._blank(cells)
        rows, cols = part.within(cells)
        self._values[cells][:, rows, cols] = fresh

    def _scores(self, cells: Rect) -> Scores:
        values = self._values.pop(cells, None)
        if values is None:
            values = self._blank(cells)
        elif self._coverage is not None:
            values[:, ~self._coverage.mask(cells)] = NOT_LOOKED
        return Scores(self._names, values, self._grid.geobox(cells))

    def _blank(self, cells: Rect) -> UInt16Array:
        return np.full((len(self._names), *cells.shape), NOT_LOOKED, np.uint16)
