"""The one course that explains all looks best, found exactly in whole numbers.

Probabilities become costs of 1/4096 nat in 32-bit integers, so that sums have no rounding, ties are
true ties, and the answer is the same on every machine and for every cut of the raster.

Source: Viterbi (1967), doi:10.1109/TIT.1967.1054010.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minetrace.temporal.course import ABANDONED, ACTIVE, LOOKALIKE, NOT_YET

UNIT = 4096  # whole numbers to a nat
FORBIDDEN = -(1 << 24)  # worse than any path of 100 periods at the largest ratio that is allowed

Ints = NDArray[np.int32]


def gains(probability: NDArray[np.floating]) -> Ints:
    """Logarithms in whole units; what cannot be is ``FORBIDDEN``."""
    p = np.asarray(probability, dtype=np.float64)
    logs = np.log(np.maximum(p, 1e-300))
    return np.where(p > 0, np.rint(np.maximum(logs * UNIT, FORBIDDEN)), FORBIDDEN).astype(np.int32)


def best_path(
    active: Ints, abandoned: Ints, lookalike: Ints, initial: Ints, steps: Ints
) -> NDArray[np.uint8]:
    """The best path of every pixel.

    Args:
        active: (periods, n) gain of active over untouched ground, in units.
        abandoned: (periods, n) likewise of abandoned ground.
        lookalike: (n,) likewise of a lookalike, of all periods together.
        initial: (4,) gains of the states in the first period.
        steps: (periods - 1, 3, 3) gains of transitions between the first three; into untouched
            ground only from itself.

    Returns:
        (periods, n) states. Of equally good paths the one that ends in the lowest state, and
        before that was in the lowest, and so on back in time.
    """
    u = np.full_like(active[0], initial[NOT_YET])
    a, b = initial[ACTIVE] + active[0], initial[ABANDONED] + abandoned[0]
    came = np.empty((2, *active.shape), dtype=np.uint8)  # whence into active, into abandoned
    for t in range(1, len(active)):
        m = steps[t - 1]
        came[0, t], to_a = _best(u + m[0, 1], a + m[1, 1], b + m[2, 1])
        came[1, t], to_b = _best(u + m[0, 2], a + m[1, 2], b + m[2, 2])
        u, a, b = u + m[0, 0], to_a + active[t], to_b + abandoned[t]
    path = np.empty(active.shape, dtype=np.uint8)
    path[-1], highest = _best(u, a, b)
    for t in range(len(active) - 1, 0, -1):
        now = path[t]
        into_active = np.where(now == ACTIVE, came[0, t], np.uint8(NOT_YET))
        path[t - 1] = np.where(now == ABANDONED, came[1, t], into_active)
    path[:, initial[LOOKALIKE] + lookalike > highest] = LOOKALIKE
    return path


def _best(u: Ints, a: Ints, b: Ints) -> tuple[NDArray[np.uint8], Ints]:
    """Which of three is largest, the first of equals, and how large."""
    one = a > u
    high = np.maximum(u, a)
    two = b > high
    which = np.where(two, np.uint8(ABANDONED), one.view(np.uint8))
    return which, np.maximum(high, b)
