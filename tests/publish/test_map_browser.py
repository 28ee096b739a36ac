"""The static map in a real browser, from disk and from a static host."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from fake_run import BLIND, NASTY, YEARS, decoded, write_fake


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
def test_the_picture_is_drawn_and_a_blind_period_has_none(written: Path, browser: Any) -> None:
    with Visit(browser, (written / "index.html").as_uri(), reduced_motion="reduce") as visit:

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
        page.locator("#site .year").first.wait_for(timeout=5000)
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
