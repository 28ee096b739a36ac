"""Hectares of every panel by year beside the truth, and how much of them is true.

    python table.py panels/*

True share: of all mapped ground, how much is truly mined; found: of all truly mined ground, how
much is mapped. Both over all years, in an equal-area projection.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import shapely

EQUAL_AREA = "EPSG:6933"
M2_A_HECTARE = 10_000.0


def by_year(table: gpd.GeoDataFrame) -> dict[int, shapely.Geometry]:
    """The ground of each year, as one shape."""
    flat = table.to_crs(EQUAL_AREA)
    return {int(year): own.union_all() for year, own in flat.groupby("year").geometry}


def row(
    name: str, mapped: Mapping[int, shapely.Geometry], true: Mapping[int, shapely.Geometry]
) -> str:
    """A line of the table."""
    nothing = shapely.MultiPolygon()
    ground = [mapped.get(year, nothing) for year in true]
    both = sum(
        one.intersection(other).area for one, other in zip(ground, true.values(), strict=True)
    )
    share = both / max(sum(one.area for one in ground), 1.0)
    found = both / max(sum(one.area for one in true.values()), 1.0)
    hectares = " | ".join(f"{one.area / M2_A_HECTARE:.1f}" for one in ground)
    return f"| {name} | {hectares} | {share:.0%} | {found:.0%} |"


def main(panels: list[Path]) -> None:
    true = by_year(gpd.read_file("data/truth.gpkg"))
    print(f"| panel | {' | '.join(f'{year} ha' for year in true)} | true share | found |")
    print("|---|" + "--:|" * (len(true) + 2))
    for panel in panels:
        print(row(panel.name, by_year(gpd.read_file(panel / "tropical.gpkg")), true))
    print(row("truth", true, true))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
