"""Load on the service: vector tiles and features at a steady rate, by a client of its own.

The client is another process than the server, keeps to its timetable whether or not answers come
(so that a slow answer does not thin out the load), and counts time from when a request was due.

    python benchmarks/serve.py --seconds 60 --rate 200
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
from pathlib import Path

import numpy as np
import psutil
import shapely
from geopandas import GeoDataFrame

PORT = 8391
SEED = 20261121
CONNECTIONS = 64
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


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


async def ask(wire: Wire, path: str) -> int:
    """One request over a connection that is kept; a plain client leaves the cores to the server."""
    reader, writer = wire
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost:{PORT}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = re.search(r"\r\ncontent-length: (\d+)", head)
    if length:
        await reader.readexactly(int(length[1]))
    return int(head.split()[1])


async def load(rate: float, seconds: float, seed: int) -> dict[str, object]:
    """Send on time, and say how long answers took."""
    rng = random.Random(seed)
    took: dict[str, list[float]] = {"mvt": [], "items": []}
    wrong: list[str] = []
    free: asyncio.Queue[Wire] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", PORT))

    async def one(path: str, due: float) -> None:
        wire = await free.get()
        status = await ask(wire, path)
        free.put_nowait(wire)
        if status not in (200, 204):
            wrong.append(f"{status} {path}")
        took["mvt" if "/tiles/" in path else "items"].append(time.perf_counter() - due)

    begun, count = time.perf_counter() + 0.1, int(rate * seconds)
    tasks = set()
    for number in range(count):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(questions(rng), due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    lasted = time.perf_counter() - begun
    every = np.array(took["mvt"] + took["items"]) * 1000
    return {
        "requests": count, "per_s": round(count / lasted, 1), "wrong": len(wrong),
        "first_wrong": wrong[:3], "all_ms": quantiles(every),
        **{f"{kind}_ms": quantiles(np.array(times) * 1000) for kind, times in took.items()},
    }  # fmt: skip


def quantiles(ms: np.ndarray) -> dict[str, float]:
    marks = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100}
    return {name: round(float(np.percentile(ms, q)), 1) for name, q in marks.items()}


def client(rate: float, seconds: float, seed: int) -> dict[str, object]:
    """The client as a process of its own."""
    words = [
        sys.executable,
        __file__,
        "--client",
        "--rate",
        str(rate),
        "--seconds",
        str(seconds),
        "--seed",
        str(seed),
    ]
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
            for part in range(asked.parts):  # each asks other questions
                told = client(asked.rate, asked.seconds / asked.parts, asked.seed + part)
                memory = watched.memory_info().rss / 2**20
                busy = sum(watched.cpu_times()[:2])
                print(json.dumps({**told, "rss_MiB": round(memory), "cpu_s": round(busy, 1)}),
                      flush=True)  # fmt: skip
            print(f"load average {psutil.getloadavg()}")
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
