"""A PMTiles archive: tiles in one file, found by asking for ranges of bytes.

This module knows the format alone, not what is inside the tiles. GDAL writes such archives too, but
with one layer each; ours holds a layer for each period, so that one file is the whole map.

Source of method: the PMTiles specification, version 3.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

_HEADER_BYTES = 127
_ROOM_FOR_ROOT = 16_384 - _HEADER_BYTES  # a reader's first request must bring the root
_LEAF_ENTRIES = 4096
_GZIP, _MVT = 2, 1
_COPY_BYTES = 1 << 20


class Place(NamedTuple):
    """Of a tile; the row is counted from the north."""

    zoom: int
    column: int
    row: int


class _Entry(NamedTuple):
    tile_id: int
    offset: int
    length: int
    run: int  # 1: a tile; 0: a leaf of the directory


def tile_id(place: Place) -> int:
    """Places in order of zoom, and within a zoom along a Hilbert curve."""
    x, y, place_on_curve = place.column, place.row, 0
    side = 1 << place.zoom >> 1
    while side:
        right, lower = int(bool(x & side)), int(bool(y & side))
        place_on_curve += side * side * ((3 * right) ^ lower)
        if not lower:
            if right:
                x, y = side - 1 - (x & (side - 1)), side - 1 - (y & (side - 1))
            x, y = y, x
        side >>= 1
    return int((4**place.zoom - 1) // 3 + place_on_curve)


class Archive:
    """Feed it tiles in the order of ``tile_id``; memory holds only the directory."""

    def __init__(self, tiles: BinaryIO) -> None:
        """``tiles``: where the bytes of the tiles wait until the directory is known."""
        self._tiles = tiles
        self._entries: list[_Entry] = []
        self._length = 0
        self._zooms: set[int] = set()

    def add(self, place: Place, tile: bytes) -> None:
        """Take a tile, not yet compressed.

        Raises:
            ValueError: it comes before one that was added already.
        """
        here = tile_id(place)
        if self._entries and here <= self._entries[-1].tile_id:
            raise ValueError(f"{place} must come before the tiles already added")
        packed = gzip.compress(tile, compresslevel=6, mtime=0)
        self._tiles.write(packed)
        self._entries.append(_Entry(here, self._length, len(packed), 1))
        self._length += len(packed)
        self._zooms.add(place.zoom)

    def write(self, path: Path, bounds: Sequence[float], metadata: Mapping[str, Any]) -> None:
        """Write the archive.

        Args:
            bounds: west, south, east, north in degrees.
            metadata: such as ``vector_layers``.
        """
        root, leaves = _directories(self._entries)
        told = gzip.compress(json.dumps(metadata).encode(), mtime=0)
        sizes = (len(root), len(told), len(leaves), self._length)
        self._tiles.seek(0)
        with path.open("wb") as file:
            file.write(_header(sizes, len(self._entries), self._zooms, bounds))
            for piece in (root, told, leaves):
                file.write(piece)
            while piece := self._tiles.read(_COPY_BYTES):
                file.write(piece)


def _header(
    sizes: tuple[int, int, int, int], count: int, zooms: set[int], bounds: Sequence[float]
) -> bytes:
    places = [_HEADER_BYTES]
    for size in sizes[:-1]:
        places.append(places[-1] + size)
    spans = [number for span in zip(places, sizes, strict=True) for number in span]
    edges = [round(edge * 1e7) for edge in bounds]
    low, high = min(zooms, default=0), max(zooms, default=0)
    middle = [(edges[0] + edges[2]) // 2, (edges[1] + edges[3]) // 2]
    return struct.pack(
        "<7sB11Q6B4iB2i", b"PMTiles", 3, *spans, count, count, count,
        1, _GZIP, _GZIP, _MVT, low, high, *edges, low, *middle,
    )  # fmt: skip


def _directories(entries: Sequence[_Entry]) -> tuple[bytes, bytes]:
    """The root and its leaves; a small archive has none."""
    root, size = _directory(entries), _LEAF_ENTRIES
    leaves = b""
    while len(root) > _ROOM_FOR_ROOT:
        cut = [entries[at : at + size] for at in range(0, len(entries), size)]
        packed = [_directory(part) for part in cut]
        starts = [sum(map(len, packed[:at])) for at in range(len(packed))]
        pointers = [
            _Entry(part[0].tile_id, start, len(leaf), 0)
            for part, start, leaf in zip(cut, starts, packed, strict=True)
        ]
        root, leaves, size = _directory(pointers), b"".join(packed), 2 * size
    return root, leaves


def _directory(entries: Sequence[_Entry]) -> bytes:
    ids = [entry.tile_id for entry in entries]
    steps = [here - before for before, here in zip([0, *ids], ids, strict=False)]
    ends = [-1, *(entry.offset + entry.length for entry in entries)]
    offsets = [
        0 if entry.offset == end else entry.offset + 1
        for entry, end in zip(entries, ends, strict=False)
    ]
    runs, lengths = [e.run for e in entries], [e.length for e in entries]
    numbers = [len(entries), *steps, *runs, *lengths, *offsets]
    return gzip.compress(_varints(numbers), mtime=0)


def _varints(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)
