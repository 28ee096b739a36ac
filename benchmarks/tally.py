"""Tally published outlines by country: exact, against the published table, and against geopandas.

    MINETRACE_DATA=.../data python benchmarks/tally.py

Prints three things: the largest relative difference of any cell from an equal-area overlay of the
same outlines, how the published table compares, and the time beside that of a plain
``geopandas.overlay`` in the same process. Of every cell that differs from the published table by
more than 1 % it says which outlines at the edge of the country, left out, explain the difference,
and how many sets were tried, since of many sets some fit by chance.
"""

from __future__ import annotations

import itertools
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
EDGE_M = 1_500  # an outline so near to a border may have been given to the neighbour
MOST = 3  # outlines that are tried together
AS_PUBLISHED = 1e-5  # of a cell: as near as cells without such outlines are


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
    edges = Edges(parts)
    for unit, period in rel[rel > 0.01].sort_values(ascending=False).index:
        ours, theirs = found[unit, period], published[unit, period]
        print(f"  {unit} {period}: {ours:,.2f} ha counted, {theirs:,.2f} published, "
              f"{ours - theirs:+,.2f} ({rel[unit, period]:.1%}); "
              f"{edges.explain(unit, period, ours - theirs, theirs)}")  # fmt: skip


class Edges:
    """Outlines at the edges of countries, which a publisher may have given to a neighbour."""

    def __init__(self, parts: gpd.GeoDataFrame) -> None:
        self._period = parts["period"].to_numpy()
        self._hectares = parts["area_ha"].to_numpy()
        self._flat = parts.to_crs(EQUAL_AREA).geometry.to_numpy()
        self._middle = shapely.centroid(parts.geometry.to_numpy())
        units = gpd.read_file(DATA / "national_admin.geojson").to_crs(EQUAL_AREA)
        self._units = units.set_index("id").geometry

    def explain(self, unit: str, period: str, over_ha: float, published_ha: float) -> str:
        """The fewest outlines without which the cell is as published, or as near as it gets."""
        row, ha, away_m = self._near(unit, period)
        sets = [
            (len(some), abs(ha[list(some)].sum() - over_ha), some)
            for size in range(1, MOST + 1)
            for some in itertools.combinations(range(len(row)), size)
        ]
        close = [way for way in sets if way[1] <= AS_PUBLISHED * published_ha]
        _, rest, some = min(close) if close else min(sets, key=lambda way: way[0] + way[1])
        named = ", ".join(
            f"{ha[k]:.2f} ha at {self._middle[row[k]].x:.3f} {self._middle[row[k]].y:.3f}, "
            f"{away_m[k]:.0f} m from the edge" for k in some
        )  # fmt: skip
        return f"without {named}: {rest:.3f} ha off ({len(close)} of {len(sets):,} sets fit)"

    def _near(self, unit: str, period: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows at the edge with hectares in the unit: their number, hectares there, metres away."""
        ground, edge = self._units[unit], self._units[unit].boundary
        shapely.prepare(edge)
        row = np.flatnonzero(self._period == period)
        row = row[shapely.dwithin(edge, self._flat[row], EDGE_M)]
        away_m = shapely.distance(self._flat[row], edge)
        share = shapely.area(shapely.intersection(self._flat[row], ground))
        ha = self._hectares[row] * share / shapely.area(self._flat[row])
        return row[ha > 0.005], ha[ha > 0.005], away_m[ha > 0.005]


if __name__ == "__main__":
    main()
