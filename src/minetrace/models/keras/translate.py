"""Walk the layers of a Keras model, nested ones too, and build the ONNX graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from minetrace.errors import ModelError
from minetrace.models.keras.archive import Archive, Array, Config, Variable
from minetrace.models.keras.graph import Graph, Tensor
from minetrace.models.keras.lambdas import take_part
from minetrace.models.keras.layers import KINDS, Layer, translate_layer

MODELS = ("Sequential", "Functional", "Model")
INPUT = "InputLayer"
CUT = "__operators__.getitem"
OPERATIONS = {"concat": "Concatenate"}  # functions on tensors that Keras made layers of


@dataclass(frozen=True)
class Call:
    """One call of a layer: where its inputs come from, as (layer, number of its call)."""

    layer: str
    number: int
    sources: tuple[tuple[str, int], ...]
    arguments: Config


def input_shapes(config: Config) -> list[tuple[int | None, ...]]:
    """Shapes of a model's inputs without the batch, in Keras' order."""
    layers = config["config"]["layers"]
    found = [_stated_shape(layer["config"]) for layer in layers if layer["class_name"] == INPUT]
    if found:
        return [shape for shape in found if shape is not None]
    first = layers[0] if layers else {}
    if first.get("class_name") in MODELS:
        return input_shapes(first)
    stated = _stated_shape(first.get("config", {}))
    return [] if stated is None else [stated]


def _stated_shape(config: Config) -> tuple[int | None, ...] | None:
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    return None if shape is None else tuple(shape[1:])


def translate(archive: Archive, graph: Graph, image: Tensor) -> list[Tensor]:
    """Add a whole model to a graph.

    Args:
        image: the model's one input.

    Returns:
        Its outputs.

    Raises:
        ModelError: a layer is not understood, or weights and layers do not fit together.
    """
    weights = _Weights(archive.variables)
    outputs = _Walk(graph, weights).model(archive.config, [image], ())
    weights.check_used()
    return outputs


class _Weights:
    """The arrays of each layer; remembers which were asked for."""

    def __init__(self, variables: Mapping[str, tuple[Variable, ...]]) -> None:
        self._variables = variables
        self._used: set[tuple[str, int]] = set()

    def of(self, path: Sequence[str]) -> dict[str, Array]:
        """Arrays by role of the layer at a path of names, the outermost model's name left out."""
        top, layer = path[0], path[-1]
        found: dict[str, Array] = {}
        for number, variable in enumerate(self._variables.get(top, ())):
            if len(path) > 1 and variable.owner != layer:
                continue
            if variable.role in found:
                raise ModelError(
                    f"layer {'/'.join(path)!r}: two sets of weights have its name; save the model "
                    "with a name of its own for each layer"
                )
            found[variable.role] = variable.values
            self._used.add((top, number))
        return found

    def check_used(self) -> None:
        """Refuse a file with weights that no layer took: something was misread."""
        for top, variables in self._variables.items():
            for number, variable in enumerate(variables):
                if (top, number) not in self._used:
                    raise ModelError(
                        f"the weights {variable.owner}/{variable.role} below {top!r} belong to no "
                        "layer of the model; the file is damaged or of a kind that is not "
                        "understood"
                    )


@dataclass(frozen=True)
class _Walk:
    graph: Graph
    weights: _Weights

    def model(
        self, config: Config, inputs: Sequence[Tensor], path: tuple[str, ...]
    ) -> list[Tensor]:
        """The outputs of a model, nested or not."""
        if config["class_name"] not in MODELS:
            raise ModelError(f"a model of class {config['class_name']!r} is not understood")
        if config["class_name"] == "Sequential":
            return [self._sequential(config["config"]["layers"], inputs, path)]
        return self._functional(config["config"], inputs, path)

    def _sequential(
        self, layers: Sequence[Config], inputs: Sequence[Tensor], path: tuple[str, ...]
    ) -> Tensor:
        if len(inputs) != 1:
            raise ModelError(f"{'/'.join(path) or 'the model'}: a Sequential takes one input")
        x = inputs[0]
        for layer in layers:
            if layer["class_name"] != INPUT:
                x = self._one(self._layer(layer, [x], path, {}), layer)
        return x

    def _functional(
        self, config: Config, inputs: Sequence[Tensor], path: tuple[str, ...]
    ) -> list[Tensor]:
        layers = {layer["config"]["name"]: layer for layer in config["layers"]}
        made: dict[tuple[str, int], list[Tensor]] = {
            (name, 0): [x] for (name, _, _), x in zip(_ports(config["input_layers"]), inputs,
                                                      strict=True)
        }  # fmt: skip
        waiting = _calls(layers, [source[:2] for source in _ports(config["output_layers"])])
        while waiting:
            ready = [call for call in waiting if all(source in made for source in call.sources)]
            if not ready:
                raise ModelError(
                    f"layer {waiting[0].layer!r}: what it takes in is made by no other layer"
                )
            for call in ready:
                given = [self._one(made[source], layers[source[0]]) for source in call.sources]
                made[call.layer, call.number] = self._layer(
                    layers[call.layer], given, path, call.arguments
                )
            waiting = [call for call in waiting if call not in ready]
        return [made[name, node][index] for name, node, index in _ports(config["output_layers"])]

    def _layer(
        self, layer: Config, inputs: Sequence[Tensor], path: tuple[str, ...], call: Config
    ) -> list[Tensor]:
        kind, config = str(layer["class_name"]), layer["config"]
        here = (*path, str(config.get("name", kind)))
        if kind in MODELS:
            return self.model(layer, inputs, here)
        if kind in ("TFOpLambda", "SlicingOpLambda"):
            kind = OPERATIONS.get(config["function"], config["function"])
        weights = self.weights.of(here) if kind in KINDS else {}
        part = Layer(kind, "/".join(here), config, weights, call)
        if kind in ("Lambda", CUT) and len(inputs) == 1:
            return [take_part(self.graph, part, inputs[0])]
        return [translate_layer(self.graph, part, inputs)]

    def _one(self, outputs: Sequence[Tensor], layer: Config) -> Tensor:
        if len(outputs) != 1:
            raise ModelError(
                f"{layer['config'].get('name')!r} has {len(outputs)} outputs where one is "
                "understood"
            )
        return outputs[0]


def _ports(spec: Any) -> list[tuple[str, int, int]]:
    """``[["input_1", 0, 0]]``, or one such list alone."""
    if spec and isinstance(spec[0], str):
        spec = [spec]
    return [(str(name), int(node), int(index)) for name, node, index in spec]


def _calls(layers: Mapping[str, Config], outputs: Sequence[tuple[str, int]]) -> list[Call]:
    """Every call of every layer, numbered as the others refer to it.

    A nested model that was built on its own has had its first call before; Keras leaves that one
    out but counts on, so its calls are numbered from the lowest that somebody asks for.
    """
    calls = [call for name, layer in layers.items() for call in _stated_calls(name, layer)]
    asked = [*outputs, *(source for call in calls for source in call.sources)]
    first = {name: min((n for who, n in asked if who == name), default=0)
             for name, layer in layers.items() if layer["class_name"] in MODELS}  # fmt: skip
    return [replace(call, number=call.number + first.get(call.layer, 0)) for call in calls]


def _stated_calls(name: str, layer: Config) -> Iterator[Call]:
    if layer["class_name"] == INPUT:
        return
    for number, node in enumerate(layer.get("inbound_nodes") or []):
        try:
            sources, arguments = _sources(node)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise ModelError(
                f"layer {name!r}: how it is connected is written in a form that is not understood "
                "(Keras 3 writes another one); save the model with Keras 2"
            ) from error
        yield Call(name, number, sources, arguments)


def _sources(node: Any) -> tuple[tuple[tuple[str, int], ...], Config]:
    """The inputs of one call, and its further arguments."""
    if node and isinstance(node[0], str):
        node = [node]
    found: list[tuple[str, int]] = []
    arguments: dict[str, Any] = {}
    for entry in node:
        source, number, index, *rest = entry
        if int(index) != 0:
            raise ValueError("second output")
        found.append((str(source), int(number)))
        arguments.update(rest[0] if rest else {})
    return tuple(found), arguments
