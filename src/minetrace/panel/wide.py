"""The panel in other shapes: one row a site, and the columns of the tropical panel."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minetrace.errors import OutlineError
from minetrace.panel.overlap import HECTARES, LONLAT


def hectares_column(panel: pd.DataFrame) -> str:
    """The panel's column of hectares.

    Raises:
        OutlineError: it has none, or both kinds.
    """
    found = [name for name in HECTARES.values() if name in panel.columns]
    if len(found) != 1:
        raise OutlineError(
            "a panel has one column of hectares, area_ha or footprint_ha; this one has "
            f"{' and '.join(found) or 'none'}: build it with 'minetrace panel'"
        )
    return found[0]


def wide(panel: pd.DataFrame) -> pd.DataFrame:
    """One row per site: what is known of it, and its hectares in every period.

    Args:
        panel: one row per site and period.

    Returns:
        ``site_id``, ``name`` and ``country`` if the panel has them, ``extent``, ``first_period``,
        ``first_p``, ``last_period``, ``last_p``, ``periods`` with an outline, and a column such as
        ``area_ha_2019`` for each period, empty where the site was not looked at.
    """
    column = hectares_column(panel)
    about = ["name", "extent", "country", "first_period", "first_p", "last_period", "last_p"]
    known = [name for name in about if name in panel.columns]
    sites = panel.drop_duplicates("site_id").set_index("site_id")[known]
    outlined = panel["geometry"].notna().groupby(panel["site_id"]).sum()
    table = sites.assign(periods=outlined.reindex(sites.index))
    spread = panel.pivot(index="site_id", columns="period", values=column).reindex(sites.index)
    for label in panel.drop_duplicates("period").sort_values("start")["period"]:
        table[f"{column}_{str(label).replace('-', '_')}"] = spread[label]
    return table.reset_index()


def tropical(panel: gpd.GeoDataFrame, names: pd.Series | None = None) -> gpd.GeoDataFrame:
    """Outlines with the columns of the published panel of tropical mines.

    Args:
        panel: one row per site and period; with a column ``country`` if codes are wanted.
        names: of countries, by code.

    Returns:
        ``id`` (the site), ``iso_a3``, ``country_name``, ``year`` (of the period's first day; a
        panel of quarters keeps its label), ``area`` in square metres and the outline, one row per
        outline, EPSG:4326.

    Source: columns and their unit as the code of Sepin, Vashold & Kuschnig (2025) writes them; its
    areas are planar in Goode's homolosine, ours are geodesic.
    """
    outlined = panel[panel.geometry.notna()]
    codes = outlined["country"] if "country" in panel.columns else pd.Series(None, outlined.index)
    whole = (outlined["end"] - outlined["start"]).dt.days >= 365
    year = outlined["start"].dt.year.astype(object).where(whole, outlined["period"])
    shapes = np.asarray(outlined.geometry.to_numpy(), dtype=object)
    table = {
        "id": outlined["site_id"].to_numpy(),
        "iso_a3": codes.to_numpy(),
        "country_name": codes.map(names if names is not None else {}).to_numpy(),
        "year": year.to_numpy() if not whole.all() else outlined["start"].dt.year.to_numpy(),
        "area": outlined[hectares_column(panel)].to_numpy() * 10_000.0,
    }
    flat = gpd.GeoSeries(shapely.force_2d(shapes), crs=LONLAT)
    return gpd.GeoDataFrame(table, geometry=flat)
