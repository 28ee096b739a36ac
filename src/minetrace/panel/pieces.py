"""What each territory holds of each outline, cut exactly at its border.

Most outlines lie in one territory and are never cut: a prepared border tells that at once. Only
what a border crosses is intersected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.panel.overlap import Index

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pieces:
    """Parts of outlines in cells, and what of each outline lies in any.

    Attributes:
        row: (k,) outline, ascending.
        cell: (k,) cell.
        area_m2: (k,) of the part.
        overlap_m2: (k,) of it, what lies in another cell as well.
        whole: (k,) whether the part is all of the outline.
        once_m2: (n,) of each outline in at least one cell, no ground counted twice.
        outside_m2: (n,) of each outline in none, measured on what is left and not by subtraction.
    """

    row: Index
    cell: Index
    area_m2: Floats
    overlap_m2: Floats
    whole: NDArray[np.bool_]
    once_m2: Floats
    outside_m2: Floats

    def uncut(self, count: int) -> NDArray[np.bool_]:
        """(n,) outlines that no border crosses: wholly inside each cell that they touch."""
        crossed = np.zeros(count, dtype=bool)
        crossed[self.row[~self.whole]] = True
        return ~crossed

    def of(self, rows: Index) -> tuple[Index, Index]:
        """Pieces of some outlines: places in ``rows``, and places among the pieces."""
        first, last = np.searchsorted(self.row, rows), np.searchsorted(self.row, rows, "right")
        size = last - first
        at = np.repeat(np.arange(len(rows)), size)
        offset = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return at, first[at] + offset


def cut(shapes: Shapes, area_m2: Floats, cells: Shapes) -> Pieces:
    """Cut outlines by cells.

    Args:
        shapes: (n,) valid polygons, equal-area; may be empty.
        area_m2: (n,) their areas.
        cells: (c,) valid polygons in the same CRS; they may overlap.
    """
    tree = shapely.STRtree(shapes)
    shapely.prepare(cells)
    touched = tree.query(cells, predicate="intersects").astype(np.intp)
    cell, row = touched[:, np.lexsort(touched)]
    whole = np.asarray(shapely.contains(cells[cell], shapes[row]), dtype=bool)
    parts = np.full(len(row), None, dtype=object)
    parts[~whole] = shapely.intersection(shapes[row[~whole]], cells[cell[~whole]])
    area: Floats = np.where(whole, area_m2[row], shapely.area(parts))
    keep = np.flatnonzero(area > 0)
    row, cell, whole, parts, area = row[keep], cell[keep], whole[keep], parts[keep], area[keep]
    once, outside, overlap = _shared(shapes, area_m2, row, whole, parts, area)
    return Pieces(row, cell, area, overlap, whole, once, outside)


def _shared(
    shapes: Shapes, area_m2: Floats, row: Index, whole: NDArray[np.bool_], parts: Shapes,
    area: Floats,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Of each outline what lies in any cell and in none, of each part what others hold too."""
    once, outside = np.zeros(len(shapes)), area_m2.copy()
    overlap = np.zeros(len(row))
    count = np.bincount(row, minlength=len(shapes))
    wholes = np.bincount(row[whole], minlength=len(shapes))
    full = wholes > 0
    once[full], outside[full] = area_m2[full], 0.0
    others = wholes[row] - whole  # other cells that hold all of the outline
    overlap[others > 0] = area[others > 0]
    single = (count[row] == 1) & ~whole
    once[row[single]] = area[single]
    outside[row[single]] = shapely.area(shapely.difference(shapes[row[single]], parts[single]))
    crowded = np.flatnonzero((count[row] > 1) & (others == 0))
    starts = np.flatnonzero(np.diff(row[crowded], prepend=-1))
    for group in np.split(crowded, starts[1:]) if len(starts) else []:
        at = row[group[0]]
        mine = np.arange(*np.searchsorted(row, [at, at + 1]))
        _crowd(shapes[at], mine, group, whole, parts, at, once, outside, overlap)
    return once, outside, overlap


def _crowd(
    shape: shapely.Geometry, mine: Index, group: Index, whole: NDArray[np.bool_], parts: Shapes,
    at: int, once: Floats, outside: Floats, overlap: Floats,
) -> None:  # fmt: skip
    """One outline in several cells, of which none, or one, holds all of it."""
    ground = np.array([shape if whole[k] else parts[k] for k in mine], dtype=object)
    together = shapely.union_all(ground)
    if not whole[mine].any():
        once[at] = shapely.area(together)
        outside[at] = shapely.area(shapely.difference(shape, together))
    if shapely.area(ground).sum() - shapely.area(together) <= 0:
        return
    for k in group:
        rest = shapely.union_all(ground[mine != k])
        own = shape if whole[k] else parts[k]
        overlap[k] = shapely.area(shapely.intersection(own, rest))
