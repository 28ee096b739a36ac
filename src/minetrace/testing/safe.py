"""Small made-up Sentinel-2 products with the true layout, names and metadata of ``.SAFE``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.testing.products import reflectance, write_raster

NODATA, SATURATED = 0, 65535
PHYSICAL = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
_TEN, _SIXTY = ("B02", "B03", "B04", "B08"), ("B01", "B09", "B10")
ALL = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")


@dataclass(frozen=True)
class Safe:
    """What a made-up product is like.

    Attributes:
        style: ``compact`` as now; ``2017`` with the element and file names of early level 2A;
            ``long`` with the file names before December 2016.
        made: day of processing, as in the name.
        corner: (x, y) of the north-west corner.
        side_m: of the square tile, a multiple of 60.
        resolutions: of the folders of a level 2A product.
        leave_out: band names, and ``SCL``, ``CLASSI`` or ``MTD``, of which no file is written.
        offset: counts that are added; default: by the baseline. None in the metadata before 04.00.
        gml: the cloud mask of level 1C is GML, as before 04.00.
    """

    level: Literal["L2A", "L1C"] = "L2A"
    baseline: str = "04.00"
    day: date = date(2022, 10, 5)
    tile: str = "19LCF"
    platform: str = "S2A"
    made: str = "20221005T201112"
    style: Literal["compact", "2017", "long"] = "compact"
    corner: tuple[float, float] = (350_040.0, 8_590_020.0)
    side_m: int = 1800
    resolutions: tuple[int, ...] = (10, 20, 60)
    leave_out: frozenset[str] = frozenset()
    quantification: int = 10_000
    offset: int | None = None
    gml: bool = False
    seed: int = 0

    @property
    def start(self) -> str:
        """Start of the datatake, as names have it."""
        return f"{self.day:%Y%m%d}T145741"

    @property
    def name(self) -> str:
        """Of the product's folder."""
        number = self.baseline.replace(".", "")
        if self.style == "long":
            return f"{self.platform}_OPER_PRD_MSI{self.level}_PDMC_{self.made}_R039_V{self.start}"
        return (
            f"{self.platform}_MSI{self.level}_{self.start}_N{number}_R039_T{self.tile}_{self.made}"
        )

    @property
    def added(self) -> int:
        """Counts that reflectance is raised by."""
        if self.offset is not None:
            return -self.offset
        return 1000 if float(self.baseline) >= 4 else 0

    def native_m(self, band: str) -> int:
        """Pixel of the sensor."""
        return 10 if band in _TEN else 60 if band in _SIXTY else 20

    def truth(self, band: str, pixel_m: int) -> NDArray[Any]:
        """Reflectance x 1e4 as the counts can hold it, (height, width)."""
        side = self.side_m // pixel_m
        # the same place at another resolution is not exactly the mean; nobody needs it to be
        ground = reflectance(band, side, side, pixel_m, self.seed)
        return np.asarray(np.clip(ground, 1 - self.added, 40_000))

    def counts(self, band: str, pixel_m: int) -> NDArray[np.uint16]:
        """As the files hold them: a strip without data in the east, one saturated pixel."""
        counts = self.truth(band, pixel_m) * self.quantification // 10_000 + self.added
        counts[:, -max(1, 120 // pixel_m) :] = NODATA
        counts[-1, 0] = SATURATED
        return counts.astype(np.uint16)

    def classes(self, pixel_m: int) -> NDArray[np.uint8]:
        """Scene classes: bare ground, a cloud, its shadow, no data in the east."""
        side, per = self.side_m // pixel_m, 60 // pixel_m
        scl = np.full((side, side), 5, dtype=np.uint8)
        scl[10 * per : 14 * per, 10 * per : 16 * per] = 9
        scl[16 * per : 19 * per, 12 * per : 18 * per] = 3
        scl[:, -max(1, 120 // pixel_m) :] = 0
        return scl


def write_safe(folder: Path, safe: Safe | None = None) -> Path:
    """Write a product and return its ``.SAFE`` folder."""
    safe = safe or Safe()
    root = folder / f"{safe.name}.SAFE"
    granule = root / "GRANULE" / _granule(safe)
    images = {}
    for band, pixel_m in _written(safe):
        images[band, pixel_m] = granule / "IMG_DATA" / _image(safe, band, pixel_m)
        if band not in safe.leave_out:
            layers = safe.counts(band, pixel_m)[None]
            write_raster(images[band, pixel_m], layers, safe.corner, pixel_m)
    _write_masks(safe, granule)
    if "MTD" not in safe.leave_out:
        listed = [p.relative_to(root).with_suffix("").as_posix() for p in images.values()]
        root.mkdir(parents=True, exist_ok=True)
        (root / _metadata_name(safe)).write_text(_metadata(safe, listed), encoding="utf-8")
    (root / "manifest.safe").write_text("<manifest/>", encoding="utf-8")
    return root


def _written(safe: Safe) -> list[tuple[str, int]]:
    if safe.level == "L1C":
        return [(band, safe.native_m(band)) for band in ALL]
    return [
        (band, pixel_m)
        for pixel_m in safe.resolutions
        for band in ALL
        if band != "B10" and (band != "B08" or pixel_m == 10) and safe.native_m(band) <= pixel_m
    ]


def _granule(safe: Safe) -> str:
    if safe.style == "long":
        return f"{safe.platform}_OPER_MSI_{safe.level}_TL_SGS__{safe.made}_A0_T{safe.tile}_N02.04"
    return f"{safe.level}_T{safe.tile}_A038058_{safe.start}"


def _image(safe: Safe, band: str, pixel_m: int) -> str:
    if safe.style == "long":
        return f"{_granule(safe)[:-7]}_{band}.jp2"
    stem = f"T{safe.tile}_{safe.start}_{band}"
    if safe.level == "L1C":
        return f"{stem}.jp2"
    prefix = "L2A_" if safe.style == "2017" else ""
    return f"R{pixel_m}m/{prefix}{stem}_{pixel_m}m.jp2"


def _write_masks(safe: Safe, granule: Path) -> None:
    quality = granule / "QI_DATA"
    quality.mkdir(parents=True, exist_ok=True)
    if safe.level == "L2A" and "SCL" not in safe.leave_out:
        for pixel_m in sorted({max(20, m) for m in safe.resolutions}):
            path = granule / "IMG_DATA" / _image(safe, "SCL", pixel_m)
            write_raster(path, safe.classes(pixel_m)[None], safe.corner, pixel_m)
    if safe.level == "L1C" and safe.gml:
        (quality / "MSK_CLOUDS_B00.gml").write_text("<eop:Mask/>", encoding="utf-8")
    elif safe.level == "L1C" and "CLASSI" not in safe.leave_out:
        scl = safe.classes(60)
        layers = np.stack([scl == 9, scl == 3, scl == 5]).astype(np.uint8)  # opaque, cirrus, snow
        write_raster(quality / "MSK_CLASSI_B00.jp2", layers, safe.corner, 60)


def _metadata_name(safe: Safe) -> str:
    if safe.style == "long":
        return f"{safe.platform}_OPER_MTD_SAF{safe.level}_PDMC_{safe.made}_R039_V{safe.start}.xml"
    return f"MTD_MSI{safe.level}.xml"


_OLD_NAMES: Mapping[str, str] = {
    "Product_Info>": "L2A_Product_Info>", "PRODUCT_URI>": "PRODUCT_URI_2A>",
    "Product_Image_Characteristics>": "L2A_Product_Image_Characteristics>",
    "IMAGE_FILE>": "IMAGE_FILE_2A>", "QUANTIFICATION_VALUES_LIST>":
    "L1C_L2A_Quantification_Values_List>", "BOA_QUANTIFICATION": "L2A_BOA_QUANTIFICATION",
}  # fmt: skip


def _metadata(safe: Safe, images: list[str]) -> str:
    day, boa = safe.day.isoformat(), safe.level == "L2A"
    kind = "BOA" if boa else "RADIO"
    q = f'<{"BOA_" if boa else ""}QUANTIFICATION_VALUE unit="none">{safe.quantification}'
    q += f"</{'BOA_' if boa else ''}QUANTIFICATION_VALUE>"
    offsets = "".join(
        f'<{kind}_ADD_OFFSET band_id="{i}">{-safe.added}</{kind}_ADD_OFFSET>' for i in range(13)
    )
    spectral = "".join(
        f'<Spectral_Information bandId="{i}" physicalBand="{b}"/>' for i, b in enumerate(PHYSICAL)
    )
    listed = "".join(f"<IMAGE_FILE>{name}</IMAGE_FILE>" for name in images)
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{safe.level[1:]}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/x.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>{day}T14:57:41.024Z</PRODUCT_START_TIME>
<PRODUCT_URI>{safe.name}.SAFE</PRODUCT_URI>
<PROCESSING_LEVEL>Level-{safe.level[1:]}</PROCESSING_LEVEL>
<PROCESSING_BASELINE>{safe.baseline}</PROCESSING_BASELINE>
<GENERATION_TIME>{safe.made}</GENERATION_TIME>
<Datatake datatakeIdentifier="G{safe.platform}_{safe.start}_038058_N{safe.baseline}">
<SPACECRAFT_NAME>Sentinel-{safe.platform[1:]}</SPACECRAFT_NAME>
<DATATAKE_SENSING_START>{day}T14:57:41.024Z</DATATAKE_SENSING_START></Datatake>
<Product_Organisation><Granule_List><Granule>{listed}</Granule></Granule_List>
</Product_Organisation></Product_Info>
<Product_Image_Characteristics>
<QUANTIFICATION_VALUES_LIST>{q}</QUANTIFICATION_VALUES_LIST>
{f"<{kind}_ADD_OFFSET_LIST>{offsets}</{kind}_ADD_OFFSET_LIST>" if safe.added else ""}
<Spectral_Information_List>{spectral}</Spectral_Information_List>
</Product_Image_Characteristics></n1:General_Info>
</n1:Level-{safe.level[1:]}_User_Product>
"""
    if safe.style == "2017" and boa:
        for new, old in _OLD_NAMES.items():
            text = text.replace(f"<{new}", f"<{old}").replace(f"</{new}", f"</{old}")
    return text
