"""How sure a scorer is, per pixel or per cell, and where nobody looked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

SCALE = 10_000
NOT_LOOKED = 65_535


@dataclass(frozen=True)
class Scores:
    """Probabilities x 10,000 on one GeoBox.

    Attributes:
        names: what each band is: class names for a pixel model; for a patch model statistics
            over the windows that cover a cell, ``mean`` first and ``max`` second.
        values: (bands, height, width) uint16, NOT_LOOKED where nobody looked.
        geobox: where the cells are; for a patch model a cell is a stride, not a pixel.
    """

    names: tuple[str, ...]
    values: NDArray[np.uint16]
    geobox: GeoBox

    def __post_init__(self) -> None:
        shape = (len(self.names), *map(int, self.geobox.shape))
        if self.values.shape != shape or self.values.dtype != np.uint16:
            raise ValueError(
                f"Scores: values {self.values.dtype}{self.values.shape}, not uint16{shape}"
            )

    @property
    def looked(self) -> NDArray[np.bool_]:
        """(height, width), True where somebody looked."""
        return np.asarray(self.values[0] != NOT_LOOKED)

    def band(self, name: str) -> NDArray[np.uint16]:
        """(height, width) of one named band."""
        return np.asarray(self.values[self.names.index(name)])


def encode(probability: NDArray[np.floating], looked: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Probabilities 0..1 to uint16 x 10,000, NOT_LOOKED where ``looked`` is False."""
    scaled = np.rint(np.clip(np.nan_to_num(probability), 0.0, 1.0) * SCALE).astype(np.uint16)
    return np.where(looked, scaled, np.uint16(NOT_LOOKED))


def decode(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Uint16 x 10,000 to probabilities, NaN where nobody looked."""
    return np.where(values == NOT_LOOKED, np.nan, values / np.float32(SCALE)).astype(np.float32)
