"""The two ways to make one picture of many: the median, and the clearest single date."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from minetrace.composites.composite import Composer, Composite, check_fit
from minetrace.composites.median import masked_median, masked_median_of
from minetrace.core.bands import nearest
from minetrace.core.grid import Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import StudyError

CHOICE_PX = 256  # side of the lattice blocks that each show one date


def begin(method: str, min_looks: int = 1) -> Composer:
    """An empty composite that waits to be fed.

    Args:
        method: ``median`` or ``clearest``.
        min_looks: clear looks that a pixel needs to be valid.

    Raises:
        StudyError: there is no such method.
    """
    if method == "median":
        return MedianComposite(min_looks)
    if method == "clearest":
        return ClearestDate(min_looks)
    hint = nearest(method, ("median", "clearest"))
    raise StudyError(
        f"composite.method is {method!r}, neither median nor clearest"
        + (f"; did you mean {hint}?" if hint else "")
    )


class MedianComposite:
    """The exact median of the clear looks at each pixel, band by band.

    Holds every look that has a clear pixel until ``result``, so it is fed block by block
    (``blocks_for_budget``). The order of feeding does not matter.
    """

    def __init__(self, min_looks: int = 1) -> None:
        self.min_looks = min_looks
        self._days: list[int] = []
        self._looks: list[Raster] = []

    def feed(self, day_offset: int, look: Raster) -> None:
        """Take one look, taken so many days after the start of the period.

        Raises:
            ValueError: its bands or its GeoBox differ from those before.
        """
        if not look.valid.any():
            return
        if self._looks:
            check_fit(look, self._looks[0].bands, self._looks[0].geobox)
        self._days.append(day_offset)
        self._looks.append(look)

    def result(self, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """The median of all looks so far.

        Args:
            bands: common names, as in every look.
            geobox: where the looks were; needed because there may have been none.

        Raises:
            ValueError: the looks were of other bands or elsewhere.
        """
        if not self._looks:
            return Composite.blind(bands, geobox)
        check_fit(self._looks[0], bands, geobox)
        masks = [look.valid for look in self._looks]
        pixels = masked_median([look.pixels for look in self._looks], masks)
        clear_looks = np.zeros(masks[0].shape, dtype=np.uint16)
        for mask in masks:
            clear_looks += mask
        valid = (clear_looks >= self.min_looks) & (clear_looks > 0)
        pixels[:, ~valid] = NODATA
        days = masked_median_of(self._days, masks)
        return Composite(tuple(bands), pixels, clear_looks, days, valid, geobox)


class ClearestDate:
    """The pixels of one date: the one with most clear pixels, chosen block by block.

    The choice is made for each block of 256 by 256 pixels of the lattice that the grid is
    anchored on, ties going to the earlier date, so that it does not depend on how the map is cut
    as long as the rectangles fed consist of whole blocks. Pixels of a block that the chosen date
    does not show stay empty, and ``median_day`` is the chosen date's; ``clear_looks`` still counts
    the looks of every date. Nothing but the best date so far is held.
    """

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
