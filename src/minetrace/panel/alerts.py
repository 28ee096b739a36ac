"""What is new in a period: sites that appear or come back, and sites that grew.

A site is compared with its own last outline that somebody saw, however long ago that was: over a
blind period nothing is new for having been hidden, only told late. What nobody saw in the period
itself is no alert, whatever other periods let one infer. Ground that came from another site, by
merging or splitting, is not new; nor is, for all that anybody knows, what stands on ground at which
nobody had looked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.region import project
from minetrace.errors import PeriodError
from minetrace.panel.overlap import EQUAL_AREA, LONLAT, sound
from minetrace.panel.wide import hectares_column

KINDS = {
    "new": "a site that was not there when its ground was looked at before",
    "first-seen": "a site on ground at which nobody had looked before",
    "grown": "a known site that covers more ground than when last seen",
    "returned": "a site that was seen without mining, and is mined again",
}


def alerts_of(
    panel: gpd.GeoDataFrame, period: str, *, min_ha: float = 0.0, growth: float = 0.10,
    min_looked_share: float = 0.5,
) -> gpd.GeoDataFrame:  # fmt: skip
    """The alerts of a period, the largest change first.

    Args:
        panel: one row per site and period, EPSG:4326.
        period: a label; what comes after it is not looked at.
        min_ha: leave out what adds less.
        growth: relative growth from which a site counts as grown.
        min_looked_share: an outline of which less was looked at was not seen.

    Returns:
        ``site_id``, ``kind``, ``period``, ``since`` (label of the outline it is compared with,
        None for a site without one), ``hectares``, ``before_ha`` (of sites that went into it, too),
        ``added_ha``, ``extent``, ``score_mean``, ``looked_share``, ``lon`` and ``lat`` of a point
        inside, ``added`` (ground that was not there before) and the outline, EPSG:4326.

    Raises:
        PeriodError: the panel has no such period.
    """
    starts = panel.drop_duplicates("period").set_index("period")["start"]
    if period not in starts.index:
        raise PeriodError(f"{period!r} is no period of the panel: {', '.join(starts.index)}")
    unseen = (panel["looked_share"] < min_looked_share).to_numpy(dtype=bool)
    seen = panel[panel.geometry.notna() & ~unseen].sort_values("start", kind="stable")
    past = seen[seen["start"] < starts[period]].groupby("site_id").tail(1)
    looked = set(panel.loc[~unseen & (panel["start"] < starts[period]), "site_id"].astype(str))
    last = {str(row["site_id"]): row for row in past.to_dict("records")}
    now = seen[seen["period"] == period].to_dict("records")
    column = hectares_column(panel)
    found = [fact for row in now if (fact := _alert(row, last, looked, column, growth, min_ha))]
    found.sort(key=lambda fact: (-fact["added_ha"], fact["site_id"]))
    names = ["site_id", "kind", "period", "since", "hectares", "before_ha", "added_ha", "extent",
             "score_mean", "looked_share", "lon", "lat", "added", "geometry"]  # fmt: skip
    columns = {name: pd.Series([fact[name] for fact in found], dtype=object) for name in names}
    return gpd.GeoDataFrame(columns, geometry="geometry", crs=LONLAT)


def _alert(
    row: Mapping[str, Any], last: Mapping[str, Mapping[str, Any]], looked: Set[str], column: str,
    growth: float, min_ha: float,
) -> dict[str, Any] | None:  # fmt: skip
    """What one outline tells; None if that is nothing new."""
    name, here = str(row["site_id"]), float(row[column])
    own = last.get(name)
    known = [last[site] for site in (name, *_parents(row["parents"])) if site in last]
    before = float(sum(old[column] for old in known))
    added, share = _added(row["geometry"], [old["geometry"] for old in known])
    added_ha = here * share
    if not known:
        kind = "new" if name in looked else "first-seen"
    elif row["event"] == "returns":
        kind = "returned"
    elif here > before * (1 + growth) or (own is None and share > growth):
        kind = "grown"
    else:
        return None
    if added_ha < min_ha:
        return None
    point = shapely.point_on_surface(row["geometry"])
    return {
        **{key: row[key] for key in ("period", "extent", "score_mean", "looked_share", "geometry")},
        "site_id": name, "kind": kind, "since": str(known[0]["period"]) if known else None,
        "hectares": here, "before_ha": before, "added_ha": added_ha, "added": added,
        "lon": round(point.x, 6), "lat": round(point.y, 6),
    }  # fmt: skip


def _parents(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from filter(None, value.split(";"))


def _added(outline: Any, before: list[Any]) -> tuple[Any, float]:
    """Ground of an outline that none of those before covered, and its share of the outline.

    Where it covers nothing more, or a site came back to its old ground, that is all of it.
    """
    flat = _flat([outline])[0]
    more = shapely.difference(flat, shapely.union_all(_flat(before))) if before else flat
    if more.is_empty or not flat.area:
        return outline, 0.0
    back = project(np.array([more], dtype=object), EQUAL_AREA, LONLAT)[0]
    return back, float(more.area / flat.area)


def _flat(shapes: list[Any]) -> NDArray[np.object_]:
    return sound(project(np.array(shapes, dtype=object), LONLAT, EQUAL_AREA))
