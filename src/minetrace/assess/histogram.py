"""Scores of agreement from counts by bins of score, so that no pixel has to be kept.

A million pixels become two rows of a few hundred counts: pixels of the class and pixels of none, by
their score. Rows of chips add up to rows of blocks, regions and bootstrap draws, and every figure
along the threshold follows from them. Scores within a bin count as equal, ties half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 200
FloatArray = NDArray[np.float64]
Counts = NDArray[Any]
"""(..., 2, BINS): zeros first, then ones, by rising score."""


def count(label: NDArray[np.bool_], score: NDArray[np.floating]) -> NDArray[np.int64]:
    """(2, BINS) of (n,) labels and scores from 0 to 1."""
    place = np.clip((np.asarray(score, np.float64) * BINS).astype(np.int64), 0, BINS - 1)
    both = np.bincount(place + BINS * label.astype(np.int64), minlength=2 * BINS)
    return both.reshape(2, BINS)


def auc(counts: Counts) -> FloatArray:
    """(...) chance that a 1 scores above a 0, ties half; NaN if either is missing."""
    zeros, ones = counts[..., 0, :].astype(np.float64), counts[..., 1, :].astype(np.float64)
    below = np.cumsum(zeros, axis=-1) - zeros / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((ones * below).sum(-1) / (ones.sum(-1) * zeros.sum(-1)))


def average_precision(counts: Counts) -> FloatArray:
    """(...) mean precision over the ones, by falling score; NaN without a 1."""
    zeros, ones = counts[..., 0, ::-1].astype(np.float64), counts[..., 1, ::-1].astype(np.float64)
    hits, taken = np.cumsum(ones, axis=-1), np.cumsum(ones + zeros, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, hits / taken, 0.0)
        return np.asarray((ones * precision).sum(-1) / ones.sum(-1))


def along(counts: Counts) -> dict[str, FloatArray]:
    """Figures at each bin's lower edge as the threshold, each (..., BINS).

    Returns:
        threshold, precision, recall (sensitivity), specificity, f1 and iou.
    """
    zeros, ones = counts[..., 0, ::-1].astype(np.float64), counts[..., 1, ::-1].astype(np.float64)
    tp = np.cumsum(ones, axis=-1)[..., ::-1]
    fp = np.cumsum(zeros, axis=-1)[..., ::-1]
    all_ones, all_zeros = ones.sum(-1)[..., None], zeros.sum(-1)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "threshold": np.arange(BINS) / BINS,
            "precision": tp / (tp + fp),
            "recall": tp / all_ones,
            "specificity": 1 - fp / all_zeros,
            "f1": 2 * tp / (tp + fp + all_ones),
            "iou": tp / (all_ones + fp),
        }


def reliability(counts: Counts, bins: int = 10) -> dict[str, FloatArray]:
    """What was said beside what was so: ``said``, ``seen`` and ``count``, each (bins,)."""
    grouped = counts.reshape(2, bins, -1).astype(np.float64)
    middle = ((np.arange(BINS) + 0.5) / BINS).reshape(bins, -1)
    total = grouped.sum(axis=(0, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        said = (grouped.sum(axis=0) * middle).sum(axis=1) / total
        return {"said": said, "seen": grouped[1].sum(axis=1) / total, "count": total}


def calibration_error(counts: Counts, bins: int = 10) -> float:
    """Expected calibration error: mean gap between said and seen, weighted by count."""
    r = reliability(counts, bins)
    some = r["count"] > 0
    if not some.any():
        return float("nan")
    gap = np.abs(r["said"] - r["seen"])[some]
    return float((gap * r["count"][some]).sum() / r["count"].sum())
