"""Answers that do not change while the service runs: kept, packed and named by what they hold.

Everything that is read is published and read-only, so an answer is worked out once, kept as bytes
within a budget, and sent again with its ETag, or not at all to whoever has it already.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from minetrace.faces.api.refusals import BusyError

KEPT_BYTES = 96 << 20
WORTH_PACKING = 512
PACKING = 1  # half the time of 5 for a tenth more bytes
GEOJSON = "application/geo+json"
JSON = "application/json"
SCHEMA = "application/schema+json"
MVT = "application/vnd.mapbox-vector-tile"
PMTILES = "application/vnd.pmtiles"
PNG = "image/png"
FRESH = "public, max-age=300"
_ALWAYS = [(b"cache-control", FRESH.encode()), (b"vary", b"accept-encoding")]

T = TypeVar("T")


class AsGeoJson(Response):
    """What the description of a route says that it answers."""

    media_type = GEOJSON


class AsSchema(Response):
    """Likewise."""

    media_type = SCHEMA


class AsVectorTile(Response):
    """Likewise."""

    media_type = MVT


class AsArchive(Response):
    """Likewise."""

    media_type = PMTILES


class AsPng(Response):
    """Likewise."""

    media_type = PNG


@dataclass(frozen=True)
class Reply:
    """The body of an answer.

    Attributes:
        plain: as it is; empty if only the packed form is kept.
        packed: the same gzipped, or None where that is not worth it.
    """

    plain: bytes
    packed: bytes | None
    media: str
    etag: str
    status: int = 200

    @classmethod
    def of(cls, body: bytes, media: str) -> Reply:
        """Of a body that is not packed yet."""
        pack = len(body) >= WORTH_PACKING and not media.startswith("image/")
        packed = gzip.compress(body, compresslevel=PACKING, mtime=0) if pack else None
        return cls(body if packed is None else b"", packed, media, _etag(body))

    @classmethod
    def of_packed(cls, packed: bytes, media: str) -> Reply:
        """Of a body that lies there gzipped."""
        return cls(b"", packed, media, _etag(packed))

    @classmethod
    def of_json(cls, thing: Any, media: str = JSON) -> Reply:
        """Of what JSON holds."""
        return cls.of(dumps(thing), media)

    @classmethod
    def nothing(cls) -> Reply:
        """There is nothing at this place, and that is no mistake."""
        return cls(b"", None, "", _etag(b""), 204)

    def size(self) -> int:
        """Bytes kept."""
        return len(self.plain) + len(self.packed or b"") + 600  # its address and headers

    def answer(self, accepts: str, has: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body: packed if they can unpack, empty if they have it.

        Args:
            accepts: their ``Accept-Encoding``.
            has: their ``If-None-Match``.
        """
        headers = [(b"etag", self.etag.encode()), *_ALWAYS]
        if self.etag in has:
            return 304, headers, b""
        if self.status == 204:
            return 204, headers, b""
        body = self.plain
        if self.packed is not None and "gzip" in accepts:
            body = self.packed
            headers.append((b"content-encoding", b"gzip"))
        elif self.packed is not None:
            body = gzip.decompress(self.packed)
        headers.append((b"content-type", self.media.encode()))
        headers.append((b"content-length", str(len(body)).encode()))
        return self.status, headers, body

    def to(self, request: Request) -> Response:
        """The same as an answer of a route."""
        asked = request.headers
        status, headers, body = self.answer(
            asked.get("accept-encoding", ""), asked.get("if-none-match", "")
        )
        response = Response(body, status)
        response.raw_headers = headers
        return response


def dumps(thing: Any) -> bytes:
    """Compact JSON as bytes."""
    return json.dumps(thing, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _etag(body: bytes) -> str:
    return f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'


class Crew:
    """Threads for work of one kind; when they and their queue are taken, others are sent away.

    Work that its asker no longer waits for keeps its thread until it is done, so that nobody can
    pile it up by leaving.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="minetrace")
        self._most, self._taken, self._lock = threads + waiting, 0, threading.Lock()

    async def do(self, work: Callable[[], T]) -> T:
        """Let a thread work, and wait for it.

        Raises:
            BusyError: all are taken.
        """
        with self._lock:
            if self._taken >= self._most:
                raise BusyError("too many others ask for this just now; try again in a moment")
            self._taken += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._done)
        return await asyncio.shield(asyncio.wrap_future(future))

    def _done(self, _: Future[Any]) -> None:
        with self._lock:
            self._taken -= 1

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
