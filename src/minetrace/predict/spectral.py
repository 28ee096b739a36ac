"""The scorer ``spectral``: mined ground by its colour, without a model file.

Mined ground is bare, bright mineral ground, and the sediment-laden ponds right beside it.
Vegetation, clear water and shadow are held back. What is bare for other reasons (ploughed
fields, river sand, towns) looks alike, so the score is not calibrated and is meant for places
that are known to be mined, for delineation inside detections, and for want of a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import ModelCard
from minetrace.errors import BandError
from minetrace.predict.indices import (
    FloatArray,
    bsi,
    mndwi,
    ndti,
    ndvi,
    ndwi,
    normalised_difference,
    ramp,
)

WANTED = ("blue", "green", "red", "nir", "nir08", "swir16", "swir22")
FOREST = {"blue": 0.03, "green": 0.05, "red": 0.03, "nir": 0.3, "nir08": 0.3,
          "swir16": 0.15, "swir22": 0.07}  # fmt: skip
STRIDE, CONTEXT = 256, 12  # pixels


@dataclass(frozen=True)
class Spectral:
    """Scores pixels by indices of whatever bands there are."""

    card: ModelCard

    @classmethod
    def over(cls, bands: Sequence[str]) -> Spectral:
        """The scorer for imagery with these bands.

        Args:
            bands: STAC common names; red and one of blue or green are the least.

        Raises:
            BandError: too few bands.
        """
        if "red" not in bands or not {"blue", "green"} & set(bands):
            raise BandError(
                f"'spectral' needs red and at least one of blue or green (better with nir, "
                f"swir16 and swir22); the imagery has {', '.join(bands)}. Name them under "
                "'bands' of the source"
            )
        used = [b for b in WANTED if b in bands and not (b == "nir08" and "nir" in bands)]
        card = ModelCard(
            name="spectral", bands=tuple(used), window=STRIDE + 2 * CONTEXT, stride=STRIDE,
            output="pixels", extent="mined", context_px=CONTEXT, min_valid_share=0.0,
            fill=tuple(FOREST[b] for b in used), calibrated=False,
            description="bare soil, vegetation and turbid-water indices; not calibrated",
        )  # fmt: skip
        return cls(card)

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of squares; see `Scorer`."""
        return mined(dict(zip(self.card.bands, np.moveaxis(image, 1, 0), strict=True)))[:, None]


def mined(bands: Mapping[str, FloatArray]) -> FloatArray:
    """How much each pixel looks like mined ground, 0 to 1.

    Args:
        bands: reflectance by common name, each (n, h, w).
    """
    bare, water = bare_ground(bands), open_water(bands)
    beside, wet = nearby(bare, CONTEXT), nearby(water, CONTEXT)
    pond = _all_of([water, turbid(bands) * ramp(beside, 0.03, 0.15)])
    enclosed = _all_of([unvegetated(bands), ramp(beside, 0.2, 0.4)])
    mostly_bare = ramp(beside / (beside + wet + np.float32(1e-6)), 0.25, 0.5)
    return np.asarray(np.maximum(bare, np.minimum(np.maximum(pond, enclosed), mostly_bare)))


def bare_ground(bands: Mapping[str, FloatArray]) -> FloatArray:
    """Bright mineral ground without plants or water, 0 to 1."""
    red, nir = bands["red"], _nir(bands)
    visible = bands.get("green", bands.get("blue", red))
    signs = [ramp(red, 0.03, 0.07), ramp(bands.get("blue", visible), 0.32, 0.24)]  # dark; cloud
    if nir is None:
        signs.append(ramp(normalised_difference(red, visible), 0.0, 0.12))
    else:
        signs += [unvegetated(bands), ramp(nir, 0.05, 0.1)]
    if "swir16" in bands:
        signs.append(ramp(mndwi(visible, bands["swir16"]), 0.0, -0.2))
        if nir is not None and "blue" in bands:
            signs.append(ramp(bsi(bands["blue"], red, nir, bands["swir16"]), -0.06, 0.1))
    return _all_of(signs)


def unvegetated(bands: Mapping[str, FloatArray]) -> FloatArray:
    """Ground without plants, lit or not, 0 to 1; 0 everywhere without near infrared."""
    nir = _nir(bands)
    return np.zeros_like(bands["red"]) if nir is None else ramp(ndvi(nir, bands["red"]), 0.36, 0.16)


def open_water(bands: Mapping[str, FloatArray]) -> FloatArray:
    """Water, clear or not, 0 to 1; 0 everywhere without an infrared band to tell it by."""
    nir, visible = _nir(bands), bands.get("green", bands.get("blue", bands["red"]))
    if "swir16" in bands:
        return ramp(mndwi(visible, bands["swir16"]), -0.1, 0.15)
    if nir is not None:
        return ramp(ndwi(visible, nir), 0.0, 0.2)
    return np.zeros_like(visible)


def turbid(bands: Mapping[str, FloatArray]) -> FloatArray:
    """How laden with sediment it is if it is water, 0 to 1."""
    red, visible = bands["red"], bands.get("green", bands.get("blue", bands["red"]))
    return _all_of([ramp(ndti(red, visible), -0.15, 0.05), ramp(red, 0.04, 0.08)])


def _all_of(signs: Sequence[FloatArray]) -> FloatArray:
    """The weakest of several signs: a soft "and"."""
    return np.asarray(np.minimum.reduce(signs), dtype=np.float32)


def nearby(share: FloatArray, reach_px: int) -> FloatArray:
    """Mean over the square of ``2 * reach_px + 1`` pixels around each, as far as it is there."""
    for axis in (-2, -1):
        share = _mean_along(share, reach_px, axis)
    return share


def _mean_along(values: FloatArray, reach_px: int, axis: int) -> FloatArray:
    moved = np.moveaxis(values, axis, -1)
    n = moved.shape[-1]
    sums = np.zeros((*moved.shape[:-1], n + 1))
    np.cumsum(moved, axis=-1, out=sums[..., 1:])
    start = np.maximum(np.arange(n) - reach_px, 0)
    stop = np.minimum(np.arange(n) + reach_px + 1, n)
    means = (sums[..., stop] - sums[..., start]) / (stop - start)
    return np.moveaxis(means.astype(np.float32), -1, axis)


def _nir(bands: Mapping[str, FloatArray]) -> FloatArray | None:
    return bands["nir"] if "nir" in bands else bands.get("nir08")
