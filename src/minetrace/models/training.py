"""How a network is trained: every choice but the data and the network, and the pace as a function.

Reads nothing and imports no torch, so that a study can be checked without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from minetrace.core.bands import nearest
from minetrace.errors import ModelError

Pace = Literal["cosine", "plateau", "constant"]
Precision = Literal["fp32", "bf16", "fp16"]
LOSS_TERMS = ("cross_entropy", "dice", "focal", "log_cosh_dice")
LEAST_GAIN = 1e-4  # of the measure that is watched; less is no progress


@dataclass(frozen=True)
class Training:
    """The settings of one training.

    Attributes:
        window: side of a crop and of the windows of the finished model, pixels.
        batch: crops at a time.
        accumulate: batches whose gradients are summed to one step.
        steps: at most.
        every: steps between two looks at the validation part; the state is kept then.
        patience: looks without progress before training stops; 0 for never.
        rate: highest learning rate.
        pace: ``cosine`` falls to nothing at the last step; ``plateau`` divides by five after two
            looks without progress; ``constant`` stays.
        warm_up: share of the steps over which the rate rises to its highest.
        decay: weight decay of AdamW.
        clip: longest gradient, by norm; 0 for any.
        memory: of the running mean of the weights, per step, which is what is kept; 0 keeps the
            weights themselves.
        balance: share of the crops that are drawn around a labelled class.
        source_power: a source of m chips is drawn in proportion to ``m ** source_power``: 1 is
            every chip alike, 0 every source alike.
        precision: of the arithmetic of the network; fp16 needs a GPU.
        compiled: whether torch compiles the network.
        keep: the weights of the ``best`` look at the validation part, or the ``last``.
        seed: of the weights and of every draw.
    """

    window: int = 256
    batch: int = 8
    accumulate: int = 1
    steps: int = 2000
    every: int = 200
    patience: int = 0
    rate: float = 1e-3
    pace: Pace = "cosine"
    warm_up: float = 0.05
    decay: float = 1e-2
    clip: float = 1.0
    memory: float = 0.99
    balance: float = 0.5
    source_power: float = 1.0
    precision: Precision = "fp32"
    compiled: bool = False
    keep: Literal["best", "last"] = "best"
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("window", "batch", "accumulate", "steps", "every"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("balance", "warm_up", "source_power"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(f"{name} is {getattr(self, name)}; it must lie from 0 to 1")
        if not 0 <= self.memory < 1:
            raise ModelError(f"memory is {self.memory}; it must lie from 0 to below 1")


@dataclass(frozen=True)
class Look:
    """What a look at the validation part found.

    Attributes:
        step: steps done.
        loss: mean of the training crops since the look before.
        rate: learning rate of the last step.
        val_loss: mean over the validation part; NaN without one.
        val_iou: of each class at the threshold that suits it best, the mean of those that are
            there; NaN without one.
        seconds: of training so far.
    """

    step: int
    loss: float
    rate: float
    val_loss: float
    val_iou: float
    seconds: float


def check_terms(terms: Mapping[str, float]) -> None:
    """Check the weights of a loss, by the name of its term.

    Raises:
        ModelError: there is none, none of that name, or one that weighs nothing.
    """
    for name, weight in terms.items():
        if name not in LOSS_TERMS:
            hint = nearest(name, LOSS_TERMS)
            meant = f"did you mean {hint!r}? " if hint else ""
            raise ModelError(f"no loss is called {name!r}; {meant}choose {', '.join(LOSS_TERMS)}")
        if not weight > 0:
            raise ModelError(f"the loss {name} weighs {weight}; give a weight above 0")
    if not terms:
        raise ModelError(f"a loss has at least one term; choose {', '.join(LOSS_TERMS)}")


def rate_at(step: int, how: Training, looks: Sequence[Look]) -> float:
    """The learning rate of a step, from 0, after some looks."""
    rise = how.warm_up * how.steps
    if step < rise:
        return how.rate * (step + 1) / (rise + 1)
    if how.pace == "cosine":
        done = (step - rise) / max(1.0, how.steps - rise)
        return how.rate * (1 + math.cos(math.pi * min(1.0, done))) / 2
    if how.pace == "plateau":
        return float(how.rate * 0.2 ** (_stale(looks) // 2))
    return how.rate


def best(looks: Sequence[Look]) -> Look | None:
    """The look with the highest IoU, or the lowest loss where nothing was found; None if none."""
    if not looks:
        return None
    if all(math.isnan(look.val_iou) for look in looks):
        return looks[-1]
    return max(looks, key=lambda look: (_worth(look), -look.step))


def finished(looks: Sequence[Look], how: Training) -> bool:
    """Whether patience has run out."""
    front = best(looks)
    if not how.patience or front is None or math.isnan(front.val_iou):
        return False
    return len([look for look in looks if look.step > front.step]) >= how.patience


def _stale(looks: Sequence[Look]) -> int:
    """Looks without progress, in all: each divides what is left of the rate."""
    stale, front = 0, -math.inf
    for look in looks:
        if _worth(look) > front + LEAST_GAIN:
            front = _worth(look)
        else:
            stale += 1
    return stale


def _worth(look: Look) -> float:
    return -math.inf if math.isnan(look.val_iou) else look.val_iou
