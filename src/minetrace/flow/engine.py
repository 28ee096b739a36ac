"""Running lists of independent, idempotent tasks, wherever they are done.

Who does them is a crew: this process, several on this machine, or the workers of a cluster. A
worker that dies, hangs or runs out of memory costs the task that it was at, and nobody else's; a
task that did so three times is given up by name, so that a run with one poisonous tile ends.
Tasks that take milliseconds are given in bundles, of which the poisonous part is found likewise.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from minetrace.errors import FailedError
from minetrace.flow.bundle import Bundled, Bundler, Share
from minetrace.flow.study_engine import EngineStudy

Given = TypeVar("Given", covariant=True)
TRIES = 3
LOST_IN_A_ROW = 20  # tries that end so without any success between: it is not the tasks
LIMIT_S = 3 * 3600.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "GDAL_NUM_THREADS": "1", "GDAL_CACHEMAX": "128",
              "GDAL_PAM_ENABLED": "NO"}  # fmt: skip


class Task(Protocol[Given]):
    """Something to do with what the workers share; may be done twice without harm."""

    def __call__(self, shared: Any, /) -> Given:
        """Do it."""
        ...


Doing = TypeVar("Doing", bound=Task[Any])


@runtime_checkable
class Divisible(Protocol):
    """A task that can be done in smaller parts, so that only the poisonous part is given up."""

    def parts(self) -> Sequence[Task[Any]]:
        """The parts; none if it is as small as it gets."""
        ...


@dataclass(frozen=True)
class Trial:
    """A task on its way, where it lies among all, how often it cost a worker, when it took off."""

    task: Task[Any]
    share: Share
    limited: bool = True
    before: int = 0
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Died:
    """A trial without a result.

    Attributes:
        reason: what happened, as the user should read it.
        blamed: False if the task had no part in it.
    """

    reason: str
    blamed: bool = True


class Crew(Protocol):
    """Who does tasks."""

    @property
    def workers(self) -> int:
        """How many tasks are done at once at most."""
        ...

    def room(self) -> int:
        """How many tasks may be under way now: what there are hands and memory for."""
        ...

    def begin(self, trial: Trial) -> None:
        """Begin a task, without waiting for it."""
        ...

    def landed(self) -> tuple[Trial, Any]:
        """Wait for one of the tasks under way: its result, or how it `Died`.

        Raises:
            Exception: what the task raised, or what no task can help.
        """
        ...


class Engine:
    """Runs tasks through a crew."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    @property
    def workers(self) -> int:
        """How many tasks are done at once at most."""
        return self._crew.workers

    @classmethod
    @contextmanager
    def of(
        cls,
        shared: Any,
        workers: int,
        settings: EngineStudy | None = None,
        folder: Path | None = None,
    ) -> Iterator[Engine]:
        """Gather workers that share ``shared``; they end with the block, at once if cut off.

        Args:
            shared: given to each worker once.
            workers: processes of the local engine; 1 stays in this process.
            settings: which engine, and its limits.
            folder: that workers elsewhere must be able to see.

        Raises:
            StudyError: no scheduler answers.
            MissingExtraError: what a cluster needs is not installed.
        """
        get_ready(workers, settings)
        with _crew(shared, workers, settings or EngineStudy(), folder) as crew:
            yield cls(crew)

    def each(
        self,
        tasks: Sequence[Doing],
        done: Callable[[Any], None],
        lost: Callable[[Doing, str], None] | None = None,
        *,
        limited: bool = True,
    ) -> None:
        """Run every task and hand each result over as it comes.

        Args:
            tasks: best in an order in which neighbours read the same.
            done: gets each result.
            lost: gets each task that cost a worker three times, and why; None: an error.
            limited: a task that takes longer than the engine's limit has failed.

        Raises:
            FailedError: a task was lost and nobody takes it, or every worker dies.
        """
        fresh, again, flying, in_a_row = Bundler(tasks), deque[Trial](), 0, 0
        last: Share | None = None  # of who is free now
        while True:
            while flying < self._crew.room():
                found = fresh.next(last)
                if found is None and not again:
                    break
                self._crew.begin(again.popleft() if found is None else Trial(*found, limited))
                flying, last = flying + 1, None
            if not flying:
                return
            trial, outcome = self._crew.landed()
            flying, last = flying - 1, trial.share
            if isinstance(outcome, Died):
                in_a_row += outcome.blamed
                _refuse_only_deaths(in_a_row, outcome)
                again.extend(_next_trials(trial, outcome, lost))
                continue
            in_a_row = 0
            if not isinstance(outcome, Bundled):
                outcome = Bundled((outcome,))
            fresh.learn(time.monotonic() - trial.began, trial.share, outcome.rest)
            for result in outcome.results:
                done(result)


def _next_trials(
    trial: Trial, died: Died, lost: Callable[[Any, str], None] | None
) -> Sequence[Trial]:
    """What to try after a trial died; tells who wants to know if that is nothing."""
    if not died.blamed:
        return [trial]
    parts = trial.task.parts() if isinstance(trial.task, Divisible) else ()
    if parts:
        return [Trial(part, trial.share, trial.limited) for part in parts]
    if trial.before + 1 < TRIES:
        return [replace(trial, before=trial.before + 1)]
    reason = f"given up after {TRIES} tries: {died.reason}"
    if lost is None:
        raise FailedError(f"{trial.task}: {reason}; what is done is kept, the same command goes on")
    lost(trial.task, reason)
    return []


def _refuse_only_deaths(in_a_row: int, died: Died) -> None:
    if in_a_row >= LOST_IN_A_ROW:
        raise FailedError(
            f"{in_a_row} tries in a row cost their worker ({died.reason}), so it is not the tiles; "
            "what is done is kept: run the same command again with fewer --workers, a smaller "
            "grid.tile or a larger engine.task_limit_s"
        )


def get_ready(workers: int, settings: EngineStudy | None = None) -> None:
    """Begin to load what workers will need; worth while as soon as it is known that they will be.

    Args:
        workers: processes of the local engine.
        settings: which engine.
    """
    os.environ.update({k: v for k, v in ONE_THREAD.items() if k not in os.environ})
    settings = settings or EngineStudy()
    if settings.kind == "local" and not _is_alone(workers, settings):
        from minetrace.flow.crew_local import get_ready as load

        load()


def _is_alone(workers: int, settings: EngineStudy) -> bool:
    return workers == 1 and settings.task_limit_s is None


def _crew(
    shared: Any, workers: int, settings: EngineStudy, folder: Path | None
) -> AbstractContextManager[Crew]:
    if settings.kind != "local":
        from minetrace.flow.crew_dask import cluster

        return cluster(shared, settings, folder)
    from minetrace.flow.crew_local import alone, processes

    if _is_alone(workers, settings):
        return alone(shared)
    return processes(shared, workers, settings)
