"""Activation functions, by the names that Keras gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from minetrace.errors import ModelError
from minetrace.models.keras.graph import Graph, Tensor

LEAKY_LAYER, LEAKY_FUNCTION = 0.3, 0.2  # Keras' own defaults: of the layer, of the function


def activate(graph: Graph, x: Tensor, spec: Any, where: str) -> Tensor:
    """Apply an activation.

    Args:
        spec: a name such as ``relu``, or the configuration of an activation layer.
        where: the layer, for the message.

    Raises:
        ModelError: the activation is not known.
    """
    name, options = _named(spec)
    if name in ("linear", "none"):
        return x
    if name == "softmax":
        axis = options.get("axis", -1)
        if axis not in (-1, len(x.shape)):
            raise ModelError(f"{where}: softmax along axis {axis}, only the last is understood")
        out = graph.op("Softmax", [x.name], axis=1)
        return Tensor(out, x.shape, logits=x, squash="softmax")
    if name == "sigmoid":
        out = graph.op("Sigmoid", [x.name])
        return Tensor(out, x.shape, logits=x, squash="sigmoid")
    if name not in _PLAIN:
        raise ModelError(
            f"{where}: activation {name!r} is not understood; known are linear, sigmoid, softmax, "
            f"{', '.join(sorted(_PLAIN))}"
        )
    return replace(x, name=_PLAIN[name](graph, x.name, options), logits=None, squash=None,
                   members=())  # fmt: skip


def _named(spec: Any) -> tuple[str, Mapping[str, Any]]:
    if spec is None:
        return "none", {}
    if isinstance(spec, Mapping):
        name = _LAYERS.get(str(spec.get("class_name")), str(spec.get("class_name")))
        options = spec.get("config")
        return name, {"layer": True, **options} if isinstance(options, Mapping) else {}
    return _LAYERS.get(str(spec), str(spec)), {"layer": str(spec) in _LAYERS}


_LAYERS = {
    "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax",
    "swish": "silu",
}  # fmt: skip


def _relu(graph: Graph, x: str, options: Mapping[str, Any]) -> str:
    slope = float(options.get("negative_slope") or 0)
    threshold = float(options.get("threshold") or 0)
    top = options.get("max_value")
    if threshold or (slope and top is not None):
        raise ModelError(f"ReLU with threshold {threshold} and slope {slope} is not understood")
    out = graph.op("LeakyRelu", [x], alpha=slope) if slope else graph.op("Relu", [x])
    if top is None:
        return out
    return graph.op("Min", [out, graph.weight(np.array(top, dtype=np.float32))])


def _leaky(graph: Graph, x: str, options: Mapping[str, Any]) -> str:
    default = LEAKY_LAYER if options.get("layer") else LEAKY_FUNCTION
    slope = options.get("alpha", options.get("negative_slope", default))
    return graph.op("LeakyRelu", [x], alpha=float(np.asarray(slope)))


def _elu(graph: Graph, x: str, options: Mapping[str, Any]) -> str:
    return graph.op("Elu", [x], alpha=float(np.asarray(options.get("alpha", 1.0))))


def _silu(graph: Graph, x: str, options: Mapping[str, Any]) -> str:
    return graph.op("Mul", [x, graph.op("Sigmoid", [x])])


def _simple(kind: str) -> Callable[[Graph, str, Mapping[str, Any]], str]:
    return lambda graph, x, options: graph.op(kind, [x])


_PLAIN: Mapping[str, Callable[[Graph, str, Mapping[str, Any]], str]] = {
    "relu": _relu, "leaky_relu": _leaky, "elu": _elu, "silu": _silu, "tanh": _simple("Tanh"),
    "softplus": _simple("Softplus"), "selu": _simple("Selu"), "exponential": _simple("Exp"),
}  # fmt: skip
