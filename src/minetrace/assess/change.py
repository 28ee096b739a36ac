"""Change between two periods from units that were looked at in both: what stayed, came and went.

The map says of each stratum what changed in it, people say so of each unit, and the error matrix
of the four kinds follows as for any classes. Where two people differ on a unit its share of each
kind is the least that both periods allow, so that shares add up to one.

Sources: Olofsson et al. (2014), doi:10.1016/j.rse.2014.02.015, section 4 (change as classes);
Stehman (2014), doi:10.1080/01431161.2014.930207 (strata that are not the classes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.accuracy import accuracy
from minetrace.assess.intervals import mover_sum
from minetrace.assess.mining import Told, area_of, producers_interval, users_interval
from minetrace.assess.stratified import Drawn, FloatArray

KINDS = ("stays", "gained", "lost", "never")


@dataclass(frozen=True)
class Change:
    """What a sample says of a map of change.

    Attributes:
        matrix: (4, 4) shares of the ground, rows mapped, columns true, in the order of `KINDS`.
        overall: share of the ground whose change is mapped as what it is.
        areas_ha: true ground of each kind.
        users: of what is mapped as a kind, the share that is of it; NaN where nothing is.
        producers: of what truly is of a kind, the share that is mapped so.
    """

    matrix: FloatArray
    overall: Told
    areas_ha: tuple[Told, ...]
    users: tuple[Told, ...]
    producers: tuple[Told, ...]


def kind_of(before: bool, after: bool) -> int:
    """The place among `KINDS` of ground that is mined, or not, before and after."""
    return {(True, True): 0, (False, True): 1, (True, False): 2, (False, False): 3}[before, after]


def kinds_of(before: FloatArray, after: FloatArray) -> FloatArray:
    """(n, 4) share of each unit that is of each kind; they add up to one."""
    stays = np.minimum(before, after)
    return np.stack([stays, after - stays, before - stays, 1 - np.maximum(before, after)], axis=1)


def change(drawn: Drawn, mapped: NDArray[np.int64], before: FloatArray, after: FloatArray
           ) -> Change:  # fmt: skip
    """Estimate change.

    Args:
        drawn: units that were answered in both periods.
        mapped: (H,) the kind that each stratum is mapped as, by its place among `KINDS`.
        before: (n,) 1 where it was mined, 0 where not, one half where two people differ.
        after: likewise.

    Raises:
        LabelError: a stratum has too few answers.
    """
    drawn.refuse_thin()
    eye = np.eye(len(KINDS))
    claimed, true = eye[mapped[drawn.stratum]], kinds_of(before, after)
    found = accuracy(drawn, claimed, true, KINDS)
    every = range(len(KINDS))
    right = (claimed * true).sum(axis=1)
    return Change(
        found.matrix, Told.of(found.overall, mover_sum(drawn, right)),
        tuple(area_of(drawn, true[:, k]) for k in every),
        tuple(Told.of(found.users[k], users_interval(drawn, mapped == k, true[:, k]))
              for k in every),
        tuple(Told.of(found.producers[k], producers_interval(drawn, mapped == k, true[:, k]))
              for k in every),
    )  # fmt: skip
