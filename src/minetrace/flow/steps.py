"""The whole way of a run: composites, scores, outlines, panel, publication.

Each step asks the ledger what is already done from the same inputs and does only the rest, so
that a run goes on after whatever stopped it.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import geopandas as gpd
from shapely.geometry import box

from minetrace.core.footprints import Footprints
from minetrace.core.grid import Tile, z_order
from minetrace.core.period import Period
from minetrace.errors import InterruptedRunError, MinetraceError, NoImageryError, TilesFailedError
from minetrace.flow import hashes
from minetrace.flow.chances import with_chances
from minetrace.flow.decoding import Decoder
from minetrace.flow.deliver import deliver
from minetrace.flow.engine import Engine, get_ready
from minetrace.flow.kept import kept
from minetrace.flow.looked import LookedShares, region_shares
from minetrace.flow.models import not_for
from minetrace.flow.plan import Job, Place, plan
from minetrace.flow.report import Attempt, Reporter, Silent, Stage, write_report
from minetrace.flow.study import Study
from minetrace.flow.summary import Summary, summarise
from minetrace.flow.tasks import Compose, Decode, Done, Making, Outline, Score, give_up
from minetrace.flow.verified import with_verified
from minetrace.panel.build import IdentityRules, build_panel
from minetrace.publish.geopackage import write_geopackage
from minetrace.store import outlines, sidecar
from minetrace.store.files import write_text
from minetrace.store.ledger import Ledger
from minetrace.store.run_folder import Key, RunFolder

UNIT_PX = 16_384  # largest side of what is scored in one go


def run(
    study: Study,
    out: Path | str,
    *,
    workers: int = 1,
    reporter: Reporter | None = None,
    allow_missing: bool = False,
) -> Summary:
    """Walk the whole way for a study, or what is left of it.

    Args:
        study: what is asked.
        out: the run folder, made if it is not there; or an address, such as s3://bucket/gold.
        workers: processes; results do not depend on it.
        reporter: who is told.
        allow_missing: publish even if tiles failed; they count as not looked at.

    Raises:
        UserError: something given cannot be used.
        TilesFailedError: tiles failed.
        InterruptedRunError: the user stopped it.
    """
    tell = reporter or Silent()
    place = RunFolder.at(out)
    get_ready(workers, study.engine)
    place.pull()
    job = plan(study, place)
    attempt = Attempt(workers)
    with job.run.claimed() as folder, Ledger.open(folder) as ledger:
        write_text(folder.study, job.study.dump())
        outlines.write_region(folder.region, job.region.geometry)
        ledger.expect(job.artefacts())
        ledger.finish(done=False)
        _open_house(folder)
        _tell_what_is_read(job, tell)
        _tell_what_is_left(job, tell)
        try:
            walk = _Walk(job, ledger, tell, attempt)
            seen = None if folder.mirror else folder.root
            with Engine.of(job, workers, job.study.engine, seen) as engine:
                attempt.workers = engine.workers
                walk.composites(engine)
                walk.scores(engine)
                walk.refuse_failures(allow_missing=allow_missing)
                walk.refuse_blindness()
                if job.decoder is not None:
                    walk.decoded(engine, job.decoder)
                    walk.refuse_failures(allow_missing=allow_missing)
                walk.outlines(engine)
            panel = walk.panel()
            summary = walk.publish(panel)
            attempt.end("done")
            ledger.finish(done=True)
            shutil.rmtree(folder.cache, ignore_errors=True)
            summary = replace(summary, seconds=attempt.seconds)
        except KeyboardInterrupt as error:
            attempt.end("stopped")
            raise InterruptedRunError(
                f"stopped; what is done is kept in {out}: the same command goes on from there"
            ) from error
        except MinetraceError as error:
            attempt.end(str(error))
            raise
        finally:
            with _nothing_worse():
                ledger.settle()
                write_report(folder, attempt, {"study": job.study.name})
                if folder.mirror:
                    ledger.save()
                    folder.push()
    return summary


def _open_house(folder: RunFolder) -> None:
    """Put study and region where a run lives at an address; its index is no longer true."""
    if folder.mirror:
        folder.drop(folder.table)
        folder.push()


@contextmanager
def _nothing_worse() -> Iterator[None]:
    """Let an error that is on its way pass before one of tidying up."""
    under_way = sys.exc_info()[1]
    try:
        yield
    except MinetraceError:
        if under_way is None:
            raise


def _tell_what_is_read(job: Job, tell: Reporter) -> None:
    """Say what was found, which scenes count, and what the model and masks cannot do."""
    if beyond := not_for(job.scorer.card, job.study.model.name):
        tell.note(f"model {job.scorer.card.name} is not for {beyond}")
    for number, source in enumerate(job.sources):
        for note in source.notes:
            tell.note(note)
        here = {look.scene.id for place in job.places for looks in place.looks.values()
                for look in looks if look.source == number}  # fmt: skip
        every = len(source.scenes())
        if len(here) < every:
            tell.note(f"{len(here)} of {every} scenes touch the region in the periods asked for")
        if not source.masking:
            tell.warn("no cloud mask: clouds count as looked at; name one with sources.mask")
        made_for = job.scorer.card.level
        if source.level is not None and made_for not in ("any", source.level):
            tell.warn(
                f"model {job.scorer.card.name} was made for {made_for} reflectance, the imagery is "
                f"{source.level}: its scores are not what its card promises"
            )


def _tell_what_is_left(job: Job, tell: Reporter) -> None:
    """Name what an earlier study left in the folder; it is nobody's to delete."""
    ours = {job.run.path(key) for key in job.artefacts()}
    kinds = ("composites/*/*.tif", "scores/*/*.tif", "decoded/*/*.tif", "footprints/*.parquet")
    strange = [p for kind in kinds for p in job.run.root.glob(kind) if p not in ours]
    if strange:
        tell.warn(
            f"{len(strange)} files of an earlier study lie in {job.run.root}, such as "
            f"{min(strange).relative_to(job.run.root)}; they are not part of this map"
        )


@dataclass
class _Walk:
    """A run under way."""

    job: Job
    ledger: Ledger
    tell: Reporter
    attempt: Attempt

    def composites(self, engine: Engine) -> None:
        """One picture per tile and period."""
        tasks = []
        for number, place, period in self._each():
            for tile in sorted(place.imagery_tiles, key=z_order):  # they share blocks of scenes
                key = Key("composites", self.job.periods[period].label, tile.id)
                read_hash = hashes.composite_hash(self.job, period, place, tile)
                if not self._is_done(key, read_hash):
                    tasks.append(Compose(period, number, tile, read_hash))
        km2 = sum(self._tile_km2(t.place, t.tile, imagery=True) for t in tasks)
        total = sum(len(p.imagery_tiles) for p in self.job.places) * len(self.job.periods)
        self._do("composites", engine, tasks, total, km2)

    def scores(self, engine: Engine) -> None:
        """How sure the model is, per pixel or cell."""
        tasks: list[Score] = []
        for number, place, period in self._each():
            label, todo = self.job.periods[period].label, {}
            for tile in place.tiles:
                read_hash = hashes.score_hash(self.job, self.ledger, period, place, tile)
                if not self._is_done(Key("scores", label, tile.id), read_hash):
                    todo[tile] = read_hash
            for unit in _units(list(todo), self._unit_tiles(place, engine.workers)):
                tasks.append(Score(period, number, unit, tuple(todo[t] for t in unit)))
        km2 = sum(self._tile_km2(t.place, tile) for t in tasks for tile in t.tiles)
        total = sum(len(p.tiles) for p in self.job.places) * len(self.job.periods)
        self._do("scores", engine, tasks, total, km2, pending=sum(len(t.tiles) for t in tasks))

    def decoded(self, engine: Engine, decoder: Decoder) -> None:
        """What all periods say of each pixel together."""
        tasks, labels = [], [period.label for period in self.job.periods]
        for number, place in enumerate(self.job.places):
            for tile in place.tiles:
                read_hash = hashes.decode_hash(self.job, self.ledger, tile, decoder)
                if not all(self._is_done(Key("decoded", p, tile.id), read_hash) for p in labels):
                    tasks.append(Decode(number, tile, read_hash, decoder))
        km2 = sum(self._tile_km2(t.place, t.tile) for t in tasks)
        total = sum(len(p.tiles) for p in self.job.places) * len(labels)
        self._do("decoded", engine, tasks, total, km2, pending=len(tasks) * len(labels))

    def outlines(self, engine: Engine) -> None:
        """Scores to outlines, one file a period."""
        tasks = []
        for number, period in enumerate(self.job.periods):
            read_hash = hashes.outline_hash(self.job, self.ledger, number)
            if not self._is_done(Key("footprints", period.label), read_hash):
                tasks.append(Outline(number, read_hash))
        self._do("outlines", engine, tasks, len(self.job.periods), 0.0, whole=True)

    def panel(self) -> gpd.GeoDataFrame:
        """Outlines to sites with an identity."""
        run, key = self.job.run, Key("panel.parquet")
        read_hash = hashes.panel_hash(self.job, self.ledger)
        done = self._is_done(key, read_hash) and self._is_done(Key("panel.gpkg"), read_hash)
        with self._timed("panel", 0 if done else 1, 0.0) as stage:
            stage.tasks, stage.skipped = int(not done), int(done)
            if done:
                return outlines.read_table(run.path(key))
            before = outlines.read_table(run.path(key)) if run.path(key).is_file() else None
            panel = build_panel(
                self._kept(),
                extent=self.job.extent, looked=LookedShares(self.job), previous=before,
                rules=IdentityRules(**self.job.study.panel.model_dump()),
            )  # fmt: skip
            panel = with_verified(run.root, with_chances(self.job, panel))
            where = box(*self.job.region.geometry.bounds)
            whole = Period(self.job.periods[0].start, self.job.periods[-1].end, "whole")
            for target, write in (
                (key, partial(outlines.write_table, table=panel)),
                (Key("panel.gpkg"), partial(write_geopackage, panel=panel)),
            ):
                sidecar.publish(
                    run, target, write, read_hash=read_hash, recipe=hashes.PANEL_RECIPE,
                    where=where, period=whole, facts={"rows": len(panel)},
                )  # fmt: skip
                self.ledger.update(target)
            return panel

    def publish(self, panel: gpd.GeoDataFrame) -> Summary:
        """Catalog, data card and map."""
        shares = region_shares(self.job, self.ledger)
        summary = summarise(self.job, panel, shares, self.ledger.failures())
        for label, share in shares.items():
            if share == 0:
                self.tell.warn(f"period {label}: nothing of the region was looked at")
        if summary.outdated:
            self.tell.warn(
                f"{summary.outdated} verdicts of people are on outlines that changed since; they "
                "no longer apply, and 'verified' is empty there: review those again"
            )
        with self._timed("publish", 1, 0.0) as stage:
            stage.tasks = 1
            deliver(self.job, panel, summary)
        return summary

    def refuse_failures(self, *, allow_missing: bool) -> None:
        """Stop before publication if tiles failed."""
        failures = self.ledger.failures()
        if not failures:
            return
        key, reason = failures[0]
        text = f"{len(failures)} artefacts failed, first {key}: {reason}"
        if not allow_missing:
            raise TilesFailedError(
                f"{text}; 'minetrace status {self.job.run.shown}' lists them, "
                "the same command tries again, --allow-missing publishes without them"
            )
        self.tell.warn(f"{text}; published without them, as not looked at")

    def refuse_blindness(self) -> None:
        """Stop if nothing was looked at in any period."""
        if any(region_shares(self.job, self.ledger).values()):
            return
        if self.ledger.failures():
            self.refuse_failures(allow_missing=False)
        card = self.job.scorer.card
        pictures = (one for p in self.job.periods
                    for one in self.ledger.sidecars("composites", p.label))  # fmt: skip
        if any(one.facts["seen_px"] for one in pictures):
            raise NoImageryError(
                f"clear pixels, but nowhere enough together for model {card.name}: a window of "
                f"{card.window} px must be {card.min_valid_share:.0%} clear; give more dates or a "
                "larger region, loosen sources.mask, or take a model of smaller windows"
            )
        raise NoImageryError(
            "no clear look at the region in any period: every pixel is cloud or nodata; "
            "give more dates, or loosen sources.mask or composite.min_looks"
        )

    def _kept(self) -> dict[Period, Footprints]:
        """The outlines that the rules of the study leave."""
        found = {period: self._footprints(period) for period in self.job.periods}
        share = self.job.study.panel.min_looked_share
        return kept(found, self.job.study.rules, LookedShares(self.job), share)

    def _footprints(self, period: Period) -> Footprints:
        key = Key("footprints", period.label)
        self.job.run.bring(key)
        path = self.job.run.path(key)
        return outlines.read_footprints(path, self.job.extent)

    def _each(self) -> Iterator[tuple[int, Place, int]]:
        for period in range(len(self.job.periods)):
            for number, place in enumerate(self.job.places):
                yield number, place, period

    def _is_done(self, key: Key, read_hash: str) -> bool:
        found = self.ledger.sidecar(key)
        return found is not None and found.read_hash == read_hash

    def _tile_km2(self, place: int, tile: Tile, *, imagery: bool = False) -> float:
        """Ground of a tile, roughly: how much of its frame the region fills."""
        here = self.job.places[place]
        coverage = here.imagery if imagery else here.coverage
        return float(coverage.part(tile.rect).area / 1e6)

    def _unit_tiles(self, place: Place, workers: int) -> int:
        """Tiles along one side of a unit: as large as memory allows, as small as workers need."""
        side = max(1, UNIT_PX // self.job.study.grid.tile)
        while side > 1 and len(_units(place.tiles, side)) * len(self.job.periods) < 3 * workers:
            side //= 2
        return side

    def _do(
        self, name: str, engine: Engine, tasks: Sequence[Making], total: int, km2: float,
        pending: int | None = None, *, whole: bool = False,
    ) -> None:  # fmt: skip
        """Run the tasks of a stage; those that make a whole period may take long, not be lost."""
        count = len(tasks) if pending is None else pending
        with self._timed(name, count, km2) as stage:
            stage.skipped = total - count

            def settle(done: Done) -> None:
                failed = 0
                for key in done.keys:
                    self.ledger.update(key)
                    failed += self.ledger.sidecar(key) is None
                stage.tasks += len(done.keys)
                stage.failed += failed
                stage.km2 += done.km2
                stage.bytes_read += done.bytes_read
                stage.requests += done.requests
                self.tell.advance(len(done.keys), done.km2, failed)

            def lost(task: Making, reason: str) -> None:
                settle(give_up(self.job, task, reason))

            engine.each(tasks, settle, None if whole else lost, limited=not whole)

    def _timed(self, name: str, tasks: int, km2: float) -> _Clock:
        stage = Stage(name)
        self.attempt.stages.append(stage)
        return _Clock(stage, self.tell, tasks, km2)


@dataclass
class _Clock:
    """Times a stage and tells when it begins and ends."""

    stage: Stage
    tell: Reporter
    tasks: int
    km2: float
    began: float = 0.0

    def __enter__(self) -> Stage:
        self.began = time.monotonic()
        self.tell.start(self.stage.name, self.tasks, self.km2)
        return self.stage

    def __exit__(self, *_: object) -> None:
        self.stage.seconds = time.monotonic() - self.began
        self.tell.finish()


def _units(tiles: Sequence[Tile], side: int) -> list[tuple[Tile, ...]]:
    """Tiles grouped into squares of ``side`` by ``side`` tiles."""
    groups: dict[tuple[int, int], list[Tile]] = {}
    for tile in sorted(tiles):
        groups.setdefault((tile.row // side, tile.col // side), []).append(tile)
    return [tuple(group) for _, group in sorted(groups.items())]
