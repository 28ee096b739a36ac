"""Numbers as a reader wants them: about three figures, and never more than is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

INTERVAL = "mapped, no interval"  # what stands behind hectares until a sample gives an interval
ESTIMATED = "estimated from a sample, 95 % interval"  # and what stands behind those that it gave

MOST_NAMED = 4  # files in a sentence


def hectares(value: float | None) -> str:
    """Such as ``1,234``, ``12.3`` or ``0.42``; a dash where nothing is known."""
    if value is None or value != value:
        return "–"
    digits = 0 if value == 0 or value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def estimated(told: Mapping[str, Any]) -> str:
    """What a sample says, such as ``18.2 (13.0 to 33.6)``, in hectares.

    Args:
        told: ``value``, ``low`` and ``high``.
    """
    return f"{hectares(told['value'])} ({hectares(told['low'])} to {hectares(told['high'])})"


def km2(value_ha: float) -> str:
    """Hectares as square kilometres, with the unit."""
    value = value_ha / 100
    return f"{value:,.{0 if value >= 100 else 1 if value >= 1 else 3}f} km²"


def percent(share: float) -> str:
    """Such as ``83 %``; what is nearly nothing or nearly all is not rounded to it."""
    if not share >= 0:
        return "unknown"
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"


def degrees(value: float, positive: str, negative: str) -> str:
    """Such as ``12.81° S``."""
    return f"{abs(value):.2f}° {positive if value >= 0 else negative}"


def count(number: int, noun: str) -> str:
    """Such as ``1 site`` or ``1,204 sites``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_given_in(files: Sequence[str]) -> str:
    """Whose outlines they are that nobody mapped here: ``as given in a.gpkg, b.gpkg``.

    Args:
        files: names; of more than ``MOST_NAMED`` the first are named and the others counted.
    """
    names = list(dict.fromkeys(files))
    others = len(names) - MOST_NAMED
    text = f"as given in {', '.join(names[:MOST_NAMED])}"
    return f"{text} and {count(others, 'other file')}" if others > 0 else text


def several(words: Sequence[str]) -> str:
    """Such as ``2019, 2021 and 2022``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
