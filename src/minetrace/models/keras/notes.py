"""The ``*_config*.txt`` that is published beside a model: threshold and figures for its card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minetrace.errors import MissingFileError, ModelError

LARGEST = 1_000_000


@dataclass(frozen=True)
class Notes:
    """What the publisher wrote down.

    Attributes:
        text: the whole file.
        threshold: of its last classification report, None if there is none.
        mine: precision, recall and f1 of the class ``Mine``, by split where there are several.
    """

    text: str
    threshold: float | None
    mine: Mapping[str, Mapping[str, float]]


def notes_beside(model: Path) -> Path | None:
    """The config text of a model file, if exactly one lies beside it."""
    found = sorted(model.parent.glob(f"{_escaped(model.stem)}_config*.txt"))
    return found[0] if len(found) == 1 else None


def read_notes(path: Path) -> Notes:
    """Read a config text.

    Raises:
        MissingFileError: it is not there.
        ModelError: it is not a text, or far too long for one.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; give the model's config text, or leave out")
    if path.stat().st_size > LARGEST:
        raise ModelError(f"{path}: too long for a config text (over {LARGEST:,} bytes)")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not a text; give the model's *_config.txt") from error
    at = re.findall(r"Classification Reports? at (\d*\.?\d+)", text)
    threshold = float(at[-1]) if at and 0 < float(at[-1]) < 1 else None
    return Notes(text, threshold, {**_tables(text), **_json_blocks(text)})


def _tables(text: str) -> dict[str, dict[str, float]]:
    """The row of the mines in each printed report, the last one standing for all."""
    rows = re.findall(r"^\s*Mine\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+\d+", text, re.MULTILINE)
    return {"test": _figures(rows[-1])} if rows else {}


def _json_blocks(text: str) -> dict[str, dict[str, float]]:
    number = r"\s*([\d.eE+-]+)"
    block = (
        r'"(\w+)": \{\s*"No Mine": \{[^}]*\},\s*"Mine": \{\s*"precision":' + number
        + r',\s*"recall":' + number + r',\s*"f1-score":' + number
    )  # fmt: skip
    return {split: _figures(tuple(figures)) for split, *figures in re.findall(block, text)}


def _figures(values: tuple[str, ...]) -> dict[str, float]:
    return dict(zip(("precision", "recall", "f1"), map(float, values), strict=True))


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)
