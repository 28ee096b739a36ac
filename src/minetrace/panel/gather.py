"""All outlines of all periods in one order, ready to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent, Footprints, geodesic_hectares
from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel.disjoint import disjoint
from minetrace.panel.overlap import EQUAL_AREA, HECTARES, LONLAT, Index, sound


@dataclass(frozen=True)
class Outlines:
    """Outlines of all periods, sorted by period and within it by place.

    Attributes:
        period: (n,) place of the period in time.
        lonlat: (n,) polygons in EPSG:4326; those of a period share no ground.
        hectares: (n,) as told, or else geodesic.
        score_mean: (n,) NaN where unknown.
        score_max: likewise.
        rule: by what rule the outline was cut from a larger one, or None.
    """

    period: Index
    lonlat: NDArray[np.object_]
    hectares: NDArray[np.float64]
    score_mean: NDArray[np.float64]
    score_max: NDArray[np.float64]
    rule: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.period)

    def of(self, period: int) -> Index:
        """The places of a period's outlines."""
        first, last = np.searchsorted(self.period, [period, period + 1])
        return np.arange(first, last)

    def flat(self, which: Index) -> NDArray[np.object_]:
        """Outlines in EPSG:6933, for measuring what they share; made when asked for."""
        return sound(project(self.lonlat[which], LONLAT, EQUAL_AREA))


def gather(parts: Sequence[Footprints], labels: Sequence[str], extent: Extent) -> Outlines:
    """The outlines of every period, checked; their order does not depend on the rows' order.

    Where outlines of a period overlap, the larger one keeps the ground; see
    ``minetrace.panel.disjoint``.

    Raises:
        OutlineError: a geometry is missing, empty, not a polygon, or not valid.
    """
    periods, lonlat, hectares, means, tops, rules = [], [], [], [], [], []
    for now, (part, label) in enumerate(zip(parts, labels, strict=True)):
        _check(part.geometry, label)
        told = HECTARES[extent] in part.columns
        part = disjoint(part.to_crs(LONLAT))
        here = sound(part.geometry)
        order = _by_place(here)
        periods.append(np.full(len(part), now, dtype=np.intp))
        lonlat.append(here[order])
        own = part.columns[HECTARES[extent]] if told else geodesic_hectares(here, LONLAT)
        hectares.append(np.asarray(own, dtype=np.float64)[order])
        means.append(_score(part, "score_mean")[order])
        tops.append(_score(part, "score_max")[order])
        rule = part.columns.get("rule", np.full(len(part), None, dtype=object))
        rules.append(np.asarray(rule, dtype=object)[order])
    return Outlines(
        np.concatenate(periods), np.concatenate(lonlat), np.concatenate(hectares),
        np.concatenate(means), np.concatenate(tops), np.concatenate(rules),
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
