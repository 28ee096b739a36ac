"""Chips of single sites, for a look at what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minetrace.core.period import Period
from minetrace.publish.figures.frame import Frame, nice_below
from minetrace.publish.figures.furniture import (
    Key,
    cohort_keys,
    draw_keys,
    hatch_key,
    keys_height_mm,
    metres,
    rows_of,
)
from minetrace.publish.figures.sheet import Head, Sheet, foot_lines
from minetrace.publish.figures.style import (
    DOUBLE_MM,
    INK,
    LINE_MM,
    MUTED,
    SMALL_PT,
    TALLEST_MM,
    TEXT_PT,
    styled,
)
from minetrace.publish.figures.view import View, draw_view
from minetrace.publish.figures.words import fitted, longest_that_fits
from minetrace.publish.figures.words import width_mm as words_mm
from minetrace.publish.palette import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP_MM, BETWEEN_MM = 1.0, 4.0  # chips of one site, sites side by side
NAME_MM = TEXT_PT * LINE_MM + 0.9
WORDS_MM = SMALL_PT * LINE_MM + 0.9
CHIP_MM, LEAST_CHIP_MM = 27.0, 19.0


@dataclass(frozen=True)
class Strip:
    """One site, seen in one or more periods.

    Attributes:
        site_id: its name.
        facts: wordings of what is known of it, the longest first.
        views: square chips of one frame, in time order.
        captions: for each view, wordings of what is seen, the longest first.
    """

    site_id: str
    facts: tuple[str, ...]
    views: tuple[View, ...]
    captions: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Plan:
    """How strips lie on a page: chips a line, lines a strip, strips a row, side of a chip."""

    columns: int
    lines: int
    across: int
    chip_mm: float

    @property
    def strip_mm(self) -> float:
        """Width of a strip."""
        return self.columns * (self.chip_mm + GAP_MM) - GAP_MM

    @property
    def tall_mm(self) -> float:
        """Height of a strip with the room under it."""
        return NAME_MM + self.lines * (self.chip_mm + WORDS_MM) + 2.5


def chip_mm(chips: int, sheet_mm: float) -> float:
    """Side of a chip on paper, where each site has so many."""
    return _plan(chips, sheet_mm).chip_mm


def _plan(chips: int, sheet_mm: float) -> _Plan:
    room = sheet_mm - 2
    most = max(1, int((room + GAP_MM) / (LEAST_CHIP_MM + GAP_MM)))
    lines = math.ceil(chips / most)
    columns = math.ceil(chips / lines)
    least = columns * (CHIP_MM + GAP_MM) - GAP_MM
    across = max(1, int((room + BETWEEN_MM) / (least + BETWEEN_MM)))
    strip = (room - (across - 1) * BETWEEN_MM) / across
    return _Plan(columns, lines, across, min(40.0, (strip + GAP_MM) / columns - GAP_MM))


def thumbnail_figures(
    strips: Sequence[Strip],
    *,
    periods: Sequence[Period],
    title: str = "",
    headline: str = "",
    credit: str = "",
    width_mm: float = DOUBLE_MM,
) -> tuple[Figure, ...]:
    """Chips of sites with their outlines; as many pages as it takes.

    Args:
        strips: in the order to show; all with the same number of chips look best.
        periods: of the run in time order; outlines are coloured by the first of theirs.
        title: bold, at the left.
        headline: which sites these are.
        credit: sources, licence, how it was made.
        width_mm: of each figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with styled():
        plan = _plan(max((len(strip.views) for strip in strips), default=1), width_mm)
        a_page = plan.across * max(1, int((TALLEST_MM - 30) / plan.tall_mm))
        pages = [strips[i : i + a_page] for i in range(0, len(strips), a_page)]
        return tuple(_page(page, plan, periods, title, headline, credit, width_mm)
                     for page in pages)  # fmt: skip


def _page(
    strips: Sequence[Strip], plan: _Plan, periods: Sequence[Period], title: str, headline: str,
    credit: str, width_mm: float,
) -> Figure:  # fmt: skip
    colours = tuple(palette(len(periods)))
    keys: list[Key] = []
    views = [view for strip in strips for view in strip.views]
    if any(view.unlooked is not None and not view.unlooked.is_empty for view in views):
        keys.append(hatch_key())
    rows = rows_of([*cohort_keys(periods, colours, keys, width_mm), *keys], width_mm - 2)
    head = Head.of(title, headline, width_mm)
    lines, foot = foot_lines(credit, width_mm)
    below = head.height_mm + math.ceil(len(strips) / plan.across) * plan.tall_mm
    sheet = Sheet(width_mm, below + keys_height_mm(rows) + foot)
    sheet.head(head)
    for i, strip in enumerate(strips):
        left = 1 + i % plan.across * (plan.strip_mm + BETWEEN_MM)
        _strip(sheet, strip, plan, colours, left, head.height_mm + i // plan.across * plan.tall_mm)
    draw_keys(sheet, rows, below)
    sheet.foot(lines, below + keys_height_mm(rows))
    return sheet.figure


def _strip(
    sheet: Sheet, strip: Strip, plan: _Plan, colours: tuple[str, ...], left: float, top: float
) -> None:
    chip = plan.chip_mm
    bar = _scale(sheet, strip.views[0].frame, chip, left + plan.strip_mm, top)
    room = plan.strip_mm - bar - 2
    name = fitted(strip.site_id, room, TEXT_PT, "bold")
    sheet.text(left, top, name, size=TEXT_PT, weight="bold")
    begin = words_mm(name, TEXT_PT, "bold") + 1.8
    facts = longest_that_fits((*strip.facts, ""), max(room - begin, 0.0), SMALL_PT)
    sheet.text(left + begin, top + 0.35, facts, size=SMALL_PT, colour=MUTED)
    for i, (view, caption) in enumerate(zip(strip.views, strip.captions, strict=True)):
        x = left + i % plan.columns * (chip + GAP_MM)
        y = top + NAME_MM + i // plan.columns * (chip + WORDS_MM)
        draw_view(sheet.axes(x, y, chip, chip), view, colours, chip, line_pt=0.8)
        words = longest_that_fits(caption, chip, SMALL_PT)
        sheet.text(x, y + chip + 0.4, words, size=SMALL_PT, colour=INK)


def _scale(sheet: Sheet, frame: Frame, chip: float, right: float, top: float) -> float:
    """A short bar of true length at the right of a heading; returns the room that it takes."""
    true_m = frame.width_m * frame.true_m() / chip
    length_m = nice_below(0.3 * chip * true_m)
    bar = length_m / true_m
    words = metres(length_m)
    y = top + 1.5
    sheet.ink.plot([right - bar, right], [y, y], color=INK, linewidth=1.0, solid_capstyle="butt")
    sheet.text(right - bar - 0.8, top + 0.35, words, size=SMALL_PT, colour=MUTED, ha="right")
    return bar + words_mm(words, SMALL_PT) + 0.8
