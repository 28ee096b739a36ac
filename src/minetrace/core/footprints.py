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
    lonlat = np.asarray(project(geometry, crs, "EPSG:4326"), dtype=object)
    _refuse_off_globe(lonlat)
    parts, owner = shapely.get_parts(shapely.orient_polygons(lonlat), return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)  # holes run the other way round
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    ends = np.flatnonzero(np.diff(ring, append=-1)) + 1
    signed_m2 = [
        _WGS84.polygon_area_perimeter(x, y)[0]
        for x, y in ((c[:, 0], c[:, 1]) for c in np.split(xy, ends[:-1]))
        if len(x)
    ]
    area_m2 = np.bincount(owner[part], signed_m2, minlength=len(lonlat))
    return np.abs(area_m2) / HECTARE_M2


def _refuse_off_globe(lonlat: NDArray[np.object_]) -> None:
    bounds = shapely.bounds(lonlat).reshape(-1, 4)
    known = ~(shapely.is_missing(lonlat) | shapely.is_empty(lonlat))
    on_globe = np.isfinite(bounds).all(axis=1) & (np.abs(bounds[:, [1, 3]]) <= 90).all(axis=1)
    wrong = np.flatnonzero(known & ~on_globe)
    if len(wrong):
        raise OutlineError(
            f"an outline with bounds {tuple(bounds[wrong[0]].tolist())} is not on the globe; "
            "is its CRS right?"
        )
