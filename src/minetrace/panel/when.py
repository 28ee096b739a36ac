"""Which period a cell of a table, or the name of a file, speaks of."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

from minetrace.core.period import Period
from minetrace.errors import PeriodError

_YEAR_QUARTER = re.compile(r"([0-9]{4})(0[0-4])")
_DAY = re.compile(r"([0-9]{4})-01-01(?:[ T]00:00:00.*)?")
_MONTH_IN_NAME = re.compile(
    r"(?<![0-9])(?:19|20)\d\d(?:0[1-4]|[-_](?:0[1-9]|1[0-2]))(?![0-9a-z])", re.IGNORECASE
)
_DAYS_IN_NAME = re.compile(
    r"(?<![0-9])((?:19|20)\d\d-\d\d-\d\d)[-_]+(?:to[-_]+)?((?:19|20)\d\d-\d\d-\d\d)(?![0-9])"
)
_ALL_SO_FAR = re.compile(
    r"cumulative[-_ ]*(?:19|20)\d\d[-_ ]*(?:to[-_ ]*)?((?:19|20)\d\d)(?![0-9]|-?q[0-9])",
    re.IGNORECASE,
)
_IN_NAME = re.compile(
    r"(?<![0-9])((?:19|20)\d\d(?:0[0-4]|-?q[1-4])?)(?![0-9]|-?q[0-9])", re.IGNORECASE
)


def period_of(value: Any) -> Period:
    """The period that a cell names.

    Args:
        value: a year (2019, 2019.0, ``"2019"``, its first day), a quarter (``"2019-q3"``), or
            yyyyqq, where 201900 is the whole year and 201903 its third quarter.

    Raises:
        PeriodError: it is none of them.
    """
    text = str(value.year) if _is_new_year(value) else str(value).strip().removesuffix(".0")
    if match := _YEAR_QUARTER.fullmatch(text):
        return Period.parse(match[1] if match[2] == "00" else f"{match[1]}-q{int(match[2])}")
    if match := _DAY.fullmatch(text):
        return Period.parse(match[1])
    return Period.parse(text)


def period_in_name(name: str) -> Period:
    """The one period that a file's name holds, such as ``mines_2021.gpkg``.

    Six digits as ``201903`` are a quarter to some and a month to others, so in a name they are
    neither; ``201900`` can only be the year. A first and a last day that bound a year, a quarter or
    a month are that (``2025-01-01_2025-03-31``), whether the last day belongs to it or not; what is
    cumulative through ``2018-2023`` shows the last of them.

    Raises:
        PeriodError: it holds none, several, or what may be a month.
    """
    if days := _DAYS_IN_NAME.search(name):
        return _between(days[1], days[2], name)
    if so_far := _ALL_SO_FAR.search(name):
        return Period.parse(so_far[1])
    if month := _MONTH_IN_NAME.search(name):
        year = month[0][:4]
        raise PeriodError(
            f"{name}: {month[0]} in the name may be a month; say which period it is, such as "
            f"{year}={name} or {year}-q1={name}, or name the column that holds it with "
            "--period-column"
        )
    found = dict.fromkeys(match.lower() for match in _IN_NAME.findall(name))
    if len(found) != 1:
        said = f"several periods ({', '.join(found)})" if found else "no period"
        own = [period_of(word).label for word in reversed(found)] or ["2021"]
        raise PeriodError(
            f"{name}: the name holds {said}; say which it is, such as "
            f"{' or '.join(f'{one}={name}' for one in own[:2])}, or name the column that holds it "
            "with --period-column"
        )
    return period_of(next(iter(found)))


def _between(first: str, last: str, name: str) -> Period:
    """The year, quarter or month from a first day to a last, or to the day after it."""
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        spans = _from(start)
    except ValueError:
        spans = ()
    for period in spans:
        if end in (period.last_day, period.end):
            return period
    raise PeriodError(
        f"{name}: {first} to {last} in the name is neither a year, a quarter nor a month; say "
        f"which period it is, such as {first[:4]}={name}"
    )


def _from(start: date) -> tuple[Period, ...]:
    """What of a calendar begins on a day: a year, a quarter, a month."""
    next_month = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
    spans = (
        Period.year(start.year), Period.quarter(start.year, (start.month + 2) // 3),
        Period(start.replace(day=1), next_month, f"{start:%Y-%m}"),
    )  # fmt: skip
    return tuple(period for period in spans if period.start == start)


def _is_new_year(value: Any) -> bool:
    return isinstance(value, date) and (value.month, value.day) == (1, 1)
