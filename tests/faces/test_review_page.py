"""The page of a review, as people use it: real keys and clicks in Chromium."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import shapely

from minetrace.flow.review import Desk
from minetrace.flow.review_handing_on import labels_of
from minetrace.flow.review_open import FILE, ReviewRequest, open_desk
from minetrace.flow.review_standing import Standing
from minetrace.flow.sample_design import SampleRequest
from minetrace.flow.sampling import draw
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.answers import Said, SqliteAnswers
from minetrace.testing.world import World, world_study

httpx = pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn")

SECRET = "a-secret-of-more-than-24-characters"


@dataclass(frozen=True)
class Served:
    """A desk behind a page."""

    desk: Desk
    url: str

    @property
    def said(self) -> list[Said]:
        return self.desk.store.read(self.desk.queue.id)

    @property
    def standing(self) -> Standing:
        return Standing.of(self.said)


@pytest.fixture(scope="module")
def mapped(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = Study.of({**world_study(world, name="page"), "periods": [2019, 2021]})
    out = run(study, tmp_path_factory.mktemp("page") / "run").out
    draw(out, SampleRequest(("2021",), 12, minimum=2))
    return out


@contextmanager
def served(desk: Desk, **safety: Any) -> Iterator[Served]:
    from minetrace.faces.api.review import application
    from minetrace.faces.api.safety import Safety, guard

    config = uvicorn.Config(guard(application(desk), Safety(**safety)), port=0,
                            lifespan="off", log_level="warning", ws="none")  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(desk, f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def sample(mapped: Path, tmp_path: Path) -> Iterator[Served]:
    desk = open_desk(ReviewRequest(mapped, twice=1.0))
    with served(replace(desk, store=SqliteAnswers(tmp_path / "a.sqlite"))) as found:
        yield found


def free_port() -> int:
    with socket.socket() as any_:
        any_.bind(("127.0.0.1", 0))
        return int(any_.getsockname()[1])


def wait(done: Callable[[], Any], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


class Person:
    """Somebody at a browser of their own, who notices what leaves the machine."""

    def __init__(self, browser: Any, url: str, name: str, **size: int) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 860, **size})
        self.page = self.context.new_page()
        self.context.set_default_timeout(60_000)
        self.elsewhere: list[str] = []
        self.wrong: list[str] = []
        self.heard: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: r.url.startswith(("http", "ws"))
                     and not r.url.startswith(url) and self.elsewhere.append(r.url))  # fmt: skip
        self.page.on("response", self._hear)
        self.page.goto(url)
        self.page.fill("#name", name)
        self.page.press("#name", "Enter")
        self.ready()

    def _hear(self, response: Any) -> None:
        if "/api/" in response.url and "json" in response.headers.get("content-type", ""):
            with suppress(Exception):  # it may be gone by now
                self.heard.append(response.text())

    def ready(self, not_item: str = "") -> str:
        """Wait for another item, with its pictures; which one."""
        self.page.wait_for_function(
            "before => (!document.getElementById('done').hidden) || (!work.hidden && "
            "work.dataset.ready && work.dataset.ready !== before)", arg=not_item,
        )  # fmt: skip
        return str(self.page.get_attribute("#work", "data-ready"))

    def press(self, key: str) -> str:
        """Answer by a key, and wait for the next item."""
        before = self.page.get_attribute("#work", "data-ready")
        self.page.keyboard.press(key)
        return self.ready(before)

    def leave(self) -> None:
        assert self.wrong == []
        assert self.elsewhere == [], "a request left the machine"
        self.context.close()


@pytest.mark.browser
def test_keys_answer_undo_note_and_tell_what_was_shown(browser: Any, sample: Served) -> None:
    ana = Person(browser, sample.url, "ana")
    first = ana.ready()
    ana.page.keyboard.press("-")
    ana.page.wait_for_selector("#nearer:not([disabled])")
    ana.page.keyboard.press("o")
    ana.page.wait_for_selector("#outlines[aria-pressed=true]")
    second = ana.press("m")
    third = ana.press("n")
    assert third not in (first, second)
    wait(lambda: len(sample.said) == 2)
    told = json.loads(sample.said[0].shown)
    assert told["outlines"] is True
    assert not json.loads(sample.said[1].shown)["outlines"]
    assert {(p["period"], p["zoom"]) for p in told["pictures"]} == {
        ("2019", 1), ("2021", 1), ("2019", 2), ("2021", 2)
    }  # fmt: skip
    item = sample.desk.queue.item(first)
    assert item is not None
    for seen in told["pictures"]:
        shot = sample.desk.pictures.shot(item, seen["period"], seen["zoom"])
        assert shot is not None
        assert shot.sha256 == seen["sha256"] == hashlib.sha256(shot.data).hexdigest()
    assert ana.press("z") == second  # taken back, and shown again
    wait(lambda: sample.standing.verdict(second, "ana") is None)
    ana.page.keyboard.press("c")
    ana.page.fill("#note-text", "a <b>sandbank</b>, m n u z")
    ana.page.click("#note-box button.strong")
    ana.page.wait_for_selector("#note-box:not([open])", state="attached")
    ana.page.wait_for_selector("#note:has-text('✓')")
    ana.press("u")
    wait(lambda: sample.standing.verdict(second, "ana") is not None)
    stand = sample.standing.verdict(second, "ana")
    assert stand is not None
    assert (stand.verdict, stand.note) == ("unsure", "a <b>sandbank</b>, m n u z")
    assert [row.kind for row in sample.said] == ["answer", "answer", "undo", "note", "answer"]
    assert all(row.seconds > 0 for row in sample.said if row.kind == "answer")
    ana.page.click("#keys")  # keys off: nothing is answered by mistake
    ana.page.keyboard.press("m")
    ana.page.wait_for_timeout(200)
    assert len(sample.said) == 5
    ana.page.click("#not")
    wait(lambda: len(sample.said) == 6)
    ana.leave()


@pytest.mark.browser
def test_the_second_is_blind_and_a_third_settles(browser: Any, sample: Served) -> None:
    mallory = "<img src=x onerror=\"document.title='ran'\">"
    words = {"ana": "m", mallory: "n"}
    for who, key in words.items():
        person = Person(browser, sample.url, who)
        for number in range(12):
            person.press(key)
            if who == mallory and number == 0:
                assert sample.standing.disputed(sample.said[-1].item)
                assert not person.page.is_visible("#disputes")  # it would tell what ana said
                told = httpx.get(f"{sample.url}/api/agreement", headers={"x-minetrace-who": "m"})
                assert told.json()["disputes"] is None
        person.page.wait_for_selector("#done:not([hidden])")
        if who == mallory:
            assert not [text for text in person.heard if "ana" in text]
            person.page.click("#agreement")
            person.page.wait_for_selector("#agreement-box[open]")
            table = person.page.inner_text("#pairs")
            assert "ana" in table
            assert "<img" in table  # as words
            assert "12" in table
            assert "12 in dispute" in table
            assert person.page.title() != "ran"
        person.leave()
    assert all(sample.standing.disputed(item.id) for item in sample.desk.queue.items)
    cem = Person(browser, sample.url, "cem")
    cem.page.click("#disputes")
    cem.page.wait_for_function("() => question.textContent.startsWith('Disputed')")
    before = cem.ready()
    cem.page.keyboard.press("n")
    cem.ready(before)
    wait(lambda: len(sample.standing.settled) == 1)
    assert before in sample.standing.settled
    assert not any('"mine": {"verdict": "m' in text for text in cem.heard)
    cem.leave()


@pytest.mark.browser
def test_nothing_is_lost_when_the_server_is_killed(browser: Any, mapped: Path) -> None:
    port = free_port()

    def start() -> subprocess.Popen[bytes]:
        words = ["review", str(mapped), "--port", str(port)]
        server = subprocess.Popen([sys.executable, "-m", "minetrace", *words],
                                  stdout=subprocess.DEVNULL)  # fmt: skip
        wait(lambda: _answers(port) or server.poll() is not None, 120)
        assert server.poll() is None, "the desk did not start"
        return server

    server = start()
    desk = open_desk(ReviewRequest(mapped))
    ana = Person(browser, f"http://127.0.0.1:{port}", "ana")
    ana.press("m")
    wait(lambda: len(desk.store.read(desk.queue.id)) == 1)
    server.kill()
    server.wait()
    item = ana.page.get_attribute("#work", "data-ready")
    ana.page.keyboard.press("n")
    ana.page.wait_for_selector("#trouble:not([hidden])")
    assert "1 not sent yet" in ana.page.inner_text("#kept")
    ana.page.close()  # the browser goes as well
    assert len(desk.store.read(desk.queue.id)) == 1
    server = start()
    ana.page = ana.context.new_page()
    ana.page.goto(f"http://127.0.0.1:{port}")
    ana.page.fill("#name", "ana")
    ana.page.press("#name", "Enter")
    wait(lambda: len(desk.store.read(desk.queue.id)) == 2)
    assert [(row.item, row.value) for row in desk.store.read(desk.queue.id)][1] == (item, "not")
    assert ana.ready() != item
    server.terminate()
    assert server.wait(60) in (0, -15, 143)
    ana.context.close()
    (mapped / FILE).unlink()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.mark.browser
def test_outlines_are_edited_and_become_labels(browser: Any, mapped: Path, tmp_path: Path) -> None:
    from minetrace.flow.review_handing_on import hand_on

    desk = open_desk(ReviewRequest(mapped, detections=True))
    with served(replace(desk, store=SqliteAnswers(tmp_path / "a.sqlite"))) as found:
        ana = Person(browser, found.url, "ana")
        item = ana.ready()
        assert ana.page.locator(".map-outline").count() == 0  # on request only
        ana.page.keyboard.press("e")
        ana.page.wait_for_selector(".corner")
        boxes = [c.bounding_box() for c in ana.page.locator(".corner").all()]
        top = min(range(len(boxes)), key=lambda i: boxes[i]["y"])
        box = boxes[top]
        ana.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        ana.page.mouse.down()
        ana.page.mouse.move(box["x"] + box["width"] / 2, box["y"] - 40, steps=4)
        ana.page.mouse.up()
        ana.page.locator(".corner").nth(top).press("ArrowUp")
        ana.page.click("#keep-outline")
        wait(lambda: len(found.said) == 1)
        ana.press("m")
        wait(lambda: found.standing.verdict(item, "ana") is not None)
        ana.leave()
    asked = desk.queue.item(item)
    assert asked is not None
    hand_on(found.desk)
    label = json.loads(labels_of(desk.queue).read_text())["features"][0]
    edited = shapely.geometry.shape(label["geometry"])
    assert edited.is_valid
    assert edited.intersects(asked.unit)
    assert edited.symmetric_difference(asked.unit).area > 0
    (mapped / "review" / "verified.csv").unlink()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_and_for_everybody(browser: Any, sample: Served, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    ana = Person(browser, sample.url, "ana", width=390, height=844)
    ana.page.emulate_media(color_scheme=scheme)
    for size in ({"width": 390, "height": 844}, {"width": 1280, "height": 860}):
        ana.page.set_viewport_size(size)
        ana.page.wait_for_function("wide => window.innerWidth === wide", arg=size["width"])
        over = ana.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0
        for name in ("mine", "not", "unsure", "undo"):
            box = ana.page.locator(f"#{name}").bounding_box()
            assert box["y"] + box["height"] <= size["height"], f"{name} is off the screen"
            assert box["height"] >= 32
        found = Axe().run(ana.page)
        assert found.violations_count == 0, found.generate_report()
    ana.page.tap("#mine") if ana.page.evaluate("'ontouchstart' in window") else (
        ana.page.click("#mine")
    )
    wait(lambda: len(sample.said) == 1)
    ana.leave()


def test_who_may_ask(sample: Served) -> None:
    me = {"x-minetrace-who": "ana"}
    with httpx.Client(base_url=sample.url) as client:
        assert client.get("/api/next").status_code == 400  # nobody said who they are
        assert client.get("/api/next", headers=me).status_code == 200
        assert client.get("/api/items/99/asked/1", headers=me).status_code == 404
        assert client.get("/api/items/0/asked/3", headers=me).status_code == 404
        assert client.get("/page/..%2fsafety.py").status_code == 404
        body = {"queue": sample.desk.queue.id, "said": []}
        assert client.post("/api/said", json=body, headers=me).json()["stored"] == []
        other = {**me, "origin": "http://evil.example"}
        assert client.post("/api/said", json=body, headers=other).status_code == 403
        text = {**me, "content-type": "text/plain"}
        assert client.post("/api/said", content=json.dumps(body), headers=text).status_code >= 400
        body["queue"] = "another"
        assert client.post("/api/said", json=body, headers=me).status_code == 400
        assert client.get("/", headers={"host": "evil.example"}).status_code == 421
        page = client.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        for name in re.findall(r"page/[a-z]+\.(?:js|css)", page.text):
            assert client.get(f"/{name}").status_code == 200


def test_what_cannot_be_kept_holds_nothing_up(sample: Served) -> None:
    """The page sends all that waits at once and in order: one refusal would keep back the rest."""
    headers = {"x-minetrace-who": "dan", "content-type": "application/json"}
    with httpx.Client(base_url=sample.url, headers=headers) as client:
        asked = client.get("/api/next").json()["item"]["item"]
        queue = client.get("/api/who").json()["queue"]
        shown = {"pictures": [], "outlines": False, "screen": ""}
        words = [("note", "half of \ud83d and \x00"), ("note", "n" * 500_000),
                 ("outline", "9" * 500_000), ("answer", "not")]  # fmt: skip
        same = {"item": asked, "seconds": 1, "said_at": "2024-05-01T10:00:00Z", "shown": shown}
        said = [{**same, "id": f"strange-{k}", "kind": kind, "value": value}
                for k, (kind, value) in enumerate(words)]  # fmt: skip
        body = json.dumps({"queue": queue, "said": said})
        told = client.post("/api/said", content=body)
        assert told.status_code == 200, told.text
        assert told.json()["stored"] == ["strange-0", "strange-3"]
        assert client.get("/api/back").json()["item"]["mine"]["note"] == "half of ? and "
        bad = client.post("/api/said", content='{"queue": "\\ud83d", "said": 1}')
        assert bad.status_code == 400


def test_elsewhere_a_token_says_who_speaks(mapped: Path, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from minetrace.faces.api.tokens import Tokens

    monkeypatch.setenv("MINETRACE_TOKENS", f"ana:write:{SECRET} eve:read:{SECRET}-of-eve")
    desk = replace(open_desk(ReviewRequest(mapped)), store=SqliteAnswers(tmp_path / "a.sqlite"))
    with (
        served(desk, names=("review.example",), tokens=Tokens.from_environment()) as found,
        httpx.Client(base_url=found.url) as client,
    ):  # fmt: skip
        liar = {"x-minetrace-who": "ben"}
        assert client.get("/api/who").json()["name"] is None
        assert client.get("/api/next", headers=liar).status_code == 401
        eve = {"authorization": f"Bearer {SECRET}-of-eve"}
        assert client.get("/api/next", headers=eve).status_code == 403
        ana = {"authorization": f"Bearer {SECRET}", **liar}
        assert client.get("/api/who", headers=ana).json()["name"] == "ana"
        said = {"id": "12345678", "item": desk.queue.items[0].id, "kind": "answer", "value": "not",
                "seconds": 1.0, "said_at": "2024-05-01T10:00:00Z",
                "shown": {"pictures": [], "outlines": False}}  # fmt: skip
        body = {"queue": desk.queue.id, "said": [said]}
        assert client.post("/api/said", json=body, headers=ana).json()["stored"] == ["12345678"]
        assert [row.who for row in found.said] == ["ana"]
