"""Spectral indices: normalised differences of reflectance.

Sources:
    NDVI: Rouse et al. (1974), Monitoring vegetation systems in the Great Plains with ERTS.
    BSI: Rikimaru, Roy & Miyatake (2002), Tropical forest cover density mapping.
    MNDWI: Xu (2006), doi:10.1080/01431160600589179.
    NDWI: McFeeters (1996), doi:10.1080/01431169608948714.
    NDTI (turbidity): Lacaux et al. (2007), doi:10.1016/j.rse.2006.07.012.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def normalised_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """``(a - b) / (a + b)``, -1 to 1; 0 where both are 0, negative reflectance taken as 0."""
    a, b = np.maximum(a, 0), np.maximum(b, 0)
    total = a + b
    return np.asarray((a - b) / np.where(total > 0, total, np.float32(1)), dtype=np.float32)


def ndvi(nir: FloatArray, red: FloatArray) -> FloatArray:
    """Vegetation: forest above 0.7, bare ground below 0.25, water below 0."""
    return normalised_difference(nir, red)


def bsi(blue: FloatArray, red: FloatArray, nir: FloatArray, swir16: FloatArray) -> FloatArray:
    """Bare soil: above 0 on most soils, below 0 on vegetation and water."""
    return normalised_difference(
        np.maximum(swir16, 0) + np.maximum(red, 0), np.maximum(nir, 0) + np.maximum(blue, 0)
    )


def mndwi(green: FloatArray, swir16: FloatArray) -> FloatArray:
    """Open water, turbid or clear: above 0."""
    return normalised_difference(green, swir16)


def ndwi(green: FloatArray, nir: FloatArray) -> FloatArray:
    """Open water where there is no short-wave infrared: above 0, less sure when turbid."""
    return normalised_difference(green, nir)


def ndti(red: FloatArray, green: FloatArray) -> FloatArray:
    """Turbidity of water: clear below -0.2, laden with sediment above -0.05."""
    return normalised_difference(red, green)


def ramp(x: FloatArray, low: float, high: float) -> FloatArray:
    """Soft step: 0 at ``low``, 1 at ``high``, smooth between; falls if low is above high."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
