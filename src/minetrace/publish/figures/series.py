"""Hectares through time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minetrace.core.footprints import Extent
from minetrace.core.period import Period
from minetrace.publish.figures.furniture import (
    Key,
    cohort_keys,
    draw_keys,
    hatch_key,
    keys_height_mm,
    rows_of,
)
from minetrace.publish.figures.sheet import Head, Sheet, foot_lines
from minetrace.publish.figures.style import (
    BAR,
    DOUBLE_MM,
    INK,
    LINE,
    MUTED,
    SMALL_PT,
    TEXT_PT,
    styled,
)
from minetrace.publish.figures.timeaxis import TimeAxis
from minetrace.publish.figures.words import width_mm as words_mm
from minetrace.publish.palette import palette
from minetrace.publish.words import hectares as said
from minetrace.publish.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KIND = {"mined": "mined ground", "footprint": "footprint of detections"}
MILLION = 1e6  # from here on ticks say "m"
LEFT_MM, STRIP_MM = 13.0, 3.2


@dataclass(frozen=True)
class Spell:
    """One period of a series.

    Attributes:
        hectares: NaN where it was not looked at.
        looked_share: of the region, 0 to 1; NaN where that is not known.
        cohorts: hectares by the first period of the sites, in time order; empty if not known.
    """

    period: Period
    hectares: float
    looked_share: float
    cohorts: tuple[float, ...] = ()


def series_figure(
    spells: Sequence[Spell],
    *,
    extent: Extent,
    title: str = "",
    headline: str = "",
    credit: str = "",
    width_mm: float = DOUBLE_MM,
) -> Figure:
    """Bars of hectares, each over the days of its period; a period without a look is hatched.

    Args:
        spells: in time order.
        extent: what a hectare means here.
        title: bold, at the left.
        headline: such as ``mapped, no interval``.
        credit: sources, licence, how it was made.
        width_mm: of the whole figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with styled():
        time = TimeAxis([spell.period for spell in spells], width_mm - LEFT_MM - 2)
        colours = palette(len(spells))
        shares = any(math.isfinite(spell.looked_share) for spell in spells)
        split = len(spells) > 1 and any(spell.cohorts for spell in spells)
        keys: list[Key] = []
        if any(_blind(spell) for spell in spells):
            keys.append(hatch_key())
        if split:
            keys = [*cohort_keys(time.periods, colours, keys, width_mm), *keys]
        rows = rows_of(keys, width_mm - 2)
        head = Head.of(title, headline, width_mm)
        lines, foot = foot_lines(credit, width_mm)
        tall = min(70.0, 0.42 * width_mm + 8)
        strip = STRIP_MM + 2.2 if shares else 0.0
        _, _, label_mm = time.labels()
        below = head.height_mm + 3.5 + tall + strip + label_mm + 3.5
        sheet = Sheet(width_mm, below + keys_height_mm(rows) + foot)
        sheet.head(head)
        sheet.text(1, head.height_mm + 0.2, f"{KIND[extent]}, ha", size=TEXT_PT, colour=INK)
        wide = width_mm - LEFT_MM - 2
        axes = sheet.axes(LEFT_MM, head.height_mm + 4.5, wide, tall - 1)
        _bars(axes, spells, time, colours, tall)
        if shares:
            top = head.height_mm + 3.5 + tall + 1.4
            _strip(sheet, sheet.axes(LEFT_MM, top, wide, STRIP_MM), spells, time, top)
        time.draw(sheet.figure.axes[-1], labelled=True)
        draw_keys(sheet, rows, below)
        sheet.foot(lines, below + keys_height_mm(rows))
        return sheet.figure


def _blind(spell: Spell) -> bool:
    return not math.isfinite(spell.hectares)


def _bars(
    axes: Axes, spells: Sequence[Spell], time: TimeAxis, colours: Sequence[str], tall_mm: float
) -> None:
    from matplotlib.ticker import MaxNLocator

    time.draw(axes, labelled=False)
    top = max((spell.hectares for spell in spells if not _blind(spell)), default=0.0) or 1.0
    axes.set_ylim(0, top * (1 + 4.5 / tall_mm))
    for spell in spells:
        start, days = time.bar(spell.period)
        if _blind(spell):
            time.hatch(axes, spell.period)
            continue
        base = 0.0
        parts = list(zip(spell.cohorts, colours, strict=True)) if spell.cohorts else []
        for part, colour in parts or [(spell.hectares, BAR)]:
            axes.bar(start, part, days, bottom=base, align="edge", color=colour, linewidth=0,
                     zorder=2)  # fmt: skip
            base += part
        axes.bar(start, spell.hectares, days, align="edge", facecolor="none", edgecolor=INK,
                 linewidth=0.3, zorder=2.1)  # fmt: skip
        words = said(spell.hectares)
        if words_mm(words, SMALL_PT) <= spell.period.days * time.day_mm + 0.5:
            axes.annotate(words, (time.middle(spell.period), spell.hectares), (0, 1.5),
                          textcoords="offset points", ha="center", va="bottom",
                          size=SMALL_PT)  # fmt: skip
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(_tick)
    axes.grid(axis="y", color=LINE, linewidth=0.4, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _tick(value_ha: float, _: object) -> str:
    if value_ha >= MILLION:
        return f"{value_ha / MILLION:,g} m"
    return f"{value_ha:,.0f}" if value_ha >= 10 else f"{value_ha:g}"


def _strip(
    sheet: Sheet, axes: Axes, spells: Sequence[Spell], time: TimeAxis, top_mm: float
) -> None:  # fmt: skip
    """How much of the region was looked at: a frame for each period, filled that far."""
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for spell in spells:
        if not math.isfinite(spell.looked_share):
            continue
        start, days = time.bar(spell.period)
        axes.bar(start, 1, days * spell.looked_share, align="edge", color=LINE, linewidth=0)
        axes.bar(start, 1, days, align="edge", facecolor="none", edgecolor=MUTED, linewidth=0.4,
                 clip_on=False)  # fmt: skip
        words = percent(spell.looked_share)
        if words_mm(words, SMALL_PT) <= time.bar_mm(spell.period) - 0.5:
            axes.text(time.middle(spell.period), 0.46, words, size=SMALL_PT, ha="center",
                      va="center", color=INK)  # fmt: skip
    sheet.text(1, top_mm + 0.5, "looked at", size=SMALL_PT, colour=MUTED)
