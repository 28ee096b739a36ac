"""Small Keras ``.h5`` files, and what their networks answer, in float64 and step by step.

The forward pass is written from Keras' documentation, apart from the importer and its helpers:
loops over the places of a kernel, channels last throughout.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """A layer with its weights, or a Sequential with its layers."""

    kind: str
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    layers: tuple[Made, ...] = ()


def conv(name: str, kernel: Array, bias: Array | None, **config: Any) -> Made:
    settings = {"strides": [1, 1], "padding": "valid", "data_format": "channels_last",
                "dilation_rate": [1, 1], "groups": 1, "activation": "linear",
                "use_bias": bias is not None, **config}  # fmt: skip
    weights = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}
    return Made(config.pop("kind", "Conv2D"), name, settings, weights)


def transposed(name: str, kernel: Array, bias: Array, **config: Any) -> Made:
    return conv(name, kernel, bias, kind="Conv2DTranspose", **config)


def dense(name: str, kernel: Array, bias: Array, activation: str = "linear") -> Made:
    weights = {"kernel": kernel, "bias": bias}
    return Made("Dense", name, {"activation": activation, "use_bias": True}, weights)


def pool(name: str, size: Sequence[int], *, kind: str = "MaxPooling2D", **config: Any) -> Made:
    return Made(kind, name, {"pool_size": list(size), "strides": list(size), "padding": "valid",
                             "data_format": "channels_last", **config})  # fmt: skip


def net(name: str, shape: Sequence[int], *layers: Made) -> Made:
    return Made("Sequential", name, {"shape": list(shape)}, layers=layers)


def config_of(made: Made) -> dict[str, Any]:
    """The configuration as Keras 2 writes it."""
    if made.kind != "Sequential":
        return {"class_name": made.kind, "config": {"name": made.name, **made.config}}
    shape = [None, *made.config["shape"]]
    taken = {"batch_input_shape": shape, "name": f"{made.name}_input"}
    first = {"class_name": "InputLayer", "config": taken}
    layers = [first, *(config_of(layer) for layer in made.layers)]
    return {"class_name": "Sequential", "config": {"name": made.name, "layers": layers}}


def flat(made: Made) -> list[tuple[str, str, Array]]:
    """(layer, role, values), first what is trained, then what is not, as Keras 2 stores it."""
    owners = [made] if not made.layers else list(made.layers)
    found = [(o.name, role, values) for o in owners for role, values in o.weights.items()]
    for owner in owners:
        found += [(layer, role, v) for inner in owner.layers for layer, role, v in flat(inner)]
    return sorted(found, key=lambda entry: entry[1].startswith("moving"))


def write_h5(path: Path, config: dict[str, Any], tops: Sequence[Made]) -> Path:
    """A file as ``model.save`` writes it; ``tops`` are the layers at the top."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.15.0"
        weights = file.create_group("model_weights")
        for top in tops:
            group = weights.create_group(top.name)
            names = []
            for layer, role, values in flat(top):
                names.append(f"{layer}/{role}:0")
                group[names[-1]] = values.astype(np.float32)
            group.attrs["weight_names"] = names
    return path


def write_net(path: Path, made: Made) -> Path:
    return write_h5(path, config_of(made), made.layers)


def forward(made: Made, x: Array) -> Array:
    """What a layer or a Sequential answers to (n, h, w, c) or (n, features)."""
    if made.kind == "Sequential":
        for layer in made.layers:
            x = forward(layer, x)
        return x
    c = made.config
    if made.kind == "Conv2D":
        return act(_conv(made, x), c["activation"])
    if made.kind == "Conv2DTranspose":
        return act(_transposed(made, x), c["activation"])
    if made.kind == "Dense":
        return act(x @ made.weights["kernel"] + made.weights["bias"], c["activation"])
    if made.kind in ("MaxPooling2D", "AveragePooling2D"):
        return _pool(made, x)
    if made.kind == "BatchNormalization":
        w = made.weights
        spread = np.sqrt(w["moving_variance"] + c["epsilon"])
        return (x - w["moving_mean"]) / spread * w["gamma"] + w["beta"]
    if made.kind == "GlobalAveragePooling2D":
        return x.mean(axis=(1, 2))
    if made.kind == "GlobalMaxPooling2D":
        return x.max(axis=(1, 2))
    if made.kind == "Flatten":
        return x.reshape(len(x), -1)
    if made.kind == "Dropout":
        return x
    raise NotImplementedError(made.kind)


def act(x: Array, name: str) -> Array:
    if name == "softmax":
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)
    functions = {
        "linear": lambda v: v, "relu": lambda v: np.maximum(v, 0), "tanh": np.tanh,
        "sigmoid": lambda v: 0.5 * (1 + np.tanh(v / 2)),
        "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    }  # fmt: skip
    return functions[name](x)


def _around(size: int, reach: int, stride: int, padding: str) -> tuple[int, int]:
    """TensorFlow's padding: all of it that the last stride lacks, the odd one behind."""
    if padding == "valid":
        return 0, 0
    lacking = max(reach - (size % stride or stride), 0)
    return lacking // 2, lacking - lacking // 2


def _places(
    x: Array, kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], padding: str,
    fill: float,
) -> list[tuple[int, int, Array]]:  # fmt: skip
    """For each place of a kernel, the pixels that lie under it at every stop."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    around = [_around(x.shape[1 + i], reach[i], strides[i], padding) for i in (0, 1)]
    padded = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)
    stops = [(padded.shape[1 + i] - reach[i]) // strides[i] + 1 for i in (0, 1)]
    return [
        (row, col, padded[:, row * dilation[0] :: strides[0], col * dilation[1] :: strides[1]][
            :, : stops[0], : stops[1]])
        for row in range(kernel[0]) for col in range(kernel[1])
    ]  # fmt: skip


def _conv(made: Made, x: Array) -> Array:
    c, kernel = made.config, made.weights["kernel"]
    places = _places(x, kernel.shape[:2], c["strides"], c["dilation_rate"], c["padding"], 0.0)
    total = sum(under @ kernel[row, col] for row, col, under in places)
    return total + made.weights.get("bias", 0.0)


def _transposed(made: Made, x: Array) -> Array:
    """Every pixel throws its kernel onto the canvas; ``same`` keeps stride x size pixels."""
    c, kernel = made.config, made.weights["kernel"]  # (h, w, out, in)
    n, h, w, _ = x.shape
    (sh, sw), (kh, kw, out, _) = c["strides"], kernel.shape
    canvas = np.zeros((n, h * sh + kh, w * sw + kw, out))
    for i in range(h):
        for j in range(w):
            canvas[:, i * sh : i * sh + kh, j * sw : j * sw + kw] += np.einsum(
                "nc,hwoc->nhwo", x[:, i, j], kernel
            )
    if c["padding"] == "same":
        top, left = max(kh - sh, 0) // 2, max(kw - sw, 0) // 2
        canvas = canvas[:, top : top + h * sh, left : left + w * sw]
    else:
        canvas = canvas[:, : h * sh + max(kh - sh, 0), : w * sw + max(kw - sw, 0)]
    return canvas + made.weights["bias"]


def _pool(made: Made, x: Array) -> Array:
    c = made.config
    fill = -np.inf if made.kind == "MaxPooling2D" else np.nan
    places = _places(x, c["pool_size"], c["strides"], (1, 1), c["padding"], fill)
    stack = np.stack([under for _, _, under in places])
    return stack.max(axis=0) if made.kind == "MaxPooling2D" else np.nanmean(stack, axis=0)
