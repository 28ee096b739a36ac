"""Draw a square around each mine of an inventory, three times as wide as the mine: a region.

    python boxes.py data/mining_polygons.gpkg data/boxes.geojson

The published workflow looks nowhere else. Squares are those of the basemaps' projection.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd
import shapely

TIMES = 3.0
BASEMAP = "EPSG:3857"


def boxes(mines: gpd.GeoSeries) -> gpd.GeoSeries:
    """One square a mine, EPSG:4326; those of neighbours may overlap."""
    edges = mines.to_crs(BASEMAP).bounds
    middle_x, middle_y = (edges.minx + edges.maxx) / 2, (edges.miny + edges.maxy) / 2
    half = (edges.maxx - edges.minx).combine(edges.maxy - edges.miny, max) * TIMES / 2
    squares = shapely.box(middle_x - half, middle_y - half, middle_x + half, middle_y + half)
    return gpd.GeoSeries(squares, crs=BASEMAP).to_crs("EPSG:4326")


if __name__ == "__main__":
    inventory, out = map(Path, sys.argv[1:])
    boxes(gpd.read_file(inventory).geometry).to_file(out, driver="GeoJSON")
