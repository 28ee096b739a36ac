"""Bring a study's pixels into a store on disk, once; every later step then runs offline from it.

What lies near each other is fetched as one: parts of the region (or of what surrounds labels) that
are closer than a reach become one piece of ground, and each scene over it one file. A fetch that
was stopped goes on; what a provider changed meanwhile is fetched anew.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import shapely
import yaml

from minetrace.composites.methods import CHOICE_PX
from minetrace.core.grid import Rect
from minetrace.core.provenance import fingerprint
from minetrace.core.raster import NODATA, stored_scale
from minetrace.errors import ReadFailedError, TilesFailedError
from minetrace.flow.compositing import bands_of, begin_composite, read_look, seen_by
from minetrace.flow.imagery import attribution_of, name_of
from minetrace.flow.plan import Job, Look, Place, plan
from minetrace.flow.study import Study
from minetrace.store import outlines, pixel_store
from minetrace.store.cog import write_cog
from minetrace.store.files import sha256, write_text, write_whole
from minetrace.store.pixel_store import Piece, SourceFacts
from minetrace.store.run_folder import RunFolder

FETCH_RECIPE = 1  # changes whenever the same scenes would give other pieces
REACH_M = 2_000.0  # parts of the region closer than this are fetched as one
_WAITERS = 4

Tell = Callable[[int, int, int], None]
"""Told after each piece: how many are done, of how many, and bytes so far."""


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch.

    Attributes:
        pieces: scenes over pieces of ground, with those that show nothing.
        new: how many of them this time.
        bytes: of all files.
        seconds: this time, by the clock.
    """

    store: Path
    pieces: int
    new: int
    bytes: int
    seconds: float
    study: str

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {"store": str(self.store), "pieces": self.pieces, "new": self.new,
                "bytes": self.bytes, "seconds": round(self.seconds, 3)}  # fmt: skip


@dataclass(frozen=True)
class _Errand:
    """One piece that is wanted."""

    place: Place
    look: Look
    rect: Rect
    read_hash: str


def fetch(
    study: Study, store: Path, *, reach_m: float = REACH_M, tell: Tell = lambda *_: None
) -> Fetched:
    """Fetch what a study reads, or what is left of it.

    Args:
        study: what is asked.
        store: the folder; made if it is not there.
        reach_m: parts of the region closer than this are fetched as one.

    Raises:
        UserError: something given cannot be used.
        TilesFailedError: pieces could not be fetched; the others are kept.
    """
    begun = time.monotonic()
    folder = RunFolder(store)
    with folder.claimed():
        job = plan(study, folder)
        wanted = list(_errands(job, reach_m))
        kept = {_key(one): one for one in pixel_store.read_pieces(store)}
        left = [e for e in wanted if not _is_done(store, kept.get(_key_of(e)), e)]
        done, failed = _fetch_all(job, store, left, len(wanted), tell)
        if failed:
            raise TilesFailedError(
                f"{len(failed)} of {len(wanted)} pieces could not be fetched, the first because: "
                f"{failed[0]}; the same command goes on from there"
            )
        kept |= {_key(piece): piece for piece in done}
        pieces = [kept[_key_of(one)] for one in wanted]
        offline = _finish(job, store, pieces)
        shutil.rmtree(folder.cache, ignore_errors=True)
    size = sum(piece.bytes for piece in pieces)
    return Fetched(store, len(pieces), len(done), size, time.monotonic() - begun, offline)


def pieces_of(place: Place, reach_m: float, tile_px: int, margin_px: int) -> list[Rect]:
    """Rectangles of the lattice to be fetched, each at most a tile: they never overlap.

    Args:
        place: its imagery is what is wanted.
        reach_m: parts closer than this are one.
        tile_px: side of a tile.
        margin_px: read around what is wanted.
    """
    grown = shapely.union_all(
        [part.buffer(reach_m / 2) for part in shapely.get_parts(place.imagery.geometry)]
    )
    found: set[Rect] = set()
    for cluster in shapely.get_parts(grown):
        inside = place.imagery.geometry.intersection(cluster)
        around = place.grid.rect(inside.bounds).snapped(CHOICE_PX).expand(margin_px)
        for block in around.blocks(tile_px):
            part = block & around
            near = part.expand(CHOICE_PX + margin_px)
            if not part.empty and place.imagery.touches(near):
                found.add(part)
    return _apart(sorted(found), tile_px)


def _apart(rects: Sequence[Rect], tile_px: int) -> list[Rect]:
    """Rectangles of one block that overlap become the one around them."""
    by_block: dict[tuple[int, int], list[Rect]] = {}
    for rect in rects:
        by_block.setdefault((rect.row // tile_px, rect.col // tile_px), []).append(rect)
    found = []
    for line in by_block.values():
        joined: list[Rect] = []
        for rect in line:
            while touching := [one for one in joined if not (one & rect).empty]:
                joined = [one for one in joined if one not in touching]
                for one in touching:
                    rect = rect | one
            joined.append(rect)
        found += joined
    return sorted(found)


def _errands(job: Job, reach_m: float) -> Iterator[_Errand]:
    margin = max(begin_composite(job, period).margin_px for period in job.periods)
    for place in job.places:
        rects = pieces_of(place, reach_m, job.study.grid.tile, margin)
        for look in (look for looks in place.looks.values() for look in looks):
            for rect in rects:
                part = rect & look.rect
                if not part.empty:
                    yield _Errand(place, look, part, _read_hash(job, place, look, part))


def _read_hash(job: Job, place: Place, look: Look, rect: Rect) -> str:
    grid, sensor = place.grid, seen_by(job, look)
    return fingerprint({
        "recipe": FETCH_RECIPE, "bands": list(bands_of(job, look)),
        "scene": job.sources[look.source].signature(look.scene),
        "grid": [grid.crs, grid.resolution_m, grid.anchor],
        "rect": [rect.row, rect.col, rect.height, rect.width],
        **({"harmonised": sensor} if sensor else {}),
    })  # fmt: skip


def _key(piece: Piece) -> tuple[Any, ...]:
    return piece.source, piece.scene, piece.crs, piece.rect


def _key_of(errand: _Errand) -> tuple[Any, ...]:
    look = errand.look
    return look.source, look.scene.id, errand.place.grid.crs, errand.rect


def _is_done(store: Path, piece: Piece | None, errand: _Errand) -> bool:
    if piece is None or piece.read_hash != errand.read_hash:
        return False
    path = store / piece.path
    return not piece.path or (path.is_file() and path.stat().st_size == piece.bytes)


def _fetch_all(
    job: Job, store: Path, errands: Sequence[_Errand], count: int, tell: Tell
) -> tuple[list[Piece], list[str]]:
    """Pieces that were fetched, and why others were not; each is noted as it is done."""
    done: list[Piece] = []
    failed: list[str] = []
    size, before = 0, count - len(errands)
    with ThreadPoolExecutor(_WAITERS, "minetrace-fetch-pieces") as pool:
        for piece in pool.map(partial(_outcome, job, store), errands):
            if isinstance(piece, str):
                failed.append(piece)
                continue
            pixel_store.note_piece(store, piece)
            done.append(piece)
            size += piece.bytes
            tell(before + len(done), count, size)
    return done, failed


def _outcome(job: Job, store: Path, errand: _Errand) -> Piece | str:
    try:
        return _fetch_one(job, store, errand)
    except ReadFailedError as error:
        return str(error)


def _fetch_one(job: Job, store: Path, errand: _Errand) -> Piece:
    begun = time.monotonic()
    look, grid, rect = errand.look, errand.place.grid, errand.rect
    raster = read_look(job, errand.place, look, rect)  # as a composite would have it
    name, size, digest = "", 0, ""
    if raster.valid.any():
        ground = f"{grid.zone}_{rect.row}_{rect.col}"
        folder = f"pixels/{look.source}/{look.scene.day.year}/{ground}"
        name = f"{folder}/{errand.read_hash[:20]}.tif"
        write = partial(
            write_cog, pixels=raster.pixels, grid=grid, rect=rect, names=raster.bands,
            nodata=NODATA, scales=[stored_scale(band) for band in raster.bands],
            tags={"ACQUISITION_DATE": str(look.scene.day), "SCENE": look.scene.id},
        )  # fmt: skip
        write_whole(store / name, write)
        size, digest = (store / name).stat().st_size, sha256(store / name)
    return Piece(
        name, look.source, look.scene.id, look.scene.day, grid.crs, grid.resolution_m, grid.anchor,
        rect, errand.read_hash, size, digest, round(time.monotonic() - begun, 3),
    )  # fmt: skip


def _finish(job: Job, store: Path, pieces: Sequence[Piece]) -> str:
    """Write what the store is, and the study that reads from it; returns that."""
    facts = []
    for study, source in zip(job.study.sources, job.sources, strict=True):
        bands = tuple(band for band in job.bands if band in source.bands)
        adjusted = ", adjusted to Landsat 8's bands" if getattr(study, "harmonise", None) else ""
        facts.append(SourceFacts(
            name_of(study) + adjusted, bands, source.resolution_m, source.crs, source.level,
            source.masking, study.licence, attribution_of(study), source.notes,
        ))  # fmt: skip
    outlines.write_region(store / pixel_store.REGION, job.region.geometry)
    offline = _offline(job.study, facts)
    write_text(store / pixel_store.STUDY, offline)
    pixel_store.write_manifest(store, job.study.name, facts, pieces)
    return offline


def _offline(study: Study, facts: Sequence[SourceFacts]) -> str:
    """The study with its sources and region taken from the store that it lies in."""
    settings: Mapping[str, Any] = study.model_dump(mode="json", exclude_none=True)
    sources = [
        {"kind": "fetched", "path": ".", "source": number, "licence": one.licence,
         "attribution": one.attribution}
        for number, one in enumerate(facts)
    ]  # fmt: skip
    told = {**settings, "region": {"file": pixel_store.REGION}, "sources": sources}
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
