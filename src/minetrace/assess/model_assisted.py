"""Estimates that lean on the map: what is known of every pixel sharpens what is known of a few.

The scores of all the ground are known, and so is their mean in each stratum. Where drawn points by
chance have higher scores than their stratum, the estimate is moved down, and the other way round.
It stays right on average whether or not the scores are any good; the better they are, the smaller
the standard error.

Sources: Cochran (1977), sections 6.11 (ratio) and 7.9 to 7.10 (regression); Särndal, Swensson &
Wretman (1992), chapters 5 to 7; McRoberts (2010), doi:10.1016/j.rse.2009.07.002, for maps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from minetrace.assess.stratified import Drawn, Figure, FloatArray, ratio


def by_ratio(drawn: Drawn, y: ArrayLike, x: ArrayLike, known: ArrayLike) -> Figure:
    """Mean of y as ``R X``: the combined ratio of y to x, times the known mean of x.

    Args:
        y: (n,) 0 or 1, or a share of each unit.
        x: (n,) what is known of every unit, such as the share of it that is mapped.
        known: (H,) the mean of x over each stratum.
    """
    whole = float((drawn.strata.weight * np.asarray(known, dtype=np.float64)).sum())
    found = ratio(drawn, y, x)
    return Figure(found.value * whole, found.standard_error * whole)


def by_regression(drawn: Drawn, y: ArrayLike, x: ArrayLike, known: ArrayLike) -> Figure:
    """Mean of y by the combined regression estimator.

    ``Y = ybar_st + b (X - xbar_st)`` with the slope that makes the variance least,
    ``b = sum(c_h s_xyh) / sum(c_h s_xh^2)``, ``c_h = W_h^2 (1 - n_h/N_h) / n_h``; the variance is
    that of the mean of ``y - b x`` (Cochran 1977, section 7.10). A slope is taken from the sample,
    so the result is biased by about 1/n of itself.

    Returns:
        The plain stratified mean where x does not vary.
    """
    ys, xs = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    w, truth = drawn.strata.weight, np.asarray(known, dtype=np.float64)
    slope = _slope(drawn, ys, xs)
    value = float((w * (drawn.means(ys) + slope * (truth - drawn.means(xs)))).sum())
    return Figure(value, drawn.error_of(ys - slope * xs))


def _slope(drawn: Drawn, y: FloatArray, x: FloatArray) -> float:
    c = drawn.strata.weight**2 * drawn.unsampled / np.maximum(drawn.counts, 1)
    below = float((c * drawn.covariances(x, x)).sum())
    return float((c * drawn.covariances(y, x)).sum()) / below if below > 0 else 0.0
