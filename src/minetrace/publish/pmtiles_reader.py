"""Reading a PMTiles archive: a tile by its place, without a range of bytes too many.

Source of method: the PMTiles specification, version 3.
"""

from __future__ import annotations

import gzip
import json
import os
import struct
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from minetrace.errors import OutlineError
from minetrace.publish.pmtiles import Place, tile_id

_HEADER = struct.Struct("<7sB11Q6B4iB2i")
_GZIP, _MVT = 2, 1
_KEPT_LEAVES = 64


class _Directory(NamedTuple):
    ids: list[int]
    runs: list[int]
    lengths: list[int]
    offsets: list[int]


class Tiles:
    """An archive of gzipped vector tiles, held open.

    Attributes:
        path: where it is.
        first, last: zooms.
        bounds: west, south, east, north in degrees.
        metadata: what the archive says of itself, such as ``vector_layers``.
    """

    def __init__(self, path: Path) -> None:
        """Open an archive.

        Raises:
            OutlineError: it is no archive of gzipped vector tiles.
        """
        self.path = path
        self._file = os.open(path, os.O_RDONLY)
        try:
            head = _HEADER.unpack(os.pread(self._file, _HEADER.size, 0))
        except struct.error as error:
            raise OutlineError(f"{path}: is cut short; run again to make it anew") from error
        if head[:2] != (b"PMTiles", 3) or head[14:17] != (_GZIP, _GZIP, _MVT):
            raise OutlineError(f"{path}: no PMTiles of gzipped vector tiles; run again to make it")
        root, told, self._leaves, self._tiles = head[2:4], head[4:6], head[6], head[8]
        self.first, self.last = int(head[17]), int(head[18])
        self.bounds = [edge / 1e7 for edge in head[19:23]]
        self.metadata: dict[str, Any] = json.loads(gzip.decompress(self._read(*told)))
        self._root = _directory(self._read(*root))
        self._kept: OrderedDict[int, _Directory] = OrderedDict()

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def tile(self, place: Place) -> bytes | None:
        """The gzipped tile at a place, or None where there is nothing."""
        if not self.first <= place.zoom <= self.last:
            return None
        wanted, directory = tile_id(place), self._root
        for _ in range(4):  # the format allows no deeper tree
            at = bisect_right(directory.ids, wanted) - 1
            if at < 0:
                return None
            offset, length = directory.offsets[at], directory.lengths[at]
            if directory.runs[at]:
                inside = wanted < directory.ids[at] + directory.runs[at]
                return self._read(self._tiles + offset, length) if inside else None
            directory = self._leaf(self._leaves + offset, length)
        return None

    def _leaf(self, offset: int, length: int) -> _Directory:
        found = self._kept.pop(offset, None) or _directory(self._read(offset, length))
        self._kept[offset] = found
        while len(self._kept) > _KEPT_LEAVES:
            self._kept.popitem(last=False)
        return found

    def _read(self, offset: int, length: int) -> bytes:
        return os.pread(self._file, length, offset)


def _directory(packed: bytes) -> _Directory:
    numbers = _numbers(gzip.decompress(packed))
    count = numbers[0]
    steps, runs, lengths, told = (
        numbers[1 + k * count : 1 + (k + 1) * count] for k in range(4)
    )  # fmt: skip
    ids, offsets, here, end = [], [], 0, 0
    for step, length, offset in zip(steps, lengths, told, strict=True):
        here += step
        ids.append(here)
        offsets.append(end if offset == 0 else offset - 1)
        end = offsets[-1] + length
    return _Directory(ids, runs, lengths, offsets)


def _numbers(data: bytes) -> list[int]:
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(value)
            value = shift = 0
    return numbers
