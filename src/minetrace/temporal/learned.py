"""What each score says, learned where the truth is known: of mines, and of what only looks so.

A calibrated probability lumps together all ground that is not mined. But false alarms are not
spread evenly: most come again and again from the same fields and banks, and hardly any from the
rest. Telling the two apart says of a lone bright look at quiet ground that it means much, and of
the third bright look at a field that it means little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.errors import StudyError

EDGES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96, 1.0)
LIMIT = 1000.0  # no look says more to one than this
_ROUNDS = 80

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """Likelihood ratios over quiet ground by bin of score, and how common lookalikes were.

    Attributes:
        edges: largest score of each bin, rising to 1.
        active: ratio of active to quiet ground, a bin each.
        lookalike: ratio of lookalikes to quiet ground, likewise.
        active_share: of active ground where it was learned, for ``Course``.
        lookalike_share: of lookalikes there, likewise.
        weight: power of the ratios, below 1 if looks at one place are not independent.
        residue: chance that abandoned ground still looks as active ground does.
    """

    edges: tuple[float, ...]
    active: tuple[float, ...]
    lookalike: tuple[float, ...]
    active_share: float
    lookalike_share: float
    weight: float = 1.0
    residue: float = 0.1

    def __post_init__(self) -> None:
        sizes = {len(self.edges), len(self.active), len(self.lookalike)}
        if len(sizes) > 1 or not (np.diff(self.edges) > 0).all() or self.edges[-1] != 1:
            raise StudyError("decode: learned evidence needs rising edges to 1, and a ratio a bin")
        if min(*self.active, *self.lookalike) <= 0:
            raise StudyError("decode: learned ratios are above 0")
        if not (0 < self.weight <= 1 and 0 <= self.residue <= 0.5):
            raise StudyError("decode: weight lies above 0, to 1, and residue from 0 to 0.5")

    def ratios(self) -> NDArray[np.float32]:
        """(65536,) ratio of active to quiet ground by score; 1 where nobody looked."""
        return self._table(self.active)

    def lookalikes(self) -> NDArray[np.float32]:
        """(65536,) likewise of lookalikes."""
        return self._table(self.lookalike)

    def _table(self, by_bin: tuple[float, ...]) -> NDArray[np.float32]:
        limited = np.clip(by_bin, 1 / LIMIT, LIMIT) ** self.weight
        table = limited[_bin_of(np.arange(NOT_LOOKED + 1), self.edges)].astype(np.float32)
        table[NOT_LOOKED] = 1.0
        return table


def learn(
    scores: NDArray[np.uint16],
    active: NDArray[np.bool_],
    *,
    weight: float = 1.0,
    residue: float = 0.1,
) -> Learned:
    """Learn evidence from ground whose truth is known in every period.

    Which of the ground that was never mined is a lookalike is not told but found: ground of two
    kinds, each with its own frequencies of scores, independent from look to look (a latent class
    model, by expectation and maximisation).

    Args:
        scores: (periods, …) x 10,000; 65535 for not looked.
        active: the same shape, where ground was truly mined.
        weight: see ``Learned``.
        residue: likewise.

    Raises:
        StudyError: shapes differ, or nothing was looked at that is mined, or that never is.

    Source of the method: Dempster, Laird & Rubin (1977), doi:10.1111/j.2517-6161.1977.tb01600.x.
    """
    if scores.shape != active.shape:
        raise StudyError(f"scores are {scores.shape} and the truth is {active.shape}")
    bins, looked = _bin_of(scores, EDGES), scores != NOT_LOOKED
    never = ~active.any(axis=0)
    of_mines = np.bincount(bins[looked & active], minlength=len(EDGES)) + 0.5
    counts = np.stack(
        [((bins == b) & looked).sum(axis=0)[never] for b in range(len(EDGES))], axis=1
    )
    if not (looked & active).any() or not counts.any():
        raise StudyError("learning needs ground that is mined and ground that never is, looked at")
    share, quiet, lookalike = _two_kinds(counts.astype(np.float64))
    return Learned(
        EDGES, _ratio(of_mines / of_mines.sum(), quiet), _ratio(lookalike, quiet),
        float(active[looked].mean()), round(float(share * never.mean()), 6), weight, residue,
    )  # fmt: skip


def _two_kinds(counts: Floats) -> tuple[float, Floats, Floats]:
    """Share of the rarer kind, and the frequencies of bins of the common and the rare kind.

    Args:
        counts: (pixels, bins) looks of each pixel in each bin.
    """
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    every = patterns.T @ times
    rank = np.linspace(0, 1, len(every))
    kinds = np.stack([every * np.exp(-6 * rank), np.sqrt(every) * np.exp(3 * rank)]) + 1e-9
    kinds /= kinds.sum(axis=1, keepdims=True)
    share = 0.05
    for _ in range(_ROUNDS):
        logs = patterns @ np.log(kinds.T) + np.log([1 - share, share])
        rare = times / (1 + np.exp(np.clip(logs[:, 0] - logs[:, 1], -700, 700)))
        share = float(rare.sum() / times.sum())
        kinds = np.stack([patterns.T @ (times - rare), patterns.T @ rare]) + 0.5
        kinds /= kinds.sum(axis=1, keepdims=True)
    return share, kinds[0], kinds[1]


def _ratio(one: Floats, other: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in one / other)


def _bin_of(scores: NDArray[np.integer], edges: tuple[float, ...]) -> NDArray[np.intp]:
    tops = np.rint(np.array(edges) * SCALE)
    return np.minimum(np.searchsorted(tops, scores), len(edges) - 1)
