"""Link and tally many outlines over many periods: time per row, and memory.

    python benchmarks/panel_scale.py            # 10,000, 40,000 and 150,000 a period, 3 periods
    python benchmarks/panel_scale.py --full     # 150,000 a period, 9 periods

Each size runs in a process of its own, from files of outlines to a tally by country, and prints
seconds by the clock and of the processor, microseconds a row, and the peak of its memory; at the
end the sizes stand side by side. The outlines are made: rough blobs of 0.2 to 2,000 hectares in
clusters over the tropics, of which each year one in ten is missed, most grow, and all edges
flicker. More outlines cover more ground, as densely: else more of them would meet.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

VERTICES = 24
FIRST_YEAR = 2016
SIZES = (10_000, 40_000, 150_000)
FULL = 150_000, 9  # outlines a period, periods
TOLD = "measured.json"
WIDTH_DEG = 30 / 150_000  # of longitude, for each outline of a period


def made(count: int, periods: int, folder: Path) -> list[Path]:
    """Files of outlines, one a year."""
    rng = np.random.default_rng(20)
    towns = max(count // 60, 1)
    at = rng.integers(0, towns, count)
    lon0 = rng.uniform(-75, -75 + WIDTH_DEG * count, towns)
    lat0 = rng.uniform(-18, 6, towns)
    side = np.ceil(np.sqrt(np.bincount(at, minlength=towns).max()))
    place = np.zeros(count, dtype=int)
    for town in range(towns):
        mine = np.flatnonzero(at == town)
        place[mine] = np.arange(len(mine))
    area_ha = np.clip(rng.lognormal(1.5, 1.4, count), 0.2, 2000)
    radius_deg = np.sqrt(area_ha * 1e4 / np.pi) / 111_000
    step = 0.012
    lon = lon0[at] + step * (place % side) + rng.normal(0, 0.002, count)
    lat = lat0[at] + step * (place // side) + rng.normal(0, 0.002, count)
    shape = rng.uniform(0.6, 1.3, (count, VERTICES))
    turn = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    born = rng.integers(-periods, periods // 2, count)
    files = []
    for year in range(periods):
        age = np.clip(year - born, 0, None)
        there = (age > 0) & (rng.random(count) < 0.9) if year else rng.random(count) < 0.9
        there |= rng.random(count) < 0.35  # so that each year has about as many
        rough = shape * rng.uniform(0.95, 1.05, shape.shape)
        size = radius_deg * (1 + 0.04 * age)
        x = lon[:, None] + size[:, None] * rough * np.cos(turn)
        y = lat[:, None] + size[:, None] * rough * np.sin(turn)
        rings = np.stack([x, y], axis=-1)[there]
        table = gpd.GeoDataFrame(geometry=shapely.polygons(rings), crs="EPSG:4326")
        files.append(folder / f"mines_{FIRST_YEAR + year}.parquet")
        table.to_parquet(files[-1])
    return files


def work(files: list[Path], out: Path) -> None:
    """What two commands do: from files to a panel, and from the panel to a tally."""
    from minetrace.flow.entering import Choice
    from minetrace.flow.panel_folder import PanelRequest, make_panel
    from minetrace.flow.tallies import TallyRequest, write

    stages = []
    for name in ("panel", "tally"):
        began, cpu = time.perf_counter(), time.process_time()
        if name == "panel":
            request = PanelRequest(files, Choice(extent="mined"), everything=False)
            rows = len(make_panel(request, out).panel)
        else:
            write(TallyRequest([out]), out, ["csv"])
        stages.append((name, time.perf_counter() - began, time.process_time() - cpu))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        _, clock, processor = stages[-1]
        print(f"  {name}: {clock:.0f} s ({processor:.0f} s of processor), "
              f"peak so far {peak:.2f} GB", flush=True)  # fmt: skip
    outlines = sum(len(gpd.read_parquet(file)) for file in files)
    clock, processor = (sum(stage[i] for stage in stages) for i in (1, 2))
    print(f"  {outlines:,} outlines, {rows:,} rows: {clock:.0f} s, {clock / outlines * 1e6:.0f} us "
          f"an outline ({processor / outlines * 1e6:.0f} us of processor), "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    told = {"outlines": outlines, "clock_s": clock, "processor_s": processor, "peak_gb": peak}
    (out / TOLD).write_text(json.dumps(told))


def measured(size: int, periods: int) -> dict[str, float]:
    """One size in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = made(size, periods, Path(folder))
        print(f"{size:,} outlines at a time, {len(files)} periods", flush=True)
        subprocess.run([sys.executable, __file__, "--folder", folder], check=True)
        told: dict[str, float] = json.loads((Path(folder) / "panel" / TOLD).read_text())
        return told


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--periods", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="150,000 a period, 9 periods")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.folder:
        work(sorted(asked.folder.glob("mines_*.parquet")), asked.folder / "panel")
        return
    runs = [FULL] if asked.full else [(size, asked.periods) for size in asked.sizes]
    found = {size: measured(size, periods) for size, periods in runs}
    each = {size: told["processor_s"] / told["outlines"] * 1e6 for size, told in found.items()}
    print("a period   us of processor an outline   against the fewest   peak GB")
    for size, us in each.items():
        ratio = us / each[min(each)]
        print(f"{size:>8,} {us:>28.0f} {ratio:>20.2f} {found[size]['peak_gb']:>9.2f}")


if __name__ == "__main__":
    main()
