"""How outlines of mines have been published: which columns say what.

Every group writes its outlines in its own way, and some of the words mislead: an ``area`` without
a unit, a ``year`` that is a quarter. A vintage is one such way. What a table says is taken from
its vintage alone; a column that no vintage knows is named and left where it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from minetrace.core.footprints import Extent

ROW_NUMBERS = ("fid", "ogc_fid", "objectid")  # what formats add of themselves
SHAPEFILE_NAME = 10  # letters that a Shapefile keeps of a column's name


@dataclass(frozen=True)
class Vintage:
    """One way of publishing outlines.

    Attributes:
        name: what to call it.
        needs: columns by which it is known.
        may: columns that may come with it.
        extent: what its outlines mean, or None where only the user can say.
        score_mean: the column of scores, 0 to 1, if there is one.
        score_max: likewise, of the highest score under an outline.
        increments: a period's outlines were newly mined in it, as they are published.
        hectares: columns that tell the hectares mined inside an outline; the first that is
            there counts.
        period: the column that tells the period.
        anew: columns of names that a panel gives anew: countries, numbers of rows.
        patches: outlines are squares of single detections, to be dissolved.
    """

    name: str
    needs: tuple[str, ...]
    may: tuple[str, ...] = ()
    extent: Extent | None = None
    score_mean: str | None = None
    score_max: str | None = None
    increments: bool = False
    hectares: tuple[str, ...] = ()
    period: str | None = None
    anew: tuple[str, ...] = ()
    patches: bool = False


VINTAGES = (
    Vintage(
        "statistics of overlapping patches", ("count", "max", "mean", "median", "min", "std"),
        extent="footprint", score_mean="mean", score_max="max",
    ),
    Vintage(
        "detections with a confidence", ("confidence",), ("preds", "kth_neighbor_km", "pred"),
        extent="footprint", score_mean="confidence", score_max="confidence", patches=True,
    ),
    Vintage(
        "patch detections", ("pred",), ("kth_neighbor_km",),
        extent="footprint", score_mean="pred", score_max="pred", patches=True,
    ),
    Vintage(
        "mined area told by outline", ("Mined area (ha)",), ("Polygon area (ha)", "year"),
        extent="mined", increments=True, hectares=("Mined area (ha)",), period="year",
    ),
    Vintage(
        "tropical panel", ("iso_a3", "year"), ("id", "country_name", "area"),
        extent="mined", period="year", anew=("id", "iso_a3", "country_name"),
    ),
    Vintage(
        "panel of minetrace", ("site_id", "period", "extent"),
        ("start", "end", "area_ha", "footprint_ha", "score_mean", "score_max", "looked_share",
         "event", "parents", "first_period", "first_p", "last_period", "last_p", "verified",
         "country", "counts", "rule"),
        score_mean="score_mean", score_max="score_max", period="period",
        hectares=("footprint_ha", "area_ha"),
    ),
    Vintage(
        "outlines of minetrace", ("extent",),
        ("score_mean", "score_max", "area_ha", "footprint_ha", "patches"),
        score_mean="score_mean", score_max="score_max",
    ),
    Vintage("outlines by year", ("year",), ("id", "area"), period="year"),
    Vintage("plain outlines", (), ("id", "area")),
)  # fmt: skip
"""The first whose columns are all there is taken; the last fits everything."""


@dataclass(frozen=True)
class Reading:
    """A table's columns as its vintage names them.

    Attributes:
        vintage: what it was taken for.
        columns: of the vintage's names, the table's own, where they differ.
        unknown: columns that the vintage does not have.
    """

    vintage: Vintage
    columns: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def column(self, name: str | None) -> str | None:
        """The table's own name of a column of the vintage; None if the table lacks it."""
        return None if name is None else self.columns.get(name)


def recognise(columns: Iterable[str]) -> Reading:
    """What a table with these columns is.

    Args:
        columns: without the geometry; capitals do not matter, and names may have been cut off
            after ten letters, as in a Shapefile.
    """
    own = [str(name) for name in columns]
    for vintage in VINTAGES:
        found = {name: _own(name, own) for name in (*vintage.needs, *vintage.may)}
        if all(found[name] is not None for name in vintage.needs):
            there = {name: column for name, column in found.items() if column is not None}
            known = {*there.values(), *(name for name in own if name.lower() in ROW_NUMBERS)}
            unknown = tuple(name for name in own if name not in known)
            return Reading(vintage, there, unknown)
    raise AssertionError("the last vintage fits every table")


def _own(name: str, columns: list[str]) -> str | None:
    wanted = name.lower()
    for column in columns:
        said = column.lower()
        if said == wanted or (len(said) == SHAPEFILE_NAME and wanted.startswith(said)):
            return column
    return None
