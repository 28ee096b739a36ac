"""The scenes of a world, or any others, as a catalog: a COG a band, and a STAC item a scene."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
import shapely
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.transform import Affine, array_bounds
from rasterio.warp import transform_bounds
from shapely.geometry import box

Style = Literal[
    "earth-search", "earth-search-c1", "planetary-computer", "landsat", "hls-s30", "hls-l30",
    "sentinel-1-rtc", "cop-dem", "embeddings",
]  # fmt: skip

_OF_STYLE = {
    "earth-search": "sentinel-2-l2a", "earth-search-c1": "sentinel-2-c1-l2a",
    "planetary-computer": "sentinel-2-l2a", "landsat": "landsat-c2-l2", "hls-s30": "hls2-s30",
    "hls-l30": "hls2-l30", "sentinel-1-rtc": "sentinel-1-rtc", "cop-dem": "cop-dem-glo-30",
    "embeddings": "annual-embeddings",
}  # fmt: skip
_UNSEEN = {"hls-s30": -9999, "hls-l30": -9999, "sentinel-1-rtc": -32768, "cop-dem": None,
           "embeddings": -128}  # fmt: skip
_SENTINEL2 = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "nir08": "B8A",
              "swir16": "B11", "swir22": "B12", "scl": "SCL"}  # fmt: skip
_LANDSAT_HLS = {"blue": "B02", "green": "B03", "red": "B04", "nir08": "B05", "swir16": "B06",
                "swir22": "B07", "lwir11": "B10"}  # fmt: skip
_KEYS = {
    "planetary-computer": _SENTINEL2,
    "hls-s30": {**_SENTINEL2, "fmask": "Fmask"},
    "hls-l30": {**_LANDSAT_HLS, "fmask": "Fmask"},
    "cop-dem": {"elevation": "data"},
}
_MASKS = ("scl", "qa_pixel", "fmask")


@dataclass(frozen=True)
class Shot:
    """One scene to be put into a catalog.

    Attributes:
        id: of the item.
        day: of acquisition.
        bands: common name (or ``scl``, ``qa_pixel``, ``fmask``) to (height, width) of counts, or
            to (layers, height, width) of embeddings.
        affine: of all bands; one per band where they differ.
        properties: over those that the style gives.
        raised: True if 1000 was added to the counts.
    """

    id: str
    day: date
    bands: Mapping[str, npt.NDArray[Any]]
    affine: Affine | Mapping[str, Affine]
    crs: str
    properties: Mapping[str, Any]
    raised: bool = False
    time: str = "14:57:31Z"

    def place(self, band: str) -> Affine:
        """Pixel corner of a band to its CRS."""
        return self.affine if isinstance(self.affine, Affine) else self.affine[band]


def write_catalog(
    folder: Path, shots: Sequence[Shot], *, style: Style = "earth-search-c1", tree: str = "data",
    block_px: int = 512, root: str = "{root}",
) -> Path:  # fmt: skip
    """Write COGs and items; see ``StacServer`` for where they are served.

    Args:
        folder: gets ``items/`` and ``data/``; may hold some already.
        shots: the scenes.
        style: whose metadata the items imitate.
        tree: ``data``, ``signed`` or ``s3``: the part of the server that the items name.
        block_px: side of the COGs' inner tiles.
        root: what addresses begin with; the server fills in its own.

    Returns:
        The folder.
    """
    (folder / "items").mkdir(parents=True, exist_ok=True)
    for shot in shots:
        for band, counts in shot.bands.items():
            path = folder / "data" / shot.id / f"{band}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            unseen = 255 if band == "fmask" else _UNSEEN.get(style, 0)
            write_asset(path, counts, shot.place(band), shot.crs, block_px=block_px, nodata=unseen)
        item = item_of(shot, style, f"{root}/{tree}")
        (folder / "items" / f"{shot.id}.json").write_text(json.dumps(item, indent=1))
    return folder


def write_asset(
    path: Path, counts: npt.NDArray[Any], affine: Affine, crs: str, *, block_px: int = 512,
    nodata: float | None = 0,
) -> None:  # fmt: skip
    """A band, or layers, as a COG with overviews, ``nodata`` for what was not seen."""
    layers = counts.reshape(-1, *counts.shape[-2:])
    count, height, width = layers.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=width, height=height, count=count, dtype=counts.dtype,
            nodata=nodata, crs=crs, transform=affine,
        ) as target:  # fmt: skip
            target.write(layers)
        with memory.open() as source:
            rasterio.shutil.copy(
                source, path, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BIGTIFF="NO",
                BLOCKSIZE=str(block_px), NUM_THREADS="1", OVERVIEW_RESAMPLING="NEAREST",
            )  # fmt: skip


def world_shots(scenes: Path) -> list[Shot]:
    """The scenes that ``make_world`` wrote, with their classes as the asset ``scl``."""
    shots = []
    for path in sorted(scenes.glob("world_*.tif")):
        with rasterio.open(path) as source:
            names = [name.lower() for name in source.descriptions]
            counts = source.read()
            day = date.fromisoformat(source.tags()["ACQUISITION_DATE"])
            raised = bool(source.offsets[0])
            affine, crs = source.transform, source.crs.to_string()
        bands = dict(zip(names, counts, strict=True))
        bands["scl"] = bands["scl"].astype(np.uint8)
        shots.append(Shot(f"S2A_19LCH_{day:%Y%m%d}_0_L2A", day, bands, affine, crs, {}, raised))
    return shots


def item_of(shot: Shot, style: Style, root: str) -> dict[str, Any]:
    """A STAC item in the manner of a catalog."""
    first = next(iter(shot.bands))
    shape = shot.bands[first].shape[-2:]
    bounds = array_bounds(*shape, shot.place(first))
    lonlat = transform_bounds(CRS.from_user_input(shot.crs), "EPSG:4326", *bounds, densify_pts=21)
    properties: dict[str, Any] = {
        "datetime": f"{shot.day.isoformat()}T{shot.time}", **_properties(shot, style),
        **shot.properties,
    }  # fmt: skip
    assets = {}
    for band in shot.bands:
        key = _key(band, style)
        assets[key] = {
            "href": f"{root}/{shot.id}/{band}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "roles": ["data"], **_asset(shot, band, style),
        }  # fmt: skip
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": shot.id,
        "stac_extensions": [], "collection": _OF_STYLE[style],
        "geometry": shapely.geometry.mapping(box(*lonlat)), "bbox": list(lonlat),
        "properties": properties, "assets": assets, "links": [],
    }  # fmt: skip


def _key(band: str, style: Style) -> str:
    return _KEYS.get(style, {}).get(band, band)


def _properties(shot: Shot, style: Style) -> dict[str, Any]:
    if style == "landsat":
        return {"platform": "landsat-8", "landsat:collection_number": "02",
                "landsat:correction": "L2SP", "landsat:wrs_path": "218"}  # fmt: skip
    if style in _PROPERTIES:
        return dict(_PROPERTIES[style])
    baseline = "04.00" if shot.raised else "03.01"
    said: dict[str, Any] = {
        "platform": "sentinel-2a", "constellation": "sentinel-2", "grid:code": "MGRS-19LCH",
        "s2:processing_baseline": "05.09" if style == "earth-search-c1" and shot.raised
        else baseline,
    }  # fmt: skip
    if style == "earth-search":
        said["earthsearch:boa_offset_applied"] = not shot.raised
    return said


_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "hls-s30": {"platform": "sentinel-2a", "eo:cloud_cover": 12},
    "hls-l30": {"platform": "landsat-8", "eo:cloud_cover": 20},
    "sentinel-1-rtc": {
        "platform": "SENTINEL-1A", "constellation": "Sentinel-1", "sat:relative_orbit": 25,
        "sar:instrument_mode": "IW", "sat:orbit_state": "descending",
    },
    "cop-dem": {"platform": "TanDEM-X", "gsd": 30},
    "embeddings": {},
}  # fmt: skip


def _asset(shot: Shot, band: str, style: Style) -> dict[str, Any]:
    counts = shot.bands[band]
    said: dict[str, Any] = {
        "proj:shape": list(counts.shape[-2:]), "proj:transform": list(shot.place(band))[:6],
    }  # fmt: skip
    if style in _PROPERTIES:
        return _asset_of_kind(counts, band, style)
    if band in _MASKS:
        return {**said, "raster:bands": [{"nodata": 0, "data_type": str(counts.dtype)}]}
    said["eo:bands"] = [{"name": _SENTINEL2.get(band, band), "common_name": band}]
    about: dict[str, Any] = {"nodata": 0, "data_type": str(counts.dtype)}
    if style in ("earth-search", "earth-search-c1"):
        about |= {"scale": 1e-4, "offset": -0.1 if shot.raised else 0}
    if style == "landsat":
        thermal = band.startswith("lwir")
        about |= {"scale": 0.00341802 if thermal else 2.75e-5, "offset": 149.0 if thermal else -0.2}
    return said if style == "planetary-computer" else {**said, "raster:bands": [about]}


def _asset_of_kind(counts: npt.NDArray[Any], band: str, style: Style) -> dict[str, Any]:
    """What the catalogs of HLS, radar, terrain and embeddings say: little, and some of it odd."""
    about: dict[str, Any] = {"nodata": _UNSEEN[style], "data_type": str(counts.dtype)}
    if style == "hls-l30":  # its near infrared is as narrow as Sentinel-2's B8A, and called so
        own = {"name": _key(band, style), "common_name": "nir" if band == "nir08" else band}
        return {"eo:bands": [own if band != "fmask" else {"name": "Fmask"}]}
    if style == "hls-s30":
        return {"eo:bands": [{"name": _key(band, style)}]}
    if style == "cop-dem":
        return {"raster:bands": [{"sampling": "point", "data_type": "float32", "unit": "meter",
                                  "spatial_resolution": 30}]}  # fmt: skip
    if style == "embeddings":
        scale = {"scale": 1 / 128, "offset": 0.0}
        return {"bands": [{"name": f"A{i:02d}", **about, **scale} for i in range(len(counts))]}
    return {"raster:bands": [{**about, "spatial_resolution": 10}]}
