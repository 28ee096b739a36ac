"""Imagery that a STAC catalog leads to: searched once, read block by block over the network.

The items of one overpass are one scene: tiles of the same solar day, platform and orbit are put
together, so that ``clear_looks`` counts looks from above and not files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minetrace.core.bands import nearest
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import BandError, NoImageryError, StudyError
from minetrace.sources import place, shot
from minetrace.sources.image import Band, Image, MaskBand
from minetrace.sources.inspection import ground_resolution_m
from minetrace.sources.masks import MaskOptions
from minetrace.sources.options import as_json
from minetrace.sources.radiometry_facts import Calibration
from minetrace.sources.seams import padded
from minetrace.sources.shot import Shot, ShotLevel
from minetrace.sources.source import Scene
from minetrace.sources.stac_assets import Asset
from minetrace.sources.stac_choice import by_overpass, chosen_items
from minetrace.sources.stac_clouds import ClearShares
from minetrace.sources.stac_items import Item
from minetrace.sources.stac_options import Quest, StacOptions
from minetrace.sources.stac_raster import Reading, RemoteRaster, hold
from minetrace.sources.stac_rules import calibration, mask_options, shared_bands
from minetrace.sources.stac_search import Search, find_items
from minetrace.sources.stac_signing import signer
from minetrace.sources.stac_window import mask_window, window_under
from minetrace.store.http import client, redacted

READ_RECIPE = 3  # changes whenever the same items and options would give other pixels
DEGREES = 0.1  # a pixel's side below this is not in metres
READS_AHEAD = 4
FETCHERS = 16  # threads of a process that wait for servers; the hosts' limits are another matter


class StacSource:
    """The scenes of a catalog over a region.

    Raises:
        NoImageryError: the catalog has nothing there and then.
        BandError: a band or the mask is not there.
        RadiometryError: what an item's counts mean would be a guess.
        ReadFailedError: the catalog does not answer.
    """

    def __init__(self, options: StacOptions, quest: Quest) -> None:
        self.options = options
        self.reading = Reading(quest.cache, options.http, options.access)
        asks = client(options.http, self.reading.slots)
        search = Search(
            options.url, options.collection, quest.ground, quest.spans, options.alternate
        )
        found = find_items(search, asks, folder=quest.items, refresh=quest.refresh,
                           sign=signer(options.access, asks))  # fmt: skip
        found, self._notes = chosen_items(found, options, quest)
        self._bands = shared_bands(found, options)
        self._mask = mask_options(found, options)
        self._scenes = self._by_region_cloud(by_overpass(found), search, quest)
        self._rules = {
            item.id: {band: calibration(item, band, options) for band in self._bands}
            for items in self._scenes.values() for item in items
        }  # fmt: skip
        self._shots: dict[str, Shot] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_shots": {}}

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands that every item has."""
        return self._bands

    @property
    def resolution_m(self) -> float:
        """Side of the finest pixel, metres, as the first item says, or else its file."""
        first = next(iter(self._scenes.values()))[0]
        said = [first.bands[band].resolution_m for band in self._bands]
        known = [side for side in said if side is not None and side > DEGREES]
        return min(known) if len(known) == len(said) else self._first_image.resolution_m

    @property
    def crs(self) -> str:
        """CRS of the first item's file; others may differ."""
        return self._first_image.crs

    @property
    def masking(self) -> str:
        """How clouds are kept out, in words; empty if they are not."""
        if self._mask is None:
            return ""
        grown = f", grown by {self._mask.dilate_m:g} m" if self._mask.dilate_m else ""
        return f"{self._mask.kind.upper()}{grown}"

    @property
    def level(self) -> ShotLevel | None:
        """``toa`` or ``boa``, if it is the same for all scenes."""
        rules = (rule for bands in self._rules.values() for rule in bands.values())
        levels: set[ShotLevel | None] = {r.level for r in rules if r.level != "kelvin"}
        return levels.pop() if len(levels) == 1 else None

    @property
    def reads_ahead(self) -> int:
        """A few: servers take their time."""
        return READS_AHEAD

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        return self._notes

    @property
    def _first_image(self) -> Image:
        first = next(iter(self._scenes.values()))[0]
        return self._shot(first).images[0]

    def scenes(self) -> tuple[Scene, ...]:
        """One scene an overpass, ordered by day, then by id."""
        return tuple(self._scenes)

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground under the scene's items, EPSG:4326."""
        return shapely.union_all([item.footprint for item in self._scenes[scene]])

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a scene on a rectangle of a grid; see ``Source.read``.

        Where items overlap, the first that is clear counts: those that need no warping come
        first, then by id.

        Raises:
            BandError: a band is not there.
            ReadFailedError: a file cannot be read; names its address, without any secret.
        """
        self._refuse_unknown(bands)
        near = rect.expand(2 + math.ceil(self.resolution_m / grid.resolution_m))
        shots = [s for item in self._scenes[scene] if (s := self._shot_near(item, grid, near))]
        shots.sort(key=lambda s: (place.lattice_rect(s.images[0], grid) is None, s.name))
        nothing = Raster(
            tuple(bands), np.full((len(bands), *rect.shape), NODATA, dtype=np.int16),
            np.zeros(rect.shape, dtype=bool), grid.geobox(rect),
        )  # fmt: skip
        held = padded(self._hold(shots, bands, grid, rect), grid)
        looks = (shot.read(one, bands, grid, rect) for one in held)
        return reduce(Raster.over, looks, nothing)

    def signature(self, scene: Scene) -> dict[str, Any]:
        """The items' files, without any signature, and how their counts are read."""
        return {
            "recipe": READ_RECIPE,
            "items": [
                {"id": item.id, "collection": item.collection, "version": item.version,
                 "bands": {band: [*_where(item.bands[band]), *_plain(rule)]
                           for band, rule in self._rules[item.id].items()},
                 "nodata": {band: item.bands[band].nodata for band in self._rules[item.id]},
                 "mask": redacted(item.mask[1].href) if item.mask and self._mask else None}
                for item in self._scenes[scene]
            ],
            "mask": as_json(self._mask) if self._mask else None,
            "nodata": self.options.nodata,
        }  # fmt: skip

    def _by_region_cloud(
        self, scenes: dict[Scene, tuple[Item, ...]], search: Search, quest: Quest
    ) -> dict[Scene, tuple[Item, ...]]:
        most = self.options.max_cloud
        if most is None:
            return scenes
        if self._mask is None:
            raise StudyError(
                "sources.max_cloud: the collection has no cloud mask to judge the region by; "
                "use max_scene_cloud, which goes by what the catalog says"
            )
        shares = ClearShares.open(quest.items, search.key, quest.region, self._mask)
        rasters = {i.id: self._raster(i.mask[1]) for items in scenes.values() for i in items
                   if i.mask}  # fmt: skip
        shares.fill(rasters, _pool())
        kept = {
            scene: items for scene, items in scenes.items()
            if (cloud := shares.cloud([item.id for item in items])) is not None and cloud <= most
        }  # fmt: skip
        if len(kept) < len(scenes):
            self._notes += (
                f"{len(scenes) - len(kept)} of {len(scenes)} scenes show nothing of the region or "
                f"more than {most:.0%} cloud over it and are left out",
            )
        if not kept:
            raise NoImageryError(
                f"every scene has more than {most:.0%} cloud over the region: raise "
                "sources.max_cloud"
            )
        return kept

    def _raster(self, asset: Asset) -> RemoteRaster:
        return RemoteRaster(asset.href, reading=self.reading)

    def _shot_near(self, item: Item, grid: Grid, rect: Rect) -> Shot | None:
        """An item's files, unless they lie elsewhere; those are not even looked at."""
        if not _on_grid(_Ground(item.id, item.footprint), grid, rect):
            return None
        found = self._shot(item)
        near = place.reach(found.images[0], grid)
        return None if near is not None and (near & rect).empty else found

    def _shot(self, item: Item) -> Shot:
        if item.id not in self._shots:
            self._shots[item.id] = self._look_at(item)
        return self._shots[item.id]

    def _look_at(self, item: Item) -> Shot:
        """Open every file of an item once, those of one grid together."""
        rasters = {band: self._raster(item.bands[band]) for band in self._bands}
        mask = self._raster(item.mask[1]) if item.mask and self._mask else None
        waiting = [*rasters.values(), *([mask] if mask else [])]
        list(_pool().map(RemoteRaster.sheet, waiting))
        grids: dict[tuple[Any, ...], dict[str, Band]] = {}
        for band, raster in rasters.items():
            sheet, rule = raster.sheet(), self._rules[item.id][band]
            said = (self.options.nodata, rule.nodata, item.bands[band].nodata, sheet.nodata)
            nodata = next((value for value in said if value is not None), None)
            grids.setdefault((sheet.crs, sheet.affine, sheet.height, sheet.width), {})[band] = Band(
                raster, item.bands[band].index, sheet.dtype, nodata, rule.radiometry, rule.saturated
            )
        images = [
            Image(
                path=Path(item.id), day=item.day, crs=crs, affine=affine, height=height,
                width=width, bands=bands, mask=self._mask_band(mask, crs), alpha=None,
                has_mask=False, parts=(),
                resolution_m=ground_resolution_m(Path(item.id), crs, affine, height, width),
            )
            for (crs, affine, height, width), bands in grids.items()
        ]  # fmt: skip
        images.sort(key=lambda image: image.resolution_m)
        return Shot(item.id, item.day, tuple(images))

    def _mask_band(self, mask: RemoteRaster | None, crs: str) -> MaskBand | None:
        if mask is None or self._mask is None:
            return None
        sheet = mask.sheet()
        if not place.same_crs(sheet.crs, crs):
            raise BandError(
                f"{redacted(mask.address)}: the mask is in {sheet.crs}, the bands in {crs}; "
                "leave the scene out with sources.exclude"
            )
        nodata = sheet.nodata if self._mask.kind == "scl" else None
        return MaskBand(mask, (1,), nodata, self._mask, sheet.affine, (sheet.height, sheet.width))

    def _hold(
        self, shots: Sequence[Shot], bands: Sequence[str], grid: Grid, rect: Rect
    ) -> list[Shot]:
        """The same scenes with all that a rectangle needs in memory, fetched side by side."""
        wanted: dict[tuple[RemoteRaster, int, Rect], Any] = {}
        for one in shots:
            for image in one.images:
                for key in _windows(image, bands, grid, rect, self._mask).values():
                    wanted[key] = None
        for key, held in zip(wanted, _pool().map(lambda k: hold(*k), wanted), strict=True):
            wanted[key] = held
        return [
            replace(one, images=tuple(_held(image, bands, grid, rect, self._mask, wanted)
                                      for image in one.images))
            for one in shots
        ]  # fmt: skip

    def _refuse_unknown(self, bands: Sequence[str]) -> None:
        missing = [band for band in bands if band not in self._bands]
        if missing:
            hint = nearest(missing[0], self._bands)
            raise BandError(
                f"no band {', '.join(missing)} in the imagery ({self.options.collection or 'it'} "
                f"has {', '.join(self._bands)})" + (f"; did you mean {hint}?" if hint else "")
            )


_Key = tuple[RemoteRaster, int, Rect]


def _windows(
    image: Image, bands: Sequence[str], grid: Grid, rect: Rect, mask: MaskOptions | None
) -> dict[str, _Key]:
    """What an image needs for a rectangle: by band, and ``""`` for its mask."""
    found: dict[str, _Key] = {}
    wanted = [band for band in bands if band in image.bands]
    window = window_under(image, grid, rect)
    if wanted and not window.empty:
        for name in wanted:
            band = image.bands[name]
            if isinstance(band.file, RemoteRaster):
                found[name] = band.file, band.index, window
    if image.mask is not None and mask is not None and isinstance(image.mask.file, RemoteRaster):
        margin = int(mask.dilate_m / grid.resolution_m) + 1 if mask.dilate_m else 0
        there = mask_window(image, image.mask, window_under(image, grid, rect.expand(margin)))
        if not there.empty:
            found[""] = image.mask.file, image.mask.indexes[0], there
    return found


def _held(
    image: Image, bands: Sequence[str], grid: Grid, rect: Rect, mask: MaskOptions | None,
    held: Mapping[_Key, Any],
) -> Image:  # fmt: skip
    keys = _windows(image, bands, grid, rect, mask)
    kept = {name: replace(band, file=held[keys[name]]) if name in keys else band
            for name, band in image.bands.items()}  # fmt: skip
    own = image.mask
    if own is not None and "" in keys:
        own = replace(own, file=held[keys[""]])
    return replace(image, bands=kept, mask=own)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Threads that wait for servers; never given work by one of their own."""
    return ThreadPoolExecutor(FETCHERS, "minetrace-fetch")


@dataclass(frozen=True)
class _Ground:
    id: str
    footprint: BaseGeometry = field(compare=False)


def _on_grid(ground: _Ground, grid: Grid, rect: Rect) -> bool:
    """True if a footprint may touch a rectangle."""
    near = _reach(ground, grid)
    return near is None or not (near & rect).empty


@lru_cache(maxsize=65536)
def _reach(ground: _Ground, grid: Grid) -> Rect | None:
    points = shapely.get_coordinates(shapely.segmentize(ground.footprint, 0.05))
    x, y = place.transformer("EPSG:4326", grid.crs).transform(points[:, 0], points[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    return grid.rect((float(x.min()), float(y.min()), float(x.max()), float(y.max()))).expand(2)


def _where(asset: Asset) -> list[Any]:
    """Address of a band; its position, if it is not the only one or the first."""
    return [redacted(asset.href), *([asset.index] if asset.index > 1 else [])]


def _plain(rule: Calibration) -> list[Any]:
    said = [rule.scale, rule.offset, rule.nodata, rule.saturated]
    return [*said, "power"] if rule.power else said
