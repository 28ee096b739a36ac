"""A percentile of the clear looks at each pixel, band by band.

A low one leaves out thin cloud that no mask saw, a high one its shadow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minetrace.composites.held import Looks, Reduced, in_runs, median_days
from minetrace.core.raster import NODATA

RUN_PX = 16_384
_LAST = 32767


def percentile_of(looks: Looks, percent: float) -> Reduced:
    """The percentile of what is clear, between two values in proportion to its place.

    Equals ``numpy.rint(numpy.nanpercentile(...))`` with its default method, linear.

    Args:
        percent: 0 to 100.
    """

    def of_run(stack: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int16]:
        return _percentile(stack, valid, percent)

    return in_runs(looks, RUN_PX, of_run, len(looks.bands)), median_days(looks)


def _percentile(
    stack: NDArray[np.int16], valid: NDArray[np.bool_], percent: float
) -> NDArray[np.int16]:
    ordered = np.sort(np.where(valid[:, None], stack, np.int16(_LAST)), axis=0)
    count = valid.sum(axis=0)
    place = np.maximum(count - 1, 0) * (percent / 100)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low, high = (
        np.take_along_axis(ordered, where[None, None], axis=0)[0].astype(np.float64)
        for where in (below, above)
    )
    found: NDArray[np.int16] = np.rint(low + (high - low) * (place - below)).astype(np.int16)
    found[:, count == 0] = NODATA
    return found
