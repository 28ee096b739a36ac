"""Planet basemaps: quads of mosaics by API key, the clearest of each place and period.

Quads are cloud-optimised: only the blocks under the region are fetched. What was chosen, and from
what, stays in a table in the run (``items/planet-….csv``), so that a rerun chooses nothing anew.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from math import cos, radians
from pathlib import Path
from typing import Any, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.core.provenance import fingerprint
from minetrace.core.raster import Raster
from minetrace.errors import BandError, NoImageryError
from minetrace.sources import quads
from minetrace.sources.image import Band, Image, open_raster
from minetrace.sources.inspection import ground_resolution_m
from minetrace.sources.planet_api import Mosaic, PlanetApi, key_access
from minetrace.sources.planet_choice import (
    InfoRow,
    Offer,
    clearest,
    mean_haze,
    read_info,
    read_offers,
    write_offers,
)
from minetrace.sources.planet_options import Contents, PlanetOptions, contents
from minetrace.sources.quest import ProviderQuest
from minetrace.sources.source import Scene
from minetrace.sources.stac_raster import Reading, RemoteRaster, Sheet
from minetrace.store.http import client
from minetrace.store.tiff import SAMPLES

CHOICE_RECIPE = 1  # changes whenever the same answers would give another choice
READ_RECIPE = 1  # changes whenever the same quads would give other pixels
READS_AHEAD = 4


class PlanetSource:
    """Basemaps over a region; a scene is a mosaic, with the quads that were chosen from it.

    Raises:
        StudyError: no key, or no such mosaic.
        NoPermissionError: the key is not accepted.
        NoImageryError: no quad there and then.
        RadiometryError: what the counts mean would be a guess.
        ReadFailedError: the service does not answer.
    """

    def __init__(self, options: PlanetOptions, quest: ProviderQuest) -> None:
        self.options = options
        key_access(options.url, options.key_env)  # says at once if there is none
        self.reading = Reading(quest.cache, options.http)
        offers = _offers(options, quest, self.reading)
        chosen = [one for one in offers if one.chosen]
        if not chosen:
            raise NoImageryError(
                f"no quad of {options.mosaics} over the region in any period; change the years, "
                "the region or sources.mosaics"
            )
        self._quads = {
            Scene(mosaic.name, mosaic.day): tuple(one.quad for one in group)
            for mosaic, group in groupby(sorted(chosen, key=_by_time), key=lambda one: one.mosaic)
        }
        self._mosaics = {Scene(m.name, m.day): m for m in {one.mosaic for one in chosen}}
        self._contents = {
            scene: contents(m.name, m.dtype, options.bands, options.scale, options.offset)
            for scene, m in self._mosaics.items()
        }
        self._notes = _told(offers, options)

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands that every mosaic has."""
        first, *others = self._contents.values()
        return tuple(b for b in first.bands if all(b in other.bands for other in others))

    @property
    def resolution_m(self) -> float:
        """Side of a pixel on the ground, in the middle of the first quad."""
        scene, names = next(iter(self._quads.items()))
        mosaic = self._mosaics[scene]
        latitude = mosaic.ground(names[0]).centroid.y
        return float(f"{mosaic.resolution_m * cos(radians(latitude)):.3g}")

    @property
    def crs(self) -> str:
        """Web Mercator."""
        return "EPSG:3857"

    @property
    def masking(self) -> str:
        """How clouds are kept out, in words."""
        return "the clearest basemap of each place" if self.options.choose == "clearest" else ""

    @property
    def level(self) -> Literal["toa", "boa"] | None:
        """``boa`` for surface reflectance mosaics."""
        levels = {one.level for one in self._contents.values()}
        return levels.pop() if len(levels) == 1 else None

    @property
    def reads_ahead(self) -> int:
        """A few: servers take their time."""
        return READS_AHEAD

    @property
    def notes(self) -> tuple[str, ...]:
        """How the quads were chosen."""
        return self._notes

    def scenes(self) -> tuple[Scene, ...]:
        """One scene a mosaic of which a quad was chosen, ordered by day, then by id."""
        return tuple(self._quads)

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground under the chosen quads, EPSG:4326."""
        return shapely.union_all([self._mosaics[scene].ground(q) for q in self._quads[scene]])

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a scene on a rectangle of a grid; see ``Source.read``.

        Raises:
            BandError: a band is not there.
            ReadFailedError: a quad cannot be read; names its address, without the key.
        """
        quads.refuse_unknown(bands, self.bands, scene.id)
        mosaic = self._mosaics[scene]
        near = [q for q in self._quads[scene] if quads.touches(mosaic.ground(q), grid, rect)]
        return quads.read((self._image(scene, q) for q in near), bands, grid, rect)

    def signature(self, scene: Scene) -> dict[str, Any]:
        """The mosaic, its chosen quads, and how their counts are read."""
        told = self._contents[scene]
        return {
            "recipe": READ_RECIPE, "mosaic": self._mosaics[scene].id, "name": scene.id,
            "quads": list(self._quads[scene]),
            "bands": {b: [told.bands[b], told.rules[b].scale, told.rules[b].offset]
                      for b in told.bands},
        }  # fmt: skip

    def _image(self, scene: Scene, quad: str) -> Image:
        """Look at a quad's file once."""
        api = _api(self.options, self.reading)
        reading = replace(self.reading, access=api.access)
        raster = RemoteRaster(api.download(self._mosaics[scene], quad), reading=reading)
        sheet, told = raster.sheet(), self._contents[scene]
        name = Path(f"{scene.id}, quad {quad}")
        count = _band_count(sheet)
        _refuse_short(name, count, told)
        return Image(
            path=name, day=scene.day, crs=sheet.crs, affine=sheet.affine, height=sheet.height,
            width=sheet.width,
            bands={b: Band(raster, i, sheet.dtype, sheet.nodata, told.rules[b])
                   for b, i in told.bands.items()},
            mask=None, alpha=_alpha(count, scene.id), has_mask=False,
            resolution_m=ground_resolution_m(
                name, sheet.crs, sheet.affine, sheet.height, sheet.width),
            parts=(),
        )  # fmt: skip


def _api(options: PlanetOptions, reading: Reading) -> PlanetApi:
    return PlanetApi(options.url.rstrip("/"), client(options.http, reading.slots), options.key_env)


def _offers(options: PlanetOptions, quest: ProviderQuest, reading: Reading) -> list[Offer]:
    """What there was to choose from, from the run's table if it is there."""
    info = read_info(options.choices) if options.choices else []
    key = fingerprint({
        "recipe": CHOICE_RECIPE, "url": options.url, "mosaics": options.mosaics,
        "choose": options.choose, "info": [[one.year, one.basemap, one.quad] for one in info],
        "ground": shapely.to_wkb(shapely.normalize(quest.ground), hex=True),
        "spans": [[str(a), str(b)] for a, b in quest.spans],
    })  # fmt: skip
    path = quest.items / f"planet-{key[:16]}.csv"
    if path.is_file() and not quest.refresh:
        return read_offers(path)
    api = _api(options, reading)
    found = _as_told(api, info, quest) if info else _as_asked(api, options, quest)
    write_offers(path, found)
    return found


def _as_told(api: PlanetApi, info: Sequence[InfoRow], quest: ProviderQuest) -> list[Offer]:
    """The choices of a table that somebody made before."""
    starts = {
        row.year: start for row in info for start, end in quest.spans
        if start <= date(row.year, 7, 1) < end
    }  # fmt: skip
    wanted = [row for row in info if row.year in starts]
    mosaics = {name: api.mosaics(name)[0] for name in sorted({row.basemap for row in wanted})}
    return [
        Offer(starts[row.year], row.quad, mosaics[row.basemap], chosen=True)
        for row in wanted if mosaics[row.basemap].ground(row.quad).intersects(quest.ground)
    ]  # fmt: skip


def _as_asked(api: PlanetApi, options: PlanetOptions, quest: ProviderQuest) -> list[Offer]:
    """Every quad of every mosaic of the periods, with the clearest of each place chosen."""
    offers = [
        Offer(start, quad, mosaic, chosen=options.choose == "all")
        for mosaic in api.mosaics(options.mosaics)
        for start in _period_of(mosaic, quest)
        for quad in api.quads(mosaic, quest.ground)
    ]
    if options.choose == "all":
        return offers
    made_of = {one: api.scenes(one.mosaic, one.quad) for one in offers}
    hazes = api.hazes({scene for scenes in made_of.values() for scene in scenes})
    weighed = []
    for one, scenes in made_of.items():
        cloud, haze, count = mean_haze(hazes[scene] for scene in scenes)
        weighed.append(replace(one, cloud=cloud, heavy_haze=haze, scenes=count))
    weighed.sort(key=_by_place)
    best = {id(clearest(list(group))) for _, group in groupby(weighed, key=_by_place)}
    return [replace(one, chosen=id(one) in best) for one in weighed]


def _period_of(mosaic: Mosaic, quest: ProviderQuest) -> list[date]:
    return [start for start, end in quest.spans if start <= mosaic.day < end]


def _by_place(offer: Offer) -> tuple[date, str]:
    return offer.period_start, offer.quad


def _by_time(offer: Offer) -> tuple[Any, ...]:
    return offer.mosaic.day, offer.mosaic.name, offer.quad


def _told(offers: Iterable[Offer], options: PlanetOptions) -> tuple[str, ...]:
    places = {(one.period_start, one.quad) for one in offers if one.chosen}
    if options.choose == "all":
        return ()
    unknown = sum(one.chosen and one.haziness is None for one in offers)
    told = f"{len(places)} quads were chosen by least cloud and heavy haze; items/ says from which"
    if options.choices is not None:
        return (f"{len(places)} quads are those that {options.choices.name} names",)
    if unknown:
        return (told, f"of {unknown} of them nobody says how hazy they are")
    return (told,)


def _band_count(sheet: Sheet) -> int:
    if sheet.layout is None:
        with open_raster(str(sheet.path)) as whole:
            return int(whole.count)
    said = next((tag for tag in sheet.layout.tags if tag.code == SAMPLES), None)
    return struct.unpack_from(f"{sheet.layout.order}H", said.raw)[0] if said else 1


def _alpha(count: int, name: str) -> int | None:
    """Position of the alpha band: the last of a product that has one more than its colours."""
    colours = {5: 4, 4: 3 if "analytic" not in name else 4, 9: 8}.get(count)
    return count if colours is not None and count == colours + 1 else None


def _refuse_short(name: Path, count: int, told: Contents) -> None:
    lacking = [band for band, place in told.bands.items() if not 1 <= place <= count]
    if lacking:
        raise BandError(
            f"{name}: has {count} bands, so {lacking[0]} is not one of them; say which is which "
            "with sources.bands: {red: 1, ...}"
        )
