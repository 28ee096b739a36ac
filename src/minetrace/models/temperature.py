"""One number that makes a network as sure of itself as it may be.

Fitted on pixels or chips that the network was not trained on; unlike two numbers it moves no
answer across one half, and it serves several classes as well as one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minetrace.models.calibration import Calibration

SHARPEST = 100.0


def temperature(label: NDArray[np.int64], logits: NDArray[np.float64]) -> Calibration:
    """The likeliest slope, by halving the interval in which the likelihood turns.

    Args:
        label: (n,) class indices.
        logits: (n, 1) of one class against the rest, or (n, classes).

    Source: Guo et al. (2017).
    """
    low, high = 1 / SHARPEST, SHARPEST
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if _grows(label, logits, middle) else (middle, high)
    return Calibration(float(np.sqrt(low * high)), 0.0)


def probabilities(logits: NDArray[np.float64], how: Calibration) -> NDArray[np.float64]:
    """Calibrated probabilities of the classes but the first, (n, 1) or (n, classes - 1).

    Args:
        logits: (n, 1) or (n, classes).
        how: of several classes, its slope alone.
    """
    if logits.shape[1] == 1:
        return how.probability(logits)
    return _softmax(logits * how.slope)[:, 1:]


def _grows(label: NDArray[np.int64], logits: NDArray[np.float64], slope: float) -> bool:
    """Whether surprise grows with the slope there; it is convex."""
    if logits.shape[1] == 1:
        z = logits[:, 0]
        return bool((z * (Calibration(slope, 0.0).probability(z) - (label == 1))).mean() > 0)
    said = (_softmax(logits * slope) * logits).sum(1)
    return bool((said - logits[np.arange(len(label)), label]).mean() > 0)


def _softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))
