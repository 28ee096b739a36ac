"""From a score to a probability, by a curve that was fitted where the truth is known.

A scorer that is not calibrated may still be decoded: rate ground whose mines are known, on other
places than those that are asked about, and fit how often each score was right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.errors import StudyError

BINS = 50  # of equal width, besides one for a score of exactly 0


@dataclass(frozen=True)
class Curve:
    """Probability by score, straight between points and level beyond them.

    Attributes:
        points: (score, probability) each from 0 to 1, scores rising, probabilities not falling.
        prior: share of active ground where the curve was fitted.
    """

    points: tuple[tuple[float, float], ...]
    prior: float

    def __post_init__(self) -> None:
        if not self.points:
            raise StudyError("decode: the curve has no points; give [score, probability] pairs")
        if not 1e-6 <= self.prior <= 1 - 1e-6:
            raise StudyError(f"decode: the curve's prior is {self.prior}; give a share, 1e-6 up")
        pairs = np.array(self.points, dtype=np.float64)
        rises = (np.diff(pairs[:, 0]) > 0).all() and (np.diff(pairs[:, 1]) >= 0).all()
        if not (rises and ((pairs >= 0) & (pairs <= 1)).all()):
            raise StudyError(
                "decode: the points of a curve are [score, probability], both from 0 to 1, with "
                "rising scores and probabilities that do not fall"
            )

    def table(self) -> NDArray[np.float64]:
        """(65536,) probability by score x 10,000; what lies above 10,000 counts as 10,000."""
        scores = np.minimum(np.arange(NOT_LOOKED + 1) / SCALE, 1.0)
        pairs = np.array(self.points)
        return np.asarray(np.interp(scores, pairs[:, 0], pairs[:, 1]), dtype=np.float64)


def fit_curve(scores: NDArray[np.uint16], active: NDArray[np.bool_]) -> Curve:
    """The curve of a scorer, from ground whose truth is known.

    Args:
        scores: any shape, x 10,000; 65535 for not looked is left out.
        active: the same shape, where ground was truly mined.

    Returns:
        The likeliest curve that does not fall (pool adjacent violators), a point a pool at the
        mean score of its members. One pixel more of each kind is counted in each bin's pool, so
        that no probability is exactly 0 or 1.

    Raises:
        StudyError: nothing was looked at, or all of it or none of it is mined.
    """
    looked = scores != NOT_LOOKED
    value, hit = scores[looked].astype(np.int64), active[looked]
    if not 0 < hit.sum() < len(hit):
        raise StudyError("a curve needs ground that is mined and ground that is not, looked at")
    bin_of = (value + SCALE // BINS - 1) // (SCALE // BINS)
    tries = np.bincount(bin_of, minlength=BINS + 1)
    hits = np.bincount(bin_of, hit, minlength=BINS + 1)
    total = np.bincount(bin_of, value / SCALE, minlength=BINS + 1)
    some = tries > 0
    pools = _pooled(np.column_stack([hits[some] + 0.5, tries[some] + 1, total[some]]))
    found = [(score / (count - extra), hits / count) for hits, count, score, extra in pools]
    points = tuple((round(score, 4), round(p, 6)) for score, p in found)
    return Curve(points, float(hit.mean()))


def _pooled(bins: NDArray[np.float64]) -> Sequence[tuple[float, float, float, float]]:
    """Bins of (hits, tries, scores) joined until the share of hits rises; and how many joined."""
    pools: list[tuple[float, float, float, float]] = []
    for hits, tries, scores in bins.tolist():
        pools.append((hits, tries, scores, 1.0))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] >= pools[-1][0] * pools[-2][1]:
            last = pools.pop()
            pools[-1] = tuple(a + b for a, b in zip(pools[-1], last, strict=True))  # type: ignore[assignment]
    return pools
