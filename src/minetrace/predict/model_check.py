"""Whether a model file does what its card says: ports, a run on made-up input, dense as single."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import ModelCard, Scaling
from minetrace.errors import ModelError
from minetrace.predict.executors import REFERENCE
from minetrace.predict.model_file import read_model, read_weights
from minetrace.predict.onnx import OnnxScorer

SEED = 7
DENSE_TOLERANCE = 1e-4  # of a probability; float noise of other kernels stays far below
BRIGHTEST = 0.5  # reflectance of the made-up input

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ModelCheck:
    """What was found; a model that does not do what its card says raises instead.

    Attributes:
        card: what the file says of itself.
        inputs: shape by name, a string for a side that is free.
        outputs: likewise.
        lowest: smallest probability on the made-up input.
        highest: largest one.
        dense_difference: largest difference of a probability between a window alone and the same
            window in a dense call; None where every window is called alone anyway.
    """

    card: ModelCard
    inputs: dict[str, list[Any]]
    outputs: dict[str, list[Any]]
    lowest: float
    highest: float
    dense_difference: float | None

    @property
    def runs_over_imagery(self) -> bool:
        """False for a probe on embeddings, say."""
        return not self.card.input_shape


def check_model(path: Path) -> ModelCheck:
    """Open a model, hold it against its card, and run it on made-up input.

    Raises:
        MissingFileError: it is not there.
        ModelError: it was tampered with, is not ONNX, or does not do what its card says.
    """
    onnx, card = read_model(path)
    session = REFERENCE.start(onnx, path, 1, read_weights(path, card))
    answer, dense = _array_answer(session, card) if card.input_shape else _image_answer(path)
    _check_probability(answer, path)
    if dense is not None and dense > DENSE_TOLERANCE:
        raise ModelError(
            f"{path}: a window alone and in a dense call differ by {dense:.2g} in probability, so "
            "it is not fully convolutional without padding; set call_px to the window in its card"
        )
    return ModelCheck(
        card, _ports(session.get_inputs()), _ports(session.get_outputs()),
        float(answer.min()), float(answer.max()), dense,
    )  # fmt: skip


def _array_answer(session: Any, card: ModelCard) -> tuple[Array, None]:
    noise = np.random.default_rng(SEED).normal(size=(4, *card.input_shape))
    port = session.get_inputs()[0].name
    return np.asarray(session.run(["probability"], {port: noise.astype(np.float32)})[0]), None


def _image_answer(path: Path) -> tuple[Array, float | None]:
    scorer = OnnxScorer.open(path)
    image = _image(scorer.card)
    answer = scorer(image)
    return answer, _dense_difference(scorer, image, answer) if scorer.card.grid_side > 1 else None


def _image(card: ModelCard) -> Array:
    """Two squares of noise as the card wants them scaled: (2, bands, call_px, call_px)."""
    shape = (2, len(card.bands), card.call_px, card.call_px)
    image = np.random.default_rng(SEED).uniform(0, BRIGHTEST, shape).astype(np.float32)
    for i, band in enumerate(card.bands):
        scaling = card.scaling.get(band, Scaling())
        if scaling.clip is not None:
            np.clip(image[:, i], *scaling.clip, out=image[:, i])
        image[:, i] = image[:, i] * scaling.scale + scaling.offset
    return image


def _dense_difference(scorer: OnnxScorer, image: Array, dense: Array) -> float | None:
    """Windows at the corners and in the middle, alone against dense; None if sides are fixed."""
    card = scorer.card
    last = card.grid_side - 1
    differences = []
    for row, col in {(0, 0), (0, last), (last // 2, last // 3), (last, last)}:
        y, x = row * card.stride, col * card.stride
        cut = np.ascontiguousarray(image[:, :, y : y + card.window, x : x + card.window])
        try:
            alone = scorer(cut)
        except ModelError:
            return None
        differences.append(float(np.abs(alone[..., 0, 0] - dense[..., row, col]).max()))
    return max(differences)


def _check_probability(answer: Array, path: Path) -> None:
    if not np.isfinite(answer).all() or answer.min() < 0 or answer.max() > 1:
        raise ModelError(
            f"{path}: 'probability' runs from {answer.min():.3g} to {answer.max():.3g} on made-up "
            "input, not from 0 to 1; export the model again with a sigmoid or softmax at its end"
        )


def _ports(ports: Any) -> dict[str, list[Any]]:
    return {port.name: list(port.shape) for port in ports}
