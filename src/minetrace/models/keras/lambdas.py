"""Layers that cut a part out of their input: ``x[..., :10]``, or several parts joined.

Published ensembles use them to leave out a band or to halve an embedding. What a Lambda does is
read from its stored instructions as data (`marshalled`), followed by hand: slices along an axis,
parts joined along the channels, channels by number. Anything else is refused; nothing is run.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minetrace.models.keras.graph import Graph, Tensor
from minetrace.models.keras.layers import Layer
from minetrace.models.keras.marshalled import Code, UnreadableCodeError, read_code

Shape = tuple[int, ...]
ROOTS = frozenset({"tf", "tensorflow", "keras", "K", "backend", "layers", "kb"})
JOINS = frozenset({"concat", "concatenate"})


@dataclass(frozen=True)
class Part:
    """A part of the input: which places of each axis, without the batch, in order."""

    places: tuple[tuple[int, ...], ...]

    @classmethod
    def whole(cls, shape: Shape) -> Part:
        """All of it."""
        return cls(tuple(tuple(range(side)) for side in shape))

    @property
    def shape(self) -> Shape:
        """Its sides."""
        return tuple(len(axis) for axis in self.places)

    def cut(self, index: Any) -> Part:
        """What ``x[index]`` is, the batch being the first axis.

        Raises:
            _NotUnderstoodError: a number among the slices, or a cut through the batch.
        """
        cuts = list(index) if isinstance(index, tuple) else [index]
        rank = len(self.places) + 1
        if any(cut is Ellipsis for cut in cuts):
            at = next(i for i, cut in enumerate(cuts) if cut is Ellipsis)
            cuts[at : at + 1] = [slice(None)] * (rank - len(cuts) + 1)
        cuts += [slice(None)] * (rank - len(cuts))
        if len(cuts) != rank or not all(_is_slice(cut) for cut in cuts):
            raise _NotUnderstoodError("it cuts with something else than slices")
        if cuts[0] != slice(None):
            raise _NotUnderstoodError("it cuts through the batch")
        return Part(tuple(axis[cut] for axis, cut in zip(self.places, cuts[1:], strict=True)))


class _NotUnderstoodError(ValueError):
    """A Lambda that does something else than cutting and joining."""


@dataclass(frozen=True)
class _Name:
    """A function as it is written: ``tf.concat``."""

    dotted: str


def _is_slice(cut: Any) -> bool:
    return isinstance(cut, slice) and all(
        v is None or (isinstance(v, int) and not isinstance(v, bool))
        for v in (cut.start, cut.stop, cut.step)
    )


def take_part(graph: Graph, layer: Layer, x: Tensor) -> Tensor:
    """Add a Lambda, or the slicing that Keras made a layer of.

    Raises:
        ModelError: what it does is not understood, or it leaves nothing.
    """
    whole = Part.whole(x.shape)
    try:
        part = _lambda(layer, whole) if layer.kind == "Lambda" else whole.cut(_spec(layer))
    except (_NotUnderstoodError, UnreadableCodeError) as error:
        raise layer.refuse(
            f"{error}; its code is never run, and only cutting and joining parts of the input can "
            "be read from it. Save the model without it, say with one network a file"
        ) from error
    if 0 in part.shape:
        raise layer.refuse(f"it cuts {x.shape} down to nothing")
    return _gather(graph, x, part)


def _gather(graph: Graph, x: Tensor, part: Part) -> Tensor:
    name = x.name
    axes = (2, 3, 1) if x.is_image else tuple(range(1, len(x.shape) + 1))
    for axis, kept, side in zip(axes, part.places, x.shape, strict=True):
        if kept != tuple(range(side)):
            indices = graph.weight(np.array(kept, dtype=np.int64))
            name = graph.op("Gather", [name, indices], axis=axis)
    return Tensor(name, part.shape)


def _spec(layer: Layer) -> tuple[Any, ...]:
    """The index of a slicing that Keras stores as JSON."""
    spec = layer.call.get("slice_spec")
    entries = spec.get("items") if isinstance(spec, Mapping) else spec
    if not isinstance(entries, list):
        raise _NotUnderstoodError("its slices are not stored")
    return tuple(_slice(entry) for entry in entries)


def _slice(entry: Any) -> Any:
    if isinstance(entry, Mapping) and entry.get("class_name") == "__ellipsis__":
        return Ellipsis
    if isinstance(entry, Mapping) and "start" in entry:
        return slice(entry["start"], entry.get("stop"), entry.get("step"))
    raise _NotUnderstoodError("it cuts with something else than slices")


def _lambda(layer: Layer, whole: Part) -> Part:
    stored, defaults, closure = _stored(layer.config)
    code = read_code(stored)
    if not code.arguments:
        raise _NotUnderstoodError("it takes no argument")
    values: dict[str, Any] = dict(layer.config.get("arguments") or {})
    named = code.variables[: code.arguments]
    values.update(zip(named[len(named) - len(defaults) :], defaults, strict=True))
    values[named[0]] = whole
    result = _Reading(code, values, closure).follow()
    if not isinstance(result, Part):
        raise _NotUnderstoodError("it returns something else than a part of its input")
    return result


def _stored(config: Mapping[str, Any]) -> tuple[bytes, list[Any], list[Any]]:
    function = config.get("function")
    if isinstance(function, Mapping):
        inner = function.get("config", {})
        function = [inner.get("code"), inner.get("defaults"), inner.get("closure")]
    if not isinstance(function, list) or not function or not isinstance(function[0], str):
        raise _NotUnderstoodError("it names a function that is not in the file")
    try:
        content = base64.b64decode(function[0])
    except (binascii.Error, ValueError) as error:
        raise _NotUnderstoodError("its function is not stored as text") from error
    defaults, closure = (*function[1:3], None, None)[:2]
    return content, list(defaults or ()), list(closure or ())


class _Reading:
    """Follows the instructions of a function with parts of the input instead of numbers."""

    def __init__(self, code: Code, values: Mapping[str, Any], closure: Sequence[Any]) -> None:
        self._code, self._values, self._closure = code, values, closure
        self._stack: list[Any] = []
        self._keywords: tuple[str, ...] = ()

    def follow(self) -> Any:
        """What the function returns."""
        table = _NEW if self._code.is_new else _OLD
        extended = 0
        for operation, low in self._code.instructions:
            argument = extended << 8 | low
            extended = argument if operation == EXTENDED_ARG else 0
            if operation in (EXTENDED_ARG, *IGNORED):
                continue
            if operation == RETURN_VALUE:
                return self._pop(1)[0]
            if operation not in table:
                raise _NotUnderstoodError(f"it does more than cut and join (operation {operation})")
            try:
                table[operation](self, argument)
            except (IndexError, TypeError, KeyError) as error:
                raise _NotUnderstoodError("its instructions make no sense") from error
        raise _NotUnderstoodError("it returns nothing")

    def _pop(self, count: int) -> list[Any]:
        if count > len(self._stack):
            raise _NotUnderstoodError("its instructions make no sense")
        taken = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return taken

    def constant(self, argument: int) -> None:
        self._stack.append(self._code.constants[argument])

    def variable(self, argument: int) -> None:
        self._stack.append(self._values[self._code.variables[argument]])

    def enclosed(self, argument: int) -> None:
        names = len(self._code.variables) - len(self._closure) if self._code.is_new else 0
        self._stack.append(self._closure[argument - names])

    def global_name(self, argument: int) -> None:
        self._stack.append(_Name(self._code.names[argument]))

    def new_global_name(self, argument: int) -> None:
        if argument & 1:
            self._stack.append(None)
        self.global_name(argument >> 1)

    def attribute(self, argument: int) -> None:
        (owner,) = self._pop(1)
        if not isinstance(owner, _Name):
            raise _NotUnderstoodError("it asks its input for more than a part")
        self._stack.append(_Name(f"{owner.dotted}.{self._code.names[argument]}"))

    def new_method(self, argument: int) -> None:
        self.attribute(argument)
        self._stack.insert(-1, None)

    def null(self, argument: int) -> None:
        self._stack.append(None)

    def sequence(self, argument: int) -> None:
        self._stack.append(tuple(self._pop(argument)))

    def extend(self, argument: int) -> None:
        (more,) = self._pop(1)
        self._stack[-argument] = (*self._stack[-argument], *more)

    def slice(self, argument: int) -> None:
        self._stack.append(slice(*self._pop(argument)))

    def cut(self, argument: int) -> None:
        part, index = self._pop(2)
        if not isinstance(part, Part):
            raise _NotUnderstoodError("it cuts something else than its input")
        self._stack.append(part.cut(index))

    def keyword_names(self, argument: int) -> None:
        self._keywords = self._code.constants[argument]

    def call(self, argument: int) -> None:
        (name, *given) = self._pop(argument + 1)
        self._stack.append(_called(name, given, {}))

    def call_with_keywords(self, argument: int) -> None:
        (name, *given, keywords) = self._pop(argument + 2)
        self._stack.append(_called(name, *_split(given, keywords)))

    def new_call(self, argument: int) -> None:
        (_, name, *given) = self._pop(argument + 2)
        self._stack.append(_called(name, *_split(given, self._keywords)))
        self._keywords = ()


def _split(given: list[Any], keywords: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    plain = len(given) - len(keywords)
    return given[:plain], dict(zip(keywords, given[plain:], strict=True))


def _called(function: Any, given: Sequence[Any], named: Mapping[str, Any]) -> Part:
    if not isinstance(function, _Name):
        raise _NotUnderstoodError("it calls something without a name")
    root, *_, last = (function.dotted.split(".")[0], function.dotted.split(".")[-1])
    if root in ROOTS or root == last:
        if last in JOINS:
            return _joined(*given, **named)
        if last == "gather":
            return _numbered(*given, **named)
    raise _NotUnderstoodError(f"it calls {function.dotted}")


def _joined(values: Sequence[Any] = (), axis: int = -1, **_: Any) -> Part:
    parts = [value for value in values if isinstance(value, Part)]
    if not parts or len(parts) != len(values):
        raise _NotUnderstoodError("it joins something else than parts of its input")
    first, rank = parts[0], len(parts[0].places)
    if axis not in (-1, rank) or any(p.places[:-1] != first.places[:-1] for p in parts):
        raise _NotUnderstoodError("it joins along another axis than the channels")
    joined = tuple(place for part in parts for place in part.places[-1])
    return Part((*first.places[:-1], joined))


def _numbered(part: Any = None, indices: Any = (), axis: int | None = None, **_: Any) -> Part:
    if not isinstance(part, Part) or axis not in (-1, len(part.places)):
        raise _NotUnderstoodError("it picks along another axis than the channels")
    if not isinstance(indices, tuple) or not all(type(i) is int for i in indices):
        raise _NotUnderstoodError("it picks by something else than numbers")
    channels = part.places[-1]
    if not all(0 <= i < len(channels) for i in indices):
        raise _NotUnderstoodError("it picks channels that are not there")
    return Part((*part.places[:-1], tuple(channels[i] for i in indices)))


# Numbers of CPython's operations (Lib/opcode.py): unchanged from 3.6 to 3.10, renumbered in 3.11.
EXTENDED_ARG, RETURN_VALUE = 144, 83
IGNORED = (0, 9, 149, 151, 166)  # CACHE, NOP, COPY_FREE_VARS, RESUME, PRECALL
Operation = Callable[[_Reading, int], None]
_BOTH: Mapping[int, Operation] = {
    25: _Reading.cut, 100: _Reading.constant, 102: _Reading.sequence, 103: _Reading.sequence,
    106: _Reading.attribute, 124: _Reading.variable, 133: _Reading.slice, 162: _Reading.extend,
}  # fmt: skip
_OLD: Mapping[int, Operation] = {
    **_BOTH, 116: _Reading.global_name, 131: _Reading.call, 136: _Reading.enclosed,
    141: _Reading.call_with_keywords, 160: _Reading.attribute, 161: _Reading.call,
}  # fmt: skip
_NEW: Mapping[int, Operation] = {
    **_BOTH, 2: _Reading.null, 116: _Reading.new_global_name, 137: _Reading.enclosed,
    160: _Reading.new_method, 171: _Reading.new_call, 172: _Reading.keyword_names,
}  # fmt: skip
