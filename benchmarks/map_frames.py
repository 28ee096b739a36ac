"""How smoothly the map of 150,000 sites moves, in headless Chromium.

    python benchmarks/map_frames.py [--sites 150000] [--periods 4] [--out FOLDER] [--seconds 6]

Writes the map of a made-up panel, opens it from disk, pans, zooms and moves the slider, and reports
the time between frames, beside the same page with a panel of one site: where there is no graphics
card the browser draws with the processor, and that part is not ours. What the page's own thread
does in a frame is told apart. A folder given with --out is
kept, and its tiles are used again. Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minetrace.core.period import Period
from minetrace.publish.map import write_map

WEST, SOUTH, EAST, NORTH = -74.0, -14.0, -50.0, 2.0
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
VERTICES = 30
METRES_PER_DEGREE = 111_320.0

# Times of frames while something is done; the last of each is waited for.
WATCH = """async ([what, seconds]) => {
  const map = minetrace.map, times = [], work = [], render = map._render;
  map._render = function (...told) {
    const began = performance.now();
    const answer = render.apply(this, told);
    work.push(performance.now() - began);
    return answer;
  };
  let last = performance.now(), on = true;
  const tick = (now) => {
    times.push(now - last);
    last = now;
    if (on) requestAnimationFrame(tick);
  };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(tick); });
  const end = performance.now() + 1000 * seconds;
  const rest = (ms) => new Promise((done) => setTimeout(done, ms));
  const labels = minetraceData.periods.map((period) => period.label);
  for (let i = 0; performance.now() < end; i++) {
    const back = i % 2 ? -1 : 1;
    const by = [420 * back, i % 4 < 2 ? 160 : -160];
    if (what === "pan") map.panBy(by, { duration: 900 });
    if (what === "zoom") map.easeTo({ zoom: map.getZoom() + 1.6 * back, duration: 900 });
    if (what !== "slider") await rest(900);
    if (what === "slider") { minetrace.setPeriod(labels[i % labels.length]); await rest(350); }
  }
  on = false;
  map._render = render;
  return [times.slice(1), work];
}"""


def made_up(count: int, periods: int) -> tuple[gpd.GeoDataFrame, list[Period]]:
    """Ragged sites in clusters, most of them there from some period on, growing."""
    rng = np.random.default_rng(7)
    years = [Period.year(2025 - periods + i) for i in range(periods)]
    centres = rng.uniform((WEST + 1, SOUTH + 1), (EAST - 1, NORTH - 1), (max(1, count // 250), 2))
    place = centres[rng.integers(0, len(centres), count)] + rng.normal(0, 0.12, (count, 2))
    angle = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    wave = sum(
        rng.uniform(0, 0.28 / k, (count, 1)) * np.sin(k * angle + rng.uniform(0, 6, (count, 1)))
        for k in range(2, 6)
    )
    ray = rng.lognormal(-7.0, 0.6, (count, 1)) * (1 + wave)
    ring = np.stack([ray * np.cos(angle), ray * np.sin(angle)], axis=-1)
    first = np.minimum(rng.integers(0, periods + 2, count) - 2, periods - 1).clip(0)
    ids = [f"m{i:07d}" for i in range(count)]
    return pd.concat(
        [_rows(place, ring, first, at, years, ids) for at in range(periods)], ignore_index=True
    ), years


def _rows(
    place: np.ndarray, ring: np.ndarray, first: np.ndarray, at: int, years: list[Period],
    ids: list[str],
) -> gpd.GeoDataFrame:  # fmt: skip
    shapes = shapely.polygons(place[:, None] + ring * (0.7 + 0.12 * (at - first))[:, None, None])
    there = first <= at
    shrink = np.cos(np.radians(place[:, 1]))
    hectares = shapely.area(shapes) * METRES_PER_DEGREE**2 * shrink / 1e4
    return gpd.GeoDataFrame(
        {
            "site_id": ids, "period": years[at].label, "extent": "mined",
            "area_ha": np.where(there, hectares, 0.0), "score_mean": 0.8, "score_max": 0.95,
            "looked_share": 1.0, "event": np.where(there, "grows", "absent"),
            "first_period": [years[i].label for i in first], "last_period": years[-1].label,
        },
        geometry=np.where(there, shapes, None), crs="EPSG:4326",
    )  # fmt: skip


def written(folder: Path, panel: gpd.GeoDataFrame, years: list[Period]) -> Path:
    rows = [
        {"period": year.label, "looked_share": 1.0,
         "sites": int((panel[panel.period == year.label].area_ha > 0).sum()),
         "area_ha": float(panel[panel.period == year.label].area_ha.sum())}
        for year in years
    ]  # fmt: skip
    return write_map(
        folder, title="Frames", panel=panel, periods=years, pictures={},
        region=shapely.box(WEST, SOUTH, EAST, NORTH), provenance={"model": "made up"}, summary=rows,
    )  # fmt: skip


@contextmanager
def opened(index: Path, at: str) -> Iterator[tuple[Any, float]]:
    """The page, and seconds until its map stood."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("MINETRACE_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: print("page error:", error))
        began = time.perf_counter()
        page.goto(f"{index.as_uri()}#at={at}")
        page.evaluate("minetrace.ready")
        yield page, time.perf_counter() - began
        browser.close()


def frames(index: Path, places: dict[str, str], seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, at in places.items():
        with opened(index, at) as (page, open_s):
            found[f"{name}: open"] = f"{open_s:.2f} s"
            for what in ("pan", "zoom", "slider"):
                times, work = map(np.array, page.evaluate(WATCH, [what, seconds]))
                found[f"{name}: {what}"] = (
                    f"median {np.median(times):5.1f} ms, p95 {np.percentile(times, 95):6.1f} ms, "
                    f"longest {times.max():6.0f} ms, {len(times)} frames; in the page's own thread "
                    f"median {np.median(work):4.1f} ms, p95 {np.percentile(work, 95):5.1f} ms"
                )
    return found


def sizes(folder: Path) -> dict[str, str]:
    groups = {"data.js": "data.js", "panel.pmtiles": "panel.pmtiles",
              "sites/": "sites/*", "panel-pmtiles/": "panel-pmtiles/*"}  # fmt: skip
    return {
        name: f"{sum(path.stat().st_size for path in folder.glob(pattern)) / 1e6:.1f} MB"
        for name, pattern in groups.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=150_000)
    parser.add_argument("--periods", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    with TemporaryDirectory() as scratch:
        out = told.out or Path(scratch)
        panel, years = made_up(told.sites, told.periods)
        print(f"{told.sites} sites, {int(panel.geometry.notna().sum())} outlines", flush=True)
        began = time.perf_counter()
        index = written(out / "full", panel, years)
        print(f"written in {time.perf_counter() - began:.0f} s, peak "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")  # fmt: skip
        one = panel[panel.site_id == panel.site_id.iloc[0]]
        empty = written(out / "empty", one, years)
        dense = panel.geometry[panel.period == years[-1].label].iloc[0].centroid
        places = {
            "all": "3.6/-6.0/-62.0",
            "region": f"7.5/{dense.y:.3f}/{dense.x:.3f}",
            "near": f"10.5/{dense.y:.3f}/{dense.x:.3f}",
        }
        print(json.dumps(sizes(out / "full"), indent=1), flush=True)
        for name, page in (("150,000 sites", index), ("one site", empty)):
            print(name, json.dumps(frames(page, places, told.seconds), indent=1), flush=True)


if __name__ == "__main__":
    main()
