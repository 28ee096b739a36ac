"""What each cloud mask does to ground that is known to be bright: a mask that eats mines is named.

A mask is judged on days on which the ground around the targets is clear by its own word: what it
rejects of the targets then is not weather. Targets that it rejects on nearly all of these days are
erased from every map that is made with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import Coverage, Region, Zone
from minetrace.errors import NoImageryError, OutlineError, StudyError
from minetrace.flow.imagery import open_source
from minetrace.flow.plan import read_study_region
from minetrace.flow.study import Study
from minetrace.flow.study_sources import SourceStudy, StacStudy
from minetrace.sources.source import Scene, Source
from minetrace.store.outlines import read_region
from minetrace.store.run_folder import RunFolder

AROUND_M = 500.0  # the ring around targets that says how clear a day is
CLEAR_SHARE = 0.9  # of the ring, on a clear day
ERASED = 0.9  # share of clear days on which a pixel is rejected, from which on it is erased


@dataclass(frozen=True)
class Verdict:
    """What one mask does.

    Attributes:
        days: on which the targets were seen at all.
        clear_days: on which the ring around them is clear by this mask.
        rejected: share of target pixels rejected over all days.
        around: the same of the ring.
        rejected_clear: share of target pixels rejected on clear days.
        erased: share of target pixels rejected on nearly all clear days.
        by_year: rejected_clear of each year; a year without a clear day is left out.
    """

    mask: str
    days: int
    clear_days: int
    rejected: float
    around: float
    rejected_clear: float | None
    erased: float | None
    by_year: dict[int, float]


def compare(study: Study, targets: Path, kinds: Sequence[str]) -> list[Verdict]:
    """Judge masks on a study's first source.

    Args:
        study: its first source is read, over its region, in its periods.
        targets: polygons of ground that is always bright: tailings, bare pits.
        kinds: of masks; empty for the study's own.

    Raises:
        UserError: a mask cannot be had from this imagery, or the targets lie elsewhere.
    """
    region, first = read_study_region(study), study.sources[0]
    if not isinstance(first, SourceStudy | StacStudy):
        raise StudyError("clouds compare: the first source is to be of kind files or stac")
    ground = Region.of(read_region(targets), origin=str(targets))
    own = first.mask.kind if first.mask else "the source's own"
    with TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        opened = {"none": _masked(study, first, "none", region, run)}
        for kind in kinds or (own,):
            opened[kind] = _masked(study, first, kind, region, run)
        where = _where(ground, opened["none"], study)
        return [_judge(kind, opened["none"], source, where, study)
                for kind, source in opened.items() if kind != "none"]  # fmt: skip


def judge(
    seen: NDArray[np.bool_], kept: NDArray[np.bool_], targets: NDArray[np.bool_],
    years: Sequence[int], mask: str,
) -> Verdict:  # fmt: skip
    """What a mask does, from what it was given and what it left.

    Args:
        seen: (days, pixels), True where there was anything to see, cloud or not.
        kept: the same, where the mask calls it clear.
        targets: (pixels,), True for targets; the others are the ground around them.
        years: of each day.
    """
    some = seen[:, targets].any(axis=1)
    seen, kept = seen[some], kept[some] & seen[some]
    line = np.asarray(years)[some]
    ring_seen = seen[:, ~targets].sum(axis=1)
    clear = (ring_seen > 0) & (kept[:, ~targets].sum(axis=1) >= CLEAR_SHARE * ring_seen)
    here, there = seen[:, targets], kept[:, targets]
    looks = here[clear].sum(axis=0)
    lost = (here & ~there)[clear].sum(axis=0)
    judged = looks > 0
    by_year = {
        int(year): _share(here[clear & (line == year)], there[clear & (line == year)])
        for year in np.unique(line[clear])
    }
    return Verdict(
        mask, len(line), int(clear.sum()), _share(here, there),
        _share(seen[:, ~targets], kept[:, ~targets]),
        _share(here[clear], there[clear]) if clear.any() else None,
        float((lost[judged] >= ERASED * looks[judged]).mean()) if judged.any() else None, by_year,
    )  # fmt: skip


def _share(seen: NDArray[np.bool_], kept: NDArray[np.bool_]) -> float:
    return float((seen & ~kept).sum() / max(1, seen.sum()))


@dataclass(frozen=True)
class _Where:
    """The pixels of one zone that are looked at: targets, and a ring around them."""

    grid: Grid
    rect: Rect
    targets: NDArray[np.bool_]
    ring: NDArray[np.bool_]

    @property
    def are_targets(self) -> NDArray[np.bool_]:
        """Of each pixel that is looked at."""
        return self.targets[self.targets | self.ring]

    def valid(self, source: Source, scene: Scene) -> NDArray[np.bool_]:
        """Where a scene shows something, of each pixel that is looked at."""
        look = source.read(scene, source.bands[:1], self.grid, self.rect)
        return look.valid[self.targets | self.ring]


def _where(ground: Region, source: Source, study: Study) -> list[_Where]:
    """The pixels to look at, for each zone that the targets lie in."""
    resolution_m = study.grid.resolution_m or source.resolution_m
    found = []
    for zone in ground.zones(study.grid.crs):
        grid = Grid(zone.crs, resolution_m, study.grid.anchor)
        area, all_targets = zone.projected(grid), Zone(zone.crs, ground.geometry, None)
        around = area.buffer(AROUND_M)
        rect = grid.rect(around.bounds)
        targets = Coverage(area, grid).mask(rect)
        beside = shapely.difference(around, all_targets.projected(grid))
        found.append(_Where(grid, rect, targets, Coverage(beside, grid).mask(rect) & ~targets))
    if not any(one.targets.any() for one in found):
        raise OutlineError(
            "the targets hold no pixel's centre; give larger polygons, or more of them"
        )
    return found


def _judge(kind: str, bare: Source, masked: Source, where: list[_Where], study: Study) -> Verdict:
    seen, kept, years = [], [], []
    targets = np.concatenate([one.are_targets for one in where])
    for scene in bare.scenes():
        if not any(scene.day in period for period in study.timeline):
            continue
        look = np.concatenate([one.valid(bare, scene) for one in where])
        if not look[targets].any():
            continue
        seen.append(look)
        kept.append(np.concatenate([one.valid(masked, scene) for one in where]))
        years.append(scene.day.year)
    if not seen:
        raise NoImageryError("no scene of the study's periods shows the targets")
    return judge(np.array(seen), np.array(kept), targets, years, kind)


def _masked(
    study: Study, first: SourceStudy | StacStudy, kind: str, region: Region, run: RunFolder
) -> Source:
    """The source with another mask; its own where the kind is the study's."""
    if kind == "the source's own":
        return open_source(first, region, study.timeline, run)
    settings: dict[str, Any] = first.model_dump(mode="json", exclude_none=True)
    own = settings.get("mask", {}) if first.mask and first.mask.kind == kind else {}
    level = {"level": first.mask.level} if first.mask and first.mask.level else {}
    changed = type(first).model_validate({**settings, "mask": {**level, **own, "kind": kind}})
    return open_source(changed, region, study.timeline, run)
