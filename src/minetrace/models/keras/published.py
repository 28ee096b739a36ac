"""What the published Amazon Mining Watch models expect of their imagery, by file name.

A ``.h5`` file says how wide and deep its input is, but neither which bands these are nor how they
are scaled. That is known from how the files were made: Sentinel-2 Level-1C, top of atmosphere,
digital number = reflectance x 10,000 without the offset that came in 2022.

Source: Earth Genome, Amazon Mining Watch, https://github.com/earthrise-media/mining-detector (MIT).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from minetrace.core.bands import SENTINEL2
from minetrace.core.model import Scaling

SOURCE = "https://github.com/earthrise-media/mining-detector"
LICENCE = "MIT"
DIGITAL_NUMBERS = 10_000.0  # a reflectance of 1


def _common(identifiers: str) -> tuple[str, ...]:
    return tuple(SENTINEL2[identifier] for identifier in identifiers.split())


TWELVE = _common("B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12")
TWELVE_8A_FIRST = _common("B01 B02 B03 B04 B05 B06 B07 B8A B08 B09 B11 B12")
THIRTEEN = _common("B01 B02 B03 B04 B05 B06 B07 B8A B08 B09 B10 B11 B12")
RGB = _common("B04 B03 B02")

_MEANS = (1405.8951, 1175.9235, 1172.4902, 1091.9574, 1321.1304, 2181.5363, 2670.2361, 2491.2354,
          2948.3846, 420.1552, 2028.0025, 1076.2417)  # fmt: skip
_DEVIATIONS = (291.9438, 398.5558, 504.557, 748.6153, 651.8549, 730.9811, 913.6062, 893.9428,
               1055.297, 225.2153, 970.1915, 752.8637)  # fmt: skip

THIRD_OF_DN = Scaling(DIGITAL_NUMBERS / 3000)
CLIPPED = Scaling(clip=(0.0, 1.0))
STANDARD = {
    band: Scaling(DIGITAL_NUMBERS / deviation, -mean / deviation)
    for band, mean, deviation in zip(TWELVE, _MEANS, _DEVIATIONS, strict=True)
}
SCALINGS = ("dn3000", "standard", "clipped", "reflectance")


def scaling_called(name: str, bands: tuple[str, ...]) -> dict[str, Scaling]:
    """Scaling per band by the name of a recipe, one of `SCALINGS`.

    ``dn3000`` is digital number / 3000; ``standard`` the z-score of the 44 px models; ``clipped``
    reflectance cut to [0, 1]; ``reflectance`` as it is. A band without a scaling is as it is.

    Raises:
        KeyError: no such recipe, or a band that the recipe does not know.
    """
    recipes: Mapping[str, Mapping[str, Scaling]] = {
        "dn3000": dict.fromkeys(bands, THIRD_OF_DN),
        "standard": STANDARD,
        "clipped": dict.fromkeys(bands, CLIPPED),
        "reflectance": dict.fromkeys(bands, Scaling()),
    }
    return {band: recipes[name][band] for band in bands}


@dataclass(frozen=True)
class Published:
    """One family of files.

    Attributes:
        pattern: that the file's name, without its ending, matches from its start.
        window: side of the input, pixels.
        stride: distance between windows, pixels.
        bands: in input order.
        scaling: the name of its recipe.
        why: remarks for the card.
    """

    pattern: str
    window: int
    stride: int
    bands: tuple[str, ...]
    scaling: str
    why: str = ""


_HALF = "Stride: half a window, as published."
_QUARTER = (
    "Stride: published with 14 px, which does not divide the window; 11 px is the next finer one."
)
FAMILIES = (
    Published(r"28_?px_", 28, 14, TWELVE, "dn3000", "Stride: half a window."),
    Published(r"44px_v\d.*rgb_(?!ir)", 44, 11, RGB, "standard", _QUARTER),
    Published(r"44px_v\d", 44, 11, TWELVE, "standard", _QUARTER),
    Published(r"48px_v3", 48, 24, TWELVE_8A_FIRST, "clipped", _HALF),
    Published(r"48px_v4", 48, 24, THIRTEEN, "clipped", _HALF),
)
EMBEDDINGS = {
    384: "SSL4EO-S12 ViT-S/16 embeddings (class token) of 48 px Sentinel-2 Level-1C chips",
    768: "SSL4EO-S12 ViT-S/16 embeddings (class token, then one patch token)",
}


def family_of(name: str) -> Published | None:
    """What is known of a file by its name, None if nothing is."""
    return next((f for f in FAMILIES if re.match(f.pattern, name)), None)
