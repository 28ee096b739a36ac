"""A panel of the made-up country beside what is true there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd

EQUAL_AREA = "EPSG:6933"
M2_A_HECTARE = 10_000.0


def rows(panel: Path, truth: Path, region: Path) -> Iterator[str]:
    """Lines of a Markdown table, one a year: hectares, and how much of them is true.

    Args:
        panel: a run's panel.parquet, of years.
        truth: truth.gpkg of the country, with the layer ``mines``.
        region: outline of the ground that counts.

    Yields:
        The head first. True share: of all mapped ground, how much is truly mined; found: of all
        truly mined ground, how much is mapped. In an equal-area projection, inside the region.
    """
    inside = gpd.read_file(region).to_crs(EQUAL_AREA).union_all()
    outlines = gpd.read_parquet(panel).to_crs(EQUAL_AREA)
    active = gpd.read_file(truth, layer="mines").to_crs(EQUAL_AREA).query("state == 'active'")
    yield "| year | mapped ha | true ha | true share | found |"
    yield "|---|--:|--:|--:|--:|"
    for year, mines in active.groupby("year"):
        own = outlines[outlines["period"] == str(year)]
        if own.empty:
            continue
        mined = mines.union_all().intersection(inside)
        mapped = own[own.geometry.notna()].union_all()
        both = mapped.intersection(mined).area
        shares = f"{both / max(mapped.area, 1.0):.0%} | {both / max(mined.area, 1.0):.0%}"
        hectares = f"{mapped.area / M2_A_HECTARE:.1f} | {mined.area / M2_A_HECTARE:.1f}"
        yield f"| {year} | {hectares} | {shares} |"
