"""Small charts as SVG inside a page: no library, no file beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

COLOURS = ("#1b5e9b", "#c1440e", "#2e7d4f", "#7a4fa3", "#8a6d00")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 420, 300, 52, 42, 12, 12
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], x_label: str, y_label: str, *,
    diagonal: bool = False, mark_x: float | None = None, points: bool = False,
) -> str:  # fmt: skip
    """Lines over the unit square.

    Args:
        series: by name, x and y, each from 0 to 1; NaN are left out.
        diagonal: draw where y equals x.
        mark_x: draw an upright line here, such as a threshold.
        points: mark each value.
    """
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_label)} by '
             f'{escape(x_label)}">', *_frame(x_label, y_label)]  # fmt: skip
    if diagonal:
        parts.append(_path([0, 1], [0, 1], "#999", "4 4"))
    if mark_x is not None:
        parts.append(_path([mark_x, mark_x], [0, 1], "#555", "2 3"))
    for number, (name, (x, y)) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        some = np.isfinite(np.asarray(x, float)) & np.isfinite(np.asarray(y, float))
        xs, ys = np.asarray(x, float)[some], np.asarray(y, float)[some]
        parts.append(_path(xs, ys, colour))
        if points:
            parts += [f'<circle cx="{_x(a):.1f}" cy="{_y(b):.1f}" r="3.5" fill="{colour}"/>'
                      for a, b in zip(xs, ys, strict=True)]  # fmt: skip
        if len(series) > 1:
            parts.append(f'<text x="{LEFT + 10}" y="{_y(0.05) - 15 * number:.0f}" fill="{colour}">'
                         f"{escape(name)}</text>")  # fmt: skip
    return "".join([*parts, "</svg>"])


def _frame(x_label: str, y_label: str) -> list[str]:
    parts = []
    for tick in TICKS:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(tick):.1f}" '
                     f'y2="{_y(tick):.1f}" stroke="#ddd"/>')  # fmt: skip
        parts.append(f'<text x="{LEFT - 6}" y="{_y(tick) + 4:.1f}" text-anchor="end">{tick:g}'
                     "</text>")  # fmt: skip
        parts.append(f'<text x="{_x(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
                     f"{tick:g}</text>")  # fmt: skip
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}'
                 "</text>")  # fmt: skip
    parts.append(f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
                 f"{escape(y_label)}</text>")  # fmt: skip
    return parts


def _x(value: float) -> float:
    return LEFT + value * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - TOP)


def _path(x: Iterable[float], y: Iterable[float], colour: str, dash: str = "") -> str:
    line = " ".join(f"{_x(float(a)):.1f},{_y(float(b)):.1f}" for a, b in zip(x, y, strict=True))
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>'
            if line else "")  # fmt: skip
