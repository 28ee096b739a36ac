"""Cut an outline that is too large to be one mine.

Where diggings have grown together along a river, one outline may reach over a hundred kilometres.
Two rules part it. By ``distance``: no ground of a part lies further from its seed than a reach, and
each bit of ground goes to the nearest seed. By ``watershed``: seeds lie where the outline is
widest, parts meet at its narrows. Seeds are kept from period to period, and new ones are only
added, so that a period that is appended moves no earlier cut. Ground and hectares stay the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period, ordered
from minetrace.core.region import project
from minetrace.errors import StudyError
from minetrace.panel.overlap import EQUAL_AREA, HECTARES, LONLAT, Index, sound

By = Literal["distance", "watershed"]
_M_A_DEGREE = 111_195.0
_SAMPLES = 20_000  # of ground in one outline, at most
_SAMPLES_A_REACH = 12

Points = NDArray[np.float64]


@dataclass(frozen=True)
class DivideRule:
    """How giant outlines are cut.

    Attributes:
        by: ``distance`` or ``watershed``.
        reach_km: how far a part reaches from its seed; by watershed, how far apart seeds lie at
            least. Outlines whose frame is no wider than twice that are left whole.
    """

    by: By
    reach_km: float

    @classmethod
    def parse(cls, text: str) -> DivideRule:
        """From ``distance:5`` or ``watershed:5``.

        Raises:
            StudyError: it is neither.
        """
        by, _, reach = text.partition(":")
        try:
            reach_km = float(reach)
        except ValueError:
            reach_km = np.nan
        if by not in get_args(By) or not 0 < reach_km < np.inf:
            raise StudyError(f"divide: {text!r}; give distance:KM or watershed:KM, such as {by}:5")
        return cls(cast(By, by), reach_km)

    def __str__(self) -> str:
        return f"{self.by}:{self.reach_km:g} km"


def divide(footprints: Mapping[Period, Footprints], rule: DivideRule) -> dict[Period, Footprints]:
    """Cut giant outlines of every period.

    Args:
        footprints: outlines per period, in any CRS; those of a period share no ground.
        rule: how.

    Returns:
        The same ground in EPSG:4326, with a column ``rule`` that names the rule where an outline
        was cut and is None where it was not. Hectares in a column are divided by equal-area share.
    """
    seeds = np.empty((0, 2))
    found = {}
    for period in ordered(footprints):
        found[period], seeds = _divided(footprints[period].to_crs(LONLAT), seeds, rule)
    return found


def _divided(here: Footprints, seeds: Points, rule: DivideRule) -> tuple[Footprints, Points]:
    bounds = shapely.bounds(here.geometry).reshape(-1, 4)
    narrow = np.cos(np.radians((bounds[:, 1] + bounds[:, 3]) / 2))
    wide_m = np.maximum((bounds[:, 2] - bounds[:, 0]) * narrow, bounds[:, 3] - bounds[:, 1])
    giants = np.flatnonzero(wide_m * _M_A_DEGREE > 2000 * rule.reach_km)
    origin, shapes, cut = [np.arange(len(here))], [here.geometry], [np.zeros(len(here), dtype=bool)]
    for row in giants[np.lexsort(bounds[giants].T)].tolist():
        parts, seeds = _parts(here.geometry[row], seeds, rule)
        origin.append(np.full(len(parts), row))
        shapes.append(parts)
        cut.append(np.full(len(parts), len(parts) > 1))
    whole = np.ones(len(here), dtype=bool)
    whole[giants] = False
    keep = np.concatenate([whole, *(np.ones(len(part), dtype=bool) for part in shapes[1:])])
    rows, geometry, parted = (np.concatenate(part)[keep] for part in (origin, shapes, cut))
    columns = {name: values[rows] for name, values in here.columns.items()}
    share = _area(geometry) / _area(here.geometry)[rows]
    column = HECTARES[here.extent]
    hectares = columns[column] if column in columns else here.hectares[rows]
    columns[column] = np.where(parted, hectares * share, hectares)
    columns["rule"] = np.array([str(rule) if part else None for part in parted], dtype=object)
    return replace(here, geometry=geometry, columns=columns), seeds


def _area(shapes: NDArray[np.object_]) -> NDArray[np.float64]:
    return np.asarray(shapely.area(project(shapes, LONLAT, EQUAL_AREA)), dtype=np.float64)


def _parts(
    shape: BaseGeometry, seeds: Points, rule: DivideRule
) -> tuple[NDArray[np.object_], Points]:
    """The parts of one outline, and the seeds with those that it added."""
    west, south, _, north = shape.bounds
    scale = np.array([np.cos(np.radians((south + north) / 2)), 1.0]) * _M_A_DEGREE / 1000
    corner = np.array([west, south])
    ground: BaseGeometry = shapely.transform(shape, lambda xy: (xy - corner) * scale)
    shapely.prepare(ground)
    squares, samples, inside, grid_km = _squares(ground, rule.reach_km)
    local = (seeds - corner) * scale
    known = local[shapely.contains_xy(ground, local)] if len(local) else local
    if rule.by == "distance":
        chosen = _spread_out(samples[inside], known, rule.reach_km)
        owner = _nearest(samples, chosen)
    else:
        edge = shapely.boundary(ground)
        depth = np.asarray(shapely.distance(shapely.points(samples), edge), dtype=np.float64)
        depth = np.where(inside, depth, -depth)
        chosen = _deepest(samples[inside], depth[inside], known, rule.reach_km)
        owner = _flood(samples, depth, chosen, grid_km)
    added = np.concatenate([seeds, chosen[len(known) :] / scale + corner])
    if len(chosen) < 2:
        return np.array([shape], dtype=object), added
    cells = np.array(
        [shapely.union_all(squares[owner == number]) for number in range(len(chosen))], dtype=object
    )
    pieces = np.asarray(shapely.intersection(ground, cells), dtype=object)
    pieces = _surfaces(pieces[shapely.area(pieces) > 0])
    back = shapely.transform(pieces, lambda xy: xy / scale + corner)
    return sound(np.asarray(back, dtype=object)), added


def _squares(
    ground: BaseGeometry, reach_km: float
) -> tuple[NDArray[np.object_], Points, NDArray[np.bool_], float]:
    """Squares that cover an outline, their middles, which lie inside, and the squares' side."""
    side = max(reach_km / _SAMPLES_A_REACH, float(np.sqrt(ground.area / _SAMPLES)))
    west, south, east, north = ground.bounds
    cols, rows = (int(np.ceil((b - a) / side)) + 1 for a, b in ((west, east), (south, north)))
    x, y = (
        west - side / 2 + side * np.arange(cols + 1),
        south - side / 2 + side * np.arange(rows + 1),
    )
    left, low = (part.ravel() for part in np.meshgrid(x[:-1], y[:-1]))
    right, top = (part.ravel() for part in np.meshgrid(x[1:], y[1:]))
    squares = np.asarray(shapely.box(left, low, right, top), dtype=object)
    middle = np.column_stack([(left + right) / 2, (low + top) / 2])
    met = np.asarray(shapely.intersects(ground, squares))
    inside = np.asarray(shapely.contains_xy(ground, middle[met]))
    if not inside.any():
        inside = np.ones(int(met.sum()), dtype=bool)
    return squares[met], middle[met], inside, side


def _nearest(samples: Points, seeds: Points) -> Index:
    apart = np.full(len(samples), np.inf)
    owner = np.zeros(len(samples), dtype=np.intp)
    for number, seed in enumerate(seeds):
        here = np.hypot(*(samples - seed).T)
        owner[here < apart] = number
        apart = np.minimum(apart, here)
    return owner


def _spread_out(samples: Points, known: Points, reach_km: float) -> Points:
    """Seeds such that every sample lies within reach of one: the farthest is added, again."""
    chosen = list(known) or [samples[np.lexsort(samples.T)[0]]]
    nearest = np.min([np.hypot(*(samples - seed).T) for seed in chosen], axis=0)
    while nearest.max() > reach_km:
        chosen.append(samples[int(nearest.argmax())])
        nearest = np.minimum(nearest, np.hypot(*(samples - chosen[-1]).T))
    return np.array(chosen).reshape(-1, 2)


def _deepest(
    samples: Points, depth: NDArray[np.float64], known: Points, reach_km: float
) -> Points:  # fmt: skip
    """Seeds where the outline is widest, no two within reach of each other."""
    chosen = list(known)
    for at in np.lexsort((*samples.T, -np.round(depth, 9))).tolist():
        if all(np.hypot(*(samples[at] - seed)) > reach_km for seed in chosen):
            chosen.append(samples[at])
    return np.array(chosen).reshape(-1, 2)


def _flood(samples: Points, depth: NDArray[np.float64], seeds: Points, grid_km: float) -> Index:
    """The seed of each sample: water rises from the seeds, deepest ground first."""
    cell = np.rint((samples - samples.min(axis=0)) / grid_km).astype(int)
    place = {(int(x), int(y)): i for i, (x, y) in enumerate(cell)}
    owner = np.full(len(samples), -1, dtype=np.intp)
    heap: list[tuple[float, int, int, int]] = []  # of equal ground what came first goes first
    for number, seed in enumerate(seeds):
        at = int(np.hypot(*(samples - seed).T).argmin())
        heapq.heappush(heap, (-float(depth[at]), len(heap), at, number))
    came = len(heap)
    while heap:
        _, _, at, number = heapq.heappop(heap)
        if owner[at] >= 0:
            continue
        owner[at] = number
        x, y = cell[at].tolist()
        for step in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            beside = place.get((x + step[0], y + step[1]), -1)
            if beside >= 0 and owner[beside] < 0:
                came += 1
                heapq.heappush(heap, (-float(depth[beside]), came, beside, number))
    cut_off = np.flatnonzero(owner < 0)  # beyond ground too narrow for the grid
    for at in cut_off.tolist():
        owner[at] = int(np.hypot(*(seeds - samples[at]).T).argmin())
    return owner


def _surfaces(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Without the lines and points that an overlay may leave."""
    for at in np.flatnonzero(~np.isin(shapely.get_type_id(shapes), (3, 6))):
        parts = shapely.get_parts(shapes[at])
        shapes[at] = shapely.union_all(parts[np.isin(shapely.get_type_id(parts), (3, 6))])
    return shapes
