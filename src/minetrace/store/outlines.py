"""Vector files in and out: regions, footprints, panels."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import geopandas as gpd
import numpy as np
import pyarrow.parquet
import pyogrio
import shapely
from pyogrio.errors import DataSourceError
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import Extent, Footprints
from minetrace.errors import MissingFileError, OutlineError, RegionError, RunError, UserError
from minetrace.store.files import write_json

LONLAT = "EPSG:4326"
PANEL_LAYER = "panel"
_READABLE = (".geojson", ".json", ".gpkg", ".shp", ".fgb", ".kml", ".parquet")
_ONE_LAYER = (".geojson", ".json", ".shp", ".fgb")


def read_region(path: Path) -> BaseGeometry:
    """All polygons of a vector file, or of every vector file in a folder, as one geometry.

    Returns:
        A polygon or multipolygon in EPSG:4326, not yet checked.

    Raises:
        MissingFileError: nothing is there.
        RegionError: a file cannot be read, or does not say its CRS.
    """
    if not path.exists():
        raise MissingFileError(f"{path}: no such region file")
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in _READABLE)
        if not files:
            raise MissingFileError(f"{path}: no region files inside ({', '.join(_READABLE)})")
    shapes = np.concatenate([_shapes(file) for file in files])
    invalid = shapes[~shapely.is_valid(shapes)]
    if len(invalid):
        return cast(BaseGeometry, invalid[0])  # the gate for regions says what is wrong with it
    return shapely.union_all(shapes)


def write_region(path: Path, geometry: BaseGeometry) -> None:
    """Write a region (EPSG:4326) as GeoJSON, RFC 7946."""
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(geometry)}
    write_json(path, {"type": "FeatureCollection", "features": [feature]})


def read_polygons(path: Path) -> gpd.GeoDataFrame:
    """A vector file as a table, with its CRS.

    Raises:
        MissingFileError: it is not there.
        OutlineError: it cannot be read, has no geometry, or does not say its CRS.
    """
    if not path.is_file():
        hint = "; the shell found no file of that pattern" if set("*?") & set(str(path)) else ""
        raise MissingFileError(f"{path}: no such vector file{hint}")
    return _read(path, OutlineError)


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns of a vector file's table, without reading it; none if it cannot be read."""
    try:
        if path.suffix == ".parquet":
            return tuple(pyarrow.parquet.read_schema(path).names)
        return tuple(pyogrio.read_info(path, layer=_layer(path))["fields"])
    except (DataSourceError, OSError, ValueError, UserError):
        return ()


def _layer(path: Path, error_type: type[UserError] = OutlineError) -> str | None:
    """The layer to read: of several with outlines a panel, as GeoPackages of panels hold it."""
    if path.suffix.lower() in _ONE_LAYER:
        return None
    names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    if len(names) > 1 and PANEL_LAYER not in names:
        raise error_type(
            f"{path}: holds {len(names)} layers ({', '.join(names)}), and which to read is not "
            "said; save that layer to a file of its own"
        )
    return PANEL_LAYER if len(names) > 1 else next(iter(names), None)


def _read(path: Path, error_type: type[UserError]) -> gpd.GeoDataFrame:
    try:
        if path.suffix == ".parquet":
            table = gpd.read_parquet(path)
        else:
            table = gpd.read_file(path, layer=_layer(path, error_type))
    except error_type:
        raise
    except (DataSourceError, OSError, ValueError) as error:
        raise error_type(f"{path}: cannot be read as a vector file ({error})") from error
    if not isinstance(table, gpd.GeoDataFrame):
        raise error_type(f"{path}: has no geometry; give polygons in GeoJSON or GeoPackage")
    if table.crs is None:
        raise error_type(f"{path}: does not say its CRS; save it with one, best EPSG:4326")
    empty = table.geometry.is_empty
    if empty.any():  # a polygon without vertices is no polygon
        table.loc[empty, table.geometry.name] = None
    return table


def _shapes(path: Path) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    table = _read(path, RegionError)
    shapes = table.geometry.dropna().to_crs(LONLAT).to_numpy()
    return np.asarray(shapely.force_2d(shapes), dtype=object)


def write_footprints(path: Path, footprints: Footprints) -> None:
    """Write outlines as GeoParquet, with their extent in a column of that name."""
    table = gpd.GeoDataFrame(
        dict(footprints.columns), geometry=footprints.geometry, crs=footprints.crs
    )
    table.insert(0, "extent", footprints.extent)
    table.to_parquet(path, index=False, compression="zstd")


def read_footprints(path: Path, extent: Extent) -> Footprints:
    """Outlines from GeoParquet as ``write_footprints`` left them."""
    table = gpd.read_parquet(path)
    columns = {
        str(name): table[name].to_numpy()
        for name in table.columns
        if name not in ("geometry", "extent")
    }
    return Footprints(
        np.asarray(table.geometry.to_numpy(), dtype=object), str(table.crs), extent, columns
    )


def write_table(path: Path, table: gpd.GeoDataFrame) -> None:
    """Write a geographic table as GeoParquet."""
    table.to_parquet(path, index=False, compression="zstd")


def read_table(path: Path) -> gpd.GeoDataFrame:
    """A geographic table from GeoParquet.

    Raises:
        RunError: the file was cut short, or is something else.
    """
    try:
        return gpd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise RunError(
            f"{path}: cannot be read ({' '.join(str(error).split())[:120]}); put a sound copy "
            "there, or delete it and run again: then what it alone knew, such as the names of "
            "sites, is made anew"
        ) from error
