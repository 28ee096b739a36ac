"""Outlines of one period, with what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod

from minetrace.core.region import project
from minetrace.errors import OutlineError

Extent = Literal["mined", "footprint"]
HECTARE_M2 = 10_000.0
_WGS84 = Geod(ellps="WGS84")


@dataclass(frozen=True)
class Footprints:
    """Polygons with one value per column and row.

    Attributes:
        geometry: (n,) shapely polygons.
        crs: their CRS.
        extent: ``mined`` if they outline the mined ground itself, ``footprint`` if they outline
            the windows in which mining was seen; only the first may be called a mined area.
        columns: such as ``score_mean``, ``score_max``; each (n,).
    """

    geometry: NDArray[np.object_]
    crs: str
    extent: Extent
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if len(column) != len(self.geometry):
                raise ValueError(f"Footprints: {name} has {len(column)} rows, not {len(self)}")

    def __len__(self) -> int:
        return len(self.geometry)

    def where(self, keep: NDArray[Any]) -> Footprints:
        """The rows that a boolean mask or an index names, in that order."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        return replace(self, geometry=self.geometry[keep], columns=columns)

    def with_columns(self, **columns: NDArray[Any]) -> Footprints:
        """The same outlines with more columns."""
        return replace(self, columns={**self.columns, **columns})

    def to_crs(self, crs: str) -> Footprints:
        """The same outlines in another CRS, vertex by vertex."""
        return replace(self, geometry=project(self.geometry, self.crs, crs), crs=crs)

    @property
    def hectares(self) -> NDArray[np.float64]:
        """Geodesic hectares on WGS 84, holes taken off."""
        return geodesic_hectares(self.geometry, self.crs)

    @classmethod
    def concat(cls, parts: Sequence[Footprints]) -> Footprints:
        """All rows in one; parts must agree on CRS, extent and columns."""
        first = parts[0]
        if any((p.crs, p.extent, set(p.columns)) != (first.crs, first.extent, set(first.columns))
               for p in parts):  # fmt: skip
            raise ValueError("Footprints.concat: parts differ in CRS, extent or columns")
        columns = {k: np.concatenate([p.columns[k] for p in parts]) for k in first.columns}
        geometry = np.concatenate([p.geometry for p in parts])
        return replace(first, geometry=geometry, columns=columns)


def geodesic_hectares(geometry: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    """Area of polygons on the WGS 84 ellipsoid, hectares.

    Edges are geodesics between the vertices (Karney 2013, "Algorithms for geodesics").

    Args:
        geometry: (n,) polygons or multipolygons in ``crs``.
        crs: any CRS with a name; never assumed.

    Raises:
        OutlineError: a geometry is not a polygon, or lies off the globe.
    """
    kinds = np.unique(shapely.get_type_id(geometry))
    if not np.isin(kinds, (-1, 3, 6)).all():
        raise OutlineError("only polygons have hectares; drop lines and points first")
    lonlat = project(geometry, crs, "EPSG:4326")
    return np.array([_hectares(g) for g in lonlat], dtype=np.float64)


def _hectares(geometry: Any) -> float:
    if geometry is None or geometry.is_empty:
        return 0.0
    west, south, east, north = geometry.bounds
    if not (np.isfinite([west, south, east, north]).all() and south >= -90 and north <= 90):
        raise OutlineError(
            f"an outline with bounds {geometry.bounds} is not on the globe; is its CRS right?"
        )
    oriented = shapely.orient_polygons(geometry)
    return abs(float(_WGS84.geometry_area_perimeter(oriented)[0])) / HECTARE_M2
