"""Imagery that Earth Engine computes: fetched in blocks of our own lattice, and kept.

A scene is a day of Sentinel-2, or a period's composite of Landsat. Blocks are cut from the lattice
and clipped to the region's surroundings, so that a pixel's value and the cache do not depend on
what is asked for; each block is asked for once.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect, utm_crs
from minetrace.core.provenance import fingerprint
from minetrace.core.raster import NODATA, Raster
from minetrace.core.region import project
from minetrace.errors import NoImageryError
from minetrace.sources.earthengine_api import URL, EarthEngineApi, EeImage, project_of
from minetrace.sources.earthengine_exports import ExportOptions
from minetrace.sources.earthengine_graph import Call, expression
from minetrace.sources.earthengine_meter import CEILING, Ceiling, Meter
from minetrace.sources.earthengine_products import (
    CLEAR_FROM,
    day_image,
    period_image,
    product,
)
from minetrace.sources.quads import refuse_unknown
from minetrace.sources.quest import ProviderQuest
from minetrace.sources.source import Scene
from minetrace.store.files import read_json, write_json
from minetrace.store.http import PATIENT, HttpOptions, client
from minetrace.store.range_cache import RangeCache

LIST_RECIPE = 1  # changes whenever the same answers would give other scenes
READ_RECIPE = 1  # changes whenever the same scenes would give other pixels
READS_AHEAD = 4
ASKERS = 8  # blocks that are waited for at once; the hosts' limit is another matter
BLOCK_PX = 512  # a small region is in one to four of them
_BLOCK_BYTES = 40 << 20  # below what one answer may hold


@dataclass(frozen=True)
class EarthEngineOptions:
    """What is read from Earth Engine.

    Attributes:
        product: by name; see ``earthengine_products``.
        bands: common names; empty for all of the product's.
        clear: least Cloud Score+ of a clear pixel, 0 to 1; 0 for no mask. Sentinel-2 alone.
        project: of Google Cloud; None for the environment's.
        ceiling: what may be asked for in all.
        exports: where batch exports go; None for pixels that are waited for.
    """

    product: str
    bands: tuple[str, ...] = ()
    clear: float = CLEAR_FROM
    project: str | None = None
    ceiling: Ceiling = CEILING
    url: str = URL
    http: HttpOptions = PATIENT
    exports: ExportOptions | None = None


@dataclass(frozen=True)
class Block:
    """One rectangle of the lattice that is computed as a whole, and kept.

    Attributes:
        image: the computation.
        bands: in its order.
        name: in the cache; a hash of all that its pixels depend on.
    """

    image: Call
    bands: tuple[str, ...]
    grid: Grid
    rect: Rect
    name: str


class EarthEngineSource:
    """Scenes that Earth Engine computes over a region.

    Raises:
        StudyError: no such product, no project, or nobody is signed in.
        NoPermissionError: the project is not let in.
        NoImageryError: no image there and then.
        ReadFailedError: no answer, or the ceiling is reached.
    """

    def __init__(self, options: EarthEngineOptions, quest: ProviderQuest) -> None:
        self.options, self.quest = options, quest
        self._what = product(options.product)
        self._project = project_of(options.project)
        self._bands = options.bands or tuple(self._what.bands)
        refuse_unknown(self._bands, tuple(self._what.bands), options.product)
        self._scenes = self._found()
        if not self._scenes:
            raise NoImageryError(
                f"Earth Engine has no image of {options.product} over the region in any period; "
                "change the years or the product"
            )

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands."""
        return self._bands

    @property
    def resolution_m(self) -> float:
        """Side of the product's finest pixel."""
        return self._what.resolution_m

    @property
    def crs(self) -> str:
        """UTM zone in the middle of the region: pixels are computed for any grid."""
        middle = self.quest.ground.centroid
        return utm_crs(middle.x, middle.y)

    @property
    def masking(self) -> str:
        """How clouds are kept out, in words."""
        if self._what.scenes == "days" and self._what.clouds:
            return f"Cloud Score+ at least {self.options.clear:g}" if self.options.clear else ""
        return self._what.clouds

    @property
    def level(self) -> Literal["toa", "boa"] | None:
        """As the product has it."""
        return self._what.level

    @property
    def reads_ahead(self) -> int:
        """A few: the service takes its time."""
        return READS_AHEAD

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked of the service so far."""
        spent = self.meter.read()
        return (
            f"Earth Engine, {self._what.title}: {len(self._scenes)} scenes; asked "
            f"{spent.requests} times so far, {spent.received_bytes / 1e6:.1f} MB received",
        )

    @property
    def meter(self) -> Meter:
        """What was asked for so far, by all processes and earlier attempts of the run."""
        return Meter(self.quest.items / "earthengine-meter.json", self.options.ceiling)

    def scenes(self) -> tuple[Scene, ...]:
        """Days or periods, ordered by day."""
        return tuple(self._scenes)

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground that a scene may show, within the region's surroundings, EPSG:4326."""
        ground = self._scenes[scene].ground
        cut: BaseGeometry = self.quest.ground.intersection(ground)
        return cut

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a scene on a rectangle of a grid; see ``Source.read``.

        Raises:
            BandError: a band is not there.
            ReadFailedError: no answer, or the ceiling is reached.
        """
        refuse_unknown(bands, self._bands, self.options.product)
        pixels = np.full((len(bands), *rect.shape), NODATA, dtype=np.int16)
        blocks = self.blocks(scene, bands, grid, rect)
        order = [blocks[0].bands.index(band) for band in bands] if blocks else []
        found = _pool().map(self._pixels, blocks)
        for part, block in zip(blocks, found, strict=True):
            there = part.rect & rect
            rows, cols = there.within(part.rect)
            here = there.within(rect)
            pixels[:, here[0], here[1]] = block[order][:, rows, cols]
        valid = (pixels != NODATA).all(axis=0)
        pixels[:, ~valid] = NODATA
        return Raster(tuple(bands), pixels, valid, grid.geobox(rect))

    def signature(self, scene: Scene) -> dict[str, Any]:
        """The images that a scene is made of, and how they are read."""
        return {
            "recipe": READ_RECIPE, "product": self.options.product, "scene": scene.id,
            "images": list(self._scenes[scene].images), "clear": self.options.clear,
            "span": [str(day) for day in self._scenes[scene].span],
        }  # fmt: skip

    def image(self, scene: Scene, bands: Sequence[str]) -> Call:
        """The computation of a scene."""
        shown = self._scenes[scene]
        if self._what.scenes == "days":
            return day_image(self._what, shown.images, bands, self.options.clear)
        return period_image(self._what, shown.span, bands)

    @property
    def api(self) -> EarthEngineApi:
        """Who asks."""
        asks = client(self.options.http, self.quest.cache / "slots")
        return EarthEngineApi(self.options.url.rstrip("/"), self._project, asks, self.meter)

    def blocks(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> list[Block]:
        """What is computed for a rectangle; nothing if the region's surroundings do not reach it.

        Args:
            bands: in any order; a block has them in the product's.
        """
        ordered = tuple(band for band in self._bands if band in bands)
        image = self.image(scene, ordered)
        return [
            self.block(image, ordered, grid, part) for block in rect.blocks(block_px(len(ordered)))
            if not (part := block & self._around(grid)).empty and not (part & rect).empty
        ]  # fmt: skip

    def block(self, image: Call, bands: tuple[str, ...], grid: Grid, rect: Rect) -> Block:
        """A rectangle of a computation, under the name by which it is kept."""
        where = [grid.crs, grid.resolution_m, grid.offset_m, rect.row, rect.col, *rect.shape]
        said = json.dumps([expression(image), list(bands), where])
        name = "earthengine:" + hashlib.sha256(said.encode()).hexdigest()
        return Block(image, bands, grid, rect, name)

    def has(self, block: Block) -> bool:
        """Whether a block is kept."""
        return RangeCache(self.quest.cache).file(block.name, ".npy").is_file()

    def keep(self, block: Block, pixels: NDArray[np.int16]) -> None:
        """Keep a block that came by another way."""
        _keep(RangeCache(self.quest.cache), block.name, pixels)

    def _pixels(self, block: Block) -> NDArray[np.int16]:
        """One block, from the cache or from the service."""
        cache = RangeCache(self.quest.cache)
        with cache.alone(block.name):
            path = cache.file(block.name, ".npy")
            if not path.is_file():
                pixels = self.api.pixels(block.image, block.bands, block.grid, block.rect)
                _keep(cache, block.name, pixels)
            return np.asarray(np.load(path, allow_pickle=False))

    def _around(self, grid: Grid) -> Rect:
        return _reach(shapely.to_wkb(self.quest.ground), grid)

    def _found(self) -> dict[Scene, _Shown]:
        if self._what.scenes == "periods":
            spans = [span for span in self._seen_spans() if span[1] > self._what.first]
            return {Scene(f"{self.options.product} {a} to {b}", a + (b - a) / 2):
                    _Shown((), (a, b), self.quest.ground) for a, b in spans}  # fmt: skip
        return _by_day(self._listed())

    def _listed(self) -> list[EeImage]:
        """Images of the collection, from the run's list if it is there."""
        quest, collection = self.quest, self._what.collections[0]
        path = self._list_of(collection)
        if path.is_file() and not quest.refresh:
            return _read_list(path)
        found = [
            one for a, b in quest.spans for one in self.api.images(
                collection, quest.ground, a, b, only=self._what.only, bands=self._own)
        ]  # fmt: skip
        write_json(path, [{"id": one.id, "day": str(one.day), "ground": mapping(one.ground)}
                          for one in found])  # fmt: skip
        return found

    def _seen_spans(self) -> list[tuple[date, date]]:
        """Spans in which there is an image at all: of none, the service can make no composite."""
        quest, collections = self.quest, self._what.collections
        path = self._list_of(*collections)
        if not path.is_file() or quest.refresh:
            seen = [any(self.api.has_images(name, quest.ground, a, b, bands=self._own)
                        for name in collections) for a, b in quest.spans]  # fmt: skip
            write_json(path, seen)
        listed: list[bool] = read_json(path)
        return [span for span, seen in zip(quest.spans, listed, strict=True) if seen]

    @property
    def _own(self) -> list[str]:
        """The bands by the service's names."""
        return [self._what.bands[band] for band in self._bands]

    def _list_of(self, *collections: str) -> Path:
        """Where the run keeps what was listed of collections."""
        quest = self.quest
        key = fingerprint({
            "recipe": LIST_RECIPE, "collection": "+".join(collections), "url": self.options.url,
            "bands": list(self._bands),
            "ground": shapely.to_wkb(shapely.normalize(quest.ground), hex=True),
            "spans": [[str(a), str(b)] for a, b in quest.spans],
        })  # fmt: skip
        return quest.items / f"earthengine-{key[:16]}.json"


@dataclass(frozen=True)
class _Shown:
    """What a scene is made of: images of a day, or all of a half-open span."""

    images: tuple[str, ...]
    span: tuple[date, date]
    ground: BaseGeometry = field(compare=False)


def _by_day(images: Sequence[EeImage]) -> dict[Scene, _Shown]:
    found = {}
    for day, line in groupby(sorted(images, key=lambda one: (one.day, one.id)), lambda i: i.day):
        those = list(line)
        ground = shapely.union_all([one.ground for one in those])
        names = tuple(one.id for one in those)
        name = names[0].rpartition("/")[2] + (f"+{len(names) - 1}" if len(names) > 1 else "")
        found[Scene(name, day)] = _Shown(names, (day, day + timedelta(days=1)), ground)
    return found


def _read_list(path: Path) -> list[EeImage]:
    listed: list[Mapping[str, Any]] = read_json(path)
    return [
        EeImage(one["id"], date.fromisoformat(one["day"]), shape(one["ground"])) for one in listed
    ]


def block_px(bands: int) -> int:
    """Side of a block, such that one answer can hold it."""
    side = BLOCK_PX
    while side * side * bands * 2 > _BLOCK_BYTES:
        side //= 2
    return side


def _keep(cache: RangeCache, name: str, pixels: NDArray[np.int16]) -> None:
    content = io.BytesIO()
    np.save(content, pixels)
    cache.put_file(name, ".npy", content.getvalue())


@lru_cache(maxsize=64)
def _reach(ground: bytes, grid: Grid) -> Rect:
    """Pixels of a grid under the region's surroundings."""
    edges: Any = shapely.segmentize(shapely.from_wkb(ground), 0.05)
    return grid.rect(project(edges, "EPSG:4326", grid.crs).bounds)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Threads that wait for the service."""
    return ThreadPoolExecutor(ASKERS, "minetrace-earthengine")
