"""Where the answers of calls are gathered until the rows under them are complete.

A board holds one row of calls and what hangs over into the next; it is given calls in lattice
order and handed down row by row, so that no window is computed twice and memory does not grow
with the number of rows.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Rect
from minetrace.core.scores import encode
from minetrace.predict.lattice import Lattice, cell_sums
from minetrace.predict.statistics import statistics_of

UInt16Array = NDArray[np.uint16]


class Board(Protocol):
    """Gathers calls and gives complete rows of cells."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands of its rows."""
        ...

    def add(
        self, col: int, probability: NDArray[np.float32], counted: NDArray[np.bool_],
        valid: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Add the call in column ``col`` of the current row of calls.

        Args:
            probability: (classes, side, side) or (classes, call_px, call_px).
            counted: (side, side), which windows count.
            valid: (call_px, call_px), which pixels are valid.
        """
        ...

    def finish(self) -> UInt16Array | None:
        """The complete cells, and on to the next row of calls.

        Returns:
            (bands, step_cells, width) from the first cell row of the row of calls on, or None
            if nobody looked at any.
        """
        ...


def taper(window: int, stride: int) -> NDArray[np.float32]:
    """Weights along one side of a window: 1 inside, falling linearly over the overlap.

    Strictly positive; where two windows overlap and both count, the weights sum to 1. With more
    than two (stride below half the window) it is a triangle.
    """
    ramp = min(window - stride, window // 2)
    edge = np.minimum(np.arange(window), np.arange(window)[::-1]) + 1
    return np.minimum(1.0, edge / (ramp + 1)).astype(np.float32)


class PixelBoard:
    """Blends the overlapping windows of a pixel model.

    The score of a pixel is the weighted mean over the windows that cover it, weights tapered as
    by `taper` along both sides, summed in lattice order. It is looked at if it is valid and a
    counting window covers it.
    """

    def __init__(self, lattice: Lattice, cells: Rect, classes: tuple[str, ...]) -> None:
        """Start empty above ``cells``, the pixels around all tiles."""
        self._lattice, self._cells, self.names = lattice, cells, classes
        n = lattice.window
        line = taper(n, lattice.stride)
        self._weight = line[:, None] * line[None, :]
        self._sum = np.zeros((len(classes), n, cells.width), np.float32)
        self._total = np.zeros((n, cells.width), np.float32)
        self._valid = np.zeros((n, cells.width), bool)
        self._filled = 0  # rows from the top that may hold something

    def add(
        self, col: int, probability: NDArray[np.float32], counted: NDArray[np.bool_],
        valid: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Add a window; see `Board.add`."""
        window = self._lattice.call(0, col)
        left = max(window.col, self._cells.col)
        right = min(window.col_stop, self._cells.col_stop)
        if not counted.all() or left >= right:
            return
        here = slice(left - window.col, right - window.col)
        there = slice(left - self._cells.col, right - self._cells.col)
        weight = self._weight[:, here]
        self._sum[:, :, there] += probability[:, :, here] * weight
        self._total[:, there] += weight
        self._valid[:, there] |= valid[:, here]
        self._filled = self._lattice.window

    def finish(self) -> UInt16Array | None:
        """Blend the rows that no later window touches; see `Board.finish`."""
        rows = self._lattice.stride
        if self._filled <= 0:
            return None
        total = self._total[:rows]
        looked = self._valid[:rows] & (total > 0)
        blended = self._sum[:, :rows] / np.where(total > 0, total, np.float32(1))
        looked &= np.isfinite(blended).all(axis=0)
        out = encode(blended, looked)
        for held in (self._sum, self._total, self._valid):
            _shift(held, rows)
        self._filled -= rows
        return out


class PatchBoard:
    """Keeps the score of every window of a patch model and sums up those that cover a cell.

    Bands are ``mean``, ``max`` and the statistics asked for; of a second class ``mean_NAME`` and
    so on. ``std`` is that of the population; ``count`` is the plain number of windows, not
    times 10,000. A cell is looked at if a counting window covers it and one of its own pixels
    is valid.
    """

    def __init__(
        self, lattice: Lattice, cells: Rect, classes: tuple[str, ...], statistics: tuple[str, ...]
    ) -> None:
        """Start empty above ``cells``, the cells around all tiles."""
        self._lattice, self._cells = lattice, cells
        self._wanted = ("mean", "max", *statistics)
        suffixes = ("", *(f"_{name}" for name in classes[1:]))
        self.names = tuple(name + suffix for suffix in suffixes for name in self._wanted)
        self._over = lattice.window // lattice.stride - 1  # windows that begin before a cell
        height = lattice.side + self._over
        width = cells.width + self._over
        # scores[c, y, x] is window (first row - over + y, cells.col - over + x); NaN: none
        self._scores = np.full((len(classes), height, width), np.nan, np.float32)
        self._seen = np.zeros((height, cells.width), bool)
        self._filled = 0

    def add(
        self, col: int, probability: NDArray[np.float32], counted: NDArray[np.bool_],
        valid: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Add a call; see `Board.add`."""
        side, s = self._lattice.side, self._lattice.stride
        counted = counted & np.asarray(np.isfinite(probability).all(axis=0))
        values = np.where(counted, probability, np.float32(np.nan))
        self._place(self._scores[:, self._over :], values, col * side, self._cells.col - self._over)
        seen = cell_sums(valid, s) > 0
        self._place(self._seen, seen, col * side, self._cells.col)
        self._filled = self._scores.shape[1]

    @staticmethod
    def _place(target: NDArray[Any], values: NDArray[Any], col: int, first: int) -> None:
        left, right = max(col, first), min(col + values.shape[-1], first + target.shape[-1])
        if left < right:
            target[..., left - first : right - first] = values[..., left - col : right - col]

    def finish(self) -> UInt16Array | None:
        """Sum up the cells that no later window covers; see `Board.finish`."""
        if self._filled <= 0:
            return None
        rows = self._lattice.side
        looked = self._seen[:rows]
        out = np.concatenate([self._summed(scores, looked) for scores in self._scores])
        _shift(self._scores, rows, np.nan)
        _shift(self._seen, rows)
        self._filled -= rows
        return out

    def _summed(self, scores: NDArray[np.float32], seen: NDArray[np.bool_]) -> UInt16Array:
        rows, width, k = self._lattice.side, self._cells.width, self._over + 1
        covers = [scores[y : y + rows, x : x + width] for y in range(k) for x in range(k)]
        bands = statistics_of(covers, self._wanted)
        looked = seen & (bands["count"] > 0)
        out = [encode(bands[name], looked) for name in self._wanted]
        for number, name in enumerate(self._wanted):
            if name == "count":
                out[number][looked] = bands[name][looked].astype(np.uint16)
        return np.stack(out)


def _shift(held: NDArray[Any], rows: int, empty: float = 0) -> None:
    """Move rows up along the second last axis and clear what comes free."""
    keep = held.shape[-2] - rows
    held[..., :keep, :] = held[..., rows:, :].copy()
    held[..., keep:, :] = empty
