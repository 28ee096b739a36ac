"""Masks through time without a model: the union so far, and what each period adds to it.

A mask says 1 for mined, 0 for not mined, NOT_LOOKED where nobody looked. Ground that was mined once
stays in the union. Ground that was not is only known not to be where somebody looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from minetrace.core.period import Period, ordered
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import PeriodError

MINED, NOT_MINED = 1, 0

Masks = NDArray[np.uint16]


def union_through_time(masks: Masks, periods: Sequence[Period]) -> Masks:
    """What was mined in each period or in any before it.

    Args:
        masks: (periods, …) uint16, 1 mined, 0 not, 65535 not looked.
        periods: what each layer is of, in any order.

    Returns:
        The same shape and order.

    Raises:
        PeriodError: layers and periods do not match, or periods overlap.
        ValueError: a mask holds something else.
    """
    order = _in_time(masks, periods)
    union = masks.copy()
    for earlier, later in pairwise(order):
        union[later][union[earlier] == MINED] = MINED
    return union


def added_through_time(masks: Masks, periods: Sequence[Period]) -> Masks:
    """What each period adds to the union of those before it; the first adds all that it has.

    Ground that nobody had looked at before counts as added when it is first seen mined.
    """
    order = _in_time(masks, periods)
    union, added = union_through_time(masks, periods), masks.copy()
    for earlier, later in pairwise(order):
        added[later][(union[earlier] == MINED) & (masks[later] == MINED)] = NOT_MINED
    return added


def _in_time(masks: Masks, periods: Sequence[Period]) -> list[int]:
    if len(masks) != len(periods):
        raise PeriodError(f"{len(masks)} masks for {len(periods)} periods; give one each")
    if not np.isin(masks, (NOT_MINED, MINED, NOT_LOOKED)).all():
        raise ValueError(f"masks hold 0, 1 and {NOT_LOOKED} alone; threshold scores first")
    return [list(periods).index(period) for period in ordered(periods)]
