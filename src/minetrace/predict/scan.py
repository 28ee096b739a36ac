"""Scanning tiles of a region with any scorer.

The sweep goes down the rows of calls that the tiles need. Calls are queued in lattice order into
batches of one fixed size, scored, and gathered on a board; a tile is handed out as
soon as its last row is complete. A score depends on the lattice and the pixels under it alone:
not on the tiles, their order, or which of them are scanned together.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.model import ModelCard, Scorer
from minetrace.core.region import Coverage
from minetrace.core.scores import Scores
from minetrace.errors import ModelError, StudyError
from minetrace.predict.bands import check_resolution
from minetrace.predict.boards import Board, PatchBoard, PixelBoard
from minetrace.predict.collector import Collector
from minetrace.predict.lattice import Lattice, Plan
from minetrace.predict.rows import PixelRows, Read
from minetrace.predict.statistics import STATISTICS
from minetrace.predict.threads import one_thread
from minetrace.predict.turns import Turned

BATCH_PX = 1 << 18  # pixels a batch, unless one call is larger
LARGEST_BATCH = 64


@dataclass(frozen=True)
class ScanOptions:
    """How to scan.

    Attributes:
        batch: calls given to the scorer at once, always as many, padded at the end; 0 chooses by
            the size of a call.
        tta: average over flips and quarter turns; eight times the work.
        statistics: extra bands of a patch model, among min, median, std and count.
        ahead: read and score in threads of their own; gains nothing where every core has work.
    """

    batch: int = 0
    tta: bool = False
    statistics: tuple[str, ...] = ()
    ahead: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.statistics if name not in STATISTICS]
        if unknown:
            raise StudyError(
                f"model.statistics: no statistic {unknown[0]!r}; choose among "
                f"{', '.join(STATISTICS)} (mean and max are always there)"
            )
        if self.batch < 0:
            raise StudyError(f"batch is {self.batch}; it must be 1 or more, or 0 to choose")

    def batch_for(self, card: ModelCard) -> int:
        """Calls a batch: as asked for, or about BATCH_PX pixels."""
        return self.batch or max(1, min(LARGEST_BATCH, BATCH_PX // card.call_px**2))


def scan(
    read: Read,
    scorer: Scorer,
    grid: Grid,
    tiles: Sequence[Rect],
    *,
    coverage: Coverage | None = None,
    options: ScanOptions = ScanOptions(),
) -> Iterator[tuple[Rect, Scores]]:
    """Score the tiles of one unit of work, computing no window twice.

    Memory follows the width of the unit, not its height: the pixels under one row of calls, and
    the scores of the tiles that it crosses.

    Args:
        read: composite pixels of any lattice rectangle; what lies outside the imagery comes back
            not valid. Called from one thread, each pixel once.
        scorer: what to score with.
        grid: the lattice.
        tiles: rectangles of pixels that do not overlap; gaps are neither read nor scored.
        coverage: pixels that are wanted, None for all of the tiles.

    Yields:
        Each tile that holds a cell, with the Scores of ``tile.cells(card.cell_px)`` on
        ``grid.coarsened(card.cell_px)``; NOT_LOOKED outside the coverage (by a cell's centre)
        and where nobody looked.

    Raises:
        BandError: the imagery lacks a band that the model wants.
        ModelError: the grid's resolution is not the model's, or the scorer gives another shape
            than its card says.
    """
    card = scorer.card
    check_resolution(card, grid)
    lattice = Lattice.of(card)
    plan = Plan.of(lattice, grid, tiles, coverage)
    board: Board = (
        PixelBoard(lattice, plan.cells, card.classes) if card.output == "pixels"
        else PatchBoard(lattice, plan.cells, card.classes, options.statistics)
    )  # fmt: skip
    collector = Collector(board.names, plan, grid, tiles, coverage)
    row = min(plan.columns, default=0)
    with closing(_scored(scorer, options, read, plan)) as scored:
        for call, probability in scored:
            while row < call.row:
                yield from collector.take(row, board.finish())
                row += 1
            board.add(call.col, probability, call.counted, call.valid)
    for last in range(row, max(plan.columns, default=row - 1) + 1):
        yield from collector.take(last, board.finish())
    yield from collector.rest()


@dataclass(frozen=True)
class _Call:
    """A call to make: its place, which of its windows count, which of its pixels are valid."""

    row: int
    col: int
    counted: NDArray[np.bool_]
    valid: NDArray[np.bool_]


def _scored(
    scorer: Scorer, options: ScanOptions, read: Read, plan: Plan
) -> Generator[tuple[_Call, NDArray[np.float32]], None, None]:
    """Calls with their answers, in lattice order.

    While one batch is scored, by a thread of its own if asked for, the next is drawn and the last
    one blended.
    """
    card, size = scorer.card, options.batch_for(scorer.card)
    ask = Turned(scorer) if options.tta else scorer
    shape = (size, len(card.bands), card.call_px, card.call_px)
    images, spare = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    waiting: list[_Call] = []
    pending: list[_Call] = []
    answer: Future[NDArray[np.float32]] = Future()
    with one_thread("score", ahead=options.ahead) as thread:
        with PixelRows(read, plan, card, ahead=options.ahead) as pixels:
            for call in _calls(card, plan, pixels):
                _draw(call, plan.lattice, pixels, images[len(waiting)])
                waiting.append(call)
                if len(waiting) == size:
                    done = zip(pending, answer.result() if pending else (), strict=False)
                    answer, pending, waiting = thread.submit(_ask, ask, card, images), waiting, []
                    images, spare = spare, images
                    yield from done
        if pending:
            yield from zip(pending, answer.result(), strict=False)
        if waiting:
            yield from zip(waiting, _ask(ask, card, images), strict=False)


def _calls(card: ModelCard, plan: Plan, pixels: PixelRows) -> Iterator[_Call]:
    """The calls of a plan in which a window counts; the others need no answer."""
    lattice = plan.lattice
    need = max(1, int(np.ceil(card.min_valid_share * card.window**2 - 1e-6)))
    for row, cols in plan.columns.items():
        pixels.advance(row)
        for col in cols:
            valid = np.zeros((lattice.call_px, lattice.call_px), bool)
            pixels.valid(lattice.call(row, int(col)), valid)
            counted = lattice.valid_pixels(valid) >= need
            if counted.any():
                yield _Call(row, int(col), counted, valid)


def _draw(call: _Call, lattice: Lattice, pixels: PixelRows, out: NDArray[np.float32]) -> None:
    pixels.image(lattice.call(call.row, call.col), out)
    if not call.valid.all():
        pixels.fill(out, call.valid)


def _ask(ask: Scorer, card: ModelCard, images: NDArray[np.float32]) -> NDArray[np.float32]:
    side = card.call_px if card.output == "pixels" else card.grid_side
    expected = (len(images), len(card.classes), side, side)
    answer = np.asarray(ask(images), dtype=np.float32)
    if answer.shape != expected:
        raise ModelError(
            f"model {card.name!r} answered with shape {answer.shape}, its card promises "
            f"{expected}; correct window, stride, call_px, classes or output in the card"
        )
    return answer
