"""From which probability on a detection is a detection."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.core.metrics import threshold_at

Rule = Literal["f1", "f0.5"] | float
LOWEST, HIGHEST = 0.01, 0.99


def choose_threshold(
    label: NDArray[np.bool_], probability: NDArray[np.float64], rule: Rule
) -> float:
    """The threshold that a rule picks on labelled scores, to four places where that is enough.

    Args:
        label: (n,).
        probability: (n,).
        rule: ``f1`` weighs missed and false alike; ``f0.5`` counts what is false double; a number
            is the share of the zeros that may be false alarms.
    """
    if isinstance(rule, float):
        found = round(threshold_at(rule, label, probability), 4)
    else:
        found = _best_f(label, probability, 1.0 if rule == "f1" else 0.5)
    return float(np.clip(found, LOWEST, HIGHEST))


def _best_f(label: NDArray[np.bool_], probability: NDArray[np.float64], beta: float) -> float:
    """Half way between the last score that is worth taking and the next; 0.5 without ones."""
    if not label.any():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    score, hit = probability[order], label[order].cumsum()
    ends = np.flatnonzero(np.append(np.diff(score) != 0, True))
    weight = beta**2
    f = (1 + weight) * hit[ends] / (ends + 1 + weight * hit[-1])
    best = int(f.argmax())
    after = score[ends[best + 1]] if best + 1 < len(ends) else score[ends[best]]
    return _between(float(after), float(score[ends[best]]))


def _between(low: float, high: float) -> float:
    """Half way, to four places, or to as many as it takes to lie above the one, not the other."""
    middle = (low + high) / 2
    rounded = (round(middle, places) for places in range(4, 12))
    return next((one for one in rounded if low < one <= high), middle)
