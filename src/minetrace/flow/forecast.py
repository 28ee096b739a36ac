"""What a study would take, before anything starts: tiles, scenes, blind ground, bytes, time, cost.

Counts follow from the study and the imagery's footprints. Seconds are extrapolated from a small
sample of the same work done here: reading some blocks, scoring one batch.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minetrace.composites.methods import CHOICE_PX
from minetrace.core.footprints import geodesic_hectares
from minetrace.core.grid import Rect
from minetrace.flow.compositing import read_look
from minetrace.flow.decoding import NAMES
from minetrace.flow.plan import Job, Look, Place
from minetrace.predict.scan import ScanOptions

SAMPLED_BLOCKS = 6
COUNT_BYTES = 2  # composites, scores and what is decoded are 16-bit


@dataclass(frozen=True)
class Prices:
    """What work costs, in any one currency; None is not counted.

    Attributes:
        per_gb_read: of imagery.
        per_core_hour: of computing.
        per_gb_month: of what is stored.
    """

    per_gb_read: float | None = None
    per_core_hour: float | None = None
    per_gb_month: float | None = None


@dataclass(frozen=True)
class PeriodForecast:
    """One period: scenes that touch the region, and ground that none of them shows."""

    label: str
    scenes: int
    tiles: int
    blind_km2: float
    blind_share: float
    read_bytes: int
    blind: BaseGeometry


@dataclass(frozen=True)
class Forecast:
    """What a study would take.

    Attributes:
        region_km2: ground asked about.
        zones: CRSs that it is worked in.
        tiles: tiles of the region; each is made once a period.
        periods: in time order.
        stored_bytes: of composites, scores and what is decoded, before compression: they take less.
        read_seconds, score_seconds: of one core, extrapolated from ``sampled`` blocks.
        workers: that share them.
        cost: by what it is for, where prices were given.
    """

    region_km2: float
    zones: tuple[str, ...]
    tiles: int
    periods: tuple[PeriodForecast, ...]
    stored_bytes: int
    read_seconds: float
    score_seconds: float
    sampled: int
    workers: int
    cost: dict[str, float]

    @property
    def read_bytes(self) -> int:
        """Pixels to read, as numbers: compressed files are smaller."""
        return sum(period.read_bytes for period in self.periods)

    @property
    def seconds(self) -> float:
        """Wall time with all workers busy."""
        return (self.read_seconds + self.score_seconds) / self.workers

    def facts(self) -> dict[str, Any]:
        """For JSON; the blind ground as GeoJSON."""
        facts = asdict(self) | {"read_bytes": self.read_bytes, "seconds": self.seconds}
        facts["periods"] = [
            {**asdict(p), "blind": shapely.geometry.mapping(p.blind)} for p in self.periods
        ]
        return facts


def forecast(job: Job, *, workers: int, prices: Prices | None = None) -> Forecast:
    """Look ahead at a planned job; reads a few blocks and scores one batch to time them."""
    tasks = list(_reads(job))
    periods = tuple(_period(job, number, tasks) for number in range(len(job.periods)))
    region_px = sum(_pixels(place, place.coverage.rect, imagery=False) for place in job.places)
    seconds_per_px, sampled = _time_reading(job, tasks)
    read_seconds = seconds_per_px * sum(px for _, _, _, px in tasks)
    looked = sum(1 - period.blind_share for period in periods)
    score_seconds = _time_scoring(job) * region_px * looked
    stored = _stored_bytes(job)
    if not job.run.study.is_file():  # no run works there, so nobody needs what was fetched
        shutil.rmtree(job.run.cache, ignore_errors=True)
    cost = _cost(
        prices or Prices(), sum(p.read_bytes for p in periods), read_seconds + score_seconds, stored
    )
    return Forecast(
        float(geodesic_hectares(np.array([job.region.geometry]), "EPSG:4326")[0] / 100),
        tuple(place.grid.crs for place in job.places), sum(len(p.tiles) for p in job.places),
        periods, stored, read_seconds, score_seconds, sampled, workers, cost,
    )  # fmt: skip


def _reads(job: Job) -> Iterator[tuple[int, int, Look, float]]:
    """(period, place, look, pixels to read)."""
    for number, period in enumerate(job.periods):
        for place_no, place in enumerate(job.places):
            for look in place.looks[period.label]:
                yield number, place_no, look, _pixels(place, look.rect, imagery=True)


def _pixels(place: Place, rect: Rect, *, imagery: bool) -> float:
    coverage = place.imagery if imagery else place.coverage
    return float(coverage.part(rect).area / place.grid.resolution_m**2)


def _period(job: Job, number: int, tasks: list[tuple[int, int, Look, float]]) -> PeriodForecast:
    here = [(place, look, px) for period, place, look, px in tasks if period == number and px]
    shown = [job.sources[look.source].footprint(look.scene) for _, look, _ in here]
    blind = shapely.difference(job.region.geometry, shapely.union_all(shown))
    blind = shapely.union_all([p for p in shapely.get_parts(blind) if p.area > 0])
    blind_km2, whole_km2 = geodesic_hectares(
        np.array([blind if blind.area else None, job.region.geometry]), "EPSG:4326"
    ) / 100  # fmt: skip
    tiles = sum(
        any(not (look.rect & tile.rect).empty for at, look, _ in here if at == place_no)
        for place_no, place in enumerate(job.places) for tile in place.tiles
    )  # fmt: skip
    return PeriodForecast(
        job.periods[number].label, len({(look.source, look.scene.id) for _, look, _ in here}),
        tiles, float(blind_km2), float(blind_km2 / whole_km2),
        int(sum(px for _, _, px in here)) * len(job.bands) * COUNT_BYTES, blind,
    )  # fmt: skip


def _time_reading(job: Job, tasks: list[tuple[int, int, Look, float]]) -> tuple[float, int]:
    """Seconds per pixel of a look, from some blocks of some looks; and how many were read."""
    draw = random.Random(0)
    chosen = draw.sample(tasks, min(SAMPLED_BLOCKS, len(tasks)))
    seconds = pixels = 0.0
    for _, place_no, look, _ in chosen:
        place = job.places[place_no]
        blocks = list((look.rect & place.imagery.rect).blocks(CHOICE_PX))
        block = draw.choice(blocks)
        began = time.perf_counter()
        read_look(job, place, look, block)
        seconds += time.perf_counter() - began
        pixels += CHOICE_PX**2
    return (seconds / pixels if pixels else 0.0), len(chosen)


def _time_scoring(job: Job) -> float:
    """Seconds per pixel, from one batch after one to warm up."""
    card = job.scorer.card
    size = ScanOptions().batch_for(card)
    images = np.full((size, len(card.bands), card.call_px, card.call_px), 0.1, np.float32)
    job.scorer(images)
    began = time.perf_counter()
    job.scorer(images)
    seconds = time.perf_counter() - began
    turns = 8 if job.study.model.tta else 1
    answered_px = size * (card.grid_side * card.stride) ** 2
    return turns * seconds / answered_px


def _stored_bytes(job: Job) -> int:
    cells = job.scorer.card.cell_px
    layers = 2 + len(job.study.model.statistics) if job.scorer.card.output == "patch" else 1
    layers += len(NAMES) if job.decoder is not None else 0
    total = 0.0
    for place in job.places:
        total += _pixels(place, place.imagery.rect, imagery=True) * (len(job.bands) + 2)
        total += _pixels(place, place.coverage.rect, imagery=False) * layers / cells**2
    return int(total * COUNT_BYTES * len(job.periods))


def _cost(prices: Prices, read: int, core_seconds: float, stored: int) -> dict[str, float]:
    parts = {
        "reading": (prices.per_gb_read, read / 1e9),
        "computing": (prices.per_core_hour, core_seconds / 3600),
        "storage a month": (prices.per_gb_month, stored / 1e9),
    }
    return {what: price * amount for what, (price, amount) in parts.items() if price is not None}


def blind_ground(ahead: Forecast) -> dict[str, Any]:
    """Ground that no scene shows, a GeoJSON feature per period that has any."""
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(p.blind),
         "properties": {"period": p.label, "km2": p.blind_km2, "share": p.blind_share}}
        for p in ahead.periods if p.blind_share > 0
    ]  # fmt: skip
    return {"type": "FeatureCollection", "features": features}
