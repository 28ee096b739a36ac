"""Landsat Collection 2 products, level 1 and 2: what their MTL file says.

Source: Landsat 8-9 and 4-7 Collection 2 Level 2 Science Product Guides (LSDS-1618, LSDS-1619) and
Level 1 Data Format Control Books (LSDS-1822, LSDS-1414).
"""

from __future__ import annotations

import re
from datetime import date

from minetrace.core.bands import LANDSAT_OLI, LANDSAT_TM
from minetrace.errors import RasterError
from minetrace.sources.archive import Archive
from minetrace.sources.product import Product
from minetrace.sources.radiometry_gate import PRODUCT, BandFacts, SceneFacts

METADATA = re.compile(r"(?:^|/)([^/.][^/]*)_MTL\.txt$", re.IGNORECASE)

_PAIR = re.compile(r"^\s*(\w+)\s*=\s*\"?(.*?)\"?\s*$")
_BAND = re.compile(r"_((?:SR_|ST_)?B\d{1,2})\.TIFF?$", re.IGNORECASE)
_SPARE = frozenset({"pan", "cirrus"})
_TIERS = {"T1": 2, "T2": 1}  # RT, the first delivery of a scene, is below both

Groups = dict[str, dict[str, str]]


def landsat_products(archive: Archive) -> list[Product]:
    """Every Landsat product among some files.

    Raises:
        RasterError: an MTL file is cut short, or of another collection.
    """
    found = (METADATA.search(name) for name in archive.names)
    return [_product(archive, match.string, match[1]) for match in found if match]


def _product(archive: Archive, metadata: str, prefix: str) -> Product:
    groups = parse_mtl(archive.read(metadata).decode("utf-8", errors="replace"))
    contents, image = groups.get("PRODUCT_CONTENTS"), groups.get("IMAGE_ATTRIBUTES")
    if contents is None or image is None:
        raise RasterError(
            f"{archive.path}: {metadata} is not that of a Collection 2 product, or is cut short; "
            "take the Collection 2 product, or fetch it again"
        )
    level = contents.get("PROCESSING_LEVEL", "")
    known = _names(image.get("SPACECRAFT_ID", ""))
    folder = metadata[: -len(f"{prefix}_MTL.txt")]
    here = {n.upper(): n for n in archive.names if n.startswith(f"{folder}{prefix}_")}
    listed = _listed(contents, level, known)
    files = {c: here[f"{folder}{f}".upper()] for c, (_, f) in listed.items()
             if f"{folder}{f}".upper() in here}  # fmt: skip
    qa = contents.get("FILE_NAME_QUALITY_L1_PIXEL", f"{prefix}_QA_PIXEL.TIF")
    name = contents.get("LANDSAT_PRODUCT_ID", prefix)
    lost = [own for common, (own, _) in listed.items() if common not in files]
    made = contents.get("DATE_PRODUCT_GENERATED") or groups.get(
        "LEVEL2_PROCESSING_RECORD", {}).get("DATE_PRODUCT_GENERATED", "")  # fmt: skip
    tier = contents.get("COLLECTION_CATEGORY", "")
    return Product(
        name=name,
        kind=f"Landsat {level[:2]}",
        archive=archive,
        day=_day(archive, metadata, image),
        same=(image.get("SPACECRAFT_ID", ""), image.get("WRS_PATH", ""), image.get("WRS_ROW", ""),
              image.get("DATE_ACQUIRED", ""), level[:2]),
        rank=(_TIERS.get(tier, 0), _processed(name), made, archive.is_folder),
        version=f"{tier} of {_processed(name) or made}",
        level="boa" if level.startswith("L2") else "toa",
        facts=_facts(name, level, groups, listed),
        ids={common: own for common, (own, _) in listed.items()},
        files=files,
        mask="qa_pixel",
        mask_files=(here[f"{folder}{qa}".upper()],) if f"{folder}{qa}".upper() in here else (),
        no_mask=f"its quality bits, {qa}, are missing",
        missing=f"{', '.join(lost)} missing" if lost else "",
        spare=_SPARE,
    )  # fmt: skip


def parse_mtl(text: str) -> Groups:
    """Values by name, by the innermost group that holds them; the first of a group counts."""
    groups: Groups = {}
    stack: list[str] = []
    for line in text.splitlines():
        match = _PAIR.match(line)
        if match is None:
            continue
        key, value = match[1], match[2]
        if key == "GROUP":
            stack.append(value)
        elif key == "END_GROUP":
            del stack[-1:]
        elif stack:
            groups.setdefault(stack[-1], {}).setdefault(key, value)
    return groups


def _names(spacecraft: str) -> dict[str, str]:
    return LANDSAT_OLI if spacecraft in ("LANDSAT_8", "LANDSAT_9") else LANDSAT_TM


def _listed(
    contents: dict[str, str], level: str, known: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Own name and file of each band that the metadata list, by common name.

    Thermal bands of level 1 hold radiance, which is no temperature, and are left out.
    """
    found = {}
    for key, file in contents.items():
        match = _BAND.search(file) if key.startswith("FILE_NAME_BAND") else None
        common = known.get(match[1].upper()) if match else None
        if match and common and not (level.startswith("L1") and common.startswith("lwir")):
            found[common] = (match[1].upper(), file)
    return found


def _facts(name: str, level: str, groups: Groups, listed: dict[str, tuple[str, str]]) -> SceneFacts:
    image = groups["IMAGE_ATTRIBUTES"]
    return SceneFacts(
        scene=name, collection=f"landsat-c2-{level[:2].lower()}", host=PRODUCT, level=level,
        platform=image.get("SPACECRAFT_ID"),
        properties={
            "landsat:collection_number": groups["PRODUCT_CONTENTS"].get("COLLECTION_NUMBER", ""),
            "view:sun_elevation": _number(image.get("SUN_ELEVATION")),
        },
        bands={common: _band_facts(own, level, groups) for common, (own, _) in listed.items()},
    )  # fmt: skip


def _band_facts(own: str, level: str, groups: Groups) -> BandFacts:
    number = own.rpartition("B")[2]
    if own.startswith("ST_"):
        group, key = groups.get("LEVEL2_SURFACE_TEMPERATURE_PARAMETERS", {}), "TEMPERATURE"
        band = own
    elif level.startswith("L2"):
        group, key = groups.get("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS", {}), "REFLECTANCE"
        band = number
    else:
        group, key = groups.get("LEVEL1_RADIOMETRIC_RESCALING", {}), "REFLECTANCE"
        band = number
    return BandFacts(
        own, "uint16",
        _number(group.get(f"{key}_MULT_BAND_{band}")), _number(group.get(f"{key}_ADD_BAND_{band}")),
    )  # fmt: skip


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _processed(name: str) -> str:
    """Day of processing in a product's name, such as 20200910."""
    match = re.match(r"L\w{3}_L\w{3}_\d{6}_\d{8}_(\d{8})_", name)
    return match[1] if match else ""


def _day(archive: Archive, metadata: str, image: dict[str, str]) -> date:
    text = image.get("DATE_ACQUIRED", "")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RasterError(
            f"{archive.path}: {metadata} has the date {text!r}, perhaps it is cut short; "
            "fetch the product again"
        ) from error
