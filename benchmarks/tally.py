"""Tally published outlines by country: exact, against the published table, and against geopandas.

    MINETRACE_DATA=.../data python benchmarks/tally.py

Prints three things: the largest relative difference of any cell from an equal-area overlay of the
same outlines, how the published table compares, cell by cell where it differs by more than 1 %,
and the time beside that of a plain ``geopandas.overlay`` in the same process.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minetrace.flow.entering import enter
from minetrace.panel.increments import build_new
from minetrace.panel.ledger import Ledger
from minetrace.panel.tally import tally
from minetrace.panel.territories import Territories
from minetrace.store.outlines import read_polygons

DATA = Path(os.environ.get("MINETRACE_DATA", "../shared/data")) / "amw-tallies"
EQUAL_AREA = "EPSG:6933"
ROUNDS = 2  # before and after the overlay, which takes long


def label(yyyyqq: int) -> str:
    year, quarter = divmod(yyyyqq, 100)
    return str(year) if quarter == 0 else f"{year}-q{quarter}"


def main() -> None:
    files = sorted(DATA.glob("mining_*_simplified.geojson"))
    outlines = pd.concat([gpd.read_file(file) for file in files], ignore_index=True)
    panel, parts = build_new(enter(files).footprints)
    ours = [timed(lambda: count(panel, parts)) for _ in range(ROUNDS)]
    slow, exact = timed(lambda: plain(outlines))
    ours += [timed(lambda: count(panel, parts)) for _ in range(ROUNDS)]
    found = ours[0][1]
    rel = (found / exact - 1).abs()
    print(f"{len(outlines):,} outlines, {len(exact)} cells")
    print(f"largest relative difference from an exact overlay: {rel.max():.2e}")
    against_published(found, parts)
    quick = float(np.median([seconds for seconds, _ in ours]))
    print(f"tally {quick:.2f} s, geopandas.overlay {slow:.2f} s: {slow / quick:.1f} times as long")
    print(f"load average: {os.getloadavg()[0]:.1f}")


def timed(work):  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def count(panel: gpd.GeoDataFrame, parts: gpd.GeoDataFrame) -> pd.Series:
    """From tables in memory to hectares by unit and period, as ``minetrace tally`` does."""
    territories = Territories.of(read_polygons(DATA / "national_admin.geojson"), id="id")
    table = tally(Ledger.of(panel, parts), territories)
    units = table[table["part"] == "territory"]
    return units.set_index(["territory", "period"])["new_ha"].sort_index()


def plain(outlines: gpd.GeoDataFrame) -> pd.Series:
    """The usual way: project both, overlay, share the hectares by area."""
    units = gpd.read_file(DATA / "national_admin.geojson")[["id", "geometry"]].to_crs(EQUAL_AREA)
    flat = outlines.to_crs(EQUAL_AREA)
    flat["density"] = flat["Mined area (ha)"] / flat.area
    cut = gpd.overlay(flat, units, how="intersection", keep_geom_type=True)
    cut["ha"] = cut["density"] * cut.area
    sums = cut.assign(period=cut["year"].map(label)).groupby(["id", "period"])["ha"].sum()
    sums.index.names = ["territory", "period"]
    return sums.sort_index()


def against_published(found: pd.Series, parts: gpd.GeoDataFrame) -> None:
    told = pd.DataFrame(json.loads((DATA / "national_admin_yearly.json").read_text()))
    told["period"] = told["admin_year"].map(label)
    published = told.set_index(["id", "period"])["intersected_area_ha"].sort_index()
    published.index.names = ["territory", "period"]
    rel = (found.reindex(published.index) / published - 1).abs()
    print(f"published table: median relative difference {rel.median():.3e}, "
          f"{(rel <= 0.01).sum()} of {len(rel)} cells within 1 %")  # fmt: skip
    far = rel[rel > 0.01].sort_values(ascending=False)
    reasons = border_shares(parts)
    for key, value in far.items():
        unit, period = key
        print(f"  {unit} {period}: {value:7.1%} ({found[key]:,.1f} ha counted, "
              f"{published[key]:,.1f} published; {reasons.get(key, 0):.0%} of it in outlines "
              "that cross the border)")  # fmt: skip


def border_shares(parts: gpd.GeoDataFrame) -> dict[tuple[str, str], float]:
    """Per unit and period, the share of hectares in outlines that cross the unit's border."""
    units = gpd.read_file(DATA / "national_admin.geojson")
    shares: dict[tuple[str, str], float] = {}
    shapes = np.asarray(parts.geometry.to_numpy(), dtype=object)
    hectares = parts["area_ha"].to_numpy()
    for unit, ground in zip(units["id"], units.geometry, strict=True):
        shapely.prepare(ground)
        touched, inside = shapely.intersects(ground, shapes), shapely.contains(ground, shapes)
        for period in parts["period"].unique():
            here = touched & (parts["period"] == period).to_numpy()
            total = hectares[here].sum()
            shares[unit, period] = float(hectares[here & ~inside].sum() / total) if total else 0.0
    return shares


if __name__ == "__main__":
    main()
