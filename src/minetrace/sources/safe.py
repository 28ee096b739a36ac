"""Sentinel-2 products in the agency's own format, ``.SAFE``: what their metadata say.

Level 1C and 2A, from the first products of 2015 on: many granules a product or one, long names or
compact ones, with and without the radiometric offset of processing baseline 04.00.

Source: Sentinel-2 Products Specification Document, sections on product metadata and masks
(https://sentiwiki.copernicus.eu/web/s2-products).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

from minetrace.core.bands import SENTINEL2
from minetrace.errors import RadiometryError, RasterError
from minetrace.sources.archive import Archive
from minetrace.sources.dates import DateOptions, acquired
from minetrace.sources.product import Product
from minetrace.sources.radiometry_gate import PRODUCT, BandFacts, SceneFacts
from minetrace.sources.radiometry_table import S2_SATURATED

METADATA = re.compile(r"(?:^|/)(?:MTD_MSIL(1C|2A)|S2._\w+?_MTD_SAFL(1C|2A)_\w+)\.xml$")
ROOT = re.compile(r"(?:^|/)[^/]+\.SAFE(?=/)")

_BAND = re.compile(r"_(B\d\d|B8A)(?:_(\d\d)m)?\.(?:jp2|tiff?)$", re.IGNORECASE)
_SCL = re.compile(r"_SCL_(?:(\d\d)m)\.(?:jp2|tiff?)$", re.IGNORECASE)
_CLASSI = re.compile(r"(?:^|/)MSK_CLASSI_B00\.(?:jp2|tiff?)$", re.IGNORECASE)
_GML = re.compile(r"(?:^|/)(?:S2._\w+)?MSK_CLOUDS_\w*\.gml$", re.IGNORECASE)
_TILE = re.compile(r"_T?(\d{2}[A-Z]{3})(?=_|$)")
_NATIVE_M = {"B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20,
             "B08": 10, "B8A": 20, "B09": 60, "B10": 60, "B11": 20, "B12": 20}  # fmt: skip
_ORDER = tuple(_NATIVE_M)  # band_id 0 … 12 of the metadata; B8A comes after B08


@dataclass(frozen=True)
class _Metadata:
    """What the product's own file says, for all its granules."""

    name: str
    level: str
    baseline: str
    platform: str
    start: str
    made: str
    quantification: float | None
    offsets: dict[str, float]
    images: tuple[str, ...]


def safe_products(archive: Archive) -> list[Product]:
    """Every granule of every Sentinel-2 product among some files.

    Raises:
        RasterError: a product has no metadata, or they cannot be read.
        RadiometryError: its metadata hold a value that is no number.
    """
    found = []
    roots: set[str] = set()
    for name in archive.names:
        if (match := METADATA.search(name)) and name[: match.start()].count("/GRANULE") == 0:
            root = name[: match.start()]
            if root not in roots:
                roots.add(root)
                metadata = _read_metadata(archive, name)
                found += [_product(archive, root, g, metadata) for g in _granules(archive, root)]
    _refuse_headless(archive, roots)
    return found


def _refuse_headless(archive: Archive, roots: set[str]) -> None:
    """Refuse a ``.SAFE`` folder without the file that says what its counts mean."""
    tops = {m[0].strip("/"): name[: m.end()] for name in archive.names if (m := ROOT.search(name))}
    if archive.is_folder and archive.path.suffix == ".SAFE":
        tops[archive.path.name] = ""
    for top, root in tops.items():
        if root not in roots:
            level = "MTD_MSIL1C.xml" if "L1C" in top else "MTD_MSIL2A.xml"
            raise RasterError(
                f"{archive.path}: {top} lacks its metadata, {level}, so nobody knows what its "
                "counts mean; fetch the product again, or take it out of the source"
            )


def _read_metadata(archive: Archive, name: str) -> _Metadata:
    try:
        root = ElementTree.fromstring(archive.read(name))
    except (ElementTree.ParseError, LookupError) as error:  # the latter: an unknown encoding
        raise RasterError(
            f"{archive.path}: {name} is no XML ({error}), perhaps it is cut short; "
            "fetch the product again"
        ) from error
    texts = _texts(root)
    match = METADATA.search(name)
    level = (match[1] or match[2]) if match else ""
    own = texts.get("PRODUCT_URI") or texts.get(f"PRODUCT_URI_{level[1:]}") or ""
    quantification = (
        texts.get("BOA_QUANTIFICATION_VALUE") or texts.get("L2A_BOA_QUANTIFICATION_VALUE")
        if level == "2A" else texts.get("QUANTIFICATION_VALUE")
    )  # fmt: skip
    return _Metadata(
        name=own.removesuffix(".SAFE") or _name_of(archive, name),
        level=f"L{level}",
        baseline=texts.get("PROCESSING_BASELINE", ""),
        platform=texts.get("SPACECRAFT_NAME", ""),
        start=texts.get("DATATAKE_SENSING_START") or texts.get("PRODUCT_START_TIME", ""),
        made=texts.get("GENERATION_TIME", ""),
        quantification=None if quantification is None else _number(name, quantification),
        offsets=_offsets(name, root),
        images=tuple(t for tag, t in _pairs(root) if tag.startswith(("IMAGE_FILE", "IMAGE_ID"))),
    )


def _pairs(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for element in root.iter():
        yield element.tag.rsplit("}", 1)[-1], (element.text or "").strip()


def _texts(root: ElementTree.Element) -> dict[str, str]:
    """The first text under each tag, without namespaces."""
    texts: dict[str, str] = {}
    for tag, text in _pairs(root):
        if text:
            texts.setdefault(tag, text)
    return texts


def _offsets(name: str, root: ElementTree.Element) -> dict[str, float]:
    """Counts that are added to each band's, by its own name; empty before baseline 04.00."""
    order = dict(enumerate(_ORDER))
    for element in root.iter():
        tag = element.tag.rsplit("}", 1)[-1]
        if tag == "Spectral_Information" and element.get("physicalBand"):
            band = str(element.get("physicalBand")).upper()
            order[int(element.get("bandId", -1))] = re.sub(r"^B(\d)$", r"B0\1", band)
    return {
        order[int(element.get("band_id", -1))]: _number(name, (element.text or "").strip())
        for element in root.iter()
        if element.tag.rsplit("}", 1)[-1] in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
        and int(element.get("band_id", -1)) in order
    }


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise RadiometryError(
            f"{name}: {text!r} is no number to compute reflectance with; fetch the product again, "
            "or give sources.scale and sources.offset"
        ) from error


def _name_of(archive: Archive, metadata: str) -> str:
    folder = metadata.rpartition("/")[0].rpartition("/")[2]
    return (folder or archive.path.name).removesuffix(".SAFE")


def _granules(archive: Archive, root: str) -> list[str]:
    """Folders of the granules below a product's root."""
    start = f"{root}/GRANULE/" if root else "GRANULE/"
    parts = {n[len(start) :].split("/")[0] for n in archive.names if n.startswith(start)}
    if not parts:
        raise RasterError(
            f"{archive.path}: {root or archive.path.name} has no GRANULE folder, so none of its "
            "images is there; fetch the product again, or take it out of the source"
        )
    return [start + part for part in sorted(parts)]


def _product(archive: Archive, root: str, granule: str, metadata: _Metadata) -> Product:
    names = [name for name in archive.names if name.startswith(f"{granule}/")]
    tile = _tile(granule, metadata)
    several = len(_granules(archive, root)) > 1
    files = _finest(names)
    expected = _expected(metadata, granule)
    mask_files, no_mask = _mask(names, metadata, granule)
    facts = SceneFacts(
        scene=metadata.name, collection=f"S2MSI{metadata.level[1:]}", host=PRODUCT,
        level=metadata.level, baseline=metadata.baseline or None, platform=metadata.platform,
        bands={common: _facts(band, metadata) for band, common in SENTINEL2.items()},
    )  # fmt: skip
    return Product(
        name=f"{metadata.name}_T{tile}" if several else metadata.name,
        kind=f"Sentinel-2 {metadata.level}",
        archive=archive,
        day=_day(metadata),
        same=(metadata.platform, metadata.start[:19], tile, metadata.level),
        rank=(metadata.baseline, metadata.made, archive.is_folder),
        version=f"baseline {metadata.baseline}",
        level="toa" if metadata.level == "L1C" else "boa",
        facts=facts,
        ids={SENTINEL2[band]: band for band in expected},
        files={SENTINEL2[band]: name for band, (_, name) in files.items()},
        mask="classi" if metadata.level == "L1C" else "scl",
        mask_files=mask_files,
        no_mask=no_mask,
        saturated=S2_SATURATED,
        missing=_missing(expected, {band: m for band, (m, _) in files.items()}),
    )


def _tile(granule: str, metadata: _Metadata) -> str:
    for text in (granule.rpartition("/")[2], metadata.name):
        if match := _TILE.search(text):
            return match[1]
    return granule.rpartition("/")[2]


def _day(metadata: _Metadata) -> date:
    try:
        return date.fromisoformat(metadata.start[:10])
    except ValueError:
        return acquired(Path(metadata.name), {}, DateOptions())


def _facts(band: str, metadata: _Metadata) -> BandFacts:
    q = metadata.quantification
    if not q:
        return BandFacts(band, "uint16")
    offset = metadata.offsets.get(band)
    return BandFacts(band, "uint16", 1 / q, None if offset is None else offset / q)


def _finest(names: list[str]) -> dict[str, tuple[int, str]]:
    """Resolution in metres and name of each band's finest file, bands in the sensor's order."""
    best: dict[str, tuple[int, str]] = {}
    for name in names:
        if (match := _BAND.search(name)) and "/IMG_DATA/" in name:
            band = match[1].upper()
            here = (int(match[2] or _NATIVE_M.get(band, 0)), name)
            best[band] = min(best.get(band, here), here)
    return {band: best[band] for band in _ORDER if band in best}


def _expected(metadata: _Metadata, granule: str) -> dict[str, int]:
    """Bands that the metadata list, with the finest resolution in metres that they list."""
    best: dict[str, int] = {}
    for image in metadata.images:
        match = _BAND.search(f"{image}.jp2")
        if match and match[1].upper() in _NATIVE_M:
            band = match[1].upper()
            here = int(match[2] or _NATIVE_M[band])
            best[band] = min(best.get(band, here), here)
    if best:
        return {band: best[band] for band in _ORDER if band in best}
    without = "B10" if metadata.level == "L2A" else ""
    return {band: m for band, m in _NATIVE_M.items() if band != without}


def _missing(expected: dict[str, int], found: dict[str, int]) -> str:
    lost = [band for band in expected if band not in found]
    coarse: dict[int, list[str]] = {}
    for band, metres in found.items():
        if metres > expected.get(band, metres):
            coarse.setdefault(metres, []).append(band)
    words = [f"{', '.join(lost)} missing"] if lost else []
    words += [f"{', '.join(bands)} only at {m} m" for m, bands in sorted(coarse.items())]
    return "; ".join(words)


def _mask(names: list[str], metadata: _Metadata, granule: str) -> tuple[tuple[str, ...], str]:
    """Names of the cloud mask's files, and why there are none."""
    if metadata.level == "L2A":
        found = tuple(name for name in names if _SCL.search(name))
        return found, "" if found else "its scene classes, SCL at 20 or 60 m, are missing"
    found = tuple(name for name in names if _CLASSI.search(name))
    if found:
        return found, ""
    if any(_GML.search(name) for name in names):
        return (), (
            "its cloud mask is GML, as before baseline 04.00, and is not read; take the level 2A "
            "product, or the reprocessed one of Collection 1"
        )
    return (), "its cloud mask, MSK_CLASSI_B00.jp2, is missing"
