"""The error matrix in shares of the ground, and what follows from it.

User's accuracy is the share of what was mapped as a class that is of it; producer's accuracy the
share of what is of a class that was mapped as it. Strata may be the map's classes (Olofsson et al.
2013, 2014) or others (Stehman 2014): the same formulas hold, since the former is a case of the
latter.

Sources: Olofsson et al. (2013), doi:10.1016/j.rse.2012.10.031; Olofsson et al. (2014),
doi:10.1016/j.rse.2014.02.015 ("O14"); Stehman (2014), doi:10.1080/01431161.2014.930207 ("S14").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minetrace.assess.stratified import Drawn, Figure, FloatArray, mean, ratio


@dataclass(frozen=True)
class Accuracy:
    """What a sample says of a map.

    Attributes:
        classes: of the map and of the answers alike.
        matrix: (classes, classes) shares of the ground, rows mapped, columns true.
        overall: share of the ground that is mapped as what it is.
        users: by class; NaN where none of it was mapped.
        producers: by class; NaN where none of it is true.
        shares: share of the ground that truly is of each class.
    """

    classes: tuple[str, ...]
    matrix: FloatArray
    overall: Figure
    users: tuple[Figure, ...]
    producers: tuple[Figure, ...]
    shares: tuple[Figure, ...]


def accuracy(
    drawn: Drawn, mapped: FloatArray, true: FloatArray, classes: tuple[str, ...]
) -> Accuracy:
    """Compare a map with answers.

    Args:
        drawn: the units and their strata.
        mapped: (n, classes) share of each unit that is mapped as each class; 0 and 1 for points.
        true: (n, classes) share of each unit that is of each class.
        classes: names of the columns.

    Cells ``p_ij`` by O14 eq. 4 and S14 eq. 16; overall by O14 eq. 1 and S14 eq. 12, its variance
    O14 eq. 5 and S14 eq. 25; user's by O14 eq. 2 and S14 eq. 18 and 19, its variance O14 eq. 6 and
    S14 eq. 28; producer's by O14 eq. 3 and S14 eq. 22 and 23, its variance O14 eq. 7 and S14 eq.
    28; areas by O14 eq. 9 to 11 and S14 eq. 14 and 25.
    """
    cells = mapped[:, :, None] * true[:, None, :]
    both = np.einsum("nii->ni", cells)
    k = len(classes)
    matrix = np.array([[mean(drawn, cells[:, i, j]).value for j in range(k)] for i in range(k)])
    return Accuracy(
        classes, matrix, mean(drawn, both.sum(axis=1)),
        tuple(ratio(drawn, both[:, i], mapped[:, i]) for i in range(k)),
        tuple(ratio(drawn, both[:, i], true[:, i]) for i in range(k)),
        tuple(mean(drawn, true[:, i]) for i in range(k)),
    )  # fmt: skip


def one_hot(labels: np.ndarray[tuple[int], np.dtype[np.str_]], classes: tuple[str, ...],
            ) -> FloatArray:  # fmt: skip
    """Class names (n,) as columns of 0 and 1: (n, classes)."""
    return np.asarray(labels[:, None] == np.array(classes)[None, :], dtype=np.float64)
