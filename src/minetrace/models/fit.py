"""Fitting a patch network to labelled chips: one loop, one seed, no files.

What comes back is the running mean of the weights over the last steps, which wobbles less from
seed to seed than the last weights do. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from minetrace.models.augment import Augmentation, augmented
from minetrace.models.patch_net import PatchNet

OnStep = Callable[[int, float], None]
WHITE = 255  # full scale of a chip's values


@dataclass(frozen=True)
class Recipe:
    """How a network is fitted.

    Attributes:
        augmentation: what is done to each chip each time that it is drawn.
        steps: batches.
        batch: chips a step.
        rate: highest learning rate; it rises over the first fifth and falls to nothing.
        decay: weight decay.
        smoothing: how far labels are drawn towards one half, for wrong labels among them.
        memory: of the running mean of the weights, per step.
        widths: channels of the network's convolutions.
    """

    augmentation: Augmentation
    steps: int = 900
    batch: int = 128
    rate: float = 3e-3
    decay: float = 2e-2
    smoothing: float = 0.05
    memory: float = 0.99
    widths: tuple[int, int, int, int] = (32, 48, 64, 64)


def fit(
    pixels: NDArray[np.uint8], label: NDArray[np.bool_], weight: NDArray[np.float64],
    recipe: Recipe, *, seed: int, on_step: OnStep | None = None,
) -> PatchNet:  # fmt: skip
    """Fit a network; the same arguments on the same machine and threads give the same weights.

    Args:
        pixels: (n, bands, side, side).
        label: (n,).
        weight: (n,) how often to draw each chip, up to a factor.
        seed: of the weights, the draws and the augmentation.
        on_step: told the number of each step and its loss.
    """
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    chips, odds = torch.from_numpy(pixels), torch.from_numpy(weight)
    wanted = torch.from_numpy(label).float() * (1 - recipe.smoothing) + recipe.smoothing / 2
    net = PatchNet(pixels.shape[1], recipe.widths).train()
    optimiser = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.steps, pct_start=0.2
    )
    mean = {name: value.clone() for name, value in net.state_dict().items()}
    for step in range(recipe.steps):
        picked = torch.multinomial(odds, recipe.batch, True, generator=draw)
        seen = augmented(chips[picked].float() / WHITE, recipe.augmentation, draw)
        loss = F.binary_cross_entropy_with_logits(net(seen).flatten(), wanted[picked])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        _blend(mean, net.state_dict(), min(recipe.memory, (step + 1) / (step + 10)))
        if on_step:
            on_step(step, loss.item())
    net.load_state_dict(mean)
    return net.eval()


def _blend(mean: dict[str, Tensor], fresh: dict[str, Tensor], memory: float) -> None:
    for name, value in fresh.items():
        moving = value.is_floating_point()
        mean[name] = mean[name] * memory + value * (1 - memory) if moving else value.clone()
