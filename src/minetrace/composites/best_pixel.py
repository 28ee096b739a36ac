"""The best available pixel: of all clear looks the one that scores highest, by pixel.

A look scores by its day in the season, by how far a pixel lies from the nearest one that is not
clear (masks miss the edges of clouds), and by how little haze its own colours show.

Sources: Griffiths, P., van der Linden, S., Kuemmerle, T., & Hostert, P. (2013), "A pixel-based
Landsat compositing algorithm for large area land cover mapping", IEEE JSTARS 6, 2088-2101,
https://doi.org/10.1109/JSTARS.2012.2228167 (day of season and distance to clouds); White, J. C., et
al. (2014), "Pixel-based image compositing for large-area dense time series applications and
science", Canadian Journal of Remote Sensing 40, 192-212,
https://doi.org/10.1080/07038992.2014.945827 (the sum of scores, with opacity among them); Zhu, Z.,
& Woodcock, C. E. (2012), "Object-based cloud and cloud shadow detection in Landsat imagery", Remote
Sensing of Environment 118, 83-94, https://doi.org/10.1016/j.rse.2011.10.028 (the haze test).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from minetrace.composites.composite import Composite, check_fit
from minetrace.core.raster import NODATA, REFLECTANCE_SCALE, Raster

REACH_PX = 50  # as far from what is not clear as a pixel can gain by (Griffiths, White)
_STEEP = 0.2  # of the sigmoid over the distance
HAZE_OFFSET = 0.08  # of the haze test, blue - 0.5 red - 0.08
HAZIEST = 0.1  # at which the score is 0


@dataclass(frozen=True)
class Preferences:
    """What makes one look better than another.

    Attributes:
        day: days after the start of the period that is best.
        day_spread: standard deviation, days, of the bell over the days around it.
        day_weight, cloud_weight, haze_weight: how much each score, from 0 to 1, counts.
    """

    day: float
    day_spread: float = 60.0
    day_weight: float = 1.0
    cloud_weight: float = 1.0
    haze_weight: float = 1.0


class BestPixel:
    """Each pixel from the clear look that scores highest; nothing but the best so far is held.

    Of equal scores the earlier day counts. ``median_day`` is the chosen look's; ``clear_looks``
    counts all. Looks are to reach ``margin_px`` beyond what is asked of ``result``, since the score
    of a pixel depends on what is not clear so far around it.
    """

    margin_px = REACH_PX

    def __init__(self, preferences: Preferences, min_looks: int = 1) -> None:
        self.preferences, self.min_looks = preferences, min_looks
        self._best: Composite | None = None
        self._score: NDArray[np.float64] = np.empty((0, 0))

    def feed(self, day_offset: int, look: Raster) -> None:
        """Take one look, taken so many days after the start of the period.

        Raises:
            ValueError: its bands or its GeoBox differ from those before.
        """
        if self._best is None:
            self._best = Composite.blind(look.bands, look.geobox)
            self._score = np.full(look.shape, -np.inf)
        best = self._best
        check_fit(look, best.bands, best.geobox)
        best.clear_looks[...] += look.valid
        score = np.where(look.valid, self._scored(day_offset, look), -np.inf)
        earlier = (score == self._score) & (day_offset < best.median_day)
        better = look.valid & ((score > self._score) | earlier)
        np.copyto(self._score, score, where=better)
        np.copyto(best.pixels, look.pixels, where=better)
        np.copyto(best.median_day, np.int16(day_offset), where=better)

    def result(self, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """The best look at each pixel.

        Args:
            bands: common names, as in every look.
            geobox: the looks' own, or a part of it.

        Raises:
            ValueError: the looks were of other bands or elsewhere.
        """
        if self._best is None:
            return Composite.blind(bands, geobox)
        rows, cols = _part(self._best.geobox, geobox)
        best = self._best
        if best.bands != tuple(bands):
            raise ValueError(f"composite of {', '.join(bands)} was fed {', '.join(best.bands)}")
        looks = best.clear_looks[rows, cols].copy()
        valid = (looks >= self.min_looks) & (looks > 0)
        pixels = np.where(valid, best.pixels[:, rows, cols], np.int16(NODATA))
        days = best.median_day[rows, cols].copy()
        return Composite(best.bands, pixels, looks, days, valid, geobox)

    def _scored(self, day_offset: int, look: Raster) -> NDArray[np.float64]:
        likes = self.preferences
        bell = math.exp(-0.5 * ((day_offset - likes.day) / likes.day_spread) ** 2)
        score = np.full(look.shape, likes.day_weight * bell)
        if likes.cloud_weight:
            score += likes.cloud_weight * _DISTANCE_SCORE[far_from(~look.valid, REACH_PX)]
        if likes.haze_weight and {"blue", "red"} <= set(look.bands):
            score += likes.haze_weight * _clearness(look)
        return score


def far_from(mask: NDArray[np.bool_], reach: int) -> NDArray[np.int32]:
    """Steps along rows and columns to the nearest True pixel, at most ``reach``.

    Args:
        mask: (height, width).
    """
    far = np.where(mask, 0, reach).astype(np.int32)
    for axis in (1, 0):
        place = np.arange(far.shape[axis], dtype=np.int32)
        place = place if axis == 1 else place[:, None]
        forward = np.minimum.accumulate(far - place, axis=axis) + place
        back = np.flip(np.minimum.accumulate(np.flip(far + place, axis), axis=axis), axis) - place
        far = np.minimum(forward, back)
    return np.minimum(far, np.int32(reach))


def _distance_scores() -> NDArray[np.float64]:
    """The score of each distance: a sigmoid, so that the first pixels matter most."""
    steps = [1 / (1 + math.exp(-_STEEP * (d - REACH_PX / 2))) for d in range(REACH_PX + 1)]
    return np.asarray(steps)


_DISTANCE_SCORE = _distance_scores()


def _clearness(look: Raster) -> NDArray[np.float64]:
    """1 without haze, 0 from ``HAZIEST`` on."""
    blue, red = (
        look.pixels[look.bands.index(band)] * REFLECTANCE_SCALE for band in ("blue", "red")
    )
    haze = np.clip(blue - 0.5 * red - HAZE_OFFSET, 0, HAZIEST)
    return np.asarray(1 - haze / HAZIEST)


def _part(whole: GeoBox, part: GeoBox) -> tuple[slice, slice]:
    """Where a part of a GeoBox lies in it.

    Raises:
        ValueError: it does not lie inside.
    """
    offset = ~whole.affine * part.affine
    col, row = round(offset.c), round(offset.f)
    height, width = (int(n) for n in part.shape)
    inside = 0 <= row <= whole.shape[0] - height and 0 <= col <= whole.shape[1] - width
    if whole.crs != part.crs or not inside:
        raise ValueError(f"composite asked for on {part} was fed on {whole}")
    return slice(row, row + height), slice(col, col + width)
