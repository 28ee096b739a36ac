"""Outlines of several periods to one panel: a row for every site and period.

The table is long and without gaps, so that absence is never ambiguous: where a site has no
outline, its hectares are 0 if its ground was looked at, and NaN if it was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.period import Period, ordered
from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel import identity
from minetrace.panel.events import events
from minetrace.panel.gather import Outlines, gather
from minetrace.panel.overlap import EQUAL_AREA, HECTARES, LONLAT, Index

__all__ = ["Counts", "IdentityRules", "Looked", "build_panel"]

Counts = Literal["present", "new"]
Looked = Callable[[Period, NDArray[np.object_]], NDArray[np.float64]]
"""Share of each geometry (EPSG:4326) with enough looks in a period, 0 to 1."""


@dataclass(frozen=True)
class IdentityRules:
    """When a site counts as looked at, and what counts as growing.

    Attributes:
        min_looked_share: a site without an outline is absent if at least this share of its ground
            was looked at; below it, nobody knows.
        growth: relative change of hectares, from when it was last seen, that counts as growing
            or shrinking.
    """

    min_looked_share: float = 0.5
    growth: float = 0.10


def build_panel(
    footprints: Mapping[Period, Footprints],
    *,
    extent: Extent | None = None,
    looked: Looked | None = None,
    previous: gpd.GeoDataFrame | None = None,
    rules: IdentityRules | None = None,
) -> gpd.GeoDataFrame:
    """Give outlines an identity through time.

    Each outline of a period is one site in that period. Sites are followed by largest overlap
    with the outline in which they were last seen, over blind periods and absences; see
    ``minetrace.panel.identity`` for the rule and ``minetrace.panel.events`` for the words.

    Args:
        footprints: outlines per period, in any CRS; a blind period has none. Give every period
            of the study: a period that is not a key does not exist.
        extent: what the outlines mean; default: what they say of themselves.
        looked: asked for the share of each site's ground that was looked at in each period.
            Without it nobody can say: ``looked_share`` is NaN, and a site without an outline
            is taken as absent.
        previous: the panel as stored before; sites that share most ground with one of its sites
            in the periods that both have take over its name.
        rules: see ``IdentityRules``.

    Returns:
        EPSG:4326, one row per site and period, ordered by the site's first period, its name, and
        time:
        ``site_id``, ``period``; ``start`` and ``end`` (the first day after it); ``geometry``,
        None where the site has no outline; ``extent``; ``area_ha`` if it is ``mined``, else
        ``footprint_ha``, geodesic; ``score_mean``, ``score_max``; ``looked_share`` of the site's
        union over all periods; ``event``; ``parents``, names joined by ``;`` or null;
        ``first_period``, ``last_period`` with an outline; ``first_p``, ``last_p``, NaN until
        scores are decoded through time; ``verified``, null until somebody has looked.

    Raises:
        OutlineError: extents are mixed, or a geometry is not a valid polygon.
        PeriodError: periods overlap, or there are none.
    """
    rules = rules or IdentityRules()
    periods = ordered(footprints)
    kind = extent_of(footprints, extent)
    rows = gather([footprints[period] for period in periods], [p.label for p in periods], kind)

    def seen_gone(now: int, outlines: Index) -> NDArray[np.bool_]:
        if looked is None:
            return np.ones(len(outlines), dtype=bool)
        return np.asarray(looked(periods[now], rows.lonlat[outlines]) >= rules.min_looked_share)

    sites = identity.link(rows, len(periods), seen_gone)
    names = names_of(rows, sites, periods, previous)
    shares = _shares(rows, sites, periods, looked)
    return long_table(rows, sites, periods, names, shares, kind, rules)


def extent_of(footprints: Mapping[Period, Footprints], extent: Extent | None) -> Extent:
    """What outlines mean, which all of them have to agree on."""
    kinds = {f.extent for f in footprints.values() if len(f)} or {
        f.extent for f in footprints.values()
    }
    if extent is not None:
        kinds.add(extent)
    if len(kinds) > 1:
        raise OutlineError(
            "outlines of mined ground and footprints of detections cannot share a panel, because "
            "their hectares mean different things; build one panel of each"
        )
    return kinds.pop()


def _shares(
    rows: Outlines, sites: identity.Sites, periods: tuple[Period, ...], looked: Looked | None
) -> NDArray[np.float64]:
    """(sites, periods) share of each site's union over all periods that was looked at."""
    shares = np.full((sites.count, len(periods)), np.nan)
    if looked is None or not sites.count:
        return shares
    ground = _unions(rows, sites)
    for now, period in enumerate(periods):
        shares[:, now] = looked(period, ground)
    return shares


def _unions(rows: Outlines, sites: identity.Sites) -> NDArray[np.object_]:
    """(sites,) all ground that each site ever covered, EPSG:4326."""
    ground = np.full(sites.count, None, dtype=object)
    for now in np.unique(rows.period):
        here = np.flatnonzero(rows.period == now)
        site = sites.site[here]
        before = ground[site]
        known = ~shapely.is_missing(before)
        ground[site[~known]] = rows.lonlat[here[~known]]
        ground[site[known]] = shapely.union(before[known], rows.lonlat[here[known]])
    return ground


def names_of(
    rows: Outlines, sites: identity.Sites, periods: tuple[Period, ...],
    previous: gpd.GeoDataFrame | None,
) -> NDArray[np.object_]:  # fmt: skip
    """(sites,) the name of each: taken over from the stored panel, or minted."""
    _, first = np.unique(sites.site, return_index=True)
    names = np.full(sites.count, None, dtype=object)
    taken: set[str] = set()
    if previous is not None and len(previous) and sites.count:
        names, taken = _stored_names(rows, sites, periods, previous)
    new = np.flatnonzero([name is None for name in names])
    labels = [periods[rows.period[first[site]]].label for site in new]
    points = shapely.point_on_surface(rows.lonlat[first[new]])
    names[new] = identity.mint(labels, shapely.get_x(points), shapely.get_y(points), taken)
    return names


def _stored_names(
    rows: Outlines, sites: identity.Sites, periods: tuple[Period, ...], previous: gpd.GeoDataFrame
) -> tuple[NDArray[np.object_], set[str]]:
    known = previous[previous.geometry.notna()].sort_values(["start", "site_id"], kind="stable")
    number, ids = pd.factorize(known["site_id"])  # numbered by first outline: the oldest first
    place = {period.label: i for i, period in enumerate(periods)}
    when = np.array([place.get(label, -1) for label in known["period"]], dtype=np.intp)
    shapes = project(known.geometry.to_numpy(), known.crs.to_string(), EQUAL_AREA)
    stored = identity.adopt(
        np.asarray(shapes, dtype=object), number.astype(np.intp), when,
        rows, sites.site, np.arange(len(ids)), sites.count,
    )  # fmt: skip
    names = np.array([str(ids[i]) if i >= 0 else None for i in stored], dtype=object)
    return names, {str(name) for name in ids}


def long_table(
    rows: Outlines, sites: identity.Sites, periods: tuple[Period, ...], names: NDArray[np.object_],
    shares: NDArray[np.float64], extent: Extent, rules: IdentityRules,
    counts: Counts = "present",
) -> gpd.GeoDataFrame:  # fmt: skip
    """The long table: sites by periods, flattened."""
    shape = (sites.count, len(periods))
    outline = np.full(shape, -1, dtype=np.intp)
    outline[sites.site, rows.period] = np.arange(len(rows.period))
    present = outline >= 0
    seen = np.isnan(shares) | (shares >= rules.min_looked_share)
    merged = np.zeros(shape, dtype=bool)
    for site, now in sites.merged:
        merged[site, now] = True
    split, merging = (np.isin(outline, list(which)) & present
                      for which in (sites.split, sites.parents))  # fmt: skip
    hectares = _at(rows.hectares, outline, 0.0)
    there, size = (present, hectares) if counts == "present" else _so_far(present, hectares, merged)
    words = events(there, seen, size, split=split, merging=merging, merged=merged,
                   growth=rules.growth)  # fmt: skip
    hectares[words == "not_looked"] = np.nan
    first = present.argmax(axis=1)
    last = len(periods) - 1 - present[:, ::-1].argmax(axis=1)
    labels = np.array([period.label for period in periods], dtype=object)
    flat = outline.ravel()
    long: dict[str, Any] = {
        "site_id": np.repeat(names, len(periods)),
        "period": np.tile(labels, sites.count),
        "start": np.tile(_days([p.start for p in periods]), sites.count),
        "end": np.tile(_days([p.end for p in periods]), sites.count),
        "geometry": gpd.GeoSeries(_at(rows.lonlat, flat, None), crs=LONLAT),
        "extent": np.full(flat.shape, extent, dtype=object),
        HECTARES[extent]: hectares.ravel(),
        "score_mean": _at(rows.score_mean, flat, np.nan),
        "score_max": _at(rows.score_max, flat, np.nan),
        "looked_share": shares.ravel(),
        "event": words.ravel(),
        "parents": _parents(flat, sites.parents, names),
        "first_period": np.repeat(labels[first], len(periods)),
        "first_p": np.full(flat.shape, np.nan),
        "last_period": np.repeat(labels[last], len(periods)),
        "last_p": np.full(flat.shape, np.nan),
        "verified": pd.array(np.zeros(len(flat), dtype=bool), dtype="boolean"),
    }
    long["verified"][:] = pd.NA
    if (~pd.isna(rows.rule)).any():
        long["rule"] = _at(rows.rule, flat, None)
    if counts == "new":
        long["counts"] = np.full(flat.shape, counts, dtype=object)
    table = gpd.GeoDataFrame(long, geometry="geometry", crs=LONLAT)
    born, time = np.repeat(first, len(periods)), np.tile(np.arange(len(periods)), sites.count)
    order = np.lexsort((time, table["site_id"].to_numpy(str), born))
    return table.iloc[order].reset_index(drop=True)


def _so_far(
    present: NDArray[np.bool_], hectares: NDArray[np.float64], merged: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Ground that was ever mined is still there, until its site goes into another."""
    gone = np.logical_or.accumulate(merged, axis=1)
    return np.logical_or.accumulate(present, axis=1) & ~gone, np.cumsum(hectares, axis=1)


def _at(values: NDArray[Any], outline: Index, missing: float | None) -> NDArray[Any]:
    """A value per cell: the outline's own, or what stands for none."""
    padded = np.append(values, np.array([missing], dtype=values.dtype))
    return np.asarray(padded[outline])  # -1, no outline, is the last


def _days(dates: list[object]) -> NDArray[np.datetime64]:
    return np.array(dates, dtype="datetime64[D]").astype("datetime64[ms]")


def _parents(
    outline: Index, parents: Mapping[int, list[int]], names: NDArray[np.object_]
) -> NDArray[np.object_]:
    joined = {
        number: ";".join(sorted({str(names[site]) for site in sites}))
        for number, sites in parents.items()
    }
    return np.array([joined.get(number) for number in outline.tolist()], dtype=object)
