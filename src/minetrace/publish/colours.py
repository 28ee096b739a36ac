"""Which bands make a picture, and how bright they are drawn.

Colours are fixed rather than fitted, so that a change between two pictures is a change on the
ground. The one thing that is read from the pixels is the veil of blue haze over imagery that was
not corrected for the atmosphere, once for all pictures of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.raster import REFLECTANCE_SCALE, Raster
from minetrace.publish.picture import NATURAL, Stretch

SHORT_WAVE = Stretch(low=(0.02, 0.03, 0.01), high=(0.42, 0.48, 0.28), gamma=1.4)

_DARK = (0.018, 0.028, 0.012)  # what shade and forest reflect at the surface: red, green, blue
_MOST_HAZE = (0.035, 0.045, 0.085)
_VEIL = 1.2  # from this ratio of blue to red on, the darkest pixels are haze and not ground
_DARKEST_PERCENT = 1.0

Colours = NDArray[np.number[Any]]  # (3, ...) red, green, blue
Brightness = Callable[[Sequence[Colours]], Stretch]


@dataclass(frozen=True)
class Recipe:
    """How a picture is mixed.

    Attributes:
        name: in words, for whoever looks at the picture.
        bands: what it needs.
        mix: (3, h, w) reflectance x 10,000 for red, green and blue.
        stretch: brightness for pictures from their pixels, each (3, n).
    """

    name: str
    bands: tuple[str, ...]
    mix: Callable[[Raster], Colours]
    stretch: Brightness


def recipe_for(bands: Sequence[str]) -> Recipe | None:
    """The most natural picture that the bands allow, or None."""
    return next((r for r in RECIPES if set(r.bands) <= set(bands)), None)


def natural_stretch(samples: Sequence[Colours]) -> Stretch:
    """``NATURAL``, less the haze if there is any.

    Rayleigh scattering brightens blue most, so dark ground that is bluer than it is red gives the
    veil away; it is taken off at the dark end, as in dark-object subtraction.

    Args:
        samples: (3, n) reflectance x 10,000 of valid pixels, each.

    Source: Chavez (1988), "An improved dark-object subtraction technique for atmospheric
    scattering correction", Remote Sensing of Environment 24.
    """
    counted = [sample for sample in samples if sample.shape[1]]
    if not counted:
        return NATURAL
    thin = [sample[:, :: max(1, sample.shape[1] // 100_000)] for sample in counted]
    dark = np.percentile(np.concatenate(thin, axis=1), _DARKEST_PERCENT, axis=1)
    dark = dark * REFLECTANCE_SCALE
    if dark[2] < _VEIL * dark[0]:
        return NATURAL
    haze = np.clip(dark - np.array(_DARK), 0, np.array(_MOST_HAZE))
    red, green, blue = (float(low + veil) for low, veil in zip(NATURAL.low, haze, strict=True))
    return Stretch((red, green, blue), NATURAL.high, NATURAL.gamma)


def _as_they_are(*bands: str) -> Callable[[Raster], Colours]:
    def mix(raster: Raster) -> Colours:
        return raster.select(bands).pixels.astype(np.float32)

    return mix


def _without_green(raster: Raster) -> Colours:
    """Green from its neighbours and the near infrared.

    Source: Bah, Gunshor & Schmit (2018), "Generation of GOES-16 true color imagery without a
    green band", Earth and Space Science 5.
    """
    nir = "nir" if "nir" in raster.bands else "nir08"
    red, near, blue = raster.select(("red", nir, "blue")).pixels.astype(np.float32)
    return np.stack([red, 0.45 * red + 0.10 * near + 0.45 * blue, blue])


def _fixed(stretch: Stretch) -> Brightness:
    return lambda _: stretch


def _false(*bands: str) -> Recipe:
    words = f"false colour ({', '.join(bands)})"
    return Recipe(words, bands, _as_they_are(*bands), _fixed(SHORT_WAVE))


_NO_GREEN = "natural colour, green estimated from red, blue and near infrared"
RECIPES = (
    Recipe("true colour", ("red", "green", "blue"), _as_they_are("red", "green", "blue"),
           natural_stretch),
    Recipe(_NO_GREEN, ("red", "blue", "nir"), _without_green, natural_stretch),
    Recipe(_NO_GREEN, ("red", "blue", "nir08"), _without_green, natural_stretch),
    _false("swir16", "nir", "red"),
    _false("swir16", "nir08", "red"),
    _false("swir16", "nir", "rededge071"),
    _false("swir16", "nir08", "rededge071"),
)  # fmt: skip
