"""Scores of agreement as pure functions of counts.

``tp``, ``fp``, ``fn`` are true positives, false positives and false negatives, in whatever is
counted: pixels, hectares, sites. A ratio without a denominator is NaN.
"""

from __future__ import annotations


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def precision(tp: float, fp: float) -> float:
    """Share of what was mapped that is true; Olofsson's user's accuracy."""
    return _ratio(tp, tp + fp)


def recall(tp: float, fn: float) -> float:
    """Share of what is true that was mapped; Olofsson's producer's accuracy."""
    return _ratio(tp, tp + fn)


def iou(tp: float, fp: float, fn: float) -> float:
    """Intersection over union (Jaccard)."""
    return _ratio(tp, tp + fp + fn)


def f1(tp: float, fp: float, fn: float) -> float:
    """Harmonic mean of precision and recall (Dice)."""
    return _ratio(2 * tp, 2 * tp + fp + fn)
