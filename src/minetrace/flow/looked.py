"""How much of a site, or of the whole region, was looked at in a period."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED
from minetrace.flow.plan import Job
from minetrace.flow.readers import mosaic
from minetrace.store.cog import Mosaic
from minetrace.store.ledger import Ledger


class LookedShares:
    """Share of each geometry's cells that were looked at; what the panel asks for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._number = {period: i for i, period in enumerate(job.periods)}

    def __call__(self, period: Period, geometry: NDArray[np.object_]) -> NDArray[np.float64]:
        """Shares, 0 where a geometry meets no cell of the region.

        Args:
            period: one of the run's.
            geometry: (n,) polygons in EPSG:4326.
        """
        looked = np.zeros(len(geometry))
        met = np.zeros(len(geometry))
        cell_px = self._job.scorer.card.cell_px
        for place in self._job.places:
            scores = mosaic(self._job, "scores", self._number[period], place, place.tiles,
                            cell_px, NOT_LOOKED)  # fmt: skip
            grid = place.grid.coarsened(cell_px)
            _count(project(geometry, "EPSG:4326", grid.crs), grid, scores, looked, met)
        return np.divide(looked, met, out=np.zeros_like(met), where=met > 0)


def _count(
    geometry: NDArray[np.object_], grid: Grid, scores: Mosaic,
    looked: NDArray[np.float64], met: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add, tile by tile, the cells that each geometry meets; a tile is read once."""
    tree = shapely.STRtree(geometry)
    for rect, _ in scores.places:
        frame = shapely.box(*grid.bounds(rect))
        numbers = np.sort(tree.query(frame, predicate="intersects"))
        if not len(numbers):
            continue
        seen = scores.read(rect, (1,), np.uint16)[0] != NOT_LOOKED
        for number in numbers:
            part = grid.rect(geometry[number].bounds) & rect
            if part.empty:
                continue
            inside = _burn(geometry[number], grid, part)
            met[number] += inside.sum()
            looked[number] += (inside & seen[part.within(rect)]).sum()


def _burn(geometry: object, grid: Grid, rect: Rect) -> NDArray[np.bool_]:
    burnt = rasterio.features.rasterize(
        [geometry],
        out_shape=rect.shape,
        transform=grid.affine(rect),
        all_touched=True,
        dtype=np.uint8,
    )
    return np.asarray(burnt, dtype=bool)


def region_shares(ledger: Ledger, periods: Iterable[Period]) -> dict[str, float]:
    """Share of the region's cells that were looked at, by period label."""
    shares = {}
    for period in periods:
        facts = [side.facts for side in ledger.sidecars("scores", period.label)]
        wanted = sum(fact["wanted_cells"] for fact in facts)
        seen = sum(fact["looked_cells"] for fact in facts)
        shares[period.label] = seen / wanted if wanted else 0.0
    return shares
