"""Where a design cannot carry what is asked of it, said in words.

Both before answers are in, from what is expected, and after, from what was found.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.intervals import effective_n, score_limits
from minetrace.assess.stratified import Drawn, FloatArray

DOMINANT = 0.5  # share of the variance, or of the interval's reach, from which one stratum rules
FEW = 5  # finds below which a stratum's share is hardly known


def before(
    names: tuple[str, ...],
    area: FloatArray,
    points: NDArray[np.int64],
    added: FloatArray,
    *,
    noun: str = "points",
) -> Iterator[str]:
    """What to say of a design.

    Args:
        area: (H,) hectares.
        points: (H,) to be drawn.
        added: (H,) what each stratum is expected to add to the variance.
        noun: what is drawn.
    """
    whole = float(added.sum())
    if "rest" in names and whole > 0:
        rest = names.index("rest")
        share, one = float(added[rest]) / whole, float(area[rest]) / max(int(points[rest]), 1)
        if share > DOMINANT:
            yield (
                f"what the map omits in the rest is expected to make {share:.0%} of the variance: "
                f"a single mine found there stands for {one:,.0f} ha. What helps: more {noun} in "
                "the rest (--allocation neyman, or a larger --n), or a lower --uncertain or wider "
                "--buffer-m, which take likely omissions out of it"
            )
    for name, count in zip(names, points, strict=True):
        if count < 20:
            yield f"stratum {name!r} gets {count} {noun}; its accuracy will be hardly known"


def after(drawn: Drawn, y: FloatArray, *, noun: str = "points") -> Iterator[str]:
    """What to say of a class whose share was estimated.

    Args:
        y: (n,) 1 where the class was found, or the share of it.
        noun: what was drawn.
    """
    w, p, area = drawn.strata.weight, drawn.means(y), drawn.strata.area
    _, high = score_limits(p, effective_n(drawn, y))
    reach = (w * (high - p)) ** 2
    value = float((w * p).sum())
    for place, name in enumerate(drawn.strata.names):
        found = float((p * drawn.counts)[place])
        most = float(area[place] * high[place])
        if found >= FEW or reach[place] < DOMINANT * reach.sum():
            continue
        if float(w[place] * (high - p)[place]) < 0.1 * value:
            continue
        yield (
            f"the interval is ruled by stratum {name!r}: {found:g} of {drawn.counts[place]:,} "
            f"{noun} there are mines, so that between none and {most:,.0f} ha of mines may lie in "
            f"it unseen. This design cannot say it closer; what helps is more {noun} there, or a "
            "stratum that takes likely omissions out of it (--uncertain lower, --buffer-m wider)"
        )
