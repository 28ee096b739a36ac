"""``minetrace chips``: from labels and imagery to a set of chips with a version.

Every chip is two files written whole, image first and mask last, so what is done is a fact on disk:
a command that was killed goes on, and the manifest, made last from the files alone, is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.chips.audit import Audit, audit
from minetrace.chips.manifest import made_reader, write_manifest
from minetrace.chips.sheet import choose, write_sheet
from minetrace.chips.splits import divide
from minetrace.chips.windows import background, touched
from minetrace.core.data_set import Chip, DataSet
from minetrace.core.grid import Tile
from minetrace.core.model import ModelCard
from minetrace.core.provenance import fingerprint
from minetrace.core.region import project
from minetrace.errors import BandError, DataSetError, LabelError
from minetrace.flow.chip_ground import Reading, Sheet, labelled, read_study_labels
from minetrace.flow.cut import Cut, Cutting, chip_of, done
from minetrace.flow.data_sets import write_audit
from minetrace.flow.engine import Engine
from minetrace.flow.hard import false_alarms
from minetrace.flow.imagery import name_of
from minetrace.flow.plan import Job, Place, common_bands, plan, read_study_region
from minetrace.flow.report import Reporter, Silent
from minetrace.flow.study import Study
from minetrace.flow.study_chips import ChipStudy, LabelStudy
from minetrace.sources.source import Source
from minetrace.store.files import read_json, write_json, write_text
from minetrace.store.run_folder import RunFolder

RECIPE = 1
MAKING = "making.json"  # what the chips are made from; another set goes into another folder


@dataclass(frozen=True)
class MadeSet:
    """A set that was made.

    Attributes:
        data: the set, its splits made if the study asks for it.
        audit: of its splits.
        reading: the labels.
        empty: chips that were left out because too little of them was seen.
        unlabelled: periods without labels, whose masks say nothing.
        sheet: picture of some of the chips.
    """

    data: DataSet
    audit: Audit
    reading: Reading
    empty: int
    unlabelled: tuple[str, ...]
    sheet: Path

    @property
    def kinds(self) -> Counter[str]:
        """How many chips there are of each kind."""
        return Counter(chip.kind for chip in self.data.chips)


def make_chips(
    study: Study, labels: Sequence[LabelStudy], settings: ChipStudy, out: Path, *,
    workers: int = 1, reporter: Reporter | None = None,
) -> MadeSet:  # fmt: skip
    """Make a set of chips, or go on with it.

    Args:
        study: region, periods and imagery.
        labels: the reference.
        settings: of the chips.
        out: the set's folder.

    Raises:
        UserError: something given cannot be used, or the folder holds another set.
    """
    tell = reporter or Silent()
    with RunFolder(out).claimed() as folder:
        cutting, cuts, reading = lay_out_cuts(study, labels, settings, folder)
        _tell_what_lacks(cutting, cuts, tell)
        for note in reading.notes:
            tell.note(note)
        _claim(cutting, cuts, reading)
        _cut_all(cutting, cuts, workers, tell)
        return _finish(cutting, cuts, reading, tell)


def _tell_what_lacks(cutting: Cutting, cuts: Sequence[Cut], tell: Reporter) -> None:
    """Say where there are fewer squares without a mine than were asked for."""
    settings = cutting.settings
    squares = Counter(kind for _, _, kind in {(cut.place, cut.tile, cut.kind) for cut in cuts})
    asked = {"hard": settings.hard_share if settings.hard else 0.0,
             "background": settings.background if settings.outside == "other" else 0.0}  # fmt: skip
    for kind, share in asked.items():
        wanted = round(share * squares["label"])
        if squares[kind] < wanted:
            tell.note(
                f"{squares[kind]:,} squares of kind {kind} where {wanted:,} were asked for: the "
                "region has no more of them"
            )


def lay_out_cuts(
    study: Study, labels: Sequence[LabelStudy], settings: ChipStudy, folder: RunFolder
) -> tuple[Cutting, list[Cut], Reading]:
    """Every chip that is to be made, in one order, and what they share.

    Raises:
        UserError: something given cannot be used.
    """
    reading = read_study_labels(labels, settings, read_study_region(study), study.timeline)
    job = _with_bands(plan(study, folder, _nobody), settings)
    sheets = tuple(
        Sheet.of(reading, place.zone.geometry, place.grid, settings.point_m) for place in job.places
    )
    cutting = Cutting(job, settings, sheets, reading.labels, folder.root)
    return cutting, _cuts(cutting), reading


@dataclass(frozen=True)
class Nobody:
    """Stands where a run has its model: chips are cut, not scored."""

    card: ModelCard

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Never asked."""
        raise NotImplementedError


def _nobody(study: Study, sources: Sequence[Source]) -> Nobody:
    bands = common_bands(sources)
    if not bands:
        raise BandError("the sources share no band; name their bands alike under sources.bands")
    return Nobody(ModelCard("chips", bands[:1], 1, 1, "pixels", "mined", context_px=0,
                            calibrated=True))  # fmt: skip


def _with_bands(job: Job, settings: ChipStudy) -> Job:
    """The job with the bands of the chips, rather than those of a model."""
    there = common_bands(job.sources)
    missing = [band for band in settings.bands if band not in there]
    if missing:
        raise BandError(f"chips.bands: the imagery has no {missing[0]}; it has {', '.join(there)}")
    return replace(job, bands=settings.bands or there)


def _claim(cutting: Cutting, cuts: Sequence[Cut], reading: Reading) -> None:
    """Say what the folder is for, or refuse one that is for something else.

    What was read counts, not the files that it was read from: a path may hold other labels, another
    region or another run than before.
    """
    job, out = cutting.job, cutting.out
    looks = {
        f"{k.source}/{k.scene.id}": job.sources[k.source].signature(k.scene)
        for place in job.places for line in place.looks.values() for k in line
    }  # fmt: skip
    made_from = fingerprint([
        RECIPE, job.bands, looks, [p.label for p in job.periods],
        job.study.model_dump(include={"periods", "grid", "composite"}, mode="json"),
        cutting.settings.model_dump(mode="json", exclude={"select", "hard", "split"}),
        job.region.geometry.wkb_hex, reading.labels.fingerprint,
        shapely.to_wkb(reading.unused, hex=True).tolist(), [asdict(cut) for cut in cuts],
    ])  # fmt: skip
    path = out / MAKING
    if path.is_file() and read_json(path)["made_from"] != made_from:
        raise DataSetError(
            f"{out}: holds chips of other labels, imagery or settings; choose another --out, or "
            "delete it"
        )
    write_json(path, {"made_from": made_from})


def _cuts(cutting: Cutting) -> list[Cut]:
    """Every chip that is to be made, in one order."""
    job, settings = cutting.job, cutting.settings
    own: list[dict[Tile, str]] = []
    for place, sheet in zip(job.places, cutting.sheets, strict=True):
        found = touched(place.grid, sheet.shapes, settings.size)
        own.append({tile: "label" for tile in found if _ours(place, tile)})
    wanted = sum(map(len, own))
    if not wanted:
        raise LabelError("no label touches a square of the region's lattice; is the region right?")
    _add_hard(cutting, own, round(settings.hard_share * wanted))
    if settings.outside == "other":  # else nobody looked there: such chips would say nothing
        _add_background(cutting, own, round(settings.background * wanted))
    return [
        Cut(period, number, tile, kind)
        for period in range(len(job.periods))
        for number, tiles in enumerate(own)
        for tile, kind in sorted(tiles.items())
        if kind == "label" or labelled(cutting.labels, job.periods[period])
    ]


def _ours(place: Place, tile: Tile) -> bool:
    """Whether a square belongs to a place: by its middle, where two zones meet."""
    if place.zone.strip is None:
        return True
    middle = project(_middle(place, tile), place.grid.crs, "EPSG:4326")
    west, _, east, _ = place.zone.strip.bounds
    return bool(west <= middle.x < east)


def _inside(place: Place, tile: Tile) -> bool:
    """Whether the middle of a square lies in the region: beyond it nobody looked for mines."""
    return bool(place.coverage.geometry.contains(_middle(place, tile)))


def _middle(place: Place, tile: Tile) -> shapely.Point:
    left, bottom, right, top = place.grid.bounds(tile.rect)
    return shapely.Point((left + right) / 2, (bottom + top) / 2)


def _add_hard(cutting: Cutting, own: list[dict[Tile, str]], count: int) -> None:
    """Squares in which a run saw a mine where no label ever has one, the surest first."""
    run = cutting.settings.hard
    if run is None:
        return
    alarms = [
        (score, number, tile)
        for number, (place, sheet) in enumerate(zip(cutting.job.places, cutting.sheets,
                                                    strict=True))
        for tile, score in false_alarms(run, cutting.job.periods, place.grid, sheet,
                                        cutting.settings.size).items()
        if tile not in own[number] and _ours(place, tile) and _inside(place, tile)
    ]  # fmt: skip
    for _, number, tile in sorted(alarms, key=lambda a: (-a[0], a[1], a[2]))[:count]:
        own[number][tile] = "hard"


def _add_background(cutting: Cutting, own: list[dict[Tile, str]], count: int) -> None:
    settings = cutting.settings
    free: list[tuple[int, Tile]] = []
    for number, (place, sheet) in enumerate(zip(cutting.job.places, cutting.sheets, strict=True)):
        tiles = [t for t in place.coverage.tiles(settings.size)
                 if _ours(place, t) and _inside(place, t)]  # fmt: skip
        taken = {t for t, kind in own[number].items() if kind == "label"}
        taken |= touched(place.grid, sheet.unused, settings.size).keys()
        apart = background(tiles, taken, len(tiles), seed=settings.seed, apart=settings.apart)
        free += [(number, tile) for tile in apart if tile not in own[number]]
    by_number = {tile: number for number, tile in free}
    for tile in background(by_number, (), count, seed=settings.seed):
        own[by_number[tile]][tile] = "background"


def _cut_all(cutting: Cutting, cuts: Sequence[Cut], workers: int, tell: Reporter) -> None:
    left = [cut for cut in cuts if not done(cutting, cut)]
    tell.start("chips", len(left), 0.0)
    with Engine.of(cutting, workers) as engine:
        engine.each(left, lambda _: tell.advance(1, 0.0, 0))
    tell.finish()


def _finish(
    cutting: Cutting, cuts: Sequence[Cut], reading: Reading, tell: Reporter
) -> MadeSet:  # fmt: skip
    """Manifest, audit and contact sheet, from what lies on disk."""
    job, settings, out = cutting.job, cutting.settings, cutting.out
    made = [chip_of(cutting, cut) for cut in cuts]
    chips = tuple(chip for chip in made if chip is not None)
    if not chips:
        raise DataSetError(f"{out}: nothing was seen of any chip; give more dates or other years")
    data = _data_set(cutting, chips)
    unlabelled = tuple(p.label for p in job.periods if not labelled(cutting.labels, p))
    for label in unlabelled:
        tell.warn(f"period {label} has no labels: its chips say nothing of mines, all is ignore")
    if settings.split is not None:
        data = divide(data, settings.split.rule())
    write_manifest(out, data, extra={"labels": list(reading.notes), "unlabelled": unlabelled,
                                     "size": settings.size})  # fmt: skip
    write_text(out / "label-overlaps.csv", reading.pairs)
    found = audit(data)
    write_audit(out, found)
    sheet = out / "contact-sheet.png"
    write_sheet(sheet, data, choose(data.chips))
    return MadeSet(data, found, reading, len(made) - len(chips), unlabelled, sheet)


def _data_set(cutting: Cutting, chips: tuple[Chip, ...]) -> DataSet:
    job, settings = cutting.job, cutting.settings
    reader = made_reader(cutting.out, job.bands, settings.classes)
    levels = {source.level for source in job.sources}
    level = levels.pop() if len(levels) == 1 else None
    labels = cutting.labels
    told: dict[tuple[str, str], set[str]] = {}
    for source, licence, vintage in zip(labels.source, labels.licence, labels.vintage, strict=True):
        told.setdefault((str(source), str(licence)), set()).add(str(vintage))
    sources = [(name_of(s), s.licence) for s in job.study.sources]
    drawn = [{"name": n, "licence": c} | _vintage(v) for (n, c), v in sorted(told.items())]
    data = (*drawn, *({"name": n, "licence": c} for n, c in sources))
    return DataSet(job.study.name, chips, job.bands, settings.classes, reader,
                   job.study.grid.resolution_m, level or "any", data)  # fmt: skip


def _vintage(said: set[str]) -> dict[str, str]:
    """Of which imagery a source's labels were drawn, where it says so."""
    return {"vintage": ", ".join(sorted(said - {""}))} if said != {""} else {}
