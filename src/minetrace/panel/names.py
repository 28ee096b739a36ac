"""The names that people gave their own outlines, kept on the sites that these became."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd

from minetrace.core.footprints import Footprints
from minetrace.core.region import project
from minetrace.panel.overlap import EQUAL_AREA, overlaps, sound

NAME = "name"


def named_sites(panel: gpd.GeoDataFrame, given: Mapping[str, Footprints]) -> pd.Series:
    """Name each site after the outlines that it was made of.

    Args:
        panel: one row per site and period.
        given: by label of a period, outlines with a column ``name``, None or empty where they
            have none, in any CRS.

    Returns:
        By ``site_id`` the name under which most of its ground was drawn, summed over the periods,
        the first in the alphabet among equals; None where nobody named it.
    """
    shares = []
    for label, outlines in given.items():
        here = panel[(panel["period"] == label) & panel.geometry.notna()]
        names = pd.Series(outlines.columns[NAME], dtype=object)
        known = np.flatnonzero(names.notna() & (names.astype(str).str.strip() != ""))
        sites = sound(project(here.geometry.to_numpy(), panel.crs.to_string(), EQUAL_AREA))
        drawn = sound(project(outlines.geometry[known], outlines.crs, EQUAL_AREA))
        pairs = overlaps(sites, drawn)
        shares.append(pd.DataFrame({
            "site_id": here["site_id"].to_numpy()[pairs.left],
            NAME: names.iloc[known].astype(str).str.strip().to_numpy()[pairs.right],
            "m2": pairs.area_m2.round(),
        }))  # fmt: skip
    total = pd.concat(shares).groupby(["site_id", NAME])["m2"].sum().reset_index()
    most = total.sort_values(["site_id", "m2", NAME], ascending=[True, False, True])
    found = most.drop_duplicates("site_id").set_index("site_id")[NAME]
    every: pd.Series = found.reindex(panel["site_id"].unique()).astype(object)
    every[every.isna()] = None
    return every
