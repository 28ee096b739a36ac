"""What the labels of a study say of the ground of each place, by period."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.chips.masks import Ground
from minetrace.core.data_set import IGNORE
from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period
from minetrace.core.region import Region, project
from minetrace.errors import LabelError, StudyError
from minetrace.flow.study_chips import ChipStudy, LabelStudy, SelectStudy
from minetrace.labels.labels import Labels
from minetrace.labels.overlap import Overlaps, overlaps, table, without_duplicates
from minetrace.labels.read import Repairs, read_all
from minetrace.labels.select import between_latitudes, in_regions, outside, within, without
from minetrace.store.outlines import read_region


@dataclass(frozen=True)
class Reading:
    """Labels as a study wants them, and what was mended on the way.

    Attributes:
        labels: each outline once.
        unused: (n,) outlines and points of the region that the study deselects, and ground that
            it avoids, in EPSG:4326: nobody may take them for ground without a mine.
        repairs: of each file.
        overlaps: pairs that share ground, before the second of two that are one was dropped.
        pairs: the same as CSV.
    """

    labels: Labels
    unused: NDArray[np.object_]
    repairs: tuple[Repairs, ...]
    overlaps: Overlaps
    pairs: str

    @property
    def notes(self) -> tuple[str, ...]:
        """In words: what was read, mended, dropped, drawn twice."""
        told = [f"{r.path}: {r.read} labels, {r.repaired} repaired, {r.dropped} without ground"
                for r in self.repairs]  # fmt: skip
        return (*told, self.overlaps.text)


def read_study_labels(
    studies: Sequence[LabelStudy], chips: ChipStudy, region: Region, periods: Sequence[Period]
) -> Reading:
    """The labels of a study: read, selected, each outline once.

    Raises:
        StudyError: nobody says for which of several periods a file's labels hold.
        LabelError: a file or a selection cannot be used, or nothing is left.
    """
    if len(periods) > 1:
        _refuse_timeless(studies)
    read, repairs = read_all([study.file(chips.classes) for study in studies])
    labels, avoided = _selected(read, chips.select)
    read, labels = within(read, region.geometry), within(labels, region.geometry)
    if not len(labels):
        raise LabelError("no label is left inside the region; look at the region and at "
                         "chips.select")  # fmt: skip
    deselected = read.geometry[~np.isin(read.id.astype(str), labels.id.astype(str))]
    unused = np.concatenate([deselected, shapely.intersection(avoided, region.geometry)])
    found = overlaps(labels)
    return Reading(
        without_duplicates(labels, found), unused, repairs, found, table(labels, found)
    )  # fmt: skip


def _selected(labels: Labels, select: SelectStudy) -> tuple[Labels, NDArray[np.object_]]:
    """The labels that a study uses, and the ground (EPSG:4326) that it avoids."""
    avoided: list[shapely.Geometry] = []
    if select.exclude:
        labels = without(labels, select.exclude)
    if select.regions:
        labels = in_regions(labels, select.regions)
    if select.boundary:
        labels = within(labels, _polygons(select.boundary))
    if select.latitudes:
        labels = between_latitudes(labels, *select.latitudes)
    if select.avoid:
        avoided = [_polygons(select.avoid)]
        labels = outside(labels, avoided[0])
    return labels, np.array(avoided, dtype=object)


def _polygons(path: Path) -> shapely.Geometry:
    return Region.of(read_region(path), origin=str(path)).geometry


def _refuse_timeless(studies: Sequence[LabelStudy]) -> None:
    for study in studies:
        if not (study.when or study.start or study.end):
            raise StudyError(
                f"labels: {study.path.name} does not say for which period it holds, and the study "
                "has several; say when: 2019 (or when: always), or name the columns start and end"
            )


@dataclass(frozen=True)
class Sheet:
    """Labels projected to the grid of one place.

    Attributes:
        grid: of the place.
        labels: those that touch it.
        shapes: (n,) their geometry in the grid's CRS; points are discs of ``point_m``.
        unused: (m,) likewise, of what the study does not use: unknown in every period.
    """

    grid: Grid
    labels: Labels
    shapes: NDArray[np.object_]
    unused: NDArray[np.object_]

    @classmethod
    def of(cls, reading: Reading, region: shapely.Geometry, grid: Grid, point_m: float) -> Sheet:
        """What touches a part of the region (EPSG:4326)."""
        here, disc_m = within(reading.labels, region), max(point_m, grid.resolution_m)
        unused = reading.unused[shapely.intersects(region, reading.unused)]
        return cls(grid, here, _flat(here.geometry, grid, disc_m), _flat(unused, grid, disc_m))

    def ground(self, rect: Rect, period: Period, outside: int) -> Ground:
        """What is known of a rectangle in a period; nothing if the period has no labels."""
        frame = shapely.box(*self.grid.bounds(rect))
        near = self.near(frame)
        now = self.holds(near, period)
        klass, area = self.labels.klass[near], self.labels.polygons[near]
        known = now & (area | (klass == 0))
        other_days = (klass > 0) & ~now
        somewhere = now & ~area & (klass > 0)  # a point says that there is one, not where it ends
        unused = self.unused[shapely.intersects(frame, self.unused)]
        unknown = [self.shapes[near[other_days | somewhere]], unused]
        return Ground(self.shapes[near[known]], klass[known], np.concatenate(unknown), outside)

    def points(self, rect: Rect, period: Period) -> NDArray[np.int64]:
        """Classes of the points inside a rectangle that hold in a period."""
        frame, labels = shapely.box(*self.grid.bounds(rect)), self.labels
        found = [
            int(labels.klass[i]) for i in self.near(frame)
            if not labels.polygons[i]
            and self.holds([i], period)[0]
            and frame.intersects(self.shapes[i].centroid)
        ]  # fmt: skip
        return np.array(found, np.int64)

    def holds(self, rows: Iterable[int], period: Period) -> NDArray[np.bool_]:
        """Which rows speak of a period."""
        start, end = self.labels.start, self.labels.end
        return np.array([start[i] < period.end and end[i] > period.start for i in rows], dtype=bool)

    def near(self, frame: shapely.Polygon) -> NDArray[np.int64]:
        """Rows whose shape meets a frame, in order."""
        return np.sort(self._tree.query(frame, predicate="intersects")).astype(np.int64)

    def nearest(self, frame: shapely.Polygon) -> int:
        """The row whose shape lies nearest to a frame."""
        return int(self._tree.nearest(frame))

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.shapes)


def _flat(shapes: NDArray[np.object_], grid: Grid, disc_m: float) -> NDArray[np.object_]:
    """Shapes (EPSG:4326) in a grid's CRS; points become discs."""
    flat = project(shapes, "EPSG:4326", grid.crs)
    points = shapely.get_dimensions(flat) == 0
    return np.asarray(np.where(points, shapely.buffer(flat, disc_m), flat), dtype=object)


def labelled(labels: Labels, period: Period) -> bool:
    """Whether anybody says anything of a period."""
    return len(labels.during(period)) > 0


def outside_of(chips: ChipStudy, labels: Labels, period: Period) -> int:
    """Class of ground without a label: of a period without labels nobody knows anything."""
    return 0 if chips.outside == "other" and labelled(labels, period) else IGNORE
