"""What a sample says of mining in one period, or of change between two: figures with intervals.

Joins the estimators to the two classes that matter here, *mine* and *not*, and picks for each
figure an interval that holds for rare classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.accuracy import accuracy
from minetrace.assess.intervals import Interval, mover_share, mover_sum, wald
from minetrace.assess.stratified import Drawn, Figure, FloatArray, Strata, mean

CLASSES = ("mine", "not")


@dataclass(frozen=True)
class Told:
    """A figure with its interval.

    Attributes:
        value: NaN where nothing can be said.
        standard_error: likewise.
        interval: 95 %, made for rare classes.
        usual: 95 % as papers print it, the value plus and minus 1.96 standard errors.
    """

    value: float
    standard_error: float
    interval: Interval
    usual: Interval

    @classmethod
    def of(cls, figure: Figure, interval: Interval, *, times: float = 1.0) -> Told:
        """From a figure, in another unit if wanted."""
        value, error = figure.value * times, figure.standard_error * times
        return cls(value, error, interval.times(times), wald(value, error))

    def facts(self, digits: int = 6) -> dict[str, Any]:
        """For JSON; what is not known is null."""

        def plain(number: float) -> float | None:
            return round(float(number), digits) if np.isfinite(number) else None

        return {
            "value": plain(self.value), "standard_error": plain(self.standard_error),
            "low": plain(self.interval.low), "high": plain(self.interval.high),
            "usual_low": plain(self.usual.low), "usual_high": plain(self.usual.high),
        }  # fmt: skip


@dataclass(frozen=True)
class Mining:
    """One period.

    Attributes:
        area_ha: truly mined ground.
        matrix: (2, 2) shares of the ground, rows mapped as mine and not, columns true.
        overall, users, producers: accuracies of the map; the latter two of *mine*.
    """

    area_ha: Told
    matrix: FloatArray
    overall: Told
    users: Told
    producers: Told


def mining(drawn: Drawn, mapped: NDArray[np.bool_], y: FloatArray) -> Mining:
    """Estimate one period.

    Args:
        drawn: answered units.
        mapped: (H,) whether a stratum is mapped as mine; strata never mix the two.
        y: (n,) 1 where it is mined, 0 where not, one half where two people differ.
    """
    drawn.refuse_thin()
    is_mapped = mapped[drawn.stratum].astype(np.float64)
    pair = accuracy(
        drawn, np.stack([is_mapped, 1 - is_mapped], 1), np.stack([y, 1 - y], 1), CLASSES
    )
    return Mining(
        area_of(drawn, y), pair.matrix,
        Told.of(pair.overall, mover_sum(drawn, np.where(is_mapped > 0, y, 1 - y))),
        Told.of(pair.users[0], users_interval(drawn, mapped, y)),
        Told.of(pair.producers[0], producers_interval(drawn, mapped, y)),
    )  # fmt: skip


def area_of(drawn: Drawn, y: FloatArray) -> Told:
    """Hectares of what y marks."""
    return Told.of(mean(drawn, y), mover_sum(drawn, y), times=drawn.strata.total)


def difference(drawn: Drawn, before: FloatArray, after: FloatArray) -> Told:
    """Hectares after less hectares before, of the same units looked at twice.

    As both were seen at one place, ``after - before`` of each unit is one variable, and what the
    two have in common falls out of its variance (Cochran 1977, section 12.10 for the pairing).
    The interval joins those of gain and of loss, so that it is honest where either is rare: the
    method of `mover_sum` for a difference.
    """
    total = drawn.strata.total
    figure = mean(drawn, after - before)
    gain, loss = np.maximum(after - before, 0), np.maximum(before - after, 0)
    g, lo = mover_sum(drawn, gain), mover_sum(drawn, loss)
    a, b = mean(drawn, gain).value, mean(drawn, loss).value
    interval = Interval(
        figure.value - float(np.hypot(a - g.low, lo.high - b)),
        figure.value + float(np.hypot(g.high - a, b - lo.low)),
    )
    return Told.of(figure, interval, times=total)


def bounds_ha(drawn: Drawn, y: FloatArray) -> tuple[float, float]:
    """Hectares if no unanswered unit were mined, and if all were.

    Args:
        drawn: every unit, answered or not.
        y: (n,) NaN for no answer.
    """
    least, most = np.nan_to_num(y, nan=0.0), np.nan_to_num(y, nan=1.0)
    total = drawn.strata.total
    return mean(drawn, least).value * total, mean(drawn, most).value * total


def answered(drawn: Drawn, y: FloatArray) -> tuple[Drawn, NDArray[np.bool_]]:
    """The units with an answer, and which they are."""
    known = ~np.isnan(y)
    return drawn.where(known), known


def users_interval(drawn: Drawn, mapped: NDArray[np.bool_], y: FloatArray) -> Interval:
    """Of user's accuracy: a mean over the strata that are mapped as the class, and no ratio."""
    part, here = _only(drawn, mapped)
    return mover_sum(part, y[here]) if part.strata.total else Interval(np.nan, np.nan)


def producers_interval(drawn: Drawn, mapped: NDArray[np.bool_], y: FloatArray) -> Interval:
    """Of producer's accuracy: found against omitted, which lie in strata of their own."""
    shares = []
    for which in (mapped, ~mapped):
        part, here = _only(drawn, which)
        total = part.strata.total
        limits = mover_sum(part, y[here]).times(total) if total else Interval(0.0, 0.0)
        shares.append((mean(part, y[here]).value * total if total else 0.0, limits))
    return mover_share(shares[0], shares[1])


def _only(drawn: Drawn, which: NDArray[np.bool_]) -> tuple[Drawn, NDArray[np.bool_]]:
    """Units of some strata, as a sample of those alone."""
    strata, here = drawn.strata, which[drawn.stratum]
    kept, place = drawn.where(here), np.cumsum(which) - 1
    names: Sequence[str] = [n for n, ours in zip(strata.names, which, strict=True) if ours]
    part = Strata.of(names, strata.area[which], strata.units[which])
    return Drawn(part, place[kept.stratum].astype(np.intp), kept.size), here
