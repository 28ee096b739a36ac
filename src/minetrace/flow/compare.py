"""What a release changed, as files and a map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import box

from minetrace.core.period import Period
from minetrace.flow.panel_folder import periods_of, read_panel
from minetrace.flow.report import versions
from minetrace.flow.tallies import TallyRequest, count
from minetrace.panel.compare import compare_periods, compare_sites, compare_tallies, ground_of
from minetrace.panel.overlap import HECTARES
from minetrace.panel.wide import hectares_column
from minetrace.publish.map import write_map
from minetrace.publish.tables import write_plain

_COLUMN_EXTENT = {column: extent for extent, column in HECTARES.items()}
EVER = {"old": "old-ever", "new": "new-ever"}  # periods of the map


@dataclass(frozen=True)
class Compared:
    """Two releases side by side.

    Attributes:
        sites: see ``minetrace.panel.compare.compare_sites``.
        periods: sites and hectares per period.
        territories: likewise per territory, if they were asked for.
        files: what was written.
    """

    sites: gpd.GeoDataFrame
    periods: pd.DataFrame
    territories: pd.DataFrame | None
    files: tuple[Path, ...]


def compare(
    old: Path, new: Path, out: Path, *, by: str | None = None, id: str = "iso_a3"
) -> Compared:
    """Compare two panels, and write ``sites.csv``, ``periods.csv``, ``territories.csv``, ``map/``.

    Args:
        old: a run, a panel's folder or file.
        new: likewise, the newer release.
        out: the folder to write.
        by: polygons of territories, or ``natural-earth``; default: none.
        id: the column that names a territory.

    Raises:
        UserError: a panel or layer cannot be used, or the extents differ.
    """
    before, after = read_panel(old), read_panel(new)
    periods = compare_periods(before, after)
    sites = compare_sites(ground_of(before), ground_of(after))
    files = [out / "sites.csv", out / "periods.csv"]
    write_plain(files[0], pd.DataFrame(sites.drop(columns="geometry")))
    write_plain(files[1], periods)
    territories = None
    if by is not None:
        tallies = (count(TallyRequest([side], by, id))[0] for side in (old, new))
        territories = compare_tallies(*tallies)
        files.append(out / "territories.csv")
        write_plain(files[2], territories)
    files.append(_map(out / "map", before, after, sites))
    return Compared(sites, periods, territories, tuple(files))


def _map(
    folder: Path, before: gpd.GeoDataFrame, after: gpd.GeoDataFrame, sites: gpd.GeoDataFrame
) -> Path:  # fmt: skip
    """The map of a run, with all that each release ever mapped in the place of periods."""
    column = hectares_column(after)
    spans = [_span(panel, EVER[name]) for panel, name in ((before, "old"), (after, "new"))]
    grounds = [ground_of(panel).set_index("site_id").geometry for panel in (before, after)]
    own_old = sites["ever_ha_old"].notna()
    own_new = sites["ever_ha_new"].notna()
    names = sites["site_new"].where(own_new, sites["site_old"])
    names = names.where(~(own_old & ~own_new), "old-" + names.astype(str))
    rows = []
    for name, own, ids, ground in (
        ("old", own_old, sites["site_old"], grounds[0]),
        ("new", own_new, sites["site_new"], grounds[1]),
    ):
        rows.append(gpd.GeoDataFrame({
            "site_id": names, "period": EVER[name], "extent": _COLUMN_EXTENT[column],
            column: sites[f"ever_ha_{name}"].fillna(0.0), "event": sites["change"],
            "geometry": np.where(own, ground.reindex(ids).to_numpy(), None),
        }, geometry="geometry", crs="EPSG:4326"))  # fmt: skip
    panel = pd.concat(rows, ignore_index=True)
    west, south, east, north = panel.total_bounds
    summary = [
        {"period": EVER[name], "sites": int(own.sum()), column: sites[f"ever_ha_{name}"].sum()}
        for name, own in (("old", own_old), ("new", own_new))
    ]  # fmt: skip
    return write_map(
        folder, title="Old and new release: all ground ever mapped", panel=panel, periods=spans,
        pictures={}, region=box(west - 0.01, south - 0.01, east + 0.01, north + 0.01),
        provenance={
            "shown": "all ground that each site ever covered, in either release; hectares of each "
            "period stand in periods.csv",
            "old": _told(before), "new": _told(after), "minetrace": versions()["minetrace"],
        },
        summary=summary, given="as given in the two releases",
    )  # fmt: skip


def _span(panel: pd.DataFrame, name: str) -> Period:
    line = periods_of(panel)
    return Period(line[0].start, line[-1].end, name)


def _told(panel: pd.DataFrame) -> str:
    labels = [period.label for period in periods_of(panel)]
    return f"{panel['site_id'].nunique():,} sites, {labels[0]} to {labels[-1]}"
