"""A layer of features: rows of a panel, each with an id, and how each is told as GeoJSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.faces.api.cql2 import kind_of
from minetrace.faces.api.replies import dumps
from minetrace.faces.api.shelf import Shelf
from minetrace.faces.api.where import intersecting
from minetrace.flow.published import Published
from minetrace.publish.words import INTERVAL

KEPT_BYTES = 48 << 20
KINDS = {
    "panel": "One feature for each site and period. Rows that were not looked at have no geometry "
    "and no hectares.",
    "sites": "One feature for each site, with its latest outline and hectares.",
}


@dataclass(frozen=True)
class Layer:
    """A collection of features.

    Attributes:
        kind: one of ``KINDS``.
    """

    run: Published
    kind: str

    @property
    def id(self) -> str:
        """Its name in addresses."""
        return f"{self.run.id}-{self.kind}"

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """Rows of the panel, in order; of the sites the latest with an outline."""
        if self.kind == "panel":
            return np.arange(len(self.run.panel))
        outlined = np.flatnonzero(~np.asarray(shapely.is_missing(self.run.shapes)))
        names = self.run.panel["site_id"].to_numpy()[outlined]
        last = np.flatnonzero(np.append(names[1:] != names[:-1], True)[: len(names)])
        return np.asarray(outlined[last], dtype=np.intp)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Row by id."""
        names = self.run.panel["site_id"].astype(str).to_numpy()[self.rows]
        if self.kind == "panel":
            names = names + "." + self.run.panel["period"].astype(str).to_numpy()[self.rows]
        return dict(zip(map(str, names), map(int, self.rows), strict=True))

    @cached_property
    def ids(self) -> dict[int, str]:
        """Id by row."""
        return {row: name for name, row in self.numbers.items()}

    @cached_property
    def queryables(self) -> dict[str, str]:
        """Properties that can be filtered by, with their kind."""
        table = self.run.table
        kinds = {str(name): kind_of(table[name]) for name in table.columns}
        return {name: kind for name, kind in kinds.items() if kind is not None}

    def columns(self, rows: NDArray[np.intp]) -> Mapping[str, pd.Series]:
        """What a filter sees."""
        return _Columns(self, rows)

    def meeting(self, ground: BaseGeometry) -> NDArray[np.intp]:
        """Rows that meet the ground, in order."""
        run = self.run
        near = intersecting(run.tree, run.boxes, run.shapes, ground)
        return near[self._own[near]]

    @cached_property
    def _own(self) -> NDArray[np.bool_]:
        own = np.zeros(len(self.run.panel), dtype=bool)
        own[self.rows] = True
        return own

    def told(self, rows: NDArray[np.intp]) -> list[bytes]:
        """Features as JSON; those told last are kept, since views overlap."""
        found = {row: self._kept.get(row) for row in rows.tolist()}
        if missing := [row for row, feature in found.items() if feature is None]:
            fresh = dict(zip(missing, self._written(missing), strict=True))
            for row, feature in fresh.items():
                self._kept.put(row, feature)
            found.update(fresh)
        return [feature for feature in found.values() if feature is not None]

    @cached_property
    def _kept(self) -> Shelf[bytes]:
        return Shelf(KEPT_BYTES, len)

    def _written(self, rows: list[int]) -> list[bytes]:
        shapes = shapely.to_geojson(self.run.shapes[rows])
        cells = self.run.cells.take(rows).to_pylist()
        return [
            _feature(self.ids[row], {**own, "interval": INTERVAL}, shape)
            for row, own, shape in zip(rows, cells, shapes, strict=True)
        ]


class _Columns(Mapping[str, pd.Series]):
    """Columns of some rows, cut out when they are asked for."""

    def __init__(self, layer: Layer, rows: NDArray[np.intp]) -> None:
        self._layer, self._rows = layer, rows

    def __getitem__(self, name: str) -> pd.Series:
        if name not in self._layer.queryables:
            raise KeyError(name)
        return self._layer.run.table[name].iloc[self._rows]

    def __contains__(self, name: object) -> bool:
        return name in self._layer.queryables

    def __iter__(self) -> Iterator[str]:
        return iter(self._layer.queryables)

    def __len__(self) -> int:
        return len(self._layer.queryables)


def _feature(name: str, properties: dict[str, Any], shape: str | None) -> bytes:
    """A feature whose geometry is JSON already, and put in as it is."""
    told = dumps({"type": "Feature", "id": name, "properties": properties})
    return told[:-1] + b',"geometry":' + (b"null" if shape is None else shape.encode()) + b"}"


def layers(runs: Mapping[str, Published]) -> dict[str, Layer]:
    """Every collection by its id."""
    found = [Layer(run, kind) for run in runs.values() for kind in KINDS]
    return {layer.id: layer for layer in found}
