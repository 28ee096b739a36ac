"""Masks: which pixel is of which class, and of which nobody knows.

What is painted later wins, so the order is the rule: what lies outside every label, ground that is
said to be none of the classes, ground that a label names only for other days, the classes, and last
the ring along their edges, where a drawn line and a pixel never agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from minetrace.core.data_set import IGNORE
from minetrace.core.grid import Grid, Rect

Touch = Literal["centre", "all"]


@dataclass(frozen=True)
class Ground:
    """What is known of the ground around a chip, in the CRS of its grid.

    Attributes:
        shapes: (n,) polygons.
        klass: (n,) their class; 0 says none of the others.
        unknown: (m,) polygons that are labelled on other days only, or that are not to be used.
        outside: class of ground outside every label: 0, or IGNORE if nobody looked there.
    """

    shapes: NDArray[np.object_]
    klass: NDArray[np.int64]
    unknown: NDArray[np.object_]
    outside: int


def paint(
    ground: Ground, grid: Grid, rect: Rect, *, touch: Touch = "centre", ring_m: float = 0.0
) -> NDArray[np.uint8]:
    """The mask of a rectangle of a grid; holes of polygons stay holes.

    Args:
        ground: what is known there.
        touch: a pixel belongs to a polygon if its centre lies inside, or if any of it does.
        ring_m: this far on both sides of a class's edge nobody knows, metres.
    """
    mask = np.full(rect.shape, ground.outside, np.uint8)

    def burn(shapes: Sequence[Any], value: int) -> None:
        some = [s for s in shapes if not s.is_empty]
        if some:
            rasterize(
                [(s, value) for s in some], out=mask, transform=grid.affine(rect),
                all_touched=touch == "all",
            )  # fmt: skip

    burn(list(ground.shapes[ground.klass == 0]), 0)
    burn(list(ground.unknown), IGNORE)
    positive = ground.klass > 0
    for klass in np.unique(ground.klass[positive]):
        burn(list(ground.shapes[ground.klass == klass]), int(klass))
    if ring_m > 0 and positive.any():
        edges = shapely.boundary(shapely.union_all(ground.shapes[positive]))
        burn([shapely.buffer(edges, ring_m)], IGNORE)
    return mask


def shares_of(mask: NDArray[np.uint8]) -> dict[int, float]:
    """Share of the pixels by class, IGNORE among them, rounded to a millionth."""
    values, counts = np.unique(mask, return_counts=True)
    return {int(v): round(int(n) / mask.size, 6) for v, n in zip(values, counts, strict=True)}


def label_of(
    shares: dict[int, float], points: Iterable[int] = (), *, least: float = 0.0,
    most_unknown: float = 0.5,
) -> int | None:  # fmt: skip
    """Class of a whole chip: its largest class, else 0; None if too much of it is not known.

    A point may add a class to what is painted, and never takes one away: a point without a mine
    does not say that there is none beside it.

    Args:
        shares: by class.
        points: classes of the points in it.
        least: share that a class must have to count.
        most_unknown: share of IGNORE from which on a chip without a class is not called 0.
    """
    classes = {k: v for k, v in shares.items() if 0 < k < IGNORE and v >= least}
    known = shares.get(IGNORE, 0.0) < most_unknown
    painted = [max(classes, key=lambda k: classes[k])] if classes else [0] if known else []
    return max([*painted, *points], default=None)
