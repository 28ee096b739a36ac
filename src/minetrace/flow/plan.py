"""What a study comes to: places, tiles, looks and the scorer, before any pixel is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import Extent
from minetrace.core.grid import Grid, Rect, Tile, tiles_over
from minetrace.core.model import Scorer
from minetrace.core.period import Period
from minetrace.core.region import Coverage, Region, Zone, project
from minetrace.errors import NoImageryError, RadiometryError, RegionError
from minetrace.flow.decoding import THRESHOLD, Decoder
from minetrace.flow.imagery import open_source
from minetrace.flow.kept import refuse_impossible
from minetrace.flow.models import open_model
from minetrace.flow.study import Study
from minetrace.models.sam2 import Sam2
from minetrace.predict.bands import resolve
from minetrace.predict.sites import SiteDelineator
from minetrace.predict.spectral import Spectral
from minetrace.sources.source import Scene, Source
from minetrace.store.outlines import read_region
from minetrace.store.run_folder import Key, RunFolder

ChooseScorer = Callable[[Study, Sequence[Source]], Scorer]
TRUE_COLOUR = ("red", "green", "blue")


@dataclass(frozen=True)
class Look:
    """A scene of one source, and the lattice pixels that it may touch."""

    source: int
    scene: Scene
    rect: Rect


@dataclass(frozen=True)
class Place:
    """The part of the work that shares one grid.

    Attributes:
        coverage: pixels that are scored: the region.
        imagery: pixels that are read: the region and as far around it as a score may look.
        tiles: tiles that the region touches.
        imagery_tiles: tiles that the imagery touches; holds ``tiles``.
        looks: by period, the scenes that touch the imagery.
    """

    zone: Zone
    grid: Grid
    coverage: Coverage
    imagery: Coverage
    tiles: tuple[Tile, ...]
    imagery_tiles: tuple[Tile, ...]
    looks: dict[str, tuple[Look, ...]]

    def imagery_near(self, rect: Rect) -> list[Tile]:
        """The imagery tiles that a rectangle touches, found without walking all of them."""
        if not self.imagery_tiles:
            return []
        near = tiles_over(self.grid, rect, self.imagery_tiles[0].size_px)
        return [tile for tile in near if tile in self._imagery]

    @cached_property
    def _imagery(self) -> frozenset[Tile]:
        return frozenset(self.imagery_tiles)


@dataclass(frozen=True)
class Job:
    """All that a worker must know; made once, sent to each worker once."""

    run: RunFolder
    study: Study
    region: Region
    periods: tuple[Period, ...]
    sources: tuple[Source, ...]
    bands: tuple[str, ...]
    scorer: Scorer
    delineator: Scorer | SiteDelineator | None
    places: tuple[Place, ...]
    decoder: Decoder | None = None

    @property
    def extent(self) -> Extent:
        """What an outline of this run means."""
        return "mined" if self.delineator is not None else self.scorer.card.extent

    @property
    def threshold(self) -> float:
        """Probability from which on ground belongs to an outline."""
        chosen = self.study.vectors.threshold
        own = self.scorer.card.threshold if self.decoder is None else THRESHOLD
        return own if chosen is None else chosen

    def artefacts(self) -> list[Key]:
        """Every artefact of the run, in the order in which they are made."""
        labels = [period.label for period in self.periods]
        imagery = [tile.id for place in self.places for tile in place.imagery_tiles]
        tiles = [tile.id for place in self.places for tile in place.tiles]
        composites = [Key("composites", label, tile) for label in labels for tile in imagery]
        scores = [Key("scores", label, tile) for label in labels for tile in tiles]
        decoded = [Key("decoded", key.period, key.tile) for key in scores if self.decoder]
        outlines = [Key("footprints", label) for label in labels]
        panel = Key("panel.parquet"), Key("panel.gpkg")
        return [*composites, *scores, *decoded, *outlines, *panel]


def study_scorer(study: Study, sources: Sequence[Source]) -> Scorer:
    """The model that a study names."""
    asked = study.model
    return open_model(asked.name, asked.path, common_bands(sources), asked.device)


def resolve_study(
    study: Study, region: Region, run: RunFolder, choose: ChooseScorer = study_scorer
) -> tuple[Study, tuple[Source, ...]]:
    """Open the sources and write into the study what it left open."""
    sources = tuple(open_source(source, region, study.timeline, run) for source in study.sources)
    grid = study.grid
    if grid.resolution_m is None:
        scorer = choose(study, sources)
        native = min(source.resolution_m for source in sources)
        grid = grid.model_copy(update={"resolution_m": scorer.card.resolution_m or native})
    return study.model_copy(update={"grid": grid}), sources


def plan(study: Study, run: RunFolder, choose: ChooseScorer = study_scorer) -> Job:
    """Lay out the work of a study.

    Args:
        study: what is asked.
        run: the folder.
        choose: says what scores, where that is not the study's model.

    Raises:
        UserError: the region, the imagery, the bands or the model cannot be used, or the model's
            scores would be decoded as probabilities that they are not.
        NoImageryError: no scene touches the region in any of the periods.
    """
    region = read_study_region(study)
    study, sources = resolve_study(study, region, run, choose)
    _refuse_mixed_levels(sources)
    scorer = choose(study, sources)
    delineator = _delineator(study, scorer, sources)
    decoder = Decoder.of(study.decode, scorer.card)
    refuse_impossible(study.rules, study.timeline)
    bands = _bands(scorer, delineator, sources)
    periods = study.timeline
    places = lay_out(study, region, scorer)
    seen = tuple(_with_looks(place, sources, periods) for place in places)
    _refuse_blind(seen, region, sources, periods)
    return Job(run, study, region, periods, sources, bands, scorer, delineator, seen, decoder)


def _refuse_mixed_levels(sources: Sequence[Source]) -> None:
    """Refuse sources of which some hold reflectance at the surface and others above the air."""
    if {"toa", "boa"} <= {source.level for source in sources}:
        raise RadiometryError(
            "some sources hold reflectance at the top of the atmosphere (toa) and others at the "
            "surface (boa), which no composite can be made of; keep one kind"
        )


def read_study_region(study: Study) -> Region:
    """The region of a study, checked."""
    asked = study.region
    if asked.bbox is not None:
        west, south, east, north = asked.bbox
        origin = f"bbox {list(asked.bbox)}"
        if west >= east or south >= north:
            raise RegionError(
                f"{origin}: west must be below east and south below north; "
                "the order is [west, south, east, north], longitude first"
            )
        return Region.of(box(west, south, east, north), origin=origin)
    path: Path = asked.file or asked.folder  # type: ignore[assignment]  # the study has one of them
    return Region.of(read_region(path), origin=str(path))


def lay_out(study: Study, region: Region, scorer: Scorer) -> list[Place]:
    """Grids, coverages and tiles of a resolved study; needs no imagery."""
    settings, card = study.grid, scorer.card
    resolution_m = settings.resolution_m or 10.0
    places = []
    for zone in region.zones(settings.crs):
        grid = Grid(zone.crs, resolution_m, settings.anchor)
        zone = _over_the_edge(zone, region, resolution_m * card.cell_px)
        coverage = Coverage.of(zone, grid)
        imagery = Coverage.of(zone, grid, halo_px=card.halo_px)
        tiles, around = coverage.tiles(settings.tile), imagery.tiles(settings.tile)
        if card.cell_px > 1:  # a cell is stored with the tile of its top-left pixel
            tiles = [tile for tile in around if _has_cells(tile, coverage, card.cell_px)]
        places.append(Place(zone, grid, coverage, imagery, tuple(tiles), tuple(around), {}))
    return places


def _has_cells(tile: Tile, coverage: Coverage, cell_px: int) -> bool:
    cells = tile.rect.cells(cell_px)
    return not cells.empty and coverage.touches(cells.scaled(cell_px))


def _over_the_edge(zone: Zone, region: Region, cell_m: float) -> Zone:
    """Widen a zone by a few cells over its meridian, so that outlines can be cut exactly at it."""
    if zone.strip is None:
        return zone
    west, south, east, north = zone.strip.bounds
    steepest = max(abs(v) for v in zone.geometry.bounds[1::2])
    margin = 4 * cell_m / (111_000 * math.cos(math.radians(min(steepest, 84.0))))
    wide = box(west - margin, south - margin, east + margin, north + margin)
    return Zone(zone.crs, shapely.intersection(region.geometry, wide), zone.strip)


def _with_looks(place: Place, sources: Sequence[Source], periods: Sequence[Period]) -> Place:
    around = place.imagery.rect
    near = box(*_lonlat(place).bounds)
    looks: dict[str, list[Look]] = {period.label: [] for period in periods}
    for number, source in enumerate(sources):
        for scene in source.scenes():
            period = next((p for p in periods if scene.day in p), None)
            if period is None:
                continue
            footprint = source.footprint(scene)
            if not footprint.intersects(near):  # a projection has no numbers for what is far away
                continue
            ground: Any = project(shapely.segmentize(footprint, 0.05), "EPSG:4326", place.grid.crs)
            if not np.isfinite(ground.bounds).all():
                ground = place.imagery.geometry
            rect = place.grid.rect(ground.bounds).expand(2)
            if not (rect & around).empty:
                looks[period.label].append(Look(number, scene, rect))
    found = {label: tuple(sorted(line, key=_by_day)) for label, line in looks.items()}
    return Place(place.zone, place.grid, place.coverage, place.imagery,
                 place.tiles, place.imagery_tiles, found)  # fmt: skip


def _lonlat(place: Place) -> BaseGeometry:
    """The imagery's ground in longitude and latitude."""
    edges = shapely.segmentize(box(*place.imagery.geometry.bounds), 1000.0)
    ground: BaseGeometry = project(edges, place.grid.crs, "EPSG:4326")
    return ground


def _by_day(look: Look) -> tuple[Any, ...]:
    return look.scene.day, look.source, look.scene.id


def _refuse_blind(
    places: Sequence[Place], region: Region, sources: Sequence[Source], periods: Sequence[Period]
) -> None:
    if any(looks for place in places for looks in place.looks.values()):
        return
    scenes = [(source, scene) for source in sources for scene in source.scenes()]
    grounds = shapely.union_all([source.footprint(scene) for source, scene in scenes])
    if not grounds.intersects(region.geometry):
        raise NoImageryError(
            f"the region ({_box(region.geometry.bounds)}) lies outside the imagery "
            f"({_box(grounds.bounds)}); give imagery that covers it, or another region"
        )
    days = sorted(scene.day for _, scene in scenes)
    asked = f"{periods[0].start} to {periods[-1].last_day}"
    raise NoImageryError(
        f"no imagery over the region in any period: {asked} is asked for, "
        f"the imagery runs from {days[0]} to {days[-1]}; change the years or the source"
    )


def _box(bounds: tuple[float, float, float, float]) -> str:
    west, south, east, north = bounds
    return f"{west:.3f} to {east:.3f} E, {south:.3f} to {north:.3f} N"


def common_bands(sources: Sequence[Source]) -> tuple[str, ...]:
    """Bands that every source of a kind has, kind after kind, in the order of the sources.

    Sources that share a band are of one kind. Those of different kinds, such as optical imagery,
    radar and terrain, are stacked.
    """
    kinds: list[list[tuple[str, ...]]] = []
    for bands in (source.bands for source in sources):
        alike = [kind for kind in kinds if any(set(bands) & set(other) for other in kind)]
        kinds = [kind for kind in kinds if kind not in alike]
        kinds.append([*(other for kind in alike for other in kind), bands])
    kinds.sort(key=lambda kind: [source.bands for source in sources].index(kind[0]))
    shared = [[band for band in kind[0] if all(band in other for other in kind)] for kind in kinds]
    return tuple(band for kind in shared for band in kind) if all(shared) else ()


def _delineator(
    study: Study, scorer: Scorer, sources: Sequence[Source]
) -> Scorer | SiteDelineator | None:  # fmt: skip
    asked = study.delineate
    if asked is None or scorer.card.extent == "mined":
        return None
    if asked.model is not None:
        return Sam2.open(asked.model, prompts=asked.prompts, white=asked.white)
    return Spectral.over(common_bands(sources))


def _bands(
    scorer: Scorer, delineator: Scorer | SiteDelineator | None, sources: Sequence[Source]
) -> tuple[str, ...]:  # fmt: skip
    """Bands of the composites: what the scorers want, and a true-colour picture."""
    here = common_bands(sources)
    wanted = list(resolve(scorer.card, here))
    wanted += list(resolve(delineator.card, here)) if delineator else []
    wanted += [band for band in TRUE_COLOUR if band in here]
    return tuple(band for band in here if band in wanted)
