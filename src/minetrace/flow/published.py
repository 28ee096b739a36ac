"""Published folders, read once: what the service answers from.

A run or a panel is opened when the service starts. From then on nothing that is asked can name a
file: names are looked up in tables that are made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from minetrace.core.period import Period
from minetrace.errors import MissingFileError, RunError, StudyError
from minetrace.flow.estimated import estimated
from minetrace.flow.run_views import RunViews
from minetrace.publish.words import INTERVAL
from minetrace.store.files import read_json
from minetrace.store.run_folder import KINDS, RunFolder
from minetrace.store.sidecar import CATALOG, COLLECTION
from minetrace.store.stored import stored_tiles

HANDED_OUT = (
    "panel.gpkg", "panel.parquet", "sites.csv", "hectares.csv", "tallies.csv", "tallies.json",
    "datacard.md", "datacard.json", CATALOG, "study.yaml", "tropical.gpkg",
)  # fmt: skip
MAP_SUFFIXES = (".js", ".css", ".html", ".txt", ".md", ".pmtiles")


@dataclass(frozen=True)
class Published:
    """A folder that is served.

    Attributes:
        id: its name in addresses: letters, digits, hyphens.
        title: for people.
        views: its rasters and tables.
        panel: one row per site and period, in order of site and time: the order of every answer.
        files: what may be taken home, by the path inside the folder.
        items: STAC items of everything stored, by kind.
    """

    id: str
    title: str
    views: RunViews
    panel: gpd.GeoDataFrame
    files: Mapping[str, Path]
    items: Mapping[str, Sequence[dict[str, Any]]]

    @classmethod
    def open(cls, root: Path, *, name: str) -> Published:
        """A run or a panel's folder.

        Raises:
            MissingFileError: there is no such folder.
            RunError: it holds no panel.
        """
        views = RunViews.open(root)
        told = views.card.get("title") or (root.resolve().name if views.note else name)
        panel = _ordered(views)
        items = {kind: _items(views.folder, kind, views.periods) for kind in KINDS}
        found = {kind: kept for kind, kept in items.items() if kept}
        return cls(name, str(told), views, panel, _files(root, found), found)

    @property
    def root(self) -> Path:
        """The folder."""
        return self.views.folder.root

    @property
    def periods(self) -> tuple[Period, ...]:
        """In time order."""
        return self.views.periods

    @cached_property
    def shapes(self) -> NDArray[np.object_]:
        """(rows,) outlines, EPSG:4326; None where a row has none."""
        shapes = self.panel.geometry.to_numpy().copy()
        shapes[np.asarray(shapely.is_empty(shapes))] = None
        return np.asarray(shapes, dtype=object)

    @cached_property
    def boxes(self) -> NDArray[np.float64]:
        """(rows, 4) west, south, east, north; without an outline, of all outlines of the site.

        So a site that was not looked at is found where it is known to be.
        """
        edges = pd.DataFrame(shapely.bounds(self.shapes))
        by_site = edges.groupby(self.panel["site_id"].to_numpy())
        around = [by_site[k].transform("min" if k < 2 else "max") for k in range(4)]
        own = edges.notna().all(axis=1)
        return np.column_stack([edges[k].where(own, around[k]) for k in range(4)])

    @cached_property
    def table(self) -> pd.DataFrame:
        """The panel without its outlines."""
        return pd.DataFrame(self.panel.drop(columns=self.panel.geometry.name))

    @cached_property
    def cells(self) -> pa.Table:
        """The same as JSON holds it: days as text, null for what is not known."""
        found = pa.Table.from_pandas(self.table, preserve_index=False)
        for number, field in enumerate(found.schema):
            if pa.types.is_temporal(field.type):
                days = pc.strftime(found.column(number), format="%Y-%m-%d")
                found = found.set_column(number, field.name, days)
        return found

    @cached_property
    def spans(self) -> NDArray[np.datetime64]:
        """(rows, 2) start and end of each row's period."""
        return np.column_stack([self.panel[c].to_numpy("datetime64[s]") for c in ("start", "end")])

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Over ``boxes``."""
        west, south, east, north = self.boxes.T
        return shapely.STRtree(shapely.box(west, south, east, north))

    @cached_property
    def hectares(self) -> NDArray[np.float64]:
        """(rows,) of the kind that this panel has, NaN where not looked."""
        column = self.panel[self.views.hectares]
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))

    @cached_property
    def place(self) -> NDArray[np.intp]:
        """(rows,) the place in time of each row's period."""
        return np.asarray(self.panel["period"].map(self.views.place), dtype=np.intp)

    @cached_property
    def estimates(self) -> dict[str, dict[str, Any]]:
        """What samples say of whole periods: value, low, high in hectares."""
        return estimated(self.views.folder)

    @property
    def interval(self) -> str:
        """What stands behind a figure of a part of the map."""
        return INTERVAL


def open_all(folders: Sequence[Path]) -> dict[str, Published]:
    """Folders by the name that they are served under: their own, made safe.

    Raises:
        StudyError: none is given, or two have one name.
        MissingFileError: a folder is not there.
        RunError: a folder holds no panel.
    """
    if not folders:
        raise StudyError("nothing to serve: give the folder of a run or of a panel")
    found: dict[str, Published] = {}
    for folder in folders:
        name = _name(folder)
        if name in found:
            raise StudyError(
                f"{folder}: another folder is already served as {name!r}; rename one of them"
            )
        found[name] = Published.open(folder, name=name)
    return found


def _name(folder: Path) -> str:
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder; give the folder of a run or of a panel")
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "run"


def _ordered(views: RunViews) -> gpd.GeoDataFrame:
    panel = views.panel
    if unknown := sorted(set(panel["period"]) - set(views.place)):
        raise RunError(
            f"{views.folder.root}: the panel names the period {unknown[0]!r}, which the study "
            "does not; run it again"
        )
    order = np.lexsort((panel["period"].map(views.place), panel["site_id"].astype(str)))
    return panel.iloc[order].reset_index(drop=True)


def _items(folder: RunFolder, kind: str, periods: Sequence[Period]) -> list[dict[str, Any]]:
    """Sidecars of a kind, each told where its file is inside the folder."""
    found = []
    if kind == "footprints":
        places = [folder.root / kind / f"{period.label}.json" for period in periods]
    else:
        keys = (key for period in periods for key in stored_tiles(folder, kind, period.label))
        places = [folder.sidecar(key) for key in keys]
    for place in places:
        if place.is_file():
            item = dict(read_json(place))
            beside = item["assets"]["data"]["href"].removeprefix("./")
            item["minetrace:path"] = place.with_name(beside).relative_to(folder.root).as_posix()
            found.append(item)
    return sorted(found, key=lambda item: str(item["id"]))


def _files(root: Path, items: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Path]:
    names = list(HANDED_OUT)
    names += [item["minetrace:path"] for kept in items.values() for item in kept]
    names += [f"{kind}/{COLLECTION}" for kind in items]
    names += [
        path.relative_to(root).as_posix()
        for path in sorted((root / "map").rglob("*"))
        if path.suffix in MAP_SUFFIXES
    ]
    return {name: root / name for name in names if _inside(root / name, root)}


def _inside(path: Path, root: Path) -> bool:
    """A file of the folder itself: a link that leads elsewhere is not handed out."""
    return path.is_file() and path.resolve().is_relative_to(root.resolve())
