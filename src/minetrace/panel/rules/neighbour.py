"""Keep the outlines that a neighbouring period confirms.

A single detection is often a cloud edge or a sandbank. A mine touches itself in the period before
or after.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period, ordered
from minetrace.errors import StudyError
from minetrace.panel.rules.globe import Shapes, lonlat, within

TOUCH_M = 0.01  # what a change of CRS may move
Ends = Literal["judge", "keep", "drop"]


def confirmed_by_neighbours(
    footprints: Mapping[Period, Footprints],
    *,
    reach_m: float = 0.0,
    ends: Ends = "judge",
    blind: Collection[Period] = (),
) -> dict[Period, Footprints]:
    """Drop every outline that no adjacent period touches, before any was dropped there.

    Args:
        footprints: outlines per period, in any order and any CRS, one per period.
        reach_m: how far, in metres on the ground, a neighbour may lie and still confirm; a
            centimetre is always allowed.
        ends: what becomes of the first and the last period, which have one neighbour:
            ``judge`` asks that one, ``keep`` keeps all of them, ``drop`` drops all.
        blind: periods that nobody looked at: they confirm nothing, so the next one beyond them is
            asked, and what they hold is judged like the rest.

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
    seeing = [period for period in line if period not in blind]
    kept = {}
    for period in line:
        here = footprints[period]
        if ends != "judge" and period in (line[0], line[-1]):
            kept[period] = here.where(np.full(len(here), ends == "keep"))
            continue
        beside = [shapes[p] for p in _beside(period, seeing)]
        kept[period] = here.where(_touched(shapes[period], beside, reach_m))
    return kept


def _beside(period: Period, seeing: Sequence[Period]) -> list[Period]:
    """The nearest periods before and after, of those in which somebody looked."""
    before = [p for p in seeing if p.end <= period.start]
    after = [p for p in seeing if p.start >= period.end]
    return before[-1:] + after[:1]


def _touched(here: Shapes, beside: Sequence[Shapes], reach_m: float) -> NDArray[np.bool_]:
    touched = np.zeros(len(here), dtype=bool)
    for there in beside:
        if len(there) and len(here):
            touched[within(here, there, max(reach_m, TOUCH_M)).left] = True
    return touched
