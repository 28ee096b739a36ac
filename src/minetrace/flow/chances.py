"""How surely a site began and ended when the panel says so, from decoded scores."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.flow.decoding import NAMES
from minetrace.flow.plan import Job
from minetrace.flow.readers import mosaic
from minetrace.store.cog import Mosaic

BLOCK_PX = 1024


def with_chances(job: Job, panel: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Fill ``first_p`` and ``last_p``.

    ``first_p`` of a site is the mean, over the pixels of its outline in its first period, of the
    probability that this was the first period in which the pixel was mined; ``last_p`` likewise
    of its last outline and the last period. Pixels belong to an outline by their centre; where
    none that is known does, every pixel counts that the outline touches.

    Args:
        job: a run whose scores are decoded; the panel comes back as it is if they are not.
        panel: what ``build_panel`` made.
    """
    if job.decoder is None or not len(panel):
        return panel
    found = panel.copy()
    for band in ("first", "last"):
        ends = panel[(panel["period"] == panel[f"{band}_period"]) & panel.geometry.notna()]
        means = dict(zip(ends["site_id"], _means(job, ends, band), strict=True))
        found[f"{band}_p"] = panel["site_id"].map(means).astype(np.float64)
    return found


def _means(job: Job, rows: gpd.GeoDataFrame, band: str) -> NDArray[np.float64]:
    """(rows,) mean of a band over each outline in its own period; NaN where nothing is known."""
    means = np.full(len(rows), np.nan)
    for number, period in enumerate(job.periods):
        here = np.flatnonzero(rows["period"] == period.label)
        if len(here):
            means[here] = _of_period(job, number, rows.geometry.to_numpy()[here], band)
    return means


def _of_period(
    job: Job, number: int, geometry: NDArray[np.object_], band: str
) -> NDArray[np.float64]:
    total, count = np.zeros(len(geometry)), np.zeros(len(geometry))
    cell_px = job.scorer.card.cell_px
    for place in job.places:
        grid, strip = place.grid.coarsened(cell_px), place.zone.strip
        decoded = mosaic(job, "decoded", number, place, place.tiles, cell_px, NOT_LOOKED)
        ours = geometry if strip is None else shapely.intersection(geometry, strip)
        shapes = np.asarray(project(ours, "EPSG:4326", place.grid.crs), dtype=object)
        for at in np.flatnonzero(shapely.area(shapes) > 0):
            values = _values(shapes[at], grid, decoded, NAMES.index(band) + 1)
            total[at] += values.sum(dtype=np.float64) / SCALE
            count[at] += len(values)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _values(shape: Any, grid: Grid, decoded: Mosaic, band: int) -> NDArray[np.uint16]:
    """Known values under an outline."""
    whole, found = grid.rect(shape.bounds), np.empty(0, np.uint16)
    for touched in (False, True):
        for block in whole.blocks(BLOCK_PX):
            values = decoded.read(block & whole, (band,), np.uint16)[0]
            inside = _burn(shape, grid, block & whole, touched=touched)
            found = np.append(found, values[inside & (values != NOT_LOOKED)])
        if len(found):
            break
    return found


def _burn(shape: Any, grid: Grid, rect: Rect, *, touched: bool) -> NDArray[np.bool_]:
    burnt = rasterio.features.rasterize(
        [shape], out_shape=rect.shape, transform=grid.affine(rect), all_touched=touched,
        dtype=np.uint8,
    )  # fmt: skip
    return np.asarray(burnt, dtype=bool)
