"""How far two people who look at the same places say the same.

Source: Cohen (1960), doi:10.1177/001316446002000104.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Agreement:
    """Two interpreters.

    Attributes:
        both: points that both answered.
        agreed: share of them on which they say the same.
        kappa: how much of what could be agreed on beyond chance they agree on; NaN where chance
            alone would make them agree on everything.
    """

    both: int
    agreed: float
    kappa: float


def agreement(first: ArrayLike, second: ArrayLike) -> Agreement:
    """Compare answers, 1 mine and 0 not; NaN where there is none."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    both = ~(np.isnan(a) | np.isnan(b))
    n = int(both.sum())
    if n == 0:
        return Agreement(0, float("nan"), float("nan"))
    one, two = a[both] >= 0.5, b[both] >= 0.5
    seen = float((one == two).mean())
    p, q = float(one.mean()), float(two.mean())
    chance = p * q + (1 - p) * (1 - q)
    kappa = (seen - chance) / (1 - chance) if chance < 1 else float("nan")
    return Agreement(n, seen, kappa)
