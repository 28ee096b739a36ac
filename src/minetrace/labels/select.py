"""Which labels to use: by country, by boundary, by latitude, by name."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import shapely

from minetrace.core.bands import nearest
from minetrace.errors import LabelError
from minetrace.labels.labels import Labels


def in_regions(labels: Labels, names: Collection[str]) -> Labels:
    """Labels of these countries or territories, as their sources call them.

    Raises:
        LabelError: no label is of one of them.
    """
    there = sorted({str(r) for r in labels.region if r})
    for name in names:
        if name not in there:
            hint = nearest(name, there)
            raise LabelError(f"no label is of region {name!r}"
                             + (f"; did you mean {hint!r}?" if hint else "")
                             + f" The regions are {', '.join(there) or 'not named'}")  # fmt: skip
    return labels.where(np.isin(labels.region.astype(str), list(names)))


def within(labels: Labels, boundary: shapely.Geometry) -> Labels:
    """Labels that touch a boundary (EPSG:4326)."""
    shapely.prepare(boundary)
    return labels.where(np.asarray(shapely.intersects(boundary, labels.geometry), dtype=bool))


def between_latitudes(labels: Labels, south: float, north: float) -> Labels:
    """Labels whose middle lies in a band of latitudes, degrees."""
    y = shapely.get_y(shapely.centroid(labels.geometry))
    return labels.where((y >= south) & (y <= north))


def without(labels: Labels, ids: Collection[str]) -> Labels:
    """All but the named ones.

    Raises:
        LabelError: a name is not there: a list of what to leave out should not go out of date
            unnoticed.
    """
    missing = sorted(set(ids) - set(labels.id))
    if missing:
        hint = nearest(missing[0], list(labels.id))
        raise LabelError(f"no label is called {missing[0]!r}, which is to be left out"
                         + (f"; did you mean {hint!r}?" if hint else ""))  # fmt: skip
    return labels.where(~np.isin(labels.id.astype(str), list(ids)))


def outside(labels: Labels, ground: shapely.Geometry) -> Labels:
    """Labels that do not touch some ground (EPSG:4326) that is not to be used."""
    shapely.prepare(ground)
    return labels.where(~np.asarray(shapely.intersects(ground, labels.geometry), dtype=bool))
