"""A trained patch network as plain layers, and its ONNX graph.

Knows nothing of training: arrays in, a graph out, so that what is shipped can be read without
torch. Several networks become one graph that averages their logits; calibration is folded into
the graph, so that ``probability`` is what the card says it is. Needs onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.models.calibration import Calibration

WINDOW, STRIDE = 48, 8
DARK = 0.05  # added before the logarithm, so that black is a number
WAYS = 8
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A convolution without padding: kernel (out, in, k, k), bias (out,)."""

    kernel: FloatArray
    bias: FloatArray


@dataclass(frozen=True)
class PlainNet:
    """The layers of a `PatchNet`, in order."""

    convs: tuple[Layer, Layer, Layer, Layer]
    hidden: Layer
    logit: Layer


def to_onnx(
    nets: Sequence[PlainNet], calibration: Calibration | None = None, *, spread: bool = False
) -> bytes:
    """One graph: ``image`` (n, bands, h, w) to ``logits`` and ``probability`` (n, 1, gh, gw).

    Args:
        nets: one, or several whose logits are averaged.
        calibration: from that average to the logit and the probability that are given out.
        spread: whether a last class of ``probability`` says how far the networks are apart.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    seen = graph.op("Concat", "image", graph.logarithm("image"), axis=1)
    logits = [_branch(graph, net, seen) for net in nets]
    total = graph.op("Sum", *logits) if len(logits) > 1 else logits[0]
    how = calibration or Calibration(1.0, 0.0)
    scaled = graph.op("Mul", total, graph.number(how.slope / len(nets)))
    graph.op("Add", scaled, graph.number(how.shift), name="logits")
    sure = graph.sure("logits", how, classes=len(nets[0].logit.bias))
    also = [_spread(graph, logits, how, len(nets[0].logit.bias))] if spread else []
    graph.op("Concat", sure, *also, axis=1, name="probability")
    bands = nets[0].convs[0].kernel.shape[1] // 2
    classes = len(nets[0].logit.bias)
    given = {"logits": classes, "probability": max(1, classes - 1) + spread}
    made = helper.make_graph(
        graph.nodes, "patch-net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", bands, "h", "w"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", count, "gh", "gw"])
         for name, count in given.items()],
        graph.weights,
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and weights as they are added; every value has a name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        from onnx import helper

        out = name or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def number(self, value: float) -> str:
        return self.array(np.array([value], np.float32))

    def array(self, values: FloatArray) -> str:
        from onnx import numpy_helper

        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def whole(self, *values: int) -> str:
        from onnx import numpy_helper

        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def sure(self, logits: str, how: Calibration, *, classes: int) -> str:
        """Probabilities of the classes but the first."""
        if classes > 1:
            every = self.op("Softmax", logits, axis=1)
            return self.op("Slice", every, self.whole(1), self.whole(classes), self.whole(1))
        said = self.op("Sigmoid", logits)
        return self.curve(said, how) if how.knots else said

    def curve(self, said: str, how: Calibration) -> str:
        """The curve of a calibration: its rises, each over its own stretch, added up."""
        rises = []
        for start, width, slope in how.rises:
            along = self.op("Relu", self.op("Sub", said, self.number(start)))
            within = self.op("Min", along, self.number(width))
            rises.append(self.op("Mul", within, self.number(slope)))
        total = self.op("Sum", *rises)
        return self.op("Add", total, self.number(how.knots[0][1]))

    def conv(self, x: str, layer: Layer, *, stride: int = 1) -> str:
        weights = self.array(layer.kernel), self.array(layer.bias)
        return self.op("Conv", x, *weights, strides=[stride, stride])

    def logarithm(self, x: str) -> str:
        above = self.op("Max", x, self.number(0.0))
        return self.op("Log", self.op("Add", above, self.number(DARK)))

    def pool(self, kind: str, x: str, side: int, stride: int) -> str:
        return self.op(kind, x, kernel_shape=[side, side], strides=[stride, stride])

    def alike(self, x: str, width: int) -> str:
        """Mean over the eight ways of each feature, as a convolution of single pixels."""
        mean = np.kron(np.eye(width // WAYS), np.full((1, WAYS), 1 / WAYS)).astype(np.float32)
        return self.op("Conv", x, self.array(mean[:, :, None, None]))


def _branch(graph: _Graph, net: PlainNet, x: str) -> str:
    first, second, third, fourth = net.convs
    x = graph.op("Relu", graph.conv(x, first, stride=2))
    x = graph.pool("MaxPool", graph.op("Relu", graph.conv(x, second)), 2, 2)
    near = graph.op("Relu", graph.conv(x, third))
    wide = graph.op("Relu", graph.conv(graph.pool("MaxPool", near, 2, 2), fourth))
    pooled = []
    for features, layer, side, stride in ((near, third, 8, 2), (wide, fourth, 2, 1)):
        alike = graph.alike(features, len(layer.bias))
        pooled += [graph.pool(kind, alike, side, stride) for kind in ("AveragePool", "MaxPool")]
    hidden = graph.op("Relu", graph.conv(graph.op("Concat", *pooled, axis=1), net.hidden))
    return graph.conv(hidden, net.logit)


def _spread(graph: _Graph, logits: Sequence[str], how: Calibration, classes: int) -> str:
    """Standard deviation of what the networks say of the first class, each calibrated alone."""
    said = []
    for one in logits:
        moved = graph.op("Add", graph.op("Mul", one, graph.number(how.slope)),
                         graph.number(how.shift))  # fmt: skip
        sure = graph.sure(moved, how, classes=classes)
        first = graph.op("Slice", sure, graph.whole(0), graph.whole(1), graph.whole(1))
        said.append(first)
    mean = graph.op("Mean", *said)
    squares = [graph.op("Mul", apart, apart) for one in said
               for apart in [graph.op("Sub", one, mean)]]  # fmt: skip
    return graph.op("Sqrt", graph.op("Mean", *squares))
