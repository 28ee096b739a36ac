"""A curve that only rises, from what a network says to how often it is so.

It mends what no slope and shift can, such as a network that is sure of itself in the middle of
its range alone, and needs thousands of scores where those need dozens. A temperature goes before
it, so that scores are not crowded at 0 and 1 where the curve begins.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import MissingExtraError
from minetrace.models.calibration import Calibration
from minetrace.models.temperature import temperature

KNOTS = 33
APART = 1e-3  # least distance of two knots


def isotonic(label: NDArray[np.int64], logit: NDArray[np.float64]) -> Calibration:
    """The likeliest curve that never falls, thinned to a few knots.

    Args:
        label: (n,) of 0 and 1, both present.
        logit: (n,) finite.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Source: Zadrozny & Elkan (2002); ends drawn in as Platt (1999) draws in labels.
    """
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError as error:
        raise MissingExtraError(
            "an isotonic calibration needs scikit-learn: pip install 'minetrace[train]'"
        ) from error
    before = temperature(label, logit[:, None])
    said = before.probability(logit)
    ones = int(np.count_nonzero(label))
    ends = 1 / (len(label) - ones + 2), (ones + 1) / (ones + 2)
    curve = IsotonicRegression(y_min=ends[0], y_max=ends[1], out_of_bounds="clip")
    curve.fit(said, label)
    at = _spread_out(np.quantile(said, np.linspace(0, 1, KNOTS)))
    found = np.maximum.accumulate(curve.predict(at))
    return replace(before, knots=tuple(zip(at.tolist(), found.tolist(), strict=True)))


def _spread_out(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those, in order, that are not too near to one before; two at least."""
    kept = [places[0]]
    for place in places[1:]:
        if place >= kept[-1] + APART:
            kept.append(place)
    return np.array(kept if len(kept) > 1 else [kept[0], kept[0] + APART])
