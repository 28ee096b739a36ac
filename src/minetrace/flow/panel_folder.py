"""A panel from files of outlines, in a folder: table, GeoPackage, figures and a map."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import box

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period, ordered
from minetrace.core.region import project
from minetrace.errors import MissingFileError, OutlineError, RunError, StudyError
from minetrace.flow.countries import SHIPPED, read_countries
from minetrace.flow.entering import Choice, Entered, enter
from minetrace.flow.panel_rules import Release, judged
from minetrace.flow.report import versions
from minetrace.flow.study_time import RulesStudy
from minetrace.panel.build import Counts, IdentityRules, build_panel
from minetrace.panel.country import countries_of
from minetrace.panel.disjoint import LEAST_M2
from minetrace.panel.divide import DivideRule, divide
from minetrace.panel.increments import build_new
from minetrace.panel.names import NAME, named_sites
from minetrace.panel.overlap import EQUAL_AREA, LONLAT
from minetrace.panel.summary import summary
from minetrace.panel.wide import tropical, wide
from minetrace.publish.geopackage import write_geopackage, write_layer
from minetrace.publish.map import write_map
from minetrace.publish.tables import write_hectares, write_plain
from minetrace.publish.words import as_given_in
from minetrace.store.files import sha256, write_json, write_whole
from minetrace.store.outlines import columns_of, read_polygons, read_table, write_table

PANEL, NOTE, INCREMENTS = "panel.parquet", "panel.json", "increments.parquet"
ALIKE_SHARE = 0.01  # of the ground of a period that was there before: less looks like increments

_COLUMNS = {"site_id", "period", "start", "end", "extent"}


@dataclass(frozen=True)
class PanelRequest:
    """What to make of which files.

    Attributes:
        inputs: files, or ``PERIOD=FILE``.
        choice: what the files do not say.
        keep: rules that outlines have to pass, as they were found.
        release: what of them a period shows.
        counts: whether a period's outlines are all that is mined, or what was newly mined;
            default: all, unless they look otherwise.
        previous: a panel made before, of which sites keep their names.
        rules: see ``IdentityRules``.
        divide: how giant outlines are cut; see ``minetrace.panel.divide``.
        countries: what names each site's country; see ``minetrace.flow.countries``.
        everything: GeoPackage, tables and map as well as the table.
        tropical: also write ``tropical.gpkg`` and a file for each year under ``tropical/``, with
            the columns of the tropical panel.
        title: of the map.
    """

    inputs: Sequence[str | Path]
    choice: Choice = field(default_factory=Choice)
    keep: RulesStudy | None = None
    release: Release = field(default_factory=Release)
    counts: Counts | None = None
    previous: Path | None = None
    rules: IdentityRules = field(default_factory=IdentityRules)
    divide: str | None = None
    countries: str = SHIPPED
    everything: bool = True
    tropical: bool = False
    title: str | None = None


@dataclass(frozen=True)
class PanelMade:
    """What was made.

    Attributes:
        folder: where it is.
        panel: one row per site and period.
        summary: one row per period.
        notes: what a reader has to know of the files.
    """

    folder: Path
    panel: gpd.GeoDataFrame
    summary: pd.DataFrame
    notes: tuple[str, ...]


def make_panel(request: PanelRequest, out: Path) -> PanelMade:
    """Read outlines, give them an identity, and write the panel's folder.

    Raises:
        UserError: a file, a period or an extent cannot be used; see ``minetrace.flow.entering``.
    """
    if out.exists() and not out.is_dir():
        raise StudyError(f"{out}: is a file; give a folder with --out")
    entered = _entered(request)
    counts = "new" if request.release.new else request.counts
    if request.divide is not None:
        entered.footprints = divide(entered.footprints, DivideRule.parse(request.divide))
    previous = None if request.previous is None else read_panel(request.previous)
    parts = None
    if counts == "new":
        panel, parts = build_new(entered.footprints, previous=previous, rules=request.rules)
    else:
        panel = build_panel(entered.footprints, previous=previous, rules=request.rules)
    _note_overlaps(panel, entered)
    countries = read_countries(request.countries)
    if countries is not None:
        panel["country"] = panel["site_id"].map(countries_of(panel, countries))
    if entered.named:
        panel[NAME] = panel["site_id"].map(named_sites(panel, entered.named))
    rows = summary(panel, list(entered.footprints))
    _parts(out / INCREMENTS, parts)
    _write(request, out, panel, rows, entered)
    return PanelMade(out, panel, rows, tuple(entered.notes))


def _entered(request: PanelRequest) -> Entered:
    """The outlines that a panel is built of."""
    judge = None if request.keep is None else partial(judged, rules=request.keep)
    entered = enter(request.inputs, request.choice, judge=judge)
    if not any(len(found) for found in entered.footprints.values()):
        said = " left: the rules keep none" if request.keep else "; nothing to build a panel of"
        raise OutlineError(f"none of the files holds an outline{said}")
    if request.release.new and request.counts == "new":
        raise StudyError(
            "--differences finds what is new in outlines that show all that is mined; what was "
            "newly mined (--counts new) has none left to find"
        )
    if not request.release.cumulative:
        refuse_unlikely(entered, request.counts)
    if request.release != Release():
        shown = request.release.of(entered.footprints)
        entered.named = _renamed(entered, shown)
        entered.footprints, entered.told = shown, False
    if not any(len(found) for found in entered.footprints.values()):
        raise OutlineError("no part of a difference is so large; give --differences fewer hectares")
    entered.notes += request.release.said()
    return entered


def _renamed(entered: Entered, shown: Iterable[Period]) -> dict[str, Footprints]:
    """Names by the label of the period that a period went into."""
    found: dict[str, list[Footprints]] = {}
    for period in entered.footprints:
        into = next((p for p in shown if p.start <= period.start and period.end <= p.end), None)
        if into is not None and period.label in entered.named:
            named = entered.named[period.label]
            plain = replace(named, columns={NAME: named.columns[NAME]})
            found.setdefault(into.label, []).append(plain)
    return {label: Footprints.concat(parts) for label, parts in found.items()}


def _parts(path: Path, parts: gpd.GeoDataFrame | None) -> None:
    """The outlines that rows of newly mined ground were joined of; none else."""
    if parts is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, lambda part: write_table(part, parts))


def as_counts(word: str | None) -> Counts | None:
    """What somebody said that a period's outlines count.

    Raises:
        StudyError: it is neither word.
    """
    if word not in (None, *get_args(Counts)):
        raise StudyError(f"counts is {word!r}; give present or new")
    return cast("Counts | None", word)


def read_panel(path: Path) -> gpd.GeoDataFrame:
    """The panel of a run, of a panel's folder, or of a file.

    Raises:
        MissingFileError: there is none.
        RunError: the file is not a panel.
    """
    file = path / PANEL if path.is_dir() else path
    if not file.is_file():
        raise MissingFileError(
            f"{path}: has no {PANEL}; give a run, or a folder made by 'minetrace panel'"
        )
    try:
        panel = read_table(file) if file.suffix == ".parquet" else read_polygons(file)
    except (ValueError, OSError, OutlineError) as error:
        raise RunError(f"{file}: cannot be read as a panel ({error})") from error
    if missing := sorted(_COLUMNS - set(panel.columns)):
        raise RunError(f"{file}: not a panel, since it has no column {missing[0]!r}")
    return panel


def is_panel(path: Path) -> bool:
    """Whether a file, whatever its name, has a panel's columns, what was looked at among them."""
    return path.is_file() and set(columns_of(path)) >= {*_COLUMNS, "event", "looked_share"}


def periods_of(panel: pd.DataFrame) -> tuple[Period, ...]:
    """The periods that a panel's rows name, in time order."""
    rows: Any = pd.DataFrame(panel[["period", "start", "end"]]).drop_duplicates("period")
    return ordered(
        Period(row.start.date(), row.end.date(), str(row.period)) for row in rows.itertuples()
    )


def refuse_unlikely(entered: Entered, counts: Counts | None) -> None:
    """Told hectares whose outlines never overlap those before are newly mined, most likely.

    Of outlines that are published as newly mined ground and may overlap, or of one period alone,
    it is noted how they are read.

    Raises:
        OutlineError: they are, and nobody said what the outlines count.
    """
    told = [f for f in entered.footprints.values() if len(f) and set(f.columns) & _HECTARES]
    if counts is None and entered.increments:
        entered.notes.append(
            "warning: such files have been published as what was newly mined in each period, and "
            "are read as all that is mined: give --counts new, or --counts present if that is right"
        )
    if counts is not None or len(told) < 2:
        return
    before, now = told[0].geometry, told[1].geometry
    a, b = shapely.STRtree(before).query(now)
    shared = shapely.area(shapely.intersection(now[a], before[b])).sum()
    if shared < ALIKE_SHARE * shapely.area(now).sum():
        raise OutlineError(
            "outlines of a period hardly overlap those of the period before, so they seem to be "
            "what was newly mined in it: give --counts new, or --counts present if each period "
            "really shows all that is mined"
        )


_HECTARES = {"area_ha", "footprint_ha"}


def _note_overlaps(panel: gpd.GeoDataFrame, entered: Entered) -> None:
    """Ground that outlines of a period lost, because a larger one has it."""
    for period, found in entered.footprints.items():
        here = panel[(panel["period"] == period.label) & panel.geometry.notna()]
        kept = Footprints(np.asarray(here.geometry.to_numpy()), LONLAT, found.extent)
        lost_m2 = _equal_area_m2(found) - _equal_area_m2(kept)
        if lost_m2 > max(LEAST_M2, 1e-9 * _equal_area_m2(found)):
            entered.notes.append(
                f"period {period.label}: outlines lay over each other on {lost_m2 / 1e4:,.2f} ha; "
                "the larger one keeps that ground"
            )


def _country_names(word: str) -> dict[str, str]:
    countries = read_countries(word)
    return {} if countries is None else countries.names


def _equal_area_m2(found: Footprints) -> float:
    return float(shapely.area(project(found.geometry, found.crs, EQUAL_AREA)).sum())


def _write(
    request: PanelRequest, out: Path, panel: gpd.GeoDataFrame, rows: pd.DataFrame, entered: Entered
) -> None:  # fmt: skip
    _remove_old(out, request)
    write_whole(out / PANEL, lambda part: write_table(part, panel))
    note = {
        "counts": "new" if request.release.new else request.counts or "present",
        "rules": request.keep and request.keep.model_dump(mode="json", exclude_defaults=True),
        "release": asdict(request.release),
        "files": [{**file, "sha256": sha256(Path(file["file"]))} for file in entered.files],
        "hectares": _whose_hectares(entered),
        "notes": entered.notes,
        "versions": versions(),
    }
    write_json(out / NOTE, note)
    write_hectares(out / "hectares.csv", rows)
    if request.tropical:
        export = tropical(panel, pd.Series(_country_names(request.countries), dtype=object))
        _layer(out / "tropical.gpkg", export)
        for year, own in export.groupby("year"):
            _layer(out / "tropical" / f"{year}.gpkg", own)
    if not request.everything:
        return
    write_geopackage(out / "panel.gpkg", panel)
    write_plain(out / "sites.csv", wide(panel))
    _map(request, out, panel, rows, entered)


def _layer(path: Path, table: gpd.GeoDataFrame) -> None:
    """Outlines in the columns of the tropical panel."""
    write_whole(path, lambda part: write_layer(part, table, layer="tropical"))


def _remove_old(out: Path, request: PanelRequest) -> None:
    """Of a panel made here before, what would not be written anew and would tell of the old."""
    if not (out / NOTE).is_file():
        return
    if not request.tropical:
        (out / "tropical.gpkg").unlink(missing_ok=True)
    shutil.rmtree(out / "tropical", ignore_errors=True)
    if not request.everything:
        for name in ("panel.gpkg", "sites.csv"):
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / "map", ignore_errors=True)


def _map(
    request: PanelRequest, out: Path, panel: gpd.GeoDataFrame, rows: pd.DataFrame, entered: Entered
) -> None:  # fmt: skip
    west, south, east, north = panel.total_bounds
    margin = 0.05 * max(east - west, north - south, 0.01)
    names = ("panel.gpkg", PANEL, "hectares.csv", "sites.csv")
    write_map(
        out / "map", title=request.title or out.resolve().name, panel=panel,
        periods=list(entered.footprints), pictures={},
        region=box(west - margin, max(south - margin, -85), east + margin, min(north + margin, 85)),
        provenance={
            "outlines": "; ".join(
                f"{Path(file['file']).name}, taken for {file['taken for']}"
                for file in entered.files
            ),
            "hectares": _whose_hectares(entered),
            **_whose_countries(request),
            "minetrace": versions()["minetrace"],
        },
        summary=[{str(k): v for k, v in row.items()} for row in rows.to_dict("records")],
        downloads=[out / name for name in names],
        given=as_given_in([Path(file["file"]).name for file in entered.files]),
    )  # fmt: skip


def _whose_countries(request: PanelRequest) -> dict[str, str]:
    credit = "Natural Earth, public domain, simplified"
    said = credit if request.countries == SHIPPED else request.countries
    return {} if request.countries == "none" else {"countries": said}


def _whose_hectares(entered: Entered) -> str:
    return "as told by the files" if entered.told else "geodesic, of the outlines as drawn"
