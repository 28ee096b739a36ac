"""Bring a study's pixels into a store on disk, once; every later step then runs offline from it.

What lies near each other is fetched as one: parts of the region (or of what surrounds labels) that
are closer than a reach become one piece of ground, and each scene over it one file. A fetch that
was stopped goes on; what a provider changed meanwhile is fetched anew.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import shapely
import yaml
from shapely import box

from minetrace.core.region import Coverage
from minetrace.errors import ReadFailedError, StudyError, TilesFailedError
from minetrace.flow.chips import lay_out_cuts
from minetrace.flow.compositing import read_look
from minetrace.flow.exports import Arrival, arriving
from minetrace.flow.imagery import attribution_of, name_of
from minetrace.flow.piece_files import COG, Files, files_in
from minetrace.flow.pieces import Errand, errands_of, is_done, key_of, key_wanted
from minetrace.flow.plan import Job, plan
from minetrace.flow.study import Study
from minetrace.store import outlines, pixel_store
from minetrace.store.files import sha256, write_text
from minetrace.store.pixel_store import Piece, SourceFacts
from minetrace.store.run_folder import RunFolder

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


def fetch(
    study: Study, store: Path, *, reach_m: float = REACH_M, batch: bool = False,
    chips: bool = False, form: str = COG, tell: Tell = lambda *_: None,
) -> Fetched:  # fmt: skip
    """Fetch what a study reads, or what is left of it.

    Args:
        study: what is asked.
        store: the folder; made if it is not there.
        reach_m: parts of the region closer than this are fetched as one.
        batch: have Earth Engine export what a source says to export, rather than wait for it.
        chips: fetch what 'minetrace chips' cuts around the study's labels, not the whole region.
        form: of the files: ``cog`` or ``zarr``.

    Raises:
        UserError: something given cannot be used.
        TilesFailedError: pieces could not be fetched; the others are kept.
    """
    begun = time.monotonic()
    folder = RunFolder(store)
    with folder.claimed():
        job = _around_labels(study, folder) if chips else plan(study, folder)
        wanted = list(errands_of(job, reach_m))
        kept = {key_of(one): one for one in pixel_store.read_pieces(store)}
        files = files_in(form, job, store, wanted)
        left = [e for e in wanted if not is_done(store, kept.get(key_wanted(e)), e)]
        arrivals = arriving(job, store, wanted, left) if batch else [(left, list[str]())]
        standing = len(wanted) - len(left), len(wanted)
        done, failed = _fetch_all(job, files, arrivals, standing, tell)
        if failed:
            raise TilesFailedError(
                f"{len(left) - len(done)} of {len(wanted)} pieces could not be fetched, the first "
                f"because: {failed[0]}; the same command goes on from there"
            )
        kept |= {key_of(piece): piece for piece in done}
        pieces = [kept[key_wanted(one)] for one in wanted]
        offline = _finish(job, files, pieces)
        shutil.rmtree(folder.cache, ignore_errors=True)
    size = sum(piece.bytes for piece in pieces)
    return Fetched(store, len(pieces), len(done), size, time.monotonic() - begun, offline)


def _around_labels(study: Study, folder: RunFolder) -> Job:
    """The job of cutting a study's chips, whose places are the squares of the chips alone.

    Raises:
        StudyError: the study has no labels or no chips.
    """
    if not study.labels or study.chips is None:
        missing = "chips" if study.labels else "labels"
        raise StudyError(f"{study.name}: has no key {missing}, so there are no chips to fetch for; "
                         "add it, or leave out --chips")  # fmt: skip
    cutting, cuts, _ = lay_out_cuts(study, study.labels, study.chips, folder)
    places = []
    for number, place in enumerate(cutting.job.places):
        squares = {cut.tile.rect for cut in cuts if cut.place == number}
        ground = shapely.union_all([box(*place.grid.bounds(rect)) for rect in squares])
        places.append(replace(place, imagery=Coverage(ground, place.grid)))
    return replace(cutting.job, places=tuple(places))


def _fetch_all(
    job: Job, files: Files, arrivals: Iterable[Arrival], standing: tuple[int, int], tell: Tell
) -> tuple[list[Piece], list[str]]:
    """Pieces that were fetched, and why others were not; each is noted as it is done."""
    done: list[Piece] = []
    failed: list[str] = []
    size, (before, count) = 0, standing
    with ThreadPoolExecutor(_WAITERS, "minetrace-fetch-pieces") as pool:
        for errands, reasons in arrivals:
            failed += reasons
            for piece in pool.map(partial(_outcome, job, files), errands):
                if isinstance(piece, str):
                    failed.append(piece)
                    continue
                pixel_store.note_piece(files.store, piece)
                done.append(piece)
                size += piece.bytes
                tell(before + len(done), count, size)
    return done, failed


def _outcome(job: Job, files: Files, errand: Errand) -> Piece | str:
    try:
        return _fetch_one(job, files, errand)
    except ReadFailedError as error:
        return str(error)


def _fetch_one(job: Job, files: Files, errand: Errand) -> Piece:
    begun = time.monotonic()
    look, grid, rect = errand.look, errand.place.grid, errand.rect
    raster = read_look(job, errand.place, look, rect)  # as a composite would have it
    name, size, digest = "", 0, ""
    if raster.valid.any():
        path = files.put(errand, raster)
        name = path.relative_to(files.store).as_posix()
        size, digest = path.stat().st_size, sha256(path)
    return Piece(
        name, look.source, look.scene.id, look.scene.day, grid.crs, grid.resolution_m, grid.anchor,
        rect, errand.read_hash, size, digest, round(time.monotonic() - begun, 3),
    )  # fmt: skip


def _finish(job: Job, files: Files, pieces: Sequence[Piece]) -> str:
    """Write what the store is, and the study that reads from it; returns that."""
    store, facts = files.store, []
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
    beside = [path.relative_to(store).as_posix() for path in files.finish()]
    pixel_store.write_manifest(store, job.study.name, facts, pieces, beside)
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
