"""Which sites people have looked at, kept beside the run and put into its panel.

The panel's column ``verified`` is true where people saw a mine, false where they saw none, and null
where nobody looked or people differ. What they say changes neither outlines nor identity, so a
sample that was drawn from the map before is still a sample of it; see `map_checksum`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow.parquet

from minetrace.errors import LabelError
from minetrace.store.files import sha256

VERIFIED = Path("review") / "verified.csv"
_COLUMNS = ("site_id", "period", "verified")


def with_verified(run: Path, panel: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The panel with what people said of its sites.

    Raises:
        LabelError: the file of answers is not one.
    """
    path = run / VERIFIED
    if not path.is_file():
        return panel
    told = pd.read_csv(path, dtype={"site_id": str, "period": str})
    if not set(_COLUMNS) <= set(told.columns):
        raise LabelError(f"{path}: must have the columns {', '.join(_COLUMNS)}; review again")
    said = told.drop_duplicates(["site_id", "period"], keep="last")
    keys = pd.MultiIndex.from_frame(panel[["site_id", "period"]].astype(str))
    found = said.set_index(["site_id", "period"])["verified"].astype("boolean").reindex(keys)
    return panel.assign(verified=found.to_numpy())


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
