"""Notice a period that repeats another's pixels, such as a file that was copied for a lost year.

Two looks at the ground never agree to the last digit. What is equal is one look under two names,
and counting it twice would make it twice as sure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.period import Period, ordered


def repeats(
    layers: Sequence[NDArray[Any]], periods: Sequence[Period]
) -> list[tuple[Period, Period]]:
    """Pairs of an earlier period and a later one with the same pixels.

    Args:
        layers: one array per period, before any threshold; NaN equals NaN.
        periods: what each layer is of, in any order.

    Returns:
        For each period that repeats an earlier one, the first of its kind and itself. A layer
        without two different values repeats nothing: blind years look alike.
    """
    seen: dict[str, Period] = {}
    found = []
    of = dict(zip(periods, layers, strict=True))
    for period in ordered(periods):
        layer = np.ascontiguousarray(of[period])
        finite = layer[~np.isnan(layer)] if layer.dtype.kind == "f" else layer.ravel()
        if not finite.size or (finite == finite[0]).all():
            continue
        mark = hashlib.sha256(repr((layer.shape, layer.dtype)).encode() + layer.tobytes())
        first = seen.setdefault(mark.hexdigest(), period)
        if first is not period:
            found.append((first, period))
    return found
