"""What work costs as there is more of it: per km², per worker, per task.

    python benchmarks/scaling.py cost [--size 1024]         CPU seconds and bytes of each stage
    python benchmarks/scaling.py workers [--size 1024]      two workers against one
    python benchmarks/scaling.py tiles [--size 2048]        4 tiles to 256: time per km²
    python benchmarks/scaling.py noop [--tasks 100000]      tasks that do nothing, on both engines

Run `workers` and `tiles` on a quiet machine: they measure the clock. `cost` counts CPU seconds of
one process and `noop` those of the process that gives the work, which a busy machine hardly moves.
"""

from __future__ import annotations

import argparse
import operator
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from minetrace.flow.engine import Engine
from minetrace.flow.report import Silent
from minetrace.flow.status import status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.study_engine import EngineStudy
from minetrace.testing.world import make_world, world_study


class CpuClock(Silent):
    """Notes the CPU seconds of each stage of this process."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._began = "", 0.0

    def start(self, stage: str, tasks: int, km2: float) -> None:
        self._stage, self._began = stage, time.process_time()

    def finish(self) -> None:
        self.seconds[self._stage] = time.process_time() - self._began


def study(root: Path, size: int, tile: int, **changes: Any) -> Study:
    world = make_world(root / f"world{size}", size_px=size, years=[2021], blind_year=None)
    return Study.of({**world_study(world, name="scaling"), "grid": {"tile": tile}, **changes})


def cost(root: Path, size: int) -> None:
    for model in ("spectral", "artisanal-gold-rgb"):
        clock, out = CpuClock(), root / model
        run(study(root, size, 512, model={"name": model}), out, reporter=clock)
        for stage in status(out).stages:
            if not stage.km2:
                continue
            kind = {"composites": "composites", "scores": "scores"}[stage.name]
            stored = sum(path.stat().st_size for path in (out / kind).rglob("*.tif"))
            print(f"{model:>20} {stage.name:>10}: {stage.km2:8.1f} km²  "
                  f"{clock.seconds[stage.name] / stage.km2 * 1000:8.2f} CPU s per 1,000 km²  "
                  f"{stage.bytes_read / stage.km2 / 1e3:8.1f} kB read, "
                  f"{stored / stage.km2 / 1e3:6.1f} kB stored per km²")  # fmt: skip
        rest = sum(s for n, s in clock.seconds.items() if n in ("outlines", "panel", "publish"))
        print(f"{model:>20} {'the rest':>10}: {rest:8.2f} CPU s")


def workers(root: Path, size: int) -> None:
    took = {}
    for count in (1, 2):
        asked = study(root, size, 256)
        run(asked, root / f"w{count}", workers=count)
        stages = {s.name: s.seconds for s in status(root / f"w{count}").stages}
        took[count] = stages["composites"] + stages["scores"]
        print(f"{count} workers: composites and scores {took[count]:.2f} s")
    print(f"two against one: {took[1] / took[2]:.2f} times as fast")


def tiles(root: Path, size: int) -> None:
    for side in (2, 4, 8, 16):
        here = size * side // 16
        run(study(root, max(256, here), size // 16), root / f"t{side}")
        made = {s.name: s for s in status(root / f"t{side}").stages}
        line = (f"{name} {1000 * made[name].seconds / made[name].km2:.1f} s per 1,000 km²"
                for name in ("composites", "scores"))  # fmt: skip
        print(f"{made['composites'].tiles:4d} tiles: {', '.join(line)}")


def noop(count: int) -> None:
    from distributed import LocalCluster

    _do_nothing("local, 2 processes", count, 2, EngineStudy(), None)
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None,
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
        engine.each(_nothing(20), settle)  # everybody is there
        before, clock, cpu = me.memory_info().rss, time.monotonic(), time.process_time()
        engine.each(_nothing(count), settle)
        wall, busy = time.monotonic() - clock, time.process_time() - cpu
        grown = (me.memory_info().rss - before) / 1e6
    assert done[0] == count + 20
    print(f"{name}: {count} tasks, {1000 * wall / count:.2f} ms each by the clock, "
          f"{1000 * busy / count:.2f} ms CPU of the process that gives the work (and the scheduler "
          f"in it); memory {before / 1e6:.0f} MB and {grown:+.0f} MB")  # fmt: skip


def _nothing(count: int) -> Iterator[Any]:
    """Tasks that do nothing to speak of, and that a worker can load."""
    return (partial(operator.add, number) for number in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["cost", "workers", "tiles", "noop"])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--tasks", type=int, default=100_000)
    given = parser.parse_args()
    if given.what == "noop":
        noop(given.tasks)
        return
    with tempfile.TemporaryDirectory() as folder:
        {"cost": cost, "workers": workers, "tiles": tiles}[given.what](Path(folder), given.size)


if __name__ == "__main__":
    main()
