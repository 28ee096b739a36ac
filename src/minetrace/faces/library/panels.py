"""``minetrace.build_panel``: outlines of several periods to sites with an identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.period import Period
from minetrace.flow.panels import as_footprints, as_period
from minetrace.panel.build import IdentityRules
from minetrace.panel.build import build_panel as build

if TYPE_CHECKING:
    import geopandas as gpd


def build_panel(
    outlines: Mapping[Period | str | int, gpd.GeoDataFrame | Footprints | Path | str],
    *,
    extent: Extent | None = None,
    previous: gpd.GeoDataFrame | None = None,
    min_looked_share: float = 0.5,
    growth: float = 0.10,
) -> gpd.GeoDataFrame:
    """Give outlines of several periods an identity through time.

    Args:
        outlines: polygons per period: a GeoDataFrame, a vector file, or `Footprints`. A period is
            a year, a quarter such as ``"2021-q3"``, or a `Period`; name every period that there
            is, with an empty table where nothing was found.
        extent: ``"mined"`` if the outlines follow the mined ground, ``"footprint"`` if they are
            windows in which something was detected. Never guessed: give it, or a column of that
            name.
        previous: a panel made before; sites keep its names.
        min_looked_share: a site counts as looked at from this share of its ground on.
        growth: relative change of hectares that counts as growing or shrinking.

    Returns:
        EPSG:4326, one row per site and period: ``site_id, period, start, end, geometry, extent,
        area_ha | footprint_ha`` (geodesic), ``score_mean, score_max, looked_share, event, parents,
        first_period, first_p, last_period, last_p, verified``.

    Raises:
        OutlineError: a table is not of valid polygons with a CRS, or does not say its extent.
        PeriodError: a period cannot be understood, or two overlap.
    """
    rules = IdentityRules(min_looked_share=min_looked_share, growth=growth)
    given = {as_period(key): (str(key), value) for key, value in outlines.items()}
    footprints = {
        period: as_footprints(value, extent, origin=origin)
        for period, (origin, value) in given.items()
    }
    return build(footprints, previous=previous, rules=rules)
