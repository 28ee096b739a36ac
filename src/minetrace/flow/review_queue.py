"""What people are to look at: points of a sample, detections of a run, or anybody's alerts.

A queue is made from files alone and has an id that follows from them, so that the same answers are
found again however often the page is started, and answers to another map are never taken for
answers to this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import geodesic_hectares
from minetrace.core.grid import utm_crs
from minetrace.core.provenance import fingerprint
from minetrace.core.region import project
from minetrace.errors import OutlineError, PeriodError, RunError
from minetrace.flow.open_run import Run
from minetrace.flow.sample_design import DESIGN, PACKAGE, Design
from minetrace.store.outlines import read_polygons

Kind = Literal["sample", "detections", "alerts"]
LONLAT = "EPSG:4326"


@dataclass(frozen=True)
class Item:
    """One question: is there a mine here, in this period?

    Attributes:
        id: unique in the queue.
        period: asked about.
        before: label of an earlier period to compare with; None if there is none.
        unit: the ground that is asked about, EPSG:4326: a pixel or a block of a sample, or the
            outline that a map or an alert has; the latter is shown on request only.
        crs: projected, for the pictures of it.
        name: of the point, site or alert.
        outlined: whether ``unit`` is the map's own outline.
        shares: whether the answer is how much of the unit is mined.
    """

    id: str
    period: str
    before: str | None
    unit: BaseGeometry
    crs: str
    name: str
    outlined: bool
    shares: bool = False


@dataclass(frozen=True)
class Queue:
    """Items in the order in which they are asked.

    Attributes:
        kind: where they are from.
        id: follows from the items.
        items: in order.
        run: the folder whose pictures are shown.
        source: the sample's folder, or the file of alerts; the run for its detections.
    """

    kind: Kind
    id: str
    items: tuple[Item, ...]
    run: Path
    source: Path
    place: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", {item.id: i for i, item in enumerate(self.items)})

    @classmethod
    def of(cls, kind: Kind, items: Iterable[Item], run: Path, source: Path) -> Queue:
        """A queue whose id follows from what is asked.

        Raises:
            RunError: there is nothing to ask.
        """
        every = tuple(items)
        if not every:
            raise RunError(f"{source}: there is nothing to review in it")
        asked = [(i.id, i.period, shapely.to_wkb(i.unit, hex=True)) for i in every]
        return cls(kind, f"{kind}-{fingerprint([kind, asked])[:16]}", every, run, source)

    def item(self, name: str) -> Item | None:
        """An item by its id; None if there is no such."""
        place = self.place.get(name)
        return None if place is None else self.items[place]

    @cached_property
    def periods(self) -> tuple[str, ...]:
        """Asked about, in the order in which they first come."""
        return tuple(dict.fromkeys(item.period for item in self.items))


def sample_queue(run: Run, folder: Path) -> Queue:
    """The points or blocks of a sample, each asked in every period of it.

    Raises:
        MissingFileError, RunError: it is no sample.
        PeriodError: it is of a period that the run does not have.
    """
    design = Design.read(folder)
    for label in design.periods:
        _known(run, label)
    points = gpd.read_file(folder / PACKAGE).set_index("id").loc[design.ids].reset_index()
    units = (
        list(points.geometry) if design.of_blocks
        else _squares(points, float(design.facts["pixel_m"]))
    )  # fmt: skip
    crs = points["crs"].astype(str)

    def items() -> Iterator[Item]:
        for name, unit, zone in zip(points["id"], units, crs, strict=True):
            for label in design.periods:
                yield Item(
                    f"{name}@{label}",
                    label,
                    _before(run, label),
                    unit,
                    zone,
                    str(name),
                    False,
                    design.of_blocks,
                )

    return Queue.of("sample", items(), run.root, folder)


def detections_queue(run: Run, period: str | None = None) -> Queue:
    """The outlines that a run has in a period, in an order that tells nothing.

    Args:
        period: the last one with an outline if left out.

    Raises:
        PeriodError: the run has no such period.
        RunError: nothing was detected then.
    """
    panel = run.panel()
    rows = panel[panel.geometry.notna()]
    rows = rows[~rows.geometry.is_empty]
    if period is None:
        found = [label for label in run.periods if (rows["period"] == label).any()]
        if not found:
            raise RunError(f"{run.root}: no outline in any period, so there is nothing to review")
        period = found[-1]
    _known(run, period)
    rows = rows[rows["period"] == period].sort_values("site_id")
    rows = rows.iloc[np.random.default_rng(0).permutation(len(rows))]
    before = _before(run, period)
    items = [
        Item(f"{site}@{period}", period, before, shape, _utm(shape), str(site), True)
        for site, shape in zip(rows["site_id"], rows.geometry, strict=True)
    ]
    if not items:
        raise RunError(f"{run.root}: no outline in {period}; choose another --period")
    return Queue.of("detections", items, run.root, run.root)


def alerts_queue(run: Run, file: Path, period: str | None = None) -> Queue:
    """The polygons or points of any file, asked in the period that each names.

    Args:
        file: with a column ``period``, or else
        period: of all of them; and a column ``id`` or ``site_id``, or else the row's number.

    Raises:
        MissingFileError, OutlineError: the file cannot be used.
        PeriodError: a period is not the run's.
    """
    table = read_polygons(file).to_crs(LONLAT)
    table = table[table.geometry.notna() & ~table.geometry.is_empty]
    if period is None and "period" not in table.columns:
        raise OutlineError(f"{file}: has no column 'period'; say which with --period")
    labels = [period] * len(table) if period else [str(label) for label in table["period"]]
    names = _names(table)
    if len(set(zip(names, labels, strict=True))) < len(names):
        raise OutlineError(f"{file}: an id comes twice in one period; make them unique")
    items = []
    for name, label, shape in zip(names, labels, table.geometry, strict=True):
        _known(run, label)
        crs, area = _utm(shape), shape.geom_type in ("Polygon", "MultiPolygon")
        unit = shape if area else _square(shape.centroid, crs, 10.0)
        items.append(Item(f"{name}@{label}", label, _before(run, label), unit, crs, name, area))
    return Queue.of("alerts", items, run.root, file)


def samples_of(run: Path) -> list[Path]:
    """Folders of samples that lie inside a run, by name."""
    return sorted(path.parent for path in run.glob(f"samples/*/{DESIGN}"))


def hectares_of(shape: BaseGeometry) -> float:
    """Geodesic hectares of a shape in EPSG:4326."""
    return float(geodesic_hectares(np.array([shape], dtype=object), LONLAT)[0])


def _names(table: gpd.GeoDataFrame) -> list[str]:
    for column in ("id", "site_id"):
        if column in table.columns:
            return [str(name) for name in table[column]]
    return [str(number) for number in range(1, len(table) + 1)]


def _known(run: Run, label: str) -> None:
    if label not in run.periods:
        raise PeriodError(
            f"{label!r} is not a period of {run.root}; its periods: {', '.join(run.periods)}"
        )


def _before(run: Run, label: str) -> str | None:
    place = run.periods.index(label)
    return run.periods[place - 1] if place else None


def _squares(points: gpd.GeoDataFrame, side_m: float) -> list[BaseGeometry]:
    """The pixel around each point, EPSG:4326."""
    return [
        _square(point, str(crs), side_m)
        for point, crs in zip(points.geometry, points["crs"], strict=True)
    ]


def _square(point: shapely.Point, crs: str, side_m: float) -> BaseGeometry:
    middle, half = project(point, LONLAT, crs), side_m / 2
    flat = shapely.box(middle.x - half, middle.y - half, middle.x + half, middle.y + half)
    bent: BaseGeometry = project(flat, crs, LONLAT)
    return bent


def _utm(shape: BaseGeometry) -> str:
    return utm_crs(shape.centroid.x, shape.centroid.y)
