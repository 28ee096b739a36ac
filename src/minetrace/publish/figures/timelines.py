"""Sites through time: how each grew, and what happened to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from minetrace.core.footprints import Extent
from minetrace.core.period import Period
from minetrace.publish.figures.furniture import (
    Key,
    draw_keys,
    hatch_key,
    keys_height_mm,
    rows_of,
)
from minetrace.publish.figures.series import KIND
from minetrace.publish.figures.sheet import Head, Sheet, foot_lines
from minetrace.publish.figures.style import (
    BAR,
    DOUBLE_MM,
    INK,
    LINE,
    MUTED,
    PAPER,
    SMALL_PT,
    TALLEST_MM,
    TEXT_PT,
    styled,
)
from minetrace.publish.figures.timeaxis import TimeAxis
from minetrace.publish.figures.words import fitted
from minetrace.publish.figures.words import width_mm as words_mm
from minetrace.publish.palette import palette
from minetrace.publish.words import hectares as said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = {
    "appears": "o", "returns": "o", "grows": "^", "shrinks": "v", "stays": ".",
    "merges": "D", "splits": "s", "merged": "P", "pauses": "_", "ends": "X",
}  # fmt: skip
ROW_MM = 13.0
_HOLLOW = ("returns", "splits")


@dataclass(frozen=True)
class Course:
    """One site through all periods of a run.

    Attributes:
        hectares: one per period; NaN where the site was not looked at.
        events: one word or None per period, as in the panel.
        cohort: the place in time of its first period.
    """

    site_id: str
    hectares: tuple[float, ...]
    events: tuple[str | None, ...]
    cohort: int


def timeline_figures(
    courses: Sequence[Course],
    *,
    periods: Sequence[Period],
    extent: Extent,
    title: str = "",
    headline: str = "",
    credit: str = "",
    width_mm: float = DOUBLE_MM,
) -> tuple[Figure, ...]:
    """A row for each site, to its own scale, over one axis of time; as many pages as it takes.

    Args:
        courses: in the order to show.
        periods: of the run in time order.
        extent: what a hectare means here.
        title: bold, at the left.
        headline: which sites these are.
        credit: sources, licence, how it was made.
        width_mm: of each figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    a_page = int((TALLEST_MM - 45) / ROW_MM)
    pages = [courses[i : i + a_page] for i in range(0, len(courses), a_page)]
    note = (f"Hectares of {KIND[extent]}, each site to its own scale; a broken line: not looked "
            f"at between. {credit}")  # fmt: skip
    with styled():
        return tuple(_page(page, periods, title, headline, note, width_mm) for page in pages)


def _page(
    courses: Sequence[Course], periods: Sequence[Period], title: str, headline: str, credit: str,
    width_mm: float,
) -> Figure:  # fmt: skip
    left, right = (30.0, 16.0) if width_mm > 120 else (22.0, 12.0)
    wide = width_mm - left - right
    time = TimeAxis(periods, wide)
    _, _, label_mm = time.labels()
    seen = {event for course in courses for event in course.events if event in MARKS}
    keys: list[Key] = [_mark_key(event) for event in MARKS if event in seen]
    if any(math.isnan(ha) for course in courses for ha in course.hectares):
        keys.append(hatch_key())
    rows = rows_of(keys, width_mm - 2)
    head = Head.of(title, headline, width_mm)
    lines, foot = foot_lines(credit, width_mm)
    below = head.height_mm + 3.0 + len(courses) * ROW_MM + label_mm + 2.0
    sheet = Sheet(width_mm, below + keys_height_mm(rows) + foot)
    sheet.head(head)
    sheet.text(width_mm - 1, head.height_mm, "last seen, ha", size=SMALL_PT, colour=MUTED,
               ha="right")  # fmt: skip
    colours = palette(len(periods))
    for i, course in enumerate(courses):
        top = head.height_mm + 3.0 + i * ROW_MM
        axes = sheet.axes(left, top, wide, ROW_MM)
        time.draw(axes, labelled=i == len(courses) - 1)
        _row(axes, course, time, colours[course.cohort])
        _names(sheet, course, periods, top, left)
    draw_keys(sheet, rows, below)
    sheet.foot(lines, below + keys_height_mm(rows))
    return sheet.figure


def _names(
    sheet: Sheet, course: Course, periods: Sequence[Period], top: float, left: float
) -> None:
    seen = [ha for ha in course.hectares if ha > 0]
    name = fitted(course.site_id, left - 3, TEXT_PT, "bold")
    sheet.text(1, top + 2.6, name, size=TEXT_PT, weight="bold")
    since = fitted(f"since {periods[course.cohort].label}", left - 3, SMALL_PT)
    sheet.text(1, top + 6.0, since, size=SMALL_PT, colour=MUTED)
    if seen:
        sheet.text(sheet.width_mm - 1, top + ROW_MM / 2, said(seen[-1]), size=TEXT_PT, ha="right",
                   va="center")  # fmt: skip
        sheet.text(sheet.width_mm - 1, top + ROW_MM / 2 + 1.8, f"most {said(max(seen))}",
                   size=SMALL_PT - 1, colour=MUTED, ha="right")  # fmt: skip


def _row(axes: Axes, course: Course, time: TimeAxis, colour: str) -> None:
    """The line of one site: hollow steps where nothing was seen, hatch where nobody looked."""
    axes.set_yticks([])
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=LINE, linewidth=0.5)
    most = max((ha for ha in course.hectares if not math.isnan(ha)), default=1.0) or 1.0
    axes.set_ylim(-0.12 * most, 1.28 * most)
    for period, ha in zip(time.periods, course.hectares, strict=True):
        if math.isnan(ha):
            time.hatch(axes, period)
    _line(axes, course, time)
    for period, ha, event in zip(time.periods, course.hectares, course.events, strict=True):
        if event not in MARKS or math.isnan(ha):
            continue
        axes.scatter([time.middle(period)], [ha], marker=MARKS[event], s=6 if event == "stays"
                     else 13, facecolors=PAPER if event in _HOLLOW else colour,
                     edgecolors=INK, linewidths=0.5, zorder=4, clip_on=False)  # fmt: skip


def _line(axes: Axes, course: Course, time: TimeAxis) -> None:
    known = [
        (i, time.middle(period), ha)
        for i, (period, ha) in enumerate(zip(time.periods, course.hectares, strict=True))
        if not math.isnan(ha) and i >= course.cohort
    ]
    for (i, x, y), (j, x2, y2) in pairwise(known):
        axes.plot([x, x2], [y, y2], color=BAR, linewidth=0.9, zorder=3,
                  linestyle="-" if j == i + 1 else (0, (2, 2)))  # fmt: skip
        if j > i + 1:
            continue
        axes.fill_between([x, x2], [0, 0], [y, y2], color=BAR, alpha=0.18, linewidth=0, zorder=2)


def _mark_key(event: str) -> Key:
    def draw(sheet: Sheet, left: float, top: float) -> None:
        sheet.ink.scatter([left + 1.2], [top + 4.0], marker=MARKS[event],
                          s=6 if event == "stays" else 13,
                          facecolors=PAPER if event in _HOLLOW else BAR, edgecolors=INK,
                          linewidths=0.5)  # fmt: skip
        sheet.text(left + 3.2, top + 3.0, event, size=SMALL_PT)

    return Key(3.2 + words_mm(event, SMALL_PT), draw)
