"""Labels: ground of which somebody says what it is, when, and how they know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.period import Period
from minetrace.core.provenance import fingerprint

ALWAYS = (date.min, date.max)


@dataclass(frozen=True)
class Labels:
    """Polygons and points in EPSG:4326, one row each.

    Attributes:
        geometry: (n,) valid polygons, multipolygons or points.
        klass: (n,) class index; 0 says that there is none of the others here.
        start, end: (n,) the days for which it is said, half-open; `ALWAYS` where nobody limits it.
        source: (n,) who says it.
        licence: (n,) of the source.
        vintage: (n,) the date or year of the imagery that it was drawn on, as its source says it.
        region: (n,) country or territory, empty if not known.
        id: (n,) unique, and stable from one reading to the next.
    """

    geometry: NDArray[np.object_]
    klass: NDArray[np.int64]
    start: NDArray[np.object_]
    end: NDArray[np.object_]
    source: NDArray[np.object_]
    licence: NDArray[np.object_]
    vintage: NDArray[np.object_]
    region: NDArray[np.object_]
    id: NDArray[np.object_]

    def __post_init__(self) -> None:
        for name, column in vars(self).items():
            if len(column) != len(self.geometry):
                raise ValueError(f"Labels: {name} has {len(column)} rows, not {len(self)}")

    def __len__(self) -> int:
        return len(self.geometry)

    def where(self, keep: NDArray[Any]) -> Labels:
        """The rows that a boolean mask or an index names."""
        return replace(self, **{name: column[keep] for name, column in vars(self).items()})

    def during(self, period: Period) -> Labels:
        """What is said of any day of a period."""
        said = [s < period.end and e > period.start
                for s, e in zip(self.start, self.end, strict=True)]  # fmt: skip
        return self.where(np.array(said, dtype=bool))

    @property
    def polygons(self) -> NDArray[np.bool_]:
        """(n,) whether a label is an area rather than a point."""
        return np.asarray(shapely.get_dimensions(self.geometry) == 2)

    @property
    def fingerprint(self) -> str:
        """Of all that they say, whatever file said it."""
        said = {name: column.tolist() for name, column in vars(self).items() if name != "geometry"}
        return fingerprint([shapely.to_wkb(self.geometry, hex=True).tolist(), said])

    @classmethod
    def concat(cls, parts: Sequence[Labels]) -> Labels:
        """All rows, in order."""
        return cls(**{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in vars(parts[0])
        })  # fmt: skip
