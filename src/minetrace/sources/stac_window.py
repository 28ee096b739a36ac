"""Which pixels of an image a rectangle of a grid needs: a generous guess, fetched in one go.

It is only a guess: what it leaves out is read when the warp asks for it, so no value depends on it.
"""

from __future__ import annotations

import math

import numpy as np

from minetrace.core.grid import Grid, Rect
from minetrace.sources import place
from minetrace.sources.image import Image, MaskBand
from minetrace.sources.warp import BLOCK_PX

EDGE_POINTS = 9  # along each side of a rectangle
SLACK_PX = 3  # what a bilinear mean looks at, and a bend between two points of an edge


def window_under(image: Image, grid: Grid, rect: Rect) -> Rect:
    """The window of an image under a rectangle of the grid; empty if there is none."""
    on_lattice = place.lattice_rect(image, grid)
    if on_lattice is not None:
        part = rect & on_lattice
        return Rect(part.row - on_lattice.row, part.col - on_lattice.col, *part.shape)
    left, bottom, right, top = grid.bounds(rect.snapped(BLOCK_PX))
    step = np.linspace(0.0, 1.0, EDGE_POINTS)
    x, y = np.meshgrid(left + step * (right - left), bottom + step * (top - bottom))
    if not place.same_crs(grid.crs, image.crs):
        x, y = place.transformer(grid.crs, image.crs).transform(x, y)
    to = image.to_pixel
    col, row = to.a * x + to.b * y + to.c, to.d * x + to.e * y + to.f
    seen = np.isfinite(col) & np.isfinite(row)
    if not seen.any():
        return Rect(0, 0, 0, 0)
    slack = SLACK_PX + math.ceil(grid.resolution_m / image.resolution_m)
    return image.rect & Rect.spanning(
        math.floor(row[seen].min()) - slack, math.floor(col[seen].min()) - slack,
        math.ceil(row[seen].max()) + slack, math.ceil(col[seen].max()) + slack,
    )  # fmt: skip


def mask_window(image: Image, mask: MaskBand, window: Rect) -> Rect:
    """The window of a mask under a window of its image."""
    if mask.affine is None:
        return window
    inverse = ~mask.affine
    (left, top), (right, bottom) = (
        inverse * (image.affine * corner)
        for corner in ((window.col, window.row), (window.col_stop, window.row_stop))
    )
    if window.empty:
        return Rect(0, 0, 0, 0)
    slack = 1e-6
    found = Rect.spanning(
        math.floor(min(top, bottom) + slack), math.floor(min(left, right) + slack),
        math.ceil(max(top, bottom) - slack), math.ceil(max(left, right) - slack),
    )  # fmt: skip
    return found & Rect(0, 0, *mask.shape)
