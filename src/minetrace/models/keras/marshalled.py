"""Look at a stored Python function without making it one.

Keras stores a Lambda as marshalled byte code. Here its bytes are only read: constants, names and
instructions come out as plain data. Nothing is passed to ``marshal``, nothing can be called.

Source of the format: CPython's ``Python/marshal.c``, versions 3.6 to 3.12.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

FLAG_REF = 0x80
DEEPEST = 20


class UnreadableCodeError(ValueError):
    """Bytes that are not a function of a known Python."""


@dataclass(frozen=True)
class Code:
    """A function as data.

    Attributes:
        instructions: (operation, argument) pairs.
        constants: by number; what is no plain value is an `Opaque`.
        names: of globals and attributes.
        variables: names of the arguments, then of the other local variables.
        arguments: how many of them are arguments.
        is_new: written by Python 3.11 or later, whose instructions differ.
    """

    instructions: tuple[tuple[int, int], ...]
    constants: tuple[Any, ...]
    names: tuple[str, ...]
    variables: tuple[str, ...]
    arguments: int
    is_new: bool


@dataclass(frozen=True)
class Opaque:
    """A constant that is not looked into, such as a function in the function."""

    kind: str


@dataclass(frozen=True)
class _Layout:
    """What a code object is made of, in order: ``i`` a number, ``o`` an object."""

    fields: tuple[str, ...]
    is_new: bool


_TAIL = ("name", "firstline:i", "lines")
_OLD = ("code", "constants", "names", "variables", "free", "cells", "file", *_TAIL)
_LAYOUTS = (
    _Layout(
        ("arguments:i", "positional:i", "keyword:i", "stack:i", "flags:i", "code", "constants",
         "names", "variables", "kinds", "file", "name", "qualname", "firstline:i", "lines",
         "exceptions"), True,
    ),
    _Layout(("arguments:i", "positional:i", "keyword:i", "locals:i", "stack:i", "flags:i", *_OLD),
            False),
    _Layout(("arguments:i", "keyword:i", "locals:i", "stack:i", "flags:i", *_OLD), False),
)  # fmt: skip


def read_code(content: bytes) -> Code:
    """The function that marshalled bytes hold, as data.

    Raises:
        UnreadableCodeError: they hold none, or none that Python 3.6 to 3.12 wrote.
    """
    for layout in _LAYOUTS:
        reader = _Reader(content, layout)
        try:
            found = reader.object()
            code = _code(found, layout) if reader.at_end and isinstance(found, dict) else None
        except (struct.error, IndexError, ValueError, KeyError, TypeError):
            continue
        if code is not None:
            return code
    raise UnreadableCodeError("not a function that Python 3.6 to 3.12 stored")


def _code(found: dict[str, Any], layout: _Layout) -> Code | None:
    raw = found["code"]
    texts = [found[key] for key in ("names", "variables")]
    if not (
        isinstance(raw, bytes)
        and isinstance(found["constants"], tuple)
        and isinstance(found["file"], str)
        and all(isinstance(t, tuple) and all(isinstance(n, str) for n in t) for t in texts)
    ):
        return None  # fmt: skip
    if layout.is_new and not isinstance(found["kinds"], bytes):
        return None
    constants = tuple(
        Opaque("function") if isinstance(value, dict) else value for value in found["constants"]
    )
    pairs = tuple((raw[i], raw[i + 1]) for i in range(0, len(raw) - 1, 2))
    return Code(pairs, constants, texts[0], texts[1], found["arguments"], layout.is_new)


class _Reader:
    """Goes through the bytes once; every length is checked against what is there."""

    def __init__(self, content: bytes, layout: _Layout) -> None:
        self._content, self._layout = content, layout
        self._at = 0
        self._seen: list[Any] = []

    @property
    def at_end(self) -> bool:
        return self._at == len(self._content)

    def object(self, depth: int = 0) -> Any:
        if depth > DEEPEST:
            raise UnreadableCodeError("nested too deep")
        head = self._take(1)[0]
        kind = chr(head & ~FLAG_REF)
        place = -1
        if head & FLAG_REF:
            place = len(self._seen)
            self._seen.append(None)
        value = self._value(kind, depth)
        if place >= 0:
            self._seen[place] = value
        return value

    def _value(self, kind: str, depth: int) -> Any:
        if kind in _SINGLES:
            return _SINGLES[kind]
        if kind == "i":
            return self._number()
        if kind == "g":
            return struct.unpack("<d", self._take(8))[0]
        if kind in "zZ":
            return self._take(self._take(1)[0]).decode("ascii")
        if kind in "aAut":
            return self._take(self._number()).decode("utf-8")
        if kind == "s":
            return self._take(self._number())
        if kind == ")":
            return self._items(self._take(1)[0], depth)
        if kind in "([<>":
            return self._items(self._number(), depth)
        if kind == "r":
            return self._seen[self._number()]
        if kind == "c":
            return self._function(depth)
        raise UnreadableCodeError(f"a value of kind {kind!r}")

    def _items(self, count: int, depth: int) -> tuple[Any, ...]:
        if not 0 <= count <= len(self._content):
            raise UnreadableCodeError("a length beyond the end")
        return tuple(self.object(depth + 1) for _ in range(count))

    def _function(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field in self._layout.fields:
            name, _, kind = field.partition(":")
            found[name] = self._number() if kind else self.object(depth + 1)
        return found

    def _number(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def _take(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        if count < 0 or len(taken) != count:
            raise UnreadableCodeError("it ends too early")
        self._at += count
        return taken


_SINGLES: dict[str, Any] = {"N": None, "T": True, "F": False, ".": Ellipsis}
