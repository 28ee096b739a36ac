"""The bootstrap, as a check on formulas: draw again from what was drawn, and look at the spread.

Source: Rao & Wu (1988), doi:10.1080/01621459.1988.10478591: in each stratum n_h - 1 units are drawn
with replacement, which makes the spread of the mean unbiased; finite populations are not corrected.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from minetrace.assess.stratified import Drawn, FloatArray


def redrawn_means(
    drawn: Drawn, columns: Sequence[ArrayLike], *, draws: int = 2000, seed: int = 0
) -> FloatArray:
    """Stratified means of several variables on samples drawn from the sample.

    Args:
        columns: of (n,) values; all are taken from the same redrawn units.

    Returns:
        (draws, columns). A ratio's draws are one column by another.
    """
    values = np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1)
    rng = np.random.default_rng(seed)
    total = np.zeros((draws, values.shape[1]))
    for place, weight in enumerate(drawn.strata.weight):
        ours = drawn.stratum == place
        here, size = values[ours], drawn.weighing[ours]
        if len(here) < 2:
            total += weight * here.mean(axis=0) if len(here) else 0.0
            continue
        counts = rng.multinomial(len(here) - 1, np.full(len(here), 1 / len(here)), size=draws)
        total += weight * (counts @ (here * size[:, None])) / (counts @ size)[:, None]
    return total


def bootstrap_error(
    drawn: Drawn, y: ArrayLike, x: ArrayLike | None = None, *, draws: int = 2000, seed: int = 0
) -> float:
    """Standard error of the mean of y, or of its ratio to x, by the bootstrap."""
    columns = [y] if x is None else [y, x]
    means = redrawn_means(drawn, columns, draws=draws, seed=seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = means[:, 0] if x is None else means[:, 0] / means[:, 1]
    return float(np.nanstd(values, ddof=1))
