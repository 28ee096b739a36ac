"""Periods at their true place in time: uneven ones stay uneven, and gaps stay gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from minetrace.core.period import Period
from minetrace.publish.figures.style import HATCH, NOT_LOOKED_HATCH, PAPER, SMALL_PT
from minetrace.publish.figures.words import fitted, width_mm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST_MM = 20.0  # of a label that stands upright
_UPRIGHT_STEP_MM = 2.6
_LEAST_BAR_MM = 0.6


class TimeAxis:
    """From days to places along an axis.

    Args:
        periods: in time order.
        wide_mm: how wide the axes are on paper.
    """

    def __init__(self, periods: Sequence[Period], wide_mm: float) -> None:
        self.periods = tuple(periods)
        first, last = periods[0].start.toordinal(), periods[-1].end.toordinal()
        self.low = first - 0.01 * (last - first)
        self.high = last + 0.01 * (last - first)
        self.day_mm = wide_mm / (self.high - self.low)

    def middle(self, period: Period) -> float:
        """The day in its middle."""
        return (period.start.toordinal() + period.end.toordinal()) / 2

    def bar(self, period: Period) -> tuple[float, float]:
        """Left end and width of a bar for a period, days: a little narrower than the period."""
        width = max(0.84 * period.days, _LEAST_BAR_MM / self.day_mm)
        return self.middle(period) - width / 2, width

    def bar_mm(self, period: Period) -> float:
        """Width of that bar on paper."""
        return self.bar(period)[1] * self.day_mm

    def labels(self) -> tuple[list[tuple[float, str]], bool, float]:
        """Labels that do not overlap: their days and words, whether upright, and their height."""
        widest = max(width_mm(p.label, SMALL_PT) for p in self.periods)
        for every in range(1, 6 if self._even else 2):
            level = self.periods[::every]
            if level == tuple(self._spaced(widest + 1.2, level)):
                return [(self.middle(p), p.label) for p in level], False, 3.0
        stand = self._spaced(_UPRIGHT_STEP_MM, self.periods)
        words = [(self.middle(p), fitted(p.label, LONGEST_MM, SMALL_PT)) for p in stand]
        return words, True, min(widest, LONGEST_MM) + 1.0

    @property
    def _even(self) -> bool:
        """Periods of one length: every second or third label then says enough."""
        days = [period.days for period in self.periods]
        return max(days) <= 1.15 * min(days)

    def _spaced(self, step_mm: float, periods: Sequence[Period]) -> list[Period]:
        kept: list[Period] = []
        for period in periods:
            apart = (self.middle(period) - self.middle(kept[-1])) * self.day_mm if kept else step_mm
            if apart >= step_mm:
                kept.append(period)
        return kept

    def draw(self, axes: Axes, *, labelled: bool) -> None:
        """Set limits and, if asked, the labels of the periods."""
        axes.set_xlim(self.low, self.high)
        if not labelled:
            axes.set_xticks([])
            return
        words, upright, _ = self.labels()
        axes.set_xticks([at for at, _ in words], [word for _, word in words],
                        rotation=90 if upright else 0)  # fmt: skip
        axes.tick_params(axis="x", length=0, pad=2)

    def hatch(self, axes: Axes, period: Period) -> None:
        """Mark a period as not looked at, from top to bottom."""
        start, days = self.bar(period)
        axes.axvspan(start, start + days, facecolor=PAPER, edgecolor=HATCH, linewidth=0,
                     hatch=NOT_LOOKED_HATCH, zorder=1)  # fmt: skip
