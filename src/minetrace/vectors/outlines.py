"""Outlines of one period from its scores, tile by tile and without seams."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import box

from minetrace.core.footprints import Extent, Footprints, geodesic_hectares
from minetrace.core.grid import Grid, Rect
from minetrace.core.scores import SCALE
from minetrace.errors import StudyError
from minetrace.vectors.clean import (
    polygons,
    ring_hectares,
    with_score,
    without_holes,
    without_specks,
)  # fmt: skip
from minetrace.vectors.join import Traces, join
from minetrace.vectors.trace import Read, trace

AREA_COLUMN = {"mined": "area_ha", "footprint": "footprint_ha"}
_SURELY_BELOW = 1.05  # margin of the quick estimate of hectares; what is nearer is measured
_POLYGONS_A_TASK = 2_000


@dataclass(frozen=True)
class OutlineRules:
    """What makes an outline of scores.

    Attributes:
        threshold: probability from which on ground belongs to an outline.
        high: an outline is kept only if somewhere it reaches this probability; with it,
            ``threshold`` is the low one of a hysteresis (Canny 1986).
        sieve_px: outlines of fewer 4-connected pixels are dropped, holes that enclose fewer are
            filled.
        fill_holes_ha: holes that enclose less are filled, and what lies in them becomes part.
        min_ha: smaller outlines are dropped, judged before simplification.
        simplify_m: how far a simplified outline may lie from the pixels' edges.
    """

    threshold: float = 0.5
    high: float | None = None
    sieve_px: int = 0
    fill_holes_ha: float = 0.0
    min_ha: float = 0.0
    simplify_m: float = 0.0

    def __post_init__(self) -> None:
        for name in ("sieve_px", "fill_holes_ha", "min_ha", "simplify_m"):
            if not 0 <= getattr(self, name) < math.inf:
                raise StudyError(f"vectors: {name} is {getattr(self, name)}; give 0 or more")
        if not 0 < self.threshold <= 1:
            raise StudyError(f"vectors: threshold is {self.threshold}; give a share above 0, to 1")
        if self.high is not None and not self.threshold <= self.high <= 1:
            raise StudyError(
                f"vectors: high is {self.high}; give a share from the threshold "
                f"({self.threshold}) to 1, or leave it out"
            )


def outlines(
    tiles: Sequence[Rect], read: Read, grid: Grid, rules: OutlineRules, extent: Extent,
    *, map: Callable[..., Any] = builtins.map,
) -> Footprints:  # fmt: skip
    """Outline the ground that scores call a mine.

    The same outlines come out however the raster is cut into tiles: diagonal pixels do not touch,
    holes are kept, every polygon is valid and no vertex lies on a straight line.

    Args:
        tiles: rectangles of the grid that do not overlap, in any order and of any sizes; what
            lies between them is not looked at.
        read: gives two (height, width) uint16 arrays of a rectangle, probability x 10,000 or
            NOT_LOOKED: what is thresholded, of which ``score_max`` is the highest, and
            what ``score_mean`` is the mean of. To outline a pixel that was not looked at, or to
            count one in a mean, is impossible.
        grid: the lattice of the tiles.
        rules: what becomes an outline.
        extent: what the outlines enclose; names the column of hectares.
        map: ``map`` of an executor, to work tiles in parallel; ``read`` must be picklable then.

    Returns:
        Polygons in the grid's CRS from north to south, with ``score_mean`` (NaN where no pixel
        has a value), ``score_max`` and ``area_ha`` or ``footprint_ha``, geodesic.

    Raises:
        ValueError: tiles overlap.
    """
    tiles = sorted(tile for tile in tiles if not tile.empty)
    _refuse_overlap(tiles)
    task = partial(trace, read=read, least=_scaled(rules.threshold), sieve_px=rules.sieve_px)
    traces = _cleaned(join(list(map(task, tiles))), grid, rules)
    geometry, owner = polygons(traces.rings, grid)
    measure = partial(_measured, crs=grid.crs, map=map)
    hectares = measure(geometry)
    if rules.min_ha > 0:
        large = np.flatnonzero(hectares >= rules.min_ha)
        geometry, owner, hectares = geometry[large], owner[large], hectares[large]
    if rules.simplify_m > 0:
        simple = shapely.simplify(geometry, rules.simplify_m, preserve_topology=True)
        geometry = shapely.normalize(simple)
        hectares = measure(geometry)
    tallies = traces.tallies
    looked = tallies.looked[owner]
    mean = tallies.total[owner] / np.where(looked > 0, looked, np.nan) / SCALE
    return Footprints(
        geometry, grid.crs, extent,
        {"score_mean": mean, "score_max": tallies.highest[owner] / SCALE,
         AREA_COLUMN[extent]: hectares},
    )  # fmt: skip


def _scaled(share: float) -> int:
    return math.ceil(round(share * SCALE, 6))


def _cleaned(traces: Traces, grid: Grid, rules: OutlineRules) -> Traces:
    if rules.sieve_px > 1:
        traces = without_specks(traces, rules.sieve_px)
    traces = without_holes(traces, grid, rules.fill_holes_ha)
    if rules.high is not None:
        traces = with_score(traces, _scaled(rules.high))
    if rules.min_ha > 0 and len(traces.rings):
        # an outer ring encloses at least its outline: leave out early what cannot be large enough
        rings = traces.rings
        kept = np.zeros(len(traces.tallies), dtype=bool)
        kept[rings.owner[ring_hectares(rings, grid) * _SURELY_BELOW >= rules.min_ha]] = True
        traces = Traces(traces.tallies, rings.take(np.flatnonzero(kept[rings.owner])))
    return traces


def _measured(
    geometry: NDArray[np.object_], crs: str, map: Callable[..., Any]
) -> NDArray[np.float64]:
    chunks = [geometry[k : k + _POLYGONS_A_TASK] for k in range(0, len(geometry), _POLYGONS_A_TASK)]
    return np.concatenate([np.empty(0), *map(partial(geodesic_hectares, crs=crs), chunks)])


def _refuse_overlap(tiles: Sequence[Rect]) -> None:
    frames = np.array([box(t.col, t.row, t.col_stop, t.row_stop) for t in tiles], dtype=object)
    for a, b in zip(*shapely.STRtree(frames).query(frames), strict=True):
        if a < b and not (tiles[a] & tiles[b]).empty:
            raise ValueError(f"outlines: tiles {tiles[a]} and {tiles[b]} overlap")
