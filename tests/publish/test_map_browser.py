"""The static map in a real browser, from disk and from a static host."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from fake_run import (
    BLIND,
    EAST,
    NASTY,
    NORTH,
    SOUTH,
    WEST,
    YEARS,
    decoded,
    fake_panel,
    hectares,
    write_fake,
)

from minetrace.panel.ledger import Ledger
from minetrace.panel.searched import say_searched
from minetrace.panel.tally import tally
from minetrace.panel.territories import Territories
from minetrace.publish.geopackage import write_geopackage
from minetrace.publish.tallies import write_tallies


class Visit:
    """A page with everything it asked for and complained about."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 900, "height": 600}, **context})
        self.context.set_default_timeout(60_000)
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

    @property
    def address(self) -> str:
        """As the page has it now; Playwright's own word of it may come later."""
        return str(self.page.evaluate("location.href"))

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


class Host(SimpleHTTPRequestHandler):
    """A static host; the usual one of Python does not know ranges."""

    def log_message(self, *_: object) -> None: ...


class RangeHost(Host):
    """Answers with the bytes that were asked for."""

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if asked is None:
            return super().do_GET()
        content = Path(self.translate_path(self.path)).read_bytes()
        piece = content[int(asked[1]) : int(asked[2]) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        self.wfile.write(piece)
        return None


@contextmanager
def home_of(folder: Path, ranges: bool | None) -> Iterator[str]:
    """The address of the page: on a host with or without ranges, or (None) on the disk."""
    if ranges is None:
        yield (folder / "index.html").as_uri()
        return
    handler = partial(RangeHost if ranges else Host, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory, panel: gpd.GeoDataFrame) -> Path:
    """The same run as ``written``, told as a large one."""
    folder = tmp_path_factory.mktemp("tiled") / "map"
    write_fake(folder, panel, side=64, title="Tiled", embed_vertices=0)
    return folder


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
        assert "period=2022" in visit.address
        assert visit.trouble == []


@pytest.mark.browser
def test_the_picture_is_drawn_and_a_blind_period_has_none(written: Path, browser: Any) -> None:
    wide = {"viewport": {"width": 1200, "height": 800}, "reduced_motion": "reduce"}
    with Visit(browser, (written / "index.html").as_uri(), **wide) as visit:

        def colour() -> np.ndarray:
            visit.page.evaluate(
                "new Promise(done => minetrace.map.once('idle', () => done()).triggerRepaint())"
            )
            frame = visit.page.locator("#map").bounding_box()
            part = {"x": frame["x"] + 300, "y": frame["y"] + 450, "width": 60, "height": 60}
            return decoded(visit.page.screenshot(clip=part))[:3].mean(axis=(1, 2))

        red, green, blue = colour()
        assert green > 1.2 * red
        assert green > 1.2 * blue
        visit.page.evaluate("minetrace.setPeriod('2022')")
        pale = colour()
        assert pale.min() > 120
        assert np.ptp(pale) < 12


@pytest.mark.browser
def test_a_run_that_found_nothing_opens(
    tmp_path: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    index = write_fake(tmp_path, panel.iloc[:0], side=64, title="Nothing found")
    with Visit(browser, index.as_uri()) as visit:
        assert "No mine was found in what was looked at" in visit.page.inner_text("#overview")
        assert "mapped, no interval" in visit.page.inner_text(".now .figure")
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
        page.locator("#site .year").first.wait_for()
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
def test_two_periods_lie_side_by_side_and_the_link_says_so(written: Path, browser: Any) -> None:
    link = (written / "index.html").as_uri() + "#period=2024&before=2019&split=0.40"
    with Visit(browser, link, reduced_motion="reduce") as visit:
        page = visit.page
        assert visit.state()["before"] == "2019"
        assert page.locator("#before").input_value() == "0"
        assert page.locator(".swipe-after").inner_text() == "2024"
        divider = page.locator("#divider")
        assert divider.get_attribute("aria-valuenow") == "40"
        divider.focus()
        page.keyboard.press("ArrowRight")
        assert divider.get_attribute("aria-valuenow") == "42"
        page.keyboard.press("End")
        left = shown(page)
        page.keyboard.press("Home")
        right = shown(page)
        assert np.abs(left.astype(int) - right).mean() > 1
        box = divider.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2 + 4, box["y"] + 300)
        page.mouse.down()
        page.mouse.move(box["x"] + 500, box["y"] + 300)
        page.mouse.up()
        assert visit.state()["split"] > 0.4
        assert f"split={visit.state()['split']:.2f}" in visit.address
        page.locator("#before").select_option(label="2022")
        assert "2022 was not looked at" in page.locator("#notice").inner_text()
        page.locator("#compare").click()
        assert visit.state()["before"] is None
        assert "before=" not in visit.address
        assert visit.trouble == []


def shown(page: Any) -> np.ndarray:
    """A part of the map, once nothing is left to draw."""
    page.evaluate("minetrace.settled()")
    frame = page.locator("#map").bounding_box()
    part = {"x": frame["x"] + 200, "y": frame["y"] + 150, "width": 300, "height": 300}
    return decoded(page.screenshot(clip=part))[:3]


@pytest.mark.browser
def test_search_finds_names_periods_the_largest_and_places_in_a_large_run_on_disk(
    tiled: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    with Visit(browser, (tiled / "index.html").as_uri(), reduced_motion="reduce") as visit:
        page, find = visit.page, visit.page.locator("#find")
        options = page.locator("#found [role=option]")
        find.fill("2021")
        page.locator("#found:has-text('First seen in 2021')").wait_for()
        begun = panel[panel.first_period == "2021"]
        assert f"First seen in 2021: {begun.site_id.nunique()} site" in page.inner_text("#found")
        name = str(panel.site_id.iloc[-1])
        find.fill(name)
        page.locator(f"#found [role=option]:has-text('{name}')").wait_for()
        find.press("Enter")
        page.locator("#site-name").wait_for()
        assert visit.state()["site"] == name
        assert page.evaluate("document.activeElement.id") == "site-name"
        page.locator(".back").click()
        find.fill("largest")
        options.first.wait_for()
        largest = panel[panel.period == "2024"].set_index("site_id").area_ha.idxmax()
        assert options.first.inner_text().startswith(largest)
        find.fill("12.81 S, 69.99 W")
        options.first.wait_for()
        find.press("Enter")
        page.evaluate("minetrace.settled()")
        centre = page.evaluate("minetrace.map.getCenter().toArray()")
        assert centre == pytest.approx([-69.99, -12.81], abs=1e-6)
        find.fill("<b>none</b>")
        page.locator("#found:has-text('Nothing found')").wait_for()
        assert visit.trouble == []


@pytest.mark.browser
def test_figures_are_those_of_the_geopackage_and_can_be_taken_home(
    tmp_path: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    write_geopackage(tmp_path / "panel.gpkg", panel)
    index = write_fake(
        tmp_path / "map", panel, side=64, title="Home", downloads=[tmp_path / "panel.gpkg"]
    )
    truth = gpd.read_file(tmp_path / "panel.gpkg", layer="panel")
    by_period = truth.groupby("period").area_ha.sum()
    with Visit(browser, index.as_uri(), accept_downloads=True) as visit:
        page = visit.page
        for year in YEARS:
            page.locator("#slider").fill(str(YEARS.index(year)))
            if year != BLIND:
                value = page.locator(".now [data-hectares]").get_attribute("data-hectares")
                assert float(value) == pytest.approx(by_period[str(year)], abs=1e-5)
        assert "2024" in page.inner_text("#announce")
        page.locator(".as-table summary").click()
        cells = page.locator(f".as-table tr[data-period='{BLIND}'] td")
        assert cells.first.inner_text() == "not looked"
        page.locator("#files-block summary").click()
        link = page.locator("#files a")
        assert link.get_attribute("href") == "../panel.gpkg"
        with page.expect_download() as started:
            page.locator("[data-file='This period’s outlines']").click()
        taken = gpd.read_file(started.value.path())
        here = truth[(truth.period == "2024") & truth.geometry.notna()]
        assert len(taken) == len(here)
        assert taken.area_ha.sum() == pytest.approx(by_period["2024"], abs=1e-4)
        assert set(taken.interval) == {"mapped, no interval"}
        with page.expect_download() as started:
            page.locator("[data-file='This view']").click()
        picture = decoded(started.value.path().read_bytes())
        assert picture.shape[2] > 400
        assert picture[:3, 200:-100, 100:-100].std() > 10
        assert visit.trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
def test_tiles_open_from_hosts_with_and_without_ranges(
    ranges: bool, tiled: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    with home_of(tiled, ranges) as home:
        site = panel[panel.period == "2024"].set_index("site_id").area_ha.idxmax()
        centre = panel.set_index(["site_id", "period"]).geometry[site, "2024"].centroid
        link = f"{home}#at=14.00/{centre.y:.5f}/{centre.x:.5f}"
        with Visit(browser, link) as visit:
            page = visit.page
            frame = page.locator("#map").bounding_box()
            page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
            page.locator("#site .year").first.wait_for()
            assert visit.state()["site"] == site
            for year in (2024, 2019):
                truth = panel[(panel.site_id == site) & (panel.period == str(year))].area_ha
                row = page.locator(f"#site .year[data-period='{year}'] [data-hectares]")
                value = float(row.get_attribute("data-hectares"))
                assert value == pytest.approx(float(truth.iloc[0]), abs=1e-5)
            page.evaluate("minetrace.setPeriod('2022')")
            page.evaluate("minetrace.settled()")
            drawn = page.evaluate(
                "minetrace.map.queryRenderedFeatures({layers: ['hatch@3']}).length"
            )
            assert drawn > 0
            asked = [url for url in visit.requests if not url.startswith(("data:", "blob:"))]
            assert all(url.startswith(home.rsplit("/", 1)[0]) for url in asked)
            assert any("panel-pmtiles" in url for url in asked) is not ranges
            assert visit.trouble == []


@pytest.mark.browser
def test_axe_finds_nothing_in_light_or_dark(written: Path, browser: Any) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe: pip install axe-playwright-python"
    )
    with Visit(browser, (written / "index.html").as_uri(), color_scheme="light") as visit:
        page = visit.page

        def check(theme: str) -> None:
            assert page.evaluate("document.documentElement.dataset.theme") == theme
            told = axe.Axe().run(page, options={"preload": False}).response
            assert [(v["id"], v["nodes"][0]["html"]) for v in told["violations"]] == []
            assert len(told["passes"]) > 20

        page.locator(".as-table summary").click()
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        check("light")
        page.locator("#theme").click()
        page.evaluate("minetrace.compare('2019')")
        page.locator("#find").focus()
        page.locator("#found [role=option]").first.wait_for()
        check("dark")
        page.locator("#find").press("Enter")
        page.locator("#site-name").wait_for()
        check("dark")
        assert visit.trouble == []


@pytest.mark.browser
def test_a_link_leads_back_to_the_same_view_on_a_phone_from_a_static_host(
    written: Path, panel: gpd.GeoDataFrame, browser: Any
) -> None:
    with home_of(written, False) as home:
        site = panel.site_id.iloc[0]
        link = f"{home}#period=2021&site={site}&at=12.50/-12.81000/-70.00000"
        with Visit(browser, link, viewport={"width": 390, "height": 800}) as visit:
            assert visit.state() == {
                "period": "2021", "before": None, "split": 0.5, "site": site, "territory": None,
                "playing": False,
            }  # fmt: skip
            zoom = visit.page.evaluate("minetrace.map.getZoom()")
            assert zoom == pytest.approx(12.5)
            wider = visit.page.evaluate("document.documentElement.scrollWidth")
            assert wider == 390
            assert {url for url in visit.requests if not url.startswith(("data:", "blob:"))} == {
                url for url in visit.requests if url.startswith(home)
            }
            assert visit.trouble == []


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map with a tally beside it; one site of the blind year is inferred."""
    folder = tmp_path_factory.mktemp("counted")
    panel = fake_panel(8, seed=4)
    drawn = panel[panel.period == "2021"].set_index("site_id").geometry["2020-002"]
    blind = panel.index[(panel.period == str(BLIND)) & (panel.site_id == "2020-002")]
    panel.loc[blind, ["geometry", "area_ha", "event"]] = [drawn, hectares(drawn), "stays"]
    write_fake(folder / "map", panel, side=64, title="Counted")
    half = (WEST + EAST) / 2
    shapes = [shapely.box(WEST, SOUTH, half, NORTH), shapely.box(half, SOUTH, EAST, NORTH)]
    by = gpd.GeoDataFrame({"code": ["W", NASTY]}, geometry=shapes, crs="EPSG:4326")
    territories = Territories.of(by, id="code")
    table = say_searched(tally(Ledger.of(panel), territories), territories, None)
    write_tallies(folder, table, territories, formats=["csv", "html"], title="Mining by half")
    return folder


@pytest.mark.browser
def test_a_table_of_territories_sorts_and_leads_to_each(counted: Path, browser: Any) -> None:
    table = pd.read_csv(counted / "tallies.csv").query("part == 'territory'")
    with Visit(browser, (counted / "map/index.html").as_uri(), reduced_motion="reduce") as visit:
        page = visit.page
        names = page.locator("#territories tbody th")
        for year in (2024, 2019):
            page.evaluate("label => minetrace.setPeriod(label)", str(year))
            here = table[table.period == year].sort_values("present_ha", ascending=False)
            assert names.all_inner_texts() == here.territory.tolist()
            shown = page.locator("#territories tbody [data-hectares]").all()
            told = [float(cell.get_attribute("data-hectares")) for cell in shown]
            assert told == pytest.approx(here.present_ha.tolist(), abs=1e-3)
        page.locator("[data-sort=name]").click()
        assert names.all_inner_texts() == [NASTY, "W"]
        page.locator("[data-sort=name]").press("Enter")
        assert names.all_inner_texts() == ["W", NASTY]
        assert page.evaluate("document.activeElement.dataset.sort") == "name"
        page.locator("#measure").select_option("cumulative_ha")
        assert page.locator("#territories tr.total th").inner_text() == "All"
        page.locator("[data-territory=W]").click()
        page.evaluate("minetrace.settled()")
        assert visit.state()["territory"] == "W"
        assert "territory=W" in visit.address
        west, east = page.evaluate(
            "(() => { const b = minetrace.map.getBounds(); return [b.getWest(), b.getEast()] })()"
        )
        assert west < WEST
        assert (WEST + EAST) / 2 < east < EAST
        drawn = page.evaluate(
            "minetrace.map.queryRenderedFeatures({layers: ['territory-chosen']})"
            ".map(one => one.properties.unit)"
        )
        assert set(drawn) == {"W"}
        link = visit.address
        page.goto("about:blank")
        page.goto(link)
        page.evaluate("minetrace.ready")
        assert visit.state()["territory"] == "W"
        page.locator("[data-territory=W]").click()
        assert visit.state()["territory"] is None
        page.set_viewport_size({"width": 390, "height": 800})
        page.wait_for_function("window.innerWidth === 390")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert visit.trouble == []
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe")
        assert axe.Axe().run(page).response["violations"] == []


@pytest.mark.browser
def test_an_inferred_outline_says_so(counted: Path, browser: Any) -> None:
    link = (counted / "map/index.html").as_uri() + f"#period={BLIND}&site=2020-002"
    with Visit(browser, link, reduced_motion="reduce") as visit:
        page = visit.page
        page.locator("#site .year").first.wait_for()
        assert "inferred from other periods" in page.inner_text(f".year[data-period='{BLIND}']")
        assert "inferred" not in page.inner_text(".year[data-period='2021']")
        page.evaluate("minetrace.settled()")
        drawn = "minetrace.map.queryRenderedFeatures({layers: ['%s@3']}).length"
        page.evaluate("minetrace.select('2020-002')")
        page.evaluate("minetrace.settled()")
        assert page.evaluate(drawn % "inferred") > 0
        assert "dashed ones inferred" in page.inner_text("#notice")
        assert "not looked, inferred" in page.inner_text("#legend")
        assert visit.trouble == []


def test_a_map_of_something_else_forgets_the_tally(counted: Path, tmp_path: Path) -> None:
    shutil.copytree(counted, tmp_path / "run")
    told = tmp_path / "run/map/tallies.js"
    assert NASTY in json.loads(told.read_text().split("=", 1)[1].rstrip(";\n"))["boxes"]
    write_fake(tmp_path / "run/map", fake_panel(3), side=64, title="Another")
    assert told.read_text() == "window.minetraceTallies=null;\n"
