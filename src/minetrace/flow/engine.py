"""Running lists of independent, idempotent tasks, in this process or in several on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol, TypeVar

from minetrace.errors import FailedError

Result = TypeVar("Result")
Given = TypeVar("Given", covariant=True)
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "GDAL_NUM_THREADS": "1", "GDAL_CACHEMAX": "128",
               "GDAL_PAM_ENABLED": "NO"}  # fmt: skip
_shared: Any = None  # what a worker process was given once, at its start


class Task(Protocol[Given]):
    """Something to do with what the workers share; may be done twice without harm."""

    def __call__(self, shared: Any, /) -> Given:
        """Do it."""
        ...


class Engine:
    """Runs tasks with a given number of workers; 1 stays in this process."""

    def __init__(self, shared: Any, workers: int, pool: ProcessPoolExecutor | None) -> None:
        self._shared = shared
        self._pool = pool
        self.workers = workers

    @classmethod
    @contextmanager
    def of(cls, shared: Any, workers: int) -> Iterator[Engine]:
        """Start workers that share ``shared``; they end with the block, at once if cut off."""
        os.environ.update({k: v for k, v in _ONE_THREAD.items() if k not in os.environ})
        if workers == 1:
            yield cls(shared, 1, None)
            return
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, _begin, (shared, os.getpid()))
        try:
            yield cls(shared, workers, pool)
        except BaseException:
            _stop(pool)
            raise
        pool.shutdown()

    def each(self, tasks: Iterable[Task[Result]], done: Callable[[Result], None]) -> None:
        """Run every task and hand each result over as it comes.

        Raises:
            FailedError: a worker process died.
        """
        if self._pool is None:
            for task in tasks:
                done(task(self._shared))
            return
        try:
            self._spread(self._pool, iter(tasks), done)
        except BrokenProcessPool as error:
            raise FailedError(
                "a worker process died, perhaps for want of memory; what is done is kept: "
                "run the same command again, with fewer --workers if it happens twice"
            ) from error

    def _spread(
        self,
        pool: ProcessPoolExecutor,
        tasks: Iterator[Task[Result]],
        done: Callable[[Result], None],
    ) -> None:
        flying: set[Future[Result]] = set()
        exhausted = False
        while flying or not exhausted:
            while not exhausted and len(flying) < 2 * self.workers:
                task = next(tasks, None)
                if task is None:
                    exhausted = True
                else:
                    with _deaf(), _without_main():  # the first task starts the processes
                        flying.add(pool.submit(_work, task))
            landed, flying = wait(flying, return_when=FIRST_COMPLETED)
            for future in landed:
                done(future.result())


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _deaf() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: heard afterwards, and not by processes made meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


def _begin(shared: Any, parent: int) -> None:
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    """End a worker whose parent was killed: it would go on writing into a folder that is free."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _work(task: Task[Result]) -> Result:
    return task(_shared)


def _stop(pool: ProcessPoolExecutor) -> None:
    """Kill the workers: whatever they were writing is not yet in its place."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    for process in processes:
        process.kill()
    for process in processes:
        process.join()
    pool.shutdown(wait=False, cancel_futures=True)
