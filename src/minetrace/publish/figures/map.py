"""The map of one period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minetrace.core.period import Period
from minetrace.publish.figures.furniture import (
    Key,
    cohort_keys,
    draw_degrees,
    draw_keys,
    hatch_key,
    keys_height_mm,
    north_key,
    region_key,
    rows_of,
    scale_key,
)
from minetrace.publish.figures.sheet import Head, Sheet, foot_lines
from minetrace.publish.figures.style import DOUBLE_MM, TALLEST_MM, styled
from minetrace.publish.figures.view import View, draw_view
from minetrace.publish.palette import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT_MM, RIGHT_MM, BELOW_MM = 5.5, 1.0, 5.5
DOTS = "Dots mark sites too small to outline at this scale."


def map_mm(view: View, width_mm: float) -> float:
    """How wide the map itself is on a sheet of a width: less where it would be too tall."""
    return min(width_mm - LEFT_MM - RIGHT_MM, (TALLEST_MM - 45) * view.frame.aspect)


def map_figure(
    view: View,
    *,
    periods: Sequence[Period],
    title: str = "",
    headline: str = "",
    credit: str = "",
    width_mm: float = DOUBLE_MM,
) -> Figure:
    """A map of one period for print.

    Args:
        view: the ground, its picture and outlines.
        periods: all of the run in time order; outlines are coloured by the first of theirs.
        title: bold, at the left.
        headline: what is seen in a few words, such as the hectares and what they are.
        credit: sources, licence, how it was made; wrapped under the map.
        width_mm: of the whole figure; the height follows from the ground.

    Returns:
        A figure to hand to ``save_figure``.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    with styled():
        wide = map_mm(view, width_mm)
        tall = wide / view.frame.aspect
        colours = tuple(palette(len(periods)))
        keys: list[Key] = []
        if view.unlooked is not None and not view.unlooked.is_empty:
            keys.append(hatch_key())
        if view.region is not None:
            keys.append(region_key())
        keys += [scale_key(view.frame, wide), north_key(view.frame)]
        rows = rows_of([*cohort_keys(periods, colours, keys, width_mm), *keys], width_mm - 2)
        head = Head.of(title, headline, width_mm)
        lines, foot = foot_lines(f"{credit} {DOTS}", width_mm)
        below = head.height_mm + tall + BELOW_MM
        sheet = Sheet(width_mm, below + keys_height_mm(rows) + foot)
        sheet.head(head)
        left = LEFT_MM + (width_mm - LEFT_MM - RIGHT_MM - wide) / 2
        axes = sheet.axes(left, head.height_mm, wide, tall)
        dots = draw_view(axes, view, colours, wide, line_pt=0.8)
        draw_degrees(axes, view.frame, wide)
        draw_keys(sheet, rows, below)
        sheet.foot(lines if dots else foot_lines(credit, width_mm)[0], below + keys_height_mm(rows))
        return sheet.figure
