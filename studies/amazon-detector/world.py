"""Make the inputs of this study: a made-up country in the form of the published files.

    python world.py [SIDE_PX]

Writes ``scenes/`` (imagery, three years), ``sampling_locations/collected_locations.geojson`` (points
with label, dates and split, in the columns of the published files), ``boundaries/`` (a folder of
region files), ``supplemental.geojson`` (a zone), ``territories.gpkg`` and ``legality.gpkg``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minetrace.testing.world import World, make_world

YEARS = (2020, 2021, 2022)
CLEAR_M, INSIDE, OUTSIDE = 700.0, 90, 110


def main(side_px: int) -> None:
    here = Path()
    world = make_world(here, size_px=side_px, years=YEARS, dates_per_year=6, blind_year=None)
    locations = sampling_locations(world, np.random.default_rng(5))
    folder = here / "sampling_locations"
    folder.mkdir(exist_ok=True)
    locations.to_file(folder / "collected_locations.geojson")
    places(world, here)
    counts = locations.groupby("label").size().to_dict()
    print(f"{len(locations)} sampling locations ({counts.get(1, 0)} mines), {len(YEARS)} years")


def sampling_locations(world: World, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Places on mines and far from them, each looked at in every year.

    A place is a mine in the years in which it lies on mined ground, and none in those in which there
    is none within ``CLEAR_M``; in other years nobody says anything of it.
    """
    ground = gpd.read_file(world.region).to_crs(world.mines().crs).union_all()
    every = [world.mines(year, state=None).union_all() for year in world.years]
    pits = world.mines(world.years[-1]).union_all()
    left, bottom, right, top = ground.bounds
    points = shapely.points(rng.uniform(left, right, 40_000), rng.uniform(bottom, top, 40_000))
    points = points[shapely.contains(ground, points)]
    on = points[shapely.contains(pits, points)][:INSIDE]
    off = points[shapely.distance(points, pits) > CLEAR_M][:OUTSIDE]
    places = np.concatenate([on, off])
    tables = []
    for year, mined in zip(world.years, every, strict=True):
        near = shapely.distance(places, mined)
        for label, chosen in ((1, near == 0), (0, near > CLEAR_M)):
            tables.append(pd.DataFrame({
                "source_file": f"oro-manso_{'positives' if label else 'negatives'}{year}.geojson",
                "label": label, "start_date": f"{year}-01-01 00:00:00",
                "end_date": f"{year + 1}-01-01 00:00:00", "split": "train",
                "clear_threshold": 0.75, "geometry": places[chosen],
            }))  # fmt: skip
    table = pd.concat(tables, ignore_index=True)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=world.mines().crs).to_crs(4326)


def places(world: World, here: Path) -> None:
    """Region files, a supplemental zone, territories and their legality classes."""
    ground = gpd.read_file(world.region).union_all()
    west, south, east, north = ground.bounds
    x, y = (west + east) / 2, (south + north) / 2
    halves = [shapely.box(west, south, x, north), shapely.box(x, south, east, north)]
    boundaries = here / "boundaries"
    boundaries.mkdir(exist_ok=True)
    for number, half in enumerate(halves, start=1):
        part = shapely.intersection(ground, half)
        gpd.GeoDataFrame(geometry=[part], crs=4326).to_file(boundaries / f"part_{number}.geojson")
    zone = shapely.intersection(ground, shapely.box(west, y, x, north))
    gpd.GeoDataFrame(geometry=[zone], crs=4326).to_file(here / "supplemental.geojson")
    names = {"code": ["OM1", "OM2"], "name": ["Oro Manso West", "Oro Manso East"]}
    gpd.GeoDataFrame(names, geometry=halves, crs=4326).to_file(here / "territories.gpkg")
    bands = [shapely.box(west, south, east, y), shapely.box(west, y, east, north)]
    law = {"status": ["prohibited", "with permit"]}
    gpd.GeoDataFrame(law, geometry=bands, crs=4326).to_file(here / "legality.gpkg")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 768)
