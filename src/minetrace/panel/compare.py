"""What a release changed: two panels of the same ground, side by side.

Sites are matched by all the ground that each ever covered, not by name, so that panels that were
made apart can be compared.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from minetrace.core.footprints import geodesic_hectares
from minetrace.core.region import project
from minetrace.errors import OutlineError
from minetrace.panel.identity import MIN_OVERLAP
from minetrace.panel.overlap import EQUAL_AREA, LONLAT, Index, follow, keepers, overlaps, sound
from minetrace.panel.wide import hectares_column

SAME_IOU = 0.999
CHANGES = {
    "same": "the same ground, to a thousandth",
    "changed": "the same site with other ground",
    "added": "on ground where the old release had none",
    "gone": "on ground where the new release has none",
    "merged": "part of another site of the new release, which `site_new` names",
    "split": "part of a site of the old release, which `site_old` names",
}


def ground_of(panel: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """All ground that each site ever covered: ``site_id`` and the union, EPSG:4326."""
    outlined = panel[panel.geometry.notna()]
    number, ids = pd.factorize(outlined["site_id"])
    order = np.argsort(number, kind="stable")
    shapes = np.asarray(outlined.geometry.to_numpy()[order], dtype=object)
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    ground = np.empty(len(ids), dtype=object)
    for i, part in enumerate(np.split(shapes, starts[1:]) if len(starts) else []):
        ground[i] = part[0] if len(part) == 1 else shapely.union_all(part)
    return gpd.GeoDataFrame({"site_id": ids}, geometry=gpd.GeoSeries(sound(ground), crs=LONLAT))


def compare_sites(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Match the sites of two releases by their ground.

    Args:
        old: sites with all their ground, as ``ground_of`` gives them.
        new: likewise, of the newer release.

    Returns:
        One row per site of either: ``change`` (a word of ``CHANGES``), ``site_old``,
        ``site_new``, ``ever_ha_old``, ``ever_ha_new`` (geodesic hectares of all its ground),
        ``shared_ha``, ``iou``, and the ground that stands for it, the new one if there is one.
    """
    left, right = (_flat(side) for side in (old, new))
    pairs = overlaps(left, right, min_share=MIN_OVERLAP)
    heir = follow(pairs, len(left))
    area = np.asarray(shapely.area(left))
    seniority = np.empty(len(left), dtype=np.intp)
    seniority[np.lexsort((old["site_id"].to_numpy(str), -np.round(area, 2)))] = np.arange(len(left))
    keeper = keepers(heir, len(right), seniority)
    origin = _largest_left(pairs.left, pairs.right, pairs.area_m2, len(right))
    kept = np.flatnonzero(keeper >= 0)
    lost = np.setdiff1d(np.arange(len(left)), keeper[kept])
    fresh = np.flatnonzero(keeper < 0)
    of_old = np.concatenate([keeper[kept], lost, origin[fresh]])
    of_new = np.concatenate([kept, heir[lost], fresh])
    shared = {
        (a, b): (m2, iou)
        for a, b, m2, iou in zip(
            pairs.left.tolist(), pairs.right.tolist(), pairs.area_m2.tolist(), pairs.iou.tolist(),
            strict=True,
        )
    }  # fmt: skip
    common = np.array(
        [shared.get(key, (0.0, 0.0)) for key in zip(of_old.tolist(), of_new.tolist(), strict=True)]
    ).reshape(-1, 2)
    words = np.concatenate([
        np.where(common[: len(kept), 1] >= SAME_IOU, "same", "changed"),
        np.where(heir[lost] >= 0, "merged", "gone"),
        np.where(origin[fresh] >= 0, "split", "added"),
    ])  # fmt: skip
    own_old = np.concatenate([keeper[kept], lost, np.full(len(fresh), -1)])
    own_new = np.concatenate([kept, np.full(len(lost), -1), fresh])
    shapes = np.where(own_new >= 0, _pick(new, own_new), _pick(old, own_old))
    table = {
        "change": words.astype(object),
        "site_old": _names(old, of_old),
        "site_new": _names(new, of_new),
        "ever_ha_old": _hectares(old, own_old),
        "ever_ha_new": _hectares(new, own_new),
        "shared_ha": common[:, 0] / 1e4,
        "iou": common[:, 1],
    }
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(shapes, crs=LONLAT))


def compare_periods(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Sites and hectares of each period in both releases, and the difference.

    Raises:
        OutlineError: one holds mined ground and the other footprints.
    """
    column = hectares_column(new)
    if hectares_column(old) != column:
        raise OutlineError(
            f"the old release has {hectares_column(old)} and the new one {column}: mined ground "
            "and footprints are not compared"
        )
    sides = []
    for panel, name in ((old, "old"), (new, "new")):
        outlined = panel[panel["geometry"].notna()].groupby("period")
        sides.append(outlined.size().rename(f"sites_{name}"))
        sides.append(outlined[column].sum().rename(f"{column}_{name}"))
    table = pd.concat(sides, axis=1)
    starts = pd.concat([old, new]).groupby("period")["start"].min()
    table = table.reindex(starts.sort_values().index)
    table[f"{column}_change"] = table[f"{column}_new"] - table[f"{column}_old"]
    return table.rename_axis("period").reset_index()


def compare_tallies(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Two tallies by the same territories: each measure in both, and the difference."""
    keys = [name for name in ("part", "territory", "class", "period") if name in new.columns]
    measures = [
        name
        for name in ("sites", "present_ha", "new_ha", "cumulative_ha")
        if old[name].notna().any() or new[name].notna().any()
    ]
    both = old[[*keys, *measures]].merge(
        new[[*keys, *measures]], on=keys, how="outer", suffixes=("_old", "_new")
    )
    for name in measures:
        both[f"{name}_change"] = both[f"{name}_new"] - both[f"{name}_old"]
    return both


def _flat(sites: gpd.GeoDataFrame) -> NDArray[np.object_]:
    return sound(project(sites.geometry.to_numpy(), LONLAT, EQUAL_AREA))


def _largest_left(a: Index, b: Index, area: NDArray[np.float64], count: int) -> Index:
    """For each on the right the one on the left that shares most ground with it, else -1."""
    order = np.lexsort((a, -area, b))
    who, first = np.unique(b[order], return_index=True)
    found = np.full(count, -1, dtype=np.intp)
    found[who] = a[order][first]
    return found


def _pick(sites: gpd.GeoDataFrame, which: Index) -> NDArray[np.object_]:
    return _or_none(sites.geometry.to_numpy(), which)


def _names(sites: gpd.GeoDataFrame, which: Index) -> NDArray[np.object_]:
    return _or_none(sites["site_id"].to_numpy(dtype=object), which)


def _or_none(values: NDArray[Any], which: Index) -> NDArray[np.object_]:
    """The values that an index names; None for -1."""
    padded = np.full(len(values) + 1, None, dtype=object)
    padded[:-1] = values
    found: NDArray[np.object_] = padded[which]
    return found


def _hectares(sites: gpd.GeoDataFrame, which: Index) -> NDArray[np.float64]:
    return np.append(geodesic_hectares(sites.geometry.to_numpy(), LONLAT), np.nan)[which]
