"""What turns trained networks into a model that may be used: calibration, a threshold, a graph.

All of it is fitted on chips that were not trained on. Needs torch and onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from minetrace.core.metrics import f1, iou, precision, recall
from minetrace.models.calibration import Calibration, calibrate
from minetrace.models.crops import Pool, windows
from minetrace.models.isotonic import isotonic
from minetrace.models.operating_point import Rule, choose_threshold
from minetrace.models.parity import check_parity
from minetrace.models.temperature import probabilities, temperature
from minetrace.models.torch_export import Finished, files_of
from minetrace.models.validation import known_logits

CHECKED = 16  # windows of real chips on which graph and network are compared
Way = Literal["temperature", "platt", "isotonic", "none"]


@dataclass(frozen=True)
class FinishedModel:
    """A graph and what is known of it.

    Attributes:
        onnx: the graph.
        weights: that lie beside it; none where it holds them.
        calibration: folded into it.
        threshold: a detection from this probability on.
        parity: largest difference of a probability between graph and networks.
        calibrated: whether there were chips to calibrate on.
        spread: whether its last class is the spread of the members.
    """

    onnx: bytes
    weights: bytes
    calibration: Calibration
    threshold: float
    parity: float
    calibrated: bool
    spread: bool


def finish(
    nets: Sequence[nn.Module], validation: Pool, *, side: int, way: Way, rule: Rule
) -> FinishedModel:
    """Calibrate, choose the threshold, export, and compare the graph with the networks.

    Args:
        nets: one, or the members of an ensemble.
        validation: chips that none of them was trained on; where there are none, the answer is
            left as it is and the threshold is one half.
        side: of a window, pixels.
        way: ``platt`` fits slope and shift and ``isotonic`` a curve, both of one class only;
            ``temperature`` the slope alone, and so do the others of several classes.
        rule: of the threshold, for any class against the rest.

    Raises:
        ModelError: the graph differs from the networks by more than 1e-4 in probability.
    """
    how, threshold, labels = Calibration(1.0, 0.0), 0.5, np.zeros(0, np.int64)
    if len(validation):
        labels, logits = known_logits(nets, validation, side, 8)
    fits = len(np.unique(labels)) > 1
    if fits:
        how = _calibration(labels, logits, way)
        said = probabilities(logits, how).max(axis=1)
        threshold = choose_threshold(labels > 0, said, rule)
    finished = Finished(nets, how)
    bands = len(validation.survey.bands)
    onnx, weights = files_of(finished, bands, side)
    apart = _parity(onnx, weights, finished, _pictures(validation, bands, side))
    calibrated = fits and way != "none"
    return FinishedModel(onnx, weights, how, threshold, apart, calibrated, len(nets) > 1)


def figures(
    nets: Sequence[nn.Module], chips: Pool, side: int, model: FinishedModel, classes: Sequence[str]
) -> dict[str, float]:
    """Agreement at the model's threshold, of pixels (or chips) that are known.

    Of several ``classes``, any against the first of the masks, and each against all others.
    """
    labels, logits = known_logits(nets, chips, side, 8, most=20_000_000)
    said = probabilities(logits, model.calibration) >= model.threshold
    found = _agreement(np.any(said, axis=1), labels > 0)
    if len(classes) > 1:
        for number, name in enumerate(classes):
            each = _agreement(said[:, number], labels == number + 1)
            found |= {f"{figure} of {name}": value for figure, value in each.items()}
    counted = {"chips": len(chips), "known": len(labels)}
    return {**{k: round(v, 4) for k, v in found.items() if np.isfinite(v)}, **counted}


def _agreement(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> dict[str, float]:
    tp, fp, fn = (int(np.count_nonzero(x)) for x in (said & true, said & ~true, ~said & true))
    return {"iou": iou(tp, fp, fn), "f1": f1(tp, fp, fn), "precision": precision(tp, fp),
            "recall": recall(tp, fn)}  # fmt: skip


def _calibration(labels: NDArray[np.int64], logits: NDArray[np.float64], way: Way) -> Calibration:
    if way == "none":
        return Calibration(1.0, 0.0)
    if way == "temperature" or logits.shape[1] > 1:
        return temperature(labels, logits)
    fit = isotonic if way == "isotonic" else calibrate
    return fit(labels, logits[:, 0])


def _pictures(chips: Pool, bands: int, side: int) -> NDArray[np.float32]:
    """Windows of real chips; noise where there are none."""
    some = [image for _, image, _ in islice(windows(chips, side), CHECKED)] if len(chips) else []
    if some:
        return np.stack(some)
    rng = np.random.default_rng(0)
    return rng.normal(size=(CHECKED, bands, side, side)).astype(np.float32)


def _parity(
    onnx: bytes, weights: bytes, finished: Finished, images: NDArray[np.float32]
) -> float:  # fmt: skip
    with torch.no_grad():
        _, expected = finished(torch.from_numpy(images))
    said = expected.numpy().reshape(-1).astype(np.float64)
    return check_parity(onnx, images, said, weights)
