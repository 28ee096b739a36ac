"""Bands by their STAC common names, never by position.

Source of the names: STAC ``eo`` extension 1.1 and 2.0, ``common_name`` table
(https://github.com/stac-extensions/eo). SAR polarisations are ``vv`` and ``vh``,
terrain is ``elevation`` and ``slope``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

COMMON_NAMES = (
    "coastal", "blue", "green", "green05", "yellow", "pan", "red",
    "rededge071", "rededge075", "rededge078", "nir", "nir08", "nir09", "cirrus",
    "swir16", "swir22", "lwir", "lwir11", "lwir12",
    "vv", "vh", "elevation", "slope",
)  # fmt: skip

SENTINEL2 = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071",
    "B06": "rededge075", "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09",
    "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip

LANDSAT_OLI = {
    "B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "nir08",
    "B6": "swir16", "B7": "swir22", "B8": "pan", "B9": "cirrus", "B10": "lwir11", "B11": "lwir12",
    "SR_B1": "coastal", "SR_B2": "blue", "SR_B3": "green", "SR_B4": "red", "SR_B5": "nir08",
    "SR_B6": "swir16", "SR_B7": "swir22", "ST_B10": "lwir11",
}  # fmt: skip

# Landsat 4 to 7 (TM, ETM+); their numbers mean other bands than those of Landsat 8 and 9
LANDSAT_TM = {
    "B1": "blue", "B2": "green", "B3": "red", "B4": "nir08", "B5": "swir16", "B6": "lwir",
    "B7": "swir22", "B8": "pan",
    "SR_B1": "blue", "SR_B2": "green", "SR_B3": "red", "SR_B4": "nir08", "SR_B5": "swir16",
    "SR_B7": "swir22", "ST_B6": "lwir",
}  # fmt: skip

RADAR = ("vv", "vh")  # backscatter, in decibels
TERRAIN = ("elevation", "slope")  # the same at all times
MASK_NAMES = {"scl": "scl", "qa_pixel": "qa_pixel", "qa": "qa_pixel"}


def is_embedding(name: str) -> bool:
    """Whether a band is a dimension of embeddings, ``e000`` and on, as 'minetrace embed' writes."""
    return re.fullmatch(r"e\d{3,4}", name) is not None


def common_name(name: str) -> str | None:
    """The common name that a band description stands for, or None.

    Sentinel-2 identifiers have two digits (``B04``), Landsat 8 and 9 as many as they need (``B4``,
    ``B10``); what both could mean is read as Sentinel-2. The case does not matter.
    """
    word = name.strip()
    if word.lower() in COMMON_NAMES or is_embedding(word.lower()):
        return word.lower()
    if re.fullmatch(r"A\d\d", word):  # Satellite Embedding V1 of Earth Engine, A00 to A63
        return f"e0{word[1:]}"
    if word.lower() in MASK_NAMES:
        return MASK_NAMES[word.lower()]
    return SENTINEL2.get(word.upper()) or LANDSAT_OLI.get(word.upper())


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one most resembles, or None if nothing does."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else None
