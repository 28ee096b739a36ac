"""The sites of a period: detecting cells that touch, whole, over all tiles of a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from minetrace.core.grid import Grid, Rect
from minetrace.core.scores import NOT_LOOKED
from minetrace.predict.sites import Site
from minetrace.vectors.outlines import OutlineRules, outlines

ReadCells = Callable[[Rect], NDArray[np.uint16]]
"""The highest score of each cell of a rectangle, or NOT_LOOKED."""


@dataclass(frozen=True)
class CellScores:
    """Scores of cells as the outlining wants them: thresholded and averaged are the same."""

    read: ReadCells

    def __call__(self, rect: Rect) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Both, of a rectangle."""
        found = self.read(rect)
        return found, found


def sites(
    rects: list[Rect], read: ReadCells, grid: Grid, cell_px: int, *, threshold: float
) -> tuple[Site, ...]:
    """Every site, from north to south.

    Args:
        rects: of cells that are stored.
        read: their scores.
        grid: of the cells.
        cell_px: side of a cell, pixels.
        threshold: probability from which on a cell detects.

    Returns:
        The same sites however the cells are cut into rectangles.
    """
    found = outlines(rects, CellScores(read), grid, OutlineRules(threshold=threshold), "footprint")
    return tuple(_site(shape, read, grid, cell_px) for shape in found.geometry)


def _site(shape: object, read: ReadCells, grid: Grid, cell_px: int) -> Site:
    bounds: tuple[float, float, float, float] = shape.bounds  # type: ignore[attr-defined]
    cells = grid.rect(bounds)
    inside = geometry_mask([shape], cells.shape, grid.affine(cells), invert=True)
    values = read(cells)
    known = np.where(inside & (values != NOT_LOOKED), values.astype(np.int32), -1)
    row, col = divmod(int(known.argmax()), cells.width)
    return Site(cells, inside, (cells.row + row, cells.col + col), cell_px)
