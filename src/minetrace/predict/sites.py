"""From detections to mined ground, a site at a time.

A site is ground of detecting cells that touch. What delineates it is asked once, and is told where
the detection is and nothing else: no reference outline ever reaches it. Question and picture follow
from the whole site, so that the answer does not depend on how the map was cut. A site too
large to be looked at in one piece is cut by its own box, into parts that are sites of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.model import ModelCard
from minetrace.core.raster import Raster
from minetrace.core.scores import NOT_LOOKED, Scores
from minetrace.predict.delineate import detections, to_pixels
from minetrace.predict.rows import Read

MOST_PX = 1024  # side of the largest site that is looked at in one piece: 10 km of Sentinel-2


@dataclass(frozen=True)
class Site:
    """Detecting cells that touch, or those of them in one part of a very large site.

    Attributes:
        cells: the rectangle around them, in cells.
        inside: (height, width) of that rectangle, which cells are the site's.
        surest: (row, col) of the cell with the highest score, the first of several.
        cell_px: side of a cell, pixels.
    """

    cells: Rect
    inside: NDArray[np.bool_]
    surest: tuple[int, int]
    cell_px: int

    @property
    def box(self) -> Rect:
        """The pixels of the rectangle around it."""
        return self.cells.scaled(self.cell_px)

    @property
    def point(self) -> tuple[int, int]:
        """(row, col) of the pixel in the middle of the surest cell."""
        row, col = self.surest
        return row * self.cell_px + self.cell_px // 2, col * self.cell_px + self.cell_px // 2

    def mask(self, rect: Rect) -> NDArray[np.bool_]:
        """Which pixels of a rectangle inside its box are the site's."""
        return to_pixels(self.inside, self.cells, rect, self.cell_px)


@runtime_checkable
class SiteDelineator(Protocol):
    """Outlines the ground of a site on a picture of it."""

    @property
    def card(self) -> ModelCard:
        """The bands that it wants, and what it is."""
        ...

    def frame(self, site: Site) -> Rect:
        """The pixels that it wants to see; a function of the site alone."""
        ...

    def __call__(self, picture: Raster, frame: Rect, site: Site) -> NDArray[np.bool_]:
        """Mined ground on a picture of the frame: (height, width)."""
        ...


def delineate_sites(
    scores: Scores, cells: Rect, read: Read, delineator: SiteDelineator, sites: Sequence[Site],
    grid: Grid, rect: Rect, *, threshold: float,
) -> Scores:  # fmt: skip
    """Scores of pixels from scores of cells, as of `minetrace.predict.delineate.delineate`.

    Args:
        scores, cells, read, grid, rect, threshold: as there.
        delineator: asked once for each site that touches ``rect``.
        sites: of the whole map, or at least all that touch ``rect``.

    Returns:
        One band, ``mine``: the highest score of a window over the pixel where that is a detection
        and its site's delineation holds the pixel, 0 elsewhere; NOT_LOOKED where nobody looked.
    """
    values, highest, detected = detections(scores, cells, read, grid, rect, threshold=threshold)
    for site in sites:
        part = site.box & rect
        if part.empty:
            continue
        frame = delineator.frame(site)
        ground = delineator(read(frame), frame, site)
        seen, here = part & frame, part.within(rect)
        mined = np.zeros(part.shape, bool)
        mined[seen.within(part)] = ground[seen.within(frame)]
        mined &= site.mask(part) & detected[here] & (values[here] != NOT_LOOKED)
        values[here][mined] = highest[here][mined]
    return Scores(("mine",), values[None], grid.geobox(rect))
