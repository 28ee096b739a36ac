"""Say of each chip in which part it is, by a fixed list of mines.

    python parts.py chips data/mining_polygons.gpkg data/parts.csv > list.csv

``parts.csv`` has columns ``id`` and ``split``, as the folders of the published data set divide its
images, which are named by the mine in their middle. A chip goes where the nearest mine does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import pandas as pd


def parts(chips: gpd.GeoDataFrame, mines: gpd.GeoDataFrame, list_: pd.DataFrame) -> pd.DataFrame:
    """Columns ``name`` and ``split``, a row a chip."""
    metres = mines.estimate_utm_crs()
    near = gpd.sjoin_nearest(chips.to_crs(metres)[["name", "geometry"]], mines.to_crs(metres))
    near["id"], list_["id"] = near["id"].astype(str), list_["id"].astype(str)
    near = near.merge(list_, on="id").sort_values(["name", "id"])
    return near.drop_duplicates("name")[["name", "split"]]


if __name__ == "__main__":
    folder, inventory, fixed = map(Path, sys.argv[1:])
    frames, mines = gpd.read_file(folder / "chips.geojson"), gpd.read_file(inventory)
    if "id" not in mines:  # then their scripts number the rows
        mines["id"] = mines.index
    list_ = pd.read_csv(fixed)
    if not {"id", "split"} <= set(list_.columns):
        raise SystemExit(f"{fixed}: wants the columns id and split")
    told = parts(frames, mines[["id", "geometry"]], list_)
    if told.empty:
        raise SystemExit(f"{fixed}: names no mine of {inventory} by its column id")
    told.to_csv(sys.stdout, index=False)
