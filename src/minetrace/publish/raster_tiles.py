"""Raster tiles as PNG: the usual pyramid of Web Mercator squares, and how scores are coloured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from minetrace.core.grid import Grid, Rect
from minetrace.publish.pmtiles import Place

TILE_PX = 256
MERCATOR = "EPSG:3857"
SIDE_M = 2 * math.pi * 6_378_137.0  # of the whole pyramid
LAST_ZOOM = 18

# Dark for doubt, light for certainty, even in lightness; faint scores let the picture through.
_RAMP = ((0.0, (68, 1, 84, 0)), (0.2, (72, 40, 120, 110)), (0.5, (181, 54, 122, 190)),
         (0.8, (251, 136, 97, 225)), (1.0, (252, 253, 191, 245)))  # fmt: skip


def on_lattice(place: Place) -> tuple[Grid, Rect]:
    """The pixels of a tile, counted from the CRS origin."""
    grid = Grid(MERCATOR, SIDE_M / (TILE_PX << place.zoom))
    half = TILE_PX << place.zoom >> 1
    return grid, Rect(
        place.row * TILE_PX - half, place.column * TILE_PX - half, TILE_PX, TILE_PX
    )  # fmt: skip


def first_zoom(resolution_m: float, most_px: int) -> int:
    """The zoom from which on a tile covers at most ``most_px`` stored pixels a side."""
    return max(0, math.ceil(math.log2(SIDE_M / (resolution_m * most_px))))


def coloured(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(h, w) scores from 0 to 1 as (4, h, w) red, green, blue, opacity; NaN is transparent."""
    stops = [stop for stop, _ in _RAMP]
    known = np.nan_to_num(scores, nan=0.0)
    channels = [np.interp(known, stops, [colour[k] for _, colour in _RAMP]) for k in range(4)]
    channels[3] = np.where(np.isnan(scores), 0, channels[3])
    return np.stack(channels).round().astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """(4, h, w) red, green, blue, opacity as PNG bytes."""
    profile: dict[str, Any] = {
        "driver": "PNG", "count": 4, "height": pixels.shape[1], "width": pixels.shape[2],
        "dtype": "uint8", "ZLEVEL": 6,
        "transform": Affine.scale(2, -2),  # any, to keep GDAL quiet
    }  # fmt: skip
    with MemoryFile(ext=".png") as memory:
        with memory.open(**profile) as image:
            image.write(pixels)
        return bytes(memory.read())
