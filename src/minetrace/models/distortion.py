"""How far crops are changed before a network sees them; amounts alone, no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Distortion:
    """How far crops are changed; on by default.

    Attributes:
        turns: whether to flip and to turn by quarters.
        turned_freely: share of the crops turned by any angle and resized.
        zoom: largest change of size of those, as a ratio above 1.
        shift_px: largest shift along each axis.
        contrast: deviation of the logarithm of contrast, of all bands together.
        brightness: deviation of an offset of all bands together, in deviations of the band.
        band_contrast: likewise, of each band alone.
        band_brightness: likewise.
        noise: largest deviation of single pixels.
        band_dropout: share of the crops in which one band says nothing.
        cloud: share of the crops under thin or broken cloud.
        haze: share of the crops under even haze.
        saturation: deviation of the logarithm of colour, of optical bands.
        gamma: deviation of the logarithm of the exponent that reflectance is raised to.
        air: share of the crops whose air is changed: from all of it removed, as in surface
            reflectance, to half as much again.
        hole: share of the crops with a side cut off, as where nobody looked.

    What is brightened is in the unit that the network takes: deviations of a band, or shares of
    its full scale where the design takes reflectance as it is.
    """

    turns: bool = True
    turned_freely: float = 0.3
    zoom: float = 1.25
    shift_px: int = 0
    contrast: float = 0.12
    brightness: float = 0.15
    band_contrast: float = 0.05
    band_brightness: float = 0.05
    noise: float = 0.05
    band_dropout: float = 0.0
    cloud: float = 0.1
    haze: float = 0.1
    saturation: float = 0.0
    gamma: float = 0.0
    air: float = 0.0
    hole: float = 0.0


NONE = Distortion(False, 0.0, 1.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
