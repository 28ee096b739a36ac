"""Scores of agreement: pure functions of counts, and of labels beside scores.

``tp``, ``fp``, ``fn`` are true positives, false positives and false negatives, in whatever is
counted: pixels, hectares, sites. A ratio without a denominator is NaN.

``label`` is (n,) of 0 and 1 and ``score`` (n,) of anything that ranks, higher for 1; a *false
alarm* is a 0 whose score reaches the threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Metric = Callable[[NDArray[np.bool_], FloatArray], float]


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


def roc_auc(label: ArrayLike, score: ArrayLike) -> float:
    """Chance that a 1 scores above a 0, ties counted half; NaN if either is missing.

    Source: Mann & Whitney (1947); Hanley & McNeil (1982).
    """
    y, s = _pair(label, score)
    ones, zeros = int(y.sum()), int((~y).sum())
    _, group, counts = np.unique(s, return_inverse=True, return_counts=True)
    rank = counts.cumsum() - (counts - 1) / 2
    return _ratio(float(rank[group][y].sum()) - ones * (ones + 1) / 2, ones * zeros)


def average_precision(label: ArrayLike, score: ArrayLike) -> float:
    """Mean precision over the ones, by falling score; equal scores are taken together.

    NaN without a 1. Its value for scores that say nothing is the share of ones.
    """
    y, s = _pair(label, score)
    order = np.argsort(-s, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(s[order]) != 0, True)[: len(s)])  # of equal scores
    hits = y[order].cumsum()[ends]
    gained = np.diff(hits, prepend=0)
    return _ratio(float((gained * hits / (ends + 1)).sum()), int(y.sum()))


def threshold_at(false_alarms: float, label: ArrayLike, score: ArrayLike) -> float:
    """The lowest threshold at which at most this share of the zeros is a false alarm.

    Args:
        false_alarms: allowed share of the zeros, 0 to 1.

    Returns:
        A score; ``score >= threshold`` is a detection. Minus infinity if every score may be.
    """
    y, s = _pair(label, score)
    zeros = np.sort(s[~y])[::-1]
    allowed = int(np.floor(false_alarms * len(zeros) + 1e-9))
    return float(np.nextafter(zeros[allowed], np.inf)) if allowed < len(zeros) else -np.inf


def recall_at(false_alarms: float, label: ArrayLike, score: ArrayLike) -> float:
    """Share of the ones found at `threshold_at` this share of false alarms."""
    y, s = _pair(label, score)
    found = s[y] >= threshold_at(false_alarms, y, s)
    return _ratio(int(found.sum()), len(found))


@dataclass(frozen=True)
class Reliability:
    """What was said beside what was so, by bins of equal width.

    Attributes:
        said: (bins,) mean probability of the bin's members, NaN if it has none.
        seen: (bins,) share of ones among them.
        count: (bins,) how many they are.
    """

    said: FloatArray
    seen: FloatArray
    count: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap between said and seen, weighted by members.

        Source: Naeini, Cooper & Hauskrecht (2015).
        """
        some = self.count > 0
        gap = np.abs(self.said - self.seen)[some]
        return _ratio(float((gap * self.count[some]).sum()), int(self.count.sum()))


def reliability(label: ArrayLike, probability: ArrayLike, *, bins: int = 10) -> Reliability:
    """Compare probabilities with what happened.

    Args:
        probability: (n,) from 0 to 1.
        bins: how many of equal width between 0 and 1.
    """
    y, p = _pair(label, probability)
    place = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        said = np.bincount(place, weights=p, minlength=bins) / count
        seen = np.bincount(place, weights=y.astype(np.float64), minlength=bins) / count
    return Reliability(said, seen, count)


def resampled(
    metric: Metric, label: ArrayLike, score: ArrayLike, *, group: ArrayLike | None = None,
    draws: int = 1000, seed: int = 0,
) -> FloatArray:  # fmt: skip
    """Values of a metric on samples drawn from the sample, with replacement.

    Args:
        metric: of (label, score), such as `roc_auc`.
        group: (n,) what is drawn whole, such as the source or the scene of a chip; each member
            alone, if left out. Few groups give wide and honest intervals.

    Returns:
        (draws,), NaN where a draw has no value. Add or average those of several samples before
        `interval` takes them.

    Source: Efron & Tibshirani (1993); cluster bootstrap for groups.
    """
    y, s = _pair(label, score)
    owner = np.arange(len(y)) if group is None else np.unique(group, return_inverse=True)[1]
    order = np.argsort(owner, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)
    rng = np.random.default_rng(seed)
    values = np.empty(draws)
    for draw in range(draws):
        picked = rng.integers(len(members), size=len(members))
        rows = picked if group is None else np.concatenate([members[i] for i in picked])
        values[draw] = metric(y[rows], s[rows])
    return values


def interval(values: FloatArray, *, level: float = 0.95) -> tuple[float, float]:
    """The middle ``level`` of the values of `resampled`, (low, high); NaN are left out."""
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _pair(label: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], FloatArray]:
    y, s = np.asarray(label).astype(bool), np.asarray(score, dtype=np.float64)
    if y.shape != s.shape or y.ndim != 1:
        raise ValueError(
            f"labels have shape {y.shape}, scores {s.shape}; give two flat arrays of one length"
        )
    return y, s
