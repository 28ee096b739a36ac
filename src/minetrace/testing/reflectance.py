"""Surface reflectance of the materials that the world is painted with.

The values are set by hand within the magnitudes of published spectra, seen in the Sentinel-2 bands;
none is a copied row. Sources of the magnitudes:

- vegetation, soils, rocks, roofs: the ECOSTRESS library (Meerdink et al. 2019,
  doi:10.1016/j.rse.2019.05.015) and USGS splib07 (Kokaly et al. 2017, doi:10.3133/ds1035);
- waters full of sediment, below mines too: Lobo, Costa & Novo 2015 (doi:10.1016/j.rse.2014.10.030);
- mine ponds that clear when left alone: Gerson et al. 2020 (doi:10.1126/sciadv.abd4953).

Pixels are linear mixtures of these endmembers with shade: Small 2004
(doi:10.1016/j.rse.2004.06.007).

Confusion is meant: river sand is as bright as mine sediment, bare fields and laterite as a mine's
mud, rock as a pit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minetrace.errors import BandError
from minetrace.testing.noise import FloatArray

BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")

Row = tuple[float, float, float, float, float, float]

# Each material in the height of the wet season and, where it differs, of the dry season.
_SPECTRA: dict[str, tuple[Row, Row]] = {}


def _add(name: str, wet: Row, dry: Row | None = None) -> None:
    _SPECTRA[name] = (wet, dry or wet)


_add("forest", (0.021, 0.044, 0.023, 0.385, 0.178, 0.073), (0.023, 0.046, 0.028, 0.36, 0.182, 0.08))
_add("shade", (0.006, 0.009, 0.006, 0.05, 0.024, 0.010))
_add("secondary", (0.027, 0.060, 0.033, 0.43, 0.205, 0.09), (0.03, 0.062, 0.04, 0.40, 0.21, 0.098))
_add(
    "succession", (0.029, 0.062, 0.038, 0.39, 0.21, 0.095), (0.032, 0.065, 0.046, 0.37, 0.22, 0.11)
)
_add("palm", (0.023, 0.044, 0.029, 0.285, 0.125, 0.055), (0.025, 0.047, 0.034, 0.275, 0.14, 0.064))
_add("marsh", (0.028, 0.048, 0.036, 0.17, 0.075, 0.035), (0.038, 0.068, 0.056, 0.28, 0.18, 0.09))
_add(
    "pasture", (0.036, 0.072, 0.056, 0.345, 0.235, 0.115), (0.056, 0.092, 0.105, 0.285, 0.31, 0.19)
)
_add("crop", (0.030, 0.068, 0.040, 0.42, 0.20, 0.09), (0.062, 0.095, 0.125, 0.26, 0.32, 0.22))
_add("soil", (0.058, 0.090, 0.140, 0.225, 0.285, 0.225), (0.072, 0.112, 0.172, 0.27, 0.36, 0.30))
_add("burned", (0.038, 0.050, 0.062, 0.12, 0.18, 0.15), (0.036, 0.045, 0.054, 0.095, 0.165, 0.155))
_add("laterite", (0.072, 0.112, 0.185, 0.265, 0.345, 0.295), (0.082, 0.13, 0.215, 0.30, 0.39, 0.34))
_add("roof", (0.175, 0.20, 0.225, 0.275, 0.29, 0.26))
_add("tile", (0.085, 0.11, 0.165, 0.225, 0.265, 0.245))
_add("rock", (0.105, 0.13, 0.158, 0.205, 0.27, 0.25), (0.115, 0.145, 0.175, 0.225, 0.295, 0.27))
_add(
    "river", (0.078, 0.118, 0.142, 0.088, 0.012, 0.008), (0.068, 0.104, 0.112, 0.056, 0.008, 0.005)
)
_add("blackwater", (0.022, 0.031, 0.022, 0.014, 0.006, 0.004))
_add("sand", (0.142, 0.192, 0.236, 0.295, 0.36, 0.325), (0.155, 0.208, 0.255, 0.318, 0.40, 0.365))
_add(
    "low_sand", (0.082, 0.124, 0.150, 0.100, 0.035, 0.025), (0.125, 0.168, 0.205, 0.25, 0.27, 0.22)
)
_add(
    "gravel", (0.148, 0.198, 0.250, 0.315, 0.385, 0.345), (0.162, 0.218, 0.278, 0.352, 0.435, 0.395)
)
_add("mud", (0.084, 0.126, 0.186, 0.262, 0.315, 0.255), (0.092, 0.140, 0.205, 0.29, 0.365, 0.305))
_add(
    "milky_pond",
    (0.098, 0.150, 0.178, 0.112, 0.016, 0.010),
    (0.110, 0.165, 0.190, 0.120, 0.016, 0.010),
)
_add(
    "green_pond",
    (0.052, 0.098, 0.074, 0.036, 0.008, 0.005),
    (0.056, 0.108, 0.076, 0.036, 0.008, 0.005),
)
_add(
    "pit_rock",
    (0.088, 0.116, 0.152, 0.205, 0.255, 0.232),
    (0.096, 0.128, 0.170, 0.225, 0.28, 0.255),
)
_add("ore", (0.055, 0.074, 0.122, 0.178, 0.205, 0.178))
_add(
    "tailings", (0.125, 0.158, 0.188, 0.218, 0.205, 0.158), (0.160, 0.200, 0.240, 0.285, 0.30, 0.25)
)
_add("process_water", (0.082, 0.136, 0.118, 0.050, 0.010, 0.006))

MATERIALS = tuple(_SPECTRA)
VEGETATION = ("forest", "shade", "secondary", "succession", "palm", "marsh", "pasture")
WATER = ("river", "blackwater", "milky_pond", "green_pond", "process_water")


def endmembers(bands: Sequence[str], wetness: float) -> FloatArray:
    """Reflectance of every material in every band at one time of the year.

    Args:
        bands: names among BANDS, in the order wanted.
        wetness: 0 at the end of the dry season, 1 at the height of the rains.

    Returns:
        (len(bands), len(MATERIALS)) float32, surface reflectance, 0 to 1.

    Raises:
        BandError: a band that the table does not hold.
    """
    unknown = [band for band in bands if band not in BANDS]
    if unknown:
        raise BandError(f"the world has no band {unknown[0]!r}: choose among {', '.join(BANDS)}")
    wet = np.array([_SPECTRA[name][0] for name in MATERIALS], np.float32)
    dry = np.array([_SPECTRA[name][1] for name in MATERIALS], np.float32)
    rows = [BANDS.index(band) for band in bands]
    mixed: FloatArray = (np.float32(1 - wetness) * dry + np.float32(wetness) * wet).T[rows]
    return mixed


class Mixture:
    """Shares of the materials in every pixel, painted one over the other.

    Attributes:
        shares: (len(MATERIALS), h, w) float32; over the materials they sum to 1.
    """

    def __init__(self, shares: FloatArray) -> None:
        """Take the shares as they are."""
        self.shares = shares

    @classmethod
    def of(cls, material: str, size_px: int) -> Mixture:
        """Start from one material everywhere."""
        shares = np.zeros((len(MATERIALS), size_px, size_px), np.float32)
        shares[MATERIALS.index(material)] = 1.0
        return cls(shares)

    def copy(self) -> Mixture:
        """A second mixture to paint on."""
        return Mixture(self.shares.copy())

    def paint(self, material: str, cover: npt.ArrayLike) -> None:
        """Cover a share of each pixel, (h, w) in 0 to 1, with a material."""
        part = np.asarray(cover, np.float32).reshape(-1)
        flat = self.shares.reshape(len(self.shares), -1)
        at = np.flatnonzero(part)
        if at.size < part.size // 6:
            flat[:, at] = flat[:, at] * (1.0 - part[at])
            flat[MATERIALS.index(material), at] += part[at]
            return
        keep = 1.0 - part
        for plane in flat:
            if plane.any():
                plane *= keep
        flat[MATERIALS.index(material)] += part

    def share(self, materials: Sequence[str]) -> FloatArray:
        """(h, w) share of these materials together."""
        total: FloatArray = self.shares[[MATERIALS.index(name) for name in materials]].sum(axis=0)
        return total

    def reflect(self, table: FloatArray) -> FloatArray:
        """Mix reflectances, one material after the other.

        Not a matrix product: that rounds differently with another number of threads, and the same
        seed must give the same pixels.

        Args:
            table: (bands, materials), as of `endmembers`.

        Returns:
            (bands, h, w) float32.
        """
        flat = self.shares.reshape(len(self.shares), -1)
        mixed = np.zeros((len(table), flat.shape[1]), np.float32)
        for values, plane in zip(table.T, flat, strict=True):
            at = np.flatnonzero(plane)
            if at.size < plane.size // 4:
                part = plane[at]
                for band, value in zip(mixed, values, strict=True):
                    band[at] += value * part
            else:
                for band, value in zip(mixed, values, strict=True):
                    band += value * plane
        return mixed.reshape(len(table), *self.shares.shape[1:])


def blurred(plane: FloatArray, spill: float) -> FloatArray:
    """Let each pixel of (h, w) see a share of its neighbours, as the sensor and the air do."""
    keep, lost = np.float32(1 - 2 * spill), np.float32(spill)
    padded = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
    down = keep * plane + lost * (padded[:-2] + padded[2:])
    padded = np.pad(down, ((0, 0), (1, 1)), mode="edge")
    return np.asarray(keep * down + lost * (padded[:, :-2] + padded[:, 2:]), np.float32)
