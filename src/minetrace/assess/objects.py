"""Whether mines were found as mines: outlines against outlines.

An outline counts as found if a true one and a mapped one share enough of their union. Each is
matched once, the best pairs first, as in the panoptic and detection measures; from an IoU of 0.5 on
there is only one way to match.

Source: Kirillov et al. (2019), "Panoptic Segmentation", for the matching above 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.metrics import f1, precision, recall

LEVELS = (0.1, 0.3, 0.5)
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Objects:
    """The outlines of one chip.

    Attributes:
        true_px: (k,) pixels of each true outline.
        true_iou: (k,) its share with its match, 0 if it has none.
        mapped_px: (m,) pixels of each mapped one.
        mapped_iou: (m,) likewise.
    """

    true_px: Ints
    true_iou: NDArray[np.float64]
    mapped_px: Ints
    mapped_iou: NDArray[np.float64]


def match(true: Ints, mapped: Ints) -> Objects:
    """Match outlines that are given as numbered pixels.

    Args:
        true: (height, width) 0 where there is nothing, else the number of the outline from 1.
        mapped: likewise.
    """
    k, m = int(true.max(initial=0)), int(mapped.max(initial=0))
    shared = np.bincount((true * (m + 1) + mapped).ravel(), minlength=(k + 1) * (m + 1))
    shared = shared.reshape(k + 1, m + 1)
    true_px, mapped_px = shared.sum(axis=1)[1:], shared.sum(axis=0)[1:]
    inner = shared[1:, 1:]
    union = true_px[:, None] + mapped_px[None, :] - inner
    iou = inner / np.maximum(union, 1)
    true_iou, mapped_iou = np.zeros(k), np.zeros(m)
    for i, j in sorted(zip(*np.nonzero(inner), strict=True), key=lambda p: (-iou[p], p)):
        if not true_iou[i] and not mapped_iou[j]:
            true_iou[i] = mapped_iou[j] = iou[i, j]
    return Objects(true_px, true_iou, mapped_px, mapped_iou)


@dataclass(frozen=True)
class Found:
    """Outlines found at one level of overlap."""

    level: float
    true: int
    mapped: int
    matched: int

    @property
    def precision(self) -> float:
        """Share of the mapped outlines that are mines."""
        return precision(self.matched, self.mapped - self.matched)

    @property
    def recall(self) -> float:
        """Share of the mines that were outlined."""
        return recall(self.matched, self.true - self.matched)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return f1(self.matched, self.mapped - self.matched, self.true - self.matched)


def found(
    objects: Sequence[Objects], level: float, *, least_px: int = 1, most_px: float = np.inf
) -> Found:
    """How many outlines share at least ``level`` with their match, in all chips together.

    Args:
        least_px, most_px: only true outlines of so many pixels, ``[least, most)``; mapped ones that
            match none are counted if they are of that size themselves.
    """
    true = mapped = matched = 0
    for o in objects:
        ours = (o.true_px >= least_px) & (o.true_px < most_px)
        hits = int((o.true_iou[ours] >= level).sum())
        stray = (o.mapped_iou < level) & (o.mapped_px >= least_px) & (o.mapped_px < most_px)
        true += int(ours.sum())
        matched += hits
        mapped += hits + int(stray.sum())
    return Found(level, true, mapped, matched)


def area_error(objects: Sequence[Objects]) -> float:
    """(mapped - true) / true ground, over all chips; NaN where there is no mine."""
    true = sum(int(o.true_px.sum()) for o in objects)
    mapped = sum(int(o.mapped_px.sum()) for o in objects)
    return (mapped - true) / true if true else float("nan")
