"""A file on a server, read by ranges: each byte range is fetched once, near ones together."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from minetrace.errors import ReadFailedError
from minetrace.store.http import HttpClient, Reply, Signer, redacted, refuse
from minetrace.store.range_cache import RangeCache

FIRST_BYTES = 16_384  # holds the directories of nearly every COG
NEAR_BYTES = 4_096  # ranges so close to each other are fetched as one
MOST_BYTES = 16 << 20  # and no request asks for more than this, unless a range is longer

Range = tuple[int, int]
"""Offset and length."""


@dataclass(frozen=True)
class RemoteFile:
    """One file on a server.

    Attributes:
        url: without any signature.
        client: who asks.
        cache: where ranges are kept.
        sign: adds what the server wants to see; renews it when asked anew.
    """

    url: str
    client: HttpClient
    cache: RangeCache
    sign: Signer | None = None

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes.

        Raises:
            ReadFailedError: the server does not answer with them, or the file ends before.
        """
        head = self.cache.get(self.url, 0, FIRST_BYTES)
        if head is None and offset + length <= FIRST_BYTES:
            head = self._head()
        if head is not None and offset + length <= len(head):
            size = self._noted_size()
            if size is not None and offset + length > size:
                raise self._cut_short(size, offset + length)
            return head[offset : offset + length]
        return self.ranges([(offset, length)])[0]

    def ranges(self, wanted: Sequence[Range]) -> list[bytes]:
        """The bytes of each range, in the order asked for.

        Raises:
            ReadFailedError: the server does not answer with them, or the file ends before.
        """
        found = {one: self.cache.get(self.url, *one) for one in set(wanted)}
        if any(content is None for content in found.values()):
            with self.cache.alone(self.url):
                # somebody else may have fetched some while we waited for our turn
                found |= {one: self.cache.get(self.url, *one) for one, c in found.items() if not c}
                for together in _joined([one for one, c in found.items() if c is None]):
                    found |= self._fetch(together)
        return [found[one] or b"" for one in wanted]

    def whole(self) -> str:
        """Path of a local copy of all of it.

        Raises:
            ReadFailedError: the server does not answer with it.
        """
        path = self.cache.file(self.url, self._suffix)
        with self.cache.alone(self.url):
            if not path.is_file():
                reply = self.client.request("GET", self.url, sign=self.sign)
                refuse(reply, self.url)
                self.cache.put_file(self.url, self._suffix, reply.body)
        return str(path)

    def forget(self) -> None:
        """Drop what is kept of it, because it was not right."""
        with self.cache.alone(self.url):
            self.cache.drop(self.url)

    def version(self) -> bytes | None:
        """What tells this content from another under the same address; None if not yet known."""
        return self.cache.note(self.url)

    def _noted_size(self) -> int | None:
        note = self.cache.note(self.url)
        return None if note is None else int(json.loads(note)["size"])

    def _cut_short(self, ends: int, needed: int) -> ReadFailedError:
        return ReadFailedError(
            f"{redacted(self.url)}: ends at byte {ends}, and byte {needed} is needed, so it is cut "
            "short; report it to the catalog, or leave the scene out with sources.exclude"
        )

    @property
    def _suffix(self) -> str:
        return PurePosixPath(urlsplit(self.url).path).suffix

    def _head(self) -> bytes:
        with self.cache.alone(self.url):
            head = self.cache.get(self.url, 0, FIRST_BYTES)
            if head is None:
                head = self._ask(0, FIRST_BYTES)
                # a shorter file is filled up, so that its head is found again
                head = head.ljust(FIRST_BYTES, b"\0")
                self.cache.put(self.url, 0, head)
        return head

    def _fetch(self, together: Sequence[Range]) -> dict[Range, bytes]:
        """Fetch near ranges with one request, and keep each by itself."""
        first = together[0][0]
        stop = max(offset + length for offset, length in together)
        body, found = self._ask(first, stop - first), {}
        for offset, length in together:
            content = body[offset - first : offset - first + length]
            if len(content) != length:
                raise self._cut_short(first + len(body), offset + length)
            found[offset, length] = content
            self.cache.put(self.url, offset, content)
        return found

    def _ask(self, offset: int, length: int) -> bytes:
        """What the server has of a range; less than asked for only where the file ends.

        A server that knows no ranges sends all of the file: that is asked for once, and kept.
        """
        if (kept := self.cache.cut(self.url, self._suffix, offset, length)) is not None:
            return kept
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        reply = self.client.request("GET", self.url, headers=headers, sign=self.sign)
        if reply.status == 416:
            return b""
        refuse(reply, self.url)
        size = self._checked_size(reply, offset)
        if reply.status == 200:
            self.cache.put_file(self.url, self._suffix, reply.body)
            return reply.body[offset : offset + length]
        if len(reply.body) != min(length, size - offset):
            raise ReadFailedError(
                f"{redacted(self.url)}: answered with {len(reply.body)} bytes where "
                f"{min(length, size - offset)} were asked for; run the same command again"
            )
        return reply.body

    def _checked_size(self, reply: Reply, offset: int) -> int:
        """The file's size, refused if it is another one than before."""
        size, said = len(reply.body), reply.headers.get("content-range", "")
        if reply.status == 206:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", said)
            if match is None or int(match[1]) != offset:
                raise ReadFailedError(
                    f"{redacted(self.url)}: answered with another range ({said or 'not said'}) "
                    "than was asked for; run the same command again"
                )
            size = int(match[2])
        now = {"size": size, "tag": reply.headers.get("etag", "")}
        note = self.cache.note(self.url)
        if note is None:
            self.cache.put_note(self.url, json.dumps(now).encode())
        elif json.loads(note) != now:
            self.cache.drop(self.url)
            raise ReadFailedError(
                f"{redacted(self.url)}: changed while it was being read; run the same command again"
            )
        return size


def _joined(ranges: Sequence[Range]) -> list[list[Range]]:
    """Ranges in order, those near each other together."""
    groups: list[list[Range]] = []
    stop = -1
    for offset, length in sorted(ranges):
        near = groups and offset - stop <= NEAR_BYTES
        if near and offset + length - groups[-1][0][0] <= MOST_BYTES:
            groups[-1].append((offset, length))
        else:
            groups.append([(offset, length)])
        stop = max(stop, offset + length)
    return groups
