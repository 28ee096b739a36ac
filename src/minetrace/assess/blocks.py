"""Squares of pixels as what is drawn and looked at, in place of single pixels.

People see a square of a hectare better than a pixel of ten metres, misplacement matters less, and
each answer, the share that is mined, tells more. A square is of the rarest kind of ground that lies
in it, so that what is mapped as mine, or close to it, does not drown in the rest.

Sources: Stehman & Wickham (2011), doi:10.1016/j.rse.2011.06.007, on pixels and blocks of pixels as
units; Olofsson et al. (2014), doi:10.1016/j.rse.2014.02.015, section 3.1.1, on what a unit may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.strata import NOWHERE, STRATA, Name

RAREST: tuple[Name, ...] = ("gained", "lost", "mine", "buffer", "uncertain", "rest")
Value = TypeVar("Value", bound=np.generic)
_PLACE = np.array([STRATA.index(name) for name in RAREST], dtype=np.uint8)


@dataclass(frozen=True)
class Blocks:
    """Squares of pixels; arrays are (rows, cols) of squares.

    Attributes:
        code: the stratum of each, as its place in ``STRATA``; NOWHERE where it is not drawn from.
        pixels: how many of each count.
        facts: (rows, cols, k) mean over those pixels of what is known of each.
        inside: (H, H) pixels of each stratum (columns) in the squares of each (rows).
    """

    code: NDArray[np.uint8]
    pixels: NDArray[np.int64]
    facts: NDArray[np.float64]
    inside: NDArray[np.int64]


def gather(
    codes: NDArray[np.uint8], wanted: NDArray[np.bool_], facts: Sequence[NDArray[np.float32]],
    side_px: int,
) -> Blocks:  # fmt: skip
    """Pixels as squares of ``side_px`` by ``side_px`` of them; with 1 each pixel is its own.

    A square counts where every pixel of it that is wanted was looked at: whoever looks at the
    square answers for all of that, and not for ground that nobody saw.

    Args:
        codes: (height, width), multiples of the side; the stratum of each pixel, NOWHERE where it
            is not wanted or was not looked at.
        wanted: True inside the region.
        facts: k values of each pixel, such as scores.
    """
    seen = codes != NOWHERE
    rank = np.full(256, NOWHERE, dtype=np.uint8)
    rank[_PLACE] = np.arange(len(RAREST))
    first = _split(rank[codes], side_px).min(axis=(1, 3))
    first[_split(wanted & ~seen, side_px).any(axis=(1, 3))] = NOWHERE
    code = np.append(_PLACE, np.full(256 - len(_PLACE), NOWHERE, dtype=np.uint8))[first]
    pixels = _split(seen, side_px).sum(axis=(1, 3))
    sums = [_split(np.where(seen, fact, 0).astype(np.float64), side_px).sum(axis=(1, 3))
            for fact in facts]  # fmt: skip
    mean = np.stack(sums, axis=-1) / np.maximum(pixels, 1)[..., None]
    around = fine(code, side_px)
    counts, h = seen & (around != NOWHERE), len(STRATA)
    pair = around[counts].astype(np.intp) * h + codes[counts]
    return Blocks(code, pixels, mean, np.bincount(pair, minlength=h * h).reshape(h, h))


def fine(squares: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """What is said of squares, said of each of their pixels."""
    return np.repeat(np.repeat(squares, side_px, axis=0), side_px, axis=1)


def _split(pixels: NDArray[Value], side_px: int) -> NDArray[Value]:
    height, width = pixels.shape
    return pixels.reshape(height // side_px, side_px, width // side_px, side_px)
