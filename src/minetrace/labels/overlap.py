"""What several labels say of one ground: drawn twice, overlapping, or contradicting each other."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import geodesic_hectares
from minetrace.labels.labels import Labels

LEAST_HA = 0.001  # ground that neighbours share by a rounding alone
SAME = 0.95  # intersection over union from which on two outlines are one


@dataclass(frozen=True)
class Overlaps:
    """Pairs of polygons that share ground and days.

    Attributes:
        pairs: (m, 2) rows, the first below the second.
        hectares: (m,) of the shared ground.
        iou: (m,) its share of the two together.
        differ: (m,) whether the two are of different classes.
    """

    pairs: NDArray[np.int64]
    hectares: NDArray[np.float64]
    iou: NDArray[np.float64]
    differ: NDArray[np.bool_]

    @property
    def duplicates(self) -> NDArray[np.bool_]:
        """(m,) whether the two are the same outline."""
        return np.asarray(self.iou >= SAME)

    @property
    def text(self) -> str:
        """In one line."""
        if not len(self.pairs):
            return "no two labels share ground"
        return (
            f"{len(self.pairs)} pairs of labels share ground, {self.hectares.sum():,.1f} ha; "
            f"{int(self.duplicates.sum())} are one outline drawn twice, "
            f"{int(self.differ.sum())} are of different classes"
        )


def overlaps(labels: Labels) -> Overlaps:
    """Find every pair of polygons that share ground at some time."""
    rows = np.flatnonzero(labels.polygons)
    shapes = labels.geometry[rows]
    tree = shapely.STRtree(shapes)
    a, b = tree.query(shapes, predicate="intersects")
    first = a < b
    pairs = np.column_stack([rows[a[first]], rows[b[first]]]).astype(np.int64)
    together = np.array([
        labels.start[i] < labels.end[j] and labels.start[j] < labels.end[i] for i, j in pairs
    ], dtype=bool)  # fmt: skip
    pairs = pairs[together] if len(pairs) else pairs
    p, q = labels.geometry[pairs[:, 0]], labels.geometry[pairs[:, 1]]
    shared = np.array([_area_part(g) for g in shapely.intersection(p, q)], dtype=object)
    hectares = geodesic_hectares(shared, "EPSG:4326")
    some = hectares >= LEAST_HA
    pairs, area = pairs[some], shapely.area(shared[some])
    union = shapely.area(p[some]) + shapely.area(q[some]) - area
    return Overlaps(
        pairs, hectares[some], area / union if len(area) else area,
        labels.klass[pairs[:, 0]] != labels.klass[pairs[:, 1]],
    )  # fmt: skip


def table(labels: Labels, found: Overlaps) -> str:
    """The pairs as CSV: the two labels, the ground that they share, what they are to each other."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["first", "second", "shared_ha", "iou", "same_outline", "classes_differ"])
    for (i, j), ha, iou, same, differ in zip(
        found.pairs, found.hectares, found.iou, found.duplicates, found.differ, strict=True
    ):
        rows.writerow([labels.id[i], labels.id[j], f"{ha:.4f}", f"{iou:.4f}", int(same),
                       int(differ)])  # fmt: skip
    return text.getvalue()


def without_duplicates(labels: Labels, found: Overlaps) -> Labels:
    """Each outline once: of two that are one, of one class, the earlier row stays.

    The later stays too if it says something of other days.
    """
    pairs = found.pairs[found.duplicates & ~found.differ]
    kept, double = pairs.T
    within = (labels.start[kept] <= labels.start[double]) & (labels.end[double] <= labels.end[kept])
    return labels.where(np.setdiff1d(np.arange(len(labels)), double[within.astype(bool)]))


def _area_part(geometry: shapely.Geometry) -> shapely.Geometry:
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.MultiPolygon([q for p in parts for q in shapely.get_parts(p)])
