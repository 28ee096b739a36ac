"""The panel as a GeoPackage, for any GIS: every site in every period, and every site once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from minetrace.store.files import write_whole

LONLAT = "EPSG:4326"
GRAIN_DEG = 1e-8  # vertices closer than about a millimetre are one
_STAMP = {"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"}  # equal panels make equal files
_TIMES = ("start", "end")


def write_geopackage(path: Path, panel: gpd.GeoDataFrame) -> None:
    """Write a panel with the layers ``panel`` and ``sites``.

    ``panel`` is the table as it is: a row for each site and period, without a geometry where the
    site has no outline. ``sites`` holds what ``sites_of`` gives. The file comes to its place
    whole, and equal panels give equal files.

    Args:
        path: ends in ``.gpkg``.
        panel: EPSG:4326.

    Raises:
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """

    def write(part: Path) -> None:
        with one_date():
            for layer, table in (("panel", panel), ("sites", sites_of(panel))):
                pyogrio.write_dataframe(
                    _plain(table), part, layer=layer, driver="GPKG", promote_to_multi=True,
                    geometry_type="MultiPolygon", append=part.exists(),
                )  # fmt: skip

    write_whole(path, write)


def write_layer(path: Path, table: gpd.GeoDataFrame, *, layer: str) -> None:
    """Write one table of polygons as a GeoPackage with one layer."""
    with one_date():
        pyogrio.write_dataframe(
            table, path, layer=layer, driver="GPKG", promote_to_multi=True,
            geometry_type="MultiPolygon",
        )  # fmt: skip


def sites_of(panel: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One row per site: all ground that it ever covered, and its hectares in every period.

    Args:
        panel: one row per site and period.

    Returns:
        ``site_id``, ``name`` if the panel has it, ``extent``, ``first_period``, ``last_period``,
        ``periods`` with an outline,
        ``max_area_ha`` or ``max_footprint_ha``, a column such as ``area_ha_2019`` for each period
        (null where the site was not looked at), and the union of its outlines.
    """
    hectares = "footprint_ha" if "footprint_ha" in panel.columns else "area_ha"
    sites = panel.groupby("site_id", sort=False)
    times = panel.drop_duplicates("period").sort_values("start")["period"]
    wide = panel.pivot(index="site_id", columns="period", values=hectares)
    about = [*(["name"] if "name" in panel.columns else []), "extent"]
    table = sites[[*about, "first_period", "last_period"]].first()
    table["periods"] = panel["geometry"].notna().groupby(panel["site_id"]).sum()
    table[f"max_{hectares}"] = sites[hectares].max()
    for label in times:
        table[f"{hectares}_{label.replace('-', '_')}"] = wide[label]
    ground = gpd.GeoSeries(_unions(panel, table.index), index=table.index, crs=LONLAT)
    return gpd.GeoDataFrame(table, geometry=ground).reset_index()


def _unions(panel: gpd.GeoDataFrame, sites: pd.Index) -> NDArray[np.object_]:
    ground = np.full(len(sites), None, dtype=object)
    outlined = panel[panel.geometry.notna()]
    for _, here in outlined.groupby("period"):
        site = sites.get_indexer(here["site_id"])
        shapes = here.geometry.to_numpy()
        known = ~shapely.is_missing(ground[site])
        ground[site[~known]] = shapes[~known]
        both = shapely.union(ground[site[known]], shapes[known], grid_size=GRAIN_DEG)
        ground[site[known]] = _surfaces(both)
    return ground


def _surfaces(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Without the lines that are left where a sliver is narrower than the grain."""
    mixed = np.flatnonzero(shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION)
    for i in mixed:
        parts = shapely.get_parts(shapes[i])
        flat = shapely.get_dimensions(parts) == 2
        shapes[i] = shapely.union_all(parts[flat], grid_size=GRAIN_DEG)
    return shapes


def _plain(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Types that a GeoPackage holds: a nullable truth becomes a small integer."""
    columns: dict[str, Any] = {
        name: table[name].astype("Int16")
        for name in table.columns
        if table[name].dtype == "boolean"
    }
    return table.assign(**columns)


@contextmanager
def one_date() -> Iterator[None]:
    """GeoPackages that are written within carry the same stamp, whenever that is."""
    before = {key: pyogrio.get_gdal_config_option(key) for key in _STAMP}
    pyogrio.set_gdal_config_options(_STAMP)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
