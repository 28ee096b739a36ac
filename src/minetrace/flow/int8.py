"""``minetrace models export --int8``: a quicker copy of a model, held against the model it is of.

What the copy loses is measured before it may be handed on: on real chips that it was not shaped
by, side by side with the model that it is of, each at its own threshold.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from minetrace.chips.audit import FEWEST_WORDS
from minetrace.core.data_set import IGNORE, DataSet
from minetrace.core.metrics import average_precision, iou, roc_auc
from minetrace.core.model import ModelCard, Scorer
from minetrace.errors import DataSetError, ModelError
from minetrace.flow.chip_scores import ChipScorer
from minetrace.flow.evaluate import label_of
from minetrace.models.int8 import need_onnx, quantised
from minetrace.models.operating_point import HIGHEST, LOWEST
from minetrace.predict.model_check import check_model
from minetrace.predict.model_file import read_model, write_model, zip_model
from minetrace.predict.onnx import OnnxScorer

MOST_LOSS = 0.01  # of a figure from 0 to 1
SHOWN = 512  # chips that the spans between layers are taken from, at most
SHOWN_PX = 4_000_000  # likewise pixels
TOGETHER = 64  # chips that are scored at once
PIXELS = 2000  # of a chip that are compared, about
REPEATS = 5  # of which the quickest is the speed

Chances = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """One of two networks on the same chips.

    Attributes:
        figures: ROC AUC, average precision, and IoU at its threshold.
        threshold: a detection from this probability on.
        mpx_s: million pixels of input in a second, on one thread.
    """

    figures: Mapping[str, float]
    threshold: float
    mpx_s: float

    def to_json(self) -> dict[str, float]:
        """As a card holds it."""
        return {**{name: round(value, 5) for name, value in self.figures.items()},
                "threshold": self.threshold, "Mpx/s": round(self.mpx_s, 2)}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """An int8 network beside the one that it is made of.

    Attributes:
        fp32, int8: each of them.
        largest_change, mean_change: of a probability.
        compared: probabilities that were compared.
        on: what they were compared on.
        shown: what the spans between layers were taken from.
    """

    fp32: Side
    int8: Side
    largest_change: float
    mean_change: float
    compared: int
    on: str
    shown: str

    @property
    def loss(self) -> float:
        """The most that any figure fell by; below 0 if all rose."""
        return max(self.fp32.figures[name] - self.int8.figures[name] for name in self.fp32.figures)

    @property
    def speed_ratio(self) -> float:
        """How many times quicker int8 was."""
        return self.int8.mpx_s / self.fp32.mpx_s


def export_int8(
    model: Path, data: DataSet, target: Path, *, most_loss: float = MOST_LOSS, allow_loss: str = ""
) -> tuple[ModelCard, Comparison]:
    """Write an int8 copy of a model, if it loses little.

    Args:
        model: a folder or zip.
        data: chips in parts: ``train`` is shown to the network, ``val`` gives the threshold and
            ``test`` the figures; of the last two one will do for both.
        target: the zip to write.
        most_loss: of ROC AUC, average precision or IoU, that is taken without a word.
        allow_loss: why more is, in a sentence; goes into the card.

    Raises:
        MissingExtraError: onnx is not installed.
        ModelError: the copy loses more, cannot be made, or the model is one already.
        DataSetError: a part is missing, or shows only one class.
        BandError: the model wants a band that the chips lack.
    """
    need_onnx()
    onnx, card = read_model(model)
    if "int8" in card.metrics:
        raise ModelError(f"{model}: is in int8 already; give the model that it was made from")
    if card.weights_sha256:
        raise ModelError(f"{model}: is too large for int8, its weights lie beside its graph")
    before = OnnxScorer.open(model)
    parts = _Parts.of(data)
    images = _given(before, parts.train)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "int8"
        draft = write_model(folder, quantised(onnx, images), replace(card, metrics={}))
        found = _compare(before, OnnxScorer.open(folder), parts, images[0])
        _refuse_loss(model, found, most_loss, allow_loss)
        write_model(folder, read_model(folder)[0], _card(card, draft, found, most_loss, allow_loss))
        check_model(folder)
        return zip_model(folder, target), found


@dataclass(frozen=True)
class _Parts:
    """What a set gives: chips to show, to choose a threshold on, and to judge by."""

    train: DataSet
    val: DataSet
    test: DataSet

    @classmethod
    def of(cls, data: DataSet) -> _Parts:
        parts = {name: data.split(name) for name in ("train", "val", "test")}
        if not len(parts["train"]):
            raise DataSetError(f"{data.name}: has no chips in part 'train', to be shown to the "
                               "network; divide it with split: {kind: blocks}")  # fmt: skip
        val, test = parts["val"], parts["test"]
        if not len(val) and not len(test):
            raise DataSetError(f"{data.name}: has no chips in parts 'val' and 'test', to measure "
                               "the loss on; divide it with split: {kind: blocks}")  # fmt: skip
        return cls(parts["train"], val if len(val) else test, test if len(test) else val)


class _Kept:
    """A scorer that remembers what it was given."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer, self.images = scorer, list[NDArray[np.float32]]()

    @property
    def card(self) -> ModelCard:
        return self.scorer.card

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        self.images.append(image.copy())
        return self.scorer(image)


def _given(scorer: Scorer, data: DataSet) -> list[NDArray[np.float32]]:
    """What the network takes in when it scores chips, drawn from all over a set."""
    kept = _Kept(scorer)
    ask = ChipScorer.over(kept, data.bands)
    drawn = np.random.default_rng(0).permutation(len(data))[:SHOWN]
    for chips in _batches(data.where(data.chips[i] for i in drawn)):
        ask.many([chips.read(chip)[0] for chip in chips.chips])
        if sum(image[:, 0].size for image in kept.images) >= SHOWN_PX:
            break
    return kept.images


def _batches(data: DataSet) -> Iterator[DataSet]:
    for start in range(0, len(data), TOGETHER):
        yield data.where(data.chips[start : start + TOGETHER])


def _compare(
    before: OnnxScorer, after: OnnxScorer, parts: _Parts, image: NDArray[np.float32]
) -> Comparison:
    card = before.card
    _, old, new = _answers(before, after, parts.val)
    threshold = _as_many(old, new, card.threshold)
    labels, old, new = _answers(before, after, parts.test)
    if labels.all() or not labels.any():
        raise DataSetError(f"{parts.test.name}: shows only one class in the part that the loss is "
                           "measured on; give chips with mines and chips without")  # fmt: skip
    pace = _paces(before, after, image)
    change = np.abs(new - old)
    counted = "chips" if card.output == "patch" else "pixels"
    return Comparison(
        Side(_figures(labels, old, card.threshold), card.threshold, pace[0]),
        Side(_figures(labels, new, threshold), threshold, pace[1]),
        float(change.max()), float(change.mean()), len(labels),
        f"{len(labels):,} {counted} ({_named(parts.test)})", _named(parts.train),
    )  # fmt: skip


def _named(data: DataSet) -> str:
    return f"{data.name}, part {data.chips[0].split}, version {data.version[:12]}"


def _answers(before: Scorer, after: Scorer, data: DataSet) -> tuple[Labels, Chances, Chances]:
    """Whether each known chip (or pixel) is mined, and what both networks say of it."""
    asked = [ChipScorer.over(scorer, data.bands) for scorer in (before, after)]
    patch = before.card.output == "patch"
    rows: list[NDArray[np.float64]] = []
    for chips in _batches(data):
        read = [chips.read(chip) for chip in chips.chips]
        said = [ask.many([image for image, _ in read]) for ask in asked]
        for chip, (_, mask), old, new in zip(chips.chips, read, *said, strict=True):
            if patch:
                label = label_of(chip, mask)
                row = np.array([[np.nan if label is None else label, old[1], new[1]]])
            else:
                truth = np.where(mask == IGNORE, np.nan, mask > 0)
                row = np.stack([truth, old[0], new[0]], -1).reshape(-1, 3)
                row = row[:: max(1, len(row) // PIXELS)]
            rows.append(row[np.isfinite(row).all(axis=1)])
    known = np.concatenate(rows)
    return known[:, 0] > 0, known[:, 1], known[:, 2]


def _as_many(old: Chances, new: Chances, threshold: float) -> float:
    """The threshold at which one network detects as many as the other does at its own."""
    count = int((old >= threshold).sum())
    if not 0 < count < len(new):
        return threshold
    falling = np.sort(new)[::-1]
    middle = float(falling[count - 1] + falling[count]) / 2
    return round(float(np.clip(middle, LOWEST, HIGHEST)), 4)


def _figures(label: Labels, chance: Chances, threshold: float) -> dict[str, float]:
    said = chance >= threshold
    tp, fp, fn = ((label & said).sum(), (~label & said).sum(), (label & ~said).sum())
    return {"ROC AUC": roc_auc(label, chance), "AP": average_precision(label, chance),
            "IoU": iou(int(tp), int(fp), int(fn))}  # fmt: skip


def _paces(before: Scorer, after: Scorer, image: NDArray[np.float32]) -> tuple[float, float]:
    """Million pixels a second of both, in turns, so that a busy machine is unfair to neither."""
    quickest = [np.inf, np.inf]
    for _ in range(REPEATS):
        for which, scorer in enumerate((before, after)):
            begun = time.perf_counter()
            scorer(image)
            quickest[which] = min(quickest[which], time.perf_counter() - begun)
    mpx = image[:, 0].size / 1e6
    return mpx / quickest[0], mpx / quickest[1]


def _refuse_loss(model: Path, found: Comparison, most: float, why: str) -> None:
    if found.loss <= most or len(why.split()) >= FEWEST_WORDS:
        return
    fell = max(found.fp32.figures, key=lambda f: found.fp32.figures[f] - found.int8.figures[f])
    raise ModelError(
        f"{model}: in int8 its {fell} falls from {found.fp32.figures[fell]:.4f} to "
        f"{found.int8.figures[fell]:.4f} on {found.on}, by more than {most:g}; keep the model as "
        "it is, or say --most-loss, or in a sentence with --allow-loss why it may be"
    )


def _card(card: ModelCard, draft: ModelCard, found: Comparison, most: float, why: str) -> ModelCard:
    """The card of the copy: no figure of the other network stands as one of its own."""
    slight = found.loss <= most
    measured = {
        "calibrated_on": found.shown, "measured_on": found.on, "compared": found.compared,
        "fp32": found.fp32.to_json(), "int8": found.int8.to_json(),
        "loss": round(found.loss, 5), "largest_change": round(found.largest_change, 5),
        "mean_change": round(found.mean_change, 6), "speed_ratio": round(found.speed_ratio, 2),
        **({} if slight else {"allowed": why.strip()}),
    }  # fmt: skip
    made_from = {"name": card.name, "sha256": card.sha256, "metrics": dict(card.metrics)}
    return replace(
        draft, name=f"{card.name}-int8", threshold=found.int8.threshold,
        calibrated=card.calibrated and slight,
        metrics={"int8": measured, "made_from": made_from},
    )  # fmt: skip
