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
from minetrace.core.metrics import iou
from minetrace.models.crops import Pool, windows
from minetrace.models.losses import Loss


@dataclass(frozen=True)
class Agreement:
    """How a network and labels agree.

    Attributes:
        loss: mean over batches.
        tp: per class but the first, pixels (or chips) at one half.
        fp: likewise.
        fn: likewise.
    """

    loss: float
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]

    @property
    def iou(self) -> float:
        """Mean over the classes that are there or were found; NaN if none is."""
        counts = zip(self.tp.tolist(), self.fp.tolist(), self.fn.tolist(), strict=True)
        each = [iou(*count) for count in counts if sum(count)]
        return float(np.mean(each)) if each else float("nan")


def agreement(net: nn.Module, pool: Pool, side: int, batch: int, loss: Loss) -> Agreement:
    """Score every window of some chips and count."""
    losses: list[float] = []
    total: NDArray[np.int64] | None = None
    for logits, target in scored(net, pool, side, batch):
        losses.append(float(loss(logits, target)))
        counts = _counts(logits, target)
        total = counts if total is None else total + counts
    if total is None:
        empty = np.zeros(0, np.int64)
        return Agreement(float("nan"), empty, empty, empty)
    return Agreement(float(np.mean(losses)), total[0], total[1], total[2])


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


def _counts(logits: Tensor, target: Tensor) -> NDArray[np.int64]:
    """tp, fp and fn per class but the first, (3, classes - 1)."""
    known = target != IGNORE
    said = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
    rows = []
    for k in range(1, max(2, logits.shape[1])):
        here, true = (said == k) & known, (target == k) & known
        counts = (here & true).sum(), (here & ~true).sum(), (~here & true).sum()
        rows.append([int(count) for count in counts])
    return np.array(rows, np.int64).T
