"""The strata of a map: where it says mine, where it might be wrong, and the rest.

Errors of a map lie where it is nearly sure and along its edges. Ground of that kind is kept apart
from the huge rest, so that points go where errors are and a single mine found in the rest does not
stand for a county. Ground that nobody looked at is in no stratum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Name = Literal["mine", "gained", "lost", "buffer", "uncertain", "rest"]
STRATA: tuple[Name, ...] = get_args(Name)  # in this order, everywhere
NOWHERE = 255

OMITTED = 0.1  # of the mapped ground: how much mining the rest is taken to hide, before it is seen
EXPECTED: dict[str, float] = {
    "mine": 0.7, "gained": 0.6, "lost": 0.6, "buffer": 0.2, "uncertain": 0.1,
}  # fmt: skip

Mask = NDArray[np.bool_]


def stratify(frame: Mask, mapped: Sequence[Mask], near: Mask, likely: Mask) -> NDArray[np.uint8]:
    """The stratum of each pixel, as its place in ``STRATA``; NOWHERE outside the frame.

    Args:
        frame: True where there is something to draw: in the region, and looked at.
        mapped: mapped as mine, in one period or in two; with two, ``mine`` is mapped in both.
        near: within the buffer around a mapped mine.
        likely: with a score that is high for ground that was not mapped.
    """
    codes = np.full(frame.shape, STRATA.index("rest"), dtype=np.uint8)
    codes[likely] = STRATA.index("uncertain")
    codes[near] = STRATA.index("buffer")
    first, last = mapped[0], mapped[-1]
    codes[last & ~first] = STRATA.index("gained")
    codes[first & ~last] = STRATA.index("lost")
    codes[first & last] = STRATA.index("mine")
    return np.where(frame, codes, np.uint8(NOWHERE))


def mapped_in(name: str, period: int, periods: int) -> bool:
    """Whether ground of a stratum is mapped as mine in a period, by its place in time."""
    if name == "mine":
        return True
    return periods > 1 and name == ("lost" if period == 0 else "gained")


def expected_shares(names: Sequence[str], area: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H,) share of mines in each stratum, as it is guessed before anybody has looked.

    In the rest it is what hides a tenth of the mapped ground, and a twentieth at most: a constant
    share would be far off for large regions, or for small ones.
    """
    ground = dict(zip(names, area, strict=True))
    mapped = sum(ground.get(name, 0.0) for name in ("mine", "gained", "lost"))
    hidden = min(0.05, OMITTED * mapped / ground["rest"]) if ground.get("rest") else 0.0
    known = {**EXPECTED, "rest": max(hidden, 1e-6)}
    return np.array([known[name] for name in names])
