"""What the guard refuses, whatever application stands behind it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from conftest import ask
from minetrace.errors import ReadFailedError, StudyError
from minetrace.faces.api import listening
from minetrace.faces.api.rates import Buckets, Rate
from minetrace.faces.api.safety import AUDIT, HEADERS, Limits, Safety, guard, needs
from minetrace.faces.api.tokens import Tokens

SECRET = "a-secret-of-more-than-24-letters"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; /slow sleeps, /broken fails, /compute needs a role."""
    if scope["path"] == "/slow":
        await asyncio.sleep(5)
    if scope["path"] == "/broken":
        raise ReadFailedError("/home/someone/secret.tif: cannot be read")
    if scope["path"] == "/compute":
        needs(scope, "compute")
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example"]
)
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    assert ask(guard(echo, Safety()), "GET", "/", headers={"host": host}).status_code == 421


def test_a_proxy_is_told_its_name() -> None:
    behind = Safety(names=("Maps.example.org",))
    assert ask(guard(echo, behind), "GET", "/", headers={"host": "maps.example.org"}).is_success
    assert not behind.local
    assert Safety("::1").local
    assert not Safety("0.0.0.0").local


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_a_proxy_that_was_not_named_lets_nobody_be_this_machine(name: str) -> None:
    """Proxies often ask with the Host that they reach us by, which is ours."""
    passed_on = {"host": "127.0.0.1:8000", name: "203.0.113.9"}
    answer = ask(guard(echo, Safety()), "GET", "/compute", headers=passed_on)
    assert answer.status_code == 421
    assert "--name" in answer.text
    named = guard(echo, Safety(names=("maps.example.org",)))
    assert ask(named, "GET", "/", headers=passed_on).is_success
    assert ask(named, "GET", "/compute", headers=passed_on).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"origin": "http://localhost:9999"}],
)  # fmt: skip
def test_pages_of_other_sites_cannot_write(headers: dict[str, str]) -> None:
    assert ask(guard(echo, Safety()), "POST", "/", headers=headers).status_code == 403
    own = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
    assert ask(guard(echo, Safety()), "POST", "/", headers=own).is_success


def test_bodies_have_a_limit_whether_or_not_they_say_their_length() -> None:
    app = guard(echo, Safety(limits=Limits(body_bytes=1000)))

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100

    assert ask(app, "POST", "/", content=b"x" * 1000).text == "1000"
    assert ask(app, "POST", "/", content=b"x" * 1001).status_code == 413
    assert ask(app, "POST", "/", content=drip()).status_code == 413


def test_a_body_that_does_not_come_and_work_that_does_not_end() -> None:
    app = guard(echo, Safety(limits=Limits(body_s=0.05, answer_s=0.05)))

    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(0.3)
        yield b"x"

    assert ask(app, "POST", "/", content=never()).status_code == 408
    slow = ask(app, "GET", "/slow")
    assert slow.status_code == 503
    assert slow.headers["retry-after"]


def test_what_goes_wrong_inside_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(guard(echo, Safety()), "GET", "/broken")
    assert answer.status_code == 500
    assert "secret.tif" not in answer.text
    assert "secret.tif" in caplog.text


def test_every_answer_carries_the_headers() -> None:
    app = guard(echo, Safety())
    for answer in (ask(app, "GET", "/"), ask(app, "GET", "/broken")):
        assert {name.decode() for name, _ in HEADERS} <= set(answer.headers)
        assert "access-control-allow-origin" not in answer.headers


def test_computing_needs_a_role_unless_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINETRACE_TOKENS", f"ana:compute:{SECRET} bob:read:{SECRET}-too")
    far = guard(echo, Safety(names=("localhost",), tokens=Tokens.from_environment()))

    def status(token: str | None) -> int:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return ask(far, "GET", "/compute", headers=headers).status_code

    assert ask(guard(echo, Safety()), "GET", "/compute").is_success
    assert [status(t) for t in (None, SECRET, f"{SECRET}-too", "guessed")] == [401, 200, 403, 401]


@pytest.mark.parametrize("told", ["ana", "ana:king:" + SECRET, f"ana:read:{SECRET[:8]}",
                                  f"local:write:{SECRET}", f"anybody:read:{SECRET}"])  # fmt: skip
def test_tokens_that_cannot_be_used_are_refused_without_telling_them(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINETRACE_TOKENS", told)
    with pytest.raises(StudyError) as refused:
        Tokens.from_environment()
    assert SECRET[:8] not in str(refused.value)


def test_the_audit_names_who_and_what_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MINETRACE_TOKENS", f"ana:compute:{SECRET}")
    app = guard(echo, Safety(tokens=Tokens.from_environment()))
    with caplog.at_level(logging.INFO, "minetrace.audit"):
        ask(app, "GET", f"/place?key={SECRET}", headers={"authorization": f"Bearer {SECRET}"})
    (line,) = [r.message for r in caplog.records if r.name == "minetrace.audit"]
    told = json.loads(line)
    assert (told["who"], told["path"], told["status"]) == ("ana", "/place", 200)
    assert SECRET not in line


def test_no_answer_waits_for_a_slow_log_and_no_line_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, lines = threading.Event(), list[str]()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert read.wait(60)
            lines.append(record.getMessage())

    monkeypatch.setattr(logging.getLogger(), "handlers", [Slow()])
    monkeypatch.setattr(AUDIT, "level", logging.INFO)
    app = guard(echo, Safety())
    with listening.behind(AUDIT):
        for number in range(20):
            assert ask(app, "GET", f"/{number}").is_success
        assert not lines
        read.set()
    assert [json.loads(line)["path"] for line in lines] == [f"/{number}" for number in range(20)]
    assert AUDIT.propagate


def test_too_many_requests() -> None:
    app = guard(echo, Safety(limits=Limits(reads=Rate(0.001, 3))))
    assert [ask(app, "GET", "/").status_code for _ in range(4)] == [200, 200, 200, 429]


@given(
    st.lists(st.floats(0, 10), max_size=60), st.floats(0.1, 50), st.integers(1, 20)
)  # fmt: skip
def test_a_bucket_never_gives_more_than_it_holds(
    waits: list[float], per_s: float, burst: int
) -> None:
    now = 0.0
    buckets = Buckets(Rate(per_s, burst), clock=lambda: now)
    given_out = 0
    for wait in waits:
        now += wait
        given_out += buckets.take("a")
    assert given_out <= burst + now * per_s + 1e-6


def test_forgotten_clients_take_no_memory() -> None:
    buckets = Buckets(Rate(1, 1), most=10)
    for number in range(1000):
        buckets.take(str(number))
    assert len(buckets._filled) == 10


@contextmanager
def listening_at(app: Any) -> Iterator[int]:
    config = uvicorn.Config(app, port=0, http=listening.impatient(), lifespan="off", ws="none",
                            log_level="error")  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def test_clients_that_say_little_are_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "HEAD_S", 0.3)
    with listening_at(guard(echo, Safety())) as port:
        for said in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
                slow.sendall(said)
                assert slow.recv(100) == b""
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/").is_success
            time.sleep(0.5)  # idle between requests is no crime
            assert client.get("/").is_success
