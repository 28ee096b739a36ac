"""Rasters on a server: only the blocks under a window are fetched, and GDAL decodes them.

A GeoTIFF is read block by block. What is no GeoTIFF (JPEG 2000) or has a mask of its own is fetched
whole, since which of its bytes belong to which pixels is not for us to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window

from minetrace.core.grid import Rect
from minetrace.errors import RasterError, ReadFailedError
from minetrace.sources.decoded import DecodedBlocks
from minetrace.sources.image import RasterFile
from minetrace.sources.inspection import placed
from minetrace.sources.stac_signing import OPEN, Access, address, signer
from minetrace.store.http import PATIENT, HttpOptions, client, redacted
from minetrace.store.range_cache import RangeCache
from minetrace.store.remote import RemoteFile
from minetrace.store.tiff import Layout, NotATiffError, parse, sparse

_decoded = DecodedBlocks()


@dataclass(frozen=True)
class Reading:
    """How remote rasters are read by every process of a run.

    Attributes:
        cache: folder of byte ranges; ``slots`` inside it keeps the processes to ``per_host``.
    """

    cache: Path
    http: HttpOptions = PATIENT
    access: Access = OPEN

    @property
    def slots(self) -> Path:
        """Where the processes of a run agree on who asks."""
        return self.cache / "slots"


@dataclass(frozen=True)
class Sheet:
    """What a raster says of itself.

    Attributes:
        layout: where its blocks are; None if it is read whole.
        path: of the local copy, if it is read whole.
        version: of the file that the layout is of.
    """

    crs: str
    affine: Affine
    height: int
    width: int
    dtype: str
    nodata: float | None
    layout: Layout | None
    path: str | None
    version: bytes | None = None


@dataclass(frozen=True)
class RemoteRaster(RasterFile):
    """A raster that an item names; ``address`` is its href, without any signature."""

    reading: Reading = field(kw_only=True)

    def sheet(self) -> Sheet:
        """Look at it once; remembered by this process.

        Raises:
            ReadFailedError: it cannot be fetched or is no raster.
        """
        return _sheet(self)

    def read(self, indexes: Sequence[int], window: Rect) -> list[NDArray[Any]]:
        """Counts of bands (from 1) in a window that lies inside the raster.

        Bytes that cannot be decoded are fetched once more, in case they were spoilt on the way.

        Raises:
            ReadFailedError: it cannot be fetched, or what was fetched cannot be decoded.
        """
        try:
            return _decode(self, self.sheet(), indexes, window)
        except (RasterioError, NotATiffError):
            self.forget()
        try:
            return _decode(self, self.sheet(), indexes, window)
        except (RasterioError, NotATiffError) as error:
            self.forget()
            raise _broken(self.address, error) from error

    def forget(self) -> None:
        """Drop what is kept of it."""
        if _is_remote(self.address):
            _file(self).forget()
        _sheet.cache_clear()
        _decoded.clear()


@dataclass(frozen=True, eq=False)
class HeldRaster(RasterFile):
    """A raster of which a window was read; what lies outside it is read when it is asked for."""

    raster: RemoteRaster = field(kw_only=True)
    index: int = field(kw_only=True)
    window: Rect = field(kw_only=True)
    counts: NDArray[Any] = field(kw_only=True)

    def read(self, indexes: Sequence[int], window: Rect) -> list[NDArray[Any]]:
        """Counts, from memory where they are there."""
        if self.window.contains(window) and tuple(indexes) == (self.index,):
            return [self.counts[window.within(self.window)].copy()]
        return self.raster.read(indexes, window)


def hold(raster: RemoteRaster, index: int, window: Rect) -> HeldRaster:
    """Read a window of a band, to be cut up later.

    Raises:
        ReadFailedError: it cannot be read.
    """
    counts = raster.read((index,), window)[0]
    return HeldRaster(raster.address, raster=raster, index=index, window=window, counts=counts)


@lru_cache(maxsize=8192)
def _sheet(raster: RemoteRaster) -> Sheet:
    if not _is_remote(raster.address):
        return _described(raster.address, None, _local(raster.address))
    file = _file(raster)
    for last in (False, True):
        try:
            layout = parse(file.read)
            if not layout.has_mask:
                with _in_memory(sparse(layout, {})) as source:
                    sheet = _describe(source, raster.address, layout, None)
                    return replace(sheet, version=file.version())
            break
        except (NotATiffError, RasterioError):
            if not last:
                file.forget()  # perhaps spoilt on the way
    return _described(raster.address, None, file.whole())


def _described(href: str, layout: Layout | None, path: str) -> Sheet:
    try:
        with rasterio.open(path) as source:
            return _describe(source, href, layout, path)
    except RasterioError as error:
        if _is_remote(href):
            Path(path).unlink(missing_ok=True)
        raise _broken(href, error) from error


def _describe(source: Any, href: str, layout: Layout | None, path: str | None) -> Sheet:
    try:
        crs, affine = placed(Path(redacted(href)), source)
    except RasterError as error:
        raise ReadFailedError(
            f"{redacted(href)}: has no place on Earth; leave the scene out with sources.exclude"
        ) from error
    nodata = source.nodatavals[0]
    return Sheet(crs, affine, source.height, source.width, source.dtypes[0], nodata, layout, path)


def _decode(
    raster: RemoteRaster, sheet: Sheet, indexes: Sequence[int], window: Rect
) -> list[NDArray[Any]]:
    where = Window(window.col, window.row, window.width, window.height)
    if sheet.layout is None:
        with rasterio.open(sheet.path) as source:
            return list(source.read(list(indexes), window=where))
    return [_from_blocks(raster, sheet, sheet.layout, index, window) for index in indexes]


def _from_blocks(
    raster: RemoteRaster, sheet: Sheet, layout: Layout, index: int, window: Rect
) -> NDArray[Any]:
    """One band of a window, put together of its blocks, each decoded once if it can be kept."""
    plane = index - 1 if layout.planes > 1 else 0
    rects = _blocks_under(layout, window, plane)
    keys = {number: (raster, sheet.version, index, number) for number in rects}
    blocks = {n: block for n, key in keys.items() if (block := _decoded.get(key)) is not None}
    missing = {number: rect for number, rect in rects.items() if number not in blocks}
    if missing:
        blocks |= _decode_blocks(raster, sheet, layout, index, missing)
    out = np.empty(window.shape, dtype=sheet.dtype)
    for number, rect in rects.items():
        part = rect & window
        out[part.within(window)] = blocks[number][part.within(rect)]
        if window.contains(rect):
            _decoded.drop(keys[number])
        elif number in missing:
            _decoded.put(keys[number], blocks[number].copy())
    return out


def _decode_blocks(
    raster: RemoteRaster, sheet: Sheet, layout: Layout, index: int, rects: Mapping[int, Rect]
) -> dict[int, NDArray[Any]]:
    """Fetch blocks and let GDAL decode them."""
    file = _file(raster)
    numbers = [number for number in rects if layout.counts[number]]
    spans = [(int(layout.offsets[n]), int(layout.counts[n])) for n in numbers]
    blocks = dict(zip(numbers, file.ranges(spans), strict=True))
    now = file.version()
    if None not in (now, sheet.version) and now != sheet.version:
        _sheet.cache_clear()  # its blocks lie elsewhere now
        raise ReadFailedError(
            f"{redacted(raster.address)}: changed while it was being read; run the same command "
            "again"
        )
    around = reduce(Rect.__or__, rects.values())
    with _in_memory(sparse(layout, blocks)) as source:
        window = Window(around.col, around.row, around.width, around.height)
        pixels = source.read(index, window=window)
    return {number: pixels[rect.within(around)] for number, rect in rects.items()}


def _blocks_under(layout: Layout, window: Rect, plane: int) -> dict[int, Rect]:
    """The pixels of each block that a window touches, by its number."""
    whole = Rect(0, 0, layout.height, layout.width)
    first = plane * layout.across * layout.down
    numbers = layout.blocks(window.row, window.col, window.height, window.width, plane)
    high, wide = layout.block_height, layout.block_width
    places = {number: divmod(number - first, layout.across) for number in numbers}
    return {
        number: Rect(down * high, along * wide, high, wide) & whole
        for number, (down, along) in places.items()
    }


@contextmanager
def _in_memory(content: bytes) -> Iterator[Any]:
    with MemoryFile(content) as memory, memory.open() as source:
        yield source


def _file(raster: RemoteRaster) -> RemoteFile:
    reading = raster.reading
    asks = client(reading.http, reading.slots)
    return RemoteFile(
        address(raster.address, reading.access), asks, RangeCache(reading.cache),
        signer(reading.access, asks),
    )  # fmt: skip


def _is_remote(href: str) -> bool:
    return href.startswith(("http://", "https://", "s3://"))


def _local(href: str) -> str:
    return urlsplit(href).path if href.startswith("file://") else href


def _broken(href: str, error: Exception) -> ReadFailedError:
    reason = " ".join(str(error.__cause__ or error).split())
    return ReadFailedError(
        f"{redacted(href)}: cannot be decoded, perhaps it is damaged or cut short ({reason}); "
        "run the same command again, or leave the scene out with sources.exclude"
    )
