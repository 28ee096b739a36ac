"""Anybody's polygons as the panel takes them."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

import geopandas as gpd
import numpy as np
import shapely

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.period import Period
from minetrace.errors import OutlineError
from minetrace.store.outlines import read_polygons


def as_period(period: Period | str | int) -> Period:
    """A period from a year, a label or itself.

    Raises:
        PeriodError: it cannot be understood.
    """
    return period if isinstance(period, Period) else Period.parse(period)


def as_footprints(
    outlines: gpd.GeoDataFrame | Footprints | Path | str, extent: Extent | None, *, origin: str
) -> Footprints:
    """Outlines of one period, checked.

    Args:
        outlines: a table, a vector file or footprints.
        extent: what they mean; default: what their column ``extent`` says.
        origin: what to call them in an error.

    Raises:
        MissingFileError: a file is not there.
        OutlineError: no CRS, or an extent that nobody said.
    """
    if isinstance(outlines, Footprints):
        return outlines
    if isinstance(outlines, str | Path):
        origin, outlines = str(outlines), read_polygons(Path(outlines))
    if outlines.crs is None:
        raise OutlineError(f"{origin}: the outlines do not say their CRS; use set_crs first")
    bare = shapely.is_missing(outlines.geometry) | shapely.is_empty(outlines.geometry)
    table = outlines[~bare]
    shapes = np.asarray(shapely.force_2d(table.geometry.to_numpy()), dtype=object)
    scores = {c: table[c].to_numpy() for c in ("score_mean", "score_max") if c in table.columns}
    return Footprints(shapes, str(table.crs), _extent(table, extent, origin), scores)


def said_extent(extent: str | None, origin: str) -> Extent:
    """What somebody said that outlines mean.

    Raises:
        OutlineError: nobody said it, or it is none of the two.
    """
    if extent in get_args(Extent):
        return cast(Extent, extent)
    if extent is None:
        raise OutlineError(
            f"{origin}: nobody said what the outlines mean; give --extent mined if they follow "
            "the mined ground, --extent footprint if they are windows of detections (extent= in "
            "Python)"
        )
    raise OutlineError(f"extent is {extent!r}; it must be 'mined' or 'footprint'")


def _extent(table: gpd.GeoDataFrame, extent: Extent | None, origin: str) -> Extent:
    said = set(table["extent"]) if extent is None and "extent" in table.columns else set()
    return said_extent(said.pop() if len(said) == 1 else extent, origin)
