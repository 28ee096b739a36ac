"""Computations as Earth Engine takes them: a tree of named functions, written as JSON.

A request for pixels carries the computation that makes them. The few functions that are needed are
spelled here by their own names and arguments, so that reading from Earth Engine needs no client
library; tests hold them against that library's table of functions. Source: Earth Engine REST API
v1, Expression and ValueNode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = Any
"""A constant, a sequence of values, a ``Call``, a ``Mapped`` or an ``Argument``."""


@dataclass(frozen=True)
class Call:
    """A function applied to arguments by name."""

    function: str
    arguments: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Argument:
    """What a mapped function is given."""

    name: str = "each"


@dataclass(frozen=True)
class Mapped:
    """A function of one image, to be applied to each of a collection."""

    body: Value
    argument: str = "each"


def call(function: str, **arguments: Value) -> Call:
    """A function applied to arguments; those that are None are left out."""
    given = ((name, value) for name, value in arguments.items() if value is not None)
    return Call(function, tuple(given))


def each(collection: Value, change: Callable[[Argument], Value]) -> Call:
    """A collection with a change made to each of its images."""
    return call("Collection.map", collection=collection, baseAlgorithm=Mapped(change(Argument())))


def expression(value: Value) -> dict[str, Any]:
    """The JSON of a computation."""
    bodies: dict[str, Any] = {}
    bodies["0"] = _node(value, bodies)
    return {"result": "0", "values": bodies}


def functions(value: Value) -> set[tuple[str, tuple[str, ...]]]:
    """Every function of a computation, with the names of the arguments that it is given."""
    if isinstance(value, Call):
        names = tuple(name for name, _ in value.arguments)
        inner = (functions(one) for _, one in value.arguments)
        return {(value.function, names)}.union(*inner)
    if isinstance(value, Mapped):
        return functions(value.body)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return set[tuple[str, tuple[str, ...]]]().union(*(functions(one) for one in value))
    return set()


def _node(value: Value, bodies: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, Call):
        arguments = {name: _node(one, bodies) for name, one in value.arguments}
        called = {"functionName": value.function, "arguments": arguments}
        return {"functionInvocationValue": called}
    if isinstance(value, Argument):
        return {"argumentReference": value.name}
    if isinstance(value, Mapped):
        body = _node(value.body, bodies)
        key = str(len(bodies) + 1)
        bodies[key] = body
        return {"functionDefinitionValue": {"argumentNames": [value.argument], "body": key}}
    if isinstance(value, Mapping):
        return {"constantValue": dict(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(isinstance(one, str | int | float | bool) for one in value):
            return {"constantValue": list(value)}
        return {"arrayValue": {"values": [_node(one, bodies) for one in value]}}
    return {"constantValue": value}
