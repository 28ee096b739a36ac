"""What stands around a map: degrees, scale bar, north, keys to the colours and the hatch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minetrace.core.period import Period
from minetrace.publish.figures.frame import Frame, degree_label, degree_ticks, nice_below
from minetrace.publish.figures.sheet import Sheet
from minetrace.publish.figures.style import (
    HATCH,
    INK,
    LINE_MM,
    MUTED,
    NOT_LOOKED_HATCH,
    PAPER,
    SMALL_PT,
)
from minetrace.publish.figures.words import width_mm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY_MM = 9.0  # height of a row of keys
_GAP_MM = 6.0
_RAMP_MM, _LEAST_RAMP_MM = 110.0, 45.0
HEADING = "first seen"
_BOX_MM = 2.6
_TICK_ROOM_MM = 19.0
_LABEL_MM = 6.0  # half of a label: none hangs over an edge


@dataclass(frozen=True)
class Key:
    """One piece of furniture: how wide it is, and how to draw it at (left, top).

    Attributes:
        at_right: stands at the right edge of its row.
    """

    width_mm: float
    draw: Callable[[Sheet, float, float], None]
    at_right: bool = False


def rows_of(keys: Sequence[Key], room_mm: float) -> list[list[Key]]:
    """Keys in rows that fit, in order."""
    rows: list[list[Key]] = []
    used = math.inf
    for key in keys:
        if used + key.width_mm > room_mm:
            rows.append([])
            used = 0.0
        rows[-1].append(key)
        used += key.width_mm + _GAP_MM
    return rows


def draw_keys(sheet: Sheet, rows: Sequence[Sequence[Key]], top: float) -> None:
    """Draw rows of keys."""
    for n, row in enumerate(rows):
        left = 1.0
        for key in row:
            if key.at_right:
                left = max(left, sheet.width_mm - 1 - key.width_mm)
            key.draw(sheet, left, top + n * KEY_MM)
            left += key.width_mm + _GAP_MM


def cohort_keys(
    periods: Sequence[Period], colours: Sequence[str], others: Sequence[Key], sheet_mm: float
) -> list[Key]:
    """The colours of first periods, in the room that other keys leave on their row.

    A ramp; where its labels would not all fit and cannot be guessed, a key for each period.
    """
    room = sheet_mm - 2 - sum(key.width_mm + _GAP_MM for key in others)
    room = min(_RAMP_MM, room if room >= _LEAST_RAMP_MM else sheet_mm - 2)
    days = [period.days for period in periods]
    widest = max(width_mm(period.label, SMALL_PT) for period in periods)
    guessed = max(days) <= 1.15 * min(days) and widest < 12
    if guessed or (widest + 1.5) * len(periods) <= room:
        return [_ramp(periods, colours, room)]
    pairs = zip(periods, colours, strict=True)
    return [_swatch(period.label, colour, first=not i) for i, (period, colour) in enumerate(pairs)]


def _swatch(label: str, colour: str, *, first: bool) -> Key:
    """One colour and its period; the first of them says what the colours are."""
    lead = f"{HEADING}:" if first else ""
    shift = width_mm(lead, SMALL_PT) + 1.5 if first else 0.0

    def draw(sheet: Sheet, left: float, top: float) -> None:
        sheet.text(left, top + 3.0, lead, size=SMALL_PT, colour=MUTED)
        _box(sheet, left + shift, top + 3.0, 3.2, 1.9, facecolor=colour, edgecolor=INK,
             linewidth=0.3)  # fmt: skip
        sheet.text(left + shift + 4.2, top + 3.0, label, size=SMALL_PT)

    return Key(shift + 4.2 + width_mm(label, SMALL_PT), draw)


def _ramp(periods: Sequence[Period], colours: Sequence[str], room_mm: float) -> Key:
    """The colours of the periods in which sites were first seen, early to late."""
    labels = [period.label for period in periods]
    widest = max(width_mm(label, SMALL_PT) for label in labels)
    step = min(max(widest + 1.5, 7.0), (room_mm - 2) / len(periods))
    step = max(step, 1.0)
    wide = max(step * len(periods), widest, width_mm(HEADING, SMALL_PT))
    every = max(1, math.ceil((widest + 1.5) / step))

    def draw(sheet: Sheet, left: float, top: float) -> None:
        sheet.text(left, top, HEADING, size=SMALL_PT, colour=MUTED)
        for i, (label, colour) in enumerate(zip(labels, colours, strict=True)):
            _box(sheet, left + i * step, top + 3.2, step, 1.9, facecolor=colour, edgecolor=INK,
                 linewidth=0.3)  # fmt: skip
            if i % every == 0 and (every == 1 or (i + 0.5) * step + widest / 2 <= wide + 2):
                ha = "center" if step >= widest or i else "left"
                x = left + (i + 0.5) * step if ha == "center" else left
                sheet.text(x, top + 5.6, label, size=SMALL_PT, ha=ha)

    return Key(wide, draw)


def hatch_key(words: str = "not looked at") -> Key:
    """What the hatch means."""

    def draw(sheet: Sheet, left: float, top: float) -> None:
        _box(sheet, left, top + 2.9, 5.0, _BOX_MM, facecolor=PAPER, edgecolor=HATCH,
             hatch=NOT_LOOKED_HATCH, linewidth=0.5)  # fmt: skip
        sheet.text(left + 6.2, top + 3.0, words, size=SMALL_PT)

    return Key(6.2 + width_mm(words, SMALL_PT), draw)


def region_key() -> Key:
    """What the dashed line means."""

    def draw(sheet: Sheet, left: float, top: float) -> None:
        sheet.ink.plot([left, left + 5], [top + 4.2, top + 4.2], color=INK, lw=0.6,
                       linestyle=(0, (4, 2)))  # fmt: skip
        sheet.text(left + 6.2, top + 3.0, "region", size=SMALL_PT)

    return Key(6.2 + width_mm("region", SMALL_PT), draw)


def scale_key(frame: Frame, frame_mm: float, *, most_mm: float = 32.0) -> Key:
    """A bar of true ground length, measured on the ellipsoid through the middle of the frame."""
    true_m = frame.width_m * frame.true_m() / frame_mm  # on the ground, per mm of paper
    length_m = nice_below(min(most_mm, 0.4 * frame_mm) * true_m)
    bar_mm = length_m / true_m
    words = metres(length_m)
    wide = max(bar_mm, width_mm(words, SMALL_PT))

    def draw(sheet: Sheet, left: float, top: float) -> None:
        for i, colour in enumerate((INK, PAPER)):
            _box(sheet, left + i * bar_mm / 2, top + 3.3, bar_mm / 2, 1.1, facecolor=colour,
                 edgecolor=INK, linewidth=0.4)  # fmt: skip
        sheet.text(left + bar_mm / 2, top + 5.0, words, size=SMALL_PT, ha="center")

    return Key(wide, draw)


def metres(length_m: float) -> str:
    """Such as ``500 m`` or ``20 km``."""
    return f"{length_m / 1000:,g} km" if length_m >= 1000 else f"{length_m:g} m"


def north_key(frame: Frame) -> Key:
    """An arrow to true north."""
    turn = math.radians(frame.north_deg())

    def draw(sheet: Sheet, left: float, top: float) -> None:
        x, y, reach = left + 2.0, top + 4.6, 2.4
        dx, dy = reach * math.sin(turn), -reach * math.cos(turn)
        side = np.array([-dy, dx]) * 0.42
        tip, tail = np.array([x + dx, y + dy]), np.array([x - dx, y - dy])
        notch = np.array([x - 0.5 * dx, y - 0.5 * dy])
        for sign, colour in ((1, INK), (-1, PAPER)):
            sheet.ink.fill(*np.array([tip, tail + sign * side, notch]).T, facecolor=colour,
                           edgecolor=INK, linewidth=0.4, joinstyle="round")  # fmt: skip
        sheet.text(left + 5.2, top + 3.4, "N", size=SMALL_PT, weight="bold")

    return Key(7.0, draw, at_right=True)


def _box(sheet: Sheet, left: float, top: float, width: float, height: float, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    sheet.ink.add_patch(Rectangle((left, top), width, height, **look))


def draw_degrees(axes: Axes, frame: Frame, frame_mm: float) -> None:
    """Ticks, labels and faint lines at round degrees; labels below and at the left."""
    tall_mm = frame_mm / frame.aspect
    for side, room, positive, negative in (
        ("bottom", frame_mm, "E", "W"),
        ("left", tall_mm, "N", "S"),
    ):
        at, degrees = frame.edge_degrees(side)
        edge = min(_LABEL_MM / room, 0.3) * float(degrees.max() - degrees.min())
        ticks = degree_ticks(
            float(degrees.min()) + edge,
            float(degrees.max()) - edge,
            max(1, min(6, int(room / _TICK_ROOM_MM))),
        )
        places = np.interp(ticks, degrees, at)
        labels = [degree_label(tick, ticks, positive, negative) for tick in ticks]
        if side == "bottom":
            axes.set_xticks(places, labels)
        else:
            axes.set_yticks(places, labels, rotation=90, va="center")
        _meridians(axes, frame, ticks, side)
    axes.tick_params(pad=1.5)


def _meridians(axes: Axes, frame: Frame, ticks: Sequence[float], side: str) -> None:
    """Lines of equal longitude (from the bottom edge) or latitude, as the projection bends them."""
    from pyproj import Transformer

    to = Transformer.from_crs("EPSG:4326", frame.crs, always_xy=True)
    _, along = frame.edge_degrees("left" if side == "bottom" else "bottom")
    reach = along.max() - along.min()
    run = np.linspace(along.min() - reach, along.max() + reach, 120)
    for tick in ticks:
        still = np.full(len(run), tick)
        x, y = to.transform(still, run) if side == "bottom" else to.transform(run, still)
        axes.plot(x, y, color=PAPER, lw=0.35, alpha=0.45, zorder=3.5, scalex=False, scaley=False)


def keys_height_mm(rows: Sequence[Sequence[Key]]) -> float:
    """Room that rows of keys take."""
    return len(rows) * KEY_MM + SMALL_PT * LINE_MM * 0.2
