"""The ways to make one picture of many looks, by name, and the clearest single date."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from minetrace.composites.best_pixel import BestPixel, Preferences
from minetrace.composites.composite import Composer, Composite, check_fit
from minetrace.composites.geometric import geometric_median_of
from minetrace.composites.held import Looks, OfAllLooks, Reduced, median_days
from minetrace.composites.mean import mean_of
from minetrace.composites.median import masked_median
from minetrace.composites.medoid import medoid_of
from minetrace.composites.percentile import percentile_of
from minetrace.core.bands import nearest
from minetrace.core.grid import Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import StudyError

CHOICE_PX = 256  # side of the lattice blocks that each show one date
METHODS = (
    "median", "clearest", "medoid", "percentile", "geometric-median", "mean", "best-pixel",
)  # fmt: skip


def begin(
    method: str, min_looks: int = 1, *, percent: float = 50.0,
    preferences: Preferences | None = None,
) -> Composer:  # fmt: skip
    """An empty composite that waits to be fed.

    Args:
        method: one of ``METHODS``.
        min_looks: clear looks that a pixel needs to be valid.
        percent: of ``percentile``, 0 to 100.
        preferences: of ``best-pixel``; default: no day is better than another.

    Raises:
        StudyError: there is no such method.
    """
    reducers: dict[str, Callable[[Looks], Reduced]] = {
        "median": median_of, "medoid": medoid_of, "geometric-median": geometric_median_of,
        "mean": mean_of, "percentile": partial(percentile_of, percent=percent),
    }  # fmt: skip
    if method in reducers:
        return OfAllLooks(reducers[method], min_looks)
    if method == "clearest":
        return ClearestDate(min_looks)
    if method == "best-pixel":
        return BestPixel(preferences or Preferences(0.0, day_weight=0.0), min_looks)
    hint = nearest(method, METHODS)
    raise StudyError(
        f"composite.method is {method!r}, none of {', '.join(METHODS)}"
        + (f"; did you mean {hint}?" if hint else "")
    )


def median_of(looks: Looks) -> Reduced:
    """The exact median of the clear looks at each pixel, band by band."""
    return masked_median(looks.stack, looks.valid), median_days(looks)


class MedianComposite(OfAllLooks):
    """The exact median of the clear looks at each pixel, band by band."""

    def __init__(self, min_looks: int = 1) -> None:
        super().__init__(median_of, min_looks)


class ClearestDate:
    """The pixels of one date: the one with most clear pixels, chosen block by block.

    The choice is made for each block of 256 by 256 pixels of the lattice that the grid is
    anchored on, ties going to the earlier date, so that it does not depend on how the map is cut
    as long as the rectangles fed consist of whole blocks. Pixels of a block that the chosen date
    does not show stay empty, and ``median_day`` is the chosen date's; ``clear_looks`` still counts
    the looks of every date. Nothing but the best date so far is held.
    """

    margin_px = 0

    def __init__(self, min_looks: int = 1) -> None:
        self.min_looks = min_looks
        self._best: Composite | None = None
        self._rank: dict[Rect, tuple[int, int]] = {}

    def feed(self, day_offset: int, look: Raster) -> None:
        """Take one look, taken so many days after the start of the period.

        Raises:
            ValueError: its bands or its GeoBox differ from those before.
        """
        if not look.valid.any():
            return
        if self._best is None:
            self._best = Composite.blind(look.bands, look.geobox)
        best = self._best
        check_fit(look, best.bands, best.geobox)
        best.clear_looks[...] += look.valid
        for part, (rows, cols) in _lattice_blocks(look.geobox):
            clear: NDArray[np.bool_] = look.valid[rows, cols]
            rank = (int(clear.sum()), -day_offset)
            if rank[0] > 0 and rank > self._rank.get(part, (0, 0)):
                self._rank[part] = rank
                best.pixels[:, rows, cols] = np.where(clear, look.pixels[:, rows, cols], NODATA)
                best.valid[rows, cols] = clear
                best.median_day[rows, cols] = np.where(clear, np.int16(day_offset), NODATA)

    def result(self, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """The clearest date of each block.

        Args:
            bands: common names, as in every look.
            geobox: where the looks were; needed because there may have been none.

        Raises:
            ValueError: the looks were of other bands or elsewhere.
        """
        if self._best is None:
            return Composite.blind(bands, geobox)
        best = self._best
        if best.bands != tuple(bands) or best.geobox != geobox:
            raise ValueError(f"composite asked for on {geobox} was fed on {best.geobox}")
        valid = best.valid & (best.clear_looks >= self.min_looks)
        pixels = np.where(valid, best.pixels, np.int16(NODATA))
        return Composite(
            best.bands, pixels, best.clear_looks.copy(), best.median_day.copy(), valid, geobox
        )


def _lattice_blocks(geobox: GeoBox) -> list[tuple[Rect, tuple[slice, slice]]]:
    """The lattice blocks that a GeoBox touches, and which of its pixels lie in each."""
    affine = geobox.transform
    # pixel edges lie on multiples of the resolution, or half a pixel before them
    row, col = (math.floor(v + 0.75) for v in (affine.f / affine.e, affine.c / affine.a))
    whole = Rect(row, col, *map(int, geobox.shape))
    parts = ((block, block & whole) for block in whole.blocks(CHOICE_PX))
    return [(block, part.within(whole)) for block, part in parts]
