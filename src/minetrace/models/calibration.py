"""From logits to probabilities that may be read as such.

Fitted on scores of chips that the network was not trained on: two numbers, which cannot learn
the chips, or a curve that only rises, for which many are needed. It is true of ground on which
mines are as common as among those chips.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLAT = 0.2  # a slope below which hardly anything of the network's own sureness is left
FEW_CHIPS, FEW_MINED = 100, 20


@dataclass(frozen=True)
class Calibration:
    """``slope * logit + shift`` is the logit of the probability, unless a curve bends that.

    Attributes:
        slope: of the logit.
        shift: likewise.
        knots: of the curve, from the probability so far to the one that is given out; neither
            ever falls. Straight between knots, level beyond them; empty for no curve.
    """

    slope: float
    shift: float
    knots: tuple[tuple[float, float], ...] = ()

    def probability(self, logit: ArrayLike) -> NDArray[np.float64]:
        """Probabilities of logits, any shape."""
        z = self.slope * np.asarray(logit, dtype=np.float64) + self.shift
        said = 1 / (1 + np.exp(-np.clip(z, -60, 60)))
        return np.asarray(np.interp(said, *np.array(self.knots).T) if self.knots else said)

    @property
    def rises(self) -> list[tuple[float, float, float]]:
        """The curve as stretches: where each begins, how wide it is, how steeply it rises."""
        pairs = zip(self.knots[:-1], self.knots[1:], strict=True)
        return [(x, right - x, (high - y) / (right - x)) for (x, y), (right, high) in pairs]


def calibrate(label: ArrayLike, logit: ArrayLike) -> Calibration:
    """The likeliest slope and shift, by Newton's method on labels drawn in a little.

    Args:
        label: (n,) of 0 and 1, both present.
        logit: (n,) finite.

    Source: Platt (1999), with his smoothing of the labels, which keeps separable scores finite.
    """
    y = np.asarray(label, dtype=np.float64)
    z = np.asarray(logit, dtype=np.float64)
    ones, zeros = y.sum(), (1 - y).sum()
    target = np.where(y > 0, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    design = np.stack([z, np.ones_like(z)], 1)
    answer = np.array([1.0, 0.0])
    for _ in range(100):
        p = Calibration(*answer).probability(z)
        curve = design.T @ (design * np.maximum(p * (1 - p), 1e-9)[:, None])
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), design.T @ (target - p))
        answer = answer + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    return Calibration(float(answer[0]), float(answer[1]))


def doubts(how: Calibration, chips: int, mined: int) -> Iterator[str]:
    """Why probabilities may be far from the truth elsewhere, a line each with its remedy.

    Args:
        how: what was fitted.
        chips: that it was fitted on.
        mined: those among them that hold a mine.
    """
    if chips < FEW_CHIPS or mined < FEW_MINED:
        yield (
            f"the probability is calibrated on {chips:,} validation chips, {mined:,} of them with "
            f"a mine; below {FEW_CHIPS} and {FEW_MINED} it may be far off: give more chips to the "
            "part 'val', and read the calibration error that minetrace evaluate finds on 'test'"
        )
    if how.slope < FLAT:
        yield (
            f"calibration made the answers nearly flat (slope {how.slope:.2g}): on the validation "
            "part the network is sure of much that is wrong; train on more or other chips, for "
            "fewer steps, or compare finish.calibration: temperature"
        )
