"""An ONNX graph under construction, and the tensors that run through it.

Images are channels first here, as ONNX has them, while Keras says (height, width, channels):
`Tensor.shape` is always what Keras says, so that layers reason in its terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import ModelError

OPSET, IR = 17, 8
BATCH = "n"
Squash = Literal["sigmoid", "softmax"]


@dataclass(frozen=True)
class Tensor:
    """A value in the graph.

    Attributes:
        name: in the graph.
        shape: without the batch, in Keras' order: (h, w, channels) or (features,).
        logits: what it was before ``squash``, where an activation made it.
        squash: the activation that made it.
        members: the tensors that were joined or averaged into it, where all were squashed.
    """

    name: str
    shape: tuple[int, ...]
    logits: Tensor | None = None
    squash: Squash | None = None
    members: tuple[Tensor, ...] = ()

    @property
    def channels(self) -> int:
        """How many features, or channels of the image."""
        return self.shape[-1]

    @property
    def is_image(self) -> bool:
        """Whether it has a height and a width."""
        return len(self.shape) == 3


class Graph:
    """Nodes and weights, in order.

    Args:
        exact: sum products in float64, for logits near 0, which are what is left of sums up to ten
            thousand times as large. Costs little where there are no convolutions.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def op(
        self, kind: str, inputs: Sequence[str], *, name: str = "", **attributes: Any
    ) -> str:  # fmt: skip
        """Add a node; returns the name of its one output."""
        from onnx import helper

        out = name or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def weight(self, values: NDArray[Any]) -> str:
        """Add a constant array."""
        from onnx import numpy_helper

        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        """Add a constant list of whole numbers."""
        return self.weight(np.array(values, dtype=np.int64))

    def to_bytes(self, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> bytes:
        """The model, checked.

        Args:
            inputs: shape by name, a string for a side that is free.
            outputs: likewise.

        Raises:
            ModelError: the graph is not valid ONNX.
        """
        import onnx
        from onnx import TensorProto, helper

        def ports(shapes: dict[str, list[Any]]) -> list[Any]:
            return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                    for name, shape in shapes.items()]  # fmt: skip

        graph = helper.make_graph(
            self._nodes, "keras", ports(inputs), ports(outputs), self._weights
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR)
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ModelError(
                f"the translated network is not valid ONNX ({str(error).splitlines()[0]}); "
                "please report which file it was"
            ) from error
        content: bytes = model.SerializeToString()
        return content
