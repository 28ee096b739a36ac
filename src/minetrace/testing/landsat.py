"""Small made-up Landsat Collection 2 products with the true names and MTL file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.testing.products import reflectance, write_raster

CLEAR, CLOUD, FILL = 21824, 22280, 1  # QA_PIXEL: clear land, high-confidence cloud, nothing seen
_SENSOR = {5: "LT05", 7: "LE07", 8: "LC08", 9: "LC09"}
_BANDS = {5: "123457", 7: "123457", 8: "1234567", 9: "1234567"}


@dataclass(frozen=True)
class Landsat:
    """What a made-up product is like.

    Attributes:
        processed: day of processing, as in the name.
        tier: ``T1``, ``T2`` or ``RT``.
        corner: (x, y) of the north-west corner; pixel centres lie on multiples of 30 m.
        leave_out: of which no file is written, such as ``SR_B4``, ``QA_PIXEL`` or ``MTL``.
    """

    spacecraft: int = 8
    level: Literal["L2SP", "L2SR", "L1TP"] = "L2SP"
    day: date = date(2019, 8, 14)
    processed: str = "20200827"
    tier: str = "T1"
    path: int = 3
    row: int = 68
    corner: tuple[float, float] = (350_025.0, 8_590_035.0)
    side_px: int = 60
    sun_elevation: float = 52.5
    leave_out: frozenset[str] = frozenset()
    seed: int = 0

    @property
    def name(self) -> str:
        """Of the product."""
        return (
            f"{_SENSOR[self.spacecraft]}_{self.level}_{self.path:03}{self.row:03}_"
            f"{self.day:%Y%m%d}_{self.processed}_02_{self.tier}"
        )

    @property
    def bands(self) -> tuple[str, ...]:
        """Own names of the reflective bands, and the thermal one of level 2."""
        prefix = "" if self.level == "L1TP" else "SR_"
        numbers = tuple(f"{prefix}B{n}" for n in _BANDS[self.spacecraft])
        if self.level == "L1TP":
            return (*numbers, "B8", "B10") if self.spacecraft >= 8 else (*numbers, "B6")
        thermal = "ST_B10" if self.spacecraft >= 8 else "ST_B6"
        return (*numbers, thermal) if self.level == "L2SP" else numbers

    def counts(self, band: str) -> NDArray[np.uint16]:
        """As the files hold them; nothing was seen in the west."""
        side, pixel_m = (self.side_px * 2, 15.0) if band == "B8" else (self.side_px, 30.0)
        ground = reflectance(band, side, side, pixel_m, self.seed)
        counts = np.clip(ground * 3 + 8000, 1, 65_535)
        counts[:, :2] = 0
        return np.asarray(counts, dtype=np.uint16)

    def quality(self) -> NDArray[np.uint16]:
        """QA_PIXEL: a cloud, and fill in the west."""
        qa = np.full((self.side_px, self.side_px), CLEAR, dtype=np.uint16)
        qa[20:30, 25:40] = CLOUD
        qa[:, :2] = FILL
        return qa

    def coefficients(self, band: str) -> tuple[float, float]:
        """What the MTL file multiplies counts with, and adds."""
        if band.startswith("ST_"):
            return 0.00341802, 149.0
        return (2.75e-5, -0.2) if band.startswith("SR_") else (2.0e-5, -0.1)


def write_landsat(folder: Path, landsat: Landsat | None = None) -> Path:
    """Write a product into a folder of its own and return that."""
    landsat = landsat or Landsat()
    root = folder / landsat.name
    root.mkdir(parents=True, exist_ok=True)
    layers: dict[str, NDArray[Any]] = {band: landsat.counts(band) for band in landsat.bands}
    layers["QA_PIXEL"] = landsat.quality()
    for band, values in layers.items():
        if band not in landsat.leave_out:
            pixel_m = 15.0 if band == "B8" else 30.0
            path = root / f"{landsat.name}_{band}.TIF"
            write_raster(path, values[None], landsat.corner, pixel_m)
    if "MTL" not in landsat.leave_out:
        (root / f"{landsat.name}_MTL.txt").write_text(_mtl(landsat), encoding="utf-8")
    return root


def _mtl(landsat: Landsat) -> str:
    level_1 = landsat.level == "L1TP"
    names = {band: f"{landsat.name}_{band}.TIF" for band in landsat.bands}
    contents = [
        ("LANDSAT_PRODUCT_ID", f'"{landsat.name}"'),
        ("PROCESSING_LEVEL", f'"{landsat.level}"'),
        ("COLLECTION_NUMBER", "02"),
        ("COLLECTION_CATEGORY", f'"{landsat.tier}"'),
        *((f"FILE_NAME_BAND_{_key(band)}", f'"{file}"') for band, file in names.items()),
        ("FILE_NAME_QUALITY_L1_PIXEL", f'"{landsat.name}_QA_PIXEL.TIF"'),
    ]
    image = [
        ("SPACECRAFT_ID", f'"LANDSAT_{landsat.spacecraft}"'),
        ("WRS_PATH", str(landsat.path)),
        ("WRS_ROW", str(landsat.row)),
        ("DATE_ACQUIRED", landsat.day.isoformat()),
        ("SUN_ELEVATION", str(landsat.sun_elevation)),
    ]
    own = [pair for b in landsat.bands if not b.startswith("ST_") for pair in _pair(landsat, b)]
    hot = [pair for b in landsat.bands if b.startswith("ST_") for pair in _pair(landsat, b)]
    rescaling = [(f"REFLECTANCE_{word}_BAND_{n}", value) for n in "1234567"
                 for word, value in (("MULT", "2.0000E-05"), ("ADD", "-0.100000"))]  # fmt: skip
    groups = [_group("PRODUCT_CONTENTS", contents), _group("IMAGE_ATTRIBUTES", image)]
    if not level_1:
        groups.append(_group("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", own))
        groups.append(_group("LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", hot))
    groups.append(_group("LEVEL1_RADIOMETRIC_RESCALING", own if level_1 else rescaling))
    inner = "".join(groups)
    name = "LANDSAT_METADATA_FILE"
    return f"GROUP = {name}\n{inner}END_GROUP = {name}\nEND\n"


def _pair(landsat: Landsat, band: str) -> list[tuple[str, str]]:
    scale, offset = landsat.coefficients(band)
    key = "TEMPERATURE" if band.startswith("ST_") else "REFLECTANCE"
    return [
        (f"{key}_MULT_BAND_{_key(band)}", f"{scale:.6E}"),
        (f"{key}_ADD_BAND_{_key(band)}", f"{offset:.6f}"),
    ]


def _key(band: str) -> str:
    return band if band.startswith("ST_") else band.rpartition("B")[2]


def _group(name: str, pairs: list[tuple[str, str]]) -> str:
    lines = "".join(f"    {key} = {value}\n" for key, value in pairs)
    return f"  GROUP = {name}\n{lines}  END_GROUP = {name}\n"
