"""Pictures of an item: a square of a period's composite around it, and what lies on the map there.

A picture is the same bytes whenever it is asked for, so its checksum says what somebody saw.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import project
from minetrace.flow.review_queue import LONLAT, Item
from minetrace.flow.run_views import RunViews
from minetrace.publish.figures.frame import Frame, nice_below
from minetrace.publish.picture import webp

WIDTH_M = 640.0  # of the closest picture: an item fills a third of it at most
ZOOMS = (1, 2, 4, 8)  # times as wide
MOST_PX = 768
KEPT = 256  # pictures in memory, some 20 kB each
SIMPLER = 0.75  # of a pixel: how far an outline to be edited may leave its stairs

Polygons = list[list[list[tuple[float, float]]]]  # of rings of places


@dataclass(frozen=True)
class Shot:
    """One picture.

    Attributes:
        data: WebP.
        sha256: of it.
    """

    data: bytes
    sha256: str


@dataclass(frozen=True)
class Pictures:
    """Pictures of a run's items, cut when they are asked for.

    Attributes:
        views: of the run.
    """

    views: RunViews
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _kept: dict[tuple[str, str, int], Shot | None] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, run: Path) -> Pictures:
        """Of a run that has come as far as its panel.

        Raises:
            MissingFileError, RunError: it has not.
        """
        return cls(RunViews.open(run))

    def shot(self, item: Item, period: str, zoom: int) -> Shot | None:
        """The picture of a period; None if the run kept none of it."""
        key = (item.id, period, zoom)
        with self._lock:  # one at a time: the stretch is made once, and memory stays small
            if key not in self._kept:
                self._kept[key] = self._cut(item, period, zoom)
            if len(self._kept) > KEPT:
                self._kept.pop(next(iter(self._kept)))
            return self._kept[key]

    def _cut(self, item: Item, period: str, zoom: int) -> Shot | None:
        frame, cell = self.frame(item, zoom)
        drawn = self.views.backdrop(period, frame, cell)
        if drawn is None:
            return None
        colours: NDArray[np.uint8] = np.moveaxis(drawn.pixels, -1, 0)
        data = webp(colours[:3], colours[3] > 0)
        return Shot(data, hashlib.sha256(data).hexdigest())

    def frame(self, item: Item, zoom: int) -> tuple[Frame, float]:
        """The ground that a picture shows, on the lattice of its pixels, and their side in m."""
        flat: BaseGeometry = project(item.unit, LONLAT, item.crs)
        left, bottom, right, top = flat.bounds
        width = zoom * max(WIDTH_M, 3 * max(right - left, top - bottom))
        cell = self.views.finest_m * max(1.0, np.ceil(width / self.views.finest_m / MOST_PX))
        headers = self.views.composites[item.period]
        own = bool(headers) and headers[0].crs == item.crs
        grid = Grid(item.crs, cell, offset_m=headers[0].offset_m if own else 0.0)
        middle = grid.rect(((left + right) / 2, (bottom + top) / 2) * 2).expand(1)
        half = int(np.ceil(width / cell / 2))
        row, col = middle.row + 1 - half, middle.col + 1 - half
        around = grid.bounds(Rect(row, col, 2 * half + 1, 2 * half + 1))
        return Frame(item.crs, *around), float(cell)

    def described(self, item: Item) -> dict[str, Any]:
        """Where the pictures of an item lie, for whoever draws on them; metres of ``crs``.

        The unit itself is told only where it is not the map's own outline.
        """
        flat: BaseGeometry = project(item.unit, LONLAT, item.crs)
        cross = flat.representative_point()
        zooms = []
        for zoom in ZOOMS:
            frame, _ = self.frame(item, zoom)
            true = frame.true_m()
            bar = nice_below(0.3 * frame.width_m * true)
            zooms.append({"zoom": zoom, "bounds": frame.bounds, "bar_m": bar, "bar": bar / true})
        return {
            "crs": item.crs, "cross": [cross.x, cross.y], "zooms": zooms,
            "unit": None if item.outlined else _polygons(flat),
            "north_deg": round(self.frame(item, 1)[0].north_deg(), 2),
        }  # fmt: skip

    def outlines(self, item: Item) -> dict[str, Polygons]:
        """What the map says around an item in its period: ``map``, ``own`` and ``editable``."""
        frame, _ = self.frame(item, ZOOMS[-1])
        rows = self.views.outlined
        rows = rows[rows["period"] == item.period]
        flat = np.asarray(project(rows.geometry.to_numpy(), LONLAT, item.crs), dtype=object)
        near = flat[np.asarray(shapely.intersects(flat, frame.shape), dtype=bool)]
        own: BaseGeometry = project(item.unit, LONLAT, item.crs)
        simple = shapely.simplify(own, SIMPLER * self.views.finest_m)
        return {
            "map": [part for shape in near for part in _polygons(shape)],
            "own": _polygons(own) if item.outlined else [],
            "editable": _polygons(simple if simple.is_valid else own) if item.outlined else [],
        }  # fmt: skip


def _polygons(shape: BaseGeometry) -> Polygons:
    parts: Any = shapely.get_parts(shape)
    return [
        [[(x, y) for x, y in ring.coords[:-1]] for ring in (part.exterior, *part.interiors)]
        for part in parts
    ]
