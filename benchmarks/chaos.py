"""Run a country on workers that are being taken apart, and compare it to a calm run.

    python benchmarks/chaos.py [--engine local|dask|both] [--size 704] [--tile 64]

Two of a hundred files, one at least, are cut short beforehand, and two of a hundred composites
after the first and the second command. While it runs, a worker is killed with SIGKILL every few
tiles, every tenth read fails, and Dask's scheduler is killed once and started again; the command
is given again until nothing but the scenes that are cut short stands in its way. In the end every
pixel and row must equal those of a calm run, and what failed must be the same by name.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import rasterio

from minetrace.errors import FailedError, TilesFailedError
from minetrace.flow import crew_local
from minetrace.flow.status import status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.testing.results import assert_equal, leftovers
from minetrace.testing.world import make_world, world_study

FAILING = "CHAOS_FAILING_READS"  # the share, in the environment of workers
ATTEMPTS = 60


def fail_reads() -> None:
    """Some reads of scenes fail from now on, in this process."""
    from minetrace.sources.files import FileSource

    read, share, dice = FileSource.read, float(os.environ[FAILING]), random.Random(os.getpid())

    def failing(self: FileSource, *args: Any, **kwargs: Any) -> Any:
        if dice.random() < share:
            raise OSError("chaos: this read failed")
        return read(self, *args, **kwargs)

    FileSource.read = failing  # type: ignore[method-assign]


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker (``--preload``)."""
    fail_reads()


def begin_failing(shared: Any, environment: dict[str, str]) -> None:
    """What a process of the local engine begins with here."""
    _begin(shared, environment)
    fail_reads()


_begin = crew_local._begin


class Trouble(ABC):
    """Kills somebody whenever so many more tiles are settled, until it is over.

    By tiles and not by the clock, so that a slow machine has as much chaos as a quick one.
    """

    def __init__(self, engine: dict[str, Any], every: int, failing: float, seed: int = 1) -> None:
        os.environ[FAILING] = str(failing)
        self.engine = engine  # of a study that has this trouble
        self.deaths: Counter[str] = Counter()
        self.dice = random.Random(seed)
        self._every, self._over = every, threading.Event()

    def begin(self, out: Path) -> None:
        """Watch a run folder, and strike."""
        self._thread = threading.Thread(target=self._watch, args=(out,))
        self._thread.start()

    def end(self) -> None:
        """Everybody goes home."""
        self._over.set()
        self._thread.join()

    def _watch(self, out: Path) -> None:
        struck_at = 0
        while not self._over.wait(0.1):
            settled = sum(1 for _ in out.glob("*/*/*.json"))
            due = settled >= struck_at + self._every
            struck_at = settled if due else min(struck_at, settled)  # what is cut short is undone
            self.strike(settled, due=due)

    @abstractmethod
    def strike(self, settled: int, *, due: bool) -> None:
        """Kill whoever is due."""


class LocalTrouble(Trouble):
    """For processes of this machine."""

    def __init__(self, every: int, failing: float) -> None:
        super().__init__({"kind": "local"}, every, failing)

    def begin(self, out: Path) -> None:
        crew_local._begin = begin_failing
        super().begin(out)

    def end(self) -> None:
        super().end()
        crew_local._begin = _begin

    def strike(self, settled: int, *, due: bool) -> None:
        members = [child for server in psutil.Process().children() if "forkserver" in _words(server)
                   for child in server.children()]  # fmt: skip
        if due and members:
            self.dice.choice(members).kill()
            self.deaths["worker"] += 1


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


class DaskTrouble(Trouble):
    """For a scheduler and workers in processes of their own, started again whenever they die."""

    def __init__(self, workers: int, every: int, scheduler_at: int, failing: float) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._address, self._scheduler_at = f"tcp://127.0.0.1:{self._port}", scheduler_at
        super().__init__({"kind": "dask", "scheduler": self._address}, every, failing)
        self._scheduler = self._start_scheduler()
        self._members = [self._start_worker() for _ in range(workers)]

    def end(self) -> None:
        super().end()
        for process in (*self._members, self._scheduler):
            process.kill()
        for process in (*self._members, self._scheduler):
            process.wait()

    def strike(self, settled: int, *, due: bool) -> None:
        if not self.deaths["scheduler"] and settled >= self._scheduler_at:
            self._scheduler.kill()
            self._scheduler.wait()
            self.deaths["scheduler"] += 1
            self._scheduler = self._start_scheduler()
        if due:
            self.dice.choice(self._members).kill()
            self.deaths["worker"] += 1
        self._members = [m if m.poll() is None else self._start_worker() for m in self._members]

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        return self._start("dask_scheduler", "--host", "127.0.0.1", "--port", self._port)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        return self._start("dask_worker", self._address, "--nthreads", 1, "--no-nanny",
                           "--memory-limit", "4GB", "--preload", __file__)  # fmt: skip

    def _start(self, what: str, *words: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *map(str, words)]
        return subprocess.Popen(
            [*command, "--no-dashboard"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


def cut_short(files: list[Path], share: float, seed: int = 1) -> int:
    """Take the end of some files away, at least of one if there are any."""
    count = min(len(files), max(1, round(share * len(files))))
    chosen = random.Random(seed).sample(sorted(files), count)
    for path in chosen:
        os.truncate(path, _last_blocks(path))
    return len(chosen)


def _last_blocks(path: Path) -> int:
    """Where the lowest row of blocks of the last band begins."""
    with rasterio.open(path) as source:
        rows = -(-source.height // source.block_shapes[-1][0])
        spot = f"BLOCK_OFFSET_0_{rows - 1}"
        return int(source.get_tag_item(spot, "TIFF", bidx=source.count))


def insist(study: Study, out: Path, known: set[str], share: float) -> tuple[int, int]:
    """Give the command again until only what is known to fail has failed.

    Args:
        share: of the composites, which are cut short after the first and the second command.

    Returns:
        How often, and how many composites were cut short between.
    """
    spoilt = 0
    for attempt in range(1, ATTEMPTS + 1):
        try:
            run(study, out, workers=2)
            return attempt, spoilt
        except (TilesFailedError, FailedError):
            if {str(key) for key, _ in status(out).failures} <= known and not missing(out):
                return attempt, spoilt
        if attempt <= 2 and share:
            made = [path for path in (out / "composites").rglob("*.tif")
                    if path.with_suffix(".json").is_file()]  # fmt: skip
            spoilt += cut_short(made, share, attempt)
    raise SystemExit(f"not at an end after {ATTEMPTS} commands: {status(out).failures[:3]}")


def missing(out: Path) -> int:
    """How many tiles nobody settled."""
    tiles = ("composites", "scores")
    return sum(count.missing for count in status(out).counts if count.kind in tiles)


def chaos(root: Path, *, engine: str, size: int, tile: int, years: list[int], kill_every: int,
          scheduler_at: int, failing: float, truncated: float, spoilt: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """A calm run and a wild one; what happened, if they agree."""
    world = make_world(root / "world", size_px=size, years=years, blind_year=None)
    broken = cut_short(list(world.scenes.glob("*.tif")), truncated)
    base = {**world_study(world, name="chaos"), "grid": {"tile": tile}, "periods": years}
    run(Study.of(base), root / "calm", allow_missing=True)
    calm = status(root / "calm")
    known = {str(key) for key, _ in calm.failures}
    trouble = (LocalTrouble(kill_every, failing) if engine == "local"
               else DaskTrouble(2, kill_every, scheduler_at, failing))  # fmt: skip
    began = time.monotonic()
    trouble.begin(root / "wild")
    try:
        wild = Study.of({**base, "engine": trouble.engine})
        attempts, remade = insist(wild, root / "wild", known, spoilt)
    finally:
        trouble.end()
    seconds = time.monotonic() - began
    run(Study.of(base), root / "wild", allow_missing=True)  # panel and map
    ended = status(root / "wild")
    assert {str(key) for key, _ in ended.failures} == known
    assert_equal(root / "calm", root / "wild")
    assert not leftovers(root / "wild")
    return {
        "engine": engine,
        "tiles": sum(c.done + c.failed for c in calm.counts if c.kind == "composites"),
        "scenes cut short": f"{broken} of {len(list(world.scenes.glob('*.tif')))}",
        "composites cut short": remade,
        "reads that fail": f"{failing:.0%}",
        "workers killed": trouble.deaths["worker"],
        "schedulers killed": trouble.deaths["scheduler"],
        "commands": attempts,
        "seconds": round(seconds),
        "tiles failed by name, calm": len(known),
        "tiles failed by name, wild": len(ended.failures),
        "tiles missing": missing(root / "wild"),
        "pixels and rows": "equal",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=["local", "dask", "both"], default="both")
    parser.add_argument("--size", type=int, default=704)
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--kill-every", type=int, default=20)
    parser.add_argument("--scheduler-at", type=int, default=100)
    parser.add_argument("--failing", type=float, default=0.1)
    given = parser.parse_args()
    for engine in ("local", "dask") if given.engine == "both" else (given.engine,):
        with tempfile.TemporaryDirectory() as folder:
            told = chaos(Path(folder), engine=engine, size=given.size, tile=given.tile,
                         years=[2020, 2021], kill_every=given.kill_every,
                         scheduler_at=given.scheduler_at, failing=given.failing,
                         truncated=0.02, spoilt=0.02)  # fmt: skip
        width = max(map(len, told))
        print("\n".join(f"{name:<{width}}  {value}" for name, value in told.items()), flush=True)
        print()


if __name__ == "__main__":
    from chaos import main as importable_main  # new processes look for its functions by that name

    importable_main()
