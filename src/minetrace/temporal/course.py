"""The course that ground takes: not yet mined, active, abandoned; and how likely each step is.

Some ground only looks like mining: fields that are bare in some years, sandbanks, towns. It has a
state of its own, which it never leaves.

Ground changes in continuous time. What a user says are mean waiting times in years; a gap between
two periods, however long, has the transition probabilities ``expm(years * generator)``, so that
years, quarters and holes in a series need no rule of their own.

Source of the method: Norris (1997), Markov Chains, chapter 2 (continuous time); Abercrombie &
Friedl (2016), doi:10.1109/TGRS.2015.2463689, for land cover decoded by a hidden Markov model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from minetrace.core.period import Period
from minetrace.errors import PeriodError, StudyError

NOT_YET, ACTIVE, ABANDONED, LOOKALIKE = 0, 1, 2, 3
STATES = ("not yet", "active", "abandoned or recovering", "never, though it may look so")
_YEAR_DAYS = 365.2425


@dataclass(frozen=True)
class Course:
    """What is believed of ground before anybody looks.

    Attributes:
        active_share: share of the ground that is active when the series begins.
        abandoned_share: share that was abandoned before it begins and still shows.
        lookalike_share: share that is never mined but looks so now and then; 0 for none.
        begin_years: how long untouched ground waits, on average, until mining begins there.
        active_years: how long mining goes on in one place.
        idle_years: how long abandoned ground waits until it is dug again.
    """

    active_share: float = 0.01
    abandoned_share: float = 0.005
    lookalike_share: float = 0.03
    begin_years: float = 200.0
    active_years: float = 8.0
    idle_years: float = 40.0

    def __post_init__(self) -> None:
        for name in ("begin_years", "active_years", "idle_years"):
            if not 0.01 <= getattr(self, name) < math.inf:
                raise StudyError(f"decode: {name} is {getattr(self, name)}; give years, 0.01 up")
        for name in ("active_share", "abandoned_share"):
            if not 1e-6 <= getattr(self, name) < 1:
                raise StudyError(
                    f"decode: {name} is {getattr(self, name)}; give a share from 1e-6 to below 1, "
                    "since what has no chance could never be found"
                )
        if not 0 <= self.lookalike_share < 1:
            raise StudyError(
                f"decode: lookalike_share is {self.lookalike_share}; give 0 to below 1"
            )
        if self.active_share + self.abandoned_share + self.lookalike_share >= 1:
            raise StudyError(
                "decode: the shares of active, abandoned and lookalike leave no untouched ground"
            )

    @property
    def initial(self) -> NDArray[np.float64]:
        """(4,) probabilities of the states in the first period."""
        others = self.active_share, self.abandoned_share, self.lookalike_share
        return np.array([1 - sum(others), *others])

    @property
    def generator(self) -> NDArray[np.float64]:
        """(3, 3) rates a year between the states besides lookalikes, rows from.

        Nothing becomes untouched again.
        """
        begin, stop, again = 1 / self.begin_years, 1 / self.active_years, 1 / self.idle_years
        return np.array([[-begin, begin, 0.0], [0.0, -stop, stop], [0.0, again, -again]])

    def steps(self, years: Sequence[float]) -> NDArray[np.float64]:
        """(gaps, 3, 3) transition probabilities over gaps of so many years, rows from."""
        if not len(years):
            return np.empty((0, 3, 3))
        return np.stack([transition(self.generator, gap) for gap in years])


def transition(generator: NDArray[np.float64], years: float) -> NDArray[np.float64]:
    """``expm(years * generator)`` for a generator of a Markov chain.

    By scaling and squaring of a Taylor series, which is safe here: after scaling the norm is at
    most 1/8, and every power stays a matrix of probabilities.

    Returns:
        (n, n) rows sum to 1.
    """
    norm = float(np.abs(generator).sum(axis=1).max()) * years
    halvings = max(0, math.ceil(math.log2(max(norm, 1e-300) * 8)))
    small = generator * (years / 2**halvings)
    term = total = np.eye(len(generator))
    for order in range(1, 14):
        term = term @ small / order
        total = total + term
    for _ in range(halvings):
        total = total @ total
    total = np.clip(total, 0.0, 1.0)
    return np.asarray(total / total.sum(axis=1, keepdims=True))


def gaps_years(periods: Sequence[Period]) -> list[float]:
    """Years from the middle of each period to the middle of the next.

    Args:
        periods: in time order.

    Raises:
        PeriodError: two have the same middle, so that neither comes first.
    """
    middles = [p.start.toordinal() + p.days / 2 for p in periods]
    gaps = [(later - earlier) / _YEAR_DAYS for earlier, later in pairwise(middles)]
    if any(gap <= 0 for gap in gaps):
        raise PeriodError("decode: two periods have the same middle; give periods that follow on")
    return gaps
