"""Reflectance of one sensor as another would have seen it, band by band.

Sensors of one kind still differ in which light each band lets through. Many spectra together say
how much: a slope and an offset for each band, published, and applied only where a study says so.
The target is the Operational Land Imager of Landsat 8 and 9.

Sources: for Sentinel-2, the bandpass adjustment of the Harmonized Landsat and Sentinel-2 product,
version 2.0 (https://hls.gsfc.nasa.gov/algorithms/bandpass-adjustment/; method in Claverie, M., et
al. (2018), Remote Sensing of Environment 219, 145-161, https://doi.org/10.1016/j.rse.2018.09.002);
for Landsat 4 to 7, Roy, D. P., et al. (2016), Remote Sensing of Environment 185, 57-70,
https://doi.org/10.1016/j.rse.2015.12.024, table 2, surface reflectance, ordinary least squares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from minetrace.core.raster import NODATA, REFLECTANCE_SCALE, Raster
from minetrace.errors import BandError, StudyError


class Line(NamedTuple):
    """Reflectance of the target is ``slope`` times that of the sensor, plus ``offset``."""

    slope: float
    offset: float


_SAME = Line(1.0, 0.0)
TO_OLI: Mapping[str, Mapping[str, Line]] = {
    "sentinel-2a": {
        "coastal": Line(0.9959, -0.0002), "blue": Line(0.9778, -0.0040),
        "green": Line(1.0053, -0.0009), "red": Line(0.9765, 0.0009),
        "nir08": Line(0.9983, -0.0001), "swir16": Line(0.9987, -0.0011),
        "swir22": Line(1.0030, -0.0012),
    },
    "sentinel-2b": {
        "coastal": Line(0.9959, -0.0002), "blue": Line(0.9778, -0.0040),
        "green": Line(1.0075, -0.0008), "red": Line(0.9761, 0.0010),
        "nir08": Line(0.9966, 0.0000), "swir16": Line(1.0000, -0.0003),
        "swir22": Line(0.9867, 0.0004),
    },
    "landsat-4-7": {
        "blue": Line(0.8474, 0.0003), "green": Line(0.8483, 0.0088), "red": Line(0.9047, 0.0061),
        "nir08": Line(0.8462, 0.0412), "swir16": Line(0.8937, 0.0254),
        "swir22": Line(0.9071, 0.0172),
    },
    "landsat-8-9": dict.fromkeys(
        ("coastal", "blue", "green", "red", "nir08", "swir16", "swir22"), _SAME
    ),
}  # fmt: skip
_BY_NAME = {
    r"S2A_": "sentinel-2a", r"S2B_": "sentinel-2b", r"L[ET]0[457]_": "landsat-4-7",
    r"LC0[89]_": "landsat-8-9",
}  # fmt: skip


def sensor_of(scene_id: str) -> str:
    """The sensor that a product's name begins with.

    Raises:
        StudyError: it begins with none that is known.
    """
    for start, sensor in _BY_NAME.items():
        if re.match(start, scene_id.rpartition("/")[2]):
            return sensor
    if re.match(r"S2[CD]_", scene_id.rpartition("/")[2]):
        raise StudyError(
            f"sources.harmonise: {scene_id}: lines are published for Sentinel-2A and 2B alone; "
            "leave its scenes out (exclude, of a catalog), or make them a source of their own with "
            "harmonise: sentinel-2a, if that is near enough"
        )
    raise StudyError(
        f"sources.harmonise: {scene_id} does not begin with a sensor's name (S2A_, LC08_ ...); "
        f"say in sources.harmonise which it is: {', '.join(TO_OLI)}"
    )


def harmonised(look: Raster, sensor: str) -> Raster:
    """A look as Landsat 8 would have seen it; int16 again, rounded half to even.

    Args:
        look: surface reflectance.
        sensor: a key of ``TO_OLI``.

    Raises:
        BandError: nothing is published for one of its bands.
    """
    lines = TO_OLI[sensor]
    unknown = [band for band in look.bands if band not in lines]
    if unknown:
        hint = "; Sentinel-2's band like Landsat's is nir08 (B8A)" if "nir" in unknown else ""
        raise BandError(
            f"sources.harmonise: nothing is published for {', '.join(unknown)} of {sensor}{hint}; "
            "leave harmonise out, or use a model without the band"
        )
    pixels = np.empty_like(look.pixels)
    for target, counts, band in zip(pixels, look.pixels, look.bands, strict=True):
        line = lines[band]
        moved = np.rint(counts * line.slope + line.offset / REFLECTANCE_SCALE)
        target[...] = np.clip(moved, NODATA + 1, 32767)
    pixels[:, ~look.valid] = NODATA
    return replace(look, pixels=pixels)
