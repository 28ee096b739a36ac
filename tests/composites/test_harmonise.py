"""Bands adjusted to Landsat 8's by published lines."""

from __future__ import annotations

import numpy as np
import pytest

from minetrace.composites.harmonise import TO_OLI, harmonised, sensor_of
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import BandError, StudyError

BOX = Grid("EPSG:32719", 30.0).geobox(Rect(0, 0, 1, 3))


def look(*bands: str) -> Raster:
    counts = np.array([[1000, -50, NODATA]], np.int16)
    valid = np.array([[True, True, False]])
    return Raster(bands, np.stack([counts] * len(bands)), valid, BOX)


def test_each_band_has_its_own_line() -> None:
    made = harmonised(look("blue", "swir22"), "sentinel-2b")
    assert made.pixels[:, 0].tolist() == [[938, -89, NODATA], [991, -45, NODATA]]
    assert harmonised(look("blue"), "landsat-4-7").pixels[0, 0].tolist() == [850, -39, NODATA]


def test_landsat_8_is_what_others_are_adjusted_to() -> None:
    here = look("red", "nir08")
    assert np.array_equal(harmonised(here, "landsat-8-9").pixels, here.pixels)
    assert all(0.8 < line.slope < 1.1 for lines in TO_OLI.values() for line in lines.values())


def test_the_name_says_the_sensor_or_the_user_does() -> None:
    assert sensor_of("S2A_MSIL2A_20200101T1.SAFE") == "sentinel-2a"
    assert sensor_of("x/LC09_L2SP_218074_20220114_02_T1") == "landsat-8-9"
    assert sensor_of("LT05_L2SP_218074") == "landsat-4-7"
    with pytest.raises(StudyError, match=r"S2C_.* published for Sentinel-2A and 2B alone; .*own"):
        sensor_of("S2C_MSIL2A_20250301T1.SAFE")
    with pytest.raises(StudyError, match=r"say in sources\.harmonise which it is: sentinel-2a"):
        sensor_of("mosaic_2020.tif")


def test_a_band_without_a_line_is_refused() -> None:
    with pytest.raises(BandError, match=r"nothing is published for nir of sentinel-2a; .* nir08"):
        harmonised(look("red", "nir"), "sentinel-2a")
