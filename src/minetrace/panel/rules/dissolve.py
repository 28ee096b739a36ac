"""Outlines from patches: squares in which mining was seen, dissolved where they meet."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import Footprints, geodesic_hectares
from minetrace.errors import StudyError
from minetrace.panel.rules.globe import LONLAT, Index, Shapes, groups, lonlat, within
from minetrace.panel.rules.isolation import ONE_PLACE_M, score_of

_M_A_DEGREE = 111_195.0  # only scales the plane in which a seam is closed


def dissolve(patches: Footprints, *, gap_m: float = 1.0, score: str = "score_mean") -> Footprints:
    """One outline for patches that overlap or lie side by side.

    Args:
        patches: squares of detections of one period, in any CRS; they may overlap.
        gap_m: patches no further apart are taken to touch, and the seam between them is closed:
            neighbouring squares that were written in degrees seldom share their corners exactly.
        score: the column of which outlines get the mean.

    Returns:
        Polygons in EPSG:4326 (in two parts where squares touch at a corner alone), always of
        extent ``footprint``, whatever the patches said: what a patch encloses is not mined ground.
        ``score_mean`` is the mean over the places of an outline (a square that was scored twice is
        one place, with the mean of both), ``score_max`` the highest; ``patches`` is the number of
        places, ``footprint_ha`` geodesic.

    Raises:
        OutlineError: a row is no polygon, or there is no such column.
        StudyError: the gap is no distance.
    """
    if not 0 <= gap_m <= 1000:
        raise StudyError(f"gap_m is {gap_m}; give metres from 0 to 1000")
    shapes, values = lonlat(patches), score_of(patches, score)
    pairs = within(shapes, shapes, gap_m)
    group = groups(len(shapes), pairs.left, pairs.right)
    geometry = _united(shapes, group, gap_m)
    columns = {
        **_scores(shapes, values, group, pairs.left, pairs.right),
        "footprint_ha": geodesic_hectares(geometry, LONLAT),
    }
    return Footprints(geometry, LONLAT, "footprint", columns)


def _scores(
    shapes: Shapes, values: NDArray[np.float64], group: Index, a: Index, b: Index
) -> dict[str, NDArray[np.generic]]:
    """Mean, highest and number of places of each group."""
    if not len(shapes):
        none = np.empty(0)
        return {"score_mean": none, "score_max": none, "patches": none.astype(np.int64)}
    place = groups(len(shapes), *_of_one_place(shapes, a, b))
    outline_of_place = np.zeros(place.max() + 1, dtype=np.intp)
    outline_of_place[place] = group
    with np.errstate(invalid="ignore"):
        of_place = np.bincount(place, values) / np.bincount(place)
    count = np.bincount(outline_of_place)
    highest = np.full(len(count), -np.inf)
    np.maximum.at(highest, group, values)
    return {
        "score_mean": np.bincount(outline_of_place, of_place) / count,
        "score_max": highest,
        "patches": count.astype(np.int64),
    }


def _of_one_place(shapes: Shapes, a: Index, b: Index) -> tuple[Index, Index]:
    """Of touching pairs, those of equal size whose corners lie within a metre of each other."""
    bounds = shapely.bounds(shapes)
    apart_deg = np.abs(bounds[a] - bounds[b]).max(axis=1)
    same = apart_deg * _M_A_DEGREE <= ONE_PLACE_M
    return a[same], b[same]


def _united(shapes: Shapes, group: Index, gap_m: float) -> Shapes:
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    united = np.empty(len(starts), dtype=object)
    for number, members in enumerate(np.split(order, starts[1:]) if len(starts) else []):
        united[number] = (
            shapes[members[0]] if len(members) == 1 else _closed(shapes[members], gap_m)
        )
    broken = ~shapely.is_valid(united)  # a vertex that moved by a rounding, where rings touch
    united[broken] = shapely.make_valid(united[broken], method="structure", keep_collapsed=False)
    return np.asarray(shapely.normalize(united), dtype=object)


def _shrunk(wide: BaseGeometry, by_m: float) -> BaseGeometry:
    """What is left within a distance of the border; checked, as GEOS now and then leaves nothing.

    Where vertices all but lie on a line a buffer inwards may come back empty. Ground can shrink by
    no more than a strip along the border and a square at each vertex; what shrank more is done
    again without vertices that move the border by less than a tenth of a millimetre.
    """
    least_m2 = wide.area - wide.length * by_m - 4 * by_m**2 * shapely.get_num_coordinates(wide)
    found = shapely.buffer(wide, -by_m, join_style="mitre", mitre_limit=2.0)
    if found.area < least_m2:
        plain = shapely.simplify(wide, 1e-4)
        found = shapely.buffer(plain, -by_m, join_style="mitre", mitre_limit=2.0)
    return wide if found.area < least_m2 else found


def _closed(shapes: Shapes, gap_m: float) -> BaseGeometry:
    """The union of shapes with the seams between them closed, in a plane made for them alone."""
    west, south, _, north = shapely.total_bounds(shapes)
    narrow = np.cos(np.radians((south + north) / 2))
    scale = np.array([narrow * _M_A_DEGREE, _M_A_DEGREE])
    origin = np.array([west, south])

    def flat(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        turned = xy[:, :1] - 360 * np.rint((xy[:, :1] - west) / 360)  # beside, over the date line
        return np.asarray((np.column_stack([turned, xy[:, 1:2]]) - origin) * scale)

    ground = shapely.transform(shapes, flat)
    if gap_m == 0:
        whole = shapely.union_all(ground)
    else:
        wide = shapely.buffer(ground, gap_m / 2, join_style="mitre", mitre_limit=2.0)
        whole = _shrunk(shapely.union_all(wide), gap_m / 2)
    found: BaseGeometry = shapely.transform(whole, lambda xy: xy / scale + origin)
    return found
