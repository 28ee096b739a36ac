"""How probable each state is, given all looks of all periods: forward and backward, exactly.

Of every path through the states its probability is known; what is asked is a sum over paths.
``active`` sums those that are active in a period, ``first`` those that are active in it for the
first time, ``last`` those that are active in it and never again. The last two are not functions of
the first: each needs a recursion over the paths that have kept out of the active state.

A lookalike has one path, which meets no other: its share of the probability is taken off the sums
over all others at the end.

Source: Rabiner (1989), doi:10.1109/5.18626, with his scaling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.temporal.course import LOOKALIKE

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Posterior:
    """Probabilities per period and pixel, each (periods, n) float32."""

    active: Floats
    first: Floats
    last: Floats


@dataclass(frozen=True)
class _Forward:
    """Scaled sums over paths up to each period, each a list of (n,)."""

    untouched: list[Floats]
    active: list[Floats]
    abandoned: list[Floats]
    never: list[Floats]  # abandoned now and active in no period so far: begun before, or unseen
    fresh: list[Floats]  # active now for the first time


def posterior(
    ratios: Floats,
    initial: NDArray[np.floating],
    steps: NDArray[np.floating],
    residue: float,
    lookalike: Floats,
) -> Posterior:
    """Sum over all paths of a block of pixels.

    Args:
        ratios: (periods, n) likelihood ratio of active to not active; 1 where nobody looked.
        initial: (4,) probabilities of the states in the first period.
        steps: (periods - 1, 3, 3) transition probabilities between the first three.
        residue: chance that abandoned ground looks active: its likelihood is
            ``residue * ratio + 1 - residue`` beside 1 for untouched ground.
        lookalike: (periods, n) likelihood ratio of a lookalike to untouched ground.

    Returns:
        ``first`` and ``last`` sum to the probability of ever being active.
    """
    start, moves = initial.astype(np.float32), steps.astype(np.float32)
    faded = ratios * np.float32(residue) + np.float32(1 - residue)
    forward, scale = _forward(ratios, faded, start, moves)
    found = _backward(ratios, faded, moves, forward, scale)
    if start[LOOKALIKE] > 0:
        true = _not_a_lookalike(lookalike, scale, start[LOOKALIKE])
        for part in vars(found).values():
            np.multiply(part, true, out=part)
    return found


def _not_a_lookalike(ratios: Floats, scale: list[Floats], share: np.float32) -> Floats:
    """(n,) probability of being none, by the likelihoods of its one path and of all others."""
    excess = np.full_like(ratios[0], np.log(share))
    for ratio, one in zip(ratios, scale, strict=True):
        excess += np.log(ratio * one)
    return np.asarray(1 / (1 + np.exp(np.minimum(excess, np.float32(80)))))


def _forward(
    ratios: Floats, faded: Floats, start: Floats, moves: Floats
) -> tuple[_Forward, list[Floats]]:
    told, scale = _Forward([], [], [], [], []), []
    for t, (ratio, fade) in enumerate(zip(ratios, faded, strict=True)):
        if t == 0:
            u, a = np.full_like(ratio, start[0]), start[1] * ratio
            b = n = start[2] * fade
            f = a
        else:
            m = moves[t - 1]
            u0, a0, b0, n0 = (part[-1] for part in (told.untouched, told.active,
                                                    told.abandoned, told.never))  # fmt: skip
            unseen = u0 * m[0, 2]
            a = (u0 * m[0, 1] + a0 * m[1, 1] + b0 * m[2, 1]) * ratio
            b = (unseen + a0 * m[1, 2] + b0 * m[2, 2]) * fade
            n = (unseen + n0 * m[2, 2]) * fade
            f = (u0 * m[0, 1] + n0 * m[2, 1]) * ratio
            u = u0 * m[0, 0]
        one = np.float32(1) / (u + a + b)
        for part, values in zip(vars(told).values(), (u, a, b, n, f), strict=True):
            part.append(values * one)
        scale.append(one)
    return told, scale


def _backward(
    ratios: Floats, faded: Floats, moves: Floats, told: _Forward, scale: list[Floats]
) -> Posterior:
    active, first, last = (np.empty_like(ratios) for _ in range(3))
    end = len(ratios) - 1
    a = b = u = np.ones_like(ratios[0])
    at_rest = done = a  # sums over futures without activity, from abandoned and from active ground
    for t in range(end, -1, -1):
        if t < end:
            m, one = moves[t], scale[t + 1]
            fade = faded[t + 1] * one
            from_a, from_b = a * ratios[t + 1] * one, b * fade
            u = u * one * m[0, 0] + from_a * m[0, 1] + from_b * m[0, 2]
            a = from_a * m[1, 1] + from_b * m[1, 2]
            b = from_a * m[2, 1] + from_b * m[2, 2]
            resting = at_rest * fade
            done, at_rest = resting * m[1, 2], resting * m[2, 2]
        np.multiply(told.active[t], a, out=active[t])
        np.multiply(told.fresh[t], a, out=first[t])
        np.multiply(told.active[t], done, out=last[t])
    return Posterior(active, first, last)
