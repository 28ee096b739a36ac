"""Anybody's outlines into the panel: files of any vintage, one period each or a column of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.errors import MissingFileError, OutlineError, PeriodError
from minetrace.flow.panels import as_period, said_extent
from minetrace.flow.probability import outlines_of, raster_files
from minetrace.panel.dateline import cut_at_date_line
from minetrace.panel.names import NAME
from minetrace.panel.overlap import told_again
from minetrace.panel.rules.dissolve import dissolve
from minetrace.panel.vintages import Reading, Vintage, recognise
from minetrace.panel.when import period_in_name, period_of
from minetrace.store.outlines import columns_of, read_polygons

LONLAT = "EPSG:4326"
Judge = Callable[[Mapping[Period, Footprints]], tuple[dict[Period, Footprints], str]]
AREA_COLUMN: dict[Extent, str] = {"mined": "area_ha", "footprint": "footprint_ha"}
_TOLD = set(AREA_COLUMN.values())
_UNITS_HA = {"square metres": 1e-4, "hectares": 1.0, "square kilometres": 100.0}
_VERSIONS = 0.5  # share of a file's outlines that another file of its period tells as well
_AS_SAID = 0.1  # an area column this close to the measured hectares in a unit is in that unit


@dataclass(frozen=True)
class Choice:
    """What the files themselves do not say.

    Attributes:
        extent: what the outlines mean; needed where the vintage does not say it.
        period_column: the column that holds the period.
        hectares_column: a column of mined hectares inside each outline, to be taken as told.
        threshold: drop what scores less; of rasters, where outlines begin.
        scale: what a raster's values are multiplied by to be a share.
        dissolve: whether patches become outlines where they meet; default: if they are patches.
        mend: whether invalid outlines are mended rather than refused.
        name_column: a column of names that the sites keep.
    """

    extent: str | None = None
    period_column: str | None = None
    hectares_column: str | None = None
    threshold: float | None = None
    scale: float | None = None
    dissolve: bool | None = None
    mend: bool = False
    name_column: str | None = None


@dataclass
class Entered:
    """What came in.

    Attributes:
        footprints: outlines per period, EPSG:4326, all with the same columns.
        notes: a line for everything that a reader has to know: what a file was taken for, what
            was not used, what was mended.
        files: each file read, with its vintage and rows.
        patched: periods whose patches are still to become outlines where they meet.
        named: outlines with their names, by label of the period.
        told: whether files tell the hectares, so that none were measured of what they draw.
        increments: whether a file is of a kind that is published as what was newly mined.
    """

    footprints: dict[Period, Footprints] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    patched: set[Period] = field(default_factory=set)
    named: dict[str, Footprints] = field(default_factory=dict)
    told: bool = False
    increments: bool = False


def enter(
    inputs: Sequence[str | Path], choice: Choice | None = None, *, judge: Judge | None = None
) -> Entered:
    """Read files of outlines into periods.

    Args:
        inputs: paths of vector files or probability rasters, or ``PERIOD=PATH``. Without a period
            the table's period column says it, or else the one period in the file's name.
        choice: what the files do not say.
        judge: keeps some of the outlines, as they were found: patches before they are joined.

    Raises:
        MissingFileError: a file is not there.
        OutlineError: a file is no table of polygons, lacks a column, or does not say its extent.
        PeriodError: no period can be told, or a cell holds something that is none.
    """
    choice, found = choice or Choice(), Entered()
    hold = judge is not None or choice.name_column is not None
    parts: dict[Period, list[Footprints]] = {}
    tellers: dict[Period, list[str]] = {}
    files = [_named(str(word)) for word in inputs]
    _check_names(files, choice)
    for named, path in files:
        source = (
            _raster(path, named, choice, found) if path.suffix.lower() in raster_files else None
        )
        for period, outlines in source or _vector(path, named, choice, found, hold):
            parts.setdefault(period, []).append(outlines)
            tellers.setdefault(period, []).append(path.name)
    found.notes += _told_twice(parts, tellers)
    found.footprints = {period: _one(period, parts[period]) for period in sorted(parts)}
    if judge is not None:
        found.footprints, said = judge(found.footprints)
        found.notes.append(said)
    _take_names(found)
    for period in found.patched:
        found.footprints[period] = dissolve(found.footprints[period])
    found.notes += _unlike(found.footprints)
    return found


def _check_names(files: Sequence[tuple[Period | None, Path]], choice: Choice) -> None:
    """Refuse a name that tells no period, where nothing else does, before anything is read."""
    if choice.period_column is not None:
        return
    for named, path in files:
        if named is not None or not path.is_file() or path.suffix.lower() == ".csv":
            continue
        try:
            period_in_name(path.name)
        except PeriodError:
            reading = recognise(columns_of(path))
            if reading.column(reading.vintage.period) is None:
                raise


def _told_twice(
    parts: Mapping[Period, Sequence[Footprints]], tellers: Mapping[Period, Sequence[str]]
) -> Iterator[str]:
    """Files that tell the same of a period are most likely versions of one map."""
    for period in sorted(parts):
        if len(parts[period]) < 2:
            continue
        share = told_again([part.geometry for part in parts[period]])
        most = int(share.argmax())
        if share[most] > _VERSIONS:
            yield (
                f"warning: period {period.label} has {len(share)} files, and {share[most]:.0%} of "
                f"the outlines of {tellers[period][most]} lie in those of another; if they are "
                "versions of one map, give one of them"
            )


def _take_names(found: Entered) -> None:
    """Put names aside: what is done to outlines from here on does not know them."""
    for period, outlines in found.footprints.items():
        if NAME in outlines.columns:
            found.named[period.label] = outlines
            found.footprints[period] = _only(outlines, set(outlines.columns) - {NAME})


def _unlike(footprints: Mapping[Period, Footprints]) -> Iterator[str]:
    """Hectares told in one period and measured in another grow and shrink for that alone."""
    told = {p.label: bool(_TOLD & set(f.columns)) for p, f in footprints.items() if len(f)}
    if len(set(told.values())) > 1:
        yield (
            f"hectares are as told in {', '.join(p for p, own in told.items() if own)}, and "
            f"measured in {', '.join(p for p, own in told.items() if not own)}; what changes "
            "between them may be the way of counting"
        )


def _named(word: str) -> tuple[Period | None, Path]:
    """``2021=mines.gpkg`` is a period and a path; a path alone is one."""
    label, equals, rest = word.partition("=")
    if not equals or Path(word).exists() or {"/", "\\"} & set(label):
        return None, Path(word)
    return as_period(label), Path(rest)


def _raster(
    path: Path, named: Period | None, choice: Choice, found: Entered
) -> Iterator[tuple[Period, Footprints]]:
    extent = said_extent(choice.extent, str(path))
    threshold = 0.5 if choice.threshold is None else choice.threshold
    drawn = outlines_of(path, extent, threshold=threshold, scale=choice.scale)
    taken = f"a raster of shares, outlined from {threshold:g}"
    taken += "" if choice.scale is None else f", its values times {choice.scale:g}"
    found.files.append(
        {"file": str(path), "taken for": taken, "rows": len(drawn), "extent": extent}
    )
    found.notes.append(f"{path.name}: {len(drawn):,} outlines, taken for {taken}")
    yield named or period_in_name(path.name), drawn.to_crs(LONLAT)


def _vector(
    path: Path, named: Period | None, choice: Choice, found: Entered, hold: bool
) -> Iterator[tuple[Period, Footprints]]:
    """Outlines by period; patches that are held are joined only when all have been judged."""
    if path.suffix.lower() == ".csv":
        raise OutlineError(f"{path}: a table without outlines; give polygons")
    if path.is_dir():
        raise MissingFileError(f"{path}: a folder; name the files in it, such as {path}/*.gpkg")
    table = read_polygons(path)
    reading = recognise(name for name in table.columns if name != table.geometry.name)
    said = _note(path, table, reading, found)
    table = _usable(path, table, choice, found)
    for period, rows in _by_period(path, table, named, reading, choice):
        outlines = _one_side(path, _outlines(path, rows, reading, choice), found)
        if _is_patchwork(reading.vintage, choice):
            outlines = replace(outlines, extent="footprint") if hold else dissolve(outlines)
            found.patched |= {period} if hold else set()
        else:
            found.told |= bool(_TOLD & set(outlines.columns))
        yield period, outlines
    said["extent"] = outlines.extent if len(table) else choice.extent


def _note(
    path: Path, table: gpd.GeoDataFrame, reading: Reading, found: Entered
) -> dict[str, Any]:  # fmt: skip
    said = {"file": str(path), "taken for": reading.vintage.name, "rows": len(table)}
    found.files.append(said)
    text = f"{path.name}: {len(table):,} rows, taken for {reading.vintage.name}"
    anew = [own for name in reading.vintage.anew if (own := reading.column(name)) is not None]
    unused = [*reading.unknown, *(f"{own} (named anew)" for own in anew)]
    unused += _unit_notes(table, reading)
    found.increments |= reading.vintage.increments
    found.notes.append(text + (f"; not used: {', '.join(unused)}" if unused else ""))
    return said


def _unit_notes(table: gpd.GeoDataFrame, reading: Reading) -> Iterator[str]:
    """An area without a unit is never used; say which unit it seems to be in."""
    column = reading.column("area")
    if column is None or not len(table):
        return
    some = table.iloc[:: max(len(table) // 200, 1)]
    shapes = np.asarray(some.geometry.to_numpy(), dtype=object)
    polygon = np.isin(shapely.get_type_id(shapes), (3, 6))
    own = Footprints(shapes[polygon], str(table.crs), "mined").hectares
    said = pd.to_numeric(some[column], errors="coerce").to_numpy(dtype=float)[polygon]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.nanmedian(said / own)) if len(own) else np.nan
    for unit, hectares in _UNITS_HA.items():
        if abs(ratio * hectares - 1) < _AS_SAID:
            yield f"{column} (seems to be in {unit}; hectares are measured)"
            return
    yield f"{column} (of unknown unit; hectares are measured)"


def _usable(
    path: Path, table: gpd.GeoDataFrame, choice: Choice, found: Entered
) -> gpd.GeoDataFrame:  # fmt: skip
    """The rows with ground under them; what is invalid is mended if asked for."""
    shapes = np.asarray(shapely.force_2d(table.geometry.to_numpy()), dtype=object)
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    if empty.any():
        found.notes.append(f"{path.name}: {int(empty.sum())} rows without an outline left out")
    wrong = np.flatnonzero(~empty & ~np.isin(shapely.get_type_id(shapes), (3, 6)))
    if len(wrong):
        kind = shapes[wrong[0]].geom_type
        raise OutlineError(
            f"{path}: row {wrong[0]} is a {kind}, not a polygon; buffer it, take the polygons out "
            "of it, or leave it out"
        )
    broken = np.flatnonzero(~empty & ~shapely.is_valid(shapes))
    if len(broken):
        if not choice.mend:
            raise OutlineError(
                f"{path}: {len(broken)} of {len(table)} outlines cross themselves, first row "
                f"{broken[0]}: {shapely.is_valid_reason(shapes[broken[0]])}; give --mend, or "
                "repair them, for example with 'Fix geometries' in QGIS"
            )
        shapes[broken] = shapely.make_valid(
            shapes[broken], method="structure", keep_collapsed=False
        )
        flat = shapely.is_empty(shapes[broken])
        empty[broken[flat]] = True
        for some, said in ((~flat, "mended"), (flat, "without ground left out")):
            if some.any():
                found.notes.append(
                    f"{path.name}: {int(some.sum())} outlines that crossed themselves, {said}"
                )
    return table.set_geometry(gpd.GeoSeries(shapes, index=table.index, crs=table.crs))[~empty]


def _by_period(
    path: Path, table: gpd.GeoDataFrame, named: Period | None, reading: Reading, choice: Choice
) -> Iterator[tuple[Period, gpd.GeoDataFrame]]:
    column = choice.period_column
    if column is not None and column not in table.columns:
        raise OutlineError(
            f"{path}: has no column {column!r} to tell the period; its columns: "
            f"{', '.join(c for c in table.columns if c != table.geometry.name) or 'none'}"
        )
    if named is not None and column is None:
        yield named, table
        return
    column = column or reading.column(reading.vintage.period)
    if column is None or (not len(table) and choice.period_column is None):
        yield period_in_name(path.name), table
        return
    for value, rows in table.groupby(column, sort=True, dropna=False):
        try:
            yield period_of(value), rows
        except PeriodError as error:
            raise PeriodError(
                f"{path}: column {column!r} holds {value!r} in {len(rows)} rows, which is no "
                "period; give years (2019), quarters (2019-q3) or yyyyqq (201903), or another "
                "column with --period-column"
            ) from error


def _outlines(
    path: Path, rows: gpd.GeoDataFrame, reading: Reading, choice: Choice
) -> Footprints:  # fmt: skip
    vintage = reading.vintage
    extent = choice.extent or vintage.extent or _told_extent(rows)
    extent = said_extent(extent, str(path))
    columns: dict[str, NDArray[Any]] = {}
    for name, source in (("score_mean", vintage.score_mean), ("score_max", vintage.score_max)):
        own = reading.column(source)
        columns[name] = _numbers(path, rows, own) if own else np.full(len(rows), np.nan)
    there = (reading.column(name) for name in vintage.hectares)
    told = choice.hectares_column or next((name for name in there if name is not None), None)
    if told is not None:
        if told not in rows.columns:
            raise OutlineError(f"{path}: has no column {told!r} of hectares")
        columns[AREA_COLUMN[extent]] = _hectares(path, rows, told)
    if choice.name_column is not None:
        columns[NAME] = _names(path, rows, choice.name_column)
    shapes = np.asarray(project(rows.geometry.to_numpy(), str(rows.crs), LONLAT), dtype=object)
    found = Footprints(shapes, LONLAT, extent, columns)
    if choice.threshold is None:
        return found
    if reading.column(vintage.score_mean) is None:
        raise OutlineError(f"{path}: has no score to compare with a threshold; leave it out")
    return found.where(columns["score_mean"] >= choice.threshold)


def _one_side(path: Path, outlines: Footprints, found: Entered) -> Footprints:
    """No outline reaches over the date line, which would lead it around the globe."""
    geometry, cut = cut_at_date_line(outlines.geometry)
    if len(cut):
        found.notes.append(f"{path.name}: {len(cut)} outlines across the date line, cut there")
    return replace(outlines, geometry=geometry) if len(cut) else outlines


def _told_extent(rows: gpd.GeoDataFrame) -> Any:
    said = set(rows["extent"]) if "extent" in rows.columns else set()
    return said.pop() if len(said) == 1 else None


def _numbers(path: Path, rows: gpd.GeoDataFrame, column: str) -> NDArray[np.float64]:
    try:
        return np.asarray(pd.to_numeric(rows[column]), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OutlineError(f"{path}: column {column!r} is not of numbers ({error})") from error


def _names(path: Path, rows: gpd.GeoDataFrame, column: str) -> NDArray[np.object_]:
    if column not in rows.columns:
        own = ", ".join(c for c in rows.columns if c != rows.geometry.name) or "none"
        raise OutlineError(f"{path}: has no column {column!r} of names; its columns: {own}")
    return np.asarray(rows[column].astype(object), dtype=object)


def _hectares(path: Path, rows: gpd.GeoDataFrame, column: str) -> NDArray[np.float64]:
    values = _numbers(path, rows, column)
    wrong = np.flatnonzero(~(values >= 0))
    if len(wrong):
        raise OutlineError(
            f"{path}: column {column!r} holds {values[wrong[0]]} in row {rows.index[wrong[0]]}; "
            "hectares are 0 or more"
        )
    return values


def _is_patchwork(vintage: Vintage, choice: Choice) -> bool:
    return vintage.patches if choice.dissolve is None else choice.dissolve


def _one(period: Period, parts: Sequence[Footprints]) -> Footprints:
    """All outlines of a period with the columns that they share."""
    if len({part.extent for part in parts if len(part)}) > 1:
        raise OutlineError("files of one period mix mined ground and footprints; give one kind")
    kept = [part for part in parts if len(part)] or list(parts[:1])
    told = [bool(_TOLD & set(part.columns)) for part in kept]
    if any(told) and not all(told):
        raise OutlineError(
            f"period {period.label}: some files tell the hectares mined inside an outline and "
            "others do not, so they would not add up; name such a column of every file with "
            "--hectares-column, or take it out of all of them"
        )
    shared = set.intersection(*(set(part.columns) for part in kept))
    return Footprints.concat([_only(part, shared) for part in kept])


def _only(part: Footprints, names: set[str]) -> Footprints:
    columns: Mapping[str, NDArray[Any]] = {k: v for k, v in part.columns.items() if k in names}
    return replace(part, columns=columns)
