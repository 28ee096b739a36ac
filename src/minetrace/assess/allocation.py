"""How many points, and how many of them in each stratum.

What is best depends on what will be found, which nobody knows before: expected shares stand in for
it, and whoever plans the sample may give others.

Sources: Cochran (1977), sections 5.5 to 5.9; Olofsson et al. (2014), section 5.1 and eq. 13.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minetrace.assess.stratified import FloatArray
from minetrace.errors import StudyError

Allocation = Literal["rare", "neyman", "proportional", "equal"]
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
MINIMUM = 50  # points in a small stratum, as Olofsson et al. (2014) advise 50 to 100


def spread_of(expected_share: ArrayLike) -> FloatArray:
    """(H,) standard deviation of 0 and 1 with expected shares: ``sqrt(p (1 - p))``."""
    p = np.asarray(expected_share, dtype=np.float64)
    return np.sqrt(p * (1 - p))


def fractions(
    method: Allocation, weight: FloatArray, spread: FloatArray, *, n: int, minimum: int = MINIMUM
) -> FloatArray:
    """(H,) share of the points in each stratum.

    ``equal``: the same everywhere. ``proportional``: as the ground. ``neyman``: as ``W_h S_h``,
    the least variance of the area (Cochran 5.26). ``rare``: ``minimum`` points in every stratum
    that has a smaller share of them, the others as the ground, which keeps enough of them in the
    huge stratum to see what the map omits (Olofsson et al. 2014, section 5.1.2).

    Args:
        weight: (H,) share of the ground.
        spread: (H,) expected standard deviation.
    """
    if method == "equal":
        return np.full(len(weight), 1 / len(weight))
    ground: FloatArray = weight / weight.sum()
    if method == "proportional":
        return ground
    if method == "neyman":
        best: FloatArray = weight * spread
        return best / best.sum() if best.sum() > 0 else ground
    return _with_minimum(ground, min(minimum / n, 1 / len(weight)))


def _with_minimum(share: FloatArray, least: float) -> FloatArray:
    """Lift what is below the least, and take it from the others in proportion."""
    small = share < least
    while True:
        room = 1 - least * small.sum()
        lifted = np.where(small, least, share / max(share[~small].sum(), 1e-300) * room)
        more = small | (lifted < least)
        if (more == small).all():
            return lifted
        small = more


def allocate(
    n: int, method: Allocation, weight: FloatArray, spread: FloatArray, units: ArrayLike,
    *, minimum: int = MINIMUM,
) -> NDArray[np.int64]:  # fmt: skip
    """Points per stratum.

    Args:
        n: of all.
        units: (H,) how many there are to draw from; no stratum gives more than it has.

    Returns:
        (H,) at least 2 where there are two units; their sum is ``n`` where there are so many.

    Raises:
        StudyError: fewer points than two a stratum.
    """
    most = np.asarray(units, dtype=np.int64)
    least = np.minimum(2, most)
    if n < least.sum():
        raise StudyError(
            f"{n} points are too few for {len(weight)} strata: two in each are the least from "
            f"which a standard error can be told; give --n {int(least.sum())} or more"
        )
    wanted = fractions(method, weight, spread, n=n, minimum=minimum)
    given = np.clip(np.floor(wanted * n).astype(np.int64), least, most)
    while given.sum() != min(n, most.sum()):
        step = 1 if given.sum() < n else -1
        open_ = given < most if step > 0 else given > least
        gap = np.where(open_, step * (wanted * n - given), -np.inf)
        given[int(np.argmax(gap))] += step
    return given


def variance(
    weight: FloatArray, spread: FloatArray, points: ArrayLike, units: ArrayLike
) -> FloatArray:
    """(H,) what each stratum adds to the variance of a share of the ground (Cochran 5.6)."""
    n, most = np.asarray(points, np.float64), np.asarray(units, np.float64)
    added: FloatArray = weight**2 * spread**2 / np.maximum(n, 1) * (1 - n / most)
    return added


def points_for(
    standard_error: float, method: Allocation, weight: FloatArray, spread: FloatArray,
    units: ArrayLike, *, minimum: int = MINIMUM,
) -> int:  # fmt: skip
    """How many points a standard error takes: of a share of the ground, or of overall accuracy.

    With fractions ``a_h``: ``n = sum(W_h^2 S_h^2 / a_h) / (V + sum(W_h^2 S_h^2 / N_h))`` (Cochran
    5.23). With Neyman's fractions it is Olofsson et al. (2014) eq. 13. Where fractions depend on
    n, it is found by halving.

    Raises:
        StudyError: the standard error is not above 0, or not within reach.
    """
    if not standard_error > 0:
        raise StudyError(f"a standard error of {standard_error:g} cannot be had; give one above 0")
    most = np.asarray(units, dtype=np.float64)
    limit = most.sum() if np.isfinite(most).all() else 1e9

    def reached(n: float) -> bool:
        share = fractions(method, weight, spread, n=max(1, round(n)), minimum=minimum)
        points = np.minimum(share * n, most)
        return bool(variance(weight, spread, points, most).sum() <= standard_error**2)

    if not reached(limit):
        raise StudyError(
            "no sample of this ground reaches that standard error with this allocation; "
            "ask for a larger one"
        )
    low, high = 1.0, float(limit)
    while high - low > 1e-6 * high and math.ceil(low) != math.ceil(high):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return math.ceil(high - 1e-9)
