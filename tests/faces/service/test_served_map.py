"""The served map in a real browser: drawing, layers, sharing; nothing leaves this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from conftest import Service
from minetrace.faces.api import listening
from minetrace.faces.api.safety import Safety, guard

pytestmark = pytest.mark.browser
CORNERS = """minetrace.map.getSource("drawn").serialize().data.features
    .filter(one => one.geometry.type === "Point").length"""
SHAPE = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))


@pytest.fixture(scope="module")
def home(service: Service) -> Iterator[str]:
    config = uvicorn.Config(guard(service.app, Safety()), port=0, http=listening.impatient(),
                            lifespan="off", ws="none", log_level="error")  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


class Visit:
    """A page, what it asked for, and what went wrong."""

    def __init__(self, browser: Any, url: str, width: int = 1100, height: int = 760) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height})
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.trouble: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda told: self.trouble.append(told.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.goto(url)
        self.page.evaluate("minetrace.ready")
        self.page.evaluate("minetrace.tools")

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def draw(self) -> None:
        self.page.click("#tool-draw")
        box = self.page.locator("#map").bounding_box()
        for number, (x, y) in enumerate(SHAPE, 1):
            self.page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            self.page.wait_for_function(f"() => ({CORNERS}) === {number}")
        self.page.click("#tool-done")
        self.page.wait_for_selector(".drawn-table")


def test_a_polygon_is_drawn_counted_and_handed_on(
    home: str, browser: Any, service: Service, tmp_path: Path
) -> None:
    with Visit(browser, f"{home}/") as visit:
        visit.draw()
        page = visit.page
        assert page.evaluate("minetrace.state.site") is None  # a click drew, and chose no site
        assert page.locator(".drawn tbody tr").count() == 3
        assert "not looked" in page.locator('.drawn tr[data-period="2022"]').inner_text()
        assert "no interval" in page.locator(".drawn").inner_text()
        shown = page.locator('.drawn tr[data-period="2021"] [data-hectares]')
        hectares = float(shown.get_attribute("data-hectares"))
        page.select_option("#tool-pictures", "composites")
        page.wait_for_function("() => minetrace.map.getLayer('served-picture') !== undefined")
        page.wait_for_function("() => location.hash.includes('picture=composites')")
        page.click("#tool-share")
        with page.expect_download() as saved:
            page.click("#share-picture")
        saved.value.save_as(tmp_path / "view.png")
        assert (tmp_path / "view.png").read_bytes().startswith(b"\x89PNG")
        address = page.evaluate("location.href")
        assert visit.trouble == []
        assert all(url.startswith((home, "data:", "blob:")) for url in visit.asked)
    with Visit(browser, address, 390, 844) as phone:
        again = phone.page.locator('.drawn tr[data-period="2021"] [data-hectares]')
        again.wait_for()
        assert float(again.get_attribute("data-hectares")) == pytest.approx(hectares)
        assert phone.page.input_value("#tool-pictures") == "composites"
        wide = phone.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0
        phone.page.click("#drawn-clear")
        assert phone.page.locator(".drawn-table").count() == 0
        assert "draw=" not in phone.page.evaluate("location.href")
        assert phone.trouble == []


def test_the_tools_can_be_used_by_everybody(home: str, browser: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with Visit(browser, f"{home}/") as visit:
        visit.page.focus("#tool-draw")
        visit.page.keyboard.press("Enter")
        visit.page.focus("#tool-frame")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_selector(".drawn-table")
        visit.page.fill("#find", "Per")
        visit.page.wait_for_selector("#found li:has-text('Peru')")
        found = axe.Axe().run(visit.page).response["violations"]
        assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == []
        assert visit.trouble == []
