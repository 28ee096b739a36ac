"""The exact median of the clear looks at each pixel.

Masked looks become plus and minus infinity in turns, so that whatever the number of clear looks
the median sits in the two middle slots of all looks, and one sorting network serves every pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minetrace.composites.network import Network, median_network
from minetrace.core.raster import NODATA

BLOCK_PX = 16_384  # worked at once: large enough to hide numpy's cost per call, small in memory

Stack = NDArray[np.int16] | Sequence[NDArray[np.int16]]
Masks = NDArray[np.bool_] | Sequence[NDArray[np.bool_]]


def masked_median(stack: Stack, valid: Masks) -> NDArray[np.int16]:
    """The median over dates of what is valid.

    An even number of values gives the mean of the two middle ones, rounded half to even: the
    values of ``numpy.rint(numpy.nanmedian(...))``.

    Args:
        stack: (dates, bands, height, width) int16, or one (bands, height, width) per date.
        valid: (dates, height, width), or one (height, width) per date.

    Returns:
        (bands, height, width) int16, NODATA where no date is valid.

    Raises:
        ValueError: there is no date, or shapes or types do not fit.

    Time grows with n log² n in the number of dates n: a pixel of 40 dates takes about five times as
    long as one of 12, a pixel of 200 about forty times (benchmarks/median.py measures it).
    """
    _check(stack, valid)
    bands = int(stack[0].shape[0])
    shape = valid[0].shape
    flat_valid = [v.reshape(-1) for v in valid]
    flat = [s.reshape(bands, -1) for s in stack]
    out = np.empty((bands, flat_valid[0].size), dtype=np.int16)
    network = median_network(len(flat))
    workspace = np.empty((len(flat) + 1, BLOCK_PX), dtype=np.int16)
    for start in range(0, out.shape[1], BLOCK_PX):
        part = slice(start, start + BLOCK_PX)
        masks = [v[part] for v in flat_valid]
        _median_of_block(network, [s[:, part] for s in flat], masks, workspace, out[:, part])
    return out.reshape(bands, *shape)


def masked_median_of(values: Sequence[int], valid: Masks) -> NDArray[np.int16]:
    """The median over dates of one number per date, such as its day.

    Args:
        values: (dates,) numbers that fit int16.
        valid: (dates, height, width), or one (height, width) per date.

    Returns:
        (height, width) int16, NODATA where no date is valid.
    """
    shape = (1, *valid[0].shape)
    planes = [np.broadcast_to(np.int16(value), shape) for value in values]
    return np.asarray(masked_median(planes, valid)[0])


def _check(stack: Stack, valid: Masks) -> None:
    if len(stack) == 0 or len(stack) != len(valid):
        raise ValueError(f"masked_median: {len(stack)} dates of pixels, {len(valid)} of masks")
    for pixels, mask in zip(stack, valid, strict=True):
        if pixels.shape != (stack[0].shape[0], *valid[0].shape) or mask.shape != valid[0].shape:
            raise ValueError(f"masked_median: pixels {pixels.shape} do not fit mask {mask.shape}")
        if pixels.dtype != np.int16 or mask.dtype != np.bool_:
            raise ValueError(f"masked_median: {pixels.dtype} and {mask.dtype}, not int16 and bool")


def _median_of_block(
    network: Network,
    stack: Sequence[NDArray[np.int16]],
    valid: Sequence[NDArray[np.bool_]],
    workspace: NDArray[np.int16],
    out: NDArray[np.int16],
) -> None:
    """Write the median of one run of pixels, every band, into ``out`` (bands, pixels)."""
    keeps, fills, looks = _fills(valid)
    single = -(looks & 1)  # all bits set where one slot holds the median
    blind = looks == 0
    for band in range(len(out)):
        slots = list(workspace[:, : looks.size])
        spare = slots.pop()
        for slot, pixels, keep, fill in zip(slots, stack, keeps, fills, strict=True):
            np.bitwise_and(pixels[band], keep, out=slot)
            slot |= fill
        _sort_middle(network, slots, spare)
        below, middle = (slots[i] for i in network.middle)
        one, other = (middle, below) if network.size % 2 else (below, middle)
        out[band] = _mean_half_to_even(one, other ^ ((other ^ one) & single))
    if blind.any():
        out[:, blind] = NODATA


def _fills(
    valid: Sequence[NDArray[np.bool_]],
) -> tuple[list[NDArray[np.int16]], list[NDArray[np.int16]], NDArray[np.int16]]:
    """What turns pixels into slots: ``(pixels & keep) | fill`` per date; and the clear looks.

    The first hole of a pixel is filled with the highest number, the second with the lowest, and so
    on. Everything is done on bits: the lowest number is the highest with every bit turned over.
    """
    size = valid[0].size
    looks = np.zeros(size, dtype=np.int16)
    filler = np.full(size, 32767, dtype=np.int16)
    keeps, fills = [], []
    for mask in valid:
        keep = mask.astype(np.int16)
        looks += keep
        np.negative(keep, out=keep)
        hole = ~keep
        keeps.append(keep)
        fills.append(filler & hole)
        filler ^= hole
    return keeps, fills, looks


def _sort_middle(
    network: Network, slots: list[NDArray[np.int16]], spare: NDArray[np.int16]
) -> None:
    """Run a network in place; ``slots`` and ``spare`` trade buffers."""
    for low, high, keep in network.steps:
        a, b = slots[low], slots[high]
        if keep == "low":
            np.minimum(a, b, out=a)
        elif keep == "high":
            np.maximum(a, b, out=b)
        else:
            np.minimum(a, b, out=spare)
            np.maximum(a, b, out=b)
            slots[low], spare = spare, a


def _mean_half_to_even(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.int16]:
    """The mean, without a wider type: common bits, and half of those that differ."""
    differ = a ^ b
    half = (a & b) + (differ >> 1)
    half += differ & half & 1
    return half
