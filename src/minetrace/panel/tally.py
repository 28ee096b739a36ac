"""Hectares by territory and period: what is mined, what is new, what is gone.

An outline's hectares are divided by the shares of its ground that territories hold, so that a site
across a border counts on both sides with what lies there, and the parts add up to the whole.
Territories may overlap: each is told all that it holds, what another holds too is marked, and the
row ``together`` counts that ground once. What lies in no territory has a row of its own. That
``together`` and ``outside``, each measured for itself, add up to the panel is checked to the
square metre before anything is returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.errors import UnreconciledError
from minetrace.panel.ground import Ever, without
from minetrace.panel.ledger import Ledger
from minetrace.panel.overlap import Index
from minetrace.panel.pieces import Pieces, cut
from minetrace.panel.territories import Territories

Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]
LEAST_HA = 1e-4  # a square metre
SUMS = {-3: "together", -2: "outside", -1: "total"}
MEASURES = ("present_ha", "new_ha", "lost_ha", "cumulative_ha", "ever_ha", "unseen_ha")


@dataclass(frozen=True)
class _Counted:
    """Hectares of some ground: by cell, overlapping others, in any cell, in none."""

    cells: Floats
    overlap: Floats
    together: float
    outside: float
    total: float

    @property
    def line(self) -> Floats:
        """Cells, then together, outside and total."""
        return np.concatenate([self.cells, [self.together, self.outside, self.total]])


def tally(ledger: Ledger, territories: Territories) -> pd.DataFrame:
    """Count hectares by territory, class and period.

    Args:
        ledger: outlines by period.
        territories: by what to count.

    Returns:
        One row per territory, class and period that holds, and for each period the rows
        ``together`` (in any territory, once), ``outside`` (in none) and ``total`` (of the panel),
        as the column ``part`` says. ``territory``, ``name``, ``class`` if there are classes,
        ``part``, ``period``, ``start``, ``end``, ``extent``; ``sites`` with an outline;
        ``present_ha`` mapped in the period; ``new_ha`` of it never mapped before, empty in the
        first period, of which nobody knows what is new; ``lost_ha`` mapped when last looked at
        and no more, without what may lie in a part of a site that nobody looked at, which is
        ``unseen_ha``; ``cumulative_ha`` mapped in the period or before; ``ever_ha`` in any period;
        ``unseen_ha`` of ground that nobody could look at, as last seen;
        ``looked_share`` of the sites' ground; ``overlap_ha`` of ``present_ha`` (of ``new_ha`` for
        newly mined ground) that another territory or class holds as well; ``latest`` if it is the
        last period. Where a panel tells only what was newly mined, ``present_ha`` and ``lost_ha``
        are empty.

    Raises:
        UnreconciledError: parts do not add up to the panel; nothing is returned then.
    """
    counter = _Counter(ledger, territories)
    frames = [counter.period(now) for now in range(len(ledger.periods))]
    table = pd.concat(frames, ignore_index=True)
    table["looked_share"] = counter.looks.shares(ledger.looked, table["key"], table["place"])
    if ledger.counts == "present":
        table.loc[table["place"] == 0, "new_ha"] = np.nan
    return _finished(table, territories.classed, bool(territories.names))


def latest_state(table: pd.DataFrame) -> pd.DataFrame:
    """Of every territory the rows of its latest period, whatever their classes.

    A territory that was assessed under one scheme of classes and later under another stands here
    with the later one alone; the sum over its rows is its hectares, once.
    """
    return table[table["latest"] & (table["part"] == "territory")].reset_index(drop=True)


class _Counter:
    """Walks through the periods; holds the last state of every site and no more."""

    def __init__(self, ledger: Ledger, territories: Territories) -> None:
        sites = len(ledger.unseen)
        self.ledger, self.territories = ledger, territories
        self.ever = Ever(sites)
        self.last = np.full(sites, None, dtype=object)
        self.weight = np.zeros(sites)
        self.hidden_m2 = _hidden(ledger)
        self.looks = _Looks()
        self.cumulative: dict[int, float] = {}
        self.held: list[tuple[Shapes, Floats]] = []
        self.cells: Index = np.empty(0, dtype=np.intp)
        self.changing = not (
            np.isnat(territories.since).all() and np.isnat(territories.until).all()
        )

    def period(self, now: int) -> pd.DataFrame:
        """The rows of a period."""
        ledger = self.ledger
        here = ledger.of_period(now)
        shapes = ledger.flat(here)
        area = np.asarray(shapely.area(shapes), dtype=np.float64)
        weight = ledger.hectares[here] / area
        cells = self.territories.on(np.datetime64(ledger.periods[now].start))
        changed = now > 0 and not np.array_equal(cells, self.cells)
        self.cells = cells
        pieces = cut(shapes, area, self.territories.shapes[cells])
        present = self._count(pieces, weight, area)
        lines = {"present_ha": present.line}
        if ledger.counts == "new":
            fresh = shapes
            lines |= {"new_ha": present.line}
            lines["present_ha"] = lines["lost_ha"] = np.full_like(present.line, np.nan)
            lines["unseen_ha"] = np.zeros_like(present.line)
        else:
            site = ledger.site[here]
            fresh = self.ever.new(site, shapes)
            lines["new_ha"] = self._again(pieces, shapes, fresh, weight).line
            gone, carried = self._departed(now, site, shapes)
            lines["lost_ha"], lines["unseen_ha"] = gone.line, carried.line
            self.last[site], self.weight[site] = shapes, weight
        lines["cumulative_ha"] = self._grow(lines["new_ha"], fresh, weight, changed)
        sites = self._sites(pieces, ledger.site[here], len(cells))
        self.looks.add(ledger.site[here], cells, pieces, area)
        return self._rows(now, lines, sites, present.overlap)

    def _count(self, pieces: Pieces, weight: Floats, area: Floats) -> _Counted:
        size = len(self.cells)
        by_cell, overlap = (
            np.bincount(pieces.cell, weight[pieces.row] * part, minlength=size).astype(np.float64)
            for part in (pieces.area_m2, pieces.overlap_m2)
        )
        once, outside = float(weight @ pieces.once_m2), float(weight @ pieces.outside_m2)
        total = float(weight @ area)
        if abs(once + outside - total) > max(LEAST_HA, 1e-12 * total):
            raise UnreconciledError(
                f"{once:,.4f} ha in territories and {outside:,.4f} ha outside do not add up to "
                f"{total:,.4f} ha; please report that, with the territories' file"
            )
        return _Counted(by_cell, overlap, once, outside, total)

    def _again(self, pieces: Pieces, whole: Shapes, parts: Shapes, weight: Floats) -> _Counted:
        """Parts of outlines that have been cut before: only what a border crosses is cut anew."""
        area = np.asarray(shapely.area(parts), dtype=np.float64)
        uncut = pieces.uncut(len(whole))
        again = np.flatnonzero(~uncut & (area > 0))
        anew = cut(parts[again], area[again], self.territories.shapes[self.cells])
        known = uncut[pieces.row]
        row, cell = pieces.row[known], pieces.cell[known]
        full = pieces.overlap_m2[known] > 0
        inside = np.where(pieces.once_m2 > 0, area, 0.0) * uncut
        once, outside = inside.copy(), (area - inside) * uncut
        once[again], outside[again] = anew.once_m2, anew.outside_m2
        joined = Pieces(
            np.concatenate([row, again[anew.row]]), np.concatenate([cell, anew.cell]),
            np.concatenate([area[row], anew.area_m2]),
            np.concatenate([np.where(full, area[row], 0.0), anew.overlap_m2]),
            np.concatenate([np.ones(len(row), dtype=bool), anew.whole]), once, outside,
        )  # fmt: skip
        return self._count(joined, weight, area)

    def _departed(self, now: int, site: Index, shapes: Shapes) -> tuple[_Counted, _Counted]:
        """Ground that was mapped when last looked at: gone now, or not looked at."""
        known = ~np.asarray(shapely.is_missing(self.last))
        unseen = self.ledger.unseen[:, now] & known
        unseen[site] = False
        before = np.flatnonzero(known & ~unseen)
        gone = without(self.last[before], shapes)
        gone_m2 = np.asarray(shapely.area(gone), dtype=np.float64)
        hidden = np.minimum(self.hidden_m2[before, now], gone_m2)
        hidden = np.divide(hidden, gone_m2, out=np.zeros_like(gone_m2), where=gone_m2 > 0)
        left = self._fresh(gone, self.weight[before] * (1 - hidden))
        blind = np.flatnonzero(unseen)
        carried = self._fresh(
            np.concatenate([self.last[blind], gone]),
            np.concatenate([self.weight[blind], self.weight[before] * hidden]),
        )
        absent = known & ~unseen
        absent[site] = False
        self.last[absent] = None
        return left, carried

    def _fresh(self, shapes: Shapes, weight: Floats) -> _Counted:
        area = np.asarray(shapely.area(shapes), dtype=np.float64)
        some = np.flatnonzero(area > 0)
        pieces = cut(shapes[some], area[some], self.territories.shapes[self.cells])
        return self._count(pieces, weight[some], area[some])

    def _grow(self, new: Floats, fresh: Shapes, weight: Floats, changed: bool) -> Floats:
        """All that was mapped so far, in today's cells."""
        if self.changing:
            self.held.append((fresh, weight))
        if changed:
            shapes = np.concatenate([part for part, _ in self.held])
            return self._keep(self._fresh(shapes, np.concatenate([w for _, w in self.held])).line)
        before = [self.cumulative.get(key, 0.0) for key in self._keys()]
        return self._keep(np.array(before) + new)

    def _keys(self) -> list[int]:
        return [*self.cells.tolist(), *SUMS]

    def _keep(self, line: Floats) -> Floats:
        self.cumulative |= dict(zip(self._keys(), line.tolist(), strict=True))
        return line

    def _sites(self, pieces: Pieces, site: Index, cells: int) -> Index:
        """Sites with ground in each cell, in any, in none, and in all."""
        pairs = np.unique(np.column_stack([pieces.cell, site[pieces.row]]), axis=0)
        within = len(np.unique(site[pieces.once_m2 > 0]))
        beyond = len(np.unique(site[pieces.outside_m2 > 0]))
        by_cell = np.bincount(pairs[:, 0].astype(np.intp), minlength=cells)
        return np.concatenate([by_cell, [within, beyond, len(np.unique(site))]]).astype(np.intp)

    def _rows(
        self, now: int, lines: dict[str, Floats], sites: Index, overlap: Floats
    ) -> pd.DataFrame:
        period, cells, t = self.ledger.periods[now], self.cells, self.territories
        nobody: list[str | None] = [None] * len(SUMS)
        units = [str(unit) for unit in t.unit[cells]]
        rows = {
            "territory": [*units, *nobody],
            "name": [*(t.names.get(unit) for unit in units), *nobody],
            "class": [*t.kind[cells], *nobody],
            "part": ["territory"] * len(cells) + list(SUMS.values()),
            "period": period.label,
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "extent": self.ledger.extent,
            "sites": sites,
            **lines,
            "overlap_ha": np.append(overlap, [np.nan] * len(SUMS)),
            "key": self._keys(),
            "place": now,
        }
        return pd.DataFrame(rows)


def _hidden(ledger: Ledger) -> Floats:
    """(sites, periods) square metres of all ground of a site that nobody looked at."""
    missed = 1 - np.nan_to_num(ledger.looked, nan=1.0)
    ground_m2 = np.zeros(len(missed))
    partly = np.any(missed > 0, axis=1)
    rows = np.flatnonzero(partly[ledger.site])
    rows = rows[np.argsort(ledger.site[rows], kind="stable")]
    sites, first = np.unique(ledger.site[rows], return_index=True)
    for site, shapes in zip(sites, np.split(ledger.flat(rows), first[1:]), strict=False):
        ground_m2[site] = shapely.area(shapely.union_all(shapes))
    return np.asarray(missed * ground_m2[:, None], dtype=np.float64)


class _Looks:
    """How much ground of each site each cell holds, to weigh what was looked at."""

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []

    def add(self, site: Index, cells: Index, pieces: Pieces, area: Floats) -> None:
        """Note a period's outlines; of several periods the largest ground counts."""
        keys = [cells[pieces.cell], *(np.full(len(site), key) for key in SUMS)]
        sites = [site[pieces.row], site, site, site]
        ground = [pieces.area_m2, pieces.once_m2, pieces.outside_m2, area]
        columns = (np.concatenate(part) for part in (keys, sites, ground))
        noted = pd.DataFrame(dict(zip(("key", "site", "m2"), columns, strict=True)))
        self._parts.append(noted[noted["m2"] > 0])

    def shares(self, looked: Floats, keys: pd.Series, places: pd.Series) -> Floats:
        """Share looked at of each row's ground; NaN where nobody can say."""
        if not np.isfinite(looked).any():
            return np.full(len(keys), np.nan)
        ground = pd.concat(self._parts).groupby(["key", "site"], as_index=False)["m2"].max()
        weight = ground["m2"].to_numpy()
        seen = pd.DataFrame(looked[ground["site"].to_numpy()] * weight[:, None])
        shares = seen.groupby(ground["key"]).sum(min_count=1).div(
            ground.groupby("key")["m2"].sum(), axis=0
        )  # fmt: skip
        found = shares.reindex(keys).to_numpy(dtype=np.float64)
        return np.asarray(found[np.arange(len(found)), places.to_numpy()])


def _finished(table: pd.DataFrame, classed: bool, named: bool) -> pd.DataFrame:
    """With what only the whole table tells, in the order to read."""
    final = table["place"] == table["place"].max()
    table["ever_ha"] = table["key"].map(table[final].set_index("key")["cumulative_ha"])
    assessed = table["place"].where(~(table["looked_share"] <= 0), -1)
    unit = table["territory"].fillna(table["part"])
    table["latest"] = table["place"] == assessed.groupby(unit).transform("max")
    first = ["territory", *(["name"] if named else []), *(["class"] if classed else [])]
    columns = [*first, "part", "period", "start", "end", "extent", "sites", *MEASURES,
               "looked_share", "overlap_ha", "latest"]  # fmt: skip
    order = np.argsort(table["part"].ne("territory").to_numpy(), kind="stable")
    return table.iloc[order][columns].reset_index(drop=True)
