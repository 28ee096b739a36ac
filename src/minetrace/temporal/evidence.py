"""What a score says for or against mining: a likelihood ratio for each of the 65,536 values.

A calibrated probability p of ground being active already contains the share of active ground in
the data that it was calibrated on, the scored prior q. Bayes with that prior divided out leaves

    ratio = P(score | active) / P(score | not active) = [p / (1 - p)] / [q / (1 - q)]

which is all that a series needs, since its own prior comes from the course. No look at all says
nothing: its ratio is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.errors import StudyError
from minetrace.temporal.curve import Curve

MAX_RESIDUE = 0.5
MAX_GUISE = 0.95
_AS_SAID = Curve(((0.0, 0.0), (1.0, 1.0)), 0.5)


class Evidence(Protocol):
    """Anything that weighs scores."""

    @property
    def residue(self) -> float:
        """Chance that abandoned ground still looks as active ground does."""
        ...

    def ratios(self) -> NDArray[np.float32]:
        """(65536,) of active to untouched ground by score x 10,000; 1 where nobody looked."""
        ...

    def lookalikes(self) -> NDArray[np.float32]:
        """(65536,) likewise, of lookalikes to untouched ground."""
        ...


@dataclass(frozen=True)
class Calibrated:
    """Scores that may be read as probabilities.

    Attributes:
        scored_prior: share of active ground in the data that the score was calibrated on.
        slip: chance that a look misleads whatever it says (a cloud that the mask left, a shift by
            a pixel); no single look can then say more than ``(1 - slip) / slip`` to one.
        weight: power of the ratio, below 1 if the errors of one place repeat from period to
            period (a sandbank is bright every year), so that looks are not independent.
        residue: chance that abandoned ground still looks as active ground does.
        guise: chance that ground which is never mined but may look so (see ``Course``) does.
        curve: what a score of this scorer came to where the truth is known; with it the score
            itself need be no probability, and its prior stands in for ``scored_prior``.
    """

    scored_prior: float = 0.5
    slip: float = 0.02
    weight: float = 1.0
    residue: float = 0.1
    guise: float = 0.5
    curve: Curve | None = None

    def __post_init__(self) -> None:
        _share("scored_prior", self.scored_prior, 1e-6, 1 - 1e-6)
        _share("slip", self.slip, 1e-4, 0.49)
        _share("weight", self.weight, 1e-3, 1.0)
        _share("residue", self.residue, 0.0, MAX_RESIDUE)
        _share("guise", self.guise, 0.0, MAX_GUISE)

    def ratios(self) -> NDArray[np.float32]:
        """(65536,) ratio by score; what lies above 10,000 counts as 10,000."""
        prior = self.scored_prior if self.curve is None else self.curve.prior
        p = (self.curve or _AS_SAID).table()
        fair_for, fair_against = p * (1 - prior), (1 - p) * prior
        sure = fair_for / (fair_for + fair_against)  # as if half the ground had been active
        told = self.slip + (1 - 2 * self.slip) * sure
        return _table((told / (1 - told)) ** self.weight)

    def lookalikes(self) -> NDArray[np.float32]:
        """(65536,) ratio of lookalikes by score."""
        return seldom(self.ratios(), self.guise)


@dataclass(frozen=True)
class Detections:
    """Scores that are only above or below a threshold, of a detector whose error rates are known.

    Attributes:
        threshold: from which on it is a detection.
        sensitivity: share of active ground that is detected in one period.
        false_alarm: share of other ground that is.
        residue: chance that abandoned ground still looks as active ground does.
        guise: chance that ground which is never mined but may look so (see ``Course``) does.
    """

    threshold: float = 0.5
    sensitivity: float = 0.8
    false_alarm: float = 0.05
    residue: float = 0.1
    guise: float = 0.5

    def __post_init__(self) -> None:
        _share("threshold", self.threshold, 0.0, 1.0)
        _share("sensitivity", self.sensitivity, 1e-4, 1 - 1e-4)
        _share("false_alarm", self.false_alarm, 1e-4, 1 - 1e-4)
        _share("residue", self.residue, 0.0, MAX_RESIDUE)
        _share("guise", self.guise, 0.0, MAX_GUISE)
        if self.sensitivity <= self.false_alarm:
            raise StudyError(
                f"decode: sensitivity {self.sensitivity} is not above false_alarm "
                f"{self.false_alarm}, so a detection would speak against mining"
            )

    def ratios(self) -> NDArray[np.float32]:
        """(65536,) ratio by score."""
        detected = np.arange(NOT_LOOKED + 1) >= math.ceil(round(self.threshold * SCALE, 6))
        yes = self.sensitivity / self.false_alarm
        no = (1 - self.sensitivity) / (1 - self.false_alarm)
        return _table(np.where(detected, yes, no))

    def lookalikes(self) -> NDArray[np.float32]:
        """(65536,) ratio of lookalikes by score."""
        return seldom(self.ratios(), self.guise)


def seldom(ratios: NDArray[np.float32], chance: float) -> NDArray[np.float32]:
    """Ratios of ground that looks active with a chance, and untouched otherwise."""
    return (chance * ratios.astype(np.float64) + (1 - chance)).astype(np.float32)


def _table(ratios: NDArray[np.float64]) -> NDArray[np.float32]:
    ratios[NOT_LOOKED] = 1.0
    return ratios.astype(np.float32)


def _share(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise StudyError(f"decode: {name} is {value}; give a number from {low:g} to {high:g}")
