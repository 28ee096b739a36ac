"""Drawing pixels: by seed, spread over the land, whatever the run's tiles were.

Every pixel of the lattice has a number that follows from the seed and its address alone. The
pixels of a stratum with the lowest numbers are a simple random sample of it, found in one pass and
in any order, so neither tiles nor workers have a say. They are then put in order along a Hilbert
curve and every k-th is taken from a random start: each pixel has the same chance still, and points
do not lie in clumps. As the spread can only be used, not seen, by the usual formula, standard
errors are those of a simple random sample and tend to be too large rather than too small.

Sources: Hilbert curve after Skilling (2004); ordered systematic selection as in generalized random
tessellation (Stevens & Olsen 2004, doi:10.1198/016214504000000250); SplitMix64 after Steele, Lea &
Flood (2014).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 20_000  # kept per stratum: the most points it can give
_BITS = 32


@dataclass(frozen=True)
class Pixels:
    """Pixels by address, and what is known of them.

    Attributes:
        number: (n,) uint64, what decides who is drawn.
        zone: (n,) which of the run's grids.
        row: (n,) on that grid's lattice.
        col: likewise.
        facts: (n, k) whatever goes with them, such as scores.
    """

    number: NDArray[np.uint64]
    zone: NDArray[np.int64]
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    facts: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.number)

    def take(self, which: NDArray[np.intp]) -> Pixels:
        """Some of them."""
        return Pixels(
            self.number[which], self.zone[which], self.row[which], self.col[which],
            self.facts[which],
        )  # fmt: skip

    def joined(self, other: Pixels) -> Pixels:
        """With others behind."""
        return Pixels(
            np.concatenate([self.number, other.number]), np.concatenate([self.zone, other.zone]),
            np.concatenate([self.row, other.row]), np.concatenate([self.col, other.col]),
            np.concatenate([self.facts, other.facts]),
        )  # fmt: skip

    def lowest(self, n: int) -> Pixels:
        """The n with the lowest numbers, in no order; address breaks a tie."""
        if len(self) <= n:
            return self
        last = np.partition(self.number, n - 1)[n - 1]
        tied = np.flatnonzero(self.number == last)
        tied = tied[np.lexsort((self.col[tied], self.row[tied], self.zone[tied]))]
        sure = np.flatnonzero(self.number < last)
        return self.take(np.concatenate([sure, tied[: n - len(sure)]]))


def numbered(
    seed: int, zone: str, row: NDArray[np.int64], col: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """A pseudo-random number per pixel, of seed, zone and address alone.

    Args:
        zone: the name of the grid, such as its EPSG code.
    """
    with np.errstate(over="ignore"):
        start = np.uint64(_word(f"{seed}/{zone}"))
        first = _mixed(row.astype(np.uint64) + start)
        return _mixed(first ^ _mixed(col.astype(np.uint64) + np.uint64(0x632BE59BD9B4E019)))


def spread(candidates: Pixels, n: int, *, seed: int, name: str) -> Pixels:
    """Every k-th of the candidates along a Hilbert curve, from a random start.

    Args:
        candidates: a simple random sample of a stratum, or all of it.
        n: how many; all of them at most.
        name: of the stratum, so that each has a start of its own.

    Returns:
        In the order of the curve; each candidate had the chance ``n / len(candidates)``.
    """
    n = min(n, len(candidates))
    if n == 0:
        return candidates.take(np.empty(0, dtype=np.intp))
    along = hilbert(candidates.row, candidates.col)
    order = np.lexsort((along, candidates.zone))
    start = _word(f"{seed}/start/{name}") / 2**64
    picked = np.floor((start + np.arange(n)) * len(candidates) / n).astype(np.intp)
    return candidates.take(order[np.minimum(picked, len(candidates) - 1)])


def hilbert(row: NDArray[np.int64], col: NDArray[np.int64]) -> NDArray[np.uint64]:
    """How far along the Hilbert curve over the whole lattice a pixel lies.

    Args:
        row: between minus and plus 2^31; likewise ``col``.
    """
    offset = np.int64(1) << np.int64(_BITS - 1)
    y, x = (row + offset).astype(np.uint64), (col + offset).astype(np.uint64)
    along = np.zeros(len(x), dtype=np.uint64)
    for bit in range(_BITS - 1, -1, -1):
        side = np.uint64(1) << np.uint64(bit)
        right, up = (x & side) > 0, (y & side) > 0
        quarter = np.where(right, np.uint64(3), np.uint64(0)) ^ up.astype(np.uint64)
        along = (along << np.uint64(2)) | quarter
        mask = side - np.uint64(1)
        x, y = x & mask, y & mask
        flip = ~up & right
        x, y = np.where(flip, mask - x, x), np.where(flip, mask - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
    return along


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finish: every bit of the result depends on every bit given."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _word(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
