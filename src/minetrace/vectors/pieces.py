"""What is known of one tile, before its neighbours are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.vectors.components import Ints
from minetrace.vectors.rings import Rings


@dataclass(frozen=True)
class Tallies:
    """Exact sums over the pixels of each outline, scores x 10,000.

    Attributes:
        pixels: (n,) how many.
        looked: (n,) how many of them have a value.
        total: (n,) sum of those values.
        highest: (n,) highest score that was thresholded.
    """

    pixels: Ints
    looked: Ints
    total: Ints
    highest: Ints

    def __len__(self) -> int:
        return len(self.pixels)

    def merged(self, into: Ints, n: int) -> Tallies:
        """The tallies of n outlines, of which row k becomes a part of ``into[k]``."""
        pixels, looked, total, highest = np.zeros((4, n), dtype=np.int64)
        np.add.at(pixels, into, self.pixels)
        np.add.at(looked, into, self.looked)
        np.add.at(total, into, self.total)
        np.maximum.at(highest, into, self.highest)
        return Tallies(pixels, looked, total, highest)


@dataclass(frozen=True)
class Chains:
    """Stretches of boundary that go on beyond a tile, in lattice units.

    Attributes:
        rings: their points without the last, and the outline of the tile on their right.
        stop: (c, 2) int32 their last points.
        heading: (c, 2) directions of the first and the last step.
    """

    rings: Rings
    stop: NDArray[np.int32]
    heading: Ints


@dataclass(frozen=True)
class Border:
    """Ground along a tile's border, one row per pixel and side that it lies at.

    Attributes:
        pixel: (b, 2) int32 column and row.
        side: (b,) direction in which the tile ends.
        owner: (b,) the outline of the tile.
    """

    pixel: NDArray[np.int32]
    side: Ints
    owner: Ints


@dataclass(frozen=True)
class Traced:
    """What is known of one tile, ``owner`` numbering its outlines."""

    tallies: Tallies
    rings: Rings
    chains: Chains
    border: Border
