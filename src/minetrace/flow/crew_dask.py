"""Tasks done by the workers of a Dask scheduler: one that runs already, or SLURM jobs.

The scheduler gives work to whoever is free and notices who dies; here is what it cannot know: what
the workers share, how long a task may take, how much may be under way, and what to do when the
scheduler itself is gone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from minetrace.errors import FailedError, MissingExtraError, StudyError
from minetrace.flow.crew_local import KILLED, OUT_OF_MEMORY, took_too_long
from minetrace.flow.engine import LIMIT_S, ONE_THREAD, Crew, Died, Task, Trial
from minetrace.flow.study_engine import EngineStudy
from minetrace.flow.watch import watched

ANSWER_S = 10.0  # for a scheduler to answer at first
RETURN_S = 180.0  # for a scheduler that was there to come back, and for a first worker
JOINS = 10  # tries to tell the workers of a scheduler what they share
GLANCE_S = 2.0  # between looks at which workers there are
_shared: dict[str, Any] = {}  # by run, in a worker
_turn = threading.Lock()  # one task at a time in a worker, however many threads it has


class _Sharing:
    """Gives every worker, and every one that joins later, what the tasks of a run share."""

    def __init__(self, token: str, shared: Any) -> None:
        self.token, self.shared = token, shared

    def setup(self, worker: Any) -> None:
        """Begin, in a worker."""
        os.environ.update({k: v for k, v in ONE_THREAD.items() if k not in os.environ})
        _shared[self.token] = self.shared

    def teardown(self, worker: Any) -> None:
        """End, in a worker."""
        _shared.pop(self.token, None)


class _NotSharedError(Exception):
    """A worker was never told what is shared: its scheduler is not the one that we told."""


def _work(token: str, task: Task[Any], limit_s: float | None) -> Any:
    if token not in _shared:
        raise _NotSharedError
    with _turn, watched(limit_s):
        return task(_shared[token])


@dataclass(frozen=True)
class _Flight:
    """A trial, the worker that does it, and which connection it went through."""

    trial: Trial
    worker: str
    connection: int
    future: Any = None


class _Cluster:
    """The workers of a scheduler, each with one task at a time.

    Which worker does what is chosen here, so that a death is held against the task that the worker
    was at and not against those that would have come next.
    """

    def __init__(self, connect: _Connect, token: str, shared: Any, settings: EngineStudy) -> None:
        self._connect, self._token, self._shared, self._settings = connect, token, shared, settings
        self._limit_s = settings.task_limit_s or LIMIT_S
        self._queue: SimpleQueue[int] = SimpleQueue()
        self._flying: dict[int, _Flight] = {}
        self._dead: deque[_Flight] = deque()
        self._usable: set[str] = set()
        self._connection, self._number, self._glanced = 0, 0, 0.0
        self._client = self._joined()
        self._glance()

    @property
    def workers(self) -> int:
        return max(1, len(self._usable))

    def room(self) -> int:
        if time.monotonic() - self._glanced > GLANCE_S:
            self._glance()
        if not self._flying:
            self._await_workers()
        return len(self._usable)

    def begin(self, trial: Trial) -> None:
        self._number += 1
        number, limit_s = self._number, self._limit_s if trial.limited else None
        worker = min(self._usable - {flight.worker for flight in self._flying.values()})
        future = None
        with suppress(OSError, RuntimeError):  # without a connection nothing is under way
            future = self._client.submit(
                _work, self._token, trial.task, limit_s, pure=False, workers=[worker],
                key=f"{self._token}-{number}",
            )  # fmt: skip
        self._flying[number] = _Flight(trial, worker, self._connection, future)
        if future is None:
            self._queue.put(number)
        else:
            future.add_done_callback(lambda _: self._queue.put(number))

    def landed(self) -> tuple[Trial, Any]:
        while not self._dead:
            try:
                number = self._queue.get(timeout=GLANCE_S)
            except Empty:
                self._glance()
                continue
            if number in self._flying:
                flight = self._flying.pop(number)
                return flight.trial, self._outcome(flight)
        return self._dead.popleft().trial, self._death()

    def _outcome(self, flight: _Flight) -> Any:
        """What a task gave, or how it died."""
        from distributed import KilledWorker

        future = flight.future
        failed = future is not None and future.status == "error"
        try:
            if future is None or future.cancelled():
                raise CancelledError
            return future.result(timeout=ANSWER_S)
        except KilledWorker:
            return self._death()
        except MemoryError:
            return Died(OUT_OF_MEMORY)
        except (CancelledError, OSError, _NotSharedError) as error:
            if failed and not isinstance(error, _NotSharedError):  # the task itself raised it
                raise
            if isinstance(error, TimeoutError):
                return Died("its worker went away with what it made", blamed=False)
            if flight.connection == self._connection:
                self._join_again()
            return Died("the scheduler went away", blamed=False)

    def _death(self) -> Died:
        return Died(f"{KILLED}, or it {took_too_long(self._limit_s)}")

    def _glance(self) -> None:
        """Look which workers there are; a task whose worker is gone is dead."""
        self._glanced = time.monotonic()
        try:
            here = self._client.scheduler_info(n_workers=-1)["workers"]
        except Exception:  # noqa: BLE001  a connection that is gone shows as its tasks land
            return
        self._usable = {address for address, said in here.items() if self._fits(address, said)}
        for number, flight in list(self._flying.items()):
            if flight.future is not None and flight.worker not in here and not flight.future.done():
                self._dead.append(self._flying.pop(number))
                flight.future.cancel()

    def _fits(self, address: str, member: dict[str, Any]) -> bool:
        """True if a worker takes tasks and has the memory for one; 0 memory is no limit."""
        memory = int(member.get("memory_limit") or 0)
        if memory and memory < self._settings.task_gb * 1e9:
            raise StudyError(
                f"worker {address} has {memory / 1e9:.1f} GB, a task may take "
                f"{self._settings.task_gb:g}; give workers more (--memory-limit), or say less in "
                "engine.task_gb and choose a smaller grid.tile"
            )
        return bool(member.get("status", "running") == "running")

    def _await_workers(self) -> None:
        until = time.monotonic() + RETURN_S
        while not self._usable:
            if not self._connect.patient and time.monotonic() > until:
                raise FailedError(
                    f"{self._connect}: no worker was there for {RETURN_S:g} s; what is done is "
                    "kept. Start some: dask worker ADDRESS --nworkers 4 --nthreads 1"
                )
            time.sleep(0.2)
            self._glance()

    def _joined(self) -> Any:
        for _ in range(JOINS):
            client = self._connect()
            try:
                client.register_plugin(_plugin(self._token, self._shared), name=self._token)
                return client
            except OSError:  # it, or a worker that it told, went away just now
                with suppress(Exception):
                    client.close(timeout=1)
                time.sleep(1)
        raise StudyError(f"{self._connect}: the scheduler comes and goes; look at its log")

    def _join_again(self) -> None:
        """Find the scheduler again; what was under way is begun anew, which does no harm."""
        with suppress(Exception):
            self._client.close(timeout=1)
        until = time.monotonic() + RETURN_S
        while True:
            try:
                self._client = self._joined()
                break
            except StudyError as error:
                if time.monotonic() > until:
                    raise FailedError(
                        f"{self._connect}: the scheduler went away and did not come back within "
                        f"{RETURN_S:g} s; what is done is kept: the same command goes on"
                    ) from error
                time.sleep(1)
        self._connection += 1
        self._glance()

    def refuse_strangers(self, folder: Path | None) -> None:
        """Refuse workers with other versions, and such as cannot see the run folder.

        Raises:
            FailedError: there are some.
        """
        from minetrace.flow.report import versions

        place, ours = str(folder) if folder else None, versions()
        told: dict[str, Any] = self._client.run(_about, place, on_error="return")
        for address, said in told.items():
            if isinstance(said, OSError):  # it went away
                continue
            if isinstance(said, Exception):
                raise FailedError(
                    f"worker {address} cannot load minetrace ({type(said).__name__}: {said}); "
                    "install the same version where it runs"
                )
            theirs, sees = said
            for library in ("minetrace", "numpy", "rasterio", "onnxruntime"):
                if theirs[library] != ours[library]:
                    raise FailedError(
                        f"worker {address} has {library} {theirs[library]}, this process "
                        f"{ours[library]}: results would differ; install the same"
                    )
            if not sees:
                raise FailedError(
                    f"worker {address} does not see {folder}; choose a folder that all machines "
                    "share with --out"
                )

    def end(self) -> None:
        """Forget what was shared and hang up."""
        with suppress(Exception):
            self._client.unregister_worker_plugin(self._token)
        with suppress(Exception):
            self._client.close(timeout=5)

    def stop(self) -> None:
        """Let go of what is under way and hang up."""
        with suppress(Exception):
            self._client.close(timeout=1)


class _Connect:
    """How to reach a scheduler; its text names it in messages."""

    def __init__(self, address: Any, name: str, *, patient: bool) -> None:
        self.address, self.name, self.patient = address, name, patient

    def __call__(self) -> Any:
        import distributed

        client: Any = distributed.Client
        try:
            return client(self.address, timeout=ANSWER_S, set_as_default=False, name="minetrace")
        except (OSError, ValueError, TypeError) as error:
            raise StudyError(
                f"{self.name}: no Dask scheduler answers there; "
                "start one with 'dask scheduler', or correct --scheduler (tcp://HOST:8786)"
            ) from error

    def __str__(self) -> str:
        return self.name


@contextmanager
def cluster(shared: Any, settings: EngineStudy, folder: Path | None) -> Iterator[Crew]:
    """The workers of a cluster do the work.

    Raises:
        MissingExtraError: what it needs is not installed.
        StudyError: no scheduler answers.
        FailedError: no worker comes, or there are some that cannot do the work.
    """
    _need("distributed")
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if settings.kind == "slurm":
            jobs = stack.enter_context(_slurm(settings))
            connect = _Connect(jobs, "slurm", patient=True)
        else:
            connect = _Connect(settings.scheduler, str(settings.scheduler), patient=False)
        crew = _Cluster(connect, f"minetrace-{uuid4().hex[:12]}", shared, settings)
        try:
            crew.refuse_strangers(folder)
            yield crew
        except BaseException:
            crew.stop()
            raise
        crew.end()


@contextmanager
def _slurm(settings: EngineStudy) -> Iterator[Any]:
    """Ask SLURM for jobs; they end with the block."""
    _need("dask_jobqueue")
    from dask_jobqueue.slurm import SLURMCluster

    asked = settings.slurm
    if asked is None:
        raise StudyError("the slurm engine needs an engine.slurm section")
    try:
        jobs = SLURMCluster(
            queue=asked.queue, account=asked.account, cores=asked.cores, processes=asked.cores,
            memory=asked.memory, walltime=asked.walltime, interface=asked.interface,
            job_extra_directives=list(asked.directives),
            job_script_prologue=list(asked.prologue),
            scheduler_options={"dashboard_address": ":0"},  # 8787 may be taken
        )  # fmt: skip
    except (ValueError, OSError) as error:
        raise StudyError(f"engine.slurm: {error}") from error
    with jobs:
        jobs.adapt(minimum_jobs=asked.jobs, maximum_jobs=asked.jobs)  # anew after their walltime
        yield jobs


def _need(module: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise MissingExtraError(
            f"this engine needs {module}: pip install 'minetrace[dask]', here and on the workers"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own words off the terminal: what matters is said in ours."""
    import distributed  # noqa: F401  it sets the levels of its loggers when it is loaded

    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _plugin(token: str, shared: Any) -> Any:
    from distributed.diagnostics.plugin import WorkerPlugin

    class Plugin(_Sharing, WorkerPlugin):
        """What Dask takes."""

    return Plugin(token, shared)


def _about(folder: str | None) -> tuple[dict[str, str], bool]:
    from minetrace.flow.report import versions

    return versions(), folder is None or Path(folder).is_dir()
