"""What happened to each site in each period, in one word.

The words follow from three tables of sites by periods: where a site has an outline, where its
ground was looked at, and how many hectares it has. A period that was not looked at breaks nothing
off: what was there before it and after it is taken to have gone on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EVENTS = {
    "appears": "first outline of the site; parents if it split from others",
    "grows": "larger than when last seen by more than the growth rule",
    "shrinks": "smaller than when last seen by more than the growth rule",
    "stays": "neither",
    "splits": "parts of its ground have become sites of their own",
    "merges": "took over other sites, named in parents",
    "returns": "has an outline again after its ground was seen without one",
    "pauses": "looked at and without an outline, for the first time before it returns",
    "ends": "looked at and without an outline, for the first time and to the end of the study",
    "merged": "went into another site, whose parents name it",
    "absent": "looked at and still without an outline, after it paused, ended or merged",
    "not_looked": "without an outline, and too little of its ground was looked at to say",
}
"""Every word of the column ``event``; null stands for looked at, before the site's first period."""

WITHOUT_OUTLINE = ("pauses", "ends", "merged", "absent", "not_looked")

Table = NDArray[np.bool_]


def events(
    present: Table,
    looked: Table,
    hectares: NDArray[np.float64],
    *,
    split: Table,
    merging: Table,
    merged: Table,
    growth: float,
) -> NDArray[np.object_]:
    """The event of every site and period.

    Args:
        present: (sites, periods) the site has an outline.
        looked: likewise, enough of the site's ground was looked at.
        hectares: likewise, of its outline.
        split: likewise, parts of it became others.
        merging: likewise, it took over others.
        merged: likewise, it went into another.
        growth: relative change that counts as growing or shrinking.

    Returns:
        (sites, periods) words of ``EVENTS``, or None.
    """
    count, periods = present.shape
    words = np.full((count, periods), None, dtype=object)
    seen_before = np.zeros(count, dtype=bool)
    gone = np.zeros(count, dtype=bool)  # looked at and absent, or merged, since last present
    last_ha = np.zeros(count)
    to_come = np.logical_or.accumulate(present[:, ::-1], axis=1)[:, ::-1]
    for t in range(periods):
        here = present[:, t]
        into = merged[:, t] & ~here
        empty = looked[:, t] & ~here & ~into & seen_before
        ratio = hectares[:, t] / np.where(last_ha > 0, last_ha, np.nan)
        words[:, t] = np.select(
            [
                here & ~seen_before,
                here & gone,
                here & merging[:, t],
                here & split[:, t],
                here & (ratio > 1 + growth),
                here & (ratio < 1 - growth),
                here,
                into,
                ~looked[:, t],
                empty & gone,
                empty & to_come[:, t],
                empty,
            ],
            ["appears", "returns", "merges", "splits", "grows", "shrinks", "stays", "merged",
             "not_looked", "absent", "pauses", "ends"],
            default="",
        )  # fmt: skip
        gone = (gone | empty | into) & ~here
        seen_before |= here
        last_ha = np.where(here, hectares[:, t], last_ha)
    words[words == ""] = None
    return words
