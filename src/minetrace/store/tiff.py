"""Where the blocks of a TIFF lie, and a TIFF that holds only some of them.

This is how a few blocks of a remote GeoTIFF are read exactly, without the rest: its directory is
parsed from the first bytes, the blocks under a window are fetched as byte ranges, and both are put
together as a small file in which every other block is absent, for GDAL to decode. Nothing here
decodes pixels. Source: TIFF revision 6.0 (Adobe, 1992), sections 2 and 15, and the BigTIFF layout.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Read = Callable[[int, int], bytes]
"""From an offset and a length to exactly those bytes."""

SUBFILE, WIDTH, HEIGHT, STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP = 254, 256, 257, 273, 277, 278
STRIP_COUNTS, PLANAR, TILE_WIDTH, TILE_HEIGHT = 279, 284, 322, 323
TILE_OFFSETS, TILE_COUNTS, SUB_IFDS = 324, 325, 330
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_POINTERS = (STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS)
_ELSEWHERE = (SUB_IFDS, 34665, 34853)  # tags that point at other directories
_MASK = 4  # bit of SUBFILE that says transparency mask
_MOST_DIRECTORIES = 32


class NotATiffError(ValueError):
    """The bytes are not a TIFF whose blocks could be told apart."""


@dataclass(frozen=True)
class Tag:
    """One entry of a directory; ``raw`` holds its values in the file's byte order."""

    code: int
    kind: int
    count: int
    raw: bytes


@dataclass(frozen=True)
class Layout:
    """The first image of a TIFF.

    Attributes:
        order: ``<`` or ``>``.
        tags: all that describe the image, those that say where blocks lie left out.
        width, height: pixels.
        block_width, block_height: pixels of a tile, or of a strip.
        planes: 1 if a block holds every band, else the number of bands.
        offsets, counts: of each block in bytes, plane by plane, row by row; a block of 0 bytes
            is absent, and reads as nodata.
        has_mask: True if a further image says what is valid.
    """

    order: str
    tags: tuple[Tag, ...]
    width: int
    height: int
    block_width: int
    block_height: int
    planes: int
    tiled: bool
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    has_mask: bool

    @property
    def across(self) -> int:
        """Blocks in a row."""
        return -(-self.width // self.block_width)

    @property
    def down(self) -> int:
        """Rows of blocks."""
        return -(-self.height // self.block_height)

    def blocks(self, row: int, col: int, height: int, width: int, plane: int = 0) -> list[int]:
        """Numbers of the blocks that a window inside the image touches."""
        first = plane * self.across * self.down if self.planes > 1 else 0
        rows = range(row // self.block_height, -(-(row + height) // self.block_height))
        cols = range(col // self.block_width, -(-(col + width) // self.block_width))
        return [first + r * self.across + c for r in rows for c in cols]


def parse(read: Read) -> Layout:
    """Parse the directories of a TIFF.

    Raises:
        NotATiffError: it is none, or its blocks cannot be told apart.
    """
    head = read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        raise NotATiffError("does not begin as a TIFF does")
    version = struct.unpack(order + "H", head[2:4])[0]
    if version not in (42, 43):
        raise NotATiffError(f"is no TIFF (version {version})")
    big = version == 43
    at = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])[0]
    tags, at = _directory(read, order, big, at)
    has_mask, seen = False, 0
    while at and seen < _MOST_DIRECTORIES:
        further, at = _directory(read, order, big, at, only=SUBFILE)
        subfile = further.get(SUBFILE)
        has_mask |= subfile is not None and bool(_numbers(subfile, order)[0] & _MASK)
        seen += 1
    return _layout(order, tags, has_mask)


def _directory(
    read: Read, order: str, big: bool, at: int, only: int | None = None
) -> tuple[dict[int, Tag], int]:
    """The tags of a directory (or one of them), and where the next directory is."""
    head, entry, link = (8, 20, 8) if big else (2, 12, 4)
    number = struct.unpack(order + ("Q" if big else "H"), read(at, head))[0]
    if not 0 < number < 4096:
        raise NotATiffError(f"has a directory of {number} entries")
    block = read(at + head, number * entry + link)
    tags: dict[int, Tag] = {}
    for start in range(0, number * entry, entry):
        code, kind = struct.unpack(order + "HH", block[start : start + 4])
        if only is not None and code != only:
            continue
        field = block[start + 4 : start + entry]
        count = struct.unpack(order + ("Q" if big else "I"), field[:link])[0]
        size = _SIZES.get(kind, 1) * count
        raw = field[link : link + size]
        if size > link:
            raw = read(struct.unpack(order + ("Q" if big else "I"), field[link:])[0], size)
        tags[code] = Tag(code, kind, count, raw)
    return tags, struct.unpack(order + ("Q" if big else "I"), block[-link:])[0]


def _numbers(tag: Tag, order: str) -> NDArray[np.int64]:
    kinds = {1: "u1", 3: "u2", 4: "u4", 8: "i2", 9: "i4", 13: "u4", 16: "u8"}
    if tag.kind not in kinds or len(tag.raw) != _SIZES[tag.kind] * tag.count:
        raise NotATiffError(f"has a broken tag {tag.code}")
    return np.frombuffer(tag.raw, order + kinds[tag.kind]).astype(np.int64)


def _layout(order: str, tags: Mapping[int, Tag], has_mask: bool) -> Layout:
    def number(code: int, default: int | None = None) -> int:
        if code in tags:
            return int(_numbers(tags[code], order)[0])
        if default is None:
            raise NotATiffError(f"has no tag {code}")
        return default

    width, height = number(WIDTH), number(HEIGHT)
    tiled = TILE_OFFSETS in tags
    block_width = number(TILE_WIDTH) if tiled else width
    block_height = number(TILE_HEIGHT) if tiled else min(number(ROWS_PER_STRIP, height), height)
    planes = number(SAMPLES, 1) if number(PLANAR, 1) == 2 else 1
    where, sizes = (TILE_OFFSETS, TILE_COUNTS) if tiled else (STRIP_OFFSETS, STRIP_COUNTS)
    if min(width, height, block_width, block_height) <= 0 or {where, sizes} - tags.keys():
        raise NotATiffError("does not say where its blocks are")
    offsets, counts = _numbers(tags[where], order), _numbers(tags[sizes], order)
    expected = math.ceil(width / block_width) * math.ceil(height / block_height) * planes
    if len(offsets) != expected or len(counts) != expected:
        raise NotATiffError(f"has {len(offsets)} blocks where {expected} are needed")
    kept = tuple(tag for code, tag in sorted(tags.items()) if code not in (*_POINTERS, *_ELSEWHERE))
    return Layout(order, kept, width, height, block_width, block_height, planes, tiled,
                  offsets, counts, has_mask)  # fmt: skip


def sparse(layout: Layout, blocks: Mapping[int, bytes]) -> bytes:
    """A BigTIFF with the same image and only some of its blocks.

    Args:
        layout: of the whole file.
        blocks: by number, as they stand in the whole file.
    """
    total = len(layout.offsets)
    offsets, counts = np.zeros(total, np.uint64), np.zeros(total, np.uint64)
    where, sizes = (TILE_OFFSETS, TILE_COUNTS) if layout.tiled else (STRIP_OFFSETS, STRIP_COUNTS)
    tags = sorted((*((t.code, t.kind, t.count, t.raw) for t in layout.tags),
                   (where, 16, total, b""), (sizes, 16, total, b"")))  # fmt: skip
    outside = {c: (8 * n if c in (where, sizes) else len(raw)) for c, _, n, raw in tags}
    start = 16 + 8 + 20 * len(tags) + 8
    spots, at = {}, start
    for code, size in outside.items():
        if size > 8:
            spots[code], at = at, at + size + size % 2
    for number, content in blocks.items():
        offsets[number], counts[number] = at, len(content)
        at += len(content)
    o = layout.order
    filled = {where: offsets.astype(o + "u8").tobytes(), sizes: counts.astype(o + "u8").tobytes()}
    directory, values = [struct.pack(o + "Q", len(tags))], []
    for code, kind, count, kept in tags:
        raw = filled.get(code, kept)
        directory.append(struct.pack(o + "HHQ", code, kind, count))
        if code in spots:
            directory.append(struct.pack(o + "Q", spots[code]))
            values.append(raw + b"\0" * (len(raw) % 2))
        else:
            directory.append(raw.ljust(8, b"\0"))
    head = (b"II" if o == "<" else b"MM") + struct.pack(o + "HHHQ", 43, 8, 0, 16)
    parts = (head, *directory, struct.pack(o + "Q", 0), *values, *blocks.values())
    return b"".join(parts)
