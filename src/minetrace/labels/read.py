"""Reading labels: any vector file of polygons or points, or a table of points."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError

from minetrace.core.bands import nearest
from minetrace.core.period import Period
from minetrace.errors import LabelError, MissingFileError, PeriodError
from minetrace.labels.labels import ALWAYS, Labels

REGION_COLUMNS = ("iso3_code", "iso3", "iso_a3", "adm0_a3", "country", "country_name", "region")
LON, LAT = ("lon", "longitude", "x", "lng"), ("lat", "latitude", "y")


@dataclass(frozen=True)
class LabelFile:
    """One file of labels, and what must be said of it.

    Attributes:
        path: any vector file, or a CSV of points with columns lon and lat.
        layer: of a file with several.
        source: who drew it; if empty, the column ``source``, or else the file's name.
        licence: of it.
        vintage: the date or year of the imagery that it was drawn on, or a column that holds it.
        klass: class of every row, if ``class_column`` is empty.
        class_column: holds a class name or number per row.
        classes: names by index.
        when: the period for which it holds (2019, 2019-q3), or a column of periods; if empty,
            the days of the next two, or always.
        start_column, end_column: hold the first day, and the first day after.
        region_column: holds the country; found by its usual names if left out.
        id_column: holds a unique name per row; the row's number if left out.
    """

    path: Path
    layer: str | None = None
    source: str = ""
    licence: str = ""
    vintage: str = ""
    klass: int = 1
    class_column: str = ""
    classes: tuple[str, ...] = ("other", "mine")
    when: str = ""
    start_column: str = ""
    end_column: str = ""
    region_column: str = ""
    id_column: str = ""


@dataclass(frozen=True)
class Repairs:
    """What reading had to mend or leave out.

    Attributes:
        path: of the file.
        read: rows that it holds.
        repaired: rows whose outline crossed itself.
        dropped: rows without ground: empty, or lines, or nothing left after repair.
    """

    path: str
    read: int
    repaired: int
    dropped: int


def read_labels(file: LabelFile) -> tuple[Labels, Repairs]:
    """Labels of a file, repaired, in EPSG:4326.

    Raises:
        MissingFileError: it is not there.
        LabelError: it cannot be read, has no CRS, or a column or a class that is not there.
    """
    frame = _table(file) if file.path.suffix.lower() == ".csv" else _vector(file)
    geometry = shapely.force_2d(frame.geometry.to_numpy())
    broken = ~shapely.is_valid(geometry)
    geometry = np.where(broken, shapely.make_valid(geometry, method="structure"), geometry)
    _refuse_several_points(geometry, file.path)
    geometry = np.array([_ground(g) for g in geometry], dtype=object)
    kept = np.array([g is not None and not g.is_empty for g in geometry], dtype=bool)
    labels = _labels(file, frame, geometry).where(kept)
    _refuse_off_globe(labels, file.path)
    return labels, Repairs(file.path.name, len(frame), int((broken & kept).sum()),
                           int((~kept).sum()))  # fmt: skip


def _vector(file: LabelFile) -> gpd.GeoDataFrame:
    if not file.path.exists():
        raise MissingFileError(f"{file.path}: no such file of labels; check the path")
    try:
        names = [str(name) for name, _ in pyogrio.list_layers(file.path)]
        if file.layer is not None and file.layer not in names:
            hint = nearest(file.layer, names)
            raise LabelError(f"{file.path}: has no layer {file.layer!r}"
                             + (f"; did you mean {hint!r}?" if hint else "")
                             + f" It has {', '.join(names)}")  # fmt: skip
        frame = gpd.read_file(file.path, layer=file.layer or names[0])
    except (DataSourceError, OSError) as error:
        raise LabelError(f"{file.path}: cannot be read as labels ({error})") from error
    if frame.crs is None:
        raise LabelError(f"{file.path}: does not say its CRS; save it with one, such as EPSG:4326")
    return frame.to_crs("EPSG:4326")


def _table(file: LabelFile) -> gpd.GeoDataFrame:
    """A CSV with a longitude and a latitude per row."""
    try:
        with file.path.open(newline="", encoding="utf-8-sig") as text:
            rows = list(csv.DictReader(text))
    except FileNotFoundError as error:
        raise MissingFileError(f"{file.path}: no such file of labels; check the path") from error
    except UnicodeDecodeError as error:
        raise LabelError(f"{file.path}: is no text ({error}); save it as CSV in UTF-8") from error
    columns = {c.strip().lower(): c for c in (rows[0] if rows else {})}
    lon, lat = (next((columns[c] for c in names if c in columns), None) for names in (LON, LAT))
    if lon is None or lat is None:
        raise LabelError(f"{file.path}: has the columns {', '.join(columns) or 'none'}; a table of "
                         "points has lon and lat, in degrees")  # fmt: skip
    try:
        points = shapely.points([float(r[lon]) for r in rows], [float(r[lat]) for r in rows])
    except (TypeError, ValueError) as error:
        raise LabelError(f"{file.path}: a longitude or latitude is no number ({error})") from error
    return gpd.GeoDataFrame(rows, geometry=points, crs="EPSG:4326")


def _refuse_several_points(geometry: NDArray[np.object_], path: Path) -> None:
    kinds, parts = shapely.get_type_id(geometry), shapely.get_num_geometries(geometry)
    several = np.flatnonzero((kinds == shapely.GeometryType.MULTIPOINT) & (parts > 1))
    if len(several):
        row = several[0]
        raise LabelError(f"{path}: row {row} is {parts[row]} points, and a label is one; split "
                         "them, for example with 'Multipart to singleparts' in QGIS")  # fmt: skip


def _ground(geometry: Any) -> Any:
    """The polygons of a geometry, or its point; None if it has neither."""
    if geometry is None or geometry.is_empty:
        return None
    if geometry.geom_type == "MultiPoint":
        return geometry.geoms[0]
    if geometry.geom_type in ("Point", "Polygon", "MultiPolygon"):
        return geometry
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(parts) if parts else None


def _labels(file: LabelFile, frame: gpd.GeoDataFrame, geometry: NDArray[np.object_]) -> Labels:
    n = len(frame)
    start, end = _when(file, frame)
    source = _each(frame, "", file.source, n, also="source")
    return Labels(
        geometry=geometry, klass=_klass(file, frame), start=start, end=end,
        source=np.where(source == "", file.path.stem, source),
        licence=_each(frame, "", file.licence, n, also="licence"),
        vintage=_each(frame, file.vintage if file.vintage in frame else "",
                      "" if file.vintage in frame else file.vintage, n, also="vintage"),
        region=_region(file, frame), id=_ids(file, frame),
    )  # fmt: skip


def _column(file: LabelFile, frame: gpd.GeoDataFrame, name: str) -> Any:
    if name not in frame:
        there = [str(c) for c in frame.columns if c != frame.geometry.name]
        hint = nearest(name, there)
        remedy = "where all rows say the same, say it here: category: 1, when: 2023"
        if name == file.id_column:
            remedy = "leave out id, or add the column"
        raise LabelError(f"{file.path}: has no column {name!r}"
                         + (f"; did you mean {hint!r}?" if hint else ".")
                         + f" It has {', '.join(there) or 'none'}; {remedy}")  # fmt: skip
    return frame[name]


def _each(
    frame: gpd.GeoDataFrame, column: str, value: str, n: int, *, also: str
) -> NDArray[np.object_]:
    """A column's texts if there is one, else one value for all."""
    name = column or (also if also in frame and not value else "")
    if name:
        return np.array(["" if v is None or v != v else str(v) for v in frame[name]], dtype=object)
    return np.full(n, value, dtype=object)


def _klass(file: LabelFile, frame: gpd.GeoDataFrame) -> NDArray[np.int64]:
    if not file.class_column:
        return np.full(len(frame), file.klass, np.int64)
    index = {name.lower(): i for i, name in enumerate(file.classes)}
    index |= {"0": 0, "negative": 0, "false": 0}
    index |= {str(i): i for i in range(len(file.classes))} | {"positive": 1, "true": 1}
    found = []
    for row, value in enumerate(_column(file, frame, file.class_column), 1):
        word = str(int(value) if isinstance(value, float) and value == value else value)
        if word.strip().lower() not in index:
            raise LabelError(f"{file.path}, row {row}: class {word!r} is none of "
                             f"{', '.join(file.classes)}; name it in classes")  # fmt: skip
        found.append(index[word.strip().lower()])
    return np.array(found, np.int64)


def _when(
    file: LabelFile, frame: gpd.GeoDataFrame
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    if file.when:
        said = frame[file.when] if file.when in frame else [file.when] * len(frame)
        spans = [_span(value, file.path, row) for row, value in enumerate(said, 1)]
    elif file.start_column or file.end_column:
        starts = _days(file, frame, file.start_column, ALWAYS[0])
        ends = _days(file, frame, file.end_column, ALWAYS[1])
        spans = list(zip(starts, ends, strict=True))
    else:
        spans = [ALWAYS] * len(frame)
    return tuple(np.array([s[i] for s in spans], dtype=object) for i in (0, 1))  # type: ignore[return-value]


def _span(value: Any, path: Path, row: int) -> tuple[date, date]:
    try:
        text = int(value) if isinstance(value, float) and value == value else value
        period = Period.parse(str(text))
    except PeriodError as error:
        raise LabelError(f"{path}, row {row}: when: {error}") from error
    return period.start, period.end


def _days(file: LabelFile, frame: gpd.GeoDataFrame, name: str, missing: date) -> list[date]:
    if not name:
        return [missing] * len(frame)
    days = []
    for row, value in enumerate(_column(file, frame, name), 1):
        text = "" if value is None or value != value else str(value).strip()[:10]
        try:
            days.append(date.fromisoformat(text) if text else missing)
        except ValueError as error:
            raise LabelError(f"{file.path}, row {row}: {name} is {text!r}; days are written "
                             "2019-06-30") from error  # fmt: skip
    return days


def _region(file: LabelFile, frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    if file.region_column:
        _column(file, frame, file.region_column)
    columns = {str(c).lower(): str(c) for c in frame.columns}
    usual = next((columns[c] for c in REGION_COLUMNS if c in columns), "")
    return _each(frame, file.region_column or usual, "", len(frame), also="")


def _ids(file: LabelFile, frame: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Names of rows: those of the file where they are unique, else their order."""
    stem = file.path.stem + (f"/{file.layer}" if file.layer else "")
    column = file.id_column
    if column:
        values = [str(v) for v in _column(file, frame, column)]
        if len(set(values)) < len(values):
            raise LabelError(f"{file.path}: column {column!r} names two rows alike; give another")
        return np.array([f"{stem}:{v}" for v in values], dtype=object)
    return np.array([f"{stem}:{row}" for row in range(len(frame))], dtype=object)


def _refuse_off_globe(labels: Labels, path: Path) -> None:
    if not len(labels):
        raise LabelError(f"{path}: holds no polygons or points; is it the right layer?")
    west, south, east, north = shapely.total_bounds(labels.geometry)
    if not (west >= -180.001 and east <= 180.001 and south >= -90 and north <= 90):
        raise LabelError(f"{path}: reaches {west:g}, {south:g}, {east:g}, {north:g}, which is not "
                         "longitude and latitude; is its CRS right?")  # fmt: skip


def read_all(files: Sequence[LabelFile]) -> tuple[Labels, tuple[Repairs, ...]]:
    """Labels of several files, one after another; equal ids get the file's number before them."""
    read = [read_labels(file) for file in files]
    parts = [labels for labels, _ in read]
    if len({i for part in parts for i in part.id}) < sum(map(len, parts)):
        parts = [
            replace(part, id=np.array([f"{number}:{i}" for i in part.id], dtype=object))
            for number, part in enumerate(parts, 1)
        ]
    return Labels.concat(parts), tuple(repairs for _, repairs in read)
