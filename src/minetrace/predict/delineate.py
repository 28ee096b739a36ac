"""From detections to mined ground: what lies inside a detecting window and looks mined.

A patch model says that there is mining in a window; its outlines hold about five times the
mined ground. A pixel scorer, `spectral` by default, says which pixels inside are mined.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.model import Scorer
from minetrace.core.scores import NOT_LOOKED, SCALE, Scores
from minetrace.predict.rows import Read
from minetrace.predict.scan import scan

Value = TypeVar("Value", bound=np.generic)
BLOCK = 256  # pixels; ground without a detection is not scored


def delineate(
    scores: Scores,
    cells: Rect,
    read: Read,
    scorer: Scorer,
    grid: Grid,
    rect: Rect,
    *,
    threshold: float,
) -> Scores:
    """Scores of pixels from scores of cells.

    Args:
        scores: of a patch model, with a band ``max``.
        cells: the cells that ``scores`` covers; must hold every cell that ``rect`` touches.
        read: composite pixels of any rectangle.
        scorer: a pixel model; a pixel is mined ground where it reaches its own threshold.
        grid: the lattice of the pixels.
        rect: the pixels wanted; the answer for one does not depend on the rectangle.
        threshold: probability from which on a window is a detection.

    Returns:
        One band, ``mine``: the highest score of a window over the pixel where that is a detection
        and the pixel is mined ground, 0 elsewhere; NOT_LOOKED where the patch model did not look
        or the pixel is not valid.
    """
    values, highest, detected = detections(scores, cells, read, grid, rect, threshold=threshold)
    limit = np.rint(scorer.card.threshold * SCALE)
    wanted = list(_blocks_with(detected, rect))
    for block, inside in scan(read, scorer, grid, wanted):
        here = block.within(rect)
        found, hit = inside.values[0], detected[here]
        mined = hit & (found != NOT_LOOKED) & (found >= limit)
        values[here][mined] = highest[here][mined]
        values[here][hit & (found == NOT_LOOKED)] = NOT_LOOKED
    return Scores(("mine",), values[None], grid.geobox(rect))


def detections(
    scores: Scores, cells: Rect, read: Read, grid: Grid, rect: Rect, *, threshold: float
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]:
    """What is known of pixels before anything is delineated; arguments as of `delineate`.

    Returns:
        values: (height, width), 0 where the patch model looked and the pixel is valid, else
            NOT_LOOKED.
        highest: the highest score of a window over each pixel.
        detected: where that is a detection.
    """
    cell_px = round(abs(float(scores.geobox.resolution.x)) / grid.resolution_m)
    highest = to_pixels(scores.band("max"), cells, rect, cell_px)
    looked = highest != NOT_LOOKED
    detected = looked & (highest >= np.rint(threshold * SCALE))
    values = np.where(looked, 0, NOT_LOOKED).astype(np.uint16)
    for block in _blocks_with(looked, rect):
        values[block.within(rect)][~read(block).valid] = NOT_LOOKED
    return values, highest, detected


def to_pixels(values: NDArray[Value], cells: Rect, rect: Rect, cell_px: int) -> NDArray[Value]:
    """Cells drawn out to pixels, cut to ``rect``."""
    rows = np.arange(rect.row, rect.row_stop) // cell_px - cells.row
    cols = np.arange(rect.col, rect.col_stop) // cell_px - cells.col
    return values[np.ix_(rows, cols)]


def _blocks_with(mask: NDArray[np.bool_], rect: Rect) -> Iterator[Rect]:
    for block in rect.blocks(BLOCK):
        part = block & rect
        if mask[part.within(rect)].any():
            yield part
