"""True-colour pictures of a composite, small enough to travel inside a map.

The default stretch is fixed: equal ground has an equal colour in every tile and period, so that a
change between two pictures is a change on the ground. Pixels without a clear look are transparent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

REFLECTANCE_SCALE = 1e-4
WEBP_QUALITY = 82
LOSSLESS_PX = 1 << 16  # pixels of a picture as small as this are seen one by one

LonLat = tuple[float, float]
Corners = tuple[LonLat, LonLat, LonLat, LonLat]


@dataclass(frozen=True)
class Picture:
    """One true-colour picture of one period.

    Attributes:
        period: the label of its period.
        data: the encoded image.
        mime: its media type, such as ``image/webp``.
        corners: longitude and latitude of the outer corners, in degrees: top left, top right,
            bottom right, bottom left.
        looked_share: share of its pixels with enough clear looks, 0 to 1.
        shown_px: how many of its own pixels show any ground.
        lent_px: how many of these show it as a neighbouring period saw it.
    """

    period: str
    data: bytes
    mime: str
    corners: Corners
    looked_share: float
    shown_px: int = 0
    lent_px: int = 0

    def __post_init__(self) -> None:
        if len(self.corners) != 4:
            raise ValueError(f"Picture {self.period}: 4 corners, not {len(self.corners)}")


@dataclass(frozen=True)
class Stretch:
    """From surface reflectance to the grey values of a screen.

    A value becomes ``((reflectance - low) / (high - low)) ** (1 / gamma)``, cut to 0 and 1.
    Each of ``low`` and ``high`` is red, green, blue.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    gamma: float


# Forest is 0.02 to 0.05 in the visible bands, dry bare ground 0.2 to 0.35: both keep their texture.
NATURAL = Stretch(low=(0.005, 0.012, 0.012), high=(0.30, 0.29, 0.28), gamma=1.75)


def robust_stretch(
    red: NDArray[np.int16],
    green: NDArray[np.int16],
    blue: NDArray[np.int16],
    valid: NDArray[np.bool_],
    *,
    percent: float = 1.0,
    gamma: float = 1.5,
) -> Stretch:
    """A stretch from the pixels themselves, to be made once for all pictures of a run.

    Args:
        red: (h, w) or (n,) reflectance x 10,000.
        green: likewise.
        blue: likewise.
        valid: likewise; other pixels are ignored.
        percent: how much of each band is cut off at either end.
        gamma: above 1 lifts the dark.

    Returns:
        The stretch, or ``NATURAL`` where no pixel is valid.
    """
    if not valid.any():
        return NATURAL
    ends = [
        np.percentile(band[valid] * REFLECTANCE_SCALE, (percent, 100 - percent))
        for band in (red, green, blue)
    ]
    low = [float(end[0]) for end in ends]
    high = [max(float(end[1]), float(end[0]) + 1e-3) for end in ends]
    return Stretch((low[0], low[1], low[2]), (high[0], high[1], high[2]), gamma)


def true_colour(
    red: NDArray[np.int16],
    green: NDArray[np.int16],
    blue: NDArray[np.int16],
    valid: NDArray[np.bool_],
    *,
    max_px: int,
    stretch: Stretch = NATURAL,
) -> bytes:
    """A WebP picture, transparent where nothing was seen.

    Args:
        red: (h, w) reflectance x 10,000.
        green: likewise.
        blue: likewise.
        valid: (h, w), True where the pixel had enough clear looks.
        max_px: the longer side of the picture is at most this; pixels are averaged in whole
            blocks, over the valid ones alone.
        stretch: the colours; the default is the same for every run.

    Returns:
        The encoded picture, ``image/webp``. Its corners are those of the input.

    Raises:
        ValueError: the arrays differ in shape, or ``max_px`` is below 1.
    """
    shapes = {band.shape for band in (red, green, blue, valid)}
    if len(shapes) != 1 or valid.ndim != 2:
        raise ValueError(f"true_colour: bands and mask must be one (h, w), not {sorted(shapes)}")
    if max_px < 1:
        raise ValueError(f"true_colour: max_px is {max_px}; give at least 1")
    edges = [_edges(side, min(1.0, max_px / max(valid.shape))) for side in valid.shape]
    count = _block_sum(valid.astype(np.float32), *edges)
    whole = _block_sum(np.ones_like(valid, dtype=np.float32), *edges)
    mean = np.stack([
        _block_sum(np.where(valid, band, 0).astype(np.float32), *edges) / np.maximum(count, 1)
        for band in (red, green, blue)
    ])  # fmt: skip
    return webp(shade(mean, stretch), count * 2 >= whole)


def shade(bands: NDArray[np.floating[Any]], stretch: Stretch) -> NDArray[np.uint8]:
    """(3, h, w) reflectance x 10,000, red, green, blue, to grey values of a screen."""
    low, high = (
        np.array(end, dtype=np.float32)[:, None, None] for end in (stretch.low, stretch.high)
    )
    light = (bands * np.float32(REFLECTANCE_SCALE) - low) / (high - low)
    return np.round(255 * np.clip(light, 0, 1) ** (1 / stretch.gamma)).astype(np.uint8)


def _edges(side: int, share: float) -> NDArray[np.intp]:
    """Where each block of rows or columns begins."""
    blocks = max(1, int(np.floor(side * share)))
    return np.arange(blocks) * side // blocks


def _block_sum(
    band: NDArray[np.float32], rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[np.float32]:
    if (len(rows), len(cols)) == band.shape:
        return band
    return np.asarray(np.add.reduceat(np.add.reduceat(band, rows, axis=0), cols, axis=1))


def webp(colours: NDArray[np.uint8], visible: NDArray[np.bool_]) -> bytes:
    """(3, h, w) red, green, blue as WebP bytes, transparent where not ``visible`` (h, w)."""
    picture = np.concatenate([colours, np.where(visible, 255, 0).astype(np.uint8)[None]])
    profile: dict[str, Any] = {
        "driver": "WEBP",
        "count": 4,
        "height": picture.shape[1],
        "width": picture.shape[2],
        "dtype": "uint8",
        "transform": Affine.scale(2, -2),  # any, to keep GDAL quiet: the corners place it
        "QUALITY": WEBP_QUALITY,
        "LOSSLESS": str(visible.size <= LOSSLESS_PX),
    }
    with MemoryFile(ext=".webp") as memory:
        with memory.open(**profile) as image:
            image.write(picture)
        return bytes(memory.read())
