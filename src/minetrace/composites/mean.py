"""The mean of the clear looks; for radar, the mean of the power that came back.

Radar bands are stored in decibels, which are logarithms: their mean would be the geometric mean of
the power, which speckle pulls down. So they are turned into power, averaged, and turned back.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from minetrace.composites.held import Looks, Reduced, in_runs, median_days
from minetrace.core.bands import RADAR
from minetrace.core.raster import NODATA, PER_DECIBEL

RUN_PX = 16_384
_WEAKEST, _STRONGEST = -20_000, 20_000  # stored decibels: 200 dB either way is beyond any radar


def mean_of(looks: Looks) -> Reduced:
    """The mean of the clear looks, rounded half to even."""
    radar = [band in RADAR for band in looks.bands]

    def of_run(stack: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int16]:
        count = np.maximum(valid.sum(axis=0), 1)
        made = np.stack([
            _mean_power(stack[:, band], valid, count) if is_radar
            else _mean(stack[:, band], valid, count)
            for band, is_radar in enumerate(radar)
        ])  # fmt: skip
        made[:, ~valid.any(axis=0)] = NODATA
        return made

    return in_runs(looks, RUN_PX, of_run, len(looks.bands)), median_days(looks)


def _mean(
    values: NDArray[np.int16], valid: NDArray[np.bool_], count: NDArray[np.intp]
) -> NDArray[np.int16]:
    total = np.where(valid, values, 0).sum(axis=0, dtype=np.int64)
    return np.asarray(np.rint(total / count).astype(np.int16))


def _mean_power(
    decibels: NDArray[np.int16], valid: NDArray[np.bool_], count: NDArray[np.intp]
) -> NDArray[np.int16]:
    power, between = _power()
    total = np.zeros(valid.shape[1])
    for one, seen in zip(decibels, valid, strict=True):  # in the order of dates
        spot = np.clip(one, _WEAKEST, _STRONGEST).astype(np.intp) - _WEAKEST
        total += np.where(seen, power[spot], 0.0)
    return (np.searchsorted(between, total / count) + _WEAKEST).astype(np.int16)


@lru_cache(maxsize=1)
def _power() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power of every stored number of decibels, and between each and the next.

    A table rather than logarithms, so that every pixel is rounded alike.
    """
    stored = np.arange(_WEAKEST, _STRONGEST + 1, dtype=np.float64)
    exponent = 10 * PER_DECIBEL
    return np.power(10.0, stored / exponent), np.power(10.0, (stored[:-1] + 0.5) / exponent)
