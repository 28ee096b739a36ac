"""A network in whole numbers of eight bits: about half the time, and a loss that must be measured.

Weights are rounded per channel, what flows between layers by the span that it has on real
pictures (post-training static quantisation, Jacob et al. 2018, as ONNX Runtime does it). Layers
that are none of `LAYERS`, the sigmoid among them, stay in floating point. Needs onnx, not torch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import ModelError
from minetrace.models.libraries import need

LAYERS = ("Conv", "Gemm", "MatMul", "MaxPool")
PORT = "image"

Array = NDArray[np.float32]


def need_onnx() -> None:
    """Check that what rewrites a graph is installed.

    Raises:
        MissingExtraError: it is not.
    """
    need("train", "onnx")


def quantised(onnx: bytes, images: Iterable[Array]) -> bytes:
    """A graph with the same ports whose heavy layers count in eight bits.

    Weights take seven of the eight: sums of eight-bit products overflow on processors without
    the instructions for them, and the file is to say the same on the next machine.

    Args:
        onnx: the graph in floating point.
        images: what it is given in use, (n, bands, height, width), scaled as its card says.

    Raises:
        MissingExtraError: onnx is not installed.
        ModelError: the graph cannot be rewritten, or has no layer to gain by.
    """
    need_onnx()
    import onnx as graphs
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    before = graphs.load_from_string(onnx)
    if not any(node.op_type in LAYERS[:3] for node in before.graph.node):
        raise ModelError("the network has no layer that is quicker in int8; use it as it is")
    with TemporaryDirectory() as folder, _quiet():
        given, plain, small = (Path(folder) / f"{name}.onnx" for name in ("given", "plain", "int8"))
        given.write_bytes(onnx)
        try:
            quant_pre_process(given, plain, skip_symbolic_shape=True)
            quantize_static(
                plain, small, _Shown(iter(images)), per_channel=True, reduce_range=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                op_types_to_quantize=list(LAYERS),
            )  # fmt: skip
        except (RuntimeError, ValueError, NotImplementedError) as error:
            raise ModelError(
                f"the network cannot be written in int8 ({' '.join(str(error).split())[:200]}); "
                "use it as it is"
            ) from error
        return small.read_bytes()


class _Shown:
    """Pictures one after the other, as ONNX Runtime asks for them."""

    def __init__(self, images: Iterator[Array]) -> None:
        self._images = images

    def get_next(self) -> dict[str, Any] | None:
        image = next(self._images, None)
        return None if image is None else {PORT: image}


@contextmanager
def _quiet() -> Iterator[None]:
    """The library's advice to its programmers is none to users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
