"""All bands of one scene, on one grid of pixels or on several, read as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.sources import aligned, place, warp
from minetrace.sources.image import Image
from minetrace.sources.masks import MaskOptions, dilate, dilation_px
from minetrace.sources.options import as_json

ShotLevel = Literal["toa", "boa"]


@dataclass(frozen=True)
class Shot:
    """What was taken as one scene.

    Attributes:
        name: of the file or product.
        day: when it was taken.
        images: the finest first; no band is in two of them.
        level: ``toa`` or ``boa``; None if nobody says it.
    """

    name: str
    day: date
    images: tuple[Image, ...]
    level: ShotLevel | None = None

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names, image by image."""
        return tuple(band for image in self.images for band in image.bands)

    @property
    def masking(self) -> MaskOptions | None:
        """How its clouds are masked; the same for all its images."""
        return self.images[0].mask.options if self.images[0].mask else None


def footprint(shot: Shot) -> BaseGeometry:
    """The frame of the images, EPSG:4326."""
    return place.footprint(shot.images[0])


def read(shot: Shot, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
    """Pixels of a scene on a rectangle of a grid; see ``Source.read``.

    An image whose pixels are the grid's is read as it is; any other is warped once, bilinearly,
    or averaged on a coarser grid.

    Args:
        bands: common names, each one of the shot's.

    Raises:
        ReadFailedError: a file cannot be read, for example because it is cut short.
    """
    pixels = np.full((len(bands), *rect.shape), NODATA, dtype=np.int16)
    valid = np.ones(rect.shape, dtype=bool)
    for image in shot.images:
        wanted = [band for band in bands if band in image.bands]
        if wanted:
            some, seen = _pixels(image, wanted, grid, rect)
            pixels[[list(bands).index(band) for band in wanted]] = some
            valid &= seen
    _grow_mask(shot.images[0], grid, rect, valid)
    pixels[:, ~valid] = NODATA
    return Raster(tuple(bands), pixels, valid, grid.geobox(rect))


def signature(shot: Shot) -> dict[str, Any]:
    """Name, bytes and time of change of the scene's files, and how their counts are read.

    ``turned`` changes whenever the same turned image would give other pixels.
    """
    mask = shot.images[0].mask
    return {
        "name": shot.name,
        "files": [list(part) for part in sorted({p for i in shot.images for p in i.parts})],
        "bands": {
            name: [b.index, b.nodata, b.radiometry.scale, b.radiometry.offset]
            for image in shot.images
            for name, b in image.bands.items()
        },
        "mask": [list(mask.indexes), as_json(mask.options)] if mask else None,
        **({"turned": 2} if any(i.affine.b or i.affine.d for i in shot.images) else {}),
    }


def _grow_mask(image: Image, grid: Grid, rect: Rect, valid: NDArray[np.bool_]) -> None:
    """Take out of ``valid`` what lies within the mask's dilation of cloud and shadow."""
    dilate_m = image.mask.options.dilate_m if image.mask else 0.0
    margin = dilation_px(dilate_m, grid.resolution_m)
    if margin and valid.any():
        wide = rect.expand(margin)
        spread = dilate(_spread(image, grid, wide), dilate_m / grid.resolution_m)
        valid &= ~spread[rect.within(wide)]


def _pixels(
    image: Image, bands: Sequence[str], grid: Grid, rect: Rect
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    on_lattice = place.lattice_rect(image, grid)
    if on_lattice is not None:
        return aligned.read_pixels(image, on_lattice, bands, rect)
    return warp.read_pixels(image, bands, grid, rect)


def _spread(image: Image, grid: Grid, rect: Rect) -> NDArray[np.bool_]:
    on_lattice = place.lattice_rect(image, grid)
    if on_lattice is not None:
        return aligned.read_spread(image, on_lattice, rect)
    return warp.read_spread(image, grid, rect)
