"""Load on the service: vector tiles and features at a steady rate, by a client of its own.

The client is another process than the server, keeps to its timetable whether or not answers come
(so that a slow answer does not thin out the load), and counts time from when a request was due.
What it asks is written out before the clock starts, and answers are only counted, so that it takes
little of the two cores that it shares with the server. For a minute, and for the ten of the bar:

    python benchmarks/serve.py --seconds 60 --rate 200
    python benchmarks/serve.py --seconds 600 --rate 200 --parts 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import shapely
from geopandas import GeoDataFrame

PORT = 8391
SEED = 20261121
CONNECTIONS = 64
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


def make_panel(folder: Path, sites: int, years: int) -> None:
    """A made-up panel over ten by ten degrees, in the folder that 'minetrace panel' writes."""
    from minetrace.flow.panel_folder import PanelRequest, make_panel

    rng = np.random.default_rng(SEED)
    x, y = rng.uniform(-70, -60, sites), rng.uniform(-10, 0, sites)
    born, radius = rng.integers(0, years, sites), rng.lognormal(-6.2, 0.5, sites)
    inputs = []
    for year in range(years):
        here = born <= year
        shapes = shapely.buffer(shapely.points(x, y), radius * (0.8 + 0.05 * year), quad_segs=6)
        path = folder / f"{2016 + year}.geojson"
        GeoDataFrame(geometry=shapes[here], crs="EPSG:4326").to_file(path, driver="GeoJSON")
        inputs.append(f"{2016 + year}={path}")
    from minetrace.flow.entering import Choice

    make_panel(PanelRequest(inputs, choice=Choice(extent="mined")), folder / "panel")


def questions(rng: random.Random) -> str:
    """Half vector tiles where people look, half features of a view, a page or a filter."""
    lon, lat = rng.uniform(-70, -60), rng.uniform(-10, 0)
    if rng.random() < 0.5:
        z = rng.choice((5, 6, 7, 8, 9, 10, 11))
        x = int((lon + 180) / 360 * 2**z)
        north = np.arcsinh(np.tan(np.radians(lat))) / (2 * np.pi)
        return f"/tiles/panel/panel/{z}/{x}/{int((0.5 - north) * 2**z)}.mvt"
    side = rng.choice((0.1, 0.3, 1.0))
    box = f"bbox={lon:.3f},{lat:.3f},{min(lon + side, 180):.3f},{min(lat + side, 90):.3f}"
    kind = rng.choice(("panel", "sites"))
    more = rng.choice(("", "&datetime=2019-01-01", "&filter=area_ha%20%3E%202", "&limit=20"))
    return f"/api/collections/panel-{kind}/items?{box}{more}"


def written(path: str) -> bytes:
    """A request over a connection that is kept."""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost:{PORT}\r\nAccept-Encoding: gzip\r\n\r\n"
    return head.encode()


class Wire(asyncio.Protocol):
    """A connection with one question under way; says when its answer is whole."""

    def __init__(self, done: Callable[[Wire, int], None], lost: Callable[[Wire], None]) -> None:
        self._done, self._lost, self._heard, self._whole = done, lost, b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not self._whole:
            end = self._heard.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(self._heard, 0, end + 2)
            self._whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._heard) >= self._whole:
            status = int(self._heard[9:12])
            self._heard, self._whole = b"", 0
            self._done(self, status)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost(self)


async def load(rate: float, seconds: float, seed: int) -> dict[str, object]:
    """Send on time, and say how long answers took."""
    rng = random.Random(seed)
    asked = [questions(rng) for _ in range(int(rate * seconds))]
    sent = [written(path) for path in asked]
    took = np.full(len(asked), np.nan)
    status = np.zeros(len(asked), dtype=np.intp)
    free: list[Wire] = []
    waiting: deque[int] = deque()
    under_way: dict[Wire, int] = {}

    def answered(wire: Wire, code: int) -> None:
        number = under_way.pop(wire)
        took[number], status[number] = time.perf_counter() - due[number], code
        if waiting:
            ask(wire, waiting.popleft())
        else:
            free.append(wire)

    def ask(wire: Wire, number: int) -> None:
        under_way[wire] = number
        wire.transport.write(sent[number])

    def lost(wire: Wire) -> None:
        """The service closes what was idle: what it had not read is asked again, on the clock."""
        if wire in free:
            free.remove(wire)
        if (number := under_way.pop(wire, None)) is not None:
            waiting.appendleft(number)
        opening.append(loop.create_task(connect()))

    async def connect() -> None:
        _, wire = await loop.create_connection(lambda: Wire(answered, lost), "127.0.0.1", PORT)
        if waiting:
            ask(wire, waiting.popleft())
        else:
            free.append(wire)

    loop = asyncio.get_running_loop()
    opening: list[asyncio.Task[None]] = []
    for _ in range(CONNECTIONS):
        await connect()
    begun = time.perf_counter() + 0.1
    due = begun + np.arange(len(asked)) / rate
    for number, when in enumerate(due.tolist()):
        if (early := when - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        if free:
            ask(free.pop(), number)
        else:
            waiting.append(number)
    while under_way or waiting:
        await asyncio.sleep(0.01)
    lasted = time.perf_counter() - begun
    wrong = np.flatnonzero((status != 200) & (status != 204))
    tiles = np.array(["/tiles/" in path for path in asked])
    ms = 1000 * took
    return {
        "requests": len(asked), "per_s": round(len(asked) / lasted, 1), "wrong": len(wrong),
        "first_wrong": [f"{status[n]} {asked[n]}" for n in wrong[:3]], "all_ms": quantiles(ms),
        "mvt_ms": quantiles(ms[tiles]), "items_ms": quantiles(ms[~tiles]),
        "client_cpu_s": round(time.process_time(), 1),
    }  # fmt: skip


def quantiles(ms: np.ndarray) -> dict[str, float]:
    marks = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100}
    return {name: round(float(np.percentile(ms, q)), 1) for name, q in marks.items()}


def client(rate: float, seconds: float, seed: int) -> dict[str, object]:
    """The client as a process of its own."""
    words = [sys.executable, __file__, "--client"]
    words += [f"--rate={rate}", f"--seconds={seconds}", f"--seed={seed}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def up() -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api", timeout=2)
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the service did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--parts", type=int, default=4, help="memory is told after each")
    parser.add_argument("--sites", type=int, default=5_000)
    parser.add_argument("--years", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="a panel's folder that is there already")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.client:
        print(json.dumps(asyncio.run(load(asked.rate, asked.seconds, asked.seed))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder
        if folder is None:
            make_panel(Path(scratch), asked.sites, asked.years)
            folder = Path(scratch) / "panel"
        words = ["serve", str(folder), "--port", str(PORT), "--no-audit"]
        server = subprocess.Popen([sys.executable, "-m", "minetrace", *words])
        try:
            begun = time.perf_counter()
            up()
            print(f"up after {time.perf_counter() - begun:.1f} s", flush=True)
            watched = psutil.Process(server.pid)
            before = sum(watched.cpu_times()[:2])
            for part in range(asked.parts):  # each asks other questions
                told = client(asked.rate, asked.seconds / asked.parts, asked.seed + part)
                memory = watched.memory_info().rss / 2**20
                busy = sum(watched.cpu_times()[:2])
                each = round(
                    1000 * (busy - before) / int(asked.rate * asked.seconds / asked.parts), 2
                )
                before = busy
                print(json.dumps({**told, "rss_MiB": round(memory), "server_cpu_ms_each": each}),
                      flush=True)  # fmt: skip
            print(f"load average {psutil.getloadavg()}")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
