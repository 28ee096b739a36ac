"""What a panel says of each period, in one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel.overlap import EQUAL_AREA, HECTARES

HARDLY = 0.05  # below this share nothing found means nothing


def summary(
    panel: gpd.GeoDataFrame,
    periods: Sequence[Period],
    looked: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Sites, hectares and share looked at, per period.

    Args:
        panel: what ``build_panel`` made.
        periods: in time order.
        looked: share of the region that was looked at, by period label. Without it the column
            holds the share of the ground of all sites, weighted by area.

    Returns:
        One row per period: ``period``, ``start``, ``end``, ``sites`` with an outline,
        ``not_looked`` (sites that nobody could look at), ``extent``, ``area_ha`` or
        ``footprint_ha`` of the outlines (NaN where next to nothing was looked at and nothing
        found), and ``looked_share``.

    Raises:
        OutlineError: the panel mixes extents.
    """
    kinds = set(panel["extent"]) or {"mined" if "area_ha" in panel.columns else "footprint"}
    if len(kinds) > 1:
        raise OutlineError("the panel mixes mined ground and footprints; sum up one kind at a time")
    extent = cast(Extent, kinds.pop())
    shares = _site_shares(panel) if looked is None else dict(looked)
    outlined = panel[panel.geometry.notna()]
    unseen = panel[panel["event"] == "not_looked"]
    rows = pd.DataFrame({
        "period": [period.label for period in periods],
        "start": [period.start.isoformat() for period in periods],
        "end": [period.end.isoformat() for period in periods],
        "sites": _per(periods, outlined.groupby("period").size()).astype(int),
        "not_looked": _per(periods, unseen.groupby("period").size()).astype(int),
        "extent": extent,
        HECTARES[extent]: _per(periods, outlined.groupby("period")[HECTARES[extent]].sum()),
        "looked_share": [float(shares.get(period.label, np.nan)) for period in periods],
    })  # fmt: skip
    blind = (rows["looked_share"] < HARDLY) & (rows["sites"] == 0)
    rows.loc[blind, HECTARES[extent]] = np.nan
    return rows


def _per(periods: Sequence[Period], values: pd.Series) -> NDArray[np.float64]:
    found = values.reindex([period.label for period in periods], fill_value=0)
    return found.to_numpy(dtype=np.float64)


def _site_shares(panel: gpd.GeoDataFrame) -> dict[str, float]:
    """Share of the sites' ground that was looked at: each site weighs as its largest outline."""
    flat = project(panel.geometry.to_numpy(), panel.crs.to_string(), EQUAL_AREA)
    size = pd.Series(np.nan_to_num(shapely.area(flat)), index=panel.index)
    weight = size.groupby(panel["site_id"]).transform("max")
    seen = (weight * panel["looked_share"]).groupby(panel["period"]).sum(min_count=1)
    return {str(k): float(v) for k, v in (seen / weight.groupby(panel["period"]).sum()).items()}
