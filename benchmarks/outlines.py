"""Outlines over tiles against polygonising the whole raster at once, measured in turn.

    python benchmarks/outlines.py [--sides 4096 8192 16384] [--repeats 3]

The whole raster: `rasterio.features.shapes` (4-connected), shapely polygons, mean and highest score
by rasterising the polygons' numbers back, geodesic hectares. Over tiles: the same, by `outlines`.
Shown beside: shapes() and hectares alone, and the whole raster as one tile of our own tracer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio.features
import shapely

from minetrace.core.footprints import Footprints
from minetrace.core.grid import Grid, Rect
from minetrace.testing.noise import spectral
from minetrace.vectors.outlines import OutlineRules, outlines

GRID = Grid("EPSG:32719", 10.0)
RULES = OutlineRules(threshold=0.6)
TILE_PX, PATCH_PX = 2048, 4096
BARS = {1: 1.15, 2: 0.8}


@dataclass(frozen=True)
class Stored:
    """Scores in a file that processes share."""

    path: Path

    def __call__(self, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        scores = np.load(self.path, mmap_mode="r")
        here = np.asarray(scores[rect.row : rect.row_stop, rect.col : rect.col_stop])
        return here, here


def store(folder: Path, side: int) -> Stored:
    """Smooth noise; repeated beyond 4096 pixels, where it goes on without a step."""
    patch = min(side, PATCH_PX)
    noise = spectral(np.random.default_rng(1), patch, beta=2.5, longest_px=200, shortest_px=20)
    scores = (10_000 / (1 + np.exp(-noise))).astype(np.uint16)
    path = folder / f"{side}.npy"
    np.save(path, np.tile(scores, (side // patch,) * 2))
    return Stored(path)


def tiles(side: int, size: int) -> list[Rect]:
    return [Rect(r, c, size, size) for r in range(0, side, size) for c in range(0, side, size)]


def shapes_alone(read: Stored, side: int) -> list[Any]:
    scores, _ = read(Rect(0, 0, side, side))
    mask = scores >= round(RULES.threshold * 10_000)
    affine = GRID.affine(Rect(0, 0, side, side))
    found = rasterio.features.shapes(
        mask.view(np.uint8), mask=mask, connectivity=4, transform=affine
    )
    return [ring["coordinates"] for ring, _ in found]


def at_once(read: Stored, side: int) -> Footprints:
    """Polygons, means and highest scores of the whole raster."""
    geometry = as_polygons(shapes_alone(read, side))
    scores, _ = read(Rect(0, 0, side, side))
    mask = scores >= round(RULES.threshold * 10_000)
    number = rasterio.features.rasterize(
        zip(geometry, range(1, len(geometry) + 1), strict=True), mask.shape,
        transform=GRID.affine(Rect(0, 0, side, side)), dtype=np.int32,
    )[mask]  # fmt: skip
    ground = scores[mask]
    count = np.bincount(number, minlength=len(geometry) + 1)[1:]
    total = np.bincount(number, ground, minlength=len(geometry) + 1)[1:]
    highest = np.zeros(len(geometry) + 1, np.uint16)
    np.maximum.at(highest, number, ground)
    made = Footprints(
        shapely.normalize(geometry), GRID.crs, "mined",
        {"score_mean": total / count / 10_000, "score_max": highest[1:] / 10_000},
    )  # fmt: skip
    return made.with_columns(area_ha=made.hectares)


def as_polygons(shapes: list[Any]) -> np.ndarray:
    """GeoJSON coordinates to polygons, in bulk: the fastest way shapely has."""
    coords = np.concatenate([np.asarray(ring) for rings in shapes for ring in rings])
    rings = np.cumsum([0] + [len(ring) for rings in shapes for ring in rings])
    parts = np.cumsum([0] + [len(rings) for rings in shapes])
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, coords, (rings, parts))


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def check(read: Stored, side: int) -> None:
    """Both ways give the same polygons and scores."""
    whole = at_once(read, side)
    found = outlines(tiles(side, TILE_PX), read, GRID, RULES, "mined")
    ours, theirs = shapely.to_wkb(found.geometry), shapely.to_wkb(whole.geometry)
    a, b = np.argsort(ours), np.argsort(theirs)
    assert (ours[a] == theirs[b]).all()
    for name in whole.columns:
        np.testing.assert_allclose(found.columns[name][a], whole.columns[name][b], rtol=1e-12)
    geometry = whole.geometry
    print(f"{side}: {len(whole)} outlines, {shapely.get_num_coordinates(geometry).sum()} vertices, "
          "equal polygons and scores")  # fmt: skip


def measure(read: Stored, side: int, repeats: int) -> None:
    cut = tiles(side, TILE_PX)
    found = outlines(cut, read, GRID, RULES, "mined")
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(abs, range(8)))
        ways: dict[str, Callable[[], Any]] = {
            "whole raster": lambda: at_once(read, side),
            "tiles, 1 process": lambda: outlines(cut, read, GRID, RULES, "mined"),
            "tiles, 2 processes": lambda: outlines(cut, read, GRID, RULES, "mined", map=pool.map),
            "shapes() alone": lambda: shapes_alone(read, side),
            "hectares alone": lambda: found.hectares,
            "one tile": lambda: outlines(tiles(side, side), read, GRID, RULES, "mined"),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, work in ways.items():
                took[name].append(seconds(work))
    best = {name: min(times) for name, times in took.items()}
    for name, time_s in best.items():
        print(f"{side}  {name:20} {time_s:7.2f} s   {time_s / best['whole raster']:.2f} x")
    least = best["shapes() alone"] + best["hectares alone"]
    for processes, bar in BARS.items():
        name = f"tiles, {processes} process" + "es" * (processes > 1)
        ratio = best[name] / best["whole raster"]
        print(
            f"{side}  {name}: {ratio:.2f} of at most {bar}: {'ok' if ratio <= bar else 'MISSED'} "
            f"({best[name] / least:.2f} if the whole raster's polygons and scores cost nothing)"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sides", type=int, nargs="+", default=[4096, 8192, 16384])
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    with TemporaryDirectory() as folder:
        for side in chosen.sides:
            read = store(Path(folder), side)
            check(read, side)
            measure(read, side, chosen.repeats)


if __name__ == "__main__":
    main()
