"""What a network runs on: the reference, or something faster that must say the same.

The reference is ONNX Runtime in fp32 on the CPU. Any other executor stands behind a gate: in each
process that uses it, the first real windows are scored by both, and scores that lie apart end the
work, so that a driver or a card that computes otherwise is never believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from minetrace.core.model import WEIGHTS
from minetrace.errors import MissingExtraError, ModelError

MOST_APART = 1e-3  # of a probability; scores are stored in steps of a tenth of it
HELD_WINDOWS = 64  # that are scored by both, in each process
Device = Literal["auto", "cpu", "cuda"]
Ask = Callable[[NDArray[np.float32]], NDArray[np.float32]]

ORT_ERRORS = (
    ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf, ort_errors.NotImplemented, ort_errors.NoModel,
    ort_errors.RuntimeException,
)  # fmt: skip


@dataclass(frozen=True)
class Executor:
    """One way to run a network.

    Attributes:
        name: as a study says it, and as a data card records it.
        provider: ONNX Runtime's name.
        settings: of the provider.
        optimised: False to run the graph as it was exported.
    """

    name: str
    provider: str
    settings: tuple[tuple[str, str], ...] = ()
    optimised: bool = True

    def start(self, onnx: bytes, path: Path, threads: int, weights: bytes = b"") -> Any:
        """A session that runs here, and nowhere else: no falling back in silence.

        Args:
            onnx: the graph.
            path: of its model, for errors.
            threads: intra-op.
            weights: that lie beside the graph, if any.

        Raises:
            ModelError: ONNX Runtime cannot load the network.
            MissingExtraError: this executor is not to be had on this machine.
        """
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if not self.optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        if weights:
            if not hasattr(options, "add_external_initializers_from_files_in_memory"):
                raise ModelError(
                    f"{path}: has its weights beside its graph, which ONNX Runtime "
                    f"{ort.__version__} cannot join; pip install --upgrade onnxruntime"
                )
            options.add_external_initializers_from_files_in_memory(
                [WEIGHTS], [weights], [len(weights)]
            )
        self._refuse_absent()
        try:
            session = ort.InferenceSession(
                onnx, options, providers=[(self.provider, dict(self.settings))]
            )
        except ORT_ERRORS as error:
            raise ModelError(
                f"{path}: model.onnx cannot be loaded by ONNX Runtime {ort.__version__} "
                f"({first_line(error)}); export the model again"
            ) from error
        if session.get_providers()[0] != self.provider:
            raise MissingExtraError(
                f"device {self.name}: ONNX Runtime {ort.__version__} has {self.provider} and "
                "cannot start it on this machine; look after its driver and libraries, or take "
                "--device cpu"
            )
        return session

    def _refuse_absent(self) -> None:
        offered = ort.get_available_providers()
        if self.provider not in offered:
            raise MissingExtraError(
                f"device {self.name}: ONNX Runtime {ort.__version__} has no {self.provider} here "
                f"(only {', '.join(offered)}); put onnxruntime-gpu in place of onnxruntime on a "
                "machine with an NVIDIA GPU, or take --device cpu"
            )


REFERENCE = Executor("cpu", "CPUExecutionProvider")
CUDA = Executor("cuda", "CUDAExecutionProvider", (("use_tf32", "0"),))
"""TF32 keeps ten bits of a factor: scores would lie further apart than they may."""


def candidates(device: Device) -> tuple[Executor, ...]:
    """Executors for a device, the most wanted first; a later one only if one before is absent."""
    return {"cpu": (REFERENCE,), "cuda": (CUDA,), "auto": (CUDA, REFERENCE)}[device]


class ParityGate:
    """Holds an executor's answers against the reference's, until enough windows were compared."""

    def __init__(self, executor: Executor, reference: Ask, path: Path) -> None:
        self._executor, self._reference, self._path = executor, reference, path
        self._held = 0
        self.apart = 0.0  # the most so far

    def hold(self, image: NDArray[np.float32], answer: NDArray[np.float32]) -> None:
        """Compare the answer for a batch of windows.

        Args:
            image: (n, bands, side, side) as the network took it.
            answer: (n, …) probabilities.

        Raises:
            ModelError: they lie further apart than ``MOST_APART``.
        """
        if self._held >= HELD_WINDOWS:
            return
        apart = float(np.abs(answer - self._reference(image)).max(initial=0.0))
        if not apart <= MOST_APART:
            raise ModelError(
                f"{self._path}: on device {self._executor.name} a probability differs from the "
                f"reference by {apart:.2g} ({MOST_APART:g} is allowed); take --device cpu"
            )
        self.apart = max(self.apart, apart)
        flat = image.reshape(len(image), -1)
        self._held += int((flat.max(axis=1) > flat.min(axis=1)).sum())  # padding is no window


def first_line(error: Exception) -> str:
    """What an error of ONNX Runtime says first."""
    return str(error).strip().splitlines()[0][:200]
