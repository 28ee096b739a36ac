"""Run a country on a Dask cluster that is being taken apart, and compare it to a calm run.

    python benchmarks/chaos.py [--size 1024] [--tile 64] [--kill-every 20] [--failing 0.1]

Two of a hundred files are cut short beforehand. While it runs, a worker is killed with SIGKILL
every few tiles, every tenth read fails, and the scheduler is killed once and started again; the
command is given again until nothing but the files that are cut short stands in its way. In the
end every pixel and row must equal those of a calm run, and what failed must be the same by name.
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
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minetrace.errors import FailedError, TilesFailedError
from minetrace.flow.status import status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.testing.results import assert_equal, leftovers
from minetrace.testing.world import make_world, world_study

FAILING = "CHAOS_FAILING_READS"


def dask_setup(worker: Any) -> None:
    """Dask calls this in each worker (``--preload``): some reads of scenes fail from now on."""
    from minetrace.sources.files import FileSource

    read, share, dice = FileSource.read, float(os.environ[FAILING]), random.Random(os.getpid())

    def failing(self: FileSource, *args: Any, **kwargs: Any) -> Any:
        if dice.random() < share:
            raise OSError("chaos: this read failed")
        return read(self, *args, **kwargs)

    FileSource.read = failing  # type: ignore[method-assign]


@dataclass
class Cluster:
    """A scheduler and workers in processes of their own, started again whenever they die."""

    workers: int
    failing: float
    seed: int = 1
    deaths: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._over = threading.Event()
        self._dice = random.Random(self.seed)
        self._scheduler = self._begin("dask_scheduler", "--host", "127.0.0.1", "--port", self.port)
        self._members = [self._worker() for _ in range(self.workers)]

    def _begin(self, what: str, *words: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *map(str, words)]
        return subprocess.Popen(
            [*command, "--no-dashboard"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, FAILING: str(self.failing)},
        )  # fmt: skip

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._begin("dask_worker", self.address, "--nthreads", 1, "--no-nanny",
                           "--memory-limit", "4GB", "--preload", __file__)  # fmt: skip

    def disturb(self, out: Path, every: int, scheduler_at: int) -> threading.Thread:
        """Kill somebody whenever so many more tiles are settled, until it is over.

        By tiles and not by the clock, so that a slow machine has as much chaos as a quick one.
        """
        thread = threading.Thread(target=self._disturb, args=(out, every, scheduler_at))
        thread.start()
        return thread

    def _disturb(self, out: Path, every: int, scheduler_at: int) -> None:
        killed_at = 0
        while not self._over.wait(0.2):
            settled = sum(1 for _ in out.glob("*/*/*.json"))
            if not self.deaths["scheduler"] and settled >= scheduler_at:
                self._scheduler.kill()
                self._scheduler.wait()
                self.deaths["scheduler"] += 1
                self._scheduler = self._begin("dask_scheduler", "--host", "127.0.0.1",
                                              "--port", self.port)  # fmt: skip
            if settled >= killed_at + every:
                killed_at = settled
                self._dice.choice(self._members).kill()
                self.deaths["worker"] += 1
            self._members = [m if m.poll() is None else self._worker() for m in self._members]

    def end(self) -> None:
        """Everybody goes home."""
        self._over.set()
        for process in (*self._members, self._scheduler):
            process.kill()
        for process in (*self._members, self._scheduler):
            process.wait()


def cut_short(folder: Path, share: float, seed: int = 1) -> list[str]:
    """Take the end of some files away, at least of one: the last blocks of the last band."""
    files = sorted(folder.glob("*.tif"))
    chosen = random.Random(seed).sample(files, max(1, round(share * len(files))))
    for path in chosen:
        os.truncate(path, path.stat().st_size * 98 // 100)
    return [path.name for path in chosen]


def insist(study: Study, out: Path, known: set[str], attempts: int) -> int:
    """Give the command again until only what is known to fail has failed; returns how often."""
    for attempt in range(1, attempts + 1):
        try:
            run(study, out)
            return attempt
        except (TilesFailedError, FailedError):
            if {str(key) for key, _ in status(out).failures} <= known and not missing(out):
                return attempt
    return attempts


def missing(out: Path) -> int:
    tiles = ("composites", "scores")
    return sum(count.missing for count in status(out).counts if count.kind in tiles)


def chaos(root: Path, *, size: int, tile: int, years: list[int], kill_every: int,
          scheduler_at: int, failing: float, truncated: float,
) -> dict[str, Any]:  # fmt: skip
    """Both runs; what happened, if they agree."""
    world = make_world(root / "world", size_px=size, years=years, blind_year=None)
    broken = cut_short(world.scenes, truncated)
    base = {**world_study(world, name="chaos"), "grid": {"tile": tile}, "periods": years}
    run(Study.of(base), root / "calm", allow_missing=True)
    known = {str(key) for key, _ in status(root / "calm").failures}
    cluster = Cluster(2, failing)
    wild = Study.of({**base, "engine": {"kind": "dask", "scheduler": cluster.address}})
    began = time.monotonic()
    disturbing = cluster.disturb(root / "wild", kill_every, scheduler_at)
    try:
        attempts = insist(wild, root / "wild", known, 40)
    finally:
        cluster.end()
        disturbing.join()
    seconds = time.monotonic() - began
    run(Study.of(base), root / "wild", allow_missing=True)  # panel and map
    assert {str(key) for key, _ in status(root / "wild").failures} == known
    assert_equal(root / "calm", root / "wild")
    assert not leftovers(root / "wild")
    tiles = sum(count.done + count.failed for count in status(root / "calm").counts
                if count.kind == "composites")  # fmt: skip
    return {"tiles": tiles, "cut short": len(broken), "named failures": len(known),
            "commands": attempts, "seconds": round(seconds),
            "killed": dict(cluster.deaths)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=896)
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--kill-every", type=int, default=20)
    parser.add_argument("--scheduler-at", type=int, default=100)
    parser.add_argument("--failing", type=float, default=0.1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = chaos(Path(folder), size=given.size, tile=given.tile, years=[2020, 2021],
                     kill_every=given.kill_every, scheduler_at=given.scheduler_at,
                     failing=given.failing, truncated=0.02)  # fmt: skip
    print("; ".join(f"{name}: {value}" for name, value in told.items()), "; results equal")


if __name__ == "__main__":
    main()
