"""Scoring with ONNX Runtime: fp32, on one thread of the CPU unless another device is asked for."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from minetrace.core.model import ModelCard
from minetrace.errors import MissingExtraError, ModelError
from minetrace.predict.executors import (
    ORT_ERRORS,
    REFERENCE,
    Device,
    Executor,
    ParityGate,
    candidates,
    first_line,
)
from minetrace.predict.model_file import read_model, read_weights, write_model

__all__ = ["OnnxScorer", "write_model"]

INPUT, OUTPUTS = "image", ("logits", "probability")


@dataclass(frozen=True)
class OnnxScorer:
    """A model file and, in each process that uses it, a session.

    Pickles as its path; the file is read and checked again where it is unpickled and used.

    Attributes:
        path: the model folder or zip.
        card: what it says of itself.
        threads: intra-op threads; equal scores are promised for 1.
        executor: what the network runs on; equal scores are promised for the reference.
    """

    path: Path
    card: ModelCard
    threads: int = 1
    executor: Executor = REFERENCE
    _sessions: list[Any] = field(default_factory=list, compare=False, repr=False)
    _gates: list[ParityGate] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def open(cls, path: str | Path, *, threads: int = 1, device: Device = "cpu") -> OnnxScorer:
        """Open a model file and try it once.

        Args:
            device: ``auto`` takes a GPU if there is one.

        Raises:
            MissingFileError: the path or one of its files is not there.
            ModelError: it was tampered with, is not ONNX, or does not do what its card says.
            MissingExtraError: the device is not to be had.
        """
        path = Path(path)
        onnx, card = read_model(path)
        _refuse_without_images(card, path)
        weights = read_weights(path, card)
        executor, session = _started(candidates(device), onnx, path, threads, weights)
        _check_ports(session, card, path)
        scorer = cls(path, card, threads, executor, [session])
        scorer._try()
        return scorer

    def describe(self) -> dict[str, Any]:
        """What ran, for the record of a run: equal scores are promised where all of it is equal."""
        return {
            "model": self.card.name, "sha256": self.card.sha256,
            "runtime": "onnxruntime", "version": ort.__version__,
            "providers": [self.executor.provider], "threads": self.threads,
            "machine": platform.machine(), "system": platform.system(),
        }  # fmt: skip

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of squares; see `Scorer`.

        Raises:
            ModelError: the runtime refuses the input, or says other than the reference.
        """
        answer = self._ask(self._session(), image)
        if self.executor != REFERENCE:
            self._gate().hold(image, answer)
        return answer

    def _ask(self, session: Any, image: NDArray[np.float32]) -> NDArray[np.float32]:
        fixed = session.get_inputs()[0].shape[0]
        parts = [image] if fixed != 1 else [image[i : i + 1] for i in range(len(image))]
        try:
            answers = [session.run(["probability"], {INPUT: part})[0] for part in parts]
        except ORT_ERRORS as error:
            raise ModelError(
                f"{self.path}: ONNX Runtime refuses an input of shape {image.shape} "
                f"({first_line(error)}); correct bands, window or call_px in its card"
            ) from error
        answer = np.concatenate(answers) if len(answers) > 1 else answers[0]
        return _squared(np.asarray(answer, dtype=np.float32), self.card)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "card": self.card, "threads": self.threads,
                "executor": self.executor}  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in {**state, "_sessions": [], "_gates": []}.items():
            object.__setattr__(self, name, value)

    def _session(self) -> Any:
        if not self._sessions:
            self._sessions.append(self._start(self.executor))
        return self._sessions[0]

    def _start(self, executor: Executor) -> Any:
        onnx, card = read_model(self.path)
        if card.sha256 != self.card.sha256:
            raise ModelError(f"{self.path}: the model was exchanged while it was in use; run again")
        return executor.start(onnx, self.path, self.threads, read_weights(self.path, card))

    def _gate(self) -> ParityGate:
        if not self._gates:
            ask = partial(self._ask, self._start(REFERENCE))
            self._gates.append(ParityGate(self.executor, ask, self.path))
        return self._gates[0]

    def _try(self) -> None:
        card = self.card
        zeros = np.zeros((1, len(card.bands), card.call_px, card.call_px), np.float32)
        answer = self._ask(self._session(), zeros)
        side = card.call_px if card.output == "pixels" else card.grid_side
        expected = (1, len(card.classes), side, side)
        if answer.shape != expected:
            raise ModelError(
                f"{self.path}: 'probability' has shape {answer.shape} for one call, the card "
                f"promises {expected}; correct window, stride, call_px, classes or output there"
            )


def _started(
    wanted: Sequence[Executor], onnx: bytes, path: Path, threads: int, weights: bytes
) -> tuple[Executor, Any]:
    """The first executor that is to be had, and its session."""
    *first, last = wanted
    for executor in first:
        with suppress(MissingExtraError):
            return executor, executor.start(onnx, path, threads, weights)
    return last, last.start(onnx, path, threads, weights)


def _refuse_without_images(card: ModelCard, path: Path) -> None:
    if card.input_shape:
        raise ModelError(
            f"{path}: takes {', '.join(card.bands)} of shape {card.input_shape}, not images, so it "
            "cannot be run over imagery; choose a model that takes image bands"
        )


def _check_ports(session: Any, card: ModelCard, path: Path) -> None:
    ports = session.get_inputs()
    wanted = [None, len(card.bands), card.call_px, card.call_px]
    found = [(port.name, port.type, port.shape) for port in ports]
    fits = (
        len(ports) == 1 and ports[0].name == INPUT and ports[0].type == "tensor(float)"
        and len(ports[0].shape) == 4 and ports[0].shape[0] in (None, 1, *_names(ports[0].shape))
        and all(not isinstance(have, int) or want in (None, have)
                for have, want in zip(ports[0].shape, wanted, strict=True))
    )  # fmt: skip
    if not fits:
        raise ModelError(
            f"{path}: takes {found}; it must take one float32 input {INPUT!r} of shape (n, "
            f"{len(card.bands)}, {card.call_px}, {card.call_px}), n free or 1, for the bands "
            f"{', '.join(card.bands)}"
        )
    missing = [name for name in OUTPUTS if name not in {o.name for o in session.get_outputs()}]
    if missing:
        raise ModelError(
            f"{path}: has no output {missing[0]!r}, only "
            f"{', '.join(o.name for o in session.get_outputs())}; export it with both "
            "'logits' and 'probability'"
        )


def _names(shape: list[Any]) -> list[str]:
    return [side for side in shape if isinstance(side, str)]


def _squared(answer: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Give (n, classes) and (n, h, w) the two sides that they leave out."""
    if answer.ndim == 2 and card.output == "patch" and card.grid_side == 1:
        return answer[:, :, None, None]
    if answer.ndim == 3 and len(card.classes) == 1:
        return answer[:, None]
    return answer
