"""Identity where each period tells only what was newly mined in it.

Such outlines never overlap those before them: they lie beside them. So a site is ground that holds
together within a reach, and an outline joins the oldest site that it comes near; what comes near
no site begins one. Several outlines of a period that join one site are one row of it.

Names are given forwards in time alone, as in ``minetrace.panel.identity``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.period import Period, ordered
from minetrace.panel.build import IdentityRules, extent_of, long_table, names_of
from minetrace.panel.gather import Outlines, gather
from minetrace.panel.identity import Sites
from minetrace.panel.overlap import HECTARES, LONLAT, Index
from minetrace.panel.rules.globe import groups, within

REACH_M = 10.0  # a pixel of Sentinel-2


@dataclass
class _Line:
    """Who has gone into whom; a site's number is its age."""

    into: list[int] = field(default_factory=list)

    def head(self, site: int) -> int:
        while self.into[site] != site:
            site = self.into[site]
        return site

    def begin(self) -> int:
        self.into.append(len(self.into))
        return self.into[-1]


def build_new(
    footprints: Mapping[Period, Footprints],
    *,
    extent: Extent | None = None,
    previous: gpd.GeoDataFrame | None = None,
    reach_m: float = REACH_M,
    rules: IdentityRules | None = None,
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Give newly mined ground an identity.

    Args:
        footprints: per period what was newly mined in it; as ``build_panel`` takes them.
        extent: what the outlines mean; default: what they say of themselves.
        previous: a panel made before, of which sites keep their names.
        reach_m: metres on the ground within which ground belongs together.
        rules: see ``IdentityRules``.

    Returns:
        A panel as ``build_panel`` makes it, with a column ``counts`` that says ``new``: hectares
        are those of the period alone, and a site without an outline stays. And the outlines that
        its rows were joined of, with ``site_id``, ``period`` and hectares.

    Raises:
        OutlineError: extents are mixed, or a geometry is not a valid polygon.
        PeriodError: periods overlap, or there are none.
    """
    periods = ordered(footprints)
    kind = extent_of(footprints, extent)
    labels = [period.label for period in periods]
    outlines = gather([footprints[period] for period in periods], labels, kind)
    own, sites = join(outlines, len(periods), reach_m=reach_m)
    rows = rows_of(outlines, own)
    names = names_of(rows, sites, periods, previous)
    shares = np.full((sites.count, len(periods)), np.nan)
    panel = long_table(rows, sites, periods, names, shares, kind, rules or IdentityRules(), "new")
    parts = {
        "site_id": names[own],
        "period": np.array(labels, dtype=object)[outlines.period],
        HECTARES[kind]: outlines.hectares,
    }
    geometry = gpd.GeoSeries(outlines.lonlat, crs=LONLAT)
    return panel, gpd.GeoDataFrame(parts, geometry=geometry)


def join(outlines: Outlines, periods: int, *, reach_m: float = REACH_M) -> tuple[Index, Sites]:
    """Give newly mined ground the number of its site.

    Args:
        outlines: of all periods.
        periods: how many there are.
        reach_m: metres on the ground within which ground belongs together.

    Returns:
        The site of every outline, and the sites as ``rows_of`` numbers their rows.
    """
    line, site = _Line(), np.full(len(outlines), -1, dtype=np.intp)
    merged: list[tuple[int, int, int]] = []
    for now in range(periods):
        here = outlines.of(now)
        known = np.arange(here[0]) if len(here) else here
        near = within(outlines.lonlat[known], outlines.lonlat[here], reach_m)
        beside = within(outlines.lonlat[here], outlines.lonlat[here], reach_m)
        heads = np.array([line.head(s) for s in site[known[near.left]]], dtype=np.intp)
        cluster = groups(
            len(here) + len(line.into),
            np.concatenate([beside.left, near.right]),
            np.concatenate([beside.right, len(here) + heads]),
        )
        merged += _settle(line, site, here, cluster, heads, now)
    return site, _sites(outlines, site, merged, len(line.into))


def _settle(
    line: _Line, site: Index, here: Index, cluster: Index, heads: Index, now: int
) -> list[tuple[int, int, int]]:
    """The oldest site of each cluster takes its outlines; the others go into it."""
    owner: dict[int, int] = {}
    merged = []
    for head in np.unique(heads).tolist():
        first = owner.setdefault(int(cluster[len(here) + head]), head)
        if first != head:
            line.into[head] = first
            merged.append((head, first, now))
    for outline, group in zip(here.tolist(), cluster[: len(here)].tolist(), strict=True):
        if group not in owner:
            owner[group] = line.begin()
        site[outline] = owner[group]
    return merged


def _sites(
    outlines: Outlines, site: Index, merged: list[tuple[int, int, int]], count: int
) -> Sites:
    period, number = _rows(outlines, site)
    sites = Sites(number, count=count)
    place = {key: row for row, key in enumerate(zip(period.tolist(), number.tolist(), strict=True))}
    for gone, into, now in merged:
        sites.merged.add((gone, now))
        sites.parents.setdefault(place[now, into], []).append(gone)
    return sites


def _rows(outlines: Outlines, site: Index) -> tuple[Index, Index]:
    """Period and site of each row, in order."""
    pairs = np.unique(np.column_stack([outlines.period, site]).reshape(-1, 2), axis=0)
    return pairs[:, 0].astype(np.intp), pairs[:, 1].astype(np.intp)


def rows_of(outlines: Outlines, site: Index) -> Outlines:
    """One row per site and period: the ground together, hectares added, scores averaged."""
    period, _ = _rows(outlines, site)
    order = np.lexsort((site, outlines.period))
    apart = [np.diff(key[order], prepend=-1) != 0 for key in (outlines.period, site)]
    starts = np.flatnonzero(apart[0] | apart[1])
    members = np.split(order, starts[1:]) if len(order) else []
    lonlat = np.empty(len(members), dtype=object)
    mean, top = np.full((2, len(members)), np.nan)
    for row, which in enumerate(members):
        lonlat[row] = _together(outlines.lonlat[which])
        known = which[np.isfinite(outlines.score_mean[which])]
        if len(known):
            mean[row] = np.average(
                outlines.score_mean[known], weights=np.maximum(outlines.hectares[known], 1e-9)
            )
            top[row] = np.max(outlines.score_max[known])
    hectares = np.add.reduceat(outlines.hectares[order], starts) if len(order) else np.empty(0)
    rule = outlines.rule[order[starts]] if len(order) else outlines.rule
    return Outlines(period, lonlat, np.asarray(hectares), mean, top, rule)


def _together(shapes: NDArray[np.object_]) -> shapely.Geometry:
    return shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
