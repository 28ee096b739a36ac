"""What work costs as there is more of it: per km², per worker, per task.

    python benchmarks/scaling.py cost [--size 1024]         CPU seconds and bytes of each stage
    python benchmarks/scaling.py workers [--repeats 3]      two workers against one: 1.8 times
    python benchmarks/scaling.py tiles [--repeats 3]        4 tiles to 256: time per km² within 5 %
    python benchmarks/scaling.py noop [--tasks 1000000]     tasks that do nothing, on both engines
    python benchmarks/scaling.py status [--tasks 1000000]   what `minetrace status` takes: 2 s

`workers` and `tiles` measure the clock, in turns, of which the quickest counts, on a quiet
machine, and each turn in new processes: one that made the imagery still has it in its caches. The
CPU seconds beside it, of all processes, say what to expect of one.
"""

from __future__ import annotations

import argparse
import ctypes
import operator
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import geopandas as gpd
import numpy as np
import psutil
import rasterio
from affine import Affine
from shapely.geometry import box

from minetrace.flow.engine import Engine
from minetrace.flow.report import Silent
from minetrace.flow.status import status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.study_engine import EngineStudy
from minetrace.store.ledger import Ledger
from minetrace.store.run_folder import RunFolder
from minetrace.testing.world import World, make_world, world_study

PR_SET_CHILD_SUBREAPER = 36
WITHIN_M = 320  # further than a window of `spectral` reaches, and the region's edges bend


class Clock(Silent):
    """Notes the seconds of each stage, and the CPU seconds of this process and its workers."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._stage, self._began, self._cpu = "", 0.0, 0.0

    def start(self, stage: str, tasks: int, km2: float) -> None:
        self._stage, self._began, self._cpu = stage, time.perf_counter(), cpu_seconds()

    def finish(self) -> None:
        self.seconds[self._stage] = time.perf_counter() - self._began
        self.cpu[self._stage] = cpu_seconds() - self._cpu


def cpu_seconds() -> float:
    """Of this process and those that it started and that are alive."""
    me = psutil.Process()
    spent = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(times.user + times.system for times in spent)


def study(root: Path, size: int, tile: int, **changes: Any) -> Study:
    world = make_world(root / f"world{size}", size_px=size, years=[2021], blind_year=None)
    return Study.of({**world_study(world, name="scaling"), "grid": {"tile": tile}, **changes})


def cost(root: Path, size: int) -> None:
    for model in ("spectral", "artisanal-gold-rgb"):
        clock, out = Clock(), root / model
        run(study(root, size, 512, model={"name": model}), out, reporter=clock)
        for stage in status(out).stages:
            if not stage.km2:
                continue
            kind = {"composites": "composites", "scores": "scores"}[stage.name]
            stored = sum(path.stat().st_size for path in (out / kind).rglob("*.tif"))
            print(f"{model:>20} {stage.name:>10}: {stage.km2:8.1f} km²  "
                  f"{clock.cpu[stage.name] / stage.km2 * 1000:8.2f} CPU s per 1,000 km²  "
                  f"{stage.bytes_read / stage.km2 / 1e3:8.1f} kB read, "
                  f"{stored / stage.km2 / 1e3:6.1f} kB stored per km²")  # fmt: skip
        rest = sum(s for n, s in clock.cpu.items() if n in ("outlines", "panel", "publish"))
        print(f"{model:>20} {'the rest':>10}: {rest:8.2f} CPU s")


def workers(root: Path, size: int, years: int, repeats: int) -> None:
    """Composites and scores by one worker and by two, each a command of its own.

    Beside it what the machine has to give: two commands of one worker each at once, on the same
    imagery, that know nothing of each other.
    """
    world = make_world(root / "world", size_px=size, years=range(2019, 2019 + years),
                       blind_year=None)  # fmt: skip
    asked = Study.of({**world_study(world, name="scaling"), "grid": {"tile": max(64, size // 8)}})
    (root / "study.yaml").write_text(asked.dump())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # so that everybody's CPU is counted
    gains: dict[str, list[float]] = {"two workers": [], "two commands": []}
    for number in range(repeats):
        turn: dict[str, tuple[float, float]] = {}
        for name, counts in {"one": (1,), "two": (2,), "each of two": (1, 1)}.items():
            outs = [root / f"{name}{number}-{each}" for each in range(len(counts))]
            turn[name] = commanded(root / "study.yaml", dict(zip(outs, counts, strict=True)))
        gains["two workers"].append(turn["one"][0] / turn["two"][0])
        gains["two commands"].append(2 * turn["one"][0] / turn["each of two"][0])
        told = (
            f"{name} {seconds:.2f} s ({cpu:.1f} CPU s)" for name, (seconds, cpu) in turn.items()
        )
        print(f"turn {number + 1}: {', '.join(told)}", flush=True)
    for name, line in gains.items():
        turns = " ".join(f"{gain:.2f}" for gain in line)
        print(f"{name} against one: {median(line):.2f} times as fast (turns: {turns})")
    print("the bar of two workers is 1.8; two commands share nothing but the machine")


def commanded(study_file: Path, runs: dict[Path, int]) -> tuple[float, float]:
    """Seconds of composites and scores of the slowest of runs at once, and CPU seconds of all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    commands = [
        subprocess.Popen([sys.executable, "-m", "minetrace", "run", str(study_file), "--out",
                          str(out), "--workers", str(count), "--quiet"], stdout=subprocess.DEVNULL)
        for out, count in runs.items()
    ]  # fmt: skip
    if any(command.wait() for command in commands):
        raise SystemExit("a run failed")
    with suppress(ChildProcessError):
        while os.wait():  # those that their own parents did not wait for
            pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return max(sum(s.seconds for s in status(out).stages if s.name in ("composites", "scores"))
               for out in runs), cpu  # fmt: skip


def tiles(root: Path, tile: int, repeats: int) -> None:
    """The same four tiles again and again: all that differs is how many they are."""
    world = make_world(root / "world", size_px=2 * tile, years=[2021], blind_year=None)
    asked = {2 * times: repeated(world, root / f"x{times}", times, tile) for times in (1, 2, 4, 8)}
    other = repeated(world, root / "other", 1, tile)
    clocks: dict[int, list[Clock]] = {side: [] for side in asked}
    for number in range(repeats):
        for side, given in asked.items():
            outs = (root / f"warm{side}-{number}", root / f"t{side}-{number}")
            with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # nothing is in its caches
                clocks[side].append(fresh.submit(warmed, (other, given), outs).result())
    first: dict[str, float] = {}
    for side, line in clocks.items():
        stages = {s.name: s for s in status(root / f"t{side}-0").stages}
        assert stages["composites"].tiles == side**2
        told = []
        for name in ("composites", "scores"):
            per = 1000 / (side * tile / 100) ** 2
            clock = per * min(c.seconds[name] for c in line)
            cpu = per * min(c.cpu[name] for c in line)
            by_clock = 100 * (clock / first.setdefault(name, clock) - 1)
            by_cpu = 100 * (cpu / first.setdefault(f"{name} cpu", cpu) - 1)
            told.append(f"{name} {clock:.2f} s per 1,000 km² ({by_clock:+.1f} %), "
                        f"{cpu:.2f} CPU s ({by_cpu:+.1f} %)")  # fmt: skip
        print(f"{side**2:4d} tiles: {'; '.join(told)}", flush=True)


def warmed(studies: Sequence[Study], outs: Sequence[Path]) -> Clock:
    """Run studies one after the other, so that all is loaded for the last: its seconds."""
    for asked, out in zip(studies, outs, strict=True):
        clock = Clock()
        run(asked, out, workers=1, reporter=clock)
    return clock


def repeated(world: World, root: Path, times: int, tile: int) -> Study:
    """A study of a country that is the same square of four tiles so many times along each side.

    It lies on the lattice of tiles, and its region so far within them that no others are read.
    """
    root.mkdir(parents=True)
    for path in sorted(world.scenes.glob("*.tif")):
        with rasterio.open(path) as source:
            profile, tags, names = source.profile, source.tags(), source.descriptions
            scales, offsets, pixels = source.scales, source.offsets, source.read()
        ground = 10 * tile
        corner = (profile["transform"].c // ground, -(-profile["transform"].f // ground))
        profile |= {
            "width": times * profile["width"], "height": times * profile["height"],
            "transform": Affine(10, 0, corner[0] * ground, 0, -10, corner[1] * ground),
        }  # fmt: skip
        with rasterio.open(root / path.name, "w", **profile) as target:
            target.descriptions, target.scales, target.offsets = names, scales, offsets
            target.update_tags(**tags)
            target.write(np.tile(pixels, (1, times, times)))
    west, north = (v * ground for v in corner)
    within = box(west, north - 2 * times * ground, west + 2 * times * ground, north).buffer(
        -WITHIN_M
    )
    gpd.GeoSeries([within.segmentize(1000)], crs=profile["crs"]).to_file(root / "region.gpkg")
    asked = world_study(world, name="scaling")
    asked["sources"] = [{**asked["sources"][0], "path": str(root / "*.tif")}]
    asked["region"] = {"file": str(root / "region.gpkg")}
    return Study.of({**asked, "grid": {"tile": tile}})


def noop(count: int) -> None:
    from distributed import LocalCluster

    _do_nothing("local, 2 processes", count, 2, EngineStudy(), None)
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0",
                      silence_logs=60) as cluster:  # fmt: skip
        settings = EngineStudy(kind="dask", scheduler=cluster.scheduler_address)
        _do_nothing("dask, 2 workers", count, 1, settings, os.getpid())


def _do_nothing(
    name: str, count: int, number: int, settings: EngineStudy, scheduler: int | None
) -> None:
    done = [0]

    def settle(_: int) -> None:
        done[0] += 1

    me = psutil.Process(scheduler)
    with Engine.of(0, number, settings) as engine:
        engine.each(Nothing(20), settle)  # everybody is there
        before, clock, cpu = me.memory_info().rss, time.monotonic(), time.process_time()
        engine.each(Nothing(count), settle)
        wall, busy = time.monotonic() - clock, time.process_time() - cpu
        grown = (me.memory_info().rss - before) / 1e6
    assert done[0] == count + 20
    print(f"{name}: {count} tasks, {1000 * wall / count:.2f} ms each by the clock, "
          f"{1000 * busy / count:.2f} ms CPU of the process that gives the work (and the scheduler "
          f"in it); memory {before / 1e6:.0f} MB and {grown:+.0f} MB")  # fmt: skip


def ask_status(root: Path, count: int, repeats: int) -> None:
    """`minetrace status` in a process of its own, on an index of so many artefacts."""
    run = RunFolder.at(root)
    run.study.write_text("name: scaling\n")
    with Ledger.open(run) as ledger:
        ledger.expect(())
        ledger.finish(done=True)
        ledger.settle()
    rows = (("composites", str(2000 + n % 25), f"32721-{n}", "failed" if n % 5000 == 0 else "done",
             "it could not be read" if n % 5000 == 0 else "", f"{n:032x}", f"{n:064x}",
             '{"wanted_px": 262144, "seen_px": 262144}') for n in range(count))  # fmt: skip
    with closing(sqlite3.connect(run.index)) as index, index:
        index.executemany("INSERT INTO artefacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    walls, cpus = [], []
    for _ in range(repeats):
        clock, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "minetrace", "status", str(root)],
                       check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - clock)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"status of {count} tasks: {min(walls):.2f} s, {min(cpus):.2f} CPU s (bar 2 s)")


@dataclass(frozen=True)
class Nothing(Sequence[Any]):
    """Tasks that do nothing to speak of, made when they are asked for."""

    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: Any) -> Any:
        return partial(operator.add, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["cost", "workers", "tiles", "noop", "status"])
    parser.add_argument("--size", type=int, help="of the country, px; default 1024, workers 2048")
    parser.add_argument("--tile", type=int, default=512, help="of `tiles`, px")
    parser.add_argument("--years", type=int, default=4, help="of `workers`")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if given.what == "noop":
            noop(given.tasks)
        elif given.what == "status":
            ask_status(root, given.tasks, given.repeats)
        elif given.what == "cost":
            cost(root, given.size or 1024)
        elif given.what == "workers":
            workers(root, given.size or 2048, given.years, given.repeats)
        else:
            tiles(root, given.tile, given.repeats)


if __name__ == "__main__":
    main()
