"""What a user says about Planet basemaps, and what a mosaic of theirs is made of.

Source of the band orders: Planet's basemap product pages. A surface reflectance mosaic ("analytic"
in its name, 16 bits) holds reflectance x 10,000 in blue, green, red, near infrared, or in eight
bands where its name says ``8b``; the last band is alpha. A visual mosaic (8 bits) is made for the
eye: its numbers are no reflectance, whoever wants them used says what they shall count as.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from minetrace.errors import RadiometryError
from minetrace.sources.bands import BandSpec
from minetrace.sources.radiometry import Radiometry
from minetrace.store.http import PATIENT, HttpOptions

URL = "https://api.planet.com"
KEY_ENV = "PL_API_KEY"
NICFI = "planet_medres_normalized_analytic_*"
NICFI_ENDED = (
    "public access to the mosaics of the tropical (NICFI) programme ended on 23 January 2025; "
    "quads that were downloaded before are read with kind: quads"
)

_FOUR = ("blue", "green", "red", "nir")
_EIGHT = ("coastal", "blue", "green05", "green", "yellow", "red", "rededge071", "nir")
_SR_SCALE = 1e-4


@dataclass(frozen=True)
class PlanetOptions:
    """Which mosaics, and how a quad is chosen.

    Attributes:
        mosaics: their names; ``*`` and ``?`` stand for anything.
        choose: ``clearest``: of each quad and period the one with the least cloud and haze;
            ``all``: every mosaic is a scene of its own.
        choices: a ``cloudfree_quads_info.csv`` that has chosen already.
        bands: by common name, with positions; empty for what the product holds.
        scale, offset: for all bands; needed where the mosaic is visual.
        url: of the service.
        key_env: environment variable of the API key.
    """

    mosaics: str = NICFI
    choose: Literal["clearest", "all"] = "clearest"
    choices: Path | None = None
    bands: Mapping[str, BandSpec] = field(default_factory=dict)
    scale: float | None = None
    offset: float | None = None
    url: str = URL
    key_env: str = KEY_ENV
    http: HttpOptions = PATIENT


@dataclass(frozen=True)
class Contents:
    """What the files of a mosaic hold.

    Attributes:
        bands: position, from 1, by common name.
        rules: what a count of each means.
        level: ``boa``, or None where nobody says it.
    """

    bands: Mapping[str, int]
    rules: Mapping[str, Radiometry]
    level: Literal["toa", "boa"] | None


def contents(
    name: str, dtype: str, bands: Mapping[str, BandSpec],
    scale: float | None, offset: float | None,
) -> Contents:  # fmt: skip
    """What a mosaic's files hold, by its name and type and by what the user says.

    Args:
        name: of the mosaic or folder, for the product and for errors.
        dtype: numpy name of the type of its counts.
        bands, scale, offset: as the user says them.

    Raises:
        RadiometryError: nobody says what the counts mean.
    """
    analytic = "analytic" in name and dtype != "uint8"
    order = _EIGHT if "_8b_" in name else _FOUR if analytic else ("red", "green", "blue")
    places = {band: number for number, band in enumerate(order, 1)}
    if bands:
        places = {band: spec.index or places.get(band, 0) for band, spec in bands.items()}
    if scale is None and not analytic:
        raise RadiometryError(
            f"{name}: made for the eye ({dtype}), so its numbers are no reflectance; take the "
            "surface reflectance mosaic ('analytic' in its name), or say what they shall count "
            "as with sources.scale, such as 0.00392 for 0 to 1"
        )
    rules = {
        band: Radiometry(
            _first(bands.get(band, BandSpec()).scale, scale, _SR_SCALE),
            _first(bands.get(band, BandSpec()).offset, offset, 0.0),
        )
        for band in places
    }
    ours = analytic and scale is None and not any(s.scale for s in bands.values())
    return Contents(places, rules, "boa" if ours else None)


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
