"""Unite the outlines of neighbouring zones along the meridian, or parallel, where they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon

from minetrace.core.footprints import Footprints, geodesic_hectares
from minetrace.vectors.components import Ints, unite
from minetrace.vectors.outlines import AREA_COLUMN

LONLAT = "EPSG:4326"
_LONGEST_EDGE_M = 2_000.0  # straight in UTM and in degrees differ by centimetres at this length
_SNAP_DEG = 1e-9  # 0.1 mm: what an overlay leaves beside the line at which it cut


def unite_zones(parts: Sequence[tuple[Footprints, Polygon | None]]) -> Footprints:
    """Cut each zone's outlines at its strip, and unite the pieces that share a stretch of it.

    Zones must be outlined a little beyond their strips, so that both reach the line of the cut.

    Args:
        parts: outlines of each zone in its own CRS, and the box of longitude and latitude that
            bounds the zone, or None if nothing is to be cut.

    Returns:
        Outlines in EPSG:4326 in a fixed order. Of united ones ``score_mean`` is weighted by area
        and ``score_max`` the highest; hectares are measured anew.

    Raises:
        ValueError: no parts, or parts of different extent or columns.
    """
    if not parts:
        raise ValueError("unite_zones: no parts; give the outlines of at least one zone")
    cut = [_cut(found, strip) for found, strip in parts]
    pieces = Footprints.concat([found for found, _ in cut])
    zone = np.repeat(np.arange(len(cut)), [len(found) for found, _ in cut])
    at_line = np.concatenate([on_line for _, on_line in cut])
    into, count = _meeting(pieces.geometry, zone, at_line)
    hectares = geodesic_hectares(pieces.geometry, LONLAT)
    members = np.bincount(into, minlength=count)
    alone = np.flatnonzero(members[into] == 1)
    shared = np.flatnonzero(members[into] > 1)
    shared = shared[np.argsort(into[shared], kind="stable")]
    starts = np.flatnonzero(np.diff(into[shared], prepend=-1))
    groups = np.split(shared, starts[1:]) if len(shared) else []
    united = [_united(pieces, group, hectares[group]) for group in groups]
    whole = pieces.where(alone).with_columns(**{AREA_COLUMN[pieces.extent]: hectares[alone]})
    return _sorted(Footprints.concat([whole, *united]))


def _cut(found: Footprints, strip: Polygon | None) -> tuple[Footprints, NDArray[np.bool_]]:
    """Pieces inside the strip in EPSG:4326, and which of them reach its edge."""
    bent = shapely.segmentize(found.geometry, _LONGEST_EDGE_M)
    lonlat = replace(found, geometry=np.asarray(bent, dtype=object)).to_crs(LONLAT)
    if strip is None or not len(lonlat):
        return lonlat, np.zeros(len(lonlat), dtype=bool)
    west, south, east, north = strip.bounds
    lonlat = replace(lonlat, geometry=_beside(lonlat.geometry, (west + east) / 2))
    bounds = shapely.bounds(lonlat.geometry)
    inner = np.all((bounds[:, :2] > (west, south)) & (bounds[:, 2:] < (east, north)), axis=1)
    across = lonlat.where(~inner)
    clipped = _snapped(shapely.intersection(across.geometry, strip), strip.bounds)
    parts, source = shapely.get_parts(clipped, return_index=True)
    parts, nested = shapely.get_parts(parts, return_index=True)
    ground = (shapely.get_type_id(parts) == 3) & (shapely.area(parts) > 0)
    pieces = replace(across.where(source[nested][ground]), geometry=parts[ground])
    whole = Footprints.concat([lonlat.where(inner), pieces])
    return whole, np.arange(len(whole)) >= inner.sum()


def _beside(geometry: NDArray[np.object_], lon: float) -> NDArray[np.object_]:
    """Longitudes within half a turn of ``lon``: past 180 degrees they go on, not back."""

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        turns = np.rint((xy[:, 0] - lon) / 360.0)
        return np.column_stack([xy[:, 0] - 360.0 * turns, xy[:, 1]])

    return np.asarray(shapely.transform(geometry, move), dtype=object)


def _snapped(geometry: NDArray[np.object_], bounds: Sequence[float]) -> NDArray[np.object_]:
    """Points beside a line of the strip moved onto it, so that both zones meet exactly."""
    west, south, east, north = bounds

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        xy = xy.copy()
        for column, lines in ((0, (west, east)), (1, (south, north))):
            for line in lines:
                xy[np.abs(xy[:, column] - line) < _SNAP_DEG, column] = line
        return xy

    return np.asarray(shapely.transform(geometry, move), dtype=object)


def _meeting(
    geometry: NDArray[np.object_], zone: Ints, at_line: NDArray[np.bool_]
) -> tuple[Ints, int]:
    """Which pieces share a stretch of the line between two zones: class of each, how many."""
    near = np.flatnonzero(at_line)
    a, b = shapely.STRtree(geometry[near]).query(geometry[near], predicate="intersects")
    a, b = near[a], near[b]
    across = zone[a] < zone[b]
    a, b = a[across], b[across]
    stretch = shapely.length(shapely.intersection(geometry[a], geometry[b])) > 0
    return unite(len(geometry), a[stretch], b[stretch])


def _united(pieces: Footprints, group: Ints, hectares: NDArray[np.float64]) -> Footprints:
    geometry = np.array([shapely.normalize(shapely.union_all(pieces.geometry[group]))])
    mean, highest = (pieces.columns[name][group] for name in ("score_mean", "score_max"))
    known = np.isfinite(mean)
    average = np.average(mean[known], weights=hectares[known]) if known.any() else np.nan
    columns = {
        "score_mean": np.array([average]),
        "score_max": np.array([highest.max()]),
        AREA_COLUMN[pieces.extent]: geodesic_hectares(geometry, LONLAT),
    }
    return replace(pieces, geometry=geometry, columns=columns)


def _sorted(found: Footprints) -> Footprints:
    """From north to south, then by everything else that tells outlines apart."""
    whole = np.asarray(shapely.normalize(found.geometry), dtype=object)
    bounds = shapely.bounds(whole)
    wkb = shapely.to_wkb(whole)
    keys = [(-b[3], b[0], b[1], b[2], w) for b, w in zip(bounds.tolist(), wkb, strict=True)]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)
    return replace(found, geometry=whole).where(order)
