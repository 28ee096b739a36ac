"""Run the shipped model over the made-up country that it never saw, and count the mines it finds.

    python studies/artisanal-gold/country.py OUT [--model NAME_OR_PATH] [--size 1024]

Prints, for mines by size, the share that a footprint touches, the share of ground mapped, and the
share that as much ground would touch if it lay anywhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

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
    region = gpd.read_file(world.region).union_all()
    mines = world.mines().to_crs(4326)
    mines = mines[(mines["year"] != BLIND) & mines.representative_point().within(region)]
    hectares = geodesic_hectares(mines.geometry.to_numpy(), "EPSG:4326")
    years = {y: ground(panel, y) for y in mines["year"].unique()}
    touched = np.array([shapely.intersects(years[year], shape)
                        for year, shape in zip(mines["year"], mines.geometry, strict=True)])  # fmt: skip
    out = {}
    for low, high in SIZES_HA:
        here = (hectares >= low) & (hectares < high)
        name = f"{low:g} ha and more" if np.isinf(high) else f"{low:g} to {high:g} ha"
        out[name] = {"mines": int(here.sum()), "touched": float(touched[here].mean())}
    return out


def ground(panel: gpd.GeoDataFrame, year: int) -> shapely.Geometry:
    return shapely.union_all(panel.loc[panel["period"] == str(year)].geometry.dropna().to_numpy())


def mapped_share(world: World, panel: gpd.GeoDataFrame) -> dict[str, dict[str, float]]:
    """Of the region, by year, and how much of what is mapped is mined ground."""
    region = gpd.read_file(world.region).union_all()
    out = {}
    for year in world.years:
        shape = ground(panel, year)
        true = shapely.union_all(world.mines(year).to_crs(4326).geometry.to_numpy())
        shapes = gpd.GeoSeries([region, shape, shapely.intersection(shape, true)], crs=4326)
        whole, mapped, both = shapes.to_crs(CRS).area
        out[str(year)] = {
            "mapped": mapped / whole,
            "mined_in_mapped": both / mapped if mapped else 0.0,
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="artisanal-gold-rgb")
    parser.add_argument("--size", type=int, default=1024)
    given = parser.parse_args()
    world = find_or_make_world(given.out / "world", seed=7, size_px=given.size)
    study = {**world_study(world, name="country"), "model": {"name": given.model}}
    if Path(given.model).exists():
        study["model"] = {"path": str(Path(given.model).resolve())}
    folder = given.out / f"run-{Path(given.model).name}"
    summary = run(Study.of(study, base=given.out.resolve()), folder, workers=2)
    panel = read_table(summary.out / "panel.parquet")
    print(
        json.dumps({"found": found(world, panel), "ground": mapped_share(world, panel)}, indent=1)
    )


if __name__ == "__main__":
    main()
