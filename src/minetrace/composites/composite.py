"""What a reducer makes of many looks at the same ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from minetrace.core.raster import NODATA, Raster


@dataclass(frozen=True)
class Composite:
    """One picture of a period.

    Attributes:
        bands: STAC common names, in the order of ``pixels``.
        pixels: (bands, height, width) int16 reflectance x 1e4, NODATA where not valid.
        clear_looks: (height, width) uint16, how many looks were clear, whatever was made of them.
        median_day: (height, width) int16, median of the day offsets of the looks that the pixel
            is made of; NODATA where there is none.
        valid: (height, width), True where enough looks were clear and the pixel has a value.
        geobox: where the pixels are.
    """

    bands: tuple[str, ...]
    pixels: NDArray[np.int16]
    clear_looks: NDArray[np.uint16]
    median_day: NDArray[np.int16]
    valid: NDArray[np.bool_]
    geobox: GeoBox

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.geobox.shape)
        layers = (self.pixels[0] if len(self.pixels) else self.valid, self.clear_looks,
                  self.median_day, self.valid)  # fmt: skip
        if len(self.pixels) != len(self.bands) or any(one.shape != shape for one in layers):
            raise ValueError(
                f"Composite: pixels {self.pixels.shape}, looks {self.clear_looks.shape} and days "
                f"{self.median_day.shape} do not fit {len(self.bands)} bands on {shape}"
            )

    @classmethod
    def blind(cls, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """What comes of no look at all."""
        shape = tuple(int(n) for n in geobox.shape)
        return cls(
            tuple(bands),
            np.full((len(bands), *shape), NODATA, dtype=np.int16),
            np.zeros(shape, dtype=np.uint16),
            np.full(shape, NODATA, dtype=np.int16),
            np.zeros(shape, dtype=bool),
            geobox,
        )


class Composer(Protocol):
    """Something that is fed looks at one rectangle, one by one, and then gives a composite.

    Attributes:
        margin_px: looks are to reach so far beyond what is asked of ``result``.
    """

    @property
    def margin_px(self) -> int: ...

    def feed(self, day_offset: int, look: Raster) -> None:
        """Take one look, taken so many days after the start of the period."""
        ...

    def result(self, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """The composite of all looks so far, of the named bands."""
        ...


def check_fit(look: Raster, bands: Sequence[str], geobox: GeoBox) -> None:
    """Refuse looks that are not on one rectangle with one set of bands.

    Raises:
        ValueError: the look's bands or GeoBox differ.
    """
    if look.bands != tuple(bands) or look.geobox != geobox:
        raise ValueError(
            f"composite of {', '.join(bands)} on {geobox}: a look has {', '.join(look.bands)} "
            f"on {look.geobox}"
        )
