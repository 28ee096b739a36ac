"""All outlines of all periods in one order, ready to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel.overlap import EQUAL_AREA, Index

LONLAT = "EPSG:4326"
HECTARES: dict[Extent, str] = {"mined": "area_ha", "footprint": "footprint_ha"}


@dataclass(frozen=True)
class Outlines:
    """Outlines of all periods, sorted by period and within it by place.

    Attributes:
        period: (n,) place of the period in time.
        lonlat: (n,) polygons in EPSG:4326.
        equal_area: (n,) the same in EPSG:6933, for measuring what they share.
        area_m2: (n,) their area there.
        hectares: (n,) geodesic.
        score_mean: (n,) NaN where unknown.
        score_max: likewise.
    """

    period: Index
    lonlat: NDArray[np.object_]
    equal_area: NDArray[np.object_]
    area_m2: NDArray[np.float64]
    hectares: NDArray[np.float64]
    score_mean: NDArray[np.float64]
    score_max: NDArray[np.float64]


def gather(parts: Sequence[Footprints], labels: Sequence[str], extent: Extent) -> Outlines:
    """The outlines of every period, checked; their order does not depend on the rows' order.

    Raises:
        OutlineError: a geometry is missing, empty, not a polygon, or not valid.
    """
    periods, lonlat, hectares, means, tops = [], [], [], [], []
    for now, (part, label) in enumerate(zip(parts, labels, strict=True)):
        _check(part.geometry, label)
        here = _sound(project(part.geometry, part.crs, LONLAT))
        order = _by_place(here)
        periods.append(np.full(len(part), now, dtype=np.intp))
        lonlat.append(here[order])
        own = part.columns.get(HECTARES[extent])
        hectares.append(np.asarray(part.hectares if own is None else own, dtype=float)[order])
        means.append(_score(part, "score_mean")[order])
        tops.append(_score(part, "score_max")[order])
    shapes = np.concatenate(lonlat)
    flat = _sound(project(shapes, LONLAT, EQUAL_AREA))
    return Outlines(
        np.concatenate(periods), shapes, flat, np.asarray(shapely.area(flat), dtype=np.float64),
        np.concatenate(hectares), np.concatenate(means), np.concatenate(tops),
    )  # fmt: skip


def _check(geometry: NDArray[np.object_], label: str) -> None:
    polygon = np.isin(shapely.get_type_id(geometry), (3, 6)) & ~shapely.is_empty(geometry)
    wrong = np.flatnonzero(~(polygon & shapely.is_valid(geometry)))
    if len(wrong):
        bad = geometry[wrong[0]]
        reason = shapely.is_valid_reason(bad) if polygon[wrong[0]] else "not a polygon, or empty"
        raise OutlineError(
            f"period {label}: {len(wrong)} of {len(geometry)} outlines cannot be used, first row "
            f"{wrong[0]}: {reason}; repair them, for example with 'Fix geometries' in QGIS"
        )


def _sound(geometry: NDArray[np.object_]) -> NDArray[np.object_]:
    """Mend what was valid before vertices moved by a rounding; the ground stays the same."""
    geometry = np.asarray(geometry, dtype=object)
    broken = np.flatnonzero(~shapely.is_valid(geometry))
    if len(broken):
        geometry = geometry.copy()
        geometry[broken] = shapely.make_valid(
            geometry[broken], method="structure", keep_collapsed=False
        )
    return geometry


def _by_place(geometry: NDArray[np.object_]) -> Index:
    """An order by north-west corner, then by every vertex."""
    bounds = shapely.bounds(geometry).reshape(-1, 4)
    order = np.lexsort((bounds[:, 1], bounds[:, 2], bounds[:, 0], -bounds[:, 3]))
    same = np.flatnonzero((np.diff(bounds[order], axis=0) == 0).all(axis=1))
    if not len(same):
        return order
    text = np.array([shapely.to_wkb(shapely.normalize(g), hex=True) for g in geometry])
    return np.lexsort((text, bounds[:, 1], bounds[:, 2], bounds[:, 0], -bounds[:, 3]))


def _score(part: Footprints, name: str) -> NDArray[np.float64]:
    column = part.columns.get(name)
    return np.full(len(part), np.nan) if column is None else np.asarray(column, dtype=np.float64)
