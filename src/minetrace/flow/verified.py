"""Which sites people have looked at, kept beside the run and put into its panel.

The panel's column ``verified`` is true where people saw a mine, false where they saw none, and null
where nobody looked or people differ. A verdict is on the outline that was judged, whose hash is
kept with it: where the map has another outline by now it no longer applies, is told as outdated,
and is to be given anew. What people say changes neither outlines nor identity, so a sample that was
drawn from the map before is still a sample of it; see `map_checksum`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Set
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.errors import LabelError
from minetrace.store.files import sha256

VERIFIED = Path("review") / "verified.csv"
COLUMNS = ("site_id", "period", "verified", "outline", "said_at")
_KEY = ["site_id", "period"]


def read_verified(run: Path) -> pd.DataFrame | None:
    """What people said, the last of each site and period; None where nobody did.

    Files of before outlines were kept have no outline in them.

    Raises:
        LabelError: the file of answers is not one.
    """
    path = run / VERIFIED
    if not path.is_file():
        return None
    text = dict.fromkeys(("site_id", "period", "outline", "said_at"), str)
    told = pd.read_csv(path, dtype=text)
    if not {*_KEY, "verified"} <= set(told.columns):
        raise LabelError(f"{path}: must have the columns {', '.join(COLUMNS)}; review again")
    told = told.reindex(columns=list(COLUMNS))
    for name in ("outline", "said_at"):
        told[name] = told[name].astype(object).where(told[name].notna(), "")
    return told.drop_duplicates(_KEY, keep="last", ignore_index=True)


def with_verified(run: Path, panel: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The panel with what people said of the outlines that it has.

    Raises:
        LabelError: the file of answers is not one.
    """
    said = read_verified(run)
    if said is None:
        return panel
    holds = said[_applies(said, panel)].set_index(_KEY)["verified"].astype("boolean")
    keys = pd.MultiIndex.from_frame(panel[_KEY].astype(str))
    return panel.assign(verified=holds.reindex(keys).to_numpy())


def outdated(run: Path, panel: gpd.GeoDataFrame) -> int:
    """How many verdicts are on outlines that the panel no longer has."""
    said = read_verified(run)
    return 0 if said is None else int((~_applies(said, panel)).sum())


def outline_hash(shape: BaseGeometry | None) -> str:
    """Of an outline, wherever it begins; empty where there is none."""
    if shape is None or shape.is_empty:
        return ""
    return hashlib.sha256(shapely.to_wkb(shapely.normalize(shape))).hexdigest()[:16]


def outlines_now(panel: gpd.GeoDataFrame, wanted: Set[tuple[str, str]]) -> dict[Any, str]:
    """Hashes of the panel's outlines, by site and period, of those that are wanted."""
    keys = zip(panel["site_id"].astype(str), panel["period"].astype(str), strict=True)
    rows = zip(keys, panel.geometry, strict=True)
    return {key: outline_hash(shape) for key, shape in rows if key in wanted}


def _applies(said: pd.DataFrame, panel: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    keys = list(zip(said["site_id"], said["period"], strict=True))
    now = outlines_now(panel, set(keys))
    pairs = zip(keys, said["outline"], strict=True)
    return np.array([outline != "" and now.get(key) == outline for key, outline in pairs], bool)


def verified_hash(run: Path) -> str | None:
    """Of what people said; None where nobody did."""
    path = run / VERIFIED
    return sha256(path) if path.is_file() else None


def map_checksum(run: Path) -> str | None:
    """Of the map itself: sites, periods and outlines of the panel; None where there is none."""
    path = run / "panel.parquet"
    if not path.is_file():
        return None
    table = pyarrow.parquet.read_table(path, columns=["site_id", "period", "geometry"])
    digest = hashlib.sha256()
    for column in table.columns:
        for value in column.to_pylist():
            digest.update(repr(value).encode() if not isinstance(value, bytes) else value)
            digest.update(b"\0")
    return digest.hexdigest()
