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
    """The threshold that a rule picks on labelled scores, to four places.

    Args:
        label: (n,).
        probability: (n,).
        rule: ``f1`` weighs missed and false alike; ``f0.5`` counts what is false double; a number
            is the share of the zeros that may be false alarms.
    """
    if isinstance(rule, float):
        found = threshold_at(rule, label, probability)
    else:
        found = _best_f(label, probability, 1.0 if rule == "f1" else 0.5)
    return round(float(np.clip(found, LOWEST, HIGHEST)), 4)


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
    return float((score[ends[best]] + after) / 2)
