"""Composites that want to see every look at once: looks are held until the result is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from minetrace.composites.composite import Composite, check_fit
from minetrace.composites.median import masked_median_of
from minetrace.core.raster import NODATA, Raster


@dataclass(frozen=True)
class Looks:
    """All looks at one rectangle, ordered by day.

    Attributes:
        days: of each, after the start of the period.
        stack: of each, (bands, height, width) int16.
        valid: of each, (height, width).
    """

    bands: tuple[str, ...]
    days: tuple[int, ...]
    stack: tuple[NDArray[np.int16], ...]
    valid: tuple[NDArray[np.bool_], ...]


Reduced = tuple[NDArray[np.int16], NDArray[np.int16]]
"""Pixels, (bands, height, width), and the day that each is of, (height, width); NODATA where no
look is clear."""


class OfAllLooks:
    """A composite of the clear looks at each pixel, whatever they are reduced by.

    Holds every look that has a clear pixel until ``result``, so it is fed block by block
    (``blocks_for_budget``). The order of feeding does not matter, except among looks of one day.

    Args:
        reducer: makes one picture of all looks; a pixel of it depends on the looks at that pixel
            alone, so that no result depends on the block.
    """

    margin_px = 0

    def __init__(self, reducer: Callable[[Looks], Reduced], min_looks: int = 1) -> None:
        self.reducer = reducer
        self.min_looks = min_looks
        self._fed: list[tuple[int, Raster]] = []

    def feed(self, day_offset: int, look: Raster) -> None:
        """Take one look, taken so many days after the start of the period.

        Raises:
            ValueError: its bands or its GeoBox differ from those before.
        """
        if not look.valid.any():
            return
        if self._fed:
            check_fit(look, self._fed[0][1].bands, self._fed[0][1].geobox)
        self._fed.append((day_offset, look))

    def result(self, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """What all looks so far are reduced to.

        Args:
            bands: common names, as in every look.
            geobox: where the looks were; needed because there may have been none.

        Raises:
            ValueError: the looks were of other bands or elsewhere.
        """
        if not self._fed:
            return Composite.blind(bands, geobox)
        check_fit(self._fed[0][1], bands, geobox)
        fed = sorted(self._fed, key=lambda one: one[0])
        looks = Looks(
            tuple(bands), tuple(day for day, _ in fed), tuple(look.pixels for _, look in fed),
            tuple(look.valid for _, look in fed),
        )  # fmt: skip
        clear_looks = np.zeros(looks.valid[0].shape, dtype=np.uint16)
        for mask in looks.valid:
            clear_looks += mask
        valid = (clear_looks >= self.min_looks) & (clear_looks > 0)
        pixels, days = self.reducer(looks)
        pixels[:, ~valid] = NODATA
        return Composite(tuple(bands), pixels, clear_looks, days, valid, geobox)


def median_days(looks: Looks) -> NDArray[np.int16]:
    """The median of the days of the clear looks at each pixel."""
    return masked_median_of(looks.days, looks.valid)


def in_runs(
    looks: Looks,
    run_px: int,
    reduce_run: Callable[[NDArray[np.int16], NDArray[np.bool_]], NDArray[np.int16]],
    layers: int,
) -> NDArray[np.int16]:
    """Reduce looks a run of pixels at a time, so that memory stays flat.

    Args:
        run_px: pixels worked at once.
        reduce_run: from (dates, bands, pixels) and (dates, pixels) to (layers, pixels).

    Returns:
        (layers, height, width).
    """
    shape, bands = looks.valid[0].shape, len(looks.bands)
    flat = [pixels.reshape(bands, -1) for pixels in looks.stack]
    masks = [mask.reshape(-1) for mask in looks.valid]
    out = np.empty((layers, masks[0].size), dtype=np.int16)
    for start in range(0, out.shape[1], run_px):
        part = slice(start, start + run_px)
        out[:, part] = reduce_run(
            np.stack([pixels[:, part] for pixels in flat]), np.stack([m[part] for m in masks])
        )
    return out.reshape(layers, *shape)
