"""The look that is nearest to all others: every pixel keeps the bands of one date.

Unlike a median of each band, a medoid never mixes bands of different dates, so ratios of bands are
those that were once seen.

Source: Flood, N. (2013), "Seasonal composite Landsat TM/ETM+ images using the medoid (a
multi-dimensional median)", Remote Sensing 5, 6481-6500, https://doi.org/10.3390/rs5126481
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minetrace.composites.held import Looks, Reduced, in_runs
from minetrace.core.raster import NODATA

RUN_PX = 8_192


def medoid_of(looks: Looks) -> Reduced:
    """At each pixel the clear look with the least sum of distances to the other clear looks.

    Distances are Euclidean over the bands; of equal looks the earliest counts. Time grows with the
    square of the number of dates.
    """
    days = np.asarray(looks.days, dtype=np.int16)

    def of_run(stack: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int16]:
        best = _nearest_to_all(stack, valid)
        pixels = np.take_along_axis(stack, best[None, None], axis=0)[0]
        made = np.concatenate([pixels, days[best][None]])
        made[:, ~valid.any(axis=0)] = NODATA
        return made

    made = in_runs(looks, RUN_PX, of_run, len(looks.bands) + 1)
    return made[:-1].copy(), made[-1].copy()


def _nearest_to_all(stack: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which date is nearest to all, by pixel; sums are taken in the order of dates."""
    dates = len(stack)
    values = stack.astype(np.float64)
    total = np.where(valid, 0.0, np.inf)
    for one in range(dates):
        for other in range(one + 1, dates):
            both = valid[one] & valid[other]
            square = np.zeros(both.shape)
            for band in range(values.shape[1]):
                step = values[one, band] - values[other, band]
                square += step * step
            apart = np.where(both, np.sqrt(square), 0.0)
            total[one] += apart
            total[other] += apart
    return np.asarray(np.argmin(total, axis=0))
