"""A watch: what counts as new, how it is told, and that it arrives once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period
from minetrace.errors import DeliveryError, PeriodError, StudyError
from minetrace.flow.alert_evidence import false_alarms
from minetrace.flow.alerts import Watch, lengthened
from minetrace.flow.delivery import Post, hand_on
from minetrace.flow.study import Study
from minetrace.panel.alerts import alerts_of
from minetrace.panel.build import build_panel
from minetrace.publish.digest import Alert, Digest, page
from minetrace.store.http import HttpOptions
from minetrace.store.run_folder import RunFolder
from minetrace.testing.world import World, world_study
from terminal import minetrace

QUICK = HttpOptions(attempts=4, backoff_s=0.01, longest_wait_s=0.05)
NASTY = "<script>alert(1)</script>"
SECRET = "a secret that nobody may see"


def digest(period: str = "2021", *, title: str = "Rio") -> Digest:
    facts = {
        "site_id": "m1", "kind": "grown", "period": period, "since": "2019", "hectares": 5.0,
        "before_ha": 3.0, "added_ha": 2.0, "score_mean": 0.8, "looked_share": 1.0, "lon": -60.0,
        "lat": -5.0, "extent": "mined", "territory": NASTY, "probability": 0.95,
        "confidence": "high",
    }  # fmt: skip
    alert = Alert(facts, shapely.box(-60, -5, -59.99, -4.99))
    return Digest("rio", title, period, f"{period}-01-01", f"{period}-12-31", "alerts", 0.9, 1,
                  None, [alert])  # fmt: skip


def boxes(*corners: tuple[float, float]) -> Footprints:
    shapes = [shapely.box(x, -5, x + wide, -5 + 0.01) for x, wide in corners]
    return Footprints(np.array(shapes, dtype=object), "EPSG:4326", "mined")


def panel_of(*years: Footprints, blind: int | None = None) -> gpd.GeoDataFrame:
    line = {Period.year(2019 + i): found for i, found in enumerate(years)}

    def looked(period: Period, shapes: Any) -> Any:
        return np.full(len(shapes), 0.0 if period.label == str(blind) else 1.0)

    return build_panel(line, looked=looked)


HERE, WIDER, AWAY = (-60.0, 0.01), (-60.0, 0.015), (-59.9, 0.01)
BESIDE = (-59.985, 0.01)
NONE = Footprints(np.empty(0, dtype=object), "EPSG:4326", "mined")


@pytest.mark.parametrize(
    ("years", "blind", "told"),
    [
        ([boxes(HERE), boxes(HERE, AWAY)], None, [("new", None, 1.0)]),
        ([boxes(HERE), boxes(WIDER)], None, [("grown", "2019", 1 / 3)]),
        ([boxes(HERE), boxes(HERE)], None, []),
        ([boxes(HERE), NONE, boxes(HERE)], None, [("returned", "2019", 0.0)]),
        ([boxes(HERE), NONE, boxes(HERE)], 2020, []),
        ([boxes(HERE), boxes(HERE), boxes(WIDER)], 2020, [("grown", "2019", 1 / 3)]),
        ([boxes(HERE), boxes(HERE, AWAY)], 2020, []),
        ([NONE, boxes(HERE)], 2019, [("first-seen", None, 1.0)]),
        ([boxes(HERE), NONE, boxes(HERE, AWAY)], 2020, [("new", None, 1.0)]),
        ([boxes(HERE, BESIDE), boxes((-60.0, 0.025))], None, [("grown", "2019", 0.2)]),
        ([boxes((-60.0, 0.03)), boxes((-60.0, 0.018), (-59.981, 0.011))], None, []),
    ],
    ids=["new", "grown", "the same", "returned", "blind between", "seen again after blind",
         "not seen is no alert", "nobody had looked", "looked at long ago",
         "what merged is not new", "what split is not new"],
)  # fmt: skip
def test_what_is_an_alert(years: list[Footprints], blind: int | None, told: list[Any]) -> None:
    found = alerts_of(panel_of(*years, blind=blind), str(2018 + len(years)))
    assert [(row.kind, row.since) for row in found.itertuples()] == [t[:2] for t in told]
    for row, (_, _, share) in zip(found.itertuples(), told, strict=True):
        assert row.added_ha == pytest.approx(share * row.hectares, rel=1e-3, abs=1e-9)
    with pytest.raises(PeriodError, match="is no period"):
        alerts_of(panel_of(*years), "1999")


def test_periods_go_on_until_today(tmp_path: Path) -> None:
    study = Study.of({"name": "w", "region": {"bbox": [0, 0, 1, 1]}, "periods": [2023],
                      "sources": [{"path": str(tmp_path)}]})  # fmt: skip
    labels = [p.label for p in lengthened(study, "quarter", date(2024, 10, 1)).timeline]
    assert labels == ["2023", "2024-q1", "2024-q2", "2024-q3"]
    labels = [p.label for p in lengthened(study, "month", date(2024, 3, 15)).timeline]
    assert labels == ["2023", "2024-01", "2024-02"]
    assert lengthened(study, "year", date(2024, 12, 31)).timeline == study.timeline
    with pytest.raises(StudyError, match="give month, quarter, year"):
        Watch(every="week")


class Receiver(BaseHTTPRequestHandler):
    """A webhook that checks signatures, and fails as often as it is told to."""

    server: Any

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((dict(self.headers), body))
        if self.server.kill is not None:
            os.kill(self.server.kill(), signal.SIGKILL)
            return
        failing = len(self.server.calls) <= self.server.failures
        self.send_response(self.server.status if failing else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def receiver(failures: int = 0, status: int = 503) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.calls, server.failures, server.status, server.kill = [], failures, status, None
    server.url = f"http://127.0.0.1:{server.server_port}/hook?token=hidden-{SECRET[2:8]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Post]:
    """Settings by environment, as cron would have them."""

    def post(mail: tuple[str, ...] = (), hooks: tuple[str, ...] = (), port: int = 25) -> Post:
        for name, value in {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_FROM":
                            "watch@example.org", "SMTP_SECURITY": "none",
                            "WEBHOOK_SECRET": SECRET}.items():  # fmt: skip
            monkeypatch.setenv(f"MINETRACE_{name}", value)
        return Post.of(mail, hooks)

    return post


def test_a_webhook_that_fails_twice_is_called_until_it_answers_and_once(
    tmp_path: Path, keys: Callable[..., Post]
) -> None:
    with receiver(failures=2) as server:
        post = keys(hooks=(server.url,))
        (line,) = hand_on(tmp_path / "o.sqlite", digest(), post, http=QUICK)
        assert "2021 sent" in line
        assert SECRET not in line
        assert "token" not in line
        assert len(server.calls) == 3
        for headers, body in server.calls:
            told = headers["X-Minetrace-Timestamp"].encode() + b"." + body
            signed = hmac.new(SECRET.encode(), told, hashlib.sha256).hexdigest()
            assert headers["X-Minetrace-Signature"] == f"sha256={signed}"
            assert abs(int(headers["X-Minetrace-Timestamp"]) - time.time()) < 60
        assert len({headers["Idempotency-Key"] for headers, _ in server.calls}) == 1
        assert json.loads(server.calls[0][1])["alerts"][0]["site_id"] == "m1"
        assert hand_on(tmp_path / "o.sqlite", digest(), post, http=QUICK) == []
        assert len(hand_on(tmp_path / "o.sqlite", digest("2022"), post, http=QUICK)) == 1
        assert len(server.calls) == 4


def test_what_was_refused_is_kept_and_tried_by_the_next_call(
    tmp_path: Path, keys: Callable[..., Post]
) -> None:
    with receiver(failures=1, status=401) as server:
        post = keys(hooks=(server.url,))
        with pytest.raises(DeliveryError, match="401; what was not sent is kept") as told:
            hand_on(tmp_path / "o.sqlite", digest(), post, http=QUICK)
        assert "token" not in str(told.value)
        assert len(hand_on(tmp_path / "o.sqlite", digest("2022"), post, http=QUICK)) == 2
        periods = [json.loads(body)["period"] for _, body in server.calls]
        assert periods == ["2021", "2021", "2022"]


SENDER = """
import sys; sys.path.insert(0, {tests!r})
from pathlib import Path
from test_watch import digest
from minetrace.flow.delivery import Post, hand_on
hand_on(Path({box!r}), digest(), Post.of({mail!r}, {hooks!r}))
"""


def killed(box: Path, mail: list[str], hooks: list[str]) -> subprocess.Popen[bytes]:
    code = SENDER.format(tests=str(Path(__file__).parent), box=str(box), mail=mail, hooks=hooks)
    tests = str(Path(__file__).parents[1])
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": tests})


def test_a_kill_between_sending_and_noting_it_doubles_nothing(
    tmp_path: Path, keys: Callable[..., Post]
) -> None:
    """The receiver has it, the sender does not know: the same key comes again, and no other."""
    box = tmp_path / "o.sqlite"
    with receiver() as server:
        post = keys(hooks=(server.url,))
        sender: Any = None
        server.kill = lambda: sender.pid
        sender = killed(box, [], [server.url])
        assert sender.wait(60) == -signal.SIGKILL
        server.kill = None
        assert len(hand_on(box, digest(), post, http=QUICK)) == 1
        assert hand_on(box, digest(), post, http=QUICK) == []
        assert len(server.calls) == 2
        assert len({headers["Idempotency-Key"] for headers, _ in server.calls}) == 1
        assert server.calls[0][1] == server.calls[1][1]


class Postman(socketserver.StreamRequestHandler):
    """As much of a mail server as a client needs."""

    server: Any

    def setup(self) -> None:
        if self.server.implicit:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def secure(self) -> None:
        super().finish()
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        def say(line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO" and self.server.tls is not None:
                say("250-here")
                say("250 STARTTLS")
                continue
            if word == "STARTTLS":
                say("220 go on")
                self.secure()
                continue
            if word == "DATA":
                say("354 go on")
                lines: list[bytes] = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                self.server.mails.append(b"".join(lines))
                if self.server.kill is not None:
                    os.kill(self.server.kill(), signal.SIGKILL)
                    return
                if self.server.silent:
                    return
            elif word == "RCPT" and self.server.refuses:
                say("550 nobody of that name")
                continue
            say("221 bye" if word == "QUIT" else "250 ok")


@contextmanager
def postman(tls: ssl.SSLContext | None = None, implicit: bool = False) -> Iterator[Any]:
    server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Postman)
    server.daemon_threads = True
    server.mails, server.silent, server.refuses, server.kill = [], False, False, None
    server.tls, server.implicit = tls, implicit
    server.handle_error = lambda *_: None  # a client that trusts nobody hangs up
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_mail_arrives_once_with_the_page(tmp_path: Path, keys: Callable[..., Post]) -> None:
    box = tmp_path / "o.sqlite"
    with postman() as server:
        post = keys(mail=("desk@example.org",), port=server.server_address[1])
        server.refuses = True
        with pytest.raises(DeliveryError, match=r"mail to desk@example\.org"):
            hand_on(box, digest(), post)
        server.refuses = False
        assert len(hand_on(box, digest(), post)) == 1
        assert hand_on(box, digest(), post) == []
        (raw,) = server.mails
    mail = message_from_bytes(raw, policy=policy.default)
    assert mail["Subject"] == "Rio, 2021: 1 alert"
    assert mail["Date"]
    text = mail.get_body().get_content()
    assert "m1 grew" in text
    assert "mapped, no interval" in text
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "text/html"
    assert NASTY not in attached.get_content()


def test_a_mail_that_was_cut_off_is_not_sent_again_by_itself(
    tmp_path: Path, keys: Callable[..., Post]
) -> None:
    box = tmp_path / "o.sqlite"
    with postman() as server:
        post = keys(mail=("desk@example.org",), port=server.server_address[1])
        sender: Any = None
        server.kill = lambda: sender.pid
        sender = killed(box, ["desk@example.org"], [])
        assert sender.wait(60) == -signal.SIGKILL
        server.kill, server.silent = None, True
        for _ in range(2):
            with pytest.raises(DeliveryError, match="may have arrived; --resend"):
                hand_on(box, digest(), post)
        assert len(server.mails) == 1
        with pytest.raises(DeliveryError, match="may have arrived"):
            hand_on(box, digest(), post, resend=True)
        server.silent = False
        assert len(hand_on(box, digest(), post, resend=True)) == 1
        ids = {message_from_bytes(raw)["Message-ID"] for raw in server.mails}
        assert len(ids) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine that only those trust who are told to."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext",
            "keyUsage=critical,digitalSignature,keyCertSign"]  # fmt: skip
    files = ["-keyout", f"{path}.key", "-out", str(path)]
    subprocess.run([openssl, *words.split(), *more, *files], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mails_go_to_a_server_that_proves_who_it_is(
    security: str, certificate: Path, tmp_path: Path, keys: Callable[..., Post],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, f"{certificate}.key")
    with postman(tls, implicit=security == "tls") as server:
        post = keys(mail=("desk@example.org",), port=server.server_address[1])
        post = replace(post, security=security)
        with pytest.raises(DeliveryError, match="certificate cannot be trusted") as told:
            hand_on(tmp_path / "o.sqlite", digest(), post)
        assert "\n" not in str(told.value)
        assert not server.mails
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert len(hand_on(tmp_path / "o.sqlite", digest(), post)) == 1
        with pytest.raises(DeliveryError, match="certificate cannot be trusted"):
            hand_on(tmp_path / "o.sqlite", digest("2022"), replace(post, host="localhost"))
        assert len(server.mails) == 1


def test_a_server_without_tls_is_told_nothing(tmp_path: Path, keys: Callable[..., Post]) -> None:
    with postman() as server:
        post = keys(mail=("desk@example.org",), port=server.server_address[1])
        with pytest.raises(DeliveryError, match="MINETRACE_SMTP_SECURITY"):
            hand_on(tmp_path / "o.sqlite", digest(), replace(post, security="starttls"))
        assert not server.mails


def test_addresses_that_would_say_more_than_an_address(
    keys: Callable[..., Post], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for wrong in ("a@b.org\nBcc: c@d.org", "a@b.org\r", "a@b.org, c@d.org", "a b@c d", "@", "a@"):
        with pytest.raises(StudyError, match="is no mail address"):
            keys(mail=(wrong,))
    for wrong in ("https://a.org/\nX: y", "https://", "file:///etc/passwd"):
        with pytest.raises(StudyError, match="begins with https://"):
            keys(hooks=(wrong,))
    with pytest.raises(StudyError, match=r"PLAIN=hooks\.example\.org"):
        keys(hooks=("http://hooks.example.org/x",))
    monkeypatch.setenv("MINETRACE_WEBHOOK_PLAIN", "hooks.example.org")
    assert keys(hooks=("http://hooks.example.org/x",)).webhooks
    with pytest.raises(StudyError, match=r"PLAIN=other\.example\.org"):
        keys(hooks=("http://other.example.org/x",))
    done = minetrace("watch", tmp_path / "none.yaml", "--mail", "a@b.org\nBcc: c@d.org")
    assert (done.returncode, "is no mail address" in done.stderr) == (2, True)
    monkeypatch.setenv("MINETRACE_SMTP_USER", "me")
    monkeypatch.setenv("MINETRACE_SMTP_SECURITY", "none")
    monkeypatch.setenv("MINETRACE_SMTP_HOST", "mail.example.org")
    with pytest.raises(StudyError, match="in the clear"):
        Post.of(["a@example.org"], [])


def test_what_sending_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_HOST", "SMTP_FROM", "WEBHOOK_SECRET"):
        monkeypatch.delenv(f"MINETRACE_{name}", raising=False)
    with pytest.raises(StudyError, match="MINETRACE_SMTP_HOST and MINETRACE_SMTP_FROM"):
        Post.of(["a@example.org"], [])
    with pytest.raises(StudyError, match="set MINETRACE_WEBHOOK_SECRET"):
        Post.of([], ["https://example.org"])
    monkeypatch.setenv("MINETRACE_WEBHOOK_SECRET", SECRET)
    with pytest.raises(StudyError, match="begins with https://") as told:
        Post.of([], ["ftp://user:word@example.org/x?key=1"])
    assert "word" not in str(told.value)


def test_a_page_shows_text_from_data_as_text() -> None:
    text = page(digest(title=NASTY))
    assert NASTY not in text
    assert "&lt;script&gt;" in text
    assert "default-src 'none'" in text


def test_two_at_once_send_once(tmp_path: Path, keys: Callable[..., Post]) -> None:
    with receiver(failures=1) as server:
        post = keys(hooks=(server.url,))
        lines: list[str] = []

        def send() -> None:
            lines.extend(hand_on(tmp_path / "o.sqlite", digest(), post, http=QUICK))

        both = [threading.Thread(target=send) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert len(lines) == 1
        assert len(server.calls) == 2


def test_false_alarms_come_from_a_sample_or_else_from_validation(tmp_path: Path) -> None:
    said = {"minetrace:window": 48, "minetrace:resolution_m": 10.0,
            "minetrace:metrics": {"false_alarms_clear": 0.01}}  # fmt: skip
    card, run = {"model": {"properties": said}}, RunFolder(tmp_path)
    assert false_alarms(run, {}, 5, 100.0) is None
    found = false_alarms(run, card, 5, 100.0)
    assert found is not None
    assert (found["from"], found["per_1000_km2"]) == ("validation", 43.4)
    users = {"value": 0.8, "low": 0.7, "high": 0.9}
    facts = {"run": {}, "periods": [{"period": "2020", "users": users}]}
    (tmp_path / "estimates").mkdir()
    (tmp_path / "estimates/a.json").write_text(json.dumps(facts))
    found = false_alarms(run, card, 5, 100.0)
    assert found is not None
    assert [found[name] for name in ("per_1000_km2", "low", "high")] == [10.0, 5.0, 15.0]
    assert "from the sample of 2020" in found["words"]


def test_a_watch_over_the_world(world: World, tmp_path: Path) -> None:
    asked = {"periods": [2019, 2020, 2021, 2022], "grid": {"tile": 512},
             "vectors": {"threshold": 0.4}, "decode": {"trust_uncalibrated": True}}  # fmt: skip
    study = Study.of({**world_study(world, name="watched"), **asked})
    (tmp_path / "study.yaml").write_text(study.dump())
    run = tmp_path / "run"
    words = ["watch", tmp_path / "study.yaml", "--out", run, "--workers", "1"]
    done = minetrace(*words, "--today", "2021-06-01")
    assert done.returncode == 0, done.stderr
    assert "watched, 2020:" in done.stdout
    told = json.loads((run / "alerts/2020/digest.json").read_text())
    assert told["verdict"] == "alerts"
    assert {alert["kind"] for alert in told["alerts"]} <= {"new", "first-seen", "grown", "returned"}
    assert all(0 <= alert["probability"] <= 1 for alert in told["alerts"])
    assert all(alert["confidence"] in ("high", "medium", "low") for alert in told["alerts"])
    layer = gpd.read_file(run / "alerts/2020/alerts.geojson")
    assert layer.site_id.tolist() == [alert["site_id"] for alert in told["alerts"]]
    shown = (run / "alerts/2020/digest.html").read_text()
    assert shown.count("data:image/webp") >= len(told["alerts"])
    done = minetrace(*words, "--today", "2023-01-01")
    assert done.returncode == 0, done.stderr
    assert "watched, 2022: too cloudy to tell" in done.stdout  # the blind year
    feed = ElementTree.parse(run / "alerts/feed.xml").getroot()
    entries = feed.findall("{http://www.w3.org/2005/Atom}entry")
    assert len({entry.findtext("{http://www.w3.org/2005/Atom}id") for entry in entries}) == 2
    done = minetrace(*words, "--today", "2019-06-01")
    assert (done.returncode, "give more periods" in done.stderr) == (2, True)
