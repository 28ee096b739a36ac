"""Territories: the polygons by which hectares are counted, and what each holds of an outline.

Areas are compared in EPSG:6933, a cylindrical equal-area projection of WGS 84: an outline's share
in a territory is the part of its area there, and its hectares are divided by these shares. A line
between two vertices is straight in that plane, for borders and outlines alike, so what neighbours
share along a border they share exactly.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel.overlap import EQUAL_AREA, Index, sound

Shapes = NDArray[np.object_]
_REST_M2 = 1.0  # a smaller rest of a territory beside its classes is the rounding of a border


@dataclass(frozen=True)
class Territories:
    """Units of one layer, each perhaps divided into classes.

    Attributes:
        unit: (c,) id of each cell's unit.
        kind: (c,) class of the cell; None if there are no classes, or for ground without one.
        shapes: (c,) their ground in EPSG:6933.
        since: (c,) first day on which the cell holds, and
        until: (c,) the first on which it holds no more; ``NaT`` for always.
        names: of units, by id, if they have any.
        classed: whether the units were divided into classes.
    """

    unit: NDArray[np.object_]
    kind: NDArray[np.object_]
    shapes: Shapes
    since: NDArray[np.datetime64]
    until: NDArray[np.datetime64]
    names: dict[str, str]
    classed: bool = False

    def __len__(self) -> int:
        return len(self.unit)

    def only(self, units: Collection[str]) -> Territories:
        """The cells of some units."""
        kept = np.flatnonzero([str(unit) in units for unit in self.unit])
        return self._take(kept)

    def near(self, shapes: Shapes) -> Territories:
        """The cells whose frame meets that of all shapes (EPSG:6933) together."""
        frame = shapely.box(*shapely.total_bounds(shapes))
        return self._take(np.sort(shapely.STRtree(self.shapes).query(frame)))

    def _take(self, cells: Index) -> Territories:
        return replace(
            self, unit=self.unit[cells], kind=self.kind[cells], shapes=self.shapes[cells],
            since=self.since[cells], until=self.until[cells],
        )  # fmt: skip

    def on(self, day: np.datetime64) -> Index:
        """The cells that hold on a day."""
        begun = np.isnat(self.since) | (self.since <= day)
        return np.flatnonzero(begun & (np.isnat(self.until) | (self.until > day)))

    @classmethod
    def of(
        cls, table: gpd.GeoDataFrame, *, id: str, name: str | None = None,
        layer: str = "territories",
    ) -> Territories:  # fmt: skip
        """Territories of a table; rows of one id are one territory.

        Args:
            table: polygons in any CRS.
            id: the column that names a territory.
            name: a column to show beside it.
            layer: what to call the table if it cannot be used, such as its file.

        Raises:
            OutlineError: there is no row, a column is missing, an id is empty, or a row is not a
                valid polygon.
        """
        for column in filter(None, (id, name)):
            _has(table, column, layer)
        shapes, ids = _ground(table, id, layer)
        units = pd.unique(ids)
        ground = np.array([_one(shapes[ids == unit]) for unit in units], dtype=object)
        nobody = np.full(len(units), None, dtype=object)
        names: dict[str, str] = {}
        if name is not None:
            known = table[table[name].notna() & table[id].notna()]
            names = dict(zip(known[id].astype(str), known[name].astype(str), strict=True))
        never = np.full(len(units), np.datetime64("NaT"), dtype="datetime64[D]")
        return cls(np.asarray(units, dtype=object), nobody, ground, never, never.copy(), names)

    def classed_by(
        self, table: gpd.GeoDataFrame, *, kind: str, days: NDArray[np.datetime64] | None = None,
        layer: str = "classes",
    ) -> Territories:  # fmt: skip
        """Divide every unit by the classes of another layer.

        A unit that was assessed several times, perhaps with other classes each time, holds in
        each period those of its latest assessment alone: what an earlier one said of the same
        ground is not counted beside it.

        Args:
            table: polygons of classes, in any CRS.
            kind: the column that names a class.
            days: (rows,) the day from which each row's assessment holds; default: always.
            layer: what to call the table if it cannot be used, such as its file.

        Raises:
            OutlineError: there is no row, a column is missing, or a row is not a valid polygon.
        """
        _has(table, kind, layer)
        shapes, kinds = _ground(table, kind, layer)
        day = np.full(len(kinds), np.datetime64("NaT"), dtype="datetime64[D]")
        if days is not None:
            day = np.asarray(days, dtype="datetime64[D]")[_drawn(table)]
        cells = [
            cell
            for number in range(len(self))
            for cell in _assessed(self.shapes[number], shapes, kinds, day, self.unit[number])
        ]
        unit, name, ground, since, until = zip(*cells, strict=True)
        return Territories(
            np.array(unit, dtype=object), np.array(name, dtype=object),
            np.array(ground, dtype=object), np.array(since, dtype="datetime64[D]"),
            np.array(until, dtype="datetime64[D]"), self.names, classed=True,
        )  # fmt: skip


_Cell = tuple[object, object, BaseGeometry, np.datetime64, np.datetime64]


def _assessed(
    ground: BaseGeometry, shapes: Shapes, kinds: NDArray[np.object_], day: NDArray[np.datetime64],
    unit: object,
) -> list[_Cell]:  # fmt: skip
    """The cells of one unit: by assessment in time order, the classes and what has none."""
    shapely.prepare(ground)
    near = np.flatnonzero(shapely.intersects(ground, shapes))
    parts = np.asarray(shapely.intersection(ground, shapes[near]), dtype=object)
    near, parts = near[shapely.area(parts) > _REST_M2], parts[shapely.area(parts) > _REST_M2]
    always = np.datetime64("NaT", "D")
    times = sorted(set(day[near][~np.isnat(day[near])].tolist()))
    starts = [always, *map(np.datetime64, times)] if times else [always]
    ends = [*starts[1:], always]
    cells: list[_Cell] = []
    for since, until in zip(starts, ends, strict=True):
        here = np.isnat(day[near]) if np.isnat(since) else day[near] == since
        for name in pd.unique(kinds[near[here]]):
            cells.append((unit, name, _one(parts[here & (kinds[near] == name)]), since, until))
        rest = shapely.difference(ground, shapely.union_all(parts[here]))
        if shapely.area(rest) > _REST_M2:
            cells.append((unit, None, _surface(rest), since, until))
    return cells


def _has(table: gpd.GeoDataFrame, column: str, layer: str) -> None:
    if column not in table.columns:
        known = ", ".join(str(name) for name in table.columns if name != table.geometry.name)
        raise OutlineError(f"{layer}: no column {column!r}; there are {known or 'no others'}")


def _drawn(table: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    shapes = np.asarray(table.geometry.to_numpy(), dtype=object)
    return np.asarray(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))


def _ground(table: gpd.GeoDataFrame, key: str, layer: str) -> tuple[Shapes, NDArray[np.object_]]:
    """The polygons of rows that have one, equal-area, and their keys as text."""
    if table.crs is None:
        raise OutlineError(f"{layer}: the polygons do not say their CRS; save them with one")
    table = table[_drawn(table)]
    if not len(table):
        raise OutlineError(f"{layer}: holds no polygon to count by; give another layer")
    nameless = np.flatnonzero(table[key].isna())
    if len(nameless):
        raise OutlineError(
            f"{layer}: {len(nameless)} rows have no {key}, first row {table.index[nameless[0]]}; "
            "give each a name, or leave them out"
        )
    shapes = np.asarray(shapely.force_2d(table.geometry.to_numpy()), dtype=object)
    polygon = np.isin(shapely.get_type_id(shapes), (3, 6))
    wrong = np.flatnonzero(~(polygon & shapely.is_valid(shapes)))
    if len(wrong):
        reason = shapely.is_valid_reason(shapes[wrong[0]]) if polygon[wrong[0]] else "no polygon"
        raise OutlineError(
            f"{layer}: {table[key].iloc[wrong[0]]!r} cannot be used: {reason}; repair it, for "
            "example with 'Fix geometries' in QGIS"
        )
    flat = sound(project(shapes, table.crs.to_string(), EQUAL_AREA))
    return flat, table[key].astype(str).to_numpy(dtype=object)


def _one(shapes: Shapes) -> BaseGeometry:
    only: BaseGeometry = shapes[0]
    return only if len(shapes) == 1 else _surface(shapely.union_all(shapes))


def _surface(shape: BaseGeometry) -> BaseGeometry:
    """Without the lines and points that an overlay may leave."""
    parts = shapely.get_parts(shape)
    kinds = shapely.get_type_id(parts)
    return shape if np.isin(kinds, (3, 6)).all() else shapely.union_all(parts[kinds == 3])
