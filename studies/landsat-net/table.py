"""Hectares of a map by year beside the truth, and how much of them is true.

    python table.py run

True share: of all mapped ground, how much is truly mined; found: of all truly mined ground, how
much is mapped. In an equal-area projection, inside the region.
"""

from __future__ import annotations

import sys
from pathlib import Path

import geopandas as gpd

EQUAL_AREA = "EPSG:6933"
M2_A_HECTARE = 10_000.0


def main(run: Path) -> None:
    region = gpd.read_file("region.geojson").to_crs(EQUAL_AREA).union_all()
    panel = gpd.read_parquet(run / "panel.parquet").to_crs(EQUAL_AREA)
    truth = gpd.read_file("truth.gpkg", layer="mines").to_crs(EQUAL_AREA)
    print("| year | mapped ha | true ha | true share | found |")
    print("|---|--:|--:|--:|--:|")
    for year, mines in truth[truth["state"] == "active"].groupby("year"):
        mined = mines.union_all().intersection(region)
        own = panel[panel["period"] == str(year)]
        if own.empty:
            continue
        mapped = own[own.geometry.notna()].union_all()
        both = mapped.intersection(mined).area
        shares = f"{both / max(mapped.area, 1.0):.0%} | {both / mined.area:.0%}"
        hectares = f"{mapped.area / M2_A_HECTARE:.1f} | {mined.area / M2_A_HECTARE:.1f}"
        print(f"| {year} | {hectares} | {shares} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
