"""What a network is punished for: losses on logits, and weighted sums of them.

Logits are (n, 1, h, w) where one class stands against the rest, else (n, classes, h, w); targets
are (n, h, w) class indices, IGNORE where nobody knows. A pixel that is ignored pulls at nothing,
and a batch of nothing else has loss zero. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from minetrace.core.data_set import IGNORE
from minetrace.errors import ModelError
from minetrace.models.training import check_terms


@dataclass(frozen=True)
class Loss:
    """A weighted sum of terms.

    Attributes:
        terms: weight by name, among `TERMS`.
        class_weight: per class index, for the cross-entropy and the focal loss of several classes;
            empty for alike.
        positive_weight: of the one class against the rest, likewise; several classes have
            ``class_weight``.
        focus: exponent of the focal loss.
        smoothing: how far labels are drawn towards one half (of several classes, towards all of
            them alike) in the cross-entropy and the focal loss, for wrong labels among them.
    """

    terms: Mapping[str, float] = field(default_factory=lambda: {"cross_entropy": 1.0, "dice": 1.0})
    class_weight: tuple[float, ...] = ()
    positive_weight: float = 1.0
    focus: float = 2.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_terms(self.terms)

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch, a scalar; see the module for the shapes."""
        parts = [weight * TERMS[name](logits, target, self) for name, weight in self.terms.items()]
        return torch.stack(parts).sum()


def cross_entropy(logits: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """Mean over the pixels that are known, weighted."""
    return _mean(*_surprise(logits, target, loss))


def focal(logits: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """Cross-entropy in which what is already right counts little.

    Source: Lin et al. (2017).
    """
    surprise, known = _surprise(logits, target, loss)
    plain, _ = _surprise(logits, target, _PLAIN)
    return _mean(surprise * (1 - torch.exp(-plain)) ** loss.focus, known)


def dice(logits: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """One minus the Dice coefficient of the batch; of several classes, the mean of the present.

    Source: Milletari et al. (2016).
    """
    known = (target != IGNORE)[:, None]
    if logits.shape[1] == 1:
        said, true = torch.sigmoid(logits), (target == 1)[:, None]
    else:
        said = torch.softmax(logits, 1)[:, 1:]
        true = torch.stack([target == k for k in range(1, logits.shape[1])], 1)
    said, wanted = said * known, (true & known).to(logits.dtype)
    axes = (0, 2, 3)
    overlap = 2 * (said * wanted).sum(axes)
    total = said.sum(axes) + wanted.sum(axes)
    present = wanted.sum(axes) > 0
    coefficient = (overlap + 1) / (total + 1)
    some = present.sum()
    return torch.where(present, 1 - coefficient, torch.zeros_like(coefficient)).sum() / some.clamp(
        min=1
    )


def log_cosh_dice(logits: Tensor, target: Tensor, loss: Loss) -> Tensor:
    """The Dice loss with a smoother slope near zero.

    Source: Jadon (2020).
    """
    return torch.log(torch.cosh(dice(logits, target, loss)))


Term = Callable[[Tensor, Tensor, Loss], Tensor]
TERMS: Mapping[str, Term] = {
    "cross_entropy": cross_entropy,
    "dice": dice,
    "focal": focal,
    "log_cosh_dice": log_cosh_dice,
}
_PLAIN = Loss({"cross_entropy": 1.0})


def _surprise(logits: Tensor, target: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """Weighted cross-entropy and weight of every pixel, (n, h, w) both; 0 where unknown."""
    known = (target != IGNORE).to(logits.dtype)
    if logits.shape[1] == 1:
        wanted = (target == 1).to(logits.dtype)
        weight = known * (1 + (loss.positive_weight - 1) * wanted)
        drawn_in = wanted * (1 - loss.smoothing) + loss.smoothing / 2
        plain = F.binary_cross_entropy_with_logits(logits[:, 0], drawn_in, reduction="none")
        return plain * weight, weight
    classes = logits.shape[1]
    index = torch.where(target == IGNORE, torch.zeros_like(target), target).long()
    each = torch.ones(classes, dtype=logits.dtype, device=logits.device)
    if loss.class_weight:
        if len(loss.class_weight) != classes:
            raise ModelError(
                f"loss: class_weight has {len(loss.class_weight)} numbers for {classes} classes; "
                "give one each, the first for what is none of the others"
            )
        each = each * torch.tensor(loss.class_weight, dtype=logits.dtype, device=logits.device)
    weight = known * each[index]
    surprise = F.cross_entropy(logits, index, reduction="none", label_smoothing=loss.smoothing)
    return surprise * weight, weight


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return values.sum() / weight.sum().clamp(min=1e-6)
