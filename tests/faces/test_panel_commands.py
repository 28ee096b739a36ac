"""``panel``, ``tally`` and ``compare``: anybody's files in, tables and pages out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely

import minetrace as mt
from minetrace.core.period import Period
from minetrace.faces.cli import main
from minetrace.flow.entering import Choice, enter
from minetrace.flow.figures import _credit
from minetrace.flow.run_views import RunViews
from minetrace.panel.when import period_in_name, period_of


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run a command in this process: its exit code, and what it said."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["minetrace", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def squares(
    *corners: tuple[float, float], side: float = 0.01, **columns: object
) -> gpd.GeoDataFrame:
    shapes = [shapely.box(x, y, x + side, y + side) for x, y in corners]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


PLACES = ((-60.0, -5.0), (-60.05, -5.0))


def test_from_files_to_a_map_and_a_tally(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    squares(*PLACES).to_file(tmp_path / "a_2020.geojson")
    squares(PLACES[0], side=0.02).to_file(tmp_path / "b_2021.gpkg")
    code, said = command("panel", tmp_path / "a_2020.geojson", tmp_path / "b_2021.gpkg",
                         "--extent", "mined", "--out", tmp_path / "p", "--tropical")  # fmt: skip
    assert code == 0, said
    assert "2 sites, hectares mapped, no interval" in said
    panel = gpd.read_parquet(tmp_path / "p/panel.parquet")
    assert sorted(panel.event) == ["appears", "appears", "ends", "grows"]
    assert set(panel.country) == {"BRA"}
    assert (tmp_path / "p/map/index.html").is_file()
    assert set(pyogrio.list_layers(tmp_path / "p/panel.gpkg")[:, 0]) == {"panel", "sites"}
    assert set(gpd.read_file(tmp_path / "p/tropical.gpkg").year) == {2020, 2021}
    apart = {path.stem: gpd.read_file(path) for path in (tmp_path / "p/tropical").iterdir()}
    assert {name: set(table.year) for name, table in apart.items()} == {
        "2020": {2020}, "2021": {2021},
    }  # fmt: skip
    code, said = command("panel", tmp_path / "a_2020.geojson", "--extent", "mined", "--previous",
                         tmp_path / "p", "--out", tmp_path / "q", "--table-only")  # fmt: skip
    assert code == 0, said
    again = gpd.read_parquet(tmp_path / "q/panel.parquet")
    assert set(again.site_id) == set(panel.site_id)
    code, said = command("panel", tmp_path / "b_2021.gpkg", "--extent", "mined", "--out",
                         tmp_path / "r")  # fmt: skip
    assert code == 0, said
    code, said = command("panel", tmp_path / "a_2020.geojson", "--extent", "mined", "--out",
                         tmp_path / "r", "--table-only")  # fmt: skip
    assert code == 0, said
    left = {path.name for path in (tmp_path / "r").iterdir()}
    assert left == {"panel.parquet", "panel.json", "hectares.csv"}
    by = squares((-60.03, -5.1), (-59.995, -5.1), side=0.2, code=["W", "E"])
    by.to_file(tmp_path / "units.gpkg")
    squares((-60.0, -5.0), side=0.3, kind=["park"]).to_file(tmp_path / "kinds.gpkg")
    squares((-60.0, -4.98), side=0.001, name=["village"]).to_file(tmp_path / "villages.gpkg")
    code, said = command("tally", tmp_path / "p", "--by", tmp_path / "units.gpkg", "--id", "code",
                         "--classes", tmp_path / "kinds.gpkg", "--class", "kind",
                         "--points", tmp_path / "villages.gpkg")  # fmt: skip
    assert code == 0, said
    assert "add up to the panel to the square metre" in said
    assert "overlap others" in said
    table = pd.read_csv(tmp_path / "p/tallies.csv")
    same = pd.read_parquet(tmp_path / "p/tallies.parquet")
    np.testing.assert_allclose(table.present_ha, same.present_ha)
    assert set(table.interval) == {"mapped, no interval"}
    told = json.loads((tmp_path / "p/tallies.json").read_text())
    assert len(told["rows"]) == len(table)
    layers = set(pyogrio.list_layers(tmp_path / "p/tallies.gpkg")[:, 0])
    assert layers == {"territories", "tallies"}
    assert "&at=" in (tmp_path / "p/tallies.html").read_text()
    assert '"views":{"W":"' in (tmp_path / "p/tallies.html").read_text()
    exposed = pd.read_csv(tmp_path / "p/exposure.csv")
    assert exposed.distance_km.round(2).tolist() == [1.16, 0.06]
    code, said = command("compare", tmp_path / "q", tmp_path / "p", "--out", tmp_path / "c",
                         "--by", tmp_path / "units.gpkg", "--id", "code")  # fmt: skip
    assert code == 0, said
    assert sorted(pd.read_csv(tmp_path / "c/sites.csv").change) == ["changed", "same"]
    shown = (tmp_path / "c/map/index.html").read_text()
    assert "all ground ever mapped" in shown


def test_the_library_and_the_command_count_alike(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    squares(*PLACES).to_file(tmp_path / "a_2020.gpkg")
    by = squares((-60.005, -5.1), side=0.2, code=["E"])
    by.to_file(tmp_path / "units.gpkg")
    code, said = command("tally", tmp_path / "a_2020.gpkg", "--extent", "mined", "--by",
                         tmp_path / "units.gpkg", "--id", "code", "--format", "parquet",
                         "--out", tmp_path)  # fmt: skip
    assert code == 0, said
    panel = mt.build_panel({2020: tmp_path / "a_2020.gpkg"}, extent="mined")
    left, right = mt.tally(panel, by, id="code"), pd.read_parquet(tmp_path / "tallies.parquet")
    np.testing.assert_allclose(left.present_ha, right.present_ha)
    assert mt.tally(panel)["territory"].notna().any()


@pytest.mark.parametrize(
    ("columns", "name", "extent"),
    [
        ({k: [1.0, 0.5] for k in ("count", "max", "mean", "median", "min", "std")}, "max", None),
        ({"pred": [0.6, 0.9]}, "pred", None),
        ({"confidence": [0.6, 0.9], "preds": ["a", "b"], "kth_neighbor_km": [1, 2]}, "conf", None),
        ({"iso_a3": ["PER", "PER"], "year": [2020, 2020], "area": [1.2, 1.2]}, "iso", None),
        ({"Polygon area (ha)": [9.0, 9.0], "Mined area (ha)": [2.0, 1.0]}, "mined", None),
        ({"area": [1.0, 1.0], "year": [202000, 202000]}, "area", "mined"),
        ({}, "plain", "footprint"),
    ],
)
@pytest.mark.parametrize("kind", ["gpkg", "geojson", "parquet", "shp"])
@pytest.mark.filterwarnings("ignore:.*(truncated|laundered).*")
def test_every_vintage_is_read_in_every_format(
    columns: dict[str, list[object]], name: str, extent: str | None, kind: str, tmp_path: Path
) -> None:
    table = squares(*PLACES, **columns)
    path = tmp_path / f"{name}_2020.{kind}"
    table.to_parquet(path) if kind == "parquet" else table.to_file(path)
    entered = enter([path], Choice(extent=extent))
    (found,) = entered.footprints.values()
    assert list(entered.footprints) == [Period.year(2020)]
    assert len(found) == 2
    if name in ("max", "pred", "conf"):
        assert found.extent == "footprint"
        assert np.nanmax(found.columns["score_max"]) in (1.0, 0.9)
    if name == "mined":
        assert found.columns["area_ha"].sum() == 3
    assert not [note for note in entered.notes if "not used" in note and "area" not in note]


def test_a_period_column_and_newly_mined_ground(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    told = {"Mined area (ha)": [5.0, 0.0, 2.0], "year": [201800, 202502, 202503]}
    rows = squares(PLACES[0], (-59.99, -5.0), PLACES[1], **told)
    rows.to_file(tmp_path / "all.gpkg")
    code, said = command("panel", tmp_path / "all.gpkg", "--out", tmp_path / "p")
    assert code == 2
    assert "--counts new" in said
    code, said = command("panel", tmp_path / "all.gpkg", "--counts", "new", "--out", tmp_path / "p")
    assert code == 0, said
    panel = gpd.read_parquet(tmp_path / "p/panel.parquet")
    assert panel.period.unique().tolist() == ["2018", "2025-q2", "2025-q3"]
    assert panel.site_id.nunique() == 2
    assert panel.area_ha.sum() == 7
    code, said = command("tally", tmp_path / "p", "--format", "csv")
    assert code == 0, said
    total = pd.read_csv(tmp_path / "p/tallies.csv").query("part == 'total'")
    assert total.new_ha.tolist() == [5, 0, 2]
    assert total.cumulative_ha.tolist() == [5, 5, 7]


def test_a_raster_of_shares_enters(tmp_path: Path) -> None:
    scores = np.zeros((80, 80), dtype=np.uint8)
    scores[10:30, 10:50] = 90
    scores[:5] = 255
    path = tmp_path / "p_2021.tif"
    place = rasterio.transform.from_origin(300_000, 9_440_000, 10, 10)
    with rasterio.open(path, "w", driver="GTiff", width=80, height=80, count=1, dtype="uint8",
                       crs="EPSG:32721", transform=place, nodata=255) as file:  # fmt: skip
        file.write(scores, 1)
    (found,) = enter([path], Choice(extent="mined", scale=0.01)).footprints.values()
    assert found.hectares.tolist() == pytest.approx([8], rel=1e-2)
    with pytest.raises(mt.UserError, match="up to 90 without a scale"):
        enter([path], Choice(extent="mined"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing_2020.gpkg"], "nothing_2020.gpkg: no such vector file"),
        (["2020=plain.gpkg"], "nobody said what the outlines mean"),
        (["plain.gpkg", "--extent", "mined"], "the name holds no period"),
        (["2020=plain.gpkg", "--period-column", "when", "--extent", "mined"], "no column 'when'"),
        (["2020=bow.gpkg", "--extent", "mined"], "cross themselves, first row 0"),
        (["2020=dots.gpkg", "--extent", "mined"], "row 0 is a Point, not a polygon"),
        (["2020=plain.gpkg", "--extent", "mine"], "must be 'mined' or 'footprint'"),
        (["2020=plain.gpkg", "--extent", "mined", "--countries", "x"], "FILE:COLUMN"),
        (["2020=plain.gpkg", "--extent", "mined", "--divide", "half"], "distance:KM"),
        (["2020=plain.gpkg", "--extent", "mined", "--threshold", "0.5"], "has no score"),
    ],
)
def test_what_is_not_understood_is_named(command, words, said, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    plain = squares(*PLACES)
    plain.to_file("plain.gpkg")
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    plain.set_geometry([bow, bow], crs=4326).to_file("bow.gpkg")
    plain.set_geometry(shapely.points([[0, 0], [1, 1]]), crs=4326).to_file("dots.gpkg")
    code, told = command("panel", *words, "--out", "p")
    assert code == 2
    assert said in told
    assert "Traceback" not in told


def test_periods_in_cells_and_names() -> None:
    assert period_of(2019) == period_of("2019") == period_of(201900) == period_of(2019.0)
    assert period_of(202503) == period_of("2025-q3") == Period.quarter(2025, 3)
    assert period_of(pd.Timestamp(2019, 1, 1)) == Period.year(2019)
    assert period_in_name("mining_202500_simplified.geojson") == Period.year(2025)
    assert period_in_name("mines_2025-q2_v03.gpkg") == Period.quarter(2025, 2)
    for name in ("m_202502.gpkg", "m_2019-03.gpkg", "m_2019_12.gpkg", "m_2019-03-01.gpkg"):
        with pytest.raises(mt.UserError, match="may be a month; say which period"):
            period_in_name(name)
    for name in ("mines.gpkg", "2020_to_2021.gpkg", "n12020.gpkg"):
        with pytest.raises(mt.UserError, match="say which it is, such as 2021="):
            period_in_name(name)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("amazon_48px_0.50_2023-01-01_2023-12-31.geojson", "2023"),
        ("amazon_48px_0.50_2023-01-01_2024-01-01-dissolved.geojson", "2023"),
        ("amazon_48px_2025-01-01_2025-03-31.geojson", "2025-q1"),
        ("m_2024-02-01_to_2024-02-29.gpkg", "2024-02"),
        ("amazon_cumulative2018-2023.geojson", "2023"),
    ],
)
def test_days_in_a_name_and_years_up_to_one(name: str, label: str) -> None:
    assert period_in_name(name).label == label


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("m_2018-2023.geojson", "such as 2023=m_2018-2023.geojson or 2018=m_2018"),
        ("m_2024-03.gpkg", "such as 2024=m_2024"),
        ("m_2024-02-01_2024-07-15.gpkg", "such as 2024=m_2024"),
        ("m_2024-02-01_2024-02-31.gpkg", "such as 2024=m_2024"),
    ],
)
def test_a_name_that_leaves_it_open_is_answered_with_its_own_year(name: str, remedy: str) -> None:
    with pytest.raises(mt.UserError, match=remedy):
        period_in_name(name)


def test_told_increments_are_not_tallied_as_all_that_is_mined(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for year, place in zip((2020, 2021), PLACES, strict=True):
        told = squares(place, **{"Mined area (ha)": [80.0]})
        told.to_file(tmp_path / f"a_{year}.geojson")
    files = tmp_path / "a_2020.geojson", tmp_path / "a_2021.geojson"
    code, said = command("tally", *files, "--out", tmp_path / "t")
    assert code == 2
    assert "give --counts new" in said
    assert not (tmp_path / "t").exists()
    code, said = command("tally", *files, "--out", tmp_path / "t", "--counts", "new", "--format",
                         "html", "--by", files[0], "--id", "ISO3")  # fmt: skip
    assert code == 2
    assert f"{files[0]}: no column 'ISO3'" in said


def test_a_run_says_no_mine_as_far_as_its_region_goes(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    squares(*PLACES).to_file(tmp_path / "a_2020.gpkg")
    run = tmp_path / "p"
    code, said = command("panel", tmp_path / "a_2020.gpkg", "--extent", "mined", "--out", run,
                         "--table-only")  # fmt: skip
    assert code == 0, said
    (run / "run.json").write_text("{}")
    squares((-60.1, -5.1), side=0.3).to_file(run / "region.geojson")
    corners = (-60.01, -5.05), (-59.9, -5.0), (20.0, 0.0)
    squares(*corners, side=0.08, code=["mine", "near", "far"]).to_file(tmp_path / "by.gpkg")
    table = mt.tally(run, tmp_path / "by.gpkg", id="code").set_index("territory")
    assert table.state[:3].to_dict() == {"mine": "sites", "near": "none found", "far": "not looked"}
    assert table.present_ha["near"] == 0
    assert np.isnan(table.present_ha["far"])
    assert set(mt.tally(run)["territory"].dropna()) == {"BRA"}


def test_by_country_only_what_a_site_touches_by_name(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    squares(*PLACES).to_file(tmp_path / "a_2020.gpkg")
    code, said = command("tally", tmp_path / "a_2020.gpkg", "--extent", "mined", "--format", "html",
                         "--out", tmp_path)  # fmt: skip
    assert code == 0, said
    rows = said.splitlines()
    assert rows[0] == "period 2020, the last of 1"
    assert [row.split()[0] for row in rows[1:6]] == [
        "territory", "BRA", "together", "outside", "total"
    ]  # fmt: skip
    assert "Brazil" in rows[2]
    assert "<title>Mining by country</title>" in (tmp_path / "tallies.html").read_text()


@pytest.mark.browser
def test_the_ranked_page_opens_offline(command, browser, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    squares(*PLACES).to_file(tmp_path / "a_2020.gpkg")
    squares(PLACES[0], side=0.02).to_file(tmp_path / "a_2021.gpkg")
    corners = (-60.03, -5.1), (-60.2, -5.1), (20.0, 0.0)
    by = squares(*corners, side=0.17, code=["<b>E</b>", "W", "far"])
    by.to_file(tmp_path / "units.gpkg")
    code, said = command("tally", tmp_path / "a_2020.gpkg", tmp_path / "a_2021.gpkg", "--extent",
                         "mined", "--by", tmp_path / "units.gpkg", "--id", "code", "--format",
                         "html", "--out", tmp_path)  # fmt: skip
    assert code == 0, said
    page, wrong = browser.new_page(), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.extend([request.url] * ("http" in request.url[:4])))
    page.goto((tmp_path / "tallies.html").as_uri(), timeout=90_000)
    rows = page.locator("#rows tr td:first-child")
    assert rows.all_inner_texts() == ["<b>E</b>", "W", "far"]
    assert "no site given" in page.locator("#rows").inner_text()
    page.select_option("#period", "0")
    page.click("thead button >> text=Territory")
    assert page.locator("#rows td.number").first.get_attribute("data-hectares") is not None
    assert page.locator("tr.total td").first.inner_text() == "All"
    page.close()
    assert wrong == []


def test_drawn_outlines_are_said_to_be_given_not_mapped(command, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    files = [tmp_path / f"drawn_{year}.geojson" for year in (2020, 2021)]
    for file in files:
        squares(*PLACES).to_file(file)
    code, said = command("panel", *files, "--extent", "mined", "--countries", "none",
                         "--out", tmp_path / "p")  # fmt: skip
    assert code == 0, said
    whose = "as given in drawn_2020.geojson, drawn_2021.geojson"
    assert f'"given":"{whose}"' in (tmp_path / "p/map/data.js").read_text()
    credit = _credit(RunViews.open(tmp_path / "p"))
    assert credit.startswith(f"Outlines {whose}. Hectares of mined ground are geodesic, ")
    assert "minetrace" not in credit
    code, said = command("panel", *files, "--out", tmp_path / "q")
    assert code == 2
    assert "--extent mined" in said
    code, said = command("panel", *files, "--extent", "mined", "--out", files[0])
    assert (code, "drawn_2020.geojson: is a file; give a folder with --out" in said) == (2, True)
    code, said = command("tally", tmp_path / "nowhere")
    assert (code, "nowhere: no such run, panel or file of outlines" in said) == (2, True)
