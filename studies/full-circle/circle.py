"""Run, review, cut chips from the answers, train, run again: do false alarms get fewer?

    python studies/full-circle/circle.py OUT

On the made-up country, where the truth is known. The first map is that of the built-in colour
rules; a scripted browser answers each of its detections in three years by the truth; a small
network learns from those answers alone, and maps the same years and one that nobody reviewed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
import yaml
from person import look

import minetrace as mt
from minetrace.core.footprints import geodesic_hectares
from minetrace.flow.chips import make_chips
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.train import train
from minetrace.flow.train_study import TrainStudy
from minetrace.testing.world import World, make_world, world_study

REVIEWED, FRESH = ("2019", "2020", "2021"), "2022"
A_MINE = 0.3  # of an outline truly mined: whoever looks says mine
FALSE = 0.1  # less than this of it: a false alarm


def main(out: Path) -> None:
    world = make_world(out / "world", seed=7, size_px=384, years=range(2019, 2023),
                       dates_per_year=4, blind_year=None)  # fmt: skip
    asked = world_study(world, name="circle")
    first = run(Study.of(asked), out / "first").out
    for year in REVIEWED:
        look(first, lambda item, y=year: verdict(first, world, item, y),
             "--detections", "--period", year, picture=out / f"page-{year}.png")  # fmt: skip
    chips = out / "chips"
    labels = [
        {"path": str(first / "review" / f"labels-detections-{year}.geojson"), "category": "class",
         "when": "period", "id": "id", "source": "review", "licence": "CC0-1.0"}
        for year in REVIEWED
    ]  # fmt: skip
    cut = Study.of({
        **asked, "periods": [int(y) for y in REVIEWED], "labels": labels,
        "chips": {"size": 64, "ring_m": 10, "background": 0.5, "apart": 0,
                  "split": {"kind": "blocks", "block_km": 0.64, "seed": 2}},
    })  # fmt: skip
    made = make_chips(cut, cut.labels, cut.chips, chips)
    print(f"chips from the answers: {dict(made.kinds)}, splits {dict(made.data.splits)}")
    recipe = {
        "name": "circle", "data": {"path": str(chips), "licence": "CC0-1.0"},
        "network": {"design": "unet", "width": 12, "depth": 2},
        "fit": {"window": 64, "batch": 8, "steps": 300, "every": 50, "rate": 0.005},
    }  # fmt: skip
    (out / "train.yaml").write_text(yaml.safe_dump(recipe))
    done = train(TrainStudy.of(recipe), out / "trained")
    again = run(Study.of({**asked, "model": {"path": str(done.model)}}), out / "again").out
    print(f"{'':>22} {'outlines':>9} {'false':>6} {'false ha':>9} {'missed ha':>10} {'true ha':>8}")
    for label, years in (("reviewed years", REVIEWED), (f"{FRESH}, not reviewed", (FRESH,))):
        for name, folder in (("before", first), ("after", again)):
            told = np.sum([errors(folder, world, year) for year in years], axis=0)
            print(f"{label:>15} {name:>6} {told[0]:9.0f} {told[1]:6.0f} {told[2]:9.2f} "
                  f"{told[3]:10.2f} {told[4]:8.2f}")  # fmt: skip


def verdict(folder: Path, world: World, item: str, year: str) -> str:
    """What somebody who knows the truth says of a detection."""
    site = item.partition("@")[0]
    rows = outlines(folder, year)
    shape = rows[rows["site_id"] == site].geometry.iloc[0]
    return "mine" if share(shape, truth(world, year)) >= A_MINE else "not"


def errors(folder: Path, world: World, year: str) -> tuple[float, float, float, float, float]:
    """Outlines, false ones, their hectares, truly mined hectares that are missed, and all."""
    true, rows = truth(world, year), outlines(folder, year)
    shapes = rows.geometry.to_numpy()
    wrong = np.array([share(shape, true) < FALSE for shape in shapes], dtype=bool)
    missed = shapely.difference(true, shapely.union_all(shapes))
    return len(rows), wrong.sum(), hectares(shapes[wrong]), hectares([missed]), hectares([true])


def outlines(folder: Path, year: str) -> gpd.GeoDataFrame:
    panel = mt.open_run(folder).panel()
    rows = panel[(panel["period"] == year) & panel.geometry.notna()]
    return rows[~rows.geometry.is_empty]


def truth(world: World, year: str) -> shapely.Geometry:
    region = gpd.read_file(world.region).geometry.iloc[0]
    mines = world.mines(int(year)).to_crs("EPSG:4326")
    return shapely.intersection(shapely.union_all(mines.geometry.to_numpy()), region)


def share(shape: shapely.Geometry, true: shapely.Geometry) -> float:
    return float(shapely.intersection(shape, true).area / shape.area)


def hectares(shapes: object) -> float:
    flat = np.array([p for s in np.atleast_1d(np.asarray(shapes, dtype=object))
                     for p in shapely.get_parts(s) if shapely.get_dimensions(p) == 2],
                    dtype=object)  # fmt: skip
    return float(geodesic_hectares(flat, "EPSG:4326").sum()) if len(flat) else 0.0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
