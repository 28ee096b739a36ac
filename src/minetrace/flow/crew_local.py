"""Tasks done on this machine: in this process, or in several.

Each process is a pool of its own, so that its death is the death of one task and breaks nothing.
On Linux all are forked from one that has loaded the libraries and done nothing else, since loading
them takes longer than many a task.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from queue import SimpleQueue
from types import ModuleType
from typing import Any

from minetrace.flow.engine import LIMIT_S, Crew, Died, Task, Trial
from minetrace.flow.machine import tasks_that_fit
from minetrace.flow.study_engine import EngineStudy
from minetrace.flow.watch import watched

OUT_OF_MEMORY = (
    "ran out of memory; give fewer --workers, a larger engine.task_gb, or a smaller grid.tile"
)
FORKED = sys.platform == "linux"  # where forking a process with these libraries is safe
LOADED = ("minetrace.flow.imagery", "minetrace.predict.scan")  # without ONNX Runtime's threads
SAFE_PATH = "PYTHONSAFEPATH"
KILLED = "its worker was killed, perhaps for want of memory; give fewer --workers if so"
_shared: Any = None  # what a worker process was given once, at its start


def took_too_long(limit_s: float) -> str:
    """What is said of a task that was stopped."""
    return f"took longer than {limit_s:g} s and was stopped; engine.task_limit_s sets the limit"


class _Alone:
    """This process, one task after the other."""

    workers = 1

    def __init__(self, shared: Any) -> None:
        self._shared = shared
        self._next: Trial | None = None

    def room(self) -> int:
        return 1

    def begin(self, trial: Trial) -> None:
        self._next = trial

    def landed(self) -> tuple[Trial, Any]:
        trial, self._next = self._next, None
        if trial is None:
            raise LookupError("nothing is under way")
        try:
            return trial, trial.task(self._shared)
        except MemoryError:
            return trial, Died(OUT_OF_MEMORY)


@dataclass(frozen=True)
class _Flight:
    """A trial, the pool of the process that is at it, and when it took off."""

    trial: Trial
    pool: ProcessPoolExecutor
    began: float


class _Processes:
    """Processes of this machine, each with one task at a time."""

    def __init__(self, shared: Any, workers: int, room: int, limit_s: float) -> None:
        self.workers = workers
        self._shared, self._room, self._limit_s = shared, min(workers, room), limit_s
        self._idle: list[ProcessPoolExecutor] = []
        self._every: set[ProcessPoolExecutor] = set()
        self._queue: SimpleQueue[tuple[_Flight, Future[Any]]] = SimpleQueue()

    def room(self) -> int:
        return self._room

    def begin(self, trial: Trial) -> None:
        limit_s = self._limit_s if trial.limited else None
        while True:
            pool = self._idle.pop() if self._idle else self._hired()
            try:
                with _deaf(), _apart(), _without_main():  # the first task starts the process
                    future = pool.submit(_work, trial.task, limit_s)
            except BrokenProcessPool:  # it died while it had nothing to do
                self._let_go(pool)
                continue
            self._await(_Flight(trial, pool, time.monotonic()), future)
            return

    def _await(self, flight: _Flight, future: Future[Any]) -> None:
        future.add_done_callback(lambda landed: self._queue.put((flight, landed)))

    def landed(self) -> tuple[Trial, Any]:
        flight, future = self._queue.get()
        try:
            outcome = future.result()
        except BrokenProcessPool:
            self._let_go(flight.pool)
            return flight.trial, self._death(flight)
        except MemoryError:
            outcome = Died(OUT_OF_MEMORY)
        self._idle.append(flight.pool)
        return flight.trial, outcome

    def _death(self, flight: _Flight) -> Died:
        late = flight.trial.limited and time.monotonic() - flight.began >= self._limit_s
        return Died(took_too_long(self._limit_s) if late else KILLED)

    def _hired(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("forkserver" if FORKED else "spawn")
        pool = ProcessPoolExecutor(1, context, _begin, (self._shared, dict(os.environ)))
        self._every.add(pool)
        return pool

    def _let_go(self, pool: ProcessPoolExecutor) -> None:
        self._every.discard(pool)
        pool.shutdown(wait=False)

    def end(self) -> None:
        """Let the processes go home."""
        for pool in self._every:
            pool.shutdown(wait=False)
        for pool in self._every:
            pool.shutdown()

    def stop(self) -> None:
        """Kill the processes: whatever they were writing is not yet in its place."""
        processes = [process for pool in self._every
                     for process in (getattr(pool, "_processes", None) or {}).values()]  # fmt: skip
        for process in processes:
            process.kill()
        for process in processes:
            process.join()
        for pool in self._every:
            pool.shutdown(wait=False, cancel_futures=True)


def get_ready() -> None:
    """Begin to load what processes need, so that it is there when they are."""
    if FORKED:
        multiprocessing.set_forkserver_preload([*LOADED])
        with _deaf(), _apart():
            forkserver.ensure_running()


@contextmanager
def alone(shared: Any) -> Iterator[Crew]:
    """This process does the work."""
    yield _Alone(shared)


@contextmanager
def processes(shared: Any, workers: int, settings: EngineStudy) -> Iterator[Crew]:
    """Processes of this machine do the work, as many at once as memory allows."""
    room = tasks_that_fit(settings.task_gb)
    crew = _Processes(shared, workers, room, settings.task_limit_s or LIMIT_S)
    try:
        yield crew
    except BaseException:
        crew.stop()
        raise
    crew.end()


@contextmanager
def _deaf() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: heard afterwards, and not by processes made meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _apart() -> Iterator[None]:
    """Keep a file of the current folder, numpy.py perhaps, from being taken for a library."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep new processes from running the user's script again.

    A spawned process imports the main module of its parent, so a script without a guard would
    start over in every worker. Workers need nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin(shared: Any, environment: dict[str, str]) -> None:
    global _shared
    _shared = shared
    os.environ.clear()
    os.environ.update(environment)  # where it was forked from, it may be an older one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End a worker whose parent was killed: it would go on writing into a folder that is free."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _work(task: Task[Any], limit_s: float | None) -> Any:
    with watched(limit_s):
        return task(_shared)
