"""The day on which an image was taken, from its name, its tags or a table."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from minetrace.errors import MissingFileError, StudyError

_REMEDY = (
    "say where it is with sources.date: {pattern: '%Y%m%d'} for a date in the name, "
    "{tag: NAME} for a metadata tag, {csv: FILE} for a table with columns file and date, "
    "or {day: 2021-07-01} for all files"
)
_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_]?)(\d{2})\2(\d{2})(?!\d)")
_IN_TEXT = re.compile(r"\s*(\d{4})([-:/_.]?)(\d{2})\2(\d{2})(?!\d)")
# acquisition first, then processing
_PRODUCT = re.compile(r"(?:L[COTEM]0\d_L\w{3}_\d{6}_|S2[ABC]_MSIL\w{2}_)(\d{8})(?!\d)")
_TAGS = ("ACQUISITION_DATE", "DATE_ACQUIRED", "TIFFTAG_DATETIME")
_CODES = {"%Y": r"(?P<year>\d{4})", "%m": r"(?P<month>\d{2})", "%d": r"(?P<day>\d{2})",
          "%j": r"(?P<doy>\d{3})", "%y": r"(?P<short>\d{2})", "%%": "%"}  # fmt: skip


@dataclass(frozen=True)
class DateOptions:
    """Where the date is found; with none given, an unmistakable date in the name or the tags.

    Attributes:
        pattern: ``%Y%m%d`` and the like (%Y %y %m %d %j), found anywhere in the name, or a regular
            expression with groups named year, month and day (or doy).
        tag: a metadata tag of the file that begins with the date.
        csv: a table with columns ``file`` and ``date``.
        day: the day of every file, for a mosaic that has none of its own.
    """

    pattern: str | None = None
    tag: str | None = None
    csv: Path | str | None = None
    day: date | None = None

    def __post_init__(self) -> None:
        given = [v for v in (self.pattern, self.tag, self.csv, self.day) if v is not None]
        if len(given) > 1:
            raise StudyError("sources.date: give one of pattern, tag, csv and day, not several")
        if self.pattern is not None:
            _compiled(self.pattern)


def acquired(path: Path, tags: Mapping[str, str], options: DateOptions) -> date:
    """The day an image was taken.

    Args:
        path: the image's file; only its name is looked at.
        tags: its metadata.
        options: where to look.

    Raises:
        StudyError: there is no date where it should be, or more than one.
        MissingFileError: the table of dates is not there.
    """
    if options.day is not None:
        return options.day
    if options.pattern is not None:
        return _by_pattern(path, options.pattern)
    if options.tag is not None:
        return _by_tag(path, tags, options.tag)
    if options.csv is not None:
        return _by_table(path, Path(options.csv))
    return _by_itself(path, tags)


def _by_itself(path: Path, tags: Mapping[str, str]) -> date:
    product = _PRODUCT.search(path.stem)
    if product and (day := _parse(product[1])):
        return day
    matches = ("".join(m.group(1, 3, 4)) for m in _IN_NAME.finditer(path.stem))
    days = {day for text in matches if (day := _parse(text))}
    if len(days) == 1:
        return days.pop()
    upper = {key.upper(): value for key, value in tags.items()}
    for tag in _TAGS:
        if day := _parse(upper.get(tag, "")):
            return day
    if days:
        both = " and ".join(str(day) for day in sorted(days))
        raise StudyError(f"{path.name}: its name holds the dates {both}; {_REMEDY}")
    raise StudyError(f"{path.name}: no date in its name or tags; {_REMEDY}")


def _by_pattern(path: Path, pattern: str) -> date:
    match = _compiled(pattern).search(path.name)
    if match is None:
        raise StudyError(f"{path.name}: no date by the pattern {pattern!r}; {_REMEDY}")
    part = {name: int(text) for name, text in match.groupdict().items() if text is not None}
    year = part.get("year", 2000 + part.get("short", 0))
    try:
        if "doy" in part:
            day = date(year, 1, 1) + timedelta(days=part["doy"] - 1)
            if day.year != year:
                raise ValueError(f"day {part['doy']} of {year}")
            return day
        return date(year, part["month"], part["day"])
    except ValueError as error:
        raise StudyError(
            f"{path.name}: what the pattern {pattern!r} finds is no date ({error}); {_REMEDY}"
        ) from error


@lru_cache(maxsize=32)
def _compiled(pattern: str) -> re.Pattern[str]:
    text = pattern
    if re.search("%[A-Za-z]", pattern):
        parts = re.split("(%.)", pattern)
        unknown = [p for p in parts if p.startswith("%") and p not in _CODES]
        if unknown:
            raise StudyError(
                f"sources.date.pattern: {unknown[0]} in {pattern!r} is not known; "
                "use %Y or %y, with %m and %d or with %j"
            )
        text = "".join(_CODES.get(p, re.escape(p)) for p in parts)
    try:
        made = re.compile(text)
    except re.error as error:
        raise StudyError(f"sources.date.pattern {pattern!r}: {error}") from error
    groups = set(made.groupindex)
    if not (groups & {"year", "short"} and ("doy" in groups or {"month", "day"} <= groups)):
        raise StudyError(
            f"sources.date.pattern {pattern!r} does not say a whole date: write %Y%m%d, or a "
            "regular expression with groups named year, month and day"
        )
    return made


def _by_tag(path: Path, tags: Mapping[str, str], tag: str) -> date:
    upper = {key.upper(): value for key, value in tags.items()}
    if tag.upper() not in upper:
        have = ", ".join(sorted(tags)) or "none"
        raise StudyError(f"{path.name}: no tag {tag}, of which it has: {have}; {_REMEDY}")
    text = upper[tag.upper()]
    day = _parse(text)
    if day is None:
        raise StudyError(f"{path.name}: tag {tag} is {text!r}, not a date such as 2019-02-14")
    return day


def _by_table(path: Path, table: Path) -> date:
    days = _table(table, table.stat().st_mtime_ns if table.is_file() else 0)
    for key in (str(path), path.name, path.stem):
        if key in days:
            return days[key]
    ends = [day for key, day in days.items() if path.as_posix().endswith("/" + key.lstrip("./"))]
    if not ends:
        raise StudyError(f"{path.name}: not in {table}; add a line for it")
    return ends[0]


@lru_cache(maxsize=8)
def _table(table: Path, _changed_ns: int) -> dict[str, date]:
    if not table.is_file():
        raise MissingFileError(f"{table}: no such table of dates; check sources.date.csv")
    days = {}
    with table.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        if not {"file", "date"} <= set(rows.fieldnames or ()):
            raise StudyError(f"{table}: needs the columns file and date, has {rows.fieldnames}")
        for number, row in enumerate(rows, start=2):
            day = _parse(row["date"] or "")
            if day is None:
                raise StudyError(
                    f"{table}, line {number}: {row['date']!r} is not a date such as 2019-02-14"
                )
            days[row["file"]] = day
    return days


def _parse(text: str) -> date | None:
    """The date that a text begins with: 2019-02-14, 2019:02:14 10:31:00, 20190214T103100 ..."""
    match = _IN_TEXT.match(text)
    if match is None:
        return None
    try:
        day = date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        return None
    return day if 1960 <= day.year <= 2100 else None
