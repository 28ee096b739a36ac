"""A small real server: a STAC API, a static catalog and range requests, with faults on demand.

It listens on 127.0.0.1 alone, in threads of this process, and serves a folder that ``stac_catalog``
wrote. It counts what it is asked and what it sends, so that tests can say how much was read.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from shapely.geometry import box, shape

from minetrace.testing.loopback import Loopback

FaultKind = Literal["status", "timeout", "reset", "short", "corrupt", "no-range"]
_PAGE = 100
_CONFORMS = ("core", "item-search", "ogcapi-features", "collections")


@dataclass
class Fault:
    """Something that goes wrong with requests.

    Attributes:
        kind: ``status`` answers with ``status``; ``timeout`` falls silent for ``seconds``;
            ``reset`` breaks the connection; ``short`` sends half of what it announced;
            ``corrupt`` turns bytes over; ``no-range`` sends the whole file.
        match: regular expression that the path must hold.
        times: how many requests it hits; it is used up then.
        method: of the requests, or None for any.
        from_byte: hits only ranges that start there or later; -1 for any request.
    """

    kind: FaultKind
    match: str = ""
    times: int = 1
    status: int = 500
    seconds: float = 5.0
    retry_after_s: float | None = None
    method: str | None = None
    from_byte: int = -1


@dataclass
class Seen:
    """What was asked and sent so far.

    Attributes:
        requests: (method, path without query, first byte or -1), in order of arrival.
        bytes_sent: of bodies.
        most_at_once: largest number of requests that were under way together.
    """

    requests: list[tuple[str, str, int]] = field(default_factory=list)
    bytes_sent: int = 0
    most_at_once: int = 0

    def of(self, pattern: str) -> list[tuple[str, str, int]]:
        """Requests whose path holds a pattern."""
        return [one for one in self.requests if re.search(pattern, one[1])]


class StacServer(Loopback):
    """A folder of items and assets, served; a context manager.

    Paths: ``/`` and ``/search`` (STAC API), ``/static/catalog.json`` (the same as files),
    ``/data/...`` (assets), ``/signed/...`` (assets that need a token from ``/sas/token/NAME``),
    ``/s3/...`` (assets that need an AWS signature).

    Args:
        folder: holds ``items/*.json`` and ``data/``.
        latency_s: how long every answer waits.
        line_bytes_s: bytes a second that all answers share, as on a line; None for no limit.
        token_s: how long a token lasts.
        page: items a page.
    """

    def __init__(
        self, folder: Path, *, latency_s: float = 0.0, line_bytes_s: float | None = None,
        token_s: float = 3600.0, page: int = _PAGE,
    ) -> None:  # fmt: skip
        self.folder, self.latency_s, self.token_s, self.page = folder, latency_s, token_s, page
        self.line_bytes_s = line_bytes_s
        self._line_free_at = 0.0
        self.faults: list[Fault] = []
        self.seen = Seen()
        self.authorizations: list[tuple[str, dict[str, str]]] = []
        self.tokens: dict[str, datetime] = {}
        self._under_way = 0
        self._lock = threading.Lock()
        super().__init__(_Server(("127.0.0.1", 0), _handler(self)))

    def forget(self) -> None:
        """Count from zero again, and let no fault be left over."""
        self.seen, self.faults = Seen(), []

    def items(self) -> list[dict[str, Any]]:
        """Every item, its assets' addresses made absolute."""
        found = []
        for path in sorted((self.folder / "items").glob("*.json")):
            text = path.read_text(encoding="utf-8").replace("{root}", self.url)
            found.append(json.loads(text))
        return found

    def fault_for(self, method: str, path: str, first: int) -> Fault | None:
        """The fault that hits a request, if any; it is used up by that."""
        with self._lock:
            for fault in self.faults:
                hit = fault.times > 0 and re.search(fault.match, path)
                if hit and fault.method in (None, method) and first >= fault.from_byte:
                    fault.times -= 1
                    return fault
        return None

    @contextmanager
    def counted(self, method: str, path: str, first: int) -> Iterator[None]:
        """Note a request for as long as it is under way."""
        with self._lock:
            self.seen.requests.append((method, path, first))
            self._under_way += 1
            self.seen.most_at_once = max(self.seen.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def sent(self, count: int) -> None:
        """Note bytes of a body."""
        with self._lock:
            self.seen.bytes_sent += count

    def take_the_line(self, count: int) -> None:
        """Wait for as long as so many bytes take, after all that was sent before."""
        if self.line_bytes_s is None:
            return
        with self._lock:
            now = time.monotonic()
            self._line_free_at = max(now, self._line_free_at) + count / self.line_bytes_s
            wait_s = self._line_free_at - now
        time.sleep(wait_s)

    def new_token(self) -> dict[str, str]:
        """A token and when it ends."""
        until = datetime.now(UTC) + timedelta(seconds=self.token_s)
        with self._lock:
            token = f"sv=1&sig=secret{len(self.tokens)}"
            self.tokens[token] = until
        return {"msft:expiry": until.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "token": token}  # fmt: skip

    def accepts(self, query: str) -> bool:
        """True if a query holds a token that has not ended."""
        until = self.tokens.get(query)
        return until is not None and datetime.now(UTC) < until


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


def _handler(server: StacServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    owner: StacServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET", {})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._serve("POST", json.loads(self.rfile.read(length) or b"{}"))

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _serve(self, method: str, asked: dict[str, Any]) -> None:
        parts = urlsplit(self.path)
        path, first = unquote(parts.path), self._first_byte()
        with self.owner.counted(method, path, first):
            if self.owner.latency_s:
                time.sleep(self.owner.latency_s)
            fault = self.owner.fault_for(method, path, first)
            if fault and not self._suffer(fault):
                return
            self._answer(path, parts.query, asked, fault)

    def _first_byte(self) -> int:
        found = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(found[1]) if found else -1

    def _suffer(self, fault: Fault) -> bool:
        """Go wrong; True if an answer is to be given all the same."""
        if fault.kind == "status":
            extra = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            self._send(fault.status, b'{"description": "out of order"}', extra)
            return False
        if fault.kind == "timeout":
            time.sleep(fault.seconds)
        if fault.kind in ("reset", "timeout"):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            self.close_connection = True
            return False
        return True

    def _answer(self, path: str, query: str, asked: dict[str, Any], fault: Fault | None) -> None:
        if path.startswith(("/data/", "/signed/", "/s3/")):
            self._asset(path, query, fault)
        elif path == "/search":
            wanted = asked or {k: v[0] for k, v in parse_qs(query).items()}
            self._json(_page(self.owner, wanted), fault)
        elif path.startswith("/sas/token/"):
            self._json(self.owner.new_token())
        elif path == "/":
            self._json(_landing(self.owner), fault)
        elif path.startswith("/static/"):
            self._static(path.removeprefix("/static/"), fault)
        else:
            self._send(404, b'{"description": "no such thing"}')

    def _static(self, name: str, fault: Fault | None) -> None:
        items = {item["id"]: item for item in self.owner.items()}
        if name == "catalog.json":
            self._json(_static_catalog(items), fault)
        elif name.removesuffix(".json") in items:
            self._json(items[name.removesuffix(".json")], fault)
        else:
            self._send(404, b"{}")

    def _asset(self, path: str, query: str, fault: Fault | None) -> None:
        tree, name = path.strip("/").split("/", 1)
        if tree == "signed" and not self.owner.accepts(query):
            self._send(403, b"<Error>signature not valid in the specified time frame</Error>")
            return
        if tree == "s3":
            self.owner.authorizations.append((self.path, dict(self.headers)))
            if "AWS4-HMAC-SHA256" not in (self.headers.get("Authorization") or ""):
                self._send(403, b"<Error>AccessDenied</Error>")
                return
        file = self.owner.folder / "data" / name
        if not file.is_file():
            self._send(404, b"<Error>NoSuchKey</Error>")
            return
        self._range(file, fault)

    def _range(self, file: Path, fault: Fault | None) -> None:
        found = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        size = file.stat().st_size
        extra = {"Accept-Ranges": "bytes", "ETag": f'"{size}"'}
        if found is None or (fault and fault.kind == "no-range"):
            self._send(200, file.read_bytes(), extra, fault)
            return
        first = int(found[1])
        last = min(int(found[2]) if found[2] else size - 1, size - 1)
        if first >= size:
            self._send(416, b"", {"Content-Range": f"bytes */{size}"})
            return
        extra["Content-Range"] = f"bytes {first}-{last}/{size}"
        with file.open("rb") as opened:
            opened.seek(first)
            content = opened.read(last + 1 - first)
        self._send(206, content, extra, fault)

    def _json(self, thing: Any, fault: Fault | None = None) -> None:
        kind = {"Content-Type": "application/geo+json"}
        self._send(200, json.dumps(thing).encode(), kind, fault)

    def _send(
        self, status: int, body: bytes, extra: dict[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:  # fmt: skip
        self.owner.take_the_line(len(body))
        self.send_response(status)
        for key, value in (extra or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault and fault.kind == "short":
            body = body[: len(body) // 2]
            self.close_connection = True
        if fault and fault.kind == "corrupt":
            body = bytes(255 - byte for byte in body)
        self.wfile.write(body)
        self.owner.sent(len(body))


def _landing(server: StacServer) -> dict[str, Any]:
    links = [
        {"rel": "self", "type": "application/json", "href": f"{server.url}/"},
        {"rel": "root", "type": "application/json", "href": f"{server.url}/"},
        {"rel": "search", "type": "application/geo+json", "href": f"{server.url}/search",
         "method": "POST"},
        {"rel": "search", "type": "application/geo+json", "href": f"{server.url}/search",
         "method": "GET"},
    ]  # fmt: skip
    return {
        "type": "Catalog", "id": "served", "stac_version": "1.0.0", "description": "served",
        "conformsTo": [f"https://api.stacspec.org/v1.0.0/{one}" for one in _CONFORMS],
        "links": links,
    }  # fmt: skip


def _static_catalog(items: dict[str, Any]) -> dict[str, Any]:
    links = [{"rel": "item", "type": "application/geo+json", "href": f"./{name}.json"}
             for name in items]  # fmt: skip
    return {"type": "Catalog", "id": "static", "stac_version": "1.0.0", "description": "static",
            "links": links}  # fmt: skip


def _page(server: StacServer, asked: dict[str, Any]) -> dict[str, Any]:
    found = [item for item in server.items() if _matches(item, asked)]
    start = int(asked.get("token", 0))
    size = min(int(asked.get("limit", server.page)), server.page)
    links = []
    if start + size < len(found):
        body = {**asked, "token": start + size}
        links.append({"rel": "next", "type": "application/geo+json", "method": "POST",
                      "href": f"{server.url}/search", "body": body})  # fmt: skip
    return {"type": "FeatureCollection", "features": found[start : start + size], "links": links}


def _matches(item: dict[str, Any], asked: dict[str, Any]) -> bool:
    ground = shape(item["geometry"])
    if "bbox" in asked and not ground.intersects(box(*_numbers(asked["bbox"]))):
        return False
    if "intersects" in asked and not ground.intersects(shape(asked["intersects"])):
        return False
    if "collections" in asked and item["collection"] not in asked["collections"]:
        return False
    cover = (asked.get("query") or {}).get("eo:cloud_cover", {}).get("lte", 100)
    if item["properties"].get("eo:cloud_cover", 0) > cover:
        return False
    return _within(item["properties"]["datetime"], asked.get("datetime"))


def _numbers(asked: str | Sequence[float]) -> tuple[float, float, float, float]:
    west, south, east, north = (
        float(v) for v in (asked.split(",") if isinstance(asked, str) else asked)
    )
    return west, south, east, north


def _within(moment: str, span: str | None) -> bool:
    if not span:
        return True
    first, _, last = span.partition("/")
    when = datetime.fromisoformat(moment)
    after = first in ("", "..") or when >= datetime.fromisoformat(first)
    return after and (last in ("", "..") or when <= datetime.fromisoformat(last or first))
