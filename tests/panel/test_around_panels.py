"""Around the panel: cutting giants, comparing releases, places nearby, countries, other shapes."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period
from minetrace.errors import OutlineError, StudyError
from minetrace.flow.countries import read_countries, shipped
from minetrace.panel.build import build_panel
from minetrace.panel.compare import compare_periods, compare_sites, ground_of
from minetrace.panel.country import countries_of
from minetrace.panel.disjoint import disjoint
from minetrace.panel.divide import DivideRule, divide
from minetrace.panel.exposure import exposure
from minetrace.panel.ledger import Ledger
from minetrace.panel.wide import tropical, wide

X, Y, KM = -6_700_000, -1_500_000, 1000
EQUAL_AREA = "EPSG:6933"
Box = tuple[float, float, float, float]


def ground(*boxes: Box) -> np.ndarray:
    found = [shapely.box(X + KM * w, Y + KM * s, X + KM * e, Y + KM * n) for w, s, e, n in boxes]
    return np.array(found, dtype=object)


def outlines(*boxes: Box) -> Footprints:
    return Footprints(ground(*boxes), EQUAL_AREA, "mined")


def years(*parts: list[Box]) -> dict[Period, Footprints]:
    return {Period.year(2018 + i): outlines(*boxes) for i, boxes in enumerate(parts)}


def area(shapes: np.ndarray) -> float:
    flat = gpd.GeoSeries(shapes, crs="EPSG:4326").to_crs(EQUAL_AREA)
    return float(flat.area.sum())


# --- outlines that share no ground ------------------------------------------------------------


def test_ground_that_two_outlines_claim_stays_with_the_larger() -> None:
    found = disjoint(outlines((0, 0, 3, 1), (2, 0, 4, 1), (0.5, 0.2, 1, 0.8)))
    assert len(found) == 2
    assert shapely.area(found.geometry).tolist() == pytest.approx([3e6, 1e6])
    told = outlines((0, 0, 3, 1), (2, 0, 4, 1)).with_columns(area_ha=np.array([9.0, 4.0]))
    assert disjoint(told).columns["area_ha"].tolist() == pytest.approx([9, 2])
    apart = outlines((0, 0, 1, 1), (1, 0, 2, 1))
    assert disjoint(apart) is apart


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_an_outline_drawn_twice_the_higher_score_stays(order: list[int]) -> None:
    scores = np.array([0.2, 0.9])[order]
    twice = outlines((0, 0, 1, 1), (0, 0, 1, 1)).with_columns(score_mean=scores)
    assert disjoint(twice).columns["score_mean"].tolist() == [0.9]


# --- giants -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["distance:2", "watershed:2"])
def test_a_giant_is_cut_and_its_ground_and_hectares_stay(by: str) -> None:
    river = shapely.union_all(ground((0, 0, 4, 4), (4, 1.8, 12, 2.2), (12, 0, 16, 4)))
    plan = {Period.year(2018): Footprints(np.array([river]), EQUAL_AREA, "mined")}
    rule = DivideRule.parse(by)
    (found,) = divide(plan, rule).values()
    whole = plan[Period.year(2018)].to_crs("EPSG:4326")
    assert len(found) > 1
    assert area(found.geometry) == pytest.approx(area(whole.geometry), rel=1e-9)
    assert found.columns["area_ha"].sum() == pytest.approx(whole.hectares.sum(), rel=1e-9)
    assert set(found.columns["rule"]) == {str(rule)}
    assert disjoint(found) is found
    panel = build_panel({Period.year(2018): found})
    assert panel.site_id.nunique() == len(found)
    assert set(panel.rule) == {str(rule)}


def test_a_watershed_parts_at_the_narrows() -> None:
    river = shapely.union_all(ground((0, 0, 4, 4), (4, 1.9, 6, 2.1), (6, 0, 10, 4)))
    plan = {Period.year(2018): Footprints(np.array([river]), EQUAL_AREA, "mined")}
    (found,) = divide(plan, DivideRule("watershed", 4.5)).values()
    west, east = sorted(gpd.GeoSeries(found.geometry, crs=4326).to_crs(EQUAL_AREA).area / 1e6)
    assert west + east == pytest.approx(32.4, rel=1e-6)
    assert west == pytest.approx(16.2, abs=0.3)


def test_small_outlines_are_left_as_they_are() -> None:
    (found,) = divide(years([(0, 0, 3, 1)]), DivideRule("distance", 2)).values()
    assert found.columns["rule"].tolist() == [None]
    assert found.columns["area_ha"].tolist() == pytest.approx(outlines((0, 0, 3, 1)).hectares)
    with pytest.raises(StudyError, match="distance:KM"):
        DivideRule.parse("halves")


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5)), min_size=1, max_size=4, unique=True))
def test_an_appended_period_moves_no_cut_and_renames_nobody(spots) -> None:  # type: ignore[no-untyped-def]
    blob = shapely.union_all(ground(*((x, y, x + 6, y + 2) for x, y in spots), (0, 2, 20, 3)))
    first = Footprints(np.array([blob]), EQUAL_AREA, "mined")
    grown = Footprints(np.array([shapely.buffer(blob, 300)]), EQUAL_AREA, "mined")
    rule = DivideRule("distance", 3)
    short = divide({Period.year(2018): first}, rule)
    long = divide({Period.year(2018): first, Period.year(2019): grown}, rule)
    assert (short[Period.year(2018)].geometry == long[Period.year(2018)].geometry).all()
    before, after = build_panel(short), build_panel(long)
    old = after[(after.period == "2018") & after.geometry.notna()]
    assert sorted(old.site_id) == sorted(before.site_id)


# --- releases ---------------------------------------------------------------------------------


def test_what_a_release_changed() -> None:
    old = build_panel(years([(0, 0, 1, 1), (2, 0, 3, 1), (4, 0, 6, 1), (8, 0, 9, 1)]))
    new = build_panel(years([(0, 0, 1, 1), (2, 0, 6, 1), (8, 0, 9, 2), (20, 0, 21, 1)]))
    found = compare_sites(ground_of(old), ground_of(new))
    assert found.change.value_counts().to_dict() == {
        "same": 1, "changed": 2, "merged": 1, "added": 1,
    }  # fmt: skip
    back = compare_sites(ground_of(new), ground_of(old))
    assert back.change.value_counts().to_dict() == {
        "same": 1, "changed": 2, "split": 1, "gone": 1,
    }  # fmt: skip
    merged = found[found.change == "merged"].iloc[0]
    assert merged.site_new in set(found[found.change == "changed"].site_new)
    table = compare_periods(old, new)
    assert table.area_ha_change.tolist() == pytest.approx([300], rel=1e-3)
    assert table.sites_old.tolist() == table.sites_new.tolist() == [4]


def test_a_release_compared_with_itself_is_the_same() -> None:
    panel = build_panel(years([(0, 0, 1, 1), (2, 0, 3, 1)], [(0, 0, 2, 1)]))
    assert set(compare_sites(ground_of(panel), ground_of(panel)).change) == {"same"}


# --- places -----------------------------------------------------------------------------------


def test_distance_and_hectares_around_places() -> None:
    plan = years([(0, 0, 1, 1)], [(0, 0, 1, 1), (6, 0, 7, 1)])
    spots = gpd.GeoDataFrame(
        {"name": ["inside", "near", "far"]},
        geometry=[shapely.Point(X + 500, Y + 500), shapely.Point(X + 3000, Y + 500),
                  shapely.Point(X + 90_000, Y)],
        crs=EQUAL_AREA,
    )  # fmt: skip
    table = exposure(Ledger.of(build_panel(plan)), spots, id="name", radius_km=5)
    row = table.set_index(["place", "period"])
    assert row.loc[("inside", "2018"), "distance_km"] == 0
    lonlat = gpd.GeoSeries([shapely.Point(X + 3000, Y + 500), shapely.Point(X + 1000, Y + 500)],
                           crs=EQUAL_AREA).to_crs(4326)  # fmt: skip
    metres = Geod(ellps="WGS84").inv(*lonlat[0].coords[0], *lonlat[1].coords[0])[2]
    assert row.loc[("near", "2018"), "distance_km"] == pytest.approx(metres / 1000, rel=1e-4)
    assert row.loc[("near", "2019"), "within_ha"] == pytest.approx(200, rel=1e-3)
    assert row.loc[("near", "2019"), "sites"] == 2
    assert np.isnan(row.loc[("far", "2019"), "distance_km"])
    assert row.loc[("far", "2019"), "within_ha"] == 0


def test_hectares_around_a_place_are_those_of_a_circle() -> None:
    plan = years([(0, 0, 40, 40)])
    spot = gpd.GeoDataFrame({"v": ["a"]}, geometry=[shapely.Point(X + 2e4, Y + 2e4)],
                            crs=EQUAL_AREA)  # fmt: skip
    table = exposure(Ledger.of(build_panel(plan)), spot, id="v", radius_km=5)
    assert table.within_ha[0] == pytest.approx(np.pi * 2500, rel=1e-3)
    with pytest.raises(OutlineError, match="no column 'name'; there are v"):
        exposure(Ledger.of(build_panel(plan)), spot, id="name")


# --- countries and other shapes ---------------------------------------------------------------


def test_the_layer_of_countries_is_small_and_whole() -> None:
    assert shipped().stat().st_size < 1_000_000
    assert (shipped().parent / "LICENSE.txt").is_file()
    layer = gpd.read_parquet(shipped())
    assert layer.iso_a3.str.fullmatch("[A-Z]{3}").all()
    assert layer.iso_a3.is_unique
    assert layer.is_valid.all()
    assert len(layer) > 230


def test_the_largest_overlap_names_the_country() -> None:
    spots = [(-70.0, -12.8), (-59.0, 6.0), (24.0, -29.0), (-30.0, 0.0)]
    shapes = np.array([shapely.Point(*spot).buffer(0.02) for spot in spots], dtype=object)
    panel = build_panel({Period.year(2020): Footprints(shapes, "EPSG:4326", "mined")})
    countries = read_countries("natural-earth")
    assert countries is not None
    found = panel.site_id.map(countries_of(panel, countries))
    where = dict(zip(panel.geometry.bounds.minx.round().astype(int), found, strict=True))
    assert (where[-70], where[-59], where[24]) == ("PER", "GUY", "ZAF")
    assert pd.isna(where[-30])
    with pytest.raises(StudyError, match="FILE:COLUMN"):
        read_countries("borders.gpkg")


def test_wide_and_tropical_tables_hold_the_same_hectares() -> None:
    panel = build_panel(years([(0, 0, 1, 1)], [], [(0, 0, 2, 1), (5, 0, 6, 1)]))
    table = wide(panel)
    assert table["periods"].tolist() == [2, 1]
    for label in ("2018", "2019", "2020"):
        total = panel[panel.period == label].area_ha.sum()
        assert table[f"area_ha_{label}"].sum() == pytest.approx(total)
    panel["country"] = "PER"
    export = tropical(panel, pd.Series({"PER": "Peru"}))
    assert list(export.columns) == ["id", "iso_a3", "country_name", "year", "area", "geometry"]
    assert export.year.tolist() == [2018, 2020, 2020]
    assert export["area"].sum() / 10_000 == pytest.approx(panel.area_ha.sum())
    assert set(export.country_name) == {"Peru"}
