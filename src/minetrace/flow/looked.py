"""How much of a site, or of the whole region, was looked at in a period."""

from __future__ import annotations

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED
from minetrace.flow.plan import Job, Place
from minetrace.flow.readers import cell_coverage, mosaic
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
            scores = mosaic(
                self._job, "scores", self._number[period], place, place.tiles, cell_px, NOT_LOOKED
            )
            shapes = project(geometry, "EPSG:4326", place.grid.crs)
            _count(shapes, place, cell_px, scores, looked, met)
        return np.divide(looked, met, out=np.zeros_like(met), where=met > 0)


def _count(
    geometry: NDArray[np.object_],
    place: Place,
    cell_px: int,
    scores: Mosaic,
    looked: NDArray[np.float64],
    met: NDArray[np.float64],
) -> None:
    """Add, tile by tile, the cells of the region that each geometry meets.

    Every tile is walked, whether it was made or not: a tile that failed was not looked at.
    """
    grid = place.grid.coarsened(cell_px)
    tree = shapely.STRtree(geometry)
    for tile in place.tiles:
        rect = tile.rect.cells(cell_px)
        numbers = np.sort(tree.query(shapely.box(*grid.bounds(rect)), predicate="intersects"))
        if not len(numbers):
            continue
        ours = cell_coverage(place, cell_px, rect)
        seen = scores.read(rect, (1,), np.uint16)[0] != NOT_LOOKED
        for number in numbers:
            part = grid.rect(geometry[number].bounds) & rect
            if part.empty:
                continue
            inside = _burn(geometry[number], grid, part) & ours[part.within(rect)]
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


def region_shares(job: Job, ledger: Ledger) -> dict[str, float]:
    """Share of the region's cells that were looked at, by period label.

    Tiles that failed or are missing count as wanted and not looked at.
    """
    cell_px = job.scorer.card.cell_px
    shares = {}
    for period in job.periods:
        done = {side.key.tile: side.facts for side in ledger.sidecars("scores", period.label)}
        wanted = seen = 0
        for place in job.places:
            for tile in place.tiles:
                facts = done.get(tile.id)
                if facts is None:
                    wanted += int(cell_coverage(place, cell_px, tile.rect.cells(cell_px)).sum())
                else:
                    wanted += facts["wanted_cells"]
                    seen += facts["looked_cells"]
        shares[period.label] = seen / wanted if wanted else 0.0
    return shares
