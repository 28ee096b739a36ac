"""A panel laid out for counting: outlines by period, and what nobody could look at."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import Extent
from minetrace.core.period import Period, ordered
from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel.build import Counts
from minetrace.panel.disjoint import LEAST_M2
from minetrace.panel.overlap import EQUAL_AREA, HECTARES, LONLAT, Index, sound, spread
from minetrace.panel.wide import hectares_column


@dataclass(frozen=True)
class Ledger:
    """Outlines of all periods, sorted by period, and the state of every site.

    Attributes:
        periods: in time order.
        period: (n,) place of each outline's period.
        site: (n,) number of its site, from 0 up.
        lonlat: (n,) outlines, EPSG:4326; those of a period share no ground.
        hectares: (n,) of each.
        unseen: (sites, periods) nobody could look at the site.
        looked: (sites, periods) share of its ground looked at; NaN where nobody can say.
        extent: what the hectares are.
        counts: whether outlines show all that is mined, or what was newly mined.
    """

    periods: tuple[Period, ...]
    period: Index
    site: Index
    lonlat: NDArray[np.object_]
    hectares: NDArray[np.float64]
    unseen: NDArray[np.bool_]
    looked: NDArray[np.float64]
    extent: Extent
    counts: Counts

    @classmethod
    def of(cls, panel: gpd.GeoDataFrame, increments: gpd.GeoDataFrame | None = None) -> Ledger:
        """Lay out a panel.

        Args:
            panel: one row per site and period, EPSG:4326.
            increments: the outlines that rows of newly mined ground were joined of, with
                ``site_id``, ``period`` and hectares; counted instead of the rows.

        Raises:
            OutlineError: it mixes extents, has no hectares, or outlines of a period overlap.
        """
        column, extent = hectares_column(panel), _extent(panel)
        times = panel.drop_duplicates("period")
        periods = ordered(
            Period(row.start.date(), row.end.date(), str(row.period)) for row in times.itertuples()
        )
        place = pd.Index([period.label for period in periods])
        site, ids = pd.factorize(panel["site_id"])
        when = place.get_indexer(panel["period"])
        shape = (len(ids), len(periods))
        unseen, looked = np.zeros(shape, dtype=bool), np.full(shape, np.nan)
        unseen[site, when] = (panel["event"] == "not_looked").to_numpy(dtype=bool)
        looked[site, when] = panel["looked_share"].to_numpy(dtype=np.float64)
        rows = panel if increments is None else increments
        rows = rows[rows.geometry.notna() & ~rows.geometry.is_empty]
        when = place.get_indexer(rows["period"])
        order = np.argsort(when, kind="stable")
        hectares = rows[column].to_numpy(dtype=np.float64)[order]
        if not (hectares >= 0).all():
            raise OutlineError(f"panel: an outline has no {column}; build the panel again")
        ledger = cls(
            periods, when[order].astype(np.intp),
            pd.Index(ids).get_indexer(rows["site_id"])[order].astype(np.intp),
            np.asarray(rows.geometry.to_numpy()[order], dtype=object), hectares,
            unseen, looked, extent, _counts(panel),
        )  # fmt: skip
        ledger._refuse_overlaps()
        return ledger

    def of_period(self, now: int) -> Index:
        """The places of a period's outlines."""
        first, last = np.searchsorted(self.period, [now, now + 1])
        return np.arange(first, last)

    def flat(self, which: Index) -> NDArray[np.object_]:
        """Outlines in EPSG:6933."""
        return sound(project(self.lonlat[which], LONLAT, EQUAL_AREA))

    def _refuse_overlaps(self) -> None:
        for now, period in enumerate(self.periods):
            shapes = self.lonlat[self.of_period(now)]
            a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
            a, b = a[a < b], b[a < b]
            apart = shapely.touches(shapes[a], shapes[b])
            shared = spread(shapely.intersection, shapes[a[~apart]], shapes[b[~apart]])
            area_m2 = shapely.area(project(shared, LONLAT, EQUAL_AREA))
            if (area_m2 > 2 * LEAST_M2).any():
                raise OutlineError(
                    f"panel: outlines of {period.label} lie over each other "
                    f"({area_m2.sum() / 1e4:,.2f} ha), so their hectares would be counted twice; "
                    "build the panel with 'minetrace panel', which cuts them apart"
                )


def _extent(panel: gpd.GeoDataFrame) -> Extent:
    kinds = set(panel["extent"])
    if not kinds:
        raise OutlineError("the panel has no site, so there is nothing to count")
    if len(kinds) != 1 or not kinds <= set(HECTARES):
        raise OutlineError("the panel mixes mined ground and footprints; count one kind at a time")
    extent: Extent = kinds.pop()
    return extent


def _counts(panel: gpd.GeoDataFrame) -> Counts:
    new = "counts" in panel.columns and (panel["counts"] == "new").any()
    return "new" if new else "present"
