"""The sites of a period: detecting cells that touch, whole, over all tiles of a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rasterio.features import geometry_mask

from minetrace.core.grid import Grid, Rect
from minetrace.core.scores import NOT_LOOKED
from minetrace.predict.sites import MOST_PX, Site
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
    rects: list[Rect], read: ReadCells, grid: Grid, cell_px: int, *, threshold: float,
    most_px: int = MOST_PX,
) -> tuple[Site, ...]:  # fmt: skip
    """Every site, from north to south; one larger than ``most_px`` in even parts.

    Args:
        rects: of cells that are stored.
        read: their scores.
        grid: of the cells.
        cell_px: side of a cell, pixels.
        threshold: probability from which on a cell detects.
        most_px: side of the largest box, pixels, so that what is read for a site has a ceiling.

    Returns:
        The same sites however the cells are cut into rectangles.
    """
    found = outlines(rects, CellScores(read), grid, OutlineRules(threshold=threshold), "footprint")
    most = max(1, most_px // cell_px)
    return tuple(
        _site(inside, part, read, cell_px)
        for shape in found.geometry
        for part in _even_parts(grid.rect(shape.bounds), most)
        if (inside := _inside(shape, part, grid)).any()
    )


def _even_parts(cells: Rect, most: int) -> Iterator[Rect]:
    """Rectangles of at most ``most`` cells a side, as equal as can be."""
    rows, cols = (_edges(side, most) for side in cells.shape)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(cols):
            yield Rect(cells.row + top, cells.col + left, bottom - top, right - left)


def _edges(side: int, most: int) -> list[int]:
    count = -(-side // most)
    return [side * number // count for number in range(count + 1)]


def _inside(shape: object, cells: Rect, grid: Grid) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = geometry_mask([shape], cells.shape, grid.affine(cells), invert=True)
    return within


def _site(inside: NDArray[np.bool_], cells: Rect, read: ReadCells, cell_px: int) -> Site:
    """The site of the cells inside a rectangle, which is drawn in to them."""
    rows, cols = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    inside = inside[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    cells = Rect(cells.row + int(rows[0]), cells.col + int(cols[0]), *inside.shape)
    values = read(cells)
    known = np.where(inside & (values != NOT_LOOKED), values.astype(np.int32), -1)
    row, col = divmod(int(known.argmax()), cells.width)
    return Site(cells, inside, (cells.row + row, cells.col + col), cell_px)
