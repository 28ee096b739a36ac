"""The steepness of ground, from heights on one lattice. Reads no file.

Source: Horn, B. K. P. (1981), "Hill shading and the reflectance map", Proceedings of the IEEE 69,
14-47, https://doi.org/10.1109/PROC.1981.11918: weighted differences over three by three pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from minetrace.core.raster import PER_DEGREE, PER_METRE

CONTEXT_PX = 1  # what a pixel's slope looks at around it


def slope(
    heights: NDArray[np.int16], valid: NDArray[np.bool_], resolution_m: float
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Slope of every pixel that has eight neighbours.

    Args:
        heights: (height, width), stored as elevation is.
        valid: (height, width), where they are known.
        resolution_m: side of a pixel.

    Returns:
        (height - 2, width - 2) int16 as slope is stored, and where it is known: where all nine
        heights are.
    """
    z = heights.astype(np.float64)
    right = z[:-2, 2:] + 2 * z[1:-1, 2:] + z[2:, 2:]
    left = z[:-2, :-2] + 2 * z[1:-1, :-2] + z[2:, :-2]
    below = z[2:, :-2] + 2 * z[2:, 1:-1] + z[2:, 2:]
    above = z[:-2, :-2] + 2 * z[:-2, 1:-1] + z[:-2, 2:]
    run = 8 * resolution_m * PER_METRE
    steepness = ((right - left) ** 2 + (below - above) ** 2) / run**2
    rows, cols = valid.shape
    known = np.ones((rows - 2, cols - 2), dtype=bool)
    for down in range(3):
        for across in range(3):
            known &= valid[down : down + rows - 2, across : across + cols - 2]
    return np.searchsorted(_between_degrees(), steepness).astype(np.int16), known


@lru_cache(maxsize=1)
def _between_degrees() -> NDArray[np.float64]:
    """The square of the tangent between each stored slope and the next.

    A table rather than an arc tangent, so that every pixel is rounded alike.
    """
    stored = np.arange(0, 90 * PER_DEGREE)
    return np.asarray(np.tan(np.radians((stored + 0.5) / PER_DEGREE)) ** 2)
