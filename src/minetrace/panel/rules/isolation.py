"""Ask more of a detection that stands alone than of one in a crowd.

Mines come in clusters, false alarms less so.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Footprints
from minetrace.errors import OutlineError, StudyError
from minetrace.panel.rules.globe import groups, lonlat, neighbours

ONE_PLACE_M = 1.0  # centres closer than this are one place
PUBLISHED = ((0.43, 0.75), (0.55, 0.80))
"""Pairs of ``t_main`` and ``t_isolated`` that were published, both with k 5 and 3 km."""


def dual_threshold(
    footprints: Footprints,
    *,
    t_main: float = 0.43,
    t_isolated: float = 0.75,
    distance_km: float = 3.0,
    k: int = 5,
    score: str = "score_mean",
) -> Footprints:
    """Keep what reaches ``t_main``; what stands alone has to reach ``t_isolated``.

    An outline stands alone if the k-th nearest other place that reaches ``t_main`` lies further
    away than ``distance_km``, from centre to centre along the ground. Several outlines of one
    place, such as a patch that was scored twice, are one place.

    Args:
        footprints: outlines or patches of one period, in any CRS.
        t_main: least score of any.
        t_isolated: least score of one that stands alone.
        distance_km: see above.
        k: how many other places make a crowd.
        score: the column that is compared; a row without a value is dropped.

    Returns:
        A subset of the rows in their order.

    Raises:
        OutlineError: there is no such column.
        StudyError: thresholds, distance or k make no sense.

    Source: Earth Genome, Amazon Mining Watch, post-processing of detections.
    """
    _check(t_main, t_isolated, distance_km, k)
    values = score_of(footprints, score)
    candidates = np.flatnonzero(values >= t_main)
    alone = stands_alone(footprints.where(candidates), distance_km=distance_km, k=k)
    sure = values[candidates] >= np.where(alone, t_isolated, t_main)
    return footprints.where(candidates[sure])


def stands_alone(footprints: Footprints, *, distance_km: float, k: int) -> NDArray[np.bool_]:
    """(n,) True where fewer than k other places lie within a distance.

    Args:
        footprints: outlines in any CRS; those with one centre are one place.
        distance_km: along the ground, centre to centre.
        k: how many.
    """
    centre = shapely.get_coordinates(shapely.centroid(lonlat(footprints)))
    lon, lat = centre[:, 0], centre[:, 1]
    same = list(neighbours(lon, lat, ONE_PLACE_M))
    place = groups(len(lon), *_joined(same))
    where = np.unique(place, return_index=True)[1]
    count = np.zeros(len(where), dtype=np.int64)
    for a, _ in neighbours(lon[where], lat[where], distance_km * 1000):
        count += np.bincount(a, minlength=len(where))
    return np.asarray(count[place] < k)


def score_of(footprints: Footprints, column: str) -> NDArray[np.float64]:
    """(n,) a column of scores.

    Raises:
        OutlineError: there is none of that name, or it holds no numbers.
    """
    if column not in footprints.columns:
        known = ", ".join(footprints.columns) or "no columns at all"
        raise OutlineError(f"the outlines have no column {column!r}; they have {known}")
    try:
        return np.asarray(footprints.columns[column], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OutlineError(f"column {column!r} holds something else than numbers") from error


def _joined(pairs: list[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> list[NDArray[np.intp]]:
    none = np.empty(0, dtype=np.intp)
    return [np.concatenate([none, *(pair[side] for pair in pairs)]) for side in (0, 1)]


def _check(t_main: float, t_isolated: float, distance_km: float, k: int) -> None:
    if not 0 <= t_main <= t_isolated <= 1:
        raise StudyError(
            f"t_main is {t_main} and t_isolated {t_isolated}; give 0 <= t_main <= t_isolated <= 1"
        )
    if not 0 < distance_km <= 500:
        raise StudyError(f"distance_km is {distance_km}; give kilometres above 0, to 500")
    if k < 1:
        raise StudyError(f"k is {k}; give 1 or more")
