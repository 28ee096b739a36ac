"""Zones with a threshold of their own, such as a basin that is known to be mined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minetrace.core.footprints import Footprints
from minetrace.errors import StudyError
from minetrace.panel.rules.globe import lonlat, within
from minetrace.panel.rules.isolation import score_of


@dataclass(frozen=True)
class Zone:
    """Ground with a threshold of its own.

    Attributes:
        ground: its outlines, in any CRS.
        threshold: least score of what touches it.
        name: what to call it.
    """

    ground: Footprints
    threshold: float
    name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise StudyError(
                f"zone {self.name!r}: threshold is {self.threshold}; give a number from 0 to 1"
            )


def zone_thresholds(
    footprints: Footprints, zones: Sequence[Zone], *, elsewhere: float, score: str = "score_mean"
) -> Footprints:
    """Keep what reaches the threshold of the zone in which it lies, or that of everywhere else.

    Args:
        footprints: outlines of one period, in any CRS.
        zones: an outline that touches several is judged by the lowest of their thresholds.
        elsewhere: threshold outside all zones.
        score: the column that is compared; a row without a value is dropped.

    Returns:
        A subset of the rows in their order.

    Raises:
        OutlineError: there is no such column.
        StudyError: a threshold is no share.
    """
    if not 0 <= elsewhere <= 1:
        raise StudyError(f"elsewhere is {elsewhere}; give a threshold from 0 to 1")
    values, shapes = score_of(footprints, score), lonlat(footprints)
    least = np.full(len(values), np.inf)
    for zone in zones:
        touched = np.unique(within(shapes, lonlat(zone.ground), 0.0).left)
        least[touched] = np.minimum(least[touched], zone.threshold)
    least[np.isinf(least)] = elsewhere
    return footprints.where(values >= least)
