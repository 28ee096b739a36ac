"""Small multiples: every period on the same ground, in the same colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from minetrace.core.period import Period
from minetrace.publish.figures.furniture import (
    Key,
    cohort_keys,
    draw_keys,
    hatch_key,
    keys_height_mm,
    north_key,
    rows_of,
    scale_key,
)
from minetrace.publish.figures.map import DOTS
from minetrace.publish.figures.sheet import Head, Sheet, foot_lines
from minetrace.publish.figures.style import (
    DOUBLE_MM,
    LINE_MM,
    MUTED,
    SMALL_PT,
    TALLEST_MM,
    TEXT_PT,
    styled,
)
from minetrace.publish.figures.view import View, draw_view
from minetrace.publish.figures.words import fitted, longest_that_fits, width_mm
from minetrace.publish.palette import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP_MM = 2.0
NAME_MM = TEXT_PT * LINE_MM + 0.6
WORDS_MM = SMALL_PT * LINE_MM + 1.6
NEARLY = 0.65  # of the largest panel is large enough, if it saves a row
AROUND_MM = 35.0  # title, keys and small print


def columns_for(count: int, aspect: float, sheet_mm: float) -> tuple[int, float]:
    """Columns and width of a panel, so that panels are large and the sheet is not too tall."""

    def panel_mm(columns: int) -> float:
        rows = math.ceil(count / columns)
        across = (sheet_mm - 2 - (columns - 1) * GAP_MM) / columns
        down = (TALLEST_MM - AROUND_MM) / rows - NAME_MM - WORDS_MM
        return min(across, down * aspect)

    largest = max(panel_mm(columns) for columns in range(1, count + 1))
    near = [n for n in range(1, count + 1) if panel_mm(n) >= NEARLY * largest]
    fewest_rows = min(near, key=lambda columns: (math.ceil(count / columns), columns))
    return fewest_rows, panel_mm(fewest_rows)


def multiples_figure(
    views: Sequence[View],
    captions: Sequence[Sequence[str]],
    *,
    periods: Sequence[Period],
    title: str = "",
    headline: str = "",
    credit: str = "",
    width_mm: float = DOUBLE_MM,
) -> Figure:
    """A panel for each period, all of the same frame.

    Args:
        views: one per period to show, in time order, all with one frame.
        captions: for each view, wordings of what is seen, the longest first; the first that fits
            is printed.
        periods: all of the run in time order; outlines are coloured by the first of theirs.
        title: bold, at the left.
        headline: what holds for every panel.
        credit: sources, licence, how it was made.
        width_mm: of the whole figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: no view, or as many captions as views are not given.
    """
    if not views or len(views) != len(captions):
        raise ValueError(f"multiples_figure: {len(views)} views, {len(captions)} captions")
    with styled():
        frame = views[0].frame
        columns, wide = columns_for(len(views), frame.aspect, width_mm)
        tall = wide / frame.aspect
        colours = tuple(palette(len(periods)))
        keys: list[Key] = []
        if any(view.unlooked is not None and not view.unlooked.is_empty for view in views):
            keys.append(hatch_key())
        keys += [scale_key(frame, wide), north_key(frame)]
        rows = rows_of([*cohort_keys(periods, colours, keys, width_mm), *keys], width_mm - 2)
        head = Head.of(title, headline, width_mm)
        lines, foot = foot_lines(f"{credit} {DOTS}", width_mm)
        step = NAME_MM + tall + WORDS_MM
        below = head.height_mm + math.ceil(len(views) / columns) * step + 1.5
        sheet = Sheet(width_mm, below + keys_height_mm(rows) + foot)
        sheet.head(head)
        used = columns * wide + (columns - 1) * GAP_MM
        dots = 0
        for i, (view, caption) in enumerate(zip(views, captions, strict=True)):
            left = (width_mm - used) / 2 + i % columns * (wide + GAP_MM)
            top = head.height_mm + i // columns * step
            dots += _panel(sheet, view, caption, colours, left, top, wide)
        draw_keys(sheet, rows, below)
        sheet.foot(lines if dots else foot_lines(credit, width_mm)[0], below + keys_height_mm(rows))
        return sheet.figure


def _panel(
    sheet: Sheet, view: View, caption: Sequence[str], colours: tuple[str, ...], left: float,
    top: float, wide: float,
) -> int:  # fmt: skip
    tall = wide / view.frame.aspect
    name = fitted(view.period, wide, TEXT_PT, "bold")
    sheet.text(left, top, name, size=TEXT_PT, weight="bold")
    room = wide - width_mm(name, TEXT_PT, "bold") - 2
    if width_mm(caption[-1], SMALL_PT) <= room:
        words = longest_that_fits(caption, room, SMALL_PT)
        sheet.text(left + wide, top + 0.4, words, size=SMALL_PT, colour=MUTED, ha="right")
    else:
        words = longest_that_fits(caption, wide, SMALL_PT)
        sheet.text(left, top + NAME_MM + tall + 0.5, words, size=SMALL_PT, colour=MUTED)
    axes = sheet.axes(left, top + NAME_MM, wide, tall)
    return draw_view(axes, view, colours, wide, line_pt=0.6)
