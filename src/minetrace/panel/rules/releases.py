"""Cumulative layers, and what is new between one release and the next.

Ground that has been mined stays in a cumulative layer; a difference is what a release adds to it.
Differences of two maps are mostly slivers, so a difference has to reach a minimum of hectares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent, Footprints, geodesic_hectares
from minetrace.core.period import Period, ordered
from minetrace.errors import OutlineError, PeriodError, StudyError
from minetrace.panel.rules.globe import LONLAT, Shapes, lonlat

AREA_COLUMN: dict[Extent, str] = {"mined": "area_ha", "footprint": "footprint_ha"}
_AS_MEASURED = 0.02  # of the hectares enclosed: what is told so closely was measured
Base = Literal["previous", "full-year"]


def by_year(footprints: Mapping[Period, Footprints]) -> dict[Period, Footprints]:
    """The ground of all periods of a calendar year as one, for each year that has some.

    Raises:
        PeriodError: a period reaches over the new year, so that it is of no one year.
        OutlineError: hectares were told, or mined ground and footprints are mixed.
    """
    _refuse_told(footprints)
    parts: dict[Period, list[Footprints]] = {}
    for period in ordered(footprints):
        if period.start.year != period.last_day.year:
            raise PeriodError(
                f"period {period.label!r} reaches from {period.start.year} into "
                f"{period.last_day.year}; group quarters or years, or leave it out"
            )
        parts.setdefault(Period.year(period.start.year), []).append(footprints[period])
    return {year: _united(found) for year, found in parts.items()}


def ground_through(footprints: Mapping[Period, Footprints], year: int) -> Footprints:
    """All ground of the periods that end with a full year or before it.

    Args:
        footprints: outlines per period: years, quarters or any windows.
        year: the last full year that counts.

    Raises:
        PeriodError: no period ends by then.
        OutlineError: hectares were told, or mined ground and footprints are mixed.
    """
    _refuse_told(footprints)
    end = Period.year(year).end
    parts = [footprints[period] for period in ordered(footprints) if period.end <= end]
    if not parts:
        raise PeriodError(f"no period ends by the end of {year}; give a later year")
    return _united(parts)


def cumulative(footprints: Mapping[Period, Footprints]) -> dict[Period, Footprints]:
    """For each period all ground of it and of every period before it.

    Returns:
        Dissolved outlines in EPSG:4326 with ``area_ha`` or ``footprint_ha``, geodesic, and the
        scores of what they were made of: the mean, weighted by ground, and the highest.

    Raises:
        OutlineError: hectares were told, or mined ground and footprints are mixed.
    """
    _refuse_told(footprints)
    layers: dict[Period, Footprints] = {}
    parts: list[Footprints] = []
    for period in ordered(footprints):
        parts = [_united([*parts, footprints[period]])]
        layers[period] = parts[0]
    return layers


def differences(
    footprints: Mapping[Period, Footprints], *, min_ha: float = 11.0, base: Base = "previous"
) -> dict[Period, Footprints]:
    """What each release adds to all that was there before.

    Args:
        footprints: outlines per period.
        min_ha: connected parts below it are left out; 11 ha is what was published.
        base: what a period is compared with: ``previous`` all periods before it, ``full-year``
            only those that end with a full year before its own, so that each quarter shows all
            that is new since the year began.

    Returns:
        Outlines in EPSG:4326, one row per connected part, with geodesic hectares. The first
        period adds all that it has.

    Raises:
        OutlineError: hectares were told, or mined ground and footprints are mixed.
        StudyError: ``min_ha`` is negative, or ``base`` neither word.
    """
    if not 0 <= min_ha < np.inf:
        raise StudyError(f"min_ha is {min_ha}; give hectares, 0 or more")
    if base not in ("previous", "full-year"):
        raise StudyError(f"base is {base!r}; give previous or full-year")
    _refuse_told(footprints)
    line = ordered(footprints)
    news = {}
    for period in line:
        limit = period.start if base == "previous" else period.start.replace(month=1, day=1)
        before = [footprints[p] for p in line if p.end <= limit]
        news[period] = _added(footprints[period], before, min_ha)
    return news


def _refuse_told(footprints: Mapping[Period, Footprints]) -> None:
    """Raise where outlines enclose other hectares than they are said to have.

    Where mined hectares were told of outlines around them, nobody knows which part of an outline is
    mined: of a union or a difference of such outlines there is nothing to say.
    """
    for period, found in footprints.items():
        said = found.columns.get(AREA_COLUMN[found.extent])
        if said is None:
            continue
        told, enclosed = float(np.sum(said)), float(found.hectares.sum())
        if abs(told - enclosed) > _AS_MEASURED * enclosed:
            raise OutlineError(
                f"period {period.label}: its outlines enclose {enclosed:,.1f} ha, of which "
                f"{told:,.1f} are told; laid over each other they would count as all that they "
                "enclose. Leave them as they are, or take the column of hectares out of the files"
            )


def _added(here: Footprints, before: Sequence[Footprints], min_ha: float) -> Footprints:
    extent = _extent([here, *before])
    shapes, *known = _beside_each_other([here, *before])
    ground = shapely.union_all(shapes)
    if known:
        ground = shapely.difference(ground, shapely.union_all(np.concatenate(known)))
    found = _outlines(ground, extent)
    return found.where(found.columns[AREA_COLUMN[extent]] >= min_ha)


def _united(parts: Sequence[Footprints]) -> Footprints:
    ground = shapely.union_all(np.concatenate(_beside_each_other(parts)))
    found = _outlines(ground, _extent(parts))
    return found.with_columns(**_scores(parts, found))


def _scores(parts: Sequence[Footprints], united: Footprints) -> dict[str, NDArray[np.float64]]:
    """Of the outlines in each united one: mean score, weighted by ground, and the highest.

    NaN where an outline's score is unknown; nothing where outlines have no scores.
    """
    if not all({"score_mean", "score_max"} <= set(part.columns) for part in parts):
        return {}
    every = np.concatenate([lonlat(part) for part in parts])
    shapes, row = shapely.get_parts(every, return_index=True)
    inside = shapely.point_on_surface(shapes)
    point, into = shapely.STRtree(united.geometry).query(inside, predicate="intersects")
    ground_ha = geodesic_hectares(shapes, LONLAT)[point]
    mean, highest = (
        np.concatenate([np.asarray(part.columns[name], np.float64) for part in parts])[row[point]]
        for name in ("score_mean", "score_max")
    )
    top = np.full(len(united), -np.inf)
    with np.errstate(invalid="ignore"):
        np.maximum.at(top, into, highest)
        weighted = np.bincount(into, mean * ground_ha, len(united))
        means = weighted / np.bincount(into, ground_ha, len(united))
    return {"score_mean": means, "score_max": np.where(np.isfinite(top), top, np.nan)}


def _outlines(ground: shapely.Geometry, extent: Extent) -> Footprints:
    """The polygons of a geometry from north to south, longitudes in their usual range."""
    parts = shapely.get_parts(ground)
    parts = parts[(shapely.get_type_id(parts) == 3) & (shapely.area(parts) > 0)]
    bounds = shapely.bounds(parts).reshape(-1, 4)
    turns = np.floor((bounds[:, 0] + bounds[:, 2] + 360) / 720)  # by the middle of each
    parts = np.asarray(shapely.normalize(_turned(parts, -turns)), dtype=object)
    bounds = shapely.bounds(parts).reshape(-1, 4)
    parts = parts[np.lexsort((bounds[:, 2], bounds[:, 1], bounds[:, 0], -bounds[:, 3]))]
    hectares = geodesic_hectares(parts, LONLAT)
    return Footprints(parts, LONLAT, extent, {AREA_COLUMN[extent]: hectares})


def _extent(parts: Sequence[Footprints]) -> Extent:
    kinds = {part.extent for part in parts if len(part)} or {part.extent for part in parts}
    if len(kinds) > 1:
        raise OutlineError(
            "mined ground and footprints of detections cannot be laid over each other, because "
            "their hectares mean different things; give one kind"
        )
    return kinds.pop()


def _beside_each_other(parts: Sequence[Footprints]) -> list[Shapes]:
    """Outlines in EPSG:4326 with longitudes that do not jump at the date line.

    Only where outlines lie on both sides of it are longitudes counted on past 180 degrees, from
    the widest stretch of the globe that is empty.
    """
    shapes = [lonlat(part) for part in parts]
    bounds = shapely.bounds(np.concatenate(shapes)).reshape(-1, 4)
    middle = (bounds[:, 0] + bounds[:, 2]) / 2
    if not ((middle > 90).any() and (middle < -90).any()):
        return shapes
    around = np.sort(middle % 360)
    gap = np.diff(around, append=around[0] + 360)
    cut = (around[gap.argmax()] + gap.max() / 2) % 360
    turns = np.floor((cut + 360 - middle) / 360) - (cut >= 180)
    return [
        _turned(part, turn)
        for part, turn in zip(
            shapes, np.split(turns, np.cumsum([len(p) for p in shapes])[:-1]), strict=True
        )
    ]


def _turned(shapes: Shapes, turns: NDArray[np.float64]) -> Shapes:
    """Each outline moved by whole turns of the globe."""
    xy, index = shapely.get_coordinates(shapes, return_index=True)
    xy[:, 0] += 360.0 * turns[index]
    return np.asarray(shapely.set_coordinates(shapes.copy(), xy), dtype=object)
