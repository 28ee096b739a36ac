"""Sorting networks that find a median without branching.

A network is a fixed list of comparisons, so that each runs over thousands of pixels at once. Only
the comparisons on which the two middle places depend are kept.

Source: K. E. Batcher (1968), "Sorting networks and their applications": odd-even merge sort.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple


class Step(NamedTuple):
    """One comparison of two slots; ``keep`` says which of its two results is used later."""

    low: int
    high: int
    keep: Literal["low", "high", "both"]


class Network(NamedTuple):
    """Comparisons that bring the two middle values of ``size`` slots to ``middle``.

    Attributes:
        middle: the two slots around the middle; for an odd number the last one is the middle.
            Both are 0 where there is one slot.
    """

    size: int
    steps: tuple[Step, ...]
    middle: tuple[int, int]


@lru_cache(maxsize=512)
def median_network(size: int) -> Network:
    """The pruned network for a number of slots, made once per number."""
    middle = (max(0, (size - 1) // 2 - size % 2), size // 2)
    wanted, steps = set(middle), []
    for low, high in reversed(_batcher(size)):
        if low in wanted and high in wanted:
            steps.append(Step(low, high, "both"))
        elif low in wanted:
            steps.append(Step(low, high, "low"))
        elif high in wanted:
            steps.append(Step(low, high, "high"))
        else:
            continue
        wanted |= {low, high}
    return Network(size, tuple(reversed(steps)), middle)


def _batcher(size: int) -> list[tuple[int, int]]:
    """Comparisons that sort ``size`` slots upwards (Knuth, TAOCP 3, algorithm 5.2.2M)."""
    found: list[tuple[int, int]] = []
    if size < 2:
        return found
    top = 1 << (size - 1).bit_length() - 1
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            found += [(i, i + d) for i in range(size - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return found
