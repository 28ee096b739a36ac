"""Pixels under the sweep: read once, a few rows ahead, dropped when the sweep has passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Rect
from minetrace.core.model import ModelCard
from minetrace.core.raster import Raster
from minetrace.predict.bands import resolve
from minetrace.predict.inputs import InputScaling
from minetrace.predict.lattice import Plan
from minetrace.predict.threads import one_thread

Read = Callable[[Rect], Raster]
READ_ROWS = 256  # rows read at once: a row of blocks of the stored composites


@dataclass(frozen=True)
class _Block:
    rect: Rect
    pixels: NDArray[np.int16]
    valid: NDArray[np.bool_]
    scaling: InputScaling


class PixelRows:
    """Rows of pixels along a plan, each read once, by a thread that runs ahead if asked for.

    Memory holds the rows under one call, rounded up to READ_ROWS, and READ_ROWS ahead.
    A context manager: the thread ends with it.
    """

    def __init__(self, read: Read, plan: Plan, card: ModelCard, *, ahead: bool = True) -> None:
        """Nothing is read before the context is entered."""
        self._read, self._plan, self._card = read, plan, card
        self._blocks: list[_Block] = []
        self._thread = one_thread("read-ahead", ahead=ahead)
        self._todo = _strips(plan)
        self._next: tuple[range, Future[list[_Block]]] | None = None

    def __enter__(self) -> PixelRows:
        self._ahead()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._blocks.clear()

    def advance(self, row: int) -> None:
        """Have the pixels of a row of calls at hand and forget those above it."""
        here = self._plan.lattice.call(row, 0)
        self._blocks = [b for b in self._blocks if b.rect.row_stop > here.row]
        while self._next is not None and self._next[0].start < here.row_stop:
            blocks = self._next[1].result()
            self._ahead()
            self._blocks += [b for b in blocks if b.rect.row_stop > here.row]

    def valid(self, rect: Rect, out: NDArray[np.bool_]) -> None:
        """Which pixels of a rectangle are valid, into ``out``, (h, w)."""
        for block, there, here in self._parts(rect):
            out[here] = block.valid[there]

    def image(self, rect: Rect, out: NDArray[np.float32]) -> None:
        """The scaled pixels of a rectangle, into ``out``, (bands, h, w); holes as stored."""
        for block, (rows, cols), (to_rows, to_cols) in self._parts(rect):
            block.scaling(block.pixels[:, rows, cols], out[:, to_rows, to_cols])

    def fill(self, out: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        """Give holes the card's fill; ``out`` is (bands, h, w), ``valid`` (h, w)."""
        InputScaling.of(self._card, self._card.bands).fill(out, valid)

    def _parts(
        self, rect: Rect
    ) -> Iterator[tuple[_Block, tuple[slice, slice], tuple[slice, slice]]]:
        for block in self._blocks:
            part = block.rect & rect
            if not part.empty:
                yield block, part.within(block.rect), part.within(rect)

    def _ahead(self) -> None:
        rows = next(self._todo, None)
        self._next = None if rows is None else (rows, self._thread.submit(self._fetch, rows))

    def _fetch(self, rows: range) -> list[_Block]:
        return [self._block(rect, self._read(rect)) for rect in self._plan.reads(rows)]

    def _block(self, rect: Rect, raster: Raster) -> _Block:
        if raster.shape != rect.shape:
            raise ValueError(f"read({rect}) gave {raster.shape} pixels, not {rect.shape}")
        sources = resolve(self._card, raster.bands)
        scaling = InputScaling.of(self._card, sources)
        pixels = raster.pixels if sources == raster.bands else raster.select(sources).pixels
        return _Block(rect, pixels, raster.valid, scaling)


def _strips(plan: Plan) -> Iterator[range]:
    """Rows of pixels from the first call to the last, cut at multiples of READ_ROWS."""
    rows = list(plan.columns)
    if not rows:
        return
    top, bottom = plan.lattice.call(rows[0], 0).row, plan.lattice.call(rows[-1], 0).row_stop
    for start in range(top // READ_ROWS * READ_ROWS, bottom, READ_ROWS):
        yield range(max(start, top), min(start + READ_ROWS, bottom))
