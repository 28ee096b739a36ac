"""Where and when, as addresses say it: ``bbox`` and ``datetime`` of OGC API and STAC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, box
from shapely.geometry.base import BaseGeometry

from minetrace.faces.api.refusals import BadQueryError

Span = tuple[np.datetime64 | None, np.datetime64 | None]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_bbox(text: str) -> BaseGeometry:
    """``west,south,east,north``, or six numbers with heights, which are passed over.

    Raises:
        BadQueryError: it is none.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise BadQueryError(f"bbox: {text[:80]!r} is not west,south,east,north") from error
    return bbox_of(numbers)


def bbox_of(numbers: list[float]) -> BaseGeometry:
    """The same of numbers; with west above east the box crosses the date line.

    Raises:
        BadQueryError: they are none.
    """
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    if len(numbers) != 4 or not all(math.isfinite(n) for n in numbers):
        raise BadQueryError("bbox: give west,south,east,north in degrees")
    west, south, east, north = numbers
    if south > north or not (south >= -90 and north <= 90):
        raise BadQueryError("bbox: south must not lie above north, and both within -90 and 90")
    if not (-180 <= west <= 180 and -180 <= east <= 180):
        raise BadQueryError("bbox: west and east must lie within -180 and 180")
    if west <= east:
        return _ground(west, south, east, north)
    return shapely.union(_ground(west, south, 180, north), _ground(-180, south, east, north))


def _ground(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """A box, or the line or point that it has shrunk to, which is no polygon."""
    if west < east and south < north:
        return box(west, south, east, north)
    if (west, south) == (east, north):
        return Point(west, south)
    return LineString([(west, south), (east, north)])


def parse_datetime(text: str) -> Span:
    """A day, an instant, or ``start/end``, either of which may be open: ``..`` or nothing.

    Returns:
        First and last instant, both inside; None is open.

    Raises:
        BadQueryError: it is none.
    """
    ends = text.split("/")
    if len(ends) == 1:
        return _instant(text), _instant(text, last=True)
    if len(ends) != 2 or all(end in ("", "..") for end in ends):
        raise BadQueryError(f"datetime: {text[:80]!r} is no instant and no interval")
    first = None if ends[0] in ("", "..") else _instant(ends[0])
    last = None if ends[1] in ("", "..") else _instant(ends[1], last=True)
    if first is not None and last is not None and first > last:
        raise BadQueryError("datetime: the interval ends before it starts")
    return first, last


def _instant(text: str, *, last: bool = False) -> np.datetime64:
    try:
        if _DAY.fullmatch(text):
            day = np.datetime64(text, "s")
            return day + np.timedelta64(86_399, "s") if last else day
        if "T" not in text.upper():
            raise ValueError(text)
        when = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
        if when.tzinfo is None:
            raise ValueError(text)
        return np.datetime64(when.astimezone(UTC).replace(tzinfo=None), "s")
    except (ValueError, OverflowError) as error:
        raise BadQueryError(
            f"datetime: {text[:80]!r} is not such as 2021-06-30 or 2021-06-30T12:00:00Z"
        ) from error


def during(
    start: NDArray[np.datetime64], end: NDArray[np.datetime64], span: Span
) -> NDArray[np.bool_]:
    """Where half-open periods share an instant with a span."""
    first, last = span
    inside = np.ones(len(start), dtype=bool)
    if first is not None:
        inside &= end > first
    if last is not None:
        inside &= start <= last
    return inside


def intersecting(
    tree: shapely.STRtree, boxes: NDArray[np.float64], shapes: NDArray[np.object_],
    ground: BaseGeometry,
) -> NDArray[np.intp]:  # fmt: skip
    """Rows that meet the ground, in order; those without a shape by their box."""
    near = np.sort(tree.query(ground, predicate="intersects"))
    west, south, east, north = ground.bounds
    inside = (boxes[near, 0] >= west) & (boxes[near, 1] >= south) & (boxes[near, 2] <= east)
    inside &= boxes[near, 3] <= north
    if ground.geom_type != "Polygon" or not ground.equals(box(*ground.bounds)):
        inside[:] = False
    rest = near[~inside & ~np.asarray(shapely.is_missing(shapes[near]))]
    shapely.prepare(ground)
    apart = rest[~np.asarray(shapely.intersects(ground, shapes[rest]), dtype=bool)]
    return np.asarray(near[~np.isin(near, apart)], dtype=np.intp)
