"""The country of a site: the one that holds most of its ground."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from minetrace.core.region import project
from minetrace.panel.overlap import EQUAL_AREA, sound
from minetrace.panel.pieces import cut
from minetrace.panel.territories import Territories


def countries_of(panel: gpd.GeoDataFrame, countries: Territories) -> pd.Series:
    """Name each site's country by largest overlap.

    Args:
        panel: one row per site and period.
        countries: one unit each.

    Returns:
        By ``site_id``, the id of the country that holds most of the site's largest outline, the
        first in the alphabet among equals; None where it lies in none.
    """
    outlined = panel[panel.geometry.notna()]
    flat = sound(project(outlined.geometry.to_numpy(), panel.crs.to_string(), EQUAL_AREA))
    area = pd.Series(shapely.area(flat), index=np.arange(len(flat)))
    largest = area.groupby(outlined["site_id"].to_numpy()).idxmax()
    rows = largest.to_numpy()
    near = countries.near(flat[rows])
    pieces = cut(flat[rows], area.to_numpy()[rows], near.shapes)
    found = pd.DataFrame({
        "site": pieces.row, "m2": pieces.area_m2, "unit": near.unit[pieces.cell].astype(str)
    }).sort_values(["site", "m2", "unit"], ascending=[True, False, True])  # fmt: skip
    first = found.drop_duplicates("site").set_index("site")["unit"]
    named = first.reindex(np.arange(len(rows))).astype(object)
    named[named.isna()] = None
    return pd.Series(named.to_numpy(), index=largest.index, name="country")
