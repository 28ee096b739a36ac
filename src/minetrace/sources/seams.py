"""Rasters that were cut into files, interpolated across their edges as if they were one.

A bilinear mean at a file's edge wants pixels of the next file. Each image is given a margin, filled
from its neighbours on the same lattice; it still shows no more ground than its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.sources import place
from minetrace.sources.image import Band, Image, RasterFile
from minetrace.sources.shot import Shot

PAD_PX = 1  # what a bilinear mean looks at beyond a pixel


@dataclass(frozen=True, eq=False)
class PaddedFile(RasterFile):
    """A band with a margin; its pixels are counted from the margin's corner.

    Attributes:
        parts: where the band and those beside it lie, and their files and positions there.
        fill: what is where no file is.
    """

    parts: tuple[tuple[Rect, RasterFile, int], ...] = field(kw_only=True)
    fill: float = field(kw_only=True)
    dtype: str = field(kw_only=True)

    def read(self, indexes: Sequence[int], window: Rect) -> list[NDArray[Any]]:
        """Counts of a window; see ``RasterFile.read``."""
        found = np.full(window.shape, self.fill, self.dtype)
        for rect, file, index in self.parts:
            there = rect & window
            if not there.empty:
                own = Rect(there.row - rect.row, there.col - rect.col, *there.shape)
                found[there.within(window)] = file.read((index,), own)[0]
        return [found]


def padded(shots: Sequence[Shot], grid: Grid) -> list[Shot]:
    """Shots of one scene, whose images reach into each other where they have one lattice.

    What has a mask, or lies on the grid's own pixels, stays as it is.
    """
    return [
        replace(one, images=tuple(
            _padded(image, [i for other in shots if other is not one for i in other.images])
            if _may_be(image) and place.lattice_rect(image, grid) is None else image
            for image in one.images
        ))
        for one in shots
    ]  # fmt: skip


def _may_be(image: Image) -> bool:
    """True if nothing but its counts says where an image shows something."""
    told = all(b.nodata is not None or b.dtype.startswith("float") for b in image.bands.values())
    return told and image.mask is None and image.alpha is None and not image.has_mask


def _padded(image: Image, others: Sequence[Image]) -> Image:
    wide = Rect(-PAD_PX, -PAD_PX, image.height + 2 * PAD_PX, image.width + 2 * PAD_PX)
    beside = [(rect, other) for other in others
              if _may_be(other) and (rect := _seen_from(image, other)) is not None
              and not (rect & wide).empty and (rect & image.rect).empty]  # fmt: skip
    if not beside:
        return image
    bands = {name: _wide(band, image.rect, [(rect, other.bands[name]) for rect, other in beside
                                            if name in other.bands])
             for name, band in image.bands.items()}  # fmt: skip
    return replace(
        image, bands=bands, height=wide.height, width=wide.width, pad_px=PAD_PX,
        affine=image.affine * Affine.translation(-PAD_PX, -PAD_PX),
    )  # fmt: skip


def _wide(band: Band, own: Rect, beside: Sequence[tuple[Rect, Band]]) -> Band:
    alike = [(rect, other) for rect, other in beside if _meaning(other) == _meaning(band)]
    parts = tuple(
        (Rect(rect.row + PAD_PX, rect.col + PAD_PX, *rect.shape), one.file, one.index)
        for rect, one in [(own, band), *alike]
    )
    fill = np.nan if band.nodata is None else band.nodata
    file = PaddedFile(band.file.address, parts=parts, fill=fill, dtype=band.dtype)
    return replace(band, file=file, index=1)


def _meaning(band: Band) -> tuple[Any, ...]:
    return band.dtype, repr(band.nodata), repr(band.saturated), band.radiometry


def _seen_from(image: Image, other: Image) -> Rect | None:
    """Where another image lies, in pixels of an image; None if they share no lattice."""
    if not place.same_crs(image.crs, other.crs):
        return None
    to: Affine = image.to_pixel * other.affine
    col, row = to.c, to.f
    size = max(other.height, other.width)
    drift = max(abs(to.a - 1), abs(to.e - 1), abs(to.b), abs(to.d)) * size
    if max(abs(col - round(col)), abs(row - round(row))) + drift > place.ALIGNED_PX:
        return None
    return Rect(round(row), round(col), other.height, other.width)
