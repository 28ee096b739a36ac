"""Filters in CQL2 text, as far as a panel needs them: `area_ha > 5 AND event IN ('grows')`.

Comparison, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL and parentheses over properties and literals,
with the three truths of SQL: what is compared with nothing is neither true nor false.

Source of grammar: OGC 21-065r2, Common Query Language (CQL2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from minetrace.faces.api.refusals import BadQueryError

MOST_CHARACTERS = 2000
DEEPEST = 20
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | '(?P<text>(?:[^']|'')*)'
      | "(?P<quoted>[^"]+)"
      | (?P<word>[A-Za-z_][\w.]*)
      | (?P<sign><>|<=|>=|[=<>(),])
    )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal, "<>": np.not_equal, "<": np.less, ">": np.greater,
    "<=": np.less_equal, ">=": np.greater_equal,
}  # fmt: skip
_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_RESERVED = {"AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "TRUE", "FALSE"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """For each row: surely true, surely false, or neither."""

    yes: Mask
    no: Mask

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes)


def kind_of(column: pd.Series) -> str | None:
    """``number``, ``boolean``, ``date`` or ``text``; None for what cannot be filtered by."""
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    known = column.dropna()
    if len(known) and isinstance(known.iloc[0], bool | np.bool_):
        return "boolean"
    return "text" if len(known) and isinstance(known.iloc[0], str) else None


def matching(text: str, columns: Mapping[str, pd.Series], rows: int) -> Mask:
    """(rows,) True where a filter is surely true.

    Raises:
        BadQueryError: the filter cannot be read, or names what is not there.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadQueryError(f"filter: longer than {MOST_CHARACTERS} characters")
    reader = _Reader(_tokens(text), columns, rows)
    found = reader.either(0)
    reader.end()
    return found.yes


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at, stripped = [], 0, text.rstrip()
    while at < len(stripped):
        found = _TOKEN.match(stripped, at)
        if found is None or found.lastgroup is None:
            raise BadQueryError(f"filter: cannot be read from {stripped[at : at + 20]!r} on")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


class _Reader:
    """Reads tokens from left to right and answers at once."""

    def __init__(
        self, tokens: list[tuple[str, str]], columns: Mapping[str, pd.Series], rows: int
    ) -> None:
        self._tokens, self._columns, self._rows, self._at = tokens, columns, rows, 0

    def either(self, depth: int) -> Truth:
        if depth > DEEPEST:
            raise BadQueryError(f"filter: nested deeper than {DEEPEST}")
        found = self._both(depth)
        while self._take("OR"):
            found = found | self._both(depth)
        return found

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise BadQueryError(f"filter: {self._tokens[self._at][1]!r} is not expected there")

    def _both(self, depth: int) -> Truth:
        found = self._negated(depth)
        while self._take("AND"):
            found = found & self._negated(depth)
        return found

    def _negated(self, depth: int) -> Truth:
        turned = False
        while self._take("NOT"):
            turned = not turned
        found = self._one(depth)
        return ~found if turned else found

    def _one(self, depth: int) -> Truth:
        if self._take("("):
            found = self.either(depth + 1)
            self._expect(")")
            return found
        if self._constant():
            value = self._take("TRUE")
            if not value:
                self._expect("FALSE")
            same = np.full(self._rows, value)
            return Truth(same, ~same)
        return self._comparison()

    def _constant(self) -> bool:
        """TRUE or FALSE by itself, rather than compared with something."""
        here, after = self._peek(), self._peek(1)
        return here in ("TRUE", "FALSE") and after in (None, ")", "AND", "OR")

    def _comparison(self) -> Truth:
        kind, token = self._next()
        if kind not in ("word", "quoted") or token.upper() in _RESERVED | {"DATE", "TIMESTAMP"}:
            self._at -= 1
            value, sign = self._literal(), self._sign()
            return self._compare(self._property(), _MIRROR.get(sign, sign), value)
        self._at -= 1
        name = self._property()
        if self._take("IS"):
            turned = self._take("NOT")
            self._expect("NULL")
            missing = self._columns[name].isna().to_numpy(dtype=bool)
            return Truth(~missing, missing) if turned else Truth(missing, ~missing)
        turned = self._take("NOT")
        if self._take("IN"):
            found = self._among(name)
        elif self._take("BETWEEN"):
            low = self._compare(name, ">=", self._literal())
            self._expect("AND")
            found = low & self._compare(name, "<=", self._literal())
        elif self._take("LIKE"):
            found = self._like(name, self._literal())
        elif turned:
            raise BadQueryError("filter: after NOT comes IN, BETWEEN or LIKE")
        else:
            found = self._compare(name, self._sign(), self._literal())
        return ~found if turned else found

    def _among(self, name: str) -> Truth:
        self._expect("(")
        found = self._compare(name, "=", self._literal())
        while self._take(","):
            found = found | self._compare(name, "=", self._literal())
        self._expect(")")
        return found

    def _like(self, name: str, pattern: Any) -> Truth:
        column = self._columns[name]
        if kind_of(column) != "text" or not isinstance(pattern, str):
            raise BadQueryError(f"filter: LIKE compares text, and {name} is none")
        shape = _like_pattern(pattern)
        known = column.notna().to_numpy(dtype=bool)
        yes = np.array([isinstance(v, str) and shape.fullmatch(v) is not None for v in column])
        return Truth(yes.astype(bool), known & ~yes.astype(bool))

    def _compare(self, name: str, sign: str, value: Any) -> Truth:
        column = self._columns[name]
        kind = kind_of(column)
        if _kind(value) != kind:
            raise BadQueryError(f"filter: {name} is a {kind}, and {value!r} is not")
        known = column.notna().to_numpy(dtype=bool)
        yes = np.zeros(self._rows, dtype=bool)
        if kind == "date":
            days = column.to_numpy(dtype="datetime64[s]")[known]
            yes[known] = _COMPARE[sign](days, value)
        elif kind == "number":
            yes[known] = _COMPARE[sign](column.to_numpy(np.float64, na_value=np.nan)[known], value)
        else:
            yes[known] = _COMPARE[sign](column.to_numpy(dtype=object)[known], value)
        return Truth(yes, known & ~yes)

    def _property(self) -> str:
        kind, name = self._next()
        if kind not in ("word", "quoted") or name not in self._columns:
            raise BadQueryError(
                f"filter: no property {name!r}; there are {', '.join(self._columns)}"
            )
        return name

    def _literal(self) -> Any:
        kind, token = self._next()
        if kind == "number":
            return float(token)
        if kind == "text":
            return token.replace("''", "'")
        word = token.upper()
        if word in ("TRUE", "FALSE"):
            return word == "TRUE"
        if word in ("DATE", "TIMESTAMP"):
            self._expect("(")
            inner = self._literal()
            self._expect(")")
            return _instant(inner)
        raise BadQueryError(f"filter: {token!r} is no value; text goes into single quotes")

    def _sign(self) -> str:
        kind, token = self._next()
        if kind != "sign" or token not in _COMPARE:
            raise BadQueryError(f"filter: {token!r} does not compare; use {' '.join(_COMPARE)}")
        return token

    def _peek(self, ahead: int = 0) -> str | None:
        at = self._at + ahead
        if at >= len(self._tokens):
            return None
        kind, token = self._tokens[at]
        return token.upper() if kind in ("word", "sign") else ""

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise BadQueryError(f"filter: {token} is missing")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise BadQueryError("filter: ends too early")
        self._at += 1
        return self._tokens[self._at - 1]


def _like_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of LIKE as one whose effort does not grow with how it might have been met.

    What lies between two ``%`` is met where it comes first, and never looked for again: if what
    follows is not found behind it, it is not found behind a later one either. So nobody can write
    a filter that keeps the service at work for hours.
    """
    first, *rest = ("".join("." if c == "_" else re.escape(c) for c in part)
                    for part in pattern.split("%"))  # fmt: skip
    if not rest:
        return re.compile(first, re.DOTALL)
    *between, last = rest
    met = "".join(f"(?>.*?{part})" for part in between)
    return re.compile(f"{first}{met}.*{last}", re.DOTALL)


def _kind(value: Any) -> str:
    kinds = {bool: "boolean", float: "number", str: "text"}
    return kinds.get(type(value), "date")


def _instant(text: Any) -> np.datetime64:
    try:
        if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d([T ].*)?", text):
            raise ValueError(text)
        return np.datetime64(text.removesuffix("Z"), "s")
    except ValueError as error:
        raise BadQueryError(f"filter: {text!r} is no date such as 2021-06-30") from error
