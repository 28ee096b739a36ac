"""The static map, as data and in a real browser."""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from shapely.affinity import scale
from shapely.geometry import Point, Polygon, box

from minetrace.core.period import Period
from minetrace.errors import OutlineError, PeriodError
from minetrace.publish.map import Picture, palette, true_colour, write_map

YEARS = tuple(range(2019, 2025))
BLIND = 2022
WEST, SOUTH, EAST, NORTH = -70.10, -12.90, -69.90, -12.72
NASTY = "<img src=x onerror=alert(1)>"


def blob(rng: np.random.Generator, x: float, y: float, radius: float) -> Polygon:
    """A ragged round outline."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    waves = sum(
        rng.uniform(0, 0.28 / k) * np.sin(k * angle + rng.uniform(0, 6)) for k in range(2, 6)
    )
    reach = radius * (1 + waves)
    return Polygon(np.c_[x + reach * np.cos(angle), y + reach * np.sin(angle)])


def hectares(shape: Polygon) -> float:
    return float(shape.area * 111_320**2 * math.cos(math.radians(12.8)) / 1e4)


def fake_panel(count: int, *, seed: int = 3) -> gpd.GeoDataFrame:
    """Sites along a river that begin in some year and grow; one year was not looked at."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for s in range(count):
        t = rng.uniform(0.05, 0.95)
        x = WEST + t * (EAST - WEST)
        y = river(np.array([t]))[0] * (NORTH - SOUTH) + SOUTH + rng.normal(0, 0.006)
        first = int(rng.choice([2019, 2019, 2020, 2021, 2023, 2024]))
        ends = int(rng.choice([2024, 2024, 2024, 2023]))
        shape = blob(rng, x, y, rng.lognormal(-6.75, 0.45))
        for year in YEARS:
            looked = year != BLIND
            alive = looked and first <= year <= max(first, ends)
            size = 0.7 + 0.13 * (year - first)
            outline = scale(shape, size, size) if alive else None
            event = "appears" if year == first else "grows" if alive else "absent"
            rows.append(
                {
                    "site_id": f"{first}-{s:03d}",
                    "period": str(year),
                    "start": pd.Timestamp(year, 1, 1),
                    "end": pd.Timestamp(year + 1, 1, 1),
                    "geometry": outline,
                    "extent": "mined",
                    "area_ha": (hectares(outline) if outline else 0.0) if looked else np.nan,
                    "score_mean": rng.uniform(0.6, 0.9) if alive else np.nan,
                    "score_max": rng.uniform(0.9, 1.0) if alive else np.nan,
                    "looked_share": rng.uniform(0.9, 1.0) if looked else 0.0,
                    "event": event if looked else "not_looked",
                    "parents": [],
                    "first_period": str(first),
                    "first_p": np.nan,
                    "last_period": str(max(first, ends)),
                    "last_p": np.nan,
                    "verified": None,
                }
            )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")


def river(t: np.ndarray) -> np.ndarray:
    return 0.5 + 0.22 * np.sin(5.2 * t) + 0.06 * np.sin(17 * t + 1)


def fake_picture(panel: gpd.GeoDataFrame, year: int, side: int) -> Picture:
    """Forest, a river, bare ground where there are mines, and clouds that let nothing through."""
    rng = np.random.default_rng(5)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1

    def noise(power: float) -> np.ndarray:
        wave = np.fft.rfft2(rng.normal(size=(side, side))) / frequency**power
        wave[0, 0] = 0
        field = np.fft.irfft2(wave, s=(side, side))
        return field / field.std()

    crown, relief, drift = noise(0.4), noise(1.4), noise(1.7)
    cloud = np.roll(drift, (year - 2019) * side // 6, axis=1)
    t = (np.arange(side) + 0.5) / side
    y = 1 - t[:, None]
    from_river = np.abs(y - river(t)[None])
    forest = 1 + 0.10 * crown + 0.08 * relief
    water = from_river < 0.011 + 0.003 * relief
    bands = []
    lon, lat = WEST + t * (EAST - WEST), NORTH - t * (NORTH - SOUTH)
    here = panel[(panel.period == str(year)) & panel.geometry.notna()]
    xx, yy = np.meshgrid(lon, lat)
    bare = np.asarray(shapely.contains_xy(here.geometry.union_all(), xx, yy))
    for green, brown, soil in ((270, 1250, 2500), (480, 1050, 2050), (250, 700, 1500)):
        band = np.where(water, brown, green * forest)
        band = np.where(bare, soil * (1 + 0.16 * crown), band)
        bands.append(np.round(band).astype(np.int16))
    valid = cloud < 1.7
    share = float(valid.mean())
    data = true_colour(bands[0], bands[1], bands[2], valid, max_px=side)
    lean = 0.0006  # a UTM tile is not quite upright in longitude and latitude
    corners = ((WEST, NORTH), (EAST, NORTH + lean), (EAST + lean, SOUTH), (WEST + lean, SOUTH))
    return Picture(str(year), data, "image/webp", corners, share)


def write_fake(folder: Path, panel: gpd.GeoDataFrame, *, side: int, title: str) -> Path:
    periods = [Period.year(year) for year in YEARS]
    pictures = {str(y): [fake_picture(panel, y, side)] for y in YEARS if y != BLIND}
    summary = []
    for year in YEARS:
        rows = panel[panel.period == str(year)]
        looked = year != BLIND
        summary.append(
            {
                "period": str(year),
                "sites": int(rows.geometry.notna().sum()),
                "area_ha": rows.area_ha.sum() if looked else np.nan,
                "looked_share": pictures[str(year)][0].looked_share if looked else 0.0,
            }
        )
    inset = 0.012
    region = box(WEST + inset, SOUTH + inset, EAST - inset, NORTH - inset)
    region = region.difference(Point(WEST, SOUTH).buffer(0.06))
    provenance = {
        "model": "spectral 1 (bare soil, vegetation, turbid water)",
        "source": "Sentinel-2 L2A, median of 6 dates a year",
        "version": "minetrace 0.1.0",
        "attribution": "Contains modified Copernicus Sentinel data 2019–2024",
    }
    return write_map(
        folder,
        title=title,
        panel=panel,
        periods=periods,
        pictures=pictures,
        region=region,
        provenance=provenance,
        summary=summary,
    )


# --- what the page is told ---------------------------------------------------------------


def told(folder: Path) -> dict[str, Any]:
    text = (folder / "data.js").read_text(encoding="ascii")
    return json.loads(text.removeprefix("window.minetraceData=").rstrip().removesuffix(";"))


@pytest.fixture(scope="module")
def panel() -> gpd.GeoDataFrame:
    return fake_panel(24)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, panel: gpd.GeoDataFrame) -> Path:
    folder = tmp_path_factory.mktemp("run") / "map"
    assert write_fake(folder, panel, side=128, title=f"Oro Manso {NASTY}") == folder / "index.html"
    return folder


def test_hectares_and_their_cohorts_are_those_of_the_panel(
    written: Path, panel: gpd.GeoDataFrame
) -> None:
    data = told(written)
    for period in data["periods"]:
        rows = panel[panel.period == period["label"]]
        if period["label"] == str(BLIND):
            assert period["hectares"] is None
            assert period["cohorts"] is None
            continue
        assert period["hectares"] == pytest.approx(rows.area_ha.sum(), abs=1e-5)
        by_first = rows.groupby("first_period").area_ha.sum()
        for label, part in zip((str(y) for y in YEARS), period["cohorts"], strict=True):
            assert part == pytest.approx(by_first.get(label, 0.0), abs=1e-3)


def test_not_looked_is_neither_zero_nor_seen(written: Path) -> None:
    place = str(YEARS.index(BLIND))
    for site in told(written)["sites"]:
        assert site["rows"][place]["seen"] is False
        assert site["rows"][place]["ha"] is None
        looked = [row for at, row in site["rows"].items() if at != place]
        assert all(row["seen"] and row["ha"] is not None for row in looked)


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_temporary(
    written: Path, panel: gpd.GeoDataFrame
) -> None:
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    (written / "data.js.part").write_bytes(b"a run that was killed here")
    write_fake(written, panel, side=128, title=f"Oro Manso {NASTY}")
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


def test_footprints_keep_their_name(tmp_path: Path, panel: gpd.GeoDataFrame) -> None:
    wide = panel.rename(columns={"area_ha": "footprint_ha"}).assign(extent="footprint")
    year = Period.year(2024)
    rows = wide[wide.period == "2024"]
    write_map(
        tmp_path,
        title="Footprints",
        panel=rows,
        periods=[year],
        pictures={},
        region=box(WEST, SOUTH, EAST, NORTH),
        provenance={},
        summary=[{"period": "2024", "sites": 9, "footprint_ha": 90.5, "looked_share": 1.0}],
    )
    data = told(tmp_path)
    assert data["periods"][0]["kind"] == "footprint"
    assert data["periods"][0]["hectares"] == 90.5
    assert data["periods"][0]["cohorts"] is None  # they do not add up to 90.5, so none are shown
    assert {row["kind"] for site in data["sites"] for row in site["rows"].values()} == {"footprint"}


def test_a_panel_that_cannot_be_shown_is_refused(tmp_path: Path, panel: gpd.GeoDataFrame) -> None:
    rest: dict[str, Any] = {
        "title": "x",
        "pictures": {},
        "region": box(WEST, SOUTH, EAST, NORTH),
        "provenance": {},
        "summary": [],
    }
    periods = [Period.year(year) for year in YEARS]
    with pytest.raises(OutlineError, match="extent"):
        write_map(tmp_path, panel=panel.drop(columns="extent"), periods=periods, **rest)
    with pytest.raises(OutlineError, match="4326"):
        write_map(tmp_path, panel=panel.to_crs(32719), periods=periods, **rest)
    with pytest.raises(PeriodError, match="2024"):
        write_map(tmp_path, panel=panel, periods=periods[:-1], **rest)


@pytest.mark.parametrize("steps", [1, 2, 6, 8, 24])
def test_palette_gets_lighter_step_by_step(steps: int) -> None:
    colours = [bytes.fromhex(colour[1:]) for colour in palette(steps)]
    light = [0.3 * r + 0.59 * g + 0.11 * b for r, g, b in colours]
    assert len(colours) == steps
    assert light == sorted(set(light))


# --- pictures ----------------------------------------------------------------------------


def decoded(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(data) as memory, memory.open() as image:
            return np.asarray(image.read())


def test_true_colour_is_transparent_where_nothing_was_seen() -> None:
    band = np.full((60, 100), 900, dtype=np.int16)
    band[:, :50] = -32768
    valid = band > -32768
    data = true_colour(band, band // 2, band // 3, valid, max_px=50)
    picture = decoded(data)
    assert picture.shape == (4, 30, 50)
    assert (picture[3, :, :24] == 0).all()
    assert (picture[3, :, 26:] == 255).all()
    red, green, blue = picture[:3, :, 40].astype(int)
    assert (red > green).all()
    assert (green > blue).all()


def test_equal_ground_has_an_equal_colour_in_every_picture() -> None:
    rng = np.random.default_rng(1)
    bright = rng.integers(0, 6000, (3, 64, 64)).astype(np.int16)
    dark = (bright // 20).astype(np.int16)
    for bands in (bright, dark):
        bands[:, :32, :32] = 800
    seen = np.ones((64, 64), dtype=bool)
    corners = []
    for bands in (bright, dark):
        data = true_colour(bands[0], bands[1], bands[2], seen, max_px=64)
        corners.append(decoded(data)[:3, 4:20, 4:20].astype(int).mean(axis=(1, 2)))
    assert np.abs(corners[0] - corners[1]).max() <= 3


# --- in a browser ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("MINETRACE_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium: install the package chromium or set MINETRACE_CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


class Visit:
    """A page with everything it asked for and complained about."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1200, "height": 800}, **context}
        )
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("dialog", lambda dialog: self.trouble.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)
        self.page.evaluate("minetrace.ready")

    def state(self) -> dict[str, Any]:
        return dict(self.page.evaluate("({...minetrace.state})"))

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.browser
def test_opens_from_disk_and_asks_for_nothing(written: Path, browser: Any) -> None:
    with Visit(browser, (written / "index.html").as_uri()) as visit:
        for year in YEARS:
            visit.page.evaluate("label => minetrace.setPeriod(label)", str(year))
        assert {url.split(":")[0] for url in visit.requests} <= {"file", "data", "blob"}
        assert visit.page.locator("#title").inner_text() == f"Oro Manso {NASTY}"
        assert visit.trouble == []
        refused = visit.page.evaluate(
            "() => new Promise(resolve => {"
            "  addEventListener('securitypolicyviolation', e => resolve(e.effectiveDirective));"
            "  fetch('https://example.org/').catch(() => {}); })"
        )
        assert refused == "connect-src"


@pytest.mark.browser
def test_keyboard_moves_through_time_and_a_blind_period_says_so(
    written: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    with Visit(browser, (written / "index.html").as_uri() + "#period=2020") as visit:
        page = visit.page
        page.locator("#slider").focus()
        page.keyboard.press("ArrowRight")
        assert visit.state()["period"] == "2021"
        shown = page.locator("#overview .now")
        figure = float(shown.locator("[data-hectares]").get_attribute("data-hectares"))
        expected = panel[panel.period == "2021"].area_ha.sum()
        assert figure == pytest.approx(expected, abs=1e-5)
        assert "mapped, no interval" in shown.inner_text()
        page.keyboard.press("ArrowRight")
        assert visit.state()["period"] == str(BLIND)
        assert page.locator("#slider").get_attribute("aria-valuetext") == "2022, not looked"
        assert "Not looked" in shown.inner_text()
        assert shown.locator("[data-hectares]").count() == 0
        assert "2022 was not looked at" in page.locator("#notice").inner_text()
        assert page.locator(".site-row").count() == panel.site_id.nunique()
        assert page.locator(".site-row [data-hectares]").count() == 0
        assert "period=2022" in page.url
        assert visit.trouble == []


@pytest.mark.browser
def test_a_click_on_a_mine_shows_its_history(
    written: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    here = panel[(panel.period == "2024") & panel.geometry.notna()]
    others = panel[panel.geometry.notna()]
    alone = next(
        row
        for row in here.sort_values("area_ha", ascending=False).itertuples()
        if not others[others.site_id != row.site_id].intersects(row.geometry.buffer(0.003)).any()
    )
    history = panel[panel.site_id == alone.site_id].set_index("period")
    with Visit(browser, (written / "index.html").as_uri()) as visit:
        page = visit.page
        centre = alone.geometry.representative_point()
        at = page.evaluate("xy => minetrace.map.project(xy)", [centre.x, centre.y])
        frame = page.locator("#map").bounding_box()
        page.mouse.click(frame["x"] + at["x"], frame["y"] + at["y"])
        page.wait_for_function("minetrace.state.site !== null", timeout=5000)
        assert visit.state()["site"] == alone.site_id
        rows = page.locator("#site .year")
        assert rows.count() == len(YEARS)
        for i, year in enumerate(YEARS):
            row, truth = rows.nth(i), history.loc[str(year)]
            if year == BLIND:
                assert "Not looked" in row.inner_text()
                assert row.locator("[data-hectares]").count() == 0
                continue
            value = float(row.locator("[data-hectares]").get_attribute("data-hectares"))
            assert value == pytest.approx(truth.area_ha, abs=1e-5)
            assert "mined" in row.inner_text()
            assert "mapped, no interval" in row.inner_text()
            assert truth.event in row.inner_text()
        page.keyboard.press("Escape")
        assert visit.state()["site"] is None
        assert visit.trouble == []


@pytest.mark.browser
def test_a_link_leads_back_to_the_same_view_on_a_phone_from_a_static_host(
    written: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(written)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        site = panel.site_id.iloc[0]
        home = f"http://127.0.0.1:{server.server_port}/"
        link = f"{home}#period=2021&site={site}&at=12.50/-12.81000/-70.00000"
        with Visit(browser, link, viewport={"width": 390, "height": 800}) as visit:
            assert visit.state() == {"period": "2021", "site": site, "playing": False}
            zoom = visit.page.evaluate("minetrace.map.getZoom()")
            assert zoom == pytest.approx(12.5)
            wider = visit.page.evaluate("document.documentElement.scrollWidth")
            assert wider == 390
            assert {url for url in visit.requests if not url.startswith(("data:", "blob:"))} == {
                url for url in visit.requests if url.startswith(home)
            }
            assert visit.trouble == []
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
