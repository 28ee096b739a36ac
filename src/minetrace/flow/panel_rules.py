"""Rules of a panel, as a command takes them: which outlines count, and what a release shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from pydantic import ValidationError

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period
from minetrace.errors import StudyError
from minetrace.flow.kept import kept
from minetrace.flow.settings import complaint
from minetrace.flow.study_time import RulesStudy
from minetrace.panel.rules.releases import Base, by_year, cumulative, differences

Found = dict[Period, Footprints]


@dataclass(frozen=True)
class Release:
    """What becomes of outlines before they get an identity.

    Attributes:
        by_year: the periods of a calendar year become one.
        cumulative: a period shows all ground of it and of those before it.
        differences_ha: a period shows what it adds to those before it, in connected parts of at
            least so many hectares.
        base: what a difference is from: ``previous`` periods, or the last ``full-year`` before.
    """

    by_year: bool = False
    cumulative: bool = False
    differences_ha: float | None = None
    base: str = "previous"

    def __post_init__(self) -> None:
        if self.cumulative and self.differences_ha is not None:
            raise StudyError("--cumulative and --differences are two ways to show it; keep one")
        if self.base not in get_args(Base):
            raise StudyError(f"base is {self.base!r}; give previous or full-year")

    @property
    def new(self) -> bool:
        """Whether a period then shows only what was newly mined in it."""
        return self.differences_ha is not None

    def of(self, found: Mapping[Period, Footprints]) -> Found:
        """The outlines that are shown.

        Raises:
            PeriodError: a period reaches over the new year and is to be of one year.
            StudyError: the hectares are none.
        """
        shown = by_year(found) if self.by_year else dict(found)
        if self.cumulative:
            return cumulative(shown)
        if self.differences_ha is None:
            return shown
        return differences(shown, min_ha=self.differences_ha, base=cast(Base, self.base))

    def said(self) -> Iterator[str]:
        """What was done, a line each."""
        if self.by_year:
            yield "periods of a calendar year were laid together"
        if self.cumulative:
            yield "each period shows all ground of it and of the periods before it"
        if self.new:
            yield (
                f"each period shows what it adds, against {self.base.replace('-', ' ')}, in parts "
                f"of {self.differences_ha:g} ha and more"
            )


def rules_of(
    neighbour: Mapping[str, Any], isolation: Mapping[str, Any], zones: Sequence[str],
    elsewhere: float | None,
) -> RulesStudy | None:  # fmt: skip
    """The rules that words of a command ask for; None if they ask for none.

    Args:
        neighbour: ``reach_m`` and ``ends``; None is left out, and nothing left asks for no rule.
        isolation: ``t_main``, ``t_isolated``, ``distance_km`` and ``k``, likewise.
        zones: such as ``basin.gpkg=0.43``.
        elsewhere: least score outside all zones.

    Raises:
        StudyError: a word or number cannot be meant.
    """
    asked: dict[str, Any] = {}
    for name, values in (("neighbour", neighbour), ("isolation", isolation)):
        given = {key: value for key, value in values.items() if value is not None}
        asked |= {name: given} if given else {}
    if zones:
        asked["zones"] = [_zone(word) for word in zones]
    if elsewhere is not None:
        asked["elsewhere"] = elsewhere
    try:
        return RulesStudy.model_validate(asked) if asked else None
    except ValidationError as error:
        raise StudyError(f"rules: {complaint(error, RulesStudy)}") from error


def judged(found: Mapping[Period, Footprints], rules: RulesStudy) -> tuple[Found, str]:
    """The outlines that rules keep, as they were found, and how many those are."""
    stays = kept(found, rules)
    before, after = (sum(map(len, some.values())) for some in (found, stays))
    names = " and ".join(rules.model_dump(exclude_defaults=True))
    return stays, f"rules ({names}) keep {after:,} of {before:,} outlines"


def _zone(word: str) -> dict[str, str]:
    file, equals, threshold = word.rpartition("=")
    if not (equals and file):
        raise StudyError(f"zone {word!r}: give FILE=THRESHOLD, such as basin.gpkg=0.43")
    return {"file": file, "threshold": threshold}
