"""Figures of ground that somebody draws on a published map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import geodesic_hectares
from minetrace.core.grid import Grid, Rect
from minetrace.core.region import Region, project
from minetrace.errors import RegionError
from minetrace.flow.published import Published
from minetrace.panel.drawn import polygons_of, shares_inside
from minetrace.publish.words import ESTIMATED, INTERVAL
from minetrace.store.coarse import Header, read_onto

LONLAT = "EPSG:4326"
MOST_VERTICES = 10_000
MOST_CELLS = 1_000_000  # of the lattice on which looks are counted
_WHOLE = 1 - 1e-9


def as_ground(geometry: BaseGeometry) -> BaseGeometry:
    """A drawn polygon, checked.

    Raises:
        RegionError: it is no polygon, crosses itself, lies off the globe or has too many corners.
    """
    corners = int(shapely.get_num_coordinates(geometry))
    if corners > MOST_VERTICES:
        raise RegionError(
            f"the polygon has {corners:,} corners, more than {MOST_VERTICES:,}; simplify it"
        )
    return Region.of(geometry, origin="the polygon").geometry


def statistics(published: Published, ground: BaseGeometry) -> dict[str, Any]:
    """Hectares per period inside a polygon, how much of it was looked at, and how sure it is.

    Args:
        ground: as ``as_ground`` gave it.

    Returns:
        ``polygon_ha`` (geodesic), ``region_share`` of it, ``extent``, and by period ``sites``,
        ``sites_not_looked`` (known from other periods), the hectares (null where nothing was
        seen, neither ground nor one of its sites, and where nobody says that they looked and no
        outline of any period lies), ``looked_share`` (null where that is not stored),
        ``interval`` and, where a sample of the whole map speaks for the polygon, ``estimated``.
        ``counts`` is ``new`` if hectares are of what was new in a period, else ``present``.
    """
    view = published.views
    touched = np.sort(published.tree.query(ground, predicate="intersects"))
    rows = touched[~np.asarray(shapely.is_missing(published.shapes[touched]))]
    inside = shares_inside(published.shapes[rows], ground)
    rows, inside = rows[inside > 0], inside[inside > 0]
    hectares = np.nan_to_num(published.hectares[rows]) * inside
    of_region = _region_share(published, ground)
    looked = _looked(published, ground)
    unseen = _unseen(published, rows)
    return {
        "run": published.id,
        "polygon_ha": round(_hectares(ground), 4),
        "region_share": None if of_region is None else round(of_region, 6),
        "extent": view.extent,
        "counts": view.note.get("counts", "present"),
        "periods": [
            _period(published, at, rows, hectares, unseen[at], looked.get(period.label), ground)
            for at, period in enumerate(published.periods)
        ],
        "method": "outlines cut at the polygon's edge; geodesic hectares on WGS 84",
    }


def _period(
    published: Published, at: int, rows: NDArray[np.intp], hectares: NDArray[np.float64],
    unseen: int, looked: float | None, ground: BaseGeometry,
) -> dict[str, Any]:  # fmt: skip
    period = published.periods[at]
    here = published.place[rows] == at
    names = published.panel["site_id"].to_numpy()[rows[here]]
    blind = looked == 0.0 or (looked is None and _blind(published, at))
    estimate = _estimate(published, period.label, ground)
    told = looked is not None or period.label in published.views.looked or len(rows) > 0
    nothing_known = not here.any() and (blind or unseen > 0 or not told)
    value = None if nothing_known else round(float(hectares[here].sum()), 6)
    return {
        "period": period.label,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "sites": len(set(names)),
        "sites_not_looked": unseen,
        published.views.hectares: value,
        "looked_share": None if looked is None else round(looked, 6),
        "interval": ESTIMATED if estimate else INTERVAL,
        **({"estimated": estimate} if estimate else {}),
    }


def _unseen(published: Published, rows: NDArray[np.intp]) -> list[int]:
    """How many of the sites that reach into the ground nobody saw, by period."""
    names = published.panel["site_id"].to_numpy()
    unseen = np.isin(names, names[rows]) & np.isnan(published.hectares)
    unseen &= np.asarray(shapely.is_missing(published.shapes))
    counts = np.bincount(published.place[unseen], minlength=len(published.periods))
    return [int(count) for count in counts]


def _blind(published: Published, at: int) -> bool:
    """Nobody looked in this period, as far as the run says."""
    label = published.periods[at].label
    return published.views.looked.get(label) == 0.0


def _estimate(published: Published, label: str, ground: BaseGeometry) -> dict[str, Any] | None:
    """A sample speaks for the ground that it was drawn from, and for no part of it."""
    told, region = published.estimates.get(label), published.views.region
    if told is None or region is None or not shapely.covers(ground, region):
        return None
    return {key: told[key] for key in ("value", "standard_error", "low", "high")}


def _hectares(shape: BaseGeometry) -> float:
    return float(geodesic_hectares(polygons_of(np.array([shape], dtype=object)), LONLAT)[0])


def _region_share(published: Published, ground: BaseGeometry) -> float | None:
    region = published.views.region
    if region is None:
        return None
    return min(1.0, _hectares(shapely.intersection(region, ground)) / _hectares(ground))


def _looked(published: Published, ground: BaseGeometry) -> dict[str, float]:
    """Share of the ground that has a score, by period; empty where no scores are stored.

    Ground outside the region was not looked at, whether or not scores are stored, so that only
    what lies inside is counted.
    """
    scores = published.views.scores
    of_region = _region_share(published, ground)
    if of_region == 0.0:
        return dict.fromkeys(scores, 0.0)
    first = next((line[0] for line in scores.values() if line), None)
    if first is None:
        return {}
    region = published.views.region
    part = ground if region is None else shapely.intersection(region, ground)
    shape = project(shapely.segmentize(part, 0.01), LONLAT, first.crs)
    cell_m = _cell_m(first, shape)
    grid = Grid(first.crs, cell_m, offset_m=first.offset_m % cell_m)
    rect = grid.rect(shape.bounds)
    inside = _burn(shape, grid, rect)
    count = int(inside.sum())
    shares = {}
    for label, headers in scores.items():
        seen = ~np.isnan(read_onto(headers, (1,), grid, rect, smooth=False)[0])
        share = float((seen & inside).sum() / count) if count else 0.0
        shares[label] = share if of_region is None else share * of_region
    return shares


def _cell_m(header: Header, shape: BaseGeometry) -> float:
    """The stored cells, or coarser ones where the polygon holds very many."""
    left, bottom, right, top = shape.bounds
    cells = (right - left) * (top - bottom) / header.resolution_m**2
    return header.resolution_m * max(1, math.ceil(math.sqrt(cells / MOST_CELLS)))


def _burn(shape: BaseGeometry, grid: Grid, rect: Rect) -> NDArray[np.bool_]:
    burnt = rasterio.features.rasterize(
        [shape], out_shape=rect.shape, transform=grid.affine(rect), dtype=np.uint8,
        all_touched=rect.height * rect.width < 64,  # smaller than a few cells: those that it meets
    )  # fmt: skip
    return np.asarray(burnt, dtype=bool)
