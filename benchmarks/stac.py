"""How reading from a catalog overlaps with computing, and how many bytes it costs.

    python benchmarks/stac.py [--latency-ms 50] [--line-mbit 0] [--dates 12] [--side 2048]

A catalog of made-up scenes is served by another process of this machine with a latency and, with
``--line-mbit``, over a line of so many megabits a second that all requests share. Three runs
of the same composite in one process: reading alone, computing alone (from memory), and both as a
run does them.
A median takes much less time than its reading, so it is made so often that the two take as long:
the hardest case for doing both at once.
What keeps both from overlapping, seen on two cores: not the network and not what is read ahead. The
thread that reduces gets a sixth of a core while others read and decode, waiting for a core or for
the interpreter's lock: shorter turns, larger operations and a higher priority did not help, one
decoding thread at a time did in part.
Bars: wall <= 1.2 x the larger of the two alone; bytes <= 1.3 x the blocks that the region touches.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from affine import Affine
from pyproj import Transformer
from shapely.geometry import box

from minetrace.composites.blocks import blocks_for_budget
from minetrace.composites.methods import begin
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import Raster
from minetrace.flow.ahead import Ahead, in_order
from minetrace.flow.compositing import low_rows
from minetrace.flow.tasks import AHEAD_BUDGET, BLOCK_BUDGET, READING
from minetrace.sources.masks import dilate
from minetrace.sources.stac import StacSource
from minetrace.sources.stac_options import Quest, StacOptions
from minetrace.store.http import HttpOptions
from minetrace.store.tiff import parse
from minetrace.testing.stac_catalog import Shot, write_catalog
from minetrace.testing.stac_server import StacServer

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
CORNER = (345_010.0, 8_590_030.0)  # on the pixels of the lattice, but not on its blocks
UTM = "EPSG:32719"


def shots(dates: int, side: int) -> list[Shot]:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:side, 0:side]
    wave = 1500 + 500 * np.sin(x / 40) + 400 * np.cos(y / 31)
    made = []
    for number in range(dates):
        bands: dict[str, Any] = {
            band: (wave * (1 + i / 6) + rng.normal(0, 40, wave.shape)).astype(np.uint16)
            for i, band in enumerate(BANDS)
        }
        clouds = np.zeros((side, side), bool)
        for row, col in rng.integers(0, side, (12, 2)):
            clouds[row : row + side // 12, col : col + side // 9] = True
        bands["scl"] = np.where(dilate(clouds, 3), 9, 5).astype(np.uint8)
        day = date(2023, 1, 5) + timedelta(days=5 * number)
        affine = Affine(10, 0, CORNER[0], 0, -10, CORNER[1])
        made.append(Shot(f"S2A_19LCH_{day:%Y%m%d}_0_L2A", day, bands, affine, UTM, {}))
    return made


def _serve(folder: Path, latency_s: float, line_bytes_s: float | None, pipe: Any) -> None:
    with StacServer(folder, latency_s=latency_s, line_bytes_s=line_bytes_s) as served:
        pipe.send(served.url)
        while pipe.recv() == "seen":  # tell what was sent since the last time
            pipe.send((served.seen.bytes_sent, len(served.seen.requests)))
            served.forget()


@contextmanager
def serving(
    folder: Path, latency_s: float, line_mbit: float
) -> Iterator[tuple[str, Any, psutil.Process]]:
    """A server in a process of its own: its address, what it sent since last asked, the process."""
    here, there = multiprocessing.Pipe()
    start = multiprocessing.get_context("spawn").Process
    process = start(target=_serve, args=(folder, latency_s, line_mbit * 125e3 or None, there))
    process.start()

    def sent() -> tuple[int, int]:
        here.send("seen")
        told: tuple[int, int] = here.recv()
        return told

    yield here.recv(), sent, psutil.Process(process.pid)
    here.send("stop")
    process.join()


def compose(
    source: Any, rect: Rect, grid: Grid, at_once: int, work: int, *, pixels: Any = None
) -> float:
    """Seconds to read (unless pixels are given) and reduce every scene, strip by strip."""
    began = time.perf_counter()
    scenes = source.scenes()
    strips = strips_of(rect, len(scenes))
    jobs = [partial(source.read, scene, BANDS, grid, strip) for strip in strips for scene in scenes]
    looks = iter(pixels) if pixels is not None else in_order(jobs, ahead(at_once, rect.width))
    for strip in strips:
        composite = begin("median", 1)
        for scene in scenes:
            composite.feed((scene.day - date(2023, 1, 1)).days, next(looks))
        for _ in range(work):
            composite.result(BANDS, grid.geobox(strip))
    return time.perf_counter() - began


def ahead(at_once: int, width: int) -> Ahead:
    """As a run would read ahead."""
    look_bytes = 256 * width * (2 * len(BANDS) + 1)
    return Ahead.within(
        AHEAD_BUDGET, wanted=at_once, job_bytes=READING * look_bytes, result_bytes=look_bytes
    )


def read_all(source: Any, rect: Rect, grid: Grid, at_once: int) -> tuple[float, list[Raster]]:
    began = time.perf_counter()
    jobs = [partial(source.read, scene, BANDS, grid, strip)
            for strip in strips_of(rect, len(source.scenes()))
            for scene in source.scenes()]  # fmt: skip
    looks: deque[Raster] = deque(in_order(jobs, ahead(at_once, rect.width)))
    return time.perf_counter() - began, list(looks)


def strips_of(rect: Rect, dates: int) -> list[Rect]:
    """The pieces that a run would make it in."""
    rows = low_rows(dates, len(BANDS), rect)
    return blocks_for_budget(dates, len(BANDS), rect, BLOCK_BUDGET, most_rows=rows)


def busy_s(server: psutil.Process) -> tuple[float, float]:
    """Seconds of processor that we have used, and that the server has."""
    theirs = server.cpu_times()
    return time.process_time(), theirs.user + theirs.system


def touched_bytes(folder: Path, rect: Rect, grid: Grid) -> int:
    """Bytes of the blocks under a rectangle, over all files."""
    total = 0
    row, col = round(rect.row - (-CORNER[1] / 10)), round(rect.col - CORNER[0] / 10)
    for path in (folder / "data").rglob("*.tif"):
        content = path.read_bytes()
        layout = parse(lambda offset, length, content=content: content[offset : offset + length])
        inside = Rect(row, col, *rect.shape) & Rect(0, 0, layout.height, layout.width)
        numbers = layout.blocks(inside.row, inside.col, inside.height, inside.width)
        total += int(layout.counts[numbers].sum())
    return total


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--latency-ms", type=float, default=50.0)
    asked.add_argument("--line-mbit", type=float, default=0.0, help="0: as fast as it goes")
    asked.add_argument("--dates", type=int, default=12)
    asked.add_argument("--side", type=int, default=2048)
    asked.add_argument("--block", type=int, default=512)
    asked.add_argument("--per-host", type=int, default=8, help="requests at a time")
    asked.add_argument("--work", type=int, default=0, help="medians a strip; 0: as long as reading")
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="minetrace-stac-"))
    write_catalog(folder / "catalog", shots(given.dates, given.side), block_px=given.block)
    grid, http = Grid(UTM, 10.0), HttpOptions(per_host=given.per_host)
    inner = given.side * 5 // 8
    rect = Rect(-859_003 + 100, 34_501 + 100, inner, inner)
    to = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    lon, lat = to.transform(*CORNER)
    region = box(lon, lat - 0.1, lon + 0.1, lat)
    served = serving(folder / "catalog", given.latency_ms / 1000, given.line_mbit)
    with served as (url, sent, server):

        def source(name: str) -> StacSource:
            quest = Quest(region, region, ((date(2023, 1, 1), date(2024, 1, 1)),),
                          folder / "items", folder / name)  # fmt: skip
            return StacSource(StacOptions(url, "sentinel-2-c1-l2a", http=http), quest)

        alone = source("one")
        before = busy_s(server)
        read_s, looks = read_all(alone, rect, grid, alone.reads_ahead)
        ours_s, theirs_s = (b - a for a, b in zip(before, busy_s(server), strict=True))
        once_s = compose(alone, rect, grid, 1, 1, pixels=looks)
        work = given.work or max(1, round(read_s / once_s))
        compute_s = compose(alone, rect, grid, 1, work, pixels=looks)
        del looks
        both = source("two")
        sent()
        wall_s = compose(both, rect, grid, both.reads_ahead, work)
        sent_bytes, requests = sent()
        apart_s = compose(source("three"), rect, grid, 1, work)
    touched = touched_bytes(folder / "catalog", rect, grid)
    line = f"{given.line_mbit:g} Mbit/s" if given.line_mbit else "no limit to the line"
    print(f"{given.dates} dates x {len(BANDS)} bands x {inner}² px")
    print(f"{given.latency_ms:g} ms latency, {line}")
    print(f"reading alone    {read_s:7.2f} s; {ours_s:.2f} s of processor, and the server's "
          f"{theirs_s:.2f} s")  # fmt: skip
    print(f"computing alone  {compute_s:7.2f} s: the median made {work} times")
    print(f"both             {wall_s:7.2f} s = {wall_s / max(read_s, compute_s):.2f} x the larger")
    least = (ours_s + theirs_s + compute_s) / (os.cpu_count() or 1)
    print(f"all cores busy   {least:7.2f} s = {least / max(read_s, compute_s):.2f} x the larger: "
          "no machine with these cores can be faster")  # fmt: skip
    print(f"one by one       {apart_s:7.2f} s")
    print(f"bytes            {sent_bytes / 1e6:7.1f} MB = {sent_bytes / touched:.2f} x the blocks "
          f"touched ({touched / 1e6:.1f} MB), {requests} requests")  # fmt: skip
    print(f"load             {os.getloadavg()[0]:.1f} in the last minute, {os.cpu_count()} cores")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
