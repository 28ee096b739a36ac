"""What a run finds, against what is true in the made-up country."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minetrace.core.footprints import geodesic_hectares
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.summary import Summary
from minetrace.store.outlines import read_table
from minetrace.testing.world import World, make_world, world_study


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("country"), size_px=512, dates_per_year=5)


@pytest.fixture(scope="module")
def summary(country: World) -> Summary:
    study = Study.of(world_study(country, name="truth"))
    return run(study, country.root / "run", workers=2)


def ground(shapes: gpd.GeoSeries) -> shapely.Geometry:
    return shapely.union_all(shapely.make_valid(shapes.to_crs(4326).to_numpy()))


def shared(one: shapely.Geometry, other: shapely.Geometry) -> shapely.Geometry:
    """The ground of both, without the lines along which they touch."""
    parts = shapely.get_parts(shapely.intersection(one, other))
    return shapely.union_all(parts[shapely.get_dimensions(parts) == 2])


def test_most_mined_ground_is_found_and_the_blind_year_claims_nothing(
    country: World, summary: Summary
) -> None:
    panel = read_table(summary.out / "panel.parquet")
    region = gpd.read_file(country.region).union_all()
    for period in summary.periods:
        rows = panel[panel["period"] == period.label]
        if period.label == "2022":
            assert period.looked_share < 0.1
            assert (rows.loc[rows["looked_share"] < 0.5, "event"] == "not_looked").all()
            assert rows.loc[rows["event"] == "not_looked", "area_ha"].isna().all()
            continue
        mapped = ground(rows.geometry.dropna())
        true = shared(ground(country.mines(int(period.label)).geometry), region)
        both, whole, claimed = geodesic_hectares(
            np.array([shared(mapped, true), true, mapped]), "EPSG:4326"
        )
        assert period.looked_share > 0.8
        assert both / whole > 0.5, period  # spectral rules, no training: most of it
        prevalence = whole / geodesic_hectares(np.array([region]), "EPSG:4326")[0]
        assert both / claimed > 10 * prevalence, period  # and sandbanks and fields with it


def test_hectares_agree_wherever_they_are_told(summary: Summary) -> None:
    import json

    panel = read_table(summary.out / "panel.parquet")
    package = gpd.read_file(summary.out / "panel.gpkg", layer="panel")
    card = json.loads((summary.out / "datacard.json").read_text())
    page = (summary.out / "map" / "data.js").read_text()
    drawn = json.loads(page.partition("=")[2].rstrip().rstrip(";"))
    told = {row["period"]: row for row in card["periods"]}
    for number, period in enumerate(summary.periods):
        here = panel[panel["period"] == period.label]
        there = package[package["period"] == period.label]
        if np.isnan(period.hectares):
            assert period.looked_share < 0.05
            assert here.geometry.isna().all()
            assert drawn["periods"][number]["hectares"] is None
            assert told[period.label]["area_ha"] is None
            continue
        assert here["area_ha"].sum() == pytest.approx(period.hectares, abs=1e-6)
        assert there["area_ha"].sum() == pytest.approx(period.hectares, abs=1e-6)
        assert told[period.label]["area_ha"] == pytest.approx(period.hectares, abs=0.06)
        assert drawn["periods"][number]["hectares"] == pytest.approx(period.hectares, abs=0.06)
    outlined = panel[panel.geometry.notna()]
    again = geodesic_hectares(outlined.geometry.to_numpy(), "EPSG:4326")
    assert np.allclose(outlined["area_ha"], again, rtol=1e-6)


def test_the_catalog_ties_every_artefact_to_the_run(summary: Summary) -> None:
    import pystac

    catalog = pystac.Catalog.from_file(str(summary.out / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    files = {Path(asset.get_absolute_href() or "") for i in items for asset in i.assets.values()}
    assert all(path.is_file() for path in files)
    assert files >= set((summary.out / "scores").rglob("*.tif"))
