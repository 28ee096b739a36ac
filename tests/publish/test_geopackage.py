"""The GeoPackage, read back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from minetrace.core.footprints import geodesic_hectares
from minetrace.publish.geopackage import sites_of, write_geopackage

GROWING = (shapely.box(-70, -13, -69.99, -12.99), shapely.box(-70, -13, -69.98, -12.99))
LATE = shapely.box(-69.9, -13, -69.89, -12.99)


def row(site: str, period: str, shape: shapely.Polygon | None, event: str | None) -> dict:
    size = 0.0 if shape is None else float(geodesic_hectares(np.array([shape]), "EPSG:4326")[0])
    return {
        "site_id": site, "period": period, "start": pd.Timestamp(int(period[:4]), 1, 1),
        "end": pd.Timestamp(int(period[:4]) + 1, 1, 1), "geometry": shape, "extent": "mined",
        "area_ha": np.nan if event == "not_looked" else size, "score_mean": np.nan,
        "looked_share": 1.0, "event": event, "parents": None,
        "first_period": "2019-q1" if site == "a" else "2021-q1", "last_period": "2021-q1",
    }  # fmt: skip


@pytest.fixture
def panel() -> gpd.GeoDataFrame:
    rows = [
        row("a", "2019-q1", GROWING[0], "appears"),
        row("a", "2020-q1", None, "not_looked"),
        row("a", "2021-q1", GROWING[1], "grows"),
        row("b", "2019-q1", None, None),
        row("b", "2020-q1", None, "not_looked"),
        row("b", "2021-q1", LATE, "appears"),
    ]
    table = gpd.GeoDataFrame(rows, crs="EPSG:4326")
    return table.assign(verified=pd.array([pd.NA] * len(rows), dtype="boolean"))


def test_the_panel_comes_back_whole(panel: gpd.GeoDataFrame, tmp_path: Path) -> None:
    path = tmp_path / "panel.gpkg"
    write_geopackage(path, panel)
    back = gpd.read_file(path, layer="panel")
    assert back.crs == "EPSG:4326"
    for column in ("site_id", "period", "event", "start", "end", "area_ha"):
        pd.testing.assert_series_equal(back[column], panel[column], check_dtype=False)
    assert back.geometry.isna().tolist() == panel.geometry.isna().tolist()
    assert [p.name for p in tmp_path.iterdir()] == ["panel.gpkg"]


def test_sites_have_all_their_ground_and_hectares_per_period(panel: gpd.GeoDataFrame) -> None:
    sites = sites_of(panel).set_index("site_id")
    assert list(sites.columns) == [
        "extent", "first_period", "last_period", "periods", "max_area_ha",
        "area_ha_2019_q1", "area_ha_2020_q1", "area_ha_2021_q1", "geometry",
    ]  # fmt: skip
    assert sites.periods.to_dict() == {"a": 2, "b": 1}
    assert sites.geometry["a"].equals(GROWING[1])
    assert sites.geometry["b"].equals(LATE)
    assert np.isnan(sites.area_ha_2020_q1["a"])  # not looked at is not 0
    assert sites.area_ha_2019_q1["b"] == 0.0
    assert sites.max_area_ha["a"] == sites.area_ha_2021_q1["a"]


def test_equal_panels_make_equal_files(panel: gpd.GeoDataFrame, tmp_path: Path) -> None:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    for name in ("one.gpkg", "two.gpkg"):
        write_geopackage(tmp_path / name, panel)
    assert (tmp_path / "one.gpkg").read_bytes() == (tmp_path / "two.gpkg").read_bytes()
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == before


def test_a_second_writing_replaces_the_first(panel: gpd.GeoDataFrame, tmp_path: Path) -> None:
    path = tmp_path / "panel.gpkg"
    write_geopackage(path, panel)
    write_geopackage(path, panel.iloc[:3])
    assert len(gpd.read_file(path, layer="panel")) == 3
    db = sqlite3.connect(path)
    tables = {name for (name,) in db.execute("SELECT table_name FROM gpkg_contents")}
    db.close()
    assert tables == {"panel", "sites"}


def test_an_empty_panel_makes_empty_layers(panel: gpd.GeoDataFrame, tmp_path: Path) -> None:
    write_geopackage(tmp_path / "panel.gpkg", panel.iloc[:0])
    for layer in ("panel", "sites"):
        assert len(gpd.read_file(tmp_path / "panel.gpkg", layer=layer)) == 0
