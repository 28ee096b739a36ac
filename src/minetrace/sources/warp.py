"""Images in another projection or on other pixels: warped once, straight onto the grid.

Each pixel's place in the image is computed exactly, without an approximated transform, for whole
blocks of 256 by 256 pixels of the lattice, and what it is a mean of hangs on that place alone: its
value is the same whatever rectangle is asked for.

A grid pixel is valid if the image pixel that holds its centre is; its value is the bilinear mean of
the clear pixels around it. On a grid coarser than the image by more than half, it is the mean of
samples spread over the pixel's area, valid if at least half of them are clear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA
from minetrace.sources.image import Image
from minetrace.sources.place import longitudes, reach, same_crs, transformer
from minetrace.sources.radiometry import to_int16

BLOCK_PX = 256
COARSE = 1.5  # grid pixel over image pixel from which on pixels are averaged
MOST_SAMPLES = 16  # along a pixel's side

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def read_pixels(
    image: Image, bands: Sequence[str], grid: Grid, rect: Rect
) -> tuple[NDArray[np.int16], Bools]:
    """Pixels of an image on a rectangle of the grid.

    Returns:
        (bands, height, width) int16, and (height, width): seen in every band and clear, before
        any dilation.
    """
    pixels = np.full((len(bands), *rect.shape), NODATA, dtype=np.int16)
    valid = np.zeros(rect.shape, dtype=bool)
    near = reach(image, grid)
    for block in rect.blocks(BLOCK_PX):
        if near is not None and (near & block).empty:
            continue
        part = block & rect
        rows, cols = part.within(rect)
        pixels[:, rows, cols], valid[rows, cols] = _warp_part(image, bands, grid, block, part)
    return pixels, valid


def read_spread(image: Image, grid: Grid, rect: Rect) -> Bools:
    """What a dilation grows, (height, width) of ``rect``."""
    spread = np.zeros(rect.shape, dtype=bool)
    near = reach(image, grid)
    for block in rect.blocks(BLOCK_PX):
        part = block & rect if near is None else block & rect & near
        if part.empty:
            continue
        samples = _samples(image, grid, block, part)
        window = _window(image, samples)
        if window.empty:
            continue
        grown = image.read_mask(window)[1]
        found = np.zeros(part.shape, dtype=bool)
        for col, row in samples:
            inside, spot = _nearest(col, row, window, image.own)
            found |= inside & grown.ravel()[spot]
        spread[part.within(rect)] = found
    return spread


def _warp_part(
    image: Image, bands: Sequence[str], grid: Grid, block: Rect, part: Rect
) -> tuple[NDArray[np.int16], Bools]:
    pixels = np.full((len(bands), *part.shape), NODATA, dtype=np.int16)
    samples = _samples(image, grid, block, part)
    window = _window(image, samples)
    if window.empty:
        return pixels, np.zeros(part.shape, dtype=bool)
    counts, clear = image.read(bands, window)
    clear &= image.read_mask(window)[0]
    counts = [np.where(clear, c, 0) if c.dtype.kind == "f" else c for c in counts]
    if len(samples) == 1:
        means, valid = _bilinear(counts, clear, *samples[0], window, image.own)
    else:
        means, valid = _average(counts, clear, samples, window, image.own)
    for band, name in enumerate(bands):
        pixels[band][valid] = to_int16(means[band], image.bands[name].radiometry)
    return pixels, valid


def _samples(image: Image, grid: Grid, block: Rect, part: Rect) -> list[tuple[Floats, Floats]]:
    """Where a part of a block lies in an image: (col, row) of its pixels, from the image's corner.

    One sample at each pixel's centre; on a coarse grid several, spread evenly over the pixel.
    """
    ratio = grid.resolution_m / image.resolution_m
    inverse = image.to_pixel
    if ratio <= COARSE:
        x, y = _centres(grid, block, image.crs)
        where = part.within(block)
        return [_apply(inverse, longitudes(image, x[where]), y[where])]
    side = min(math.ceil(ratio - 1e-6), MOST_SAMPLES)
    x, y = _corners(grid, block, image.crs)
    rows, cols = part.within(block)
    frame = slice(rows.start, rows.stop + 1), slice(cols.start, cols.stop + 1)
    col, row = _apply(inverse, longitudes(image, x[frame]), y[frame])
    steps = [(i + 0.5) / side for i in range(side)]
    return [(_inside(col, down, right), _inside(row, down, right))
            for down in steps for right in steps]  # fmt: skip


def _inside(corner: Floats, down: float, right: float) -> Floats:
    """A coordinate within each pixel, between those of its four corners."""
    top = corner[:-1, :-1] * (1 - right) + corner[:-1, 1:] * right
    bottom = corner[1:, :-1] * (1 - right) + corner[1:, 1:] * right
    return np.asarray(top * (1 - down) + bottom * down)


def _apply(affine: Any, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


@lru_cache(maxsize=128)
def _centres(grid: Grid, block: Rect, crs: str) -> tuple[Floats, Floats]:
    """Places of a block's pixel centres in another CRS; one megabyte a block."""
    return _places(grid, block, crs, np.arange(block.height) + 0.5, np.arange(block.width) + 0.5)


@lru_cache(maxsize=32)
def _corners(grid: Grid, block: Rect, crs: str) -> tuple[Floats, Floats]:
    """Places of a block's pixel corners in another CRS."""
    return _places(grid, block, crs, np.arange(block.height + 1.0), np.arange(block.width + 1.0))


def _places(
    grid: Grid, block: Rect, crs: str, down: NDArray[Any], right: NDArray[Any]
) -> tuple[Floats, Floats]:
    r = grid.resolution_m
    x, y = np.meshgrid(grid.x(block.col) + r * right, grid.y(block.row) - r * down)
    if same_crs(grid.crs, crs):
        return x, y
    there = transformer(grid.crs, crs).transform(x, y)
    return np.asarray(there[0]), np.asarray(there[1])


def _window(image: Image, samples: Sequence[tuple[Floats, Floats]]) -> Rect:
    """The pixels of the image that any sample or its neighbours need; empty if none."""
    side = math.isqrt(len(samples))
    corners = [
        samples[i] for i in (0, side - 1, -side, -1)
    ]  # the others lie between, if turned too
    col = np.concatenate([np.ravel(one[0]) for one in corners])
    row = np.concatenate([np.ravel(one[1]) for one in corners])
    seen = np.isfinite(col) & np.isfinite(row)
    if not seen.any():
        return Rect(0, 0, 0, 0)
    col, row = col[seen], row[seen]
    wanted = Rect.spanning(
        math.floor(row.min()) - 2, math.floor(col.min()) - 2,
        math.ceil(row.max()) + 2, math.ceil(col.max()) + 2,
    )  # fmt: skip
    return wanted & image.rect


def _nearest(col: Floats, row: Floats, window: Rect, own: Rect) -> tuple[Bools, NDArray[np.intp]]:
    """Which samples lie in the window on the image's own pixels, and the flat index of each."""
    c, r = np.floor(col), np.floor(row)
    ours = window & own
    inside = (c >= ours.col) & (c < ours.col_stop) & (r >= ours.row) & (r < ours.row_stop)
    c, r = c - window.col, r - window.row
    spot = np.where(inside, r * window.width + c, 0).astype(np.intp)
    return inside, spot


def _bilinear(
    counts: Sequence[NDArray[Any]], clear: Bools, col: Floats, row: Floats, window: Rect, own: Rect
) -> tuple[list[Floats], Bools]:
    """Mean of the clear pixels among the four around each sample, by nearness.

    Returns:
        One (n,) per band for the n valid samples, and (height, width): which are valid.
    """
    inside, spot = _nearest(col, row, window, own)
    valid = inside & clear.ravel()[spot]
    u, v = col[valid] - 0.5, row[valid] - 0.5  # of the image, not of the window: each rounds alike
    left, top = np.floor(u), np.floor(v)
    total = np.zeros(len(u))
    sums = [np.zeros(len(u)) for _ in counts]
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - right - (u - left)) * np.abs(1 - down - (v - top))
            c = (left + right).astype(np.intp) - window.col
            r = (top + down).astype(np.intp) - window.row
            here = (c >= 0) & (c < window.width) & (r >= 0) & (r < window.height)
            index = np.where(here, r * window.width + c, 0)
            weight = np.where(here & clear.ravel()[index], weight, 0.0)
            total += weight
            for band, values in enumerate(counts):
                sums[band] += weight * values.ravel()[index]
    return [one / total for one in sums], valid


def _average(
    counts: Sequence[NDArray[Any]], clear: Bools, samples: Sequence[tuple[Floats, Floats]],
    window: Rect, own: Rect,
) -> tuple[list[Floats], Bools]:  # fmt: skip
    """Mean of the clear samples of each pixel, valid where at least half of them are clear.

    Returns:
        As ``_bilinear``.
    """
    shape = samples[0][0].shape
    number = np.zeros(shape)
    sums = [np.zeros(shape) for _ in counts]
    for col, row in samples:
        inside, spot = _nearest(col, row, window, own)
        weight = (inside & clear.ravel()[spot]).astype(np.float64)
        number += weight
        for band, values in enumerate(counts):
            sums[band] += weight * values.ravel()[spot]
    valid = number * 2 >= len(samples)
    return [one[valid] / number[valid] for one in sums], valid
