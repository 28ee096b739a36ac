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

Style = Literal["earth-search", "earth-search-c1", "planetary-computer", "landsat"]

_OF_STYLE = {
    "earth-search": "sentinel-2-l2a", "earth-search-c1": "sentinel-2-c1-l2a",
    "planetary-computer": "sentinel-2-l2a", "landsat": "landsat-c2-l2",
}  # fmt: skip
_SENTINEL2 = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "nir08": "B8A",
              "swir16": "B11", "swir22": "B12", "scl": "SCL"}  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """One scene to be put into a catalog.

    Attributes:
        id: of the item.
        day: of acquisition.
        bands: common name (or ``scl``, ``qa_pixel``) to (height, width) of counts.
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
            write_asset(path, counts, shot.place(band), shot.crs, block_px=block_px)
        item = item_of(shot, style, f"{root}/{tree}")
        (folder / "items" / f"{shot.id}.json").write_text(json.dumps(item, indent=1))
    return folder


def write_asset(
    path: Path, counts: npt.NDArray[Any], affine: Affine, crs: str, *, block_px: int = 512
) -> None:
    """One band as a COG with overviews, 0 for what was not seen."""
    height, width = counts.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=width, height=height, count=1, dtype=counts.dtype, nodata=0,
            crs=crs, transform=affine,
        ) as target:  # fmt: skip
            target.write(counts, 1)
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
    shape = shot.bands[first].shape
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
    return _SENTINEL2.get(band, band) if style == "planetary-computer" else band


def _properties(shot: Shot, style: Style) -> dict[str, Any]:
    if style == "landsat":
        return {"platform": "landsat-8", "landsat:collection_number": "02",
                "landsat:correction": "L2SP", "landsat:wrs_path": "218"}  # fmt: skip
    baseline = "04.00" if shot.raised else "03.01"
    said: dict[str, Any] = {
        "platform": "sentinel-2a", "constellation": "sentinel-2", "grid:code": "MGRS-19LCH",
        "s2:processing_baseline": "05.09" if style == "earth-search-c1" and shot.raised
        else baseline,
    }  # fmt: skip
    if style == "earth-search":
        said["earthsearch:boa_offset_applied"] = not shot.raised
    return said


def _asset(shot: Shot, band: str, style: Style) -> dict[str, Any]:
    counts = shot.bands[band]
    said: dict[str, Any] = {
        "proj:shape": list(counts.shape), "proj:transform": list(shot.place(band))[:6],
    }  # fmt: skip
    if band in ("scl", "qa_pixel"):
        return {**said, "raster:bands": [{"nodata": 0, "data_type": str(counts.dtype)}]}
    said["eo:bands"] = [{"name": _SENTINEL2.get(band, band), "common_name": band}]
    about: dict[str, Any] = {"nodata": 0, "data_type": str(counts.dtype)}
    if style in ("earth-search", "earth-search-c1"):
        about |= {"scale": 1e-4, "offset": -0.1 if shot.raised else 0}
    if style == "landsat":
        thermal = band.startswith("lwir")
        about |= {"scale": 0.00341802 if thermal else 2.75e-5, "offset": 149.0 if thermal else -0.2}
    return said if style == "planetary-computer" else {**said, "raster:bands": [about]}
