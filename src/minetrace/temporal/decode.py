"""Decode scores through time: for every pixel what it was in each period, and how surely.

Pixels are worked in blocks that fit the processor's cache, on a few threads (numpy lets go of the
interpreter), so that memory does not grow with the raster beyond its answer. Nothing depends on the
blocks: a pixel's answer is a function of its own scores alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.period import Period, ordered
from minetrace.core.scores import NOT_LOOKED, SCALE, encode
from minetrace.errors import PeriodError
from minetrace.temporal.course import Course, gaps_years
from minetrace.temporal.evidence import Evidence
from minetrace.temporal.posterior import posterior
from minetrace.temporal.viterbi import best_path, gains

BLOCK_PX = 16_384
UNKNOWN = 255  # state of a pixel that nobody ever looked at

Values = NDArray[np.uint16]


@dataclass(frozen=True)
class Decoded:
    """What became of each pixel; probabilities are x 10,000, NOT_LOOKED where nobody ever looked.

    Attributes:
        periods: in the order that was given.
        active: (periods, …) uint16, probability of being mined in the period.
        first: likewise, of the period being the first in which it was mined.
        last: likewise, of the period being the last.
        state: (periods, …) uint8, the single best course: 0 not yet, 1 active, 2 abandoned or
            recovering, 255 unknown.
    """

    periods: tuple[Period, ...]
    active: Values
    first: Values
    last: Values
    state: NDArray[np.uint8]


def decode(
    scores: NDArray[np.uint16] | NDArray[np.floating],
    periods: Sequence[Period],
    *,
    course: Course | None = None,
    evidence: Evidence,
    threads: int = 2,
) -> Decoded:
    """Decode a series of scores.

    A period without a look at a pixel carries no evidence there; its answer comes from the
    periods around it. Periods may have any length and any gaps between them.

    Args:
        scores: (periods, …) uint16 probability x 10,000 with 65535 for not looked, or floating
            probabilities with NaN for not looked (kept to 1/10,000).
        periods: what each layer is of, in any order.
        course: what is believed of ground before anybody looks.
        evidence: what a score says: ``Calibrated`` or ``Detections``.
        threads: how many blocks are worked at once; the answer does not depend on it.

    Raises:
        PeriodError: layers and periods do not match, or periods overlap.
    """
    if len(scores) != len(periods):
        raise PeriodError(f"decode: {len(scores)} layers of scores for {len(periods)} periods")
    line = ordered(periods)
    order = [list(periods).index(period) for period in line]
    model = _Model.of(line, course or Course(), evidence)
    flat = _as_counts(scores).reshape(len(scores), -1)
    active, first, last = (np.empty(flat.shape, np.uint16) for _ in range(3))
    answer = Decoded(tuple(periods), active, first, last, np.empty(flat.shape, np.uint8))

    def work(part: slice) -> None:
        model.fill(answer, flat, order, part)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in pool.map(work, _blocks(flat.shape[1])):
            pass
    shape = scores.shape
    return Decoded(
        answer.periods, answer.active.reshape(shape), answer.first.reshape(shape),
        answer.last.reshape(shape), answer.state.reshape(shape),
    )  # fmt: skip


@dataclass(frozen=True)
class _Model:
    """Course and evidence in numbers, for one line of periods."""

    initial: NDArray[np.float64]
    steps: NDArray[np.float64]
    ratios: NDArray[np.float32]
    residue: float
    initial_gain: NDArray[np.int32]
    steps_gain: NDArray[np.int32]
    active_gain: NDArray[np.int32]
    abandoned_gain: NDArray[np.int32]

    @classmethod
    def of(cls, line: Sequence[Period], course: Course, evidence: Evidence) -> _Model:
        ratios, residue = evidence.ratios(), evidence.residue
        initial, steps = course.initial, course.steps(gaps_years(line))
        faded = residue * ratios.astype(np.float64) + 1 - residue
        return cls(
            initial, steps, ratios, residue,
            gains(initial), gains(steps), gains(ratios), gains(faded),
        )  # fmt: skip

    def fill(self, answer: Decoded, flat: Values, order: Sequence[int], part: slice) -> None:
        """Decode one block into its place."""
        values = flat[order, part]
        sums = posterior(np.take(self.ratios, values), self.initial, self.steps, self.residue)
        path = best_path(
            np.take(self.active_gain, values), np.take(self.abandoned_gain, values),
            self.initial_gain, self.steps_gain,
        )  # fmt: skip
        path[:, (values == NOT_LOOKED).all(axis=0)] = UNKNOWN
        unknown = path[0] == UNKNOWN
        targets = ((answer.active, sums.active), (answer.first, sums.first),
                   (answer.last, sums.last))  # fmt: skip
        for target, probability in targets:
            counts = _counts(probability)
            counts[:, unknown] = NOT_LOOKED
            for place, layer in zip(order, counts, strict=True):
                target[place, part] = layer
        for place, states in zip(order, path, strict=True):
            answer.state[place, part] = states


def _counts(probability: NDArray[np.float32]) -> Values:
    """Probabilities x 10,000, rounded; one that is above 1 by a rounding is 1."""
    rounded = np.minimum(probability * np.float32(SCALE) + np.float32(0.5), np.float32(SCALE))
    return np.asarray(rounded.astype(np.uint16))


def _as_counts(scores: NDArray[np.uint16] | NDArray[np.floating]) -> Values:
    if scores.dtype == np.uint16:
        return np.asarray(scores, dtype=np.uint16)
    if not np.issubdtype(scores.dtype, np.floating):
        raise TypeError(f"decode: scores are {scores.dtype}; give uint16 x 10,000 or floats")
    return np.stack([encode(layer, ~np.isnan(layer)) for layer in scores])


def _blocks(count: int) -> list[slice]:
    return [slice(k, min(k + BLOCK_PX, count)) for k in range(0, count, BLOCK_PX)]
