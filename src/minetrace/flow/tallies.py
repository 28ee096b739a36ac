"""Hectares by territory, from a panel or anybody's outlines to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from minetrace.core.region import project
from minetrace.errors import MissingFileError, OutlineError, PeriodError, StudyError
from minetrace.flow.countries import SHIPPED, shipped
from minetrace.flow.entering import Choice, enter
from minetrace.flow.panel_folder import INCREMENTS, is_panel, read_panel, refuse_unlikely
from minetrace.flow.tally_estimates import with_estimates
from minetrace.panel.build import Counts, build_panel
from minetrace.panel.exposure import exposure
from minetrace.panel.increments import build_new
from minetrace.panel.ledger import Ledger
from minetrace.panel.overlap import EQUAL_AREA, LONLAT
from minetrace.panel.searched import NONE_FOUND, SITES, Searched, say_searched
from minetrace.panel.tally import tally
from minetrace.panel.territories import Territories
from minetrace.panel.when import period_of
from minetrace.publish.tables import write_plain
from minetrace.publish.tallies import write_tallies
from minetrace.publish.words import INTERVAL
from minetrace.store.outlines import read_polygons, read_region, read_table
from minetrace.store.run_folder import RunFolder

FORMATS = ("csv", "parquet", "gpkg", "json", "html")


@dataclass(frozen=True)
class TallyRequest:
    """What to count by what.

    Attributes:
        inputs: a run, a panel's folder or file; or files of outlines as ``minetrace panel`` takes.
        by: polygons of territories, or ``natural-earth``, the countries that come along.
        id: the column that names a territory.
        name: a column to show beside it.
        classes: polygons of classes, the second key.
        class_column: the column that names a class.
        class_period: the column that says from which period a class holds.
        choice: of outlines that are no panel yet, what the files do not say.
        counts: likewise, whether they show all that is mined or what was newly mined.
    """

    inputs: Sequence[str | Path]
    by: str | Path = SHIPPED
    id: str = "iso_a3"
    name: str | None = None
    classes: Path | None = None
    class_column: str | None = None
    class_period: str | None = None
    choice: Choice = field(default_factory=Choice)
    counts: Counts | None = None


def count(request: TallyRequest) -> tuple[pd.DataFrame, Territories]:
    """Count hectares by territory, class and period; see ``minetrace.panel.tally``.

    Raises:
        UserError: a file or column cannot be used.
        UnreconciledError: the parts do not add up to the whole.
    """
    own = str(request.by) != SHIPPED
    layer = read_polygons(Path(request.by) if own else shipped())
    name = request.name if own else "name"
    territories = Territories.of(layer, id=request.id, name=name, layer=str(request.by))
    classes = None if request.classes is None else read_polygons(request.classes)
    territories = _classed(
        territories, classes, request.class_column, request.class_period, str(request.classes)
    )
    table = tally(_ledger(request), territories)
    table = say_searched(table, territories, _searched(request))
    table = with_estimates(table, home(request), Path(request.by) if own else None, request.id)
    return (table, territories) if own else _touched(table, territories)


def count_tables(
    panel: gpd.GeoDataFrame, by: gpd.GeoDataFrame, *, id: str, name: str | None = None,
    classes: gpd.GeoDataFrame | None = None, class_column: str | None = None,
    class_period: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The same from tables in memory."""
    territories = _classed(
        Territories.of(by, id=id, name=name), classes, class_column, class_period
    )
    return say_searched(tally(Ledger.of(panel), territories), territories, None)


def count_countries(panel: gpd.GeoDataFrame) -> pd.DataFrame:
    """By the countries that come along, of a table in memory."""
    territories = Territories.of(read_polygons(shipped()), id="iso_a3", name="name")
    table = say_searched(tally(Ledger.of(panel), territories), territories, None)
    return _touched(table, territories)[0]


def write(
    request: TallyRequest, out: Path, formats: Sequence[str] = FORMATS
) -> tuple[pd.DataFrame, list[Path]]:
    """Count, and write ``tallies.*`` into a folder.

    Raises:
        UserError: a file, column or format cannot be used.
        UnreconciledError: the parts do not add up to the whole; nothing is written.
    """
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise StudyError(f"format {unknown[0]!r} is none of {', '.join(FORMATS)}")
    table, territories = count(request)
    own = str(request.by) != SHIPPED
    title = f"Mining by {Path(request.by).stem.replace('_', ' ') if own else 'country'}"
    return table, write_tallies(out, table, territories, formats=formats, title=title)


def write_exposure(
    request: TallyRequest, points: Path, out: Path, *, id: str, radius_km: float
) -> tuple[pd.DataFrame, Path]:
    """Write ``exposure.csv``: distance of places to mining and hectares around them.

    Raises:
        UserError: a file or column cannot be used.
    """
    table = exposure(_ledger(request), read_polygons(points), id=id, radius_km=radius_km)
    write_plain(out / "exposure.csv", table.assign(interval=INTERVAL))
    return table, out / "exposure.csv"


def home(request: TallyRequest) -> Path | None:
    """The folder of the panel that is counted; None for outlines that are no panel."""
    only = Path(request.inputs[0])
    if len(request.inputs) == 1 and _is_panel(only):
        return only if only.is_dir() else only.parent
    return None


def _ledger(request: TallyRequest) -> Ledger:
    only = Path(request.inputs[0])
    if len(request.inputs) == 1 and _is_panel(only):
        parts = (only if only.is_dir() else only.parent) / INCREMENTS
        panel = read_panel(only)
        new = "counts" in panel.columns and (panel["counts"] == "new").any()
        return Ledger.of(panel, read_table(parts) if new and parts.is_file() else None)
    entered = enter(request.inputs, request.choice)
    footprints = entered.footprints
    if not any(len(found) for found in footprints.values()):
        raise OutlineError("none of the files holds an outline; nothing to count")
    refuse_unlikely(entered, request.counts)
    if request.counts == "new":
        return Ledger.of(*build_new(footprints))
    return Ledger.of(build_panel(footprints))


def _searched(request: TallyRequest) -> Searched | None:
    """What the run looked at whose panel is counted; None for any other panel."""
    folder = home(request)
    if folder is None or not (folder / "run.json").is_file():
        return None
    run, told = RunFolder(folder), folder / "hectares.csv"
    if not run.region.is_file():
        return None
    rows = pd.read_csv(told, dtype={"period": str}) if told.is_file() else pd.DataFrame()
    looked = dict(zip(rows["period"], rows["looked_share"], strict=True)) if len(rows) else {}
    ground = project(np.asarray([read_region(run.region)], dtype=object), LONLAT, EQUAL_AREA)
    return Searched(ground[0], looked)


def _touched(
    table: pd.DataFrame, territories: Territories
) -> tuple[pd.DataFrame, Territories]:  # fmt: skip
    """Without the countries of the world that neither a site nor a search touches."""
    units = set(table["territory"][table["state"].isin([SITES, NONE_FOUND])].dropna())
    kept = table["territory"].isna() | table["territory"].isin(units)
    return table[kept].reset_index(drop=True), territories.only(units)


def _classed(
    territories: Territories, classes: gpd.GeoDataFrame | None, column: str | None,
    period: str | None, layer: str = "classes",
) -> Territories:  # fmt: skip
    if classes is None:
        return territories
    if column is None:
        raise StudyError("classes need the column that names a class: --class, or class_column")
    return territories.classed_by(classes, kind=column, days=_days(classes, period), layer=layer)


def _is_panel(path: Path) -> bool:
    if not path.exists() and "=" not in str(path):
        raise MissingFileError(f"{path}: no such run, panel or file of outlines")
    return path.is_dir() or is_panel(path)


def _days(table: gpd.GeoDataFrame, column: str | None) -> NDArray[np.datetime64] | None:
    """The first day of the period that each class row names."""
    if column is None:
        return None
    if column not in table.columns:
        raise OutlineError(f"classes: no column {column!r} to tell the period of an assessment")
    starts = []
    for value in table[column]:
        try:
            starts.append(np.datetime64(period_of(value).start))
        except PeriodError as error:
            raise PeriodError(f"classes: column {column!r}: {error}") from error
    return np.array(starts, dtype="datetime64[D]")
