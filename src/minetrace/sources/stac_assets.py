"""Which bands the assets of a STAC item hold, by what the item says; opens no file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from minetrace.core.bands import COMMON_NAMES, LANDSAT_OLI, SENTINEL2, common_name, is_embedding
from minetrace.sources.masks import MaskKind

_MASKS: Mapping[str, MaskKind] = {"scl": "scl", "qa_pixel": "qa_pixel", "fmask": "fmask"}
_RED_EDGES = {"rededge1": "rededge071", "rededge2": "rededge075", "rededge3": "rededge078"}
_LANDSAT_TM = {"SR_B1": "blue", "SR_B2": "green", "SR_B3": "red", "SR_B4": "nir08",
               "SR_B5": "swir16", "SR_B7": "swir22", "ST_B6": "lwir"}  # fmt: skip
_RASTERS = (".tif", ".tiff", ".jp2", ".vrt")

# Collections whose assets are known by name alone: what else they hold is no band of ours, and
# catalogs call their bands by names that mean others here. HLS has water vapour and cirrus as seen
# from above the air; its narrow infrared is the same light in both sensors.
_KNOWN: Mapping[str, Mapping[str, str]] = {
    r"hlss30|hls2?-s30": {
        own: name for own, name in SENTINEL2.items() if own not in ("B09", "B10")
    },
    r"hlsl30|hls2?-l30": {
        "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "nir08",
        "B06": "swir16", "B07": "swir22", "B10": "lwir11", "B11": "lwir12",
    },
    r"cop-dem-glo": {"data": "elevation"},
}  # fmt: skip


@dataclass(frozen=True)
class Asset:
    """One band of a raster of an item.

    Attributes:
        key: its name in the item.
        href: where it is, without any signature.
        dtype, nodata, scale, offset: what the item says of its counts; None where it does not.
        resolution_m: of its pixels, in units of its CRS; None if not said.
        index: position of the band in the raster, from 1.
    """

    key: str
    href: str
    dtype: str | None = None
    nodata: float | None = None
    scale: float | None = None
    offset: float | None = None
    resolution_m: float | None = None
    index: int = 1


def rasters(
    told: Mapping[str, Any], platform: str, alternate: str = ""
) -> tuple[dict[str, Asset], tuple[MaskKind, Asset] | None]:
    """The bands of an item by common name, and its mask with the kind that it is.

    Args:
        told: the item as JSON.
        platform: that took it; "" if not said.
        alternate: which of an asset's further addresses to take, where it has one.
    """
    bands: dict[str, Asset] = {}
    mask: tuple[MaskKind, Asset] | None = None
    known = _known(str(told.get("collection") or ""))
    for key, asset in (told.get("assets") or {}).items():
        if not _is_raster(asset):
            continue
        plain = re.sub(r"([-_]jp2|[-_]\d+m)$", "", key)
        found = _asset(key, asset, alternate)
        if layers := _layers(key, asset):
            bands |= {name: replace(found, index=i) for name, i in layers.items()}
        elif kind := _MASKS.get(plain.lower()):
            if mask is None or _rank(found) < _rank(mask[1]):
                mask = kind, found
        elif (name := known.get(plain) if known else _common(plain, asset, platform)) and (
            name not in bands or _rank(found) < _rank(bands[name])
        ):
            bands[name] = found
    return ordered(bands), mask


def ordered(bands: Mapping[str, Asset]) -> dict[str, Asset]:
    """Bands in the order of the common names, wherever they come from; then embeddings."""
    names = (*COMMON_NAMES, *sorted(name for name in bands if is_embedding(name)))
    return {name: bands[name] for name in names if name in bands}


def _known(collection: str) -> Mapping[str, str]:
    """Names of the assets of a collection that is known; empty for any other."""
    word = collection.lower().replace("_", "-")
    return next((names for start, names in _KNOWN.items() if re.match(start, word)), {})


def _layers(key: str, asset: Mapping[str, Any]) -> dict[str, int]:
    """Positions of the dimensions of embeddings in one raster, by name.

    They are named one by one (``e000`` or ``A00``), or the asset is called an embedding and only
    says how many it has: then they are numbered from ``e000`` on.
    """
    kinds = ("bands", "eo:bands", "raster:bands")
    told: list[Mapping[str, Any]] = next((asset[k] for k in kinds if asset.get(k)), [])
    names = [common_name(str(one.get("name") or one.get("description") or "")) for one in told]
    if len(told) > 1 and all(name is not None and is_embedding(name) for name in names):
        return {str(name): i for i, name in enumerate(names, start=1)}
    if len(told) > 1 and "embedding" in key.lower():
        return {f"e{i:03d}": i + 1 for i in range(len(told))}
    return {}


def _is_raster(asset: Mapping[str, Any]) -> bool:
    if {"thumbnail", "overview", "visual"} & set(asset.get("roles") or ()):
        return False
    suffix = PurePosixPath(urlsplit(str(asset.get("href", ""))).path).suffix.lower()
    return suffix in _RASTERS or "geotiff" in str(asset.get("type", ""))


def _rank(asset: Asset) -> tuple[float, bool]:
    """Finest first, and of equals the one that is not JPEG 2000."""
    return asset.resolution_m or 1e9, asset.href.endswith(".jp2")


def _common(plain: str, asset: Mapping[str, Any], platform: str) -> str | None:
    """The common name of an asset of one band."""
    told = asset.get("bands") or asset.get("eo:bands") or []
    if len(told) > 1:
        return None
    one = told[0] if told else {}
    said = one.get("eo:common_name") or one.get("common_name")
    for word in (said, plain, one.get("name")):
        if name := _named(str(word or ""), platform):
            return name
    return None


def _named(word: str, platform: str) -> str | None:
    if word.lower() in COMMON_NAMES:
        return word.lower()
    if word.lower() in _RED_EDGES:
        return _RED_EDGES[word.lower()]
    if platform.lower().startswith("landsat"):
        old = re.search(r"[4-7]$", platform) is not None
        return (_LANDSAT_TM if old else LANDSAT_OLI).get(word.upper())
    return SENTINEL2.get(word.upper())


def _asset(key: str, asset: Mapping[str, Any], alternate: str) -> Asset:
    told = (asset.get("raster:bands") or asset.get("bands") or [{}])[0]

    def said(name: str) -> Any:
        for where, word in ((told, name), (told, f"raster:{name}"), (asset, f"raster:{name}"),
                            (asset, name)):  # fmt: skip
            if where.get(word) is not None:
                return where[word]
        return None

    href = ((asset.get("alternate") or {}).get(alternate) or {}).get("href") or asset["href"]
    return Asset(
        key=key, href=str(href), dtype=said("data_type"), nodata=_number(said("nodata")),
        scale=_number(said("scale")), offset=_number(said("offset")),
        resolution_m=_number(_resolution(key, asset, said)),
    )  # fmt: skip


def _resolution(key: str, asset: Mapping[str, Any], said: Any) -> Any:
    if asset.get("proj:transform"):
        return abs(asset["proj:transform"][0])
    suffix = re.search(r"[-_](\d+)m$", key)
    return said("spatial_resolution") or asset.get("gsd") or (suffix[1] if suffix else None)


def _number(value: Any) -> float | None:
    """A number, also where JSON holds it as the text ``nan``."""
    return None if value is None else float(value)
