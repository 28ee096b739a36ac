"""Tallies as files: CSV, Parquet, GeoPackage, JSON, and a page that ranks territories."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from minetrace.core.region import project
from minetrace.publish.geopackage import one_date
from minetrace.publish.map_tally import put_tally
from minetrace.publish.site_table import number_or_none
from minetrace.publish.tables import write_plain
from minetrace.publish.tally_page import tally_page
from minetrace.publish.words import INTERVAL
from minetrace.store.files import write_text, write_whole

NAME = "tallies"
EQUAL_AREA, LONLAT = "EPSG:6933", "EPSG:4326"
METHOD = (
    "hectares are divided by shares of ground in EPSG:6933, an equal-area projection; "
    "territories may overlap, and 'together' counts their ground once"
)


class Ground(Protocol):
    """What a layer of territories has to tell."""

    @property
    def unit(self) -> NDArray[np.object_]: ...
    @property
    def kind(self) -> NDArray[np.object_]: ...
    @property
    def shapes(self) -> NDArray[np.object_]: ...


def write_tallies(
    folder: Path, table: pd.DataFrame, ground: Ground, *, formats: Sequence[str], title: str
) -> list[Path]:
    """Write a tally into ``tallies.csv``, ``.parquet``, ``.gpkg``, ``.json`` and ``.html``.

    With the last, a map that lies in the folder shows the territories as well.

    Args:
        folder: is made if it is not there.
        table: what ``minetrace.panel.tally`` counted.
        ground: the territories, EPSG:6933.
        formats: which of the five.
        title: of the page and the JSON.

    Returns:
        The files, in the order of ``formats``, and the map's page if it shows the tally now.
    """
    said = table.assign(interval=INTERVAL)
    frames = _frames(ground) if (folder / "map" / "index.html").is_file() else None
    shown = frames is not None and "html" in formats
    if frames is not None and shown:
        put_tally(folder / "map", table, title, ground, frames)
    writers: dict[str, Callable[[Path], None]] = {
        "csv": lambda path: write_plain(path, said),
        "parquet": lambda path: write_whole(
            path, lambda part: said.to_parquet(part, index=False, compression="zstd")
        ),
        "gpkg": lambda path: write_whole(path, lambda part: _geopackage(part, said, ground)),
        "json": lambda path: write_text(path, _json(table, title)),
        "html": lambda path: write_text(path, tally_page(table, title, frames)),
    }
    paths = [folder / f"{NAME}.{kind}" for kind in formats]
    for kind, path in zip(formats, paths, strict=True):
        writers[kind](path)
    return [*paths, folder / "map" / "index.html"] if shown else paths


def _frames(ground: Ground) -> dict[str, tuple[float, float, float, float]]:
    """Of each territory all that its cells reach, in degrees."""
    found: dict[str, tuple[float, float, float, float]] = {}
    bounds = shapely.bounds(project(ground.shapes, EQUAL_AREA, LONLAT)).reshape(-1, 4)
    for unit, (west, south, east, north) in zip(ground.unit, bounds.tolist(), strict=True):
        w, s, e, n = found.get(str(unit), (180.0, 90.0, -180.0, -90.0))
        found[str(unit)] = min(w, west), min(s, south), max(e, east), max(n, north)
    return found


def _geopackage(path: Path, table: pd.DataFrame, ground: Ground) -> None:
    """Layers ``territories``, with a column for each period, and ``tallies`` without geometry."""
    rows = table[table["part"] == "territory"]
    keys = ["territory", *(["class"] if "class" in table.columns else [])]
    measure = "present_ha" if rows["present_ha"].notna().any() else "new_ha"
    rows = rows.assign(**{key: rows[key].fillna("") for key in keys})
    wide = rows.pivot(index=keys, columns="period", values=measure)
    wide = wide[list(dict.fromkeys(rows["period"]))]
    wide.columns = pd.Index([f"{measure}_{str(p).replace('-', '_')}" for p in wide.columns])
    lonlat = np.asarray(project(ground.shapes, EQUAL_AREA, LONLAT), dtype=object)
    cells = {"territory": ground.unit.astype(str)}
    if "class" in table.columns:
        cells["class"] = np.array([kind or "" for kind in ground.kind], dtype=object)
    layer = gpd.GeoDataFrame(cells, geometry=gpd.GeoSeries(lonlat, crs=LONLAT))
    with one_date():
        pyogrio.write_dataframe(
            layer.merge(wide.reset_index(), on=keys, how="left"), path, layer="territories",
            driver="GPKG", promote_to_multi=True, geometry_type="MultiPolygon",
        )  # fmt: skip
        pyogrio.write_dataframe(table, path, layer=NAME, driver="GPKG", append=True)


def _json(table: pd.DataFrame, title: str) -> str:
    rows = [
        {str(name): _plain(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]
    told: dict[str, Any] = {"title": title, "interval": INTERVAL, "method": METHOD, "rows": rows}
    return json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return number_or_none(value, 6)
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    return None if value is None or value is pd.NA else value
