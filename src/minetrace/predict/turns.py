"""Test-time augmentation: the mean over the eight ways to lay a square down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import ModelCard, Scorer

Turn = tuple[bool, int]
TURNS: tuple[Turn, ...] = tuple((flip, turns) for flip in (False, True) for turns in range(4))


@dataclass(frozen=True)
class Turned:
    """A scorer that asks another for every flip and quarter turn, in one order, and averages."""

    scorer: Scorer

    @property
    def card(self) -> ModelCard:
        """The card of the scorer asked."""
        return self.scorer.card

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of squares; see `Scorer`."""
        total = back(self.scorer(image), TURNS[0]).astype(np.float32)
        for turn in TURNS[1:]:
            total = total + back(self.scorer(turned(image, turn)), turn)
        return total / np.float32(len(TURNS))


def turned(image: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
    """Squares (..., h, w), turned by quarters and then flipped left to right."""
    flip, quarters = turn
    out = np.rot90(image, quarters, axes=(-2, -1))
    return np.ascontiguousarray(out[..., ::-1] if flip else out)


def back(answer: NDArray[np.float32], turn: Turn) -> NDArray[np.float32]:
    """Undo `turned` on an answer (..., h, w)."""
    flip, quarters = turn
    out = answer[..., ::-1] if flip else answer
    return np.rot90(out, -quarters, axes=(-2, -1))
