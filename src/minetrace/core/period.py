"""Periods: half-open spans of days with a label that is safe as a file name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from minetrace.errors import PeriodError

_LABEL = re.compile(r"[a-z0-9-]+")
_YEARS = range(1, 9999)  # which a calendar has, with the day after
_YEAR = re.compile(r"([0-9]{4})")
_QUARTER = re.compile(r"([0-9]{4})-?q([1-4])", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Period:
    """The days from ``start`` up to, not including, ``end``. Ordered by time."""

    start: date
    end: date
    label: str

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.label):
            raise PeriodError(
                f"period label {self.label!r}: only a-z, 0-9 and '-' are allowed, "
                "because it becomes a file name"
            )
        if self.end <= self.start:
            raise PeriodError(
                f"period {self.label!r} ends on {self.end} and starts on {self.start}: "
                "the end is the first day after the period and must be later than the start"
            )

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.end - self.start).days

    @property
    def last_day(self) -> date:
        """The last day that belongs to the period."""
        return self.end - timedelta(days=1)

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end

    @classmethod
    def year(cls, year: int) -> Period:
        """The calendar year."""
        return cls(date(year, 1, 1), date(year + 1, 1, 1), str(year))

    @classmethod
    def quarter(cls, year: int, quarter: int) -> Period:
        """A quarter of a calendar year, 1 to 4."""
        month = 3 * (quarter - 1) + 1
        end = date(year + 1, 1, 1) if quarter == 4 else date(year, month + 3, 1)
        return cls(date(year, month, 1), end, f"{year}-q{quarter}")

    @classmethod
    def parse(cls, text: str | int) -> Period:
        """A year (``2019``) or a quarter (``2019-q3``).

        Raises:
            PeriodError: the text is neither.
        """
        word = str(text).strip()
        if (match := _YEAR.fullmatch(word)) and int(match[1]) in _YEARS:
            return cls.year(int(match[1]))
        if (match := _QUARTER.fullmatch(word)) and int(match[1]) in _YEARS:
            return cls.quarter(int(match[1]), int(match[2]))
        raise PeriodError(
            f"period {word!r} is neither a year (2019) nor a quarter (2019-q3); "
            "other windows are written {label: dry-2019, start: 2019-06-01, end: 2019-10-01}"
        )


def ordered(periods: Iterable[Period]) -> tuple[Period, ...]:
    """Periods in time order, checked to have different labels and not to overlap.

    Raises:
        PeriodError: two share a label or a day, or there are none.
    """
    line: Sequence[Period] = sorted(periods)
    if not line:
        raise PeriodError("no periods: give at least one, such as 2024")
    for earlier, later in pairwise(line):
        if earlier.label == later.label:
            raise PeriodError(f"period {later.label!r} is given twice: keep one")
        if later.start < earlier.end:
            raise PeriodError(
                f"periods {earlier.label!r} and {later.label!r} overlap: "
                f"{later.label!r} starts on {later.start}, before {earlier.end}"
            )
    if len({period.label for period in line}) < len(line):
        raise PeriodError(
            "two periods share a label: labels become folder names, so each is used once"
        )
    return tuple(line)
