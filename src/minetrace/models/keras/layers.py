"""Each kind of Keras layer as ONNX nodes, for inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minetrace.errors import ModelError
from minetrace.models.keras.activations import activate
from minetrace.models.keras.archive import Array, Config
from minetrace.models.keras.graph import Graph, Tensor
from minetrace.models.keras.windows import Sliding, slide, spread


@dataclass(frozen=True)
class Layer:
    """One layer that is to be translated.

    Attributes:
        kind: Keras' class name.
        name: with the names of the models around it, for messages.
        config: its settings.
        weights: arrays by role, such as ``kernel``.
        call: further arguments of this one call.
    """

    kind: str
    name: str
    config: Config
    weights: Mapping[str, Array]
    call: Config

    def refuse(self, why: str) -> ModelError:
        """The error that says which layer cannot be translated, and why."""
        return ModelError(f"layer {self.name!r} ({self.kind}): {why}")

    def weight(self, role: str) -> Array:
        """An array of weights that must be there."""
        if role not in self.weights:
            raise self.refuse(f"the file holds no {role} for it")
        return self.weights[role]

    def pair(self, key: str, default: int = 1) -> tuple[int, int]:
        """A setting that is one number or two: height, width."""
        value = self.config.get(key)
        value = default if value is None else value
        return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


FLOAT, DOUBLE = 1, 11  # ONNX' numbers of types

Translate = Callable[[Graph, Layer, Sequence[Tensor]], Tensor]


def translate_layer(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    """Add a layer to the graph.

    Raises:
        ModelError: the kind of layer, or a setting of it, is not understood.
    """
    if layer.config.get("data_format", "channels_last") != "channels_last":
        raise layer.refuse("channels first is not understood; save the model channels last")
    translate = KINDS.get(layer.kind)
    if translate is None:
        raise layer.refuse(f"not a kind that is understood; those are {', '.join(sorted(KINDS))}")
    if not inputs:
        raise layer.refuse("it has no input")
    if layer.kind not in JOINING and len(inputs) != 1:
        raise layer.refuse(f"it takes {len(inputs)} inputs at once, one is understood")
    try:
        return translate(graph, layer, inputs)
    except ModelError as error:
        if str(error).startswith("layer "):
            raise
        raise layer.refuse(str(error)) from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise layer.refuse(
            f"its settings are not as expected ({type(error).__name__}: {error})"
        ) from error


def _image(layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    if not inputs[0].is_image:
        raise layer.refuse(f"it wants an image (height, width, channels), not {inputs[0].shape}")
    return inputs[0]


def _biased(graph: Graph, layer: Layer, kernel: Array, width: int) -> list[str]:
    bias = layer.weight("bias") if layer.config.get("use_bias", True) else np.zeros(width)
    return [graph.weight(kernel), graph.weight(bias.astype(np.float32))]


def _conv(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x, kernel = _image(layer, inputs), layer.weight("kernel")
    strides, dilations = layer.pair("strides"), layer.pair("dilation_rate")
    groups = int(layer.config.get("groups") or 1)
    rows, cols = (
        slide(x.shape[i], kernel.shape[i], strides[i], str(layer.config["padding"]),
              dilation=dilations[i]) for i in (0, 1)
    )  # fmt: skip
    width = kernel.shape[3]
    if graph.exact and groups == 1:
        out = _summed(graph, layer, x, kernel, strides, dilations, (rows, cols))
    else:
        out = graph.op(
            "Conv", [x.name, *_biased(graph, layer, kernel.transpose(3, 2, 0, 1), width)],
            kernel_shape=kernel.shape[:2], strides=strides, dilations=dilations, group=groups,
            pads=[rows.before, cols.before, rows.after, cols.after],
        )  # fmt: skip
    made = Tensor(out, (rows.size, cols.size, width))
    return activate(graph, made, layer.config.get("activation"), layer.name)


def _summed(
    graph: Graph, layer: Layer, x: Tensor, kernel: Array, strides: Sequence[int],
    dilations: Sequence[int], slides: tuple[Sliding, Sliding],
) -> str:  # fmt: skip
    """A convolution summed in float64: a product of matrices for each place of the kernel.

    ONNX Runtime has convolutions in float32 alone.
    """
    rows, cols = slides
    wide = graph.op("Cast", [x.name], to=DOUBLE)
    around = [0, 0, rows.before, cols.before, 0, 0, rows.after, cols.after]
    if any(around):
        wide = graph.op("Pad", [wide, graph.integers(around)])
    flat = graph.integers([0, kernel.shape[2], rows.size * cols.size])
    axes, steps = graph.integers([2, 3]), graph.integers(strides)
    bias = layer.weight("bias") if layer.config.get("use_bias", True) else np.zeros(1)
    total = graph.weight(bias.astype(np.float64)[:, None])
    for row, col in np.ndindex(*kernel.shape[:2]):
        first = (row * dilations[0], col * dilations[1])
        last = [first[i] + (slides[i].size - 1) * strides[i] + 1 for i in (0, 1)]
        under = graph.op("Slice", [wide, graph.integers(first), graph.integers(last), axes, steps])
        weights = graph.weight(kernel[row, col].T.astype(np.float64))
        part = graph.op("MatMul", [weights, graph.op("Reshape", [under, flat])])
        total = graph.op("Add", [part, total])
    image = graph.op("Reshape", [total, graph.integers([0, 0, rows.size, cols.size])])
    return graph.op("Cast", [image], to=FLOAT)


def _depthwise(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    kernel = layer.weight("depthwise_kernel")
    h, w, channels, multiplier = kernel.shape
    as_groups = kernel.reshape(h, w, 1, channels * multiplier)
    grouped = replace(
        layer, weights={**layer.weights, "kernel": as_groups},
        config={**layer.config, "groups": channels},
    )  # fmt: skip
    return _conv(graph, grouped, inputs)


def _separable(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    apart = replace(layer, config={**layer.config, "activation": "linear", "use_bias": False})
    point = replace(
        layer, weights={**layer.weights, "kernel": layer.weight("pointwise_kernel")},
        config={**layer.config, "strides": 1, "dilation_rate": 1},
    )  # fmt: skip
    return _conv(graph, point, [_depthwise(graph, apart, inputs)])


def _transposed(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x, kernel = _image(layer, inputs), layer.weight("kernel")  # kernel: (h, w, out, in)
    if layer.config.get("output_padding") is not None or layer.pair("dilation_rate") != (1, 1):
        raise layer.refuse("output_padding and dilation_rate are not understood here")
    strides = layer.pair("strides")
    rows, cols = (
        spread(x.shape[i], kernel.shape[i], strides[i], str(layer.config["padding"]))
        for i in (0, 1)
    )
    width = kernel.shape[2]
    out = graph.op(
        "ConvTranspose",
        [x.name, *_biased(graph, layer, kernel.transpose(3, 2, 0, 1), width)],
        kernel_shape=kernel.shape[:2], strides=strides,
        pads=[rows.before, cols.before, max(rows.after, 0), max(cols.after, 0)],
        output_padding=[max(-rows.after, 0), max(-cols.after, 0)],
    )  # fmt: skip
    made = Tensor(out, (rows.size, cols.size, width))
    return activate(graph, made, layer.config.get("activation"), layer.name)


def _pool(kind: str, **options: Any) -> Translate:
    def translate(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
        x, kernel = _image(layer, inputs), layer.pair("pool_size", 2)
        strides = kernel if layer.config.get("strides") is None else layer.pair("strides")
        padding = str(layer.config["padding"])
        rows, cols = (slide(x.shape[i], kernel[i], strides[i], padding) for i in (0, 1))
        out = graph.op(
            kind, [x.name], kernel_shape=kernel, strides=strides,
            pads=[rows.before, cols.before, rows.after, cols.after], **options,
        )  # fmt: skip
        return Tensor(out, (rows.size, cols.size, x.channels))

    return translate


def _pool_whole(kind: str) -> Translate:
    def translate(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
        x = _image(layer, inputs)
        out = graph.op(kind, [x.name])
        if layer.config.get("keepdims"):
            return Tensor(out, (1, 1, x.channels))
        return Tensor(graph.op("Flatten", [out], axis=1), (x.channels,))

    return translate


def _product(graph: Graph, layer: Layer, x: str, kernel: Array) -> str:
    """``x @ kernel + bias``, summed in float64 where the graph is to be exact."""
    weights = _biased(graph, layer, kernel, kernel.shape[1])
    if not graph.exact:
        return graph.op("Gemm", [x, *weights])
    wide = [graph.op("Cast", [name], to=DOUBLE) for name in (x, *weights)]
    return graph.op("Cast", [graph.op("Gemm", wide)], to=FLOAT)


def _dense(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x, kernel = inputs[0], layer.weight("kernel")
    width = kernel.shape[1]
    if x.is_image:  # along the channels of every pixel
        parts = _biased(graph, layer, kernel.T[:, :, None, None], width)
        out = graph.op("Conv", [x.name, *parts], kernel_shape=[1, 1])
    else:
        out = _product(graph, layer, x.name, kernel)
    made = Tensor(out, (*x.shape[:-1], width))
    return activate(graph, made, layer.config.get("activation"), layer.name)


def _reshaped(graph: Graph, layer: Layer, x: Tensor, target: tuple[int, ...]) -> Tensor:
    """Give other sides, in Keras' order of values."""
    last = graph.op("Transpose", [x.name], perm=[0, 2, 3, 1]) if x.is_image else x.name
    if len(target) not in (1, 3):
        raise layer.refuse(f"a shape of {target} is not understood, only images and vectors")
    out = graph.op("Reshape", [last, graph.integers([-1, *target])])
    if len(target) == 3:
        out = graph.op("Transpose", [out], perm=[0, 3, 1, 2])
    return Tensor(out, target)


def _flatten(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x = inputs[0]
    return _reshaped(graph, layer, x, (int(np.prod(x.shape)),)) if x.is_image else x


def _reshape(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    size = int(np.prod(inputs[0].shape))
    target = [int(side) for side in layer.config["target_shape"]]
    known = -int(np.prod(target)) if -1 in target else int(np.prod(target))
    filled = tuple(side if side != -1 else size // known for side in target)
    if int(np.prod(filled)) != size:
        raise layer.refuse(f"{inputs[0].shape} cannot become {tuple(target)}")
    return _reshaped(graph, layer, inputs[0], filled)


def _same(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    """Layers that only act in training."""
    return inputs[0]


def _normalise(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x = inputs[0]
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) else axis
    if axis not in (-1, len(x.shape)):
        raise layer.refuse(f"it normalises axis {axis}, only the channels are understood")
    mean, variance = layer.weight("moving_mean"), layer.weight("moving_variance")
    gamma = layer.weight("gamma") if layer.config.get("scale", True) else np.ones_like(mean)
    beta = layer.weight("beta") if layer.config.get("center", True) else np.zeros_like(mean)
    weights = [graph.weight(array) for array in (gamma, beta, mean, variance)]
    epsilon = float(layer.config.get("epsilon", 1e-3))
    return Tensor(graph.op("BatchNormalization", [x.name, *weights], epsilon=epsilon), x.shape)


def _activation(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    return activate(graph, inputs[0], layer.config["activation"], layer.name)


def _activation_layer(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    spec = {"class_name": layer.kind, "config": layer.config}
    return activate(graph, inputs[0], spec, layer.name)


def _members(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Inputs that are all probabilities, opened up; nothing otherwise."""
    opened = [member for x in inputs for member in (x.members or (x,))]
    return tuple(opened) if all(member.squash for member in opened) else ()


def _concatenate(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    rank = len(inputs[0].shape) + 1
    axis = int({**layer.config, **layer.call}.get("axis", -1)) % rank
    if axis == 0:
        raise layer.refuse("it joins along the batch")
    sides = list(inputs[0].shape)
    sides[axis - 1] = sum(x.shape[axis - 1] for x in inputs)
    along = axis if rank == 2 else {1: 2, 2: 3, 3: 1}[axis]
    out = graph.op("Concat", [x.name for x in inputs], axis=along)
    members = _members(inputs) if axis == rank - 1 else ()
    return Tensor(out, tuple(sides), members=members)


def _average(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    out = graph.op("Mean", [x.name for x in inputs])
    return Tensor(out, inputs[0].shape, members=_members(inputs))


def _folded(kind: str) -> Translate:
    def translate(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
        name = inputs[0].name
        for x in inputs[1:]:
            name = graph.op(kind, [name, x.name])
        return Tensor(name, max((x.shape for x in inputs), key=len))

    return translate


def _pad(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x, around = _image(layer, inputs), layer.config["padding"]
    (top, bottom), (left, right) = around
    sides = graph.integers([0, 0, top, left, 0, 0, bottom, right])
    out = graph.op("Pad", [x.name, sides])
    return Tensor(out, (x.shape[0] + top + bottom, x.shape[1] + left + right, x.channels))


def _enlarge(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x, (rows, cols) = _image(layer, inputs), layer.pair("size", 2)
    ways = {"nearest": ("nearest", "asymmetric"), "bilinear": ("linear", "half_pixel")}
    mode, place = ways[str(layer.config.get("interpolation", "nearest"))]
    scales = graph.weight(np.array([1, 1, rows, cols], dtype=np.float32))
    out = graph.op("Resize", [x.name, "", scales], mode=mode, nearest_mode="floor",
                   coordinate_transformation_mode=place)  # fmt: skip
    return Tensor(out, (x.shape[0] * rows, x.shape[1] * cols, x.channels))


def _rescale(graph: Graph, layer: Layer, inputs: Sequence[Tensor]) -> Tensor:
    x = inputs[0]
    scale, offset = (
        np.asarray(layer.config.get(key, default), dtype=np.float32)
        for key, default in (("scale", 1), ("offset", 0))
    )
    if x.is_image:
        scale, offset = (v[:, None, None] if v.ndim else v for v in (scale, offset))
    out = graph.op("Mul", [x.name, graph.weight(scale)])
    return Tensor(graph.op("Add", [out, graph.weight(offset)]), x.shape)


JOINING = frozenset({"Concatenate", "Average", "Add", "Multiply", "Maximum"})
ONLY_TRAINING = (
    "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "ActivityRegularization",
    "RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast",
)  # fmt: skip
KINDS: Mapping[str, Translate] = {
    "Conv2D": _conv, "DepthwiseConv2D": _depthwise, "SeparableConv2D": _separable,
    "Conv2DTranspose": _transposed, "Dense": _dense,
    "MaxPooling2D": _pool("MaxPool"),
    "AveragePooling2D": _pool("AveragePool", count_include_pad=0),
    "GlobalMaxPooling2D": _pool_whole("GlobalMaxPool"),
    "GlobalAveragePooling2D": _pool_whole("GlobalAveragePool"),
    "Flatten": _flatten, "Reshape": _reshape, "BatchNormalization": _normalise,
    "Activation": _activation, "ReLU": _activation_layer, "LeakyReLU": _activation_layer,
    "ELU": _activation_layer, "Softmax": _activation_layer,
    "Concatenate": _concatenate, "Average": _average, "Add": _folded("Add"),
    "Multiply": _folded("Mul"), "Maximum": _folded("Max"),
    "ZeroPadding2D": _pad, "UpSampling2D": _enlarge, "Rescaling": _rescale,
    **dict.fromkeys(ONLY_TRAINING, _same),
}  # fmt: skip
