"""The panel as the page wants it: sites in the order of their names, each with its periods in time.

A page cannot sort 150,000 sites, nor hold their history at once. So everything that needs all of
them is settled here: which outline stands for a site in a period, who leads, and what is packed
into the short records that the page opens one shelf at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.period import Period
from minetrace.errors import OutlineError, PeriodError

HECTARES = {"mined": "area_ha", "footprint": "footprint_ha"}
KINDS = ("mined", "footprint")
LEADERS = 60
SEEN, UNSEEN, GONE = 0, 1, 2  # outlined; not looked at; looked at and nothing there
INFERRED = 3  # outlined, though too little of the site was looked at: other periods say so
OUTLINED = (SEEN, INFERRED)
NOBODY_LOOKED = (UNSEEN, INFERRED)
DEGREE_DIGITS = 6  # about 0.1 m
SMALL_PX = 6  # a narrower outline is shown as a dot as well
_TILE_PX = 512


@dataclass(frozen=True)
class SiteTable:
    """Sites by number; a cell of a matrix is a site in a period.

    Attributes:
        ids: in order.
        labels: of the periods, in time order.
        first, last: (sites,) the places of the periods in which a site was first and last seen.
        hectares: (sites, periods), NaN where not looked at or without a row.
        kind: (sites, periods), the place in ``KINDS``.
        state: (sites, periods) ``SEEN``, ``UNSEEN``, ``GONE`` or ``INFERRED``.
        drawn: (sites, periods) the outline that stands for the site: its own, or else the nearest
            one before, or else after; a place in ``shapes``.
        shapes: outlines, EPSG:4326.
        rows: (sites, periods) the panel's row, −1 where it has none.
        panel: the rows.
    """

    ids: list[str]
    labels: list[str]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    hectares: NDArray[np.float64]
    kind: NDArray[np.int64]
    state: NDArray[np.int8]
    drawn: NDArray[np.int64]
    shapes: NDArray[np.object_]
    rows: NDArray[np.int64]
    panel: pd.DataFrame

    @classmethod
    def of(
        cls, panel: gpd.GeoDataFrame, labels: Sequence[str], *, min_looked_share: float = 0.5
    ) -> SiteTable:
        """Lay out a panel; sites without any outline are left out.

        Args:
            panel: EPSG:4326.
            labels: of the periods, in time order.
            min_looked_share: an outline of which less was looked at is inferred; where nobody
                told what was looked at, none is.

        Raises:
            OutlineError: a column is missing, or it is not in EPSG:4326.
            PeriodError: a row names a period that is not in ``labels``.
        """
        _check(panel)
        period = _places(panel["period"], labels)
        has_shape = panel.geometry.notna().to_numpy() & ~panel.geometry.is_empty.to_numpy()
        names = panel["site_id"].astype(str)
        kept = names.isin(set(names[has_shape])).to_numpy()
        panel, period, has_shape = panel[kept], period[kept], has_shape[kept]
        site, ids = pd.factorize(names[kept], sort=True)
        rows = np.full((len(ids), len(labels)), -1)
        rows[site, period] = np.arange(len(panel))
        number = np.where(has_shape, np.cumsum(has_shape) - 1, -1)
        own = np.where(rows >= 0, np.append(number, -1)[rows], -1)
        kind = np.append((panel["extent"] == "footprint").to_numpy().astype(np.int64), 0)[rows]
        hectares = _hectares(panel)[rows]
        looked = np.isfinite(hectares)
        outlined = own >= 0
        blind = _blind(panel, min_looked_share)[rows]
        drawn = np.where(blind, INFERRED, SEEN)
        state = np.where(outlined, drawn, np.where(looked, GONE, UNSEEN)).astype(np.int8)
        seen_first = np.argmax(outlined, axis=1)
        seen_last = outlined.shape[1] - 1 - np.argmax(outlined[:, ::-1], axis=1)
        row = rows.max(axis=1, initial=-1)
        return cls(
            [str(name) for name in ids], list(labels),
            _told(panel, "first_period", row, labels, seen_first),
            _told(panel, "last_period", row, labels, seen_last),
            hectares, kind, state, _nearest(own),
            panel.geometry.to_numpy()[has_shape], rows,
            pd.DataFrame(panel.drop(columns=panel.geometry.name)),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.ids)

    def boxes(self) -> NDArray[np.float64]:
        """(sites, 4): west, south, east, north of all outlines of a site."""
        edges = shapely.bounds(self.shapes)
        owner = np.empty(len(self.shapes), dtype=np.int64)
        site, period = np.nonzero(np.isin(self.state, OUTLINED))
        owner[self.drawn[site, period]] = site
        boxes = np.tile([180.0, 90.0, -180.0, -90.0], (len(self), 1))
        np.minimum.at(boxes[:, :2], owner, edges[:, :2])
        np.maximum.at(boxes[:, 2:], owner, edges[:, 2:])
        return boxes

    def there(self, at: int) -> NDArray[np.intp]:
        """Numbers of the sites for which something is drawn in a period."""
        return np.flatnonzero(self.state[:, at] != GONE)

    def until(self) -> NDArray[np.float64]:
        """(outlines,): below this zoom an outline is too small to see, and a dot stands for it."""
        west, south, east, north = shapely.bounds(self.shapes).T
        span = np.maximum(np.maximum(east - west, north - south), 1e-6)
        return np.asarray(np.log2(SMALL_PX / span * (360 / _TILE_PX)), dtype=np.float64)

    def size(self) -> NDArray[np.float64]:
        """(sites, periods) hectares to sort by: where not looked at, as last known."""
        known = pd.DataFrame(np.where(self.state == UNSEEN, np.nan, self.hectares))
        return np.asarray(np.nan_to_num(known.ffill(axis=1).to_numpy(dtype=np.float64)))

    def leaders(self, at: int) -> tuple[list[int], int]:
        """Numbers of the largest sites of a period, and how many there are in all."""
        size = self.size()[:, at]
        there = np.flatnonzero((size > 0) | (self.state[:, at] == UNSEEN))
        return _largest(there, size), len(there)

    def cohort_leaders(self, first: int) -> tuple[list[int], int]:
        """Numbers of the sites first seen in a period, the largest ever first, and how many."""
        there = np.flatnonzero(self.first == first)
        return _largest(there, np.nan_to_num(self.hectares).max(axis=1, initial=0.0)), len(there)

    def cohorts(self, at: int, kind: str) -> list[float]:
        """Hectares of one kind in a period, by the sites' first period."""
        here = np.nan_to_num(self.hectares[:, at]) * (self.kind[:, at] == KINDS.index(kind))
        parts = np.bincount(self.first, weights=here, minlength=len(self.labels))
        return [float(part) for part in parts]

    def records(self, events: Sequence[str], numbers: Sequence[int]) -> list[list[Any]]:
        """Sites as short lists, as ``sites.js`` reads them.

        Each is ``[id, first, last, first_p, last_p, verified, name, box, rows]``, and a row, or
        null where the panel has none, is ``[hectares, kind, event, looked, mean, max, parents,
        state]``.
        """
        columns = _Columns.of(self.panel, events)
        boxes = self.boxes().round(DEGREE_DIGITS).tolist()
        return [self._record(columns, boxes[number], number) for number in numbers]

    def _record(self, columns: _Columns, box: list[float], number: int) -> list[Any]:
        rows, one = self.rows[number].tolist(), int(self.rows[number].max())
        packed = [
            None
            if row < 0
            else [
                number_or_none(self.hectares[number, at], 6),
                int(self.kind[number, at]), *columns.row(row), int(self.state[number, at]),
            ]
            for at, row in enumerate(rows)
        ]  # fmt: skip
        first, last = int(self.first[number]), int(self.last[number])
        return [self.ids[number], first, last, *columns.site(one), box, packed]


@dataclass(frozen=True)
class _Columns:
    """Columns of the panel as lists; a column that is not there is all None."""

    event: list[int | None]
    looked: list[float | None]
    mean: list[float | None]
    most: list[float | None]
    parents: list[list[str]]
    first_p: list[float | None]
    last_p: list[float | None]
    verified: list[bool | None]
    name: list[str | None]

    @classmethod
    def of(cls, panel: pd.DataFrame, events: Sequence[str]) -> _Columns:
        place = {event: i for i, event in enumerate(events)}
        nothing: list[Any] = [None] * len(panel)

        def column(name: str) -> list[Any]:
            return panel[name].tolist() if name in panel.columns else nothing

        def numbers(name: str, digits: int) -> list[float | None]:
            return [number_or_none(value, digits) for value in column(name)]

        return cls(
            [place.get(event) for event in column("event")], numbers("looked_share", 6),
            numbers("score_mean", 4), numbers("score_max", 4),
            [_names(parents) for parents in column("parents")],
            numbers("first_p", 4), numbers("last_p", 4),
            [None if value is None or pd.isna(value) else bool(value)
             for value in column("verified")],
            [None if pd.isna(value) else str(value) for value in column("name")],
        )  # fmt: skip

    def row(self, at: int) -> tuple[Any, ...]:
        return self.event[at], self.looked[at], self.mean[at], self.most[at], self.parents[at]

    def site(self, at: int) -> tuple[Any, ...]:
        return self.first_p[at], self.last_p[at], self.verified[at], self.name[at]


def events_of(panel: pd.DataFrame) -> list[str]:
    """The names of events that occur, in order."""
    if "event" not in panel.columns:
        return []
    return sorted({event for event in panel["event"].unique() if isinstance(event, str)})


def number_or_none(value: Any, digits: int = 6) -> float | None:
    """A finite float, or None for what JSON cannot hold."""
    if value is None or value is pd.NA or not math.isfinite(value):
        return None
    return round(float(value), digits)


def label_of(period: Any) -> str:
    """Of a period, or of what names one."""
    return period.label if isinstance(period, Period) else str(period)


def _check(panel: gpd.GeoDataFrame) -> None:
    if missing := sorted({"site_id", "period", "extent"} - set(panel.columns)):
        raise OutlineError(f"panel: column {missing[0]!r} is missing; build it with the panel step")
    if panel.crs is not None and panel.crs.to_epsg() != 4326:
        raise OutlineError(f"panel: a map needs EPSG:4326, not {panel.crs}; use to_crs(4326)")


def _places(periods: pd.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    named = periods.map(label_of)
    if unknown := sorted(set(named) - set(labels)):
        raise PeriodError(f"panel: period {unknown[0]!r} is not one of the map's periods")
    places = named.map({label: i for i, label in enumerate(labels)})
    return np.asarray(places, dtype=np.int64)


def _hectares(panel: pd.DataFrame) -> NDArray[np.float64]:
    """Of each row, in its own kind; NaN where not looked at, and in one more row at the end."""
    values = np.full(len(panel) + 1, np.nan)
    for kind, name in HECTARES.items():
        if name in panel.columns:
            here = (panel["extent"] == "footprint").to_numpy() == (kind == "footprint")
            values[:-1][here] = panel[name].to_numpy(dtype=np.float64, na_value=np.nan)[here]
    if "event" in panel.columns:
        values[:-1][(panel["event"] == "not_looked").to_numpy(dtype=bool)] = np.nan
    return values


def _blind(panel: pd.DataFrame, min_looked_share: float) -> NDArray[np.bool_]:
    """Whether too little of a row's site was looked at, and False in one more row at the end."""
    blind = np.zeros(len(panel) + 1, dtype=bool)
    if "looked_share" in panel.columns:
        share = panel["looked_share"].to_numpy(dtype=np.float64, na_value=np.nan)
        blind[:-1] = share < min_looked_share
    return blind


def _nearest(own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fill what is −1 in a row from the left, and what is left of the first from the right."""
    table = pd.DataFrame(np.where(own >= 0, own, np.nan), dtype=np.float64)
    return np.asarray(table.ffill(axis=1).bfill(axis=1), dtype=np.int64)


def _told(
    panel: pd.DataFrame, name: str, row: NDArray[np.int64], labels: Sequence[str],
    otherwise: NDArray[np.int64],
) -> NDArray[np.int64]:  # fmt: skip
    """The period that a column names, or what the outlines say where it names none."""
    if name not in panel.columns:
        return otherwise
    place = {label: i for i, label in enumerate(labels)}
    told = panel[name].iloc[row].map(lambda period: place.get(label_of(period), -1))
    numbers = told.to_numpy(dtype=np.int64)
    return np.where(numbers >= 0, numbers, otherwise)


def _largest(there: NDArray[np.int64], size: NDArray[np.float64]) -> list[int]:
    order = np.argsort(-size[there], kind="stable")[:LEADERS]
    return [int(number) for number in there[order]]


def _names(parents: Any) -> list[str]:
    """Site ids from a list, an array, or text joined by ``;``; nothing from a missing value."""
    if isinstance(parents, str):
        return [name.strip() for name in parents.replace(",", ";").split(";") if name.strip()]
    return [str(name) for name in parents] if isinstance(parents, Iterable) else []
