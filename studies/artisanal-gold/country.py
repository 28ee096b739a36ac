"""Run the shipped model over the made-up country that it never saw, and count the mines it finds.

    python studies/artisanal-gold/country.py OUT [--model NAME_OR_PATH] [--delineate] [--size 1024]

Prints, for mines by size, the share that is touched, beside the share that the same outlines touch
when they are turned and flipped about the country's middle; and per year the ground mapped, with
its recall and precision.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from shapely import affinity

from minetrace.core.footprints import geodesic_hectares
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.outlines import read_table
from minetrace.testing.world import World, find_or_make_world, world_study

SIZES_HA = ((0.0, 2.0), (2.0, 5.0), (5.0, 10.0), (10.0, np.inf))
BLIND = 2022
CRS = "EPSG:32719"  # of the country


def found(world: World, panel: gpd.GeoDataFrame) -> dict[str, dict[str, float]]:
    """By size of mine: how many mine-years there are inside the region and how many are touched."""
    region = gpd.read_file(world.region).to_crs(CRS).union_all()
    mines = world.mines().to_crs(CRS)
    mines = mines[(mines["year"] != BLIND) & mines.representative_point().within(region)]
    hectares = geodesic_hectares(mines.geometry.to_numpy(), CRS)
    placed = {year: [ground(panel, year), *elsewhere(ground(panel, year), region)]
              for year in mines["year"].unique()}  # fmt: skip
    touched = np.array([shapely.intersects(placed[year], shape)
                        for year, shape in zip(mines["year"], mines.geometry, strict=True)])  # fmt: skip
    out = {}
    for low, high in SIZES_HA:
        here = (hectares >= low) & (hectares < high)
        name = f"{low:g} ha and more" if np.isinf(high) else f"{low:g} to {high:g} ha"
        out[name] = {
            "mines": int(here.sum()),
            "touched": float(touched[here, 0].mean()),
            "touched_elsewhere": float(touched[here, 1:].mean()),
        }
    return out


def elsewhere(shape: shapely.Geometry, region: shapely.Geometry) -> list[shapely.Geometry]:
    """The same ground turned and flipped about the middle of the region, in seven ways."""
    x, y = (region.bounds[i] + region.bounds[i + 2] for i in (0, 1))
    turned = [affinity.rotate(shape, 90 * k, origin=(x / 2, y / 2)) for k in range(4)]
    return [*turned[1:], *(affinity.scale(t, -1, 1, origin=(x / 2, y / 2)) for t in turned)]


def ground(panel: gpd.GeoDataFrame, year: int) -> shapely.Geometry:
    rows = panel.loc[panel["period"] == str(year)].geometry.dropna()
    return rows.to_crs(CRS).union_all()


def by_year(world: World, panel: gpd.GeoDataFrame) -> dict[str, dict[str, float]]:
    """Ground mapped and mined inside the region, and how far they are the same."""
    region = gpd.read_file(world.region).to_crs(CRS).union_all()
    out = {}
    for year in world.years:
        shape = ground(panel, year)
        true = world.mines(year).to_crs(CRS).union_all() & region
        mapped, mined, both = (g.area / 1e4 for g in (shape, true, shape & true))
        out[str(year)] = {
            "mapped_ha": mapped, "mined_ha": mined, "share_of_region": shape.area / region.area,
            "recall": both / mined, "precision": both / mapped if mapped else 0.0,
        }  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="artisanal-gold-rgb")
    parser.add_argument("--delineate", action="store_true", help="outline the ground inside")
    parser.add_argument("--size", type=int, default=1024)
    given = parser.parse_args()
    world = find_or_make_world(given.out / "world", seed=7, size_px=given.size)
    study = {**world_study(world, name="country"), "model": {"name": given.model}}
    if Path(given.model).exists():
        study["model"] = {"path": str(Path(given.model).resolve())}
    study["delineate"] = given.delineate
    folder = given.out / f"run-{Path(given.model).name}{'-delineated' if given.delineate else ''}"
    summary = run(Study.of(study, base=given.out.resolve()), folder, workers=2)
    panel = read_table(summary.out / "panel.parquet")
    said = {"found": found(world, panel), "years": by_year(world, panel)}
    print(json.dumps(rounded(said), indent=1))


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
