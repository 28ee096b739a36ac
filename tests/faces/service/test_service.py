"""The service over a run of the world: it says what the folder says."""

from __future__ import annotations

import gzip
import json
import shutil
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from shapely.geometry import Point, box, mapping

from conftest import Service
from minetrace.core.footprints import geodesic_hectares
from minetrace.faces.api.cql2 import matching
from minetrace.faces.api.refusals import BadQueryError
from minetrace.faces.api.safety import Safety
from minetrace.faces.api.shelf import Shelf
from minetrace.faces.api.where import parse_bbox
from minetrace.flow.ask_model import StoredPicture
from minetrace.flow.drawn import statistics
from minetrace.flow.entering import Choice
from minetrace.flow.panel_folder import PanelRequest, make_panel
from minetrace.flow.published import Published
from minetrace.flow.published_tally import tally_of
from minetrace.panel.drawn import shares_inside
from minetrace.publish.pmtiles import Place
from minetrace.publish.pmtiles_reader import Tiles
from minetrace.store.coarse import Header, read_onto
from minetrace.store.outlines import read_table

ITEMS = "/api/collections/oro-manso-panel/items"


@pytest.fixture(scope="module")
def panel(service: Service) -> gpd.GeoDataFrame:
    return read_table(service.root / "panel.parquet")


def decoded(picture: bytes) -> Any:
    """Pixels of a picture, which has no place of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(picture) as memory, memory.open() as image:
            return image.read()


def paths(links: list[dict[str, str]], rel: str) -> list[str]:
    found = [urlsplit(link["href"]) for link in links if link["rel"] == rel]
    return [f"{url.path}?{url.query}" if url.query else url.path for url in found]


def test_pages_hold_every_row_once_in_order(service: Service, panel: gpd.GeoDataFrame) -> None:
    ids: list[str] = []
    following = [f"{ITEMS}?limit=7"]
    while following:
        page = service.get(following[0]).json()
        assert page["numberMatched"] == len(panel)
        ids += [feature["id"] for feature in page["features"]]
        following = paths(page["links"], "next")
    rows = panel.assign(id=panel.site_id + "." + panel.period)
    assert ids == sorted(rows.id)
    assert service.get(f"{ITEMS}/{ids[3]}").json()["id"] == ids[3]


def test_features_say_what_the_panel_says(service: Service, panel: gpd.GeoDataFrame) -> None:
    told = service.get(f"{ITEMS}?limit=1000")
    assert told.headers["content-type"] == "application/geo+json"
    table = panel.set_index(panel.site_id + "." + panel.period)
    for feature in told.json()["features"]:
        row = table.loc[feature["id"]]
        own = feature["properties"]
        assert own["interval"] == "mapped, no interval"
        assert own["area_ha"] == (None if np.isnan(row.area_ha) else row.area_ha)
        if row.geometry is None:
            assert feature["geometry"] is None
        else:
            assert shapely.equals_exact(shapely.geometry.shape(feature["geometry"]), row.geometry)


def test_what_was_not_looked_at_is_found_where_its_site_is(
    service: Service, panel: gpd.GeoDataFrame
) -> None:
    blind = panel[panel.event == "not_looked"]
    site = blind.site_id.iloc[0]
    around = panel[(panel.site_id == site) & panel.geometry.notna()].total_bounds
    found = service.get(f"{ITEMS}?bbox={','.join(map(str, around))}&event=not_looked").json()
    assert site in {f["properties"]["site_id"] for f in found["features"]}


@pytest.mark.parametrize(
    ("when", "labels"),
    [("2021-01-01", {"2021"}), ("2020-12-31T23:59:59Z", {"2020"}), ("../2020-06-01", {"2020"}),
     ("2020-07-01/2021-01-01", {"2020", "2021"}), ("2022-01-01/..", {"2022"}),
     ("2030-01-01", set())],
)  # fmt: skip
def test_periods_are_half_open(service: Service, when: str, labels: set[str]) -> None:
    found = service.get(f"{ITEMS}?limit=1000&datetime={when}").json()["features"]
    assert {f["properties"]["period"] for f in found} == labels


@pytest.mark.parametrize(
    ("text", "query"),
    [("area_ha > 0.5", "area_ha > 0.5"), ("NOT area_ha > 0.5", "area_ha <= 0.5"),
     ("area_ha IS NULL OR period = '2020'", "area_ha.isna() or period == '2020'"),
     ("event IN ('grows','appears') AND area_ha BETWEEN 0.1 AND 2",
      "event in ('grows', 'appears') and 0.1 <= area_ha <= 2"),
     ("event NOT IN ('not_looked')", "event.notna() and event != 'not_looked'"),
     ("start >= DATE('2021-01-01')", "start >= '2021-01-01'"),
     ("event LIKE 'not%'", "event == 'not_looked'"), ("2 < area_ha", "area_ha > 2"),
     ("(period='2020' OR period='2021') AND NOT (event = 'absent')",
      "period in ('2020', '2021') and event.notna() and event != 'absent'"),
     ("TRUE", "period == period")],
)  # fmt: skip
def test_filters_agree_with_pandas(
    service: Service, panel: gpd.GeoDataFrame, text: str, query: str
) -> None:
    found = service.get(ITEMS, params={"filter": text, "limit": 1}).json()
    assert found["numberMatched"] == len(panel.drop(columns="geometry").query(query))


@pytest.mark.parametrize(
    "text",
    ["", "area_ha >", "area_ha > 'x'", "nothing = 1", "area_ha = 1; DROP TABLE", "(" * 500,
     "x" * 3000, "area_ha NOT 3", "period LIKE 3", "start > 3", "start = DATE('soon')", "IN",
     "'a' = 'a'", "()"],
)  # fmt: skip
def test_filters_that_cannot_be_read_say_so(service: Service, text: str) -> None:
    assert service.get(ITEMS, params={"filter": text}).status_code == 400


def _liked(pattern: str, text: str) -> bool:
    """LIKE as the grammar says it, without any regular expression."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(_liked(pattern[1:], text[k:]) for k in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and _liked(pattern[1:], text[1:])


@given(st.text("ab_%", max_size=7), st.text("ab\n", max_size=7))
def test_like_means_what_it_says(pattern: str, text: str) -> None:
    column = {"name": pd.Series([text])}
    assert matching(f"name LIKE '{pattern}'", column, 1).tolist() == [_liked(pattern, text)]


def test_a_filter_cannot_keep_the_service_at_work() -> None:
    """A backtracking pattern takes four seconds for 12 joints of 29 letters, years for these."""
    column, began = {"name": pd.Series(["ab" * 200] * 100)}, time.perf_counter()
    assert not matching(f"name LIKE '{'%_' * 100}%a%!'", column, 100).any()
    assert time.perf_counter() - began < 60


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_filters(text: str) -> None:
    with suppress(BadQueryError):
        matching(text, {}, 0)


@pytest.mark.parametrize(
    "query",
    ["bbox=1,2,3", "bbox=a,b,c,d", "bbox=0,5,0,-5", "bbox=nan,0,1,1", "datetime=soon", "limit=0",
     "datetime=2021-01-02/2021-01-01", "datetime=../..", "offset=-1", "color=red", "limit=x",
     "filter-lang=cql2-json"],
)  # fmt: skip
def test_questions_that_are_none_get_400(service: Service, query: str) -> None:
    answer = service.get(f"{ITEMS}?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("3,4,3,4", (3, 4), (3.1, 4)), ("3,4,3,5", (3, 4.5), (3.1, 4.5)),
     ("170,-1,-170,1", (-175, 0), (0, 0)), ("180,-1,-180,1", (180, 0), (0, 0)),
     ("-180,-90,180,90", (0, 0), None), ("3,4,0,5,6,9", (4, 5), (5.5, 5))],
)  # fmt: skip
def test_boxes_may_shrink_and_cross_the_date_line(text: str, inside: Any, outside: Any) -> None:
    ground = parse_bbox(text)
    assert ground.is_valid
    assert ground.intersects(Point(inside))
    assert outside is None or not ground.intersects(Point(outside))


def test_a_box_that_is_none_says_what_is_wrong_with_it() -> None:
    for text, words in (("0,5,0,-5", "south must not"), ("-200,0,1,1", "within -180 and 180"),
                        ("inf,0,1,1", "in degrees"), ("a", "is not west")):  # fmt: skip
        with pytest.raises(BadQueryError, match=words):
            parse_bbox(text)


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"{}", b""])
def test_pictures_that_are_no_geotiff_hear_what_is_read(service: Service, start: bytes) -> None:
    for path in ("predict", "predict/picture"):
        for kind in ("image/png", "application/zip", "image/tiff"):
            answer = service.post(f"/api/runs/oro-manso/{path}", content=start + bytes(64),
                                  headers={"content-type": kind})  # fmt: skip
            assert answer.status_code in (415, 422)
            assert "GeoTIFF" in answer.json()["detail"]


def test_an_answer_is_sent_once(service: Service) -> None:
    first = service.get(ITEMS)
    again = service.get(ITEMS, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content
    plain = service.get(ITEMS, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == first.json()


def test_what_is_kept_is_told_as_it_was_to_each_by_the_name_that_they_called(
    service: Service,
) -> None:
    path = f"{ITEMS}?limit=2&offset=1"
    first, again = service.get(path), service.get(path)
    assert (again.content, again.headers) == (first.content, first.headers)
    assert "content-security-policy" in again.headers
    other = service.get(path, headers={"host": "127.0.0.1:8000"}).json()
    assert all(link["href"].startswith("http://127.0.0.1:8000/") for link in other["links"])
    assert other["features"] == first.json()["features"]
    assert service.post(path, json={}).status_code == 405


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=60))
def test_a_shelf_keeps_to_its_budget_and_what_was_asked_for_last(
    things: list[tuple[int, int]],
) -> None:
    shelf = Shelf[bytes](100, len)
    for key, size in things:
        shelf.put(key, bytes(size))
        kept = {k: found for k in range(10) if (found := shelf.get(k)) is not None}
        assert shelf.bytes == sum(map(len, kept.values())) <= 100
        assert size > 10 or kept[key] == bytes(size)


def test_a_polygon_around_everything_says_what_the_panel_says(
    service: Service, panel: gpd.GeoDataFrame
) -> None:
    whole = mapping(box(*panel.total_bounds).buffer(0.01))
    told = service.post("/api/runs/oro-manso/statistics", json=whole).json()
    for row in told["periods"]:
        rows = panel[panel.period == row["period"]]
        assert row["interval"] == "mapped, no interval"
        if row["period"] == "2022":
            assert (row["area_ha"], row["sites_not_looked"]) == (None, len(rows))
        else:
            assert row["area_ha"] == pytest.approx(rows.area_ha.sum(), abs=1e-5)
            assert row["sites"] == rows.geometry.notna().sum()
    assert told["polygon_ha"] == pytest.approx(
        geodesic_hectares(np.array([shapely.geometry.shape(whole)]), "EPSG:4326")[0], abs=1e-3
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0.05, 0.95), across=st.booleans())
def test_two_halves_make_the_whole(
    service: Service, panel: gpd.GeoDataFrame, cut: float, across: bool
) -> None:
    west, south, east, north = panel.total_bounds
    x, y = west + cut * (east - west), south + cut * (north - south)
    halves = (
        (box(west, south, x, north), box(x, south, east, north)) if across
        else (box(west, south, east, y), box(west, y, east, north))
    )  # fmt: skip
    shapes = panel.geometry[panel.geometry.notna()].to_numpy()
    parts = [shares_inside(shapes, half) for half in halves]
    assert np.allclose(parts[0] + parts[1], 1.0, atol=1e-7)


def test_looks_inside_a_polygon_are_those_of_the_scores(service: Service) -> None:
    published = service.app.state.service.runs["oro-manso"]
    region = published.views.region
    told = {row["period"]: row["looked_share"] for row in statistics(published, region)["periods"]}
    for label, share in published.views.looked.items():
        assert told[label] == pytest.approx(share, abs=0.01)


def test_outside_the_region_nobody_looked_even_if_no_scores_were_handed_on(
    service: Service, tmp_path: Path
) -> None:
    for name in ("panel.parquet", "region.geojson", "study.yaml", "datacard.json"):
        shutil.copy(service.root / name, tmp_path)
    told = statistics(Published.open(tmp_path, name="bare"), box(10, 10, 10.01, 10.01))
    assert told["region_share"] == 0
    assert {(row["area_ha"], row["looked_share"]) for row in told["periods"]} == {(None, 0.0)}


def test_a_panel_of_files_tells_hectares_of_outlines_and_of_nothing_else(tmp_path: Path) -> None:
    """Nobody said that they looked: ground without an outline has no hectares rather than none."""
    first, later = box(-60.02, -5.01, -60.0, -5.0), box(-60.0, -5.01, -59.98, -5.0)
    for year, shape in ((2020, first), (2021, later)):
        gpd.GeoDataFrame(geometry=[shape], crs=4326).to_file(tmp_path / f"{year}.geojson")
    inputs = [f"{year}={tmp_path / f'{year}.geojson'}" for year in (2020, 2021)]
    asked = PanelRequest(inputs, choice=Choice(extent="mined"), everything=False)
    make_panel(asked, tmp_path / "panel")
    published = Published.open(tmp_path / "panel", name="files")
    half = box(-60.01, -6, -60.0, -4)
    told = statistics(published, half)["periods"]
    ha = geodesic_hectares(np.array([shapely.intersection(first, half)]), "EPSG:4326")[0]
    assert [row["area_ha"] for row in told] == [pytest.approx(ha, rel=1e-6), 0.0]
    away = statistics(published, box(10, 10, 11, 11))["periods"]
    assert {(row["area_ha"], row["looked_share"]) for row in away} == {(None, None)}


def test_namibia_is_no_gap(service: Service, tmp_path: Path) -> None:
    published = service.app.state.service.run("oro-manso")
    (tmp_path / "tallies.csv").write_text("territory,period,present_ha\nNA,2021,\n,2021,3\n")
    told = tally_of(replace(published, files={"tallies.csv": tmp_path / "tallies.csv"}))
    assert told[0]["territory"] == "NA"
    assert pd.isna([told[0]["present_ha"], told[1]["territory"]]).all()


@pytest.mark.parametrize(
    "shape",
    [{"type": "Point", "coordinates": [0, 0]}, {"type": "Polygon", "coordinates": []},
     {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
     {"type": "Polygon", "coordinates": [[[0, 0], [0, 0], [0, 0], [0, 0]]]},
     {"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [1, 0], ["a", 0]]]},
     {"type": "Polygon", "coordinates": [[[0, 0], [1e400, 1], [1, 0], [0, 0]]]},
     {"type": "Polygon", "coordinates": [[[500, 0], [501, 1], [501, 0], [500, 0]]]},
     {"type": "Polygon", "coordinates": {"a": 1}}, {"type": "Polygon"}, {}, [], "x", None,
     {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": "x"}},
     {"type": "Polygon", "coordinates": [[[x / 1e5, 0] for x in range(20000)]]}],
)  # fmt: skip
def test_hostile_polygons_are_refused(service: Service, shape: Any) -> None:
    text = json.dumps(shape).replace("Infinity", "1e400")
    answer = service.post("/api/runs/oro-manso/statistics", content=text,
                          headers={"content-type": "application/json"})  # fmt: skip
    assert answer.status_code in (400, 422), answer.text
    nested = "[" * 100_000
    assert service.post("/api/runs/oro-manso/statistics", content=nested).status_code == 400


def test_history_and_tallies(service: Service, panel: gpd.GeoDataFrame) -> None:
    site = panel.site_id.iloc[0]
    told = service.get(f"/api/runs/oro-manso/sites/{site}").json()
    assert [row["period"] for row in told["periods"]] == ["2020", "2021", "2022"]
    assert service.get("/api/runs/oro-manso/sites/nobody").status_code == 404
    rows = service.get("/api/runs/oro-manso/tallies").json()["rows"]
    present = sum(
        r["present_ha"] for r in rows if r["period"] == "2021" and r["part"] == "territory"
    )
    assert present == pytest.approx(panel[panel.period == "2021"].area_ha.sum(), rel=1e-4)


def test_vector_tiles_hold_the_outlines_and_are_the_archives(service: Service) -> None:
    told = service.get("/tiles/oro-manso/panel.json").json()
    names = {layer["id"] for layer in told["vector_layers"]}
    assert {"dots", "outlines-2020", "outlines-2021"} <= names
    west, south, east, north = told["bounds"]
    z = told["maxzoom"]
    x = int(((west + east) / 2 + 180) / 360 * 2**z)
    lat = np.radians((south + north) / 2)
    y = int((0.5 - np.arcsinh(np.tan(lat)) / (2 * np.pi)) * 2**z)
    tile = service.get(f"/tiles/oro-manso/panel/{z}/{x}/{y}.mvt")
    assert tile.status_code == 200
    assert b"outlines-2021" in tile.content
    whole = service.get("/tiles/oro-manso/panel.pmtiles").content
    path = service.root.parent / "copy.pmtiles"
    path.write_bytes(whole)
    archive = Tiles(path)
    packed = archive.tile(Place(z, x, y))
    assert packed is not None
    assert gzip.decompress(packed) == tile.content
    archive.close()
    part = service.get("/tiles/oro-manso/panel.pmtiles", headers={"range": "bytes=0-6"})
    assert (part.status_code, part.content) == (206, b"PMTiles")
    assert service.get(f"/tiles/oro-manso/panel/{z}/0/0.mvt").status_code == 204
    assert service.get("/tiles/oro-manso/panel/1/2/0.mvt").status_code == 404


def test_pictures_are_pictures_and_transparent_where_nobody_looked(service: Service) -> None:
    for kind in ("composites", "scores"):
        told = service.get(f"/tiles/oro-manso/{kind}/2021.json").json()
        west, south, east, north = told["bounds"]
        x = int(((west + east) / 2 + 180) / 360 * 2**14)
        lat = np.radians((south + north) / 2)
        y = int((0.5 - np.arcsinh(np.tan(lat)) / (2 * np.pi)) * 2**14)
        answer = service.get(f"/tiles/oro-manso/{kind}/2021/14/{x}/{y}.png")
        assert answer.headers["content-type"] == "image/png"
        pixels = decoded(answer.content)
        assert pixels.shape == (4, 256, 256)
        assert pixels[3].any()
        assert service.get(f"/tiles/oro-manso/{kind}/2021/2/0/0.png").status_code == 404
        assert service.get(f"/tiles/oro-manso/{kind}/1999/14/{x}/{y}.png").status_code == 404


def test_every_link_of_the_catalog_leads_somewhere(service: Service) -> None:
    seen, waiting = set(), ["/stac", "/api"]
    while waiting and len(seen) < 60:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = service.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        if "json" not in answer.headers["content-type"]:
            continue
        thing = answer.json()
        for one in (thing, *thing.get("collections", ()), *thing.get("features", ())):
            hrefs = [link["href"] for link in one.get("links", ()) if link.get("method") != "POST"]
            hrefs += [asset["href"] for asset in one.get("assets", {}).values()]
            for url in map(urlsplit, hrefs):
                waiting.append(f"{url.path}?{url.query}" if url.query else url.path)


def test_a_search_finds_what_is_there(service: Service) -> None:
    asked = {"collections": ["oro-manso-composites"], "datetime": "2021-05-05T00:00:00Z"}
    found = service.post("/stac/search", json=asked).json()
    assert found["numberMatched"] > 0
    item = found["features"][0]
    assert item["properties"]["start_datetime"].startswith("2021")
    stored = service.get(urlsplit(item["assets"]["data"]["href"]).path).content
    with MemoryFile(stored) as memory, memory.open() as image:
        assert "red" in image.descriptions
    none = service.post("/stac/search", json={"intersects": mapping(box(0, 0, 1, 1))}).json()
    assert none["numberMatched"] == 0
    bad = {"intersects": {"type": "Polygon", "coordinates": [[["x"]]]}}
    assert service.post("/stac/search", json=bad).status_code == 400


def test_the_model_says_what_the_run_says(service: Service) -> None:
    published = service.app.state.service.runs["oro-manso"]
    headers = published.views.scores["2021"]
    region = published.views.region.centroid.buffer(0.002)
    west, south, east, north = region.bounds
    told = service.post("/api/runs/oro-manso/predict", json={
        "period": "2021", "bbox": [west, south, east, north]}).json()  # fmt: skip
    from minetrace.flow.ask_model import about_area

    frame = about_area(published, "2021", box(west, south, east, north)).picture
    values = read_onto(headers, (1,), frame.grid, frame.frame, smooth=False)[0]
    assert told["cells"] == list(values.shape)
    assert told["score_max"] == pytest.approx(np.nanmax(values) / 1e4, abs=1e-4)
    assert told["score_mean"] == pytest.approx(np.nanmean(values) / 1e4, abs=1e-4)
    large = {"period": "2021", "bbox": [-71, -13, -70, -12]}
    assert service.post("/api/runs/oro-manso/predict", json=large).status_code == 422


def picture(side: int, *, bands: int = 6) -> bytes:
    names = ("blue", "green", "red", "nir", "swir16", "swir22")
    with MemoryFile() as memory:
        profile = {"driver": "GTiff", "count": bands, "dtype": "uint16", "height": side,
                   "width": side, "crs": "EPSG:32719", "compress": "deflate",
                   "transform": rasterio.Affine(10, 0, 350000, 0, -10, 8580000)}  # fmt: skip
        with memory.open(**profile) as image:
            image.write(np.full((bands, side, side), 1500, np.uint16))
            image.descriptions = names[:bands]
            image.scales = (1e-4,) * bands
        return bytes(memory.read())


def upload(service: Service, content: bytes, media: str = "image/tiff", **more: Any) -> Any:
    return service.post("/api/runs/oro-manso/predict/picture", content=content,
                        headers={"content-type": media}, **more)  # fmt: skip


def test_the_model_looks_at_the_zone_in_which_the_area_lies() -> None:
    """Two tiles of one run, on both sides of 6 degrees east."""
    west = Header(Path("w"), "EPSG:32631", (690_000, 0, 720_000, 30_000), 10.0, 0.0, ("red",))
    east = Header(Path("e"), "EPSG:32632", (280_000, 0, 310_000, 30_000), 10.0, 0.0, ("red",))
    for lon, crs in ((4.8, "EPSG:32631"), (7.1, "EPSG:32632")):
        for headers in ((west, east), (east, west)):
            asked = StoredPicture(headers, box(lon, 0.1, lon + 0.01, 0.11))
            assert asked.grid.crs == crs


def test_pictures_are_scored_or_refused(service: Service) -> None:
    answer = upload(service, picture(64))
    assert answer.status_code == 200, answer.text
    assert answer.json()["cells"] == [64, 64]
    bomb = picture(6000, bands=1)  # 72 MB in less than half a megabyte
    assert len(bomb) < 400_000
    vrt = (
        b'<VRTDataset rasterXSize="1" rasterYSize="1"><SourceFilename>/etc/passwd</SourceFilename>'
    )
    for content in (
        bomb,
        vrt,
        b"",
        b"II*\0" + b"x" * 100,
        picture(64)[:300],
        b"PK\3\4" + b"0" * 99,
    ):
        refused = upload(service, content)
        assert refused.status_code == 422, refused.text
        assert "minetrace-chip" not in refused.text
    assert upload(service, picture(64), "text/plain").status_code == 415
    assert upload(service, b"x" * (9 << 20)).status_code == 413


def test_computing_for_others_needs_a_token(service: Service) -> None:
    far = Safety(names=("localhost",))
    asked = {"period": "2021", "bbox": [-70.4, -12.8, -70.39, -12.79]}
    assert service.post("/api/runs/oro-manso/predict", json=asked, safety=far).status_code == 401
    assert upload(service, picture(64), safety=far).status_code == 401
    assert service.get(ITEMS, safety=far).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/runs/oro-manso/../../../etc/passwd", "/runs/oro-manso/%2e%2e/%2e%2e/etc/passwd",
     "/runs/oro-manso/..%2f..%2fetc%2fpasswd", "/runs/oro-manso//etc/passwd",
     "/runs/oro-manso/index.sqlite", "/runs/oro-manso/run.json", "/runs/oro-manso/%00",
     "/tools/..%2f..%2fcli%2fserve.py", "/runs/oro-manso/scores/../run.json"],
)  # fmt: skip
def test_no_path_reaches_the_disk(service: Service, path: str) -> None:
    assert service.get(path).status_code == 404


def test_a_link_that_leads_out_is_not_followed(service: Service, tmp_path: Any) -> None:
    from minetrace.flow.published import Published

    out = tmp_path / "run"
    out.mkdir()
    (out / "panel.parquet").symlink_to(service.root / "panel.parquet")
    (out / "panel.json").write_text("{}")
    (out / "datacard.md").write_text("# card")
    assert set(Published.open(out, name="run").files) == {"datacard.md"}
