"""The geometric median: the point of least total distance to all clear looks, over all bands.

It is robust as a median is, keeps the bands together as a medoid does, and is smoother than both
since it need not be one of the looks.

Sources: Roberts, D., Mueller, N., & McIntyre, A. (2017), "High-dimensional pixel composites from
Earth observation time series", IEEE Transactions on Geoscience and Remote Sensing 55, 6254-6264,
https://doi.org/10.1109/TGRS.2017.2723896; Weiszfeld, E. (1937), Tohoku Mathematical Journal 43,
355-386.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minetrace.composites.held import Looks, Reduced, in_runs, median_days
from minetrace.core.raster import NODATA

RUN_PX = 4_096
STILL = 0.05  # a step below this, in stored units, is the last
MOST_STEPS = 200
NEAREST = 1e-3  # distances below this count as this, so that a look under the point weighs much

Floats = NDArray[np.float64]


def geometric_median_of(looks: Looks) -> Reduced:
    """Weiszfeld's steps from the mean, for each pixel until it lies still.

    A pixel is done on its own, so what its neighbours do does not move it.
    """
    return in_runs(looks, RUN_PX, _geometric_median, len(looks.bands)), median_days(looks)


def _geometric_median(stack: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int16]:
    values = np.where(valid[:, None], stack, 0).astype(np.float64)
    weights = valid.astype(np.float64)
    point = _weighted_mean(values, weights)
    moving = np.flatnonzero(valid.sum(axis=0) > 2)  # of one or two looks the mean is as near
    for _ in range(MOST_STEPS):
        if not len(moving):
            break
        here, before = values[:, :, moving], point[:, moving]
        near = np.maximum(_distances(here, before), NEAREST)
        after = _weighted_mean(here, weights[:, moving] / near)
        point[:, moving] = after
        moving = moving[np.abs(after - before).max(axis=0) >= STILL]
    found = np.rint(point).astype(np.int16)
    found[:, ~valid.any(axis=0)] = NODATA
    return found


def _weighted_mean(values: Floats, weights: Floats) -> Floats:
    """(bands, pixels), dates added in their order."""
    total = np.zeros(weights.shape[1])
    sums = np.zeros(values.shape[1:])
    for one, weight in zip(values, weights, strict=True):
        total += weight
        sums += one * weight
    return np.asarray(sums / np.where(total > 0, total, 1.0))


def _distances(values: Floats, point: Floats) -> Floats:
    """(dates, pixels), bands added in their order."""
    square = np.zeros((values.shape[0], values.shape[2]))
    for band in range(values.shape[1]):
        step = values[:, band] - point[band]
        square += step * step
    return np.sqrt(square)
