"""A model's card as a person reads it in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import fill
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from minetrace.core.model import ModelCard

WIDTH = 100
LEVELS = {"toa": "at the top of the atmosphere", "boa": "at the surface", "any": "of any level"}


def facts(lines: Iterable[tuple[str, str]]) -> None:
    """Print labelled lines; those without text are left out."""
    for label, text in lines:
        lead = f"  {label:<9} "
        if text:
            typer.echo(fill(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead),
                            break_long_words=False, break_on_hyphens=False))  # fmt: skip


def card_facts(card: ModelCard) -> list[tuple[str, str]]:
    """A card as labelled lines: what it says, takes and gives, and where it comes from."""
    return [
        ("says", card.description),
        ("int8", _int8(card)),
        ("takes", _takes(card)),
        ("scaled", "" if card.input_shape else "; ".join(_scalings(card))),
        ("gives", _gives(card)),
        ("data", "; ".join(" ".join(map(str, source.values())) for source in card.data)),
        ("licence", card.licence or "not said"),
        ("figures", "; ".join(_figures(card))),
        ("weights", card.weights_sha256 and f"beside the graph, sha256 {card.weights_sha256}"),
        ("sha256", card.sha256),
    ]


def _int8(card: ModelCard) -> str:
    """What a copy in int8 was made from and lost; empty for any other model."""
    found, made_from = card.metrics.get("int8"), card.metrics.get("made_from")
    if not isinstance(found, dict) or not isinstance(made_from, dict):
        return ""
    names = ("ROC AUC", "AP", "IoU")
    figures = ", ".join(f"{n} {found['int8'][n]:.3f} ({found['fp32'][n]:.3f})" for n in names)
    return (
        f"counts in eight bits, made from {made_from['name']} ({made_from['sha256'][:12]}), whose "
        f"figures stand in brackets: {figures}, on {found['measured_on']}"
        + (f"; more loss was allowed: {found['allowed']}" if "allowed" in found else "")
    )


def _takes(card: ModelCard) -> str:
    if card.input_shape:
        return f"{card.bands[0]} of shape {card.input_shape}, no images"
    size = "any size" if card.resolution_m is None else f"{card.resolution_m:g} m"
    return (
        f"{', '.join(card.bands)}; reflectance {LEVELS[card.level]}, pixels of {size}, windows of "
        f"{card.window} px every {card.stride} px"
    )


def _gives(card: ModelCard) -> str:
    each = {"patch": "one score per window: footprint", "pixels": "one score per pixel: mined"}
    what = "one score" if card.input_shape else each[card.output]
    sure = "calibrated" if card.calibrated else "not calibrated"
    return f"{what}, {sure}, a detection from {card.threshold:g} on"


def _scalings(card: ModelCard) -> Iterator[str]:
    """Scaling per band, bands of one scaling together."""
    same: dict[str, list[str]] = {}
    for band in card.bands:
        s = card.scaling.get(band)
        text = "as reflectance"
        if s is not None:
            clip = f"clip {s.clip[0]:g} to {s.clip[1]:g} " if s.clip else ""
            text = f"{clip}x {s.scale:.6g} {s.offset:+.6g}"
        same.setdefault(text, []).append(band)
    for text, bands in same.items():
        yield text if len(same) == 1 else f"{', '.join(bands)} {text}"


def _figures(card: ModelCard) -> Iterator[str]:
    """Figures that fit on a line; longer ones stay in the card."""
    for name, value in card.metrics.items():
        if isinstance(value, dict):
            numbers = {k: v for k, v in value.items() if isinstance(v, int | float)}
            if numbers:
                yield f"{name}: {', '.join(f'{k} {_number(v)}' for k, v in numbers.items())}"
        elif isinstance(value, int | float):
            yield f"{name} {_number(value)}"


def _number(value: float) -> str:
    """Counts in full, figures to three places."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
