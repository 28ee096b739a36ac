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
from minetrace.temporal.evidence import Evidence, seldom
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
            recovering, 3 never though it may look so, 255 unknown.
    """

    periods: tuple[Period, ...]
    active: Values
    first: Values
    last: Values
    state: NDArray[np.uint8]

    def layers(self, at: int) -> Values:
        """(4, …) uint16 of one period: active, first, last, and the state, 65535 if unknown."""
        state = self.state[at].astype(np.uint16)
        state[self.state[at] == UNKNOWN] = NOT_LOOKED
        return np.stack([self.active[at], self.first[at], self.last[at], state])


def decode(
    scores: NDArray[np.uint16] | NDArray[np.floating],
    periods: Sequence[Period],
    *,
    course: Course | None = None,
    evidence: Evidence,
    wanted: Sequence[Period] | None = None,
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
        evidence: what a score says: ``Calibrated``, ``Detections`` or ``Learned``.
        wanted: periods to answer for, default all: the answer of one takes 7 bytes a pixel. What
            it says does not depend on the others, all of ``periods`` are evidence.
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
    asked = tuple(periods if wanted is None else wanted)
    shape = (len(asked), flat.shape[1])
    active, first, last = (np.empty(shape, np.uint16) for _ in range(3))
    answer = Decoded(asked, active, first, last, np.empty(shape, np.uint8))
    places = [line.index(period) for period in asked]

    def work(part: slice) -> None:
        model.fill(answer, flat[order, part], places, part)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in pool.map(work, _blocks(flat.shape[1])):
            pass
    whole = (len(asked), *scores.shape[1:])
    return Decoded(
        answer.periods, answer.active.reshape(whole), answer.first.reshape(whole),
        answer.last.reshape(whole), answer.state.reshape(whole),
    )  # fmt: skip


@dataclass(frozen=True)
class _Model:
    """Course and evidence in numbers, for one line of periods."""

    initial: NDArray[np.float64]
    steps: NDArray[np.float64]
    ratios: NDArray[np.float32]
    residue: float
    lookalikes: NDArray[np.float32]
    initial_gain: NDArray[np.int32]
    steps_gain: NDArray[np.int32]
    active_gain: NDArray[np.int32]
    abandoned_gain: NDArray[np.int32]
    lookalike_gain: NDArray[np.int32]

    @classmethod
    def of(cls, line: Sequence[Period], course: Course, evidence: Evidence) -> _Model:
        ratios, initial, steps = evidence.ratios(), course.initial, course.steps(gaps_years(line))
        lookalikes = evidence.lookalikes()
        return cls(
            initial, steps, ratios, evidence.residue, lookalikes,
            gains(initial), gains(steps), gains(ratios),
            gains(seldom(ratios, evidence.residue)), gains(lookalikes),
        )  # fmt: skip

    def fill(self, answer: Decoded, values: Values, places: Sequence[int], part: slice) -> None:
        """Decode one block, its layers in time order, into its part of the answer.

        Args:
            answer: what is filled, a layer per wanted period.
            values: (periods, n) scores of the block.
            places: for each wanted period its place in time.
            part: the pixels of the block.
        """
        unknown = (values == NOT_LOOKED).all(axis=0)
        if unknown.all():
            for target in (answer.active, answer.first, answer.last):
                target[:, part] = NOT_LOOKED
            answer.state[:, part] = UNKNOWN
            return
        sums = posterior(
            np.take(self.ratios, values),
            self.initial,
            self.steps,
            self.residue,
            np.take(self.lookalikes, values),
        )
        path = best_path(
            np.take(self.active_gain, values), np.take(self.abandoned_gain, values),
            np.take(self.lookalike_gain, values).sum(axis=0, dtype=np.int32),
            self.initial_gain, self.steps_gain,
        )  # fmt: skip
        path[:, unknown] = UNKNOWN
        targets = ((answer.active, sums.active), (answer.first, sums.first),
                   (answer.last, sums.last))  # fmt: skip
        for target, probability in targets:
            counts = _counts(probability[places])
            counts[:, unknown] = NOT_LOOKED
            target[:, part] = counts
        answer.state[:, part] = path[places]


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
