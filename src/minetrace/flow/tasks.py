"""The tasks of a run: each makes artefacts and can be repeated without harm.

A task that meets pixels it cannot read records its tiles as failed, with the reason; what the
whole run depends on (a full disk, a missing permission, the user's own mistake) is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial, reduce
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import box

from minetrace.composites.blocks import blocks_for_budget
from minetrace.composites.methods import CHOICE_PX
from minetrace.core.grid import Rect, Tile
from minetrace.core.period import Period
from minetrace.core.raster import NODATA, Raster, stored_scale
from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED, SCALE, Scores
from minetrace.errors import (
    DiskFullError,
    MinetraceError,
    RasterError,
    ReadFailedError,
    UserError,
)
from minetrace.flow.ahead import Ahead, in_order
from minetrace.flow.compositing import begin_composite, looks_near, most_rows, read_look
from minetrace.flow.decoding import NAMES, Decoder
from minetrace.flow.plan import Job, Look, Place
from minetrace.flow.readers import CompositeReader, ScoreReader, cell_coverage, mosaic
from minetrace.predict.scan import ScanOptions, scan
from minetrace.store import outlines, sidecar
from minetrace.store.cog import write_cog
from minetrace.store.http import requests_made
from minetrace.store.run_folder import Key
from minetrace.vectors.outlines import OutlineRules
from minetrace.vectors.outlines import outlines as outline
from minetrace.vectors.zones import unite_zones

COMPOSITE_RECIPE = 2
SCORE_RECIPE = 1
DECODE_RECIPE = 1
OUTLINE_RECIPE = 1
BLOCK_BUDGET = 512 << 20  # bytes of looks held at once by one worker
AHEAD_BUDGET = 512 << 20  # bytes of looks that are read meanwhile
READING = 4  # reading a look takes about so many times its own memory


@dataclass(frozen=True)
class Done:
    """What a task did: which artefacts it settled, over how much ground, from how much."""

    keys: tuple[Key, ...]
    km2: float
    bytes_read: int
    requests: int = 0


Artefacts = tuple[tuple[Key, str], ...]
"""Keys, and the hash of what each is made from."""


class Making(Protocol):
    """A task that makes artefacts."""

    def artefacts(self, job: Job) -> Artefacts:
        """What it makes."""
        ...

    def __call__(self, job: Job, /) -> Done:
        """Make them."""
        ...


@dataclass(frozen=True)
class Compose:
    """Make the composite of one tile in one period."""

    period: int
    place: int
    tile: Tile
    read_hash: str

    def artefacts(self, job: Job) -> Artefacts:
        """What it makes."""
        return ((Key("composites", job.periods[self.period].label, self.tile.id), self.read_hash),)

    def __call__(self, job: Job) -> Done:
        """Feed every look, in blocks, and store what comes out."""
        period, place = job.periods[self.period], job.places[self.place]
        key = Key("composites", period.label, self.tile.id)
        wanted = place.imagery.mask(self.tile.rect)
        km2 = ground_km2(place, int(wanted.sum()))
        before = requests_made()
        pixels: NDArray[np.int16]
        try:
            pixels, bytes_read = self.reduce(job, place, wanted)
        except Exception as error:  # noqa: BLE001  whatever went wrong is this tile's failure
            _fail(job, [key], self.read_hash, error)
            return Done((key,), km2, 0, requests_made() - before)
        seen = wanted & (pixels[0] != NODATA)
        names = (*job.bands, "clear_looks", "median_day")
        write = partial(
            write_cog, pixels=pixels, grid=place.grid, rect=self.tile.rect, names=names,
            nodata=NODATA, scales=(*map(stored_scale, job.bands), 1.0, 1.0),
            overviews="AVERAGE",
        )  # fmt: skip
        sidecar.publish(
            job.run, key, write, read_hash=self.read_hash, recipe=COMPOSITE_RECIPE, period=period,
            where=tile_ground(place, self.tile.rect),
            facts={"wanted_px": int(wanted.sum()), "seen_px": int(seen.sum())},
            properties={**projection(place, self.tile.rect), "bands": [{"name": n} for n in names]},
        )  # fmt: skip
        return Done((key,), km2, bytes_read, requests_made() - before)

    def reduce(
        self, job: Job, place: Place, wanted: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int16], int]:
        """Bands, clear looks and median day of the wanted pixels, and how many bytes were read."""
        tile, settings = self.tile.rect, job.study.composite
        pixels = np.full((len(job.bands) + 2, *tile.shape), NODATA, dtype=np.int16)
        pixels[-2] = 0
        period, bytes_read = job.periods[self.period], 0
        looks = looks_near(job, place, period, self.tile)
        whole = _around(wanted, tile)
        if settings.method == "clearest":  # a tile may cut through blocks, a choice may not
            whole = whole.snapped(CHOICE_PX)
        cut = blocks_for_budget(
            len(looks), len(job.bands), whole, BLOCK_BUDGET, most_rows=most_rows(job, looks, whole)
        )
        cut = [block for block in cut if wanted[(block & tile).within(tile)].any()]
        around = begin_composite(job, period).margin_px
        days = [_days(looks, block.expand(around)) for block in cut]
        reads = (partial(_day, job, place, line, block.expand(around))
                 for block, lines in zip(cut, days, strict=True) for line in lines)  # fmt: skip
        rasters = in_order(reads, _ahead(job, looks, cut))
        for block, lines in zip(cut, days, strict=True):
            part = block & tile
            inside = wanted[part.within(tile)]
            composite = begin_composite(job, period)
            for line in lines:
                raster = next(rasters)
                composite.feed((line[0].scene.day - period.start).days, raster)
                bytes_read += raster.pixels.nbytes * len(line)
            result = composite.result(job.bands, place.grid.geobox(block))
            rows, cols = part.within(tile)
            layers = (*result.pixels, result.clear_looks.astype(np.int16), result.median_day)
            for layer, values in zip(pixels[:, rows, cols], layers, strict=True):
                layer[inside] = values[part.within(block)][inside]
        return pixels, bytes_read


def _around(wanted: NDArray[np.bool_], rect: Rect) -> Rect:
    """The part of a rectangle that holds every wanted pixel."""
    rows, cols = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    if not len(rows):
        return Rect(rect.row, rect.col, 0, 0)
    return Rect.spanning(
        rect.row + int(rows[0]), rect.col + int(cols[0]),
        rect.row + int(rows[-1]) + 1, rect.col + int(cols[-1]) + 1,
    )  # fmt: skip


def _days(looks: Sequence[Look], block: Rect) -> list[list[Look]]:
    """The looks that touch a block, those of one source and day together.

    What one source shows of one day is one look, however many files or passes it comes in: else
    overlapping files of a day, or a scene given twice, would count as if seen twice.
    """
    near = sorted((k for k in looks if not (k.rect & block).empty), key=_source_day)
    return [list(line) for _, line in groupby(near, key=_source_day)]


def _source_day(look: Look) -> tuple[date, int]:
    return look.scene.day, look.source


def _day(job: Job, place: Place, looks: Sequence[Look], block: Rect) -> Raster:
    """One day of one source: where scenes overlap, the first that is clear."""
    return reduce(Raster.over, (read_look(job, place, look, block) for look in looks))


def _ahead(job: Job, looks: Sequence[Look], blocks: Sequence[Rect]) -> Ahead:
    """How far to read ahead: as the slowest source likes it, as memory allows."""
    wanted = max((job.sources[look.source].reads_ahead for look in looks), default=1)
    largest = max((block.height * block.width for block in blocks), default=1)
    look_bytes = largest * (2 * len(job.bands) + 1)
    return Ahead.within(
        AHEAD_BUDGET, wanted=wanted, job_bytes=READING * look_bytes, result_bytes=look_bytes
    )


@dataclass(frozen=True)
class Score:
    """Score the tiles of one unit of work in one period.

    The unit may be larger than a tile so that windows on its inner edges are scored once.
    """

    period: int
    place: int
    tiles: tuple[Tile, ...]
    read_hashes: tuple[str, ...]

    def artefacts(self, job: Job) -> Artefacts:
        """What it makes."""
        label = job.periods[self.period].label
        keys = (Key("scores", label, tile.id) for tile in self.tiles)
        return tuple(zip(keys, self.read_hashes, strict=True))

    def parts(self) -> tuple[Score, ...]:
        """Its tiles one by one; none if it has only one."""
        if len(self.tiles) == 1:
            return ()
        each = zip(self.tiles, self.read_hashes, strict=True)
        return tuple(Score(self.period, self.place, (t,), (h,)) for t, h in each)

    def __call__(self, job: Job) -> Done:
        """Scan the unit and store each tile as soon as it is complete."""
        period, place, card = job.periods[self.period], job.places[self.place], job.scorer.card
        keys = {t.rect: Key("scores", period.label, t.id) for t in self.tiles}
        hashes = {t.rect: h for t, h in zip(self.tiles, self.read_hashes, strict=True)}
        settled = tuple(keys.values())
        km2 = sum(ground_km2(place, int(place.coverage.mask(t.rect).sum())) for t in self.tiles)
        whole = {rect: hashes[rect] for rect in self._with_composite(job, keys, hashes)}
        asked = job.study.model
        options = ScanOptions(
            tta=asked.tta, statistics=asked.statistics, ahead=asked.device != "cpu"
        )
        left, bytes_read = dict(whole), 0

        def score(rects: tuple[Rect, ...]) -> None:
            nonlocal bytes_read
            around = frame(rects).expand(card.halo_px + card.cell_px)
            composites = CompositeReader.of(job, self.period, self.place, around)
            for rect, scores in scan(
                composites, job.scorer, place.grid, rects, coverage=place.coverage, options=options
            ):
                self._store(job, place, keys[rect], rect.cells(card.cell_px), scores, hashes[rect])
                del left[rect]
            bytes_read += composites.bytes_read

        try:
            if whole:
                score(tuple(whole))
        except Exception as error:  # noqa: BLE001  whatever went wrong is these tiles' failure
            _raise_if_theirs(error)
            for rect in tuple(left):  # one by one, so that what fails does not depend on the unit
                try:
                    score((rect,))
                except Exception as own:  # noqa: BLE001
                    _fail(job, [keys[rect]], hashes[rect], own)
        return Done(settled, km2, bytes_read)

    def _with_composite(
        self, job: Job, keys: dict[Rect, Key], hashes: dict[Rect, str]
    ) -> Iterator[Rect]:
        """Tiles whose composite is there; the others fail with it."""
        for tile in self.tiles:
            key = keys[tile.rect]
            under = Key("composites", key.period, tile.id)
            if job.run.bring(under) and sidecar.read(job.run, under) is not None:
                yield tile.rect
            else:
                reason = sidecar.failure(job.run, under)
                error = ReadFailedError(f"its composite failed: {reason or 'not made'}")
                _fail(job, [key], hashes[tile.rect], error)

    def _store(
        self, job: Job, place: Place, key: Key, cells: Rect, scores: Scores, read_hash: str
    ) -> None:
        card = job.scorer.card
        grid = place.grid.coarsened(card.cell_px)
        # `looked` counts cells of the region only, since scan leaves the rest not looked at
        wanted = int(cell_coverage(place, card.cell_px, cells).sum())
        scales = [1.0 if name == "count" else 1 / SCALE for name in scores.names]
        write = partial(
            write_cog, pixels=scores.values, grid=grid, rect=cells, names=scores.names,
            nodata=NOT_LOOKED, scales=scales,
        )  # fmt: skip
        sidecar.publish(
            job.run, key, write, read_hash=read_hash, recipe=SCORE_RECIPE,
            period=job.periods[self.period], where=tile_ground(place, cells.scaled(card.cell_px)),
            facts={"wanted_cells": wanted, "looked_cells": int(scores.looked.sum()),
                   "cell_m2": (card.cell_px * place.grid.resolution_m) ** 2},
            properties={**projection(place, cells, card.cell_px),
                        "bands": [{"name": name} for name in scores.names]},
        )  # fmt: skip


@dataclass(frozen=True)
class Decode:
    """Decode the scores of one tile through all periods."""

    place: int
    tile: Tile
    read_hash: str
    decoder: Decoder

    def artefacts(self, job: Job) -> Artefacts:
        """What it makes."""
        keys = (Key("decoded", period.label, self.tile.id) for period in job.periods)
        return tuple((key, self.read_hash) for key in keys)

    def __call__(self, job: Job) -> Done:
        """Read what every period says, and store what they say together."""
        place = job.places[self.place]
        keys = {p: Key("decoded", p.label, self.tile.id) for p in job.periods}
        km2 = ground_km2(place, int(place.coverage.mask(self.tile.rect).sum()))
        cells = self.tile.rect.cells(job.scorer.card.cell_px)
        part = _around(cell_coverage(place, job.scorer.card.cell_px, cells), cells)
        try:
            scores = self._scores(job, place, part)
            for wanted in self.decoder.passes(job.periods, part.height * part.width):
                found = self.decoder(scores, job.periods, wanted)
                for at, period in enumerate(wanted):
                    pixels = np.full((len(NAMES), *cells.shape), NOT_LOOKED, dtype=np.uint16)
                    pixels[(slice(None), *part.within(cells))] = found.layers(at)
                    self._store(job, place, cells, period, keys[period], pixels)
        except Exception as error:  # noqa: BLE001  whatever went wrong is this tile's failure
            _fail(job, list(keys.values()), self.read_hash, error)
            return Done(tuple(keys.values()), km2, 0)
        return Done(tuple(keys.values()), km2, scores.nbytes)

    def _scores(self, job: Job, place: Place, cells: Rect) -> NDArray[np.uint16]:
        """(periods, height, width) of some cells; where scores failed nobody looked."""
        cell_px, layers = job.scorer.card.cell_px, []
        for number in range(len(job.periods)):
            stored = mosaic(job, "scores", number, place, [self.tile], cell_px, NOT_LOOKED)
            layers.append(stored.read(cells, (self.decoder.band,), np.uint16)[0])
        return np.stack(layers)

    def _store(
        self, job: Job, place: Place, cells: Rect, period: Period, key: Key,
        pixels: NDArray[np.uint16],
    ) -> None:  # fmt: skip
        cell_px = job.scorer.card.cell_px
        write = partial(
            write_cog, pixels=pixels, grid=place.grid.coarsened(cell_px), rect=cells, names=NAMES,
            nodata=NOT_LOOKED, scales=(1 / SCALE,) * 3 + (1.0,),
        )  # fmt: skip
        sidecar.publish(
            job.run, key, write, read_hash=self.read_hash, recipe=DECODE_RECIPE, period=period,
            where=tile_ground(place, cells.scaled(cell_px)),
            facts={"known_cells": int((pixels[0] != NOT_LOOKED).sum())},
            properties={**projection(place, cells, cell_px),
                        "bands": [{"name": name} for name in NAMES]},
        )  # fmt: skip


@dataclass(frozen=True)
class Outline:
    """Make the outlines of one period from all its scores."""

    period: int
    read_hash: str

    def artefacts(self, job: Job) -> Artefacts:
        """What it makes."""
        return ((Key("footprints", job.periods[self.period].label), self.read_hash),)

    def __call__(self, job: Job) -> Done:
        """Polygonise zone by zone, unite the zones, store."""
        period = job.periods[self.period]
        key, settings = Key("footprints", period.label), job.study.vectors
        rules = OutlineRules(
            threshold=job.threshold, high=settings.high, sieve_px=settings.sieve_px,
            fill_holes_ha=settings.fill_holes_ha, min_ha=settings.min_ha,
            simplify_m=settings.simplify_m,
        )  # fmt: skip
        parts, bytes_read = [], 0
        for number, place in enumerate(job.places):
            read = ScoreReader.of(job, self.period, number)
            found = outline(read.rects, read, read.grid, rules, job.extent)
            parts.append((found, place.zone.strip))
            bytes_read += read.bytes_read
        united = unite_zones(parts)
        sidecar.publish(
            job.run, key, partial(outlines.write_footprints, footprints=united),
            read_hash=self.read_hash, recipe=OUTLINE_RECIPE, period=period,
            where=box(*job.region.geometry.bounds), facts={"outlines": len(united)},
        )  # fmt: skip
        return Done((key,), 0.0, bytes_read)


def give_up(job: Job, task: Making, reason: str) -> Done:
    """Record what a task would have made as failed."""
    made = task.artefacts(job)
    for key, read_hash in made:
        sidecar.fail(job.run, key, read_hash=read_hash, reason=reason)
    return Done(tuple(key for key, _ in made), 0.0, 0)


def frame(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle around several."""
    return reduce(Rect.__or__, rects)


def ground_km2(place: Place, pixels: int) -> float:
    """Ground under so many pixels, square kilometres of the projection."""
    return pixels * place.grid.resolution_m**2 / 1e6


def tile_ground(place: Place, rect: Rect) -> Any:
    """Ground under a rectangle, EPSG:4326."""
    return project(box(*place.grid.bounds(rect)), place.grid.crs, "EPSG:4326")


def projection(place: Place, rect: Rect, cell_px: int = 1) -> dict[str, Any]:
    """Properties of the STAC projection extension."""
    grid = place.grid.coarsened(cell_px)
    code = grid.projection.to_authority()
    return {
        "proj:code": ":".join(code) if code else None,
        "proj:shape": list(rect.shape),
        "proj:transform": list(grid.affine(rect))[:6],
    }


def _fail(job: Job, keys: Sequence[Key], read_hash: str, error: Exception) -> None:
    """Record a failure, or raise it if it is not the tile's own, or another try may help."""
    _raise_if_theirs(error)
    if isinstance(error, MemoryError):
        raise error
    known = isinstance(error, MinetraceError)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    for key in keys:
        sidecar.fail(job.run, key, read_hash=read_hash, reason=reason)


def _raise_if_theirs(error: Exception) -> None:
    """Raise what no tile can help: the user's mistake, a full disk."""
    if isinstance(error, UserError | DiskFullError) and not isinstance(error, RasterError):
        raise error
