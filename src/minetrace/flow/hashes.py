"""What each step reads, as one hash: the same hash means that the work need not be done again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Rect, Tile
from minetrace.core.provenance import fingerprint
from minetrace.core.region import Coverage
from minetrace.flow.compositing import looks_near, seen_by
from minetrace.flow.decoding import Decoder
from minetrace.flow.models import executor_of
from minetrace.flow.plan import Job, Place
from minetrace.flow.tasks import (
    COMPOSITE_RECIPE,
    DECODE_RECIPE,
    OUTLINE_RECIPE,
    SCORE_RECIPE,
)
from minetrace.flow.verified import verified_hash
from minetrace.predict.executors import REFERENCE
from minetrace.store.files import sha256
from minetrace.store.ledger import Ledger
from minetrace.store.run_folder import Key

PANEL_RECIPE = 2


def composite_hash(job: Job, period: int, place: Place, tile: Tile) -> str:
    """Everything that the composite of a tile is made from."""
    span = job.periods[period]
    looks = looks_near(job, place, span, tile)
    return fingerprint({
        "recipe": COMPOSITE_RECIPE,
        "bands": job.bands,
        "grid": _grid(place),
        "tile": astuple(tile.rect),
        "ground": _ground(place.imagery, tile.rect),
        "settings": job.study.composite.settings(),
        "start": span.start,
        "looks": [[k.source, str(k.scene.day), job.sources[k.source].signature(k.scene),
                   *([sensor] if (sensor := seen_by(job, k)) else [])] for k in looks],
    })  # fmt: skip


def score_hash(job: Job, ledger: Ledger, period: int, place: Place, tile: Tile) -> str:
    """Everything that the scores of a tile are made from, composites around it included."""
    around = tile.rect.expand(job.scorer.card.halo_px + job.scorer.card.cell_px)
    label = job.periods[period].label
    near = place.imagery_near(around)
    executor = executor_of(job.scorer)
    return fingerprint({
        "recipe": SCORE_RECIPE,
        **({} if executor == REFERENCE.name else {"executor": executor}),
        "card": job.scorer.card.to_json(),
        "options": [job.study.model.tta, job.study.model.statistics],
        "tile": astuple(tile.rect),
        "ground": _ground(place.coverage, around),
        "composites": _checksums(ledger, (Key("composites", label, t.id) for t in near)),
    })  # fmt: skip


def decode_hash(job: Job, ledger: Ledger, tile: Tile, decoder: Decoder) -> str:
    """Everything that a tile is decoded from: its scores in all periods."""
    keys = (Key("scores", period.label, tile.id) for period in job.periods)
    return fingerprint({
        "recipe": DECODE_RECIPE,
        "decoder": asdict(decoder),
        "evidence": type(decoder.evidence).__name__,
        "periods": [[p.label, p.start, p.end] for p in job.periods],
        "scores": _checksums(ledger, keys),
    })  # fmt: skip


def outline_hash(job: Job, ledger: Ledger, period: int) -> str:
    """Everything that the outlines of a period are made from."""
    label = job.periods[period].label
    scores = "scores" if job.decoder is None else "decoded"
    kinds = (scores, "composites") if job.delineator else (scores,)
    return fingerprint({
        "recipe": OUTLINE_RECIPE,
        "rules": job.study.vectors.model_dump(),
        "threshold": job.threshold,
        "extent": job.extent,
        "places": [_place(place) for place in job.places],
        "delineator": job.delineator.card.to_json() if job.delineator else None,
        "inputs": [[s.key.tile, s.checksum] for k in kinds for s in ledger.sidecars(k, label)],
    })  # fmt: skip


def panel_hash(job: Job, ledger: Ledger) -> str:
    """Everything that the panel is made from."""
    labels = [period.label for period in job.periods]
    return fingerprint({
        "recipe": PANEL_RECIPE,
        "rules": job.study.panel.model_dump(),
        "periods": [[p.label, p.start, p.end] for p in job.periods],
        "footprints": _checksums(ledger, (Key("footprints", label) for label in labels)),
        "scores": [[label, s.key.tile, s.checksum]
                   for label in labels for s in ledger.sidecars("scores", label)],
        **_through_time(job, ledger),
    })  # fmt: skip


def _through_time(job: Job, ledger: Ledger) -> dict[str, Any]:
    """What the panel is made from besides, if the study asks for it or people looked at it."""
    said: dict[str, Any] = {}
    if job.decoder is not None:
        said["decoded"] = [
            [s.key.period, s.key.tile, s.checksum]
            for period in job.periods for s in ledger.sidecars("decoded", period.label)
        ]  # fmt: skip
    if job.study.rules is not None:
        said["outline_rules"] = job.study.rules.model_dump(mode="json")
        said["zones"] = [sha256(zone.file) for zone in job.study.rules.zones]
    if (looked := verified_hash(job.run.root)) is not None:
        said["verified"] = looked
    return said


def _checksums(ledger: Ledger, keys: Iterable[Key]) -> list[Any]:
    found = ((key, ledger.sidecar(key)) for key in keys)
    return [[str(key), sidecar.checksum if sidecar else None] for key, sidecar in found]


def _grid(place: Place) -> list[Any]:
    grid = place.grid
    return [grid.crs, grid.resolution_m, grid.offset_m]


def _ground(coverage: Coverage, rect: Rect) -> str:
    """The part of a geometry that matters to a rectangle."""
    frame = box(*coverage.grid.bounds(rect))
    if coverage.geometry.contains(frame):
        return "all"
    return _shape(coverage.part(rect))


def _place(place: Place) -> list[Any]:
    """Where outlines are cut: at the region if they are delineated, and at the zone's strip."""
    strip = place.zone.strip
    return [_shape(place.coverage.geometry), strip.bounds if strip else None]


def _shape(geometry: BaseGeometry) -> str:
    return hashlib.sha256(shapely.to_wkb(shapely.normalize(geometry))).hexdigest()[:32]


def every_hash(job: Job, ledger: Ledger) -> Iterator[tuple[Key, str]]:
    """What each artefact of a run should be made from, given those before it as they are."""
    for number, period in enumerate(job.periods):
        for place in job.places:
            for tile in place.imagery_tiles:
                yield (
                    Key("composites", period.label, tile.id),
                    composite_hash(job, number, place, tile),
                )
            for tile in place.tiles:
                yield (
                    Key("scores", period.label, tile.id),
                    score_hash(job, ledger, number, place, tile),
                )
                if job.decoder is not None:
                    wanted = decode_hash(job, ledger, tile, job.decoder)
                    yield Key("decoded", period.label, tile.id), wanted
        yield Key("footprints", period.label), outline_hash(job, ledger, number)
    wanted = panel_hash(job, ledger)
    yield Key("panel.parquet"), wanted
    yield Key("panel.gpkg"), wanted
