"""Means and ratios of ground from a stratified random sample, with their standard errors.

Everything that an accuracy assessment estimates is a mean of some y over the ground, or a ratio of
two such means; with strata that need not be the map's classes (Stehman 2014). Plain arrays in,
numbers out; no files, no map.

A unit is a pixel, or a square of pixels of which the answer is a share. Squares at the edge of the
ground are smaller than others; a mean then counts each by its size, which is Cochran's estimator by
ratio to size (section 9A.1), and is the plain mean where all are alike.

Sources: Cochran (1977), *Sampling Techniques*, 3rd ed., chapters 5, 6 and 9A; Stehman (2014),
doi:10.1080/01431161.2014.930207, equation numbers below are those of that paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minetrace.errors import LabelError

FloatArray = NDArray[np.float64]


class Figure(NamedTuple):
    """An estimate and its standard error, in the unit of what was estimated."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class Strata:
    """The parts that the ground was divided into before anything was drawn.

    Attributes:
        names: one per stratum.
        area: (H,) ground of each, in any unit of area.
        units: (H,) how many units (pixels or squares) there are to draw from; infinite where no
            correction for a finite population is wanted, as in Olofsson et al. (2014).
    """

    names: tuple[str, ...]
    area: FloatArray
    units: FloatArray

    @classmethod
    def of(cls, names: Sequence[str], area: ArrayLike, units: ArrayLike | None = None) -> Strata:
        """Strata from plain lists; without ``units`` there is no correction."""
        ground = np.asarray(area, dtype=np.float64)
        count = np.full(len(ground), np.inf) if units is None else np.asarray(units, np.float64)
        return cls(tuple(names), ground, count)

    @property
    def total(self) -> float:
        """All the ground."""
        return float(self.area.sum())

    @property
    def weight(self) -> FloatArray:
        """(H,) share of the ground in each: Cochran's W_h."""
        return np.asarray(self.area / self.area.sum())


@dataclass(frozen=True)
class Drawn:
    """Units that were drawn and answered, by stratum.

    Attributes:
        strata: what they were drawn from.
        stratum: (n,) place of each unit's stratum in ``strata``.
        size: (n,) ground of each unit, in any unit of area; None where all are alike.
    """

    strata: Strata
    stratum: NDArray[np.intp]
    size: FloatArray | None = None

    def where(self, which: NDArray[np.bool_]) -> Drawn:
        """Some of the units, as all that were drawn."""
        size = None if self.size is None else self.size[which]
        return Drawn(self.strata, self.stratum[which], size)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(H,) units by stratum: n_h."""
        return np.bincount(self.stratum, minlength=len(self.strata.names)).astype(np.int64)

    @property
    def unsampled(self) -> FloatArray:
        """(H,) share that was not drawn, ``1 - n_h / N_h``."""
        return 1.0 - self.counts / self.strata.units

    def refuse_thin(self) -> None:
        """Refuse strata in which no spread can be seen.

        Raises:
            LabelError: a stratum has fewer than two answers, and is not wholly drawn.
        """
        thin = (self.counts < 2) & (self.counts < self.strata.units)
        for name, count in zip(np.array(self.strata.names)[thin], self.counts[thin], strict=True):
            raise LabelError(
                f"stratum {name!r} has {count} answered points; two are the least from which a "
                "standard error can be told: answer more of its points"
            )

    def sums(self, y: FloatArray) -> FloatArray:
        """(H,) sum of ``y`` (n,) by stratum."""
        return np.bincount(self.stratum, weights=y, minlength=len(self.counts)).astype(np.float64)

    @cached_property
    def weighing(self) -> FloatArray:
        """(n,) size of each unit in those of its stratum's mean unit."""
        if self.size is None:
            return np.ones(len(self.stratum))
        mean = self.sums(self.size) / np.maximum(self.counts, 1)
        return np.asarray(self.size / mean[self.stratum])

    def means(self, y: FloatArray) -> FloatArray:
        """(H,) mean of ``y`` (n,) by stratum, each unit by its size."""
        return self.sums(y * self.weighing) / np.maximum(self.counts, 1)

    def apart(self, y: FloatArray) -> FloatArray:
        """(n,) how far ``y`` lies from its stratum's mean, by the unit's size."""
        return np.asarray((y - self.means(y)[self.stratum]) * self.weighing)

    def covariances(self, y: FloatArray, x: FloatArray) -> FloatArray:
        """(H,) sample covariance of ``y`` and ``x`` by stratum, over n_h - 1."""
        return self.sums(self.apart(y) * self.apart(x)) / np.maximum(self.counts - 1, 1)

    def error_of(self, residual: FloatArray) -> float:
        """Standard error of the stratified mean of a variable (eq. 25; Cochran 5.6)."""
        w, n = self.strata.weight, np.maximum(self.counts, 1)
        spread = self.covariances(residual, residual)
        return float(np.sqrt((w**2 * self.unsampled * spread / n).sum()))


def mean(drawn: Drawn, y: ArrayLike) -> Figure:
    """Mean of y over all the ground.

    ``sum_h W_h ybar_h`` (eq. 2; Cochran 5.1), variance ``sum_h W_h^2 (1 - n_h/N_h) s_h^2 / n_h``
    (eq. 25).

    Args:
        y: (n,) 0 or 1, or a share.
    """
    values = np.asarray(y, dtype=np.float64)
    return Figure(float((drawn.strata.weight * drawn.means(values)).sum()), drawn.error_of(values))


def ratio(drawn: Drawn, y: ArrayLike, x: ArrayLike) -> Figure:
    """Ratio of the mean of y to the mean of x, the combined ratio estimator.

    ``R = Y / X``, variance ``1/X^2 sum_h W_h^2 (1 - n_h/N_h) (s_yh^2 + R^2 s_xh^2 -
    2 R s_xyh) / n_h`` (eq. 28; Cochran 6.11), which is the variance of the mean of ``y - R x``.

    Returns:
        NaN where the mean of x is 0: nothing of the kind was drawn.
    """
    ys, xs = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
    w = drawn.strata.weight
    below = float((w * drawn.means(xs)).sum())
    if below == 0:
        return Figure(float("nan"), float("nan"))
    value = float((w * drawn.means(ys)).sum()) / below
    return Figure(value, drawn.error_of(ys - value * xs) / below)


def spread_error(drawn: Drawn, y: ArrayLike, along: ArrayLike) -> float:
    """Standard error of the mean of y, of points that were spread along a line through the land.

    Neighbours along the line are likelier to be alike, and only what differs between neighbours is
    left to chance: ``s_h^2`` is replaced by ``sum((y_{i+1} - y_i)^2) / (2 (n_h - 1))``, the
    estimator by successive differences (Wolter 2007, *Introduction to Variance Estimation*,
    section 8.2). It may be a little too small; `mean` has the error of a simple random sample.

    Args:
        along: (n,) place of each unit on its stratum's line.
    """
    values, w = np.asarray(y, dtype=np.float64), drawn.strata.weight
    order = np.lexsort((np.asarray(along), drawn.stratum))
    stratum, sorted_y = drawn.stratum[order], drawn.apart(values)[order]
    beside = stratum[1:] == stratum[:-1]
    steps = np.bincount(
        stratum[1:][beside], weights=np.diff(sorted_y)[beside] ** 2, minlength=len(w)
    )
    spread = steps / 2 / np.maximum(drawn.counts - 1, 1)
    n = np.maximum(drawn.counts, 1)
    return float(np.sqrt((w**2 * drawn.unsampled * spread / n).sum()))
