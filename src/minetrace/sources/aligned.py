"""Images whose pixels are the grid's: read as they are, nothing resampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Rect
from minetrace.core.raster import NODATA
from minetrace.sources.image import Image
from minetrace.sources.radiometry import to_int16


def read_pixels(
    image: Image, place: Rect, bands: Sequence[str], rect: Rect
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Pixels of an image that covers ``place`` of the lattice, on ``rect`` of it.

    Returns:
        (bands, height, width) int16, and (height, width): seen in every band and clear, before
        any dilation.
    """
    pixels = np.full((len(bands), *rect.shape), NODATA, dtype=np.int16)
    valid = np.zeros(rect.shape, dtype=bool)
    part = rect & place
    if not part.empty:
        window = _window(part, place)
        counts, seen = image.read(bands, window)
        seen &= image.read_mask(window)[0]
        rows, cols = part.within(rect)
        valid[rows, cols] = seen
        for band, name in enumerate(bands):
            pixels[band, rows, cols] = to_int16(counts[band], image.bands[name].radiometry)
    return pixels, valid


def read_spread(image: Image, place: Rect, rect: Rect) -> NDArray[np.bool_]:
    """What a dilation grows, (height, width) of ``rect``."""
    spread = np.zeros(rect.shape, dtype=bool)
    part = rect & place
    if not part.empty:
        spread[part.within(rect)] = image.read_mask(_window(part, place))[1]
    return spread


def _window(part: Rect, place: Rect) -> Rect:
    return Rect(part.row - place.row, part.col - place.col, part.height, part.width)
