"""How good a model is on chips that it has not seen: figures, each with an interval.

Neighbouring chips are alike, so a bootstrap that draws chips would promise too much: whole blocks
of ground are drawn instead, and few blocks give wide and honest intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.histogram import Counts, auc, average_precision, calibration_error, count
from minetrace.assess.objects import LEVELS, Objects, area_error, found
from minetrace.core.metrics import interval

DRAWS = 1000
LEVEL = 0.95
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ChipResult:
    """What a model made of one chip.

    Attributes:
        name, region, source, period: of the chip.
        block: what is drawn whole by the bootstrap.
        counts: (2, BINS) pixels by score, without what nobody knows.
        hits: (tp, fp, fn, tn) pixels at the model's threshold.
        label: whether there is a mine in the chip; None if nobody knows.
        score: of the chip as a whole.
        threshold: from which on the model calls it a mine.
        objects: its outlines at the model's threshold; None for a patch model.
    """

    name: str
    region: str
    source: str
    period: str
    block: str
    counts: NDArray[np.int64]
    hits: tuple[int, int, int, int]
    label: bool | None
    score: float
    threshold: float
    objects: Objects | None = None

    @property
    def mined_px(self) -> int:
        """Pixels of mines."""
        return self.hits[0] + self.hits[2]

    @property
    def iou(self) -> float:
        """Of this chip alone; NaN if there is no mine and none was mapped."""
        tp, fp, fn, _ = self.hits
        return tp / (tp + fp + fn) if tp + fp + fn else float("nan")


@dataclass(frozen=True)
class Figure:
    """A figure, and the middle 95 % of what other blocks of ground would have given."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Evaluation:
    """A model on chips.

    Attributes:
        chips, blocks: how many.
        figures: by name.
    """

    chips: int
    blocks: int
    figures: Mapping[str, Figure]

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it: no NaN."""
        return {
            "chips": self.chips, "blocks": self.blocks,
            "figures": {
                name: {k: (None if v != v else round(v, 6)) for k, v in vars(figure).items()}
                for name, figure in self.figures.items()
            },
        }  # fmt: skip


Sums = tuple[FloatArray, FloatArray]
"""Hits (..., 4) and counts (..., 2, BINS)."""

PIXELS: Mapping[str, Callable[[FloatArray, Counts], FloatArray]] = {
    "IoU": lambda h, c: _of_mines(h, h[..., 0] / (h[..., 0] + h[..., 1] + h[..., 2])),
    "F1": lambda h, c: _of_mines(h, 2 * h[..., 0] / (2 * h[..., 0] + h[..., 1] + h[..., 2])),
    "precision": lambda h, c: h[..., 0] / (h[..., 0] + h[..., 1]),
    "recall": lambda h, c: h[..., 0] / (h[..., 0] + h[..., 2]),
    "specificity": lambda h, c: h[..., 3] / (h[..., 3] + h[..., 1]),
    "accuracy": lambda h, c: (h[..., 0] + h[..., 3]) / h.sum(-1),
    "ROC AUC": lambda h, c: auc(c),
    "average precision": lambda h, c: average_precision(c),
}
PATCHES: Mapping[str, Callable[[FloatArray, Counts], FloatArray]] = {
    "sensitivity": PIXELS["recall"],
    "specificity": PIXELS["specificity"],
    "precision": PIXELS["precision"],
    "ROC AUC": PIXELS["ROC AUC"],
    "average precision": PIXELS["average precision"],
}


def pixel_figures(results: Sequence[ChipResult], *, draws: int = DRAWS, seed: int = 0) -> (
    Evaluation
):  # fmt: skip
    """Figures of pixels, drawn by block."""
    hits = np.array([r.hits for r in results], float).reshape(-1, 4)
    counts = np.stack([r.counts for r in results]).astype(float)
    blocks = [r.block for r in results]
    figures = _figures(PIXELS, hits, counts, blocks, draws, seed)
    whole = counts.sum(axis=0)
    figures["calibration error"] = Figure(calibration_error(whole))
    return Evaluation(len(results), len(set(blocks)), figures)


def patch_figures(results: Sequence[ChipResult], *, draws: int = DRAWS, seed: int = 0) -> (
    Evaluation
):  # fmt: skip
    """Figures of whole chips, those whose label is known, drawn by block."""
    known = [r for r in results if r.label is not None and np.isfinite(r.score)]
    label = np.array([bool(r.label) for r in known], bool)
    score = np.array([r.score for r in known], float)
    said = score >= np.array([r.threshold for r in known], float)
    hits = np.column_stack(
        [label & said, ~label & said, label & ~said, ~label & ~said]
    ).astype(float)  # fmt: skip
    counts = np.array([count(label[i : i + 1], score[i : i + 1]) for i in range(len(known))], float)
    blocks = [r.block for r in known]
    figures = _figures(PATCHES, hits, counts, blocks, draws, seed)
    figures["calibration error"] = Figure(calibration_error(counts.sum(axis=0)))
    return Evaluation(len(known), len(set(blocks)), figures)


def object_figures(results: Sequence[ChipResult], *, draws: int = DRAWS, seed: int = 0) -> (
    Evaluation
):  # fmt: skip
    """F1 of outlines at each level of overlap, and the error of their area, drawn by block."""
    with_objects = [r for r in results if r.objects is not None]
    blocks = sorted({r.block for r in with_objects})
    of_block = [[r.objects for r in with_objects if r.block == b and r.objects] for b in blocks]
    rows, every = _object_rows(of_block), [o for line in of_block for o in line]
    weights = _weights(len(blocks), draws, seed)
    figures = {}
    for at, level in enumerate(LEVELS):
        true, mapped, matched = (weights @ rows[:, 3 * at + k] for k in range(3))
        drawn = _ratio(2 * matched, true + mapped)
        figures[f"F1 at IoU {level}"] = _with_interval(found(every, level).f1, drawn)
    drawn = _ratio(weights @ (rows[:, -1] - rows[:, -2]), weights @ rows[:, -2])
    figures["area error"] = _with_interval(area_error(every), drawn)
    return Evaluation(len(with_objects), len(blocks), figures)


def _object_rows(of_block: Sequence[Sequence[Objects]]) -> FloatArray:
    rows = []
    for line in of_block:
        per_level = [found(line, level) for level in LEVELS]
        row = [v for f in per_level for v in (f.true, f.mapped, f.matched)]
        row += [sum(int(o.true_px.sum()) for o in line), sum(int(o.mapped_px.sum()) for o in line)]
        rows.append(row)
    return np.array(rows, float).reshape(len(of_block), 3 * len(LEVELS) + 2)


def by_group(
    results: Sequence[ChipResult], key: Callable[[ChipResult], str],
    figures: Callable[[Sequence[ChipResult]], Evaluation],
) -> dict[str, Evaluation]:  # fmt: skip
    """Figures of each group of chips, such as regions, in the order of their names."""
    groups: dict[str, list[ChipResult]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return {name: figures(groups[name]) for name in sorted(groups)}


def _figures(
    metrics: Mapping[str, Callable[[FloatArray, Counts], FloatArray]], hits: FloatArray,
    counts: FloatArray, blocks: Sequence[str], draws: int, seed: int,
) -> dict[str, Figure]:  # fmt: skip
    _, owner = np.unique(np.array(blocks, dtype=object).astype(str), return_inverse=True)
    many = int(owner.max(initial=-1)) + 1
    block_hits = np.zeros((many, 4))
    block_counts = np.zeros((many, *counts.shape[1:]))
    np.add.at(block_hits, owner, hits)
    np.add.at(block_counts, owner, counts)
    weights = _weights(many, draws, seed)
    drawn_hits = weights @ block_hits
    drawn_counts = (weights @ block_counts.reshape(many, -1)).reshape(draws, *counts.shape[1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            name: _with_interval(
                float(metric(block_hits.sum(0), block_counts.sum(0))),
                metric(drawn_hits, drawn_counts),
            )
            for name, metric in metrics.items()
        }


def _weights(blocks: int, draws: int, seed: int) -> FloatArray:
    """(draws, blocks) how often each block is drawn, with replacement.

    Source: Efron & Tibshirani (1993), the cluster bootstrap.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(blocks, np.full(max(blocks, 1), 1 / max(blocks, 1)), draws).astype(float)


def _with_interval(value: float, drawn: FloatArray) -> Figure:
    if not np.isfinite(drawn).any():
        return Figure(value)
    return Figure(value, *interval(drawn, level=LEVEL))


def _of_mines(hits: FloatArray, value: FloatArray) -> FloatArray:
    """NaN where there is no mine: a single false pixel would make the value 0."""
    return np.where(hits[..., 0] + hits[..., 2] > 0, value, np.nan)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """NaN where the whole is nothing, as in draws without a mine: of infinities no interval is."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
