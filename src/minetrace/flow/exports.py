"""Pixels that Earth Engine exports in batch: ordered, waited for, brought, and tried again.

An export is a square of the lattice, of many blocks; it fills the source's cache, so that what
reads afterwards reads as ever. Every step is written down before or after it is made, in such an
order that a process killed at any moment orders nothing twice and loses nothing that was computed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from minetrace.core.grid import Rect
from minetrace.errors import ReadFailedError, StudyError
from minetrace.flow.compositing import bands_of
from minetrace.flow.pieces import Errand
from minetrace.flow.plan import Job
from minetrace.sources.earthengine import Block, EarthEngineSource, block_px
from minetrace.sources.earthengine_exports import ExportDesk, ExportOptions
from minetrace.store.exports import Export, Exports

MOST_PX = 4096  # side of what one export holds, at most
_MOST_BYTES = 256 << 20  # likewise
_BEARERS = 2


@dataclass(frozen=True)
class _Order:
    """An export: one square, and the blocks that are cut from it."""

    whole: Block
    blocks: tuple[Block, ...]
    what: str

    @property
    def key(self) -> str:
        return self.whole.name.partition(":")[2]


@dataclass(frozen=True)
class _Square:
    """Names a square of the lattice of a scene."""

    source: int
    scene: str
    crs: str
    row: int
    col: int


Arrival = tuple[list[Errand], list[str]]
"""Errands that can be read from now on, and why others will not come."""


def arriving(
    job: Job, store: Path, wanted: Sequence[Errand], left: Sequence[Errand]
) -> Iterator[Arrival]:  # fmt: skip
    """Have exported what is left to read, and say what has come as it comes.

    Args:
        wanted: all errands of the store: what an export holds does not depend on what is left.
        left: those that are to be read.

    Raises:
        StudyError: no source of the study is exported.
        NoPermissionError: Earth Engine or the bucket does not let the project in.
        ReadFailedError: no answer, or the ceiling is reached; what was ordered is kept.
    """
    if not _exporters(job):
        raise StudyError(
            "no source of the study is exported in batch: give an Earth Engine source the key "
            "export: {bucket: NAME}, or leave out --batch"
        )
    orders = _orders(job, wanted)
    waits = [(errand, _missing(job, errand)) for errand in left]
    yield [errand for errand, missing in waits if not missing], []
    needed = {square for _, missing in waits for square in missing}
    with Exports.open(store) as ledger:
        lying = {one.key for one in ledger.all("completed")}  # perhaps brought, not deleted
        needed |= {square for square, order in orders.items() if order.key in lying}
        for number in sorted({square.source for square in needed}):
            mine = {orders[square].key: orders[square] for square in needed
                    if square.source == number}  # fmt: skip
            squares = {orders[square].key: square for square in needed}
            source, options = _exporters(job)[number]
            for key, reason in _Clerk(source, options, ledger, mine).bring():
                if reason:
                    yield [], [reason]
                    continue
                touched = [wait for wait in waits if squares[key] in wait[1]]
                for _, missing in touched:
                    missing.discard(squares[key])
                yield [errand for errand, missing in touched if not missing], []


def _exporters(job: Job) -> dict[int, tuple[EarthEngineSource, ExportOptions]]:
    """The sources that are exported, by number, and how."""
    return {
        number: (source, source.options.exports) for number, source in enumerate(job.sources)
        if isinstance(source, EarthEngineSource) and source.options.exports is not None
    }  # fmt: skip


def _blocks(job: Job, errand: Errand) -> dict[_Square, list[Block]]:
    """What is computed for an errand, by square; nothing if its source is not exported."""
    look, grid = errand.look, errand.place.grid
    exporters = _exporters(job)
    found: dict[_Square, list[Block]] = {}
    if look.source not in exporters:
        return found
    source, _ = exporters[look.source]
    for block in source.blocks(look.scene, bands_of(job, look), grid, errand.rect):
        side = _side(len(block.bands))
        at = block.rect.row // side, block.rect.col // side
        square = _Square(look.source, look.scene.id, grid.crs, *at)
        found.setdefault(square, []).append(block)
    return found


def _side(bands: int) -> int:
    """Of a square: blocks of that many bands fit into it whole."""
    side = block_px(bands)
    while side * 2 <= MOST_PX and (side * 2) ** 2 * bands * 2 <= _MOST_BYTES:
        side *= 2
    return side


def _orders(job: Job, wanted: Sequence[Errand]) -> dict[_Square, _Order]:
    blocks: dict[_Square, dict[str, Block]] = {}
    for errand in wanted:
        for square, some in _blocks(job, errand).items():
            blocks.setdefault(square, {}).update({block.name: block for block in some})
    return {square: _order(job, square, tuple(some.values())) for square, some in blocks.items()}


def _order(job: Job, square: _Square, blocks: tuple[Block, ...]) -> _Order:
    (source, _), one = _exporters(job)[square.source], blocks[0]
    rect = reduce(Rect.__or__, (block.rect for block in blocks))
    whole = source.block(one.image, one.bands, one.grid, rect)
    what = f"{square.scene}, {rect.width} x {rect.height} px at row {rect.row}, column {rect.col}"
    return _Order(whole, blocks, f"{what} of {square.crs}")


def _missing(job: Job, errand: Errand) -> set[_Square]:
    """Squares of which an errand needs blocks that are not kept."""
    found = _blocks(job, errand)
    has = {number: source.has for number, (source, _) in _exporters(job).items()}
    return {square for square, blocks in found.items() if not all(map(has[square.source], blocks))}


@dataclass(frozen=True)
class _Clerk:
    """Sees to the orders of one source."""

    source: EarthEngineSource
    options: ExportOptions
    ledger: Exports
    orders: Mapping[str, _Order]

    @property
    def desk(self) -> ExportDesk:
        """Where it goes."""
        return ExportDesk(self.source.api, self.options.bucket, self.options.url)

    def bring(self) -> Iterator[tuple[str, str]]:
        """Key and "" of what is kept from now on, or why it will not be."""
        self._write_down()
        stopped: ReadFailedError | None = None
        given_up: set[str] = set()
        wait_s = self.options.poll_s
        while True:
            for task in self._mine("failed"):
                if task.key not in given_up:
                    given_up.add(task.key)
                    yield task.key, self._complaint(task)
            try:
                moved = stopped is None and self._submit()
            except ReadFailedError as error:
                stopped, moved = error, False  # what is under way is brought home first
            moved = self._look() or moved
            for key, problem in self._carry(given_up):
                moved = True
                given_up |= {key} if problem else set()
                yield key, problem
            going = [task for task in self._mine("pending", "submitted", "completed")
                     if task.key not in given_up]  # fmt: skip
            if stopped is not None and all(task.state == "pending" for task in going):
                raise stopped
            if not going and not self._unsaid(given_up):
                return
            if not moved:
                time.sleep(wait_s)
            wait_s = self.options.poll_s if moved else min(2 * wait_s, self.options.longest_poll_s)

    def _unsaid(self, given_up: set[str]) -> bool:
        return any(task.key not in given_up for task in self._mine("failed"))

    def _mine(self, *states: str) -> list[Export]:
        return [t for t in self.ledger.all() if t.state in states and t.key in self.orders]

    def _write_down(self) -> None:
        """Enter what is wanted; what may have been ordered before a kill is looked for there."""
        self.source.meter.settle(self.ledger.eecu_seconds())
        doubtful = self._mine("pending")
        api, options = self.source.api, self.options
        for key, order in self.orders.items():
            self.ledger.want(Export(key, order.what, api.project, api.url, options.bucket,
                                    options.url, options.prefix))  # fmt: skip
        if not doubtful:
            return
        there = {one.description: one.name for one in self.desk.operations().values()}
        for task in doubtful:
            if task.name in there:
                self.ledger.submitted(task.key, there[task.name])

    def _submit(self) -> bool:
        """Order what may be ordered now."""
        free = self.options.at_once - len(self._mine("submitted"))
        todo = self._mine("pending")[: max(0, free)]
        for task in todo:
            whole = self.orders[task.key].whole
            told = self.desk.submit(task.name, task.folder, whole.image, whole.grid, whole.rect)
            if told.name:
                self.ledger.submitted(task.key, told.name)
            else:
                self.ledger.failed(task.key, told.reason, 0.0, self.options.tries)
        return bool(todo)

    def _look(self) -> bool:
        """Ask what has become of what was ordered."""
        waiting = self._mine("submitted")
        if not waiting:
            return False
        known, moved = self.desk.operations(), False
        for task in waiting:
            told = known.get(task.operation) or self.desk.operation(task.operation)
            if told.state == "succeeded":
                self.ledger.completed(task.key, told.eecu_seconds)
            elif told.state == "failed":
                self.ledger.failed(task.key, told.reason, told.eecu_seconds, self.options.tries)
            moved = moved or told.state != "under way"
        self.source.meter.settle(self.ledger.eecu_seconds())
        return moved

    def _carry(self, given_up: set[str]) -> Iterator[tuple[str, str]]:
        """Bring what is completed: into the cache, then out of the bucket, then off the list."""
        ready = [task for task in self._mine("completed") if task.key not in given_up]
        with ThreadPoolExecutor(_BEARERS, "minetrace-exports") as pool:
            for task, problem in zip(ready, pool.map(self._fetch, ready), strict=True):
                if not problem:
                    self.ledger.downloaded(task.key)
                yield task.key, problem

    def _fetch(self, task: Export) -> str:
        """Keep the blocks of an export; why not, if not."""
        order = self.orders[task.key]
        whole = order.whole
        try:
            if not all(map(self.source.has, order.blocks)):
                pixels = self.desk.pixels(task.folder, whole.bands, whole.grid, whole.rect)
                for block in order.blocks:
                    rows, cols = block.rect.within(whole.rect)
                    self.source.keep(block, pixels[:, rows, cols])
            self.desk.remove(task.folder)
        except ReadFailedError as error:
            return str(error)
        return ""

    def _complaint(self, task: Export) -> str:
        return (
            f"{task.what}: Earth Engine could not export it: {task.reason} ({task.tries} tries); "
            "'minetrace exports STORE --forget' has it tried again"
        )
