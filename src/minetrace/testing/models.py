"""Small ONNX models of the kinds that minetrace runs, with seeded weights that learnt nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from minetrace.core.model import ModelCard, Scaling
from minetrace.predict.onnx import write_model

RGB = ("red", "green", "blue")
SIX = ("blue", "green", "red", "nir", "swir16", "swir22")
SCALING = Scaling(1 / 0.3, 0.0, (0.0, 0.6))


class _Graph:
    """Nodes and weights, one layer after the other."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._rng = np.random.default_rng(seed)

    def op(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        out = name or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def weight(self, values: NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def drawn(self, *shape: int, fan_in: int, gain: float = 2.0) -> str:
        values = self._rng.normal(0, np.sqrt(gain / fan_in), shape)
        return self.weight(values.astype(np.float32))

    def spread(self, *shape: int, fan_in: int) -> str:
        """Weights of a last layer that sum to nothing, so that scores lie around one half."""
        values = self._rng.normal(0, 6 * np.sqrt(1 / fan_in), shape)
        values -= values.mean()
        return self.weight(values.astype(np.float32))

    def conv(
        self, x: str, width_in: int, width: int, kernel: int, *, pad: int = 0, relu: bool = True,
        name: str = "",
    ) -> str:  # fmt: skip
        draw = self.drawn if relu else self.spread
        w = draw(width, width_in, kernel, kernel, fan_in=width_in * kernel**2)
        b = self.weight(self._rng.normal(0, 0.02, width).astype(np.float32))
        out = self.op("Conv", (x, w, b), "" if relu else name, pads=[pad] * 4)
        return self.op("Relu", (out,), name) if relu else out

    def pool(self, x: str) -> str:
        return self.op("MaxPool", (x,), kernel_shape=[2, 2], strides=[2, 2])

    def up(self, x: str) -> str:
        scales = self.weight(np.array([1, 1, 2, 2], np.float32))
        return self.op("Resize", (x, "", scales), mode="nearest", nearest_mode="floor",
                       coordinate_transformation_mode="asymmetric")  # fmt: skip

    def bytes(self, bands: int, shape: Sequence[Any]) -> bytes:
        """The model; its last node is called ``logits``."""
        self.op("Sigmoid", ("logits",), "probability")
        graph = helper.make_graph(
            self.nodes, "small",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", bands, "h", "w"])],
            [helper.make_tensor_value_info(o, TensorProto.FLOAT, list(shape))
             for o in ("logits", "probability")],
            self.weights,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content


def _trunk(graph: _Graph, bands: int, widths: Sequence[int]) -> str:
    """Valid 3 x 3 convolutions and pools: 48 px in, 4 x 4 out."""
    x, before = "image", bands
    for width in widths:
        x = graph.pool(graph.conv(x, before, width, 3))
        before = width
    return x


def write_patch_net(
    folder: Path, *, bands: Sequence[str] = RGB, call_px: int = 512,
    widths: tuple[int, int, int, int] = (24, 48, 64, 96), seed: int = 2,
) -> ModelCard:  # fmt: skip
    """A fully convolutional patch net without padding: window 48, stride 8, about 140k weights."""
    graph = _Graph(seed)
    x = graph.conv(_trunk(graph, len(bands), widths[:3]), widths[2], widths[3], 4)
    graph.conv(x, widths[3], 1, 1, relu=False, name="logits")
    card = _patch_card(bands, call_px=call_px, stride=8)
    return write_model(folder, graph.bytes(len(bands), ["n", 1, "gh", "gw"]), card)


def write_exact_net(
    folder: Path, *, bands: Sequence[str] = RGB, stride: int = 24,
    widths: tuple[int, int, int, int] = (24, 48, 64, 96), seed: int = 2,
) -> ModelCard:  # fmt: skip
    """The same weights as `write_patch_net` of the same seed, ending in Flatten and Dense.

    It takes windows of 48 px one by one and answers (n, 1).
    """
    graph = _Graph(seed)
    x = graph.op("Flatten", (_trunk(graph, len(bands), widths[:3]),))
    dense = graph.drawn(widths[3], widths[2], 4, 4, fan_in=widths[2] * 16)
    b = graph.weight(graph._rng.normal(0, 0.02, widths[3]).astype(np.float32))
    flat = numpy_helper.to_array(graph.weights[-2]).reshape(widths[3], -1)
    graph.weights[-2] = numpy_helper.from_array(np.ascontiguousarray(flat), dense)
    x = graph.op("Relu", (graph.op("Gemm", (x, dense, b), transB=1),))
    last = graph.spread(1, widths[3], fan_in=widths[3])
    b = graph.weight(graph._rng.normal(0, 0.02, 1).astype(np.float32))
    graph.op("Gemm", (x, last, b), "logits", transB=1)
    card = _patch_card(bands, call_px=48, stride=stride)
    return write_model(folder, graph.bytes(len(bands), ["n", 1]), card)


def _patch_card(bands: Sequence[str], *, call_px: int, stride: int) -> ModelCard:
    return ModelCard(
        name="small-patch-net", bands=tuple(bands), window=48, stride=stride, call_px=call_px,
        output="patch", extent="footprint", scaling=dict.fromkeys(bands, SCALING),
        resolution_m=10.0, description="seeded weights; it knows nothing about mines",
    )  # fmt: skip


def write_unet(
    folder: Path, *, bands: Sequence[str] = SIX, window: int = 512, stride: int = 384,
    widths: tuple[int, ...] = (16, 32, 64, 128), seed: int = 5,
) -> ModelCard:  # fmt: skip
    """A small U-Net, about half a million weights; the window must be a multiple of 8."""
    graph = _Graph(seed)
    x, before, skipped = "image", len(bands), []
    for width in widths[:-1]:
        skipped.append(_pair(graph, x, before, width))
        x, before = graph.pool(skipped[-1]), width
    x, before = _pair(graph, x, before, widths[-1]), widths[-1]
    for width, beside in zip(widths[-2::-1], skipped[::-1], strict=True):
        x = graph.op("Concat", (graph.up(x), beside), axis=1)
        x, before = _pair(graph, x, before + width, width), width
    graph.conv(x, before, 1, 1, relu=False, name="logits")
    card = ModelCard(
        name="small-unet", bands=tuple(bands), window=window, stride=stride, output="pixels",
        extent="mined", scaling=dict.fromkeys(bands, SCALING), accepts={"nir": ("nir08",)},
        resolution_m=10.0, description="seeded weights; it knows nothing about mines",
    )  # fmt: skip
    return write_model(folder, graph.bytes(len(bands), ["n", 1, "h", "w"]), card)


def _pair(graph: _Graph, x: str, width_in: int, width: int) -> str:
    return graph.conv(graph.conv(x, width_in, width, 3, pad=1), width, width, 3, pad=1)
