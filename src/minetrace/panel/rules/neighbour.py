"""Keep the outlines that a neighbouring period confirms.

A single detection is often a cloud edge or a sandbank. A mine touches itself in the period before
or after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period, ordered
from minetrace.errors import StudyError
from minetrace.panel.build import Looked
from minetrace.panel.rules.globe import Shapes, lonlat, within

TOUCH_M = 0.01  # what a change of CRS may move
Ends = Literal["judge", "keep", "drop"]


def confirmed_by_neighbours(
    footprints: Mapping[Period, Footprints],
    *,
    reach_m: float = 0.0,
    ends: Ends = "judge",
    looked: Looked | None = None,
    min_looked_share: float = 0.5,
) -> dict[Period, Footprints]:
    """Drop every outline that no adjacent period touches, before any was dropped there.

    Adjacent is, for each outline, the nearest period before it and the nearest after it in which
    its ground was looked at: what nobody looked at is no reason to drop anything.

    Args:
        footprints: outlines per period, in any order and any CRS, one per period.
        reach_m: how far, in metres on the ground, a neighbour may lie and still confirm; a
            centimetre is always allowed.
        ends: what becomes of the first and the last period, which have one neighbour:
            ``judge`` asks that one, ``keep`` keeps all of them, ``drop`` drops all.
        looked: asked for the share of outlines that was looked at in a period. Without it all
            ground was looked at in every period.
        min_looked_share: with less of an outline's ground looked at, a period is passed over;
            with less of its own, an outline confirms nothing, though it is judged like the rest.

    Returns:
        The same periods in time order, each with a subset of its rows in their order. With
        ``judge`` a period without any neighbour comes back empty.

    Raises:
        StudyError: reach is negative, or ``ends`` is none of the three words.

    Source: Sepin, Vashold & Kuschnig (2025), temporal filter.
    """
    if not 0 <= reach_m <= 100_000:
        raise StudyError(f"reach_m is {reach_m}; give metres from 0 to 100,000")
    if ends not in ("judge", "keep", "drop"):
        raise StudyError(f"ends is {ends!r}; give judge, keep or drop")
    line = ordered(footprints)
    shapes = {period: lonlat(footprints[period]) for period in line}
    seen = {p: shapes[p][_looked_at(looked, p, shapes[p], min_looked_share)] for p in line}
    kept = {}
    for number, period in enumerate(line):
        here = footprints[period]
        if ends != "judge" and period in (line[0], line[-1]):
            kept[period] = here.where(np.full(len(here), ends == "keep"))
            continue
        confirmed = np.zeros(len(here), dtype=bool)
        for side in (line[:number][::-1], line[number + 1 :]):
            asking = np.flatnonzero(~confirmed)
            for beside in side:
                touched = _touched(shapes[period][asking], seen[beside], reach_m)
                confirmed[asking[touched]] = True
                asking = asking[~touched]
                answered = _looked_at(looked, beside, shapes[period][asking], min_looked_share)
                asking = asking[~answered]
        kept[period] = here.where(confirmed)
    return kept


def _looked_at(
    looked: Looked | None, period: Period, shapes: Shapes, min_share: float
) -> NDArray[np.bool_]:
    if looked is None or not len(shapes):
        return np.ones(len(shapes), dtype=bool)
    return np.asarray(looked(period, shapes) >= min_share)


def _touched(here: Shapes, there: Shapes, reach_m: float) -> NDArray[np.bool_]:
    touched = np.zeros(len(here), dtype=bool)
    if len(there) and len(here):
        touched[within(here, there, max(reach_m, TOUCH_M)).left] = True
    return touched
