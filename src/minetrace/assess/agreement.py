"""How far two people who look at the same places say the same.

Source: Cohen (1960), doi:10.1177/001316446002000104.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

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


def pairwise(answers: Mapping[str, ArrayLike]) -> dict[tuple[str, str], Agreement]:
    """Compare each two interpreters who share a point, in the order in which they are given.

    Kappa is of two fixed people: several are compared by twos, not thrown together.

    Args:
        answers: (n,) by name, 1 mine and 0 not, NaN for none; all over the same points.
    """
    found = {
        (one, two): agreement(answers[one], answers[two]) for one, two in combinations(answers, 2)
    }
    return {pair: told for pair, told in found.items() if told.both}
