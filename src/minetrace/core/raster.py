"""Pixels, which of them are valid, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from minetrace.core.bands import RADAR, is_embedding, nearest
from minetrace.errors import BandError

REFLECTANCE_SCALE = 1e-4  # int16 reflectance x 1e4
PER_KELVIN = 10.0  # of thermal bands
PER_EMBEDDING = 2000  # of a dimension of embeddings: 16 either way
PER_DECIBEL = 100.0  # of radar
PER_DEGREE = 100.0  # of slope
PER_METRE = 4.0  # of elevation: fine enough for slopes, and up to 8,191 m
NODATA = -32768


def stored_scale(band: str) -> float:
    """What a stored number times this is: reflectance, kelvin, decibels, metres or degrees."""
    if band.startswith("lwir"):
        return 1 / PER_KELVIN
    if band in RADAR:
        return 1 / PER_DECIBEL
    if band == "slope":
        return 1 / PER_DEGREE
    if is_embedding(band):
        return 1 / PER_EMBEDDING
    return 1 / PER_METRE if band == "elevation" else REFLECTANCE_SCALE


@dataclass(frozen=True)
class Raster:
    """Bands on one GeoBox.

    Attributes:
        bands: STAC common names, in the order of ``pixels``.
        pixels: (bands, height, width); imagery is int16 as ``stored_scale`` says (reflectance x
            1e4, kelvin x 10, decibels x 100), NODATA where not valid.
        valid: (height, width), True where every band was seen and is clear.
        geobox: where the pixels are.
    """

    bands: tuple[str, ...]
    pixels: NDArray[np.int16]
    valid: NDArray[np.bool_]
    geobox: GeoBox

    def __post_init__(self) -> None:
        shape = (len(self.bands), *map(int, self.geobox.shape))
        if self.pixels.shape != shape or self.valid.shape != shape[1:]:
            raise ValueError(
                f"Raster: pixels {self.pixels.shape} and valid {self.valid.shape} "
                f"do not fit bands and geobox {shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.valid.shape[0]), int(self.valid.shape[1])

    def over(self, below: Raster) -> Raster:
        """This raster, and where it is not valid the one below.

        Raises:
            ValueError: the two are of other bands or lie elsewhere.
        """
        if below.bands != self.bands or below.geobox != self.geobox:
            raise ValueError(f"Raster: {below.bands} on {below.geobox} under {self.bands} on "
                             f"{self.geobox}")  # fmt: skip
        new = below.valid & ~self.valid
        if not new.any():
            return self
        pixels = np.where(new, below.pixels, self.pixels)
        return Raster(self.bands, pixels, self.valid | below.valid, self.geobox)

    def select(self, bands: Sequence[str]) -> Raster:
        """The named bands, in the order asked for.

        Raises:
            BandError: one of them is not there.
        """
        index = [self.bands.index(band) for band in bands if band in self.bands]
        if len(index) < len(bands):
            missing = [band for band in bands if band not in self.bands]
            raise BandError(_missing(missing, self.bands))
        return Raster(tuple(bands), self.pixels[index], self.valid, self.geobox)


def _missing(missing: Sequence[str], bands: Sequence[str]) -> str:
    hint = nearest(missing[0], bands)
    return f"no band {', '.join(missing)} in the imagery, which has {', '.join(bands)}" + (
        f"; did you mean {hint}?" if hint else ""
    )
