"""Small scenes written to disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer

UTM = "EPSG:32719"
CORNER = (350_000.0, 8_590_000.0)
BANDS = ("blue", "green", "red", "nir")


def write_scene(
    path: Path,
    pixels: np.ndarray,
    *,
    crs: str | None = UTM,
    affine: Affine | None = None,
    names: Sequence[str | None] = (),
    scale: float | None = 1e-4,
    offset: float = 0.0,
    nodata: float | None = 0,
    tags: dict[str, str] | None = None,
    **profile: Any,
) -> Path:
    """A GeoTIFF of (bands, height, width)."""
    place = affine or Affine(10, 0, CORNER[0], 0, -10, CORNER[1])
    with rasterio.open(
        path, "w", driver="GTiff", crs=crs, transform=place, nodata=nodata, dtype=pixels.dtype,
        count=len(pixels), height=pixels.shape[1], width=pixels.shape[2], **profile,
    ) as target:  # fmt: skip
        if names:
            target.descriptions = tuple(names)
        if scale is not None:
            target.scales = (scale,) * len(pixels)
            target.offsets = (offset,) * len(pixels)
        target.update_tags(**(tags or {}))
        target.write(pixels)
    return path


def ground(height: int = 90, width: int = 110, bands: int = 4, seed: int = 0) -> np.ndarray:
    """Counts of smooth, noisy ground, none of them 0."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    wave = 900 + 500 * np.sin(x / 9) + 400 * np.cos(y / 7)
    layers = [wave * (1 + band / 3) + rng.normal(0, 60, wave.shape) for band in range(bands)]
    return np.clip(np.rint(layers), 1, 9000).astype(np.uint16)


def classes(height: int = 90, width: int = 110) -> np.ndarray:
    """Scene classes: a cloud, its shadow, dark ground, a strip without data, bare ground."""
    scl = np.full((height, width), 5, dtype=np.uint16)
    scl[20:32, 30:50] = 9
    scl[36:44, 36:56] = 3
    scl[60:70, 10:20] = 2
    scl[:, :4] = 0
    return scl


def degrees_affine(height: int, width: int) -> Affine:
    """About ten metres a pixel, over the same place, in longitude and latitude."""
    to = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    west, north = to.transform(*CORNER)
    east, south = to.transform(CORNER[0] + 10 * width, CORNER[1] - 10 * height)
    return Affine((east - west) / width, 0, west, 0, (south - north) / height, north)


def with_scl(pixels: np.ndarray) -> np.ndarray:
    """The same with scene classes as the last band; no data where they say so."""
    scl = classes(*pixels.shape[1:])
    return np.concatenate([np.where(scl == 0, 0, pixels), scl[None]]).astype(np.uint16)
