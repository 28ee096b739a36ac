"""A network beside labels that it has not seen: loss, IoU, and scores to calibrate with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from minetrace.core.data_set import IGNORE
from minetrace.models.crops import Pool, windows
from minetrace.models.losses import Loss

STEPS = 100  # thresholds that are tried

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """How a network and labels agree.

    Attributes:
        loss: mean over batches; NaN if there were none.
        ones: (classes - 1, STEPS) pixels (or chips) of each class but the first, by probability.
        zeros: likewise, of all others.
    """

    loss: float
    ones: IntArray
    zeros: IntArray

    @property
    def iou(self) -> float:
        """Each class at the threshold that suits it best, mean of those that are there.

        Not at one half: crops are drawn around labels, so the network expects more of them than
        there are, and one half would reward it for expecting less. NaN if no class is there.
        """
        tp, fp = (np.cumsum(counts[:, ::-1], axis=1) for counts in (self.ones, self.zeros))
        there = tp[:, -1] > 0
        shares = tp[there] / (tp[there, -1:] + fp[there])
        return float(shares.max(axis=1).mean()) if there.any() else float("nan")


NO_AGREEMENT = Agreement(
    float("nan"), np.zeros((1, STEPS), np.int64), np.zeros((1, STEPS), np.int64)
)


def agreement(net: nn.Module, pool: Pool, side: int, batch: int, loss: Loss) -> Agreement:
    """Score every window of some chips and count."""
    losses: list[float] = []
    counts: list[tuple[IntArray, IntArray]] = []
    for logits, target in scored(net, pool, side, batch):
        losses.append(float(loss(logits, target)))
        counts.append(_counted(logits, target))
    if not losses:
        return NO_AGREEMENT
    ones, zeros = (np.sum(part, axis=0) for part in zip(*counts, strict=True))
    return Agreement(float(np.mean(losses)), ones, zeros)


def scored(net: nn.Module, pool: Pool, side: int, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (n, c, h, w) and targets (n, h, w) of every window, without gradients or dropout."""
    was = net.training
    net.eval()
    try:
        squares = windows(pool, side)
        while part := list(islice(squares, batch)):
            images = np.stack([image for _, image, _ in part])
            yield _judged(net, images), torch.from_numpy(np.stack([mask for _, _, mask in part]))
    finally:
        net.train(was)


def _judged(net: nn.Module, images: NDArray[np.float32]) -> Tensor:
    """Logits on the CPU; gradients are off here alone, not while a caller waits for the next."""
    device = next(net.parameters()).device
    with torch.no_grad():
        logits: Tensor = net(torch.from_numpy(images).to(device))
    return logits.float().cpu()


def known_logits(
    nets: Sequence[nn.Module], pool: Pool, side: int, batch: int, *, most: int = 1_000_000
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (m,) and logits (m, c), the mean of the networks', of pixels that are known.

    Args:
        most: pixels to return, about; more are thinned evenly.
    """
    pixels = sum(pool[i][1].size for i in range(len(pool)))
    thin = max(1, pixels // most)
    labels, logits = [], []
    for parts in zip(*(scored(net, pool, side, batch) for net in nets), strict=True):
        target = parts[0][1].numpy().reshape(-1)
        mean = torch.stack([part[0] for part in parts]).mean(0)
        rows = mean.movedim(1, -1).reshape(-1, mean.shape[1]).numpy()
        keep = np.flatnonzero(target != IGNORE)[::thin]
        labels.append(target[keep].astype(np.int64))
        logits.append(rows[keep].astype(np.float64))
    return np.concatenate(labels), np.concatenate(logits)


def _counted(logits: Tensor, target: Tensor) -> tuple[IntArray, IntArray]:
    """How many pixels have each probability: of each class but the first, and of all others."""
    one = logits.shape[1] == 1
    said = torch.sigmoid(logits) if one else torch.softmax(logits, 1)[:, 1:]
    step = (said * STEPS).long().clamp(0, STEPS - 1)
    rows: list[list[IntArray]] = []
    for k in range(step.shape[1]):
        known = target != IGNORE
        here = [step[:, k][known & (target == k + 1)], step[:, k][known & (target != k + 1)]]
        rows.append([np.bincount(values.numpy(), minlength=STEPS) for values in here])
    return np.array([ones for ones, _ in rows]), np.array([zeros for _, zeros in rows])
