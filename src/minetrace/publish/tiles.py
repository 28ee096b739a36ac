"""Outlines and dots as map tiles, for runs that are too large to be opened whole.

Each zoom holds what can be seen there: outlines once they are a few pixels wide, and a dot for a
site that is smaller, thinned out so that far away the largest site of a neighbourhood stands for
it. Only the last zoom holds every outline, unthinned and unsimplified. GDAL cuts each layer and
zoom into tiles; tiles of one place are then joined by laying their layers one after another, which
is how the format defines it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from minetrace.publish.pmtiles import Archive, Place, tile_id
from minetrace.publish.site_table import NOBODY_LOOKED, SEEN, SMALL_PX, SiteTable
from minetrace.store.files import write_whole

RECIPE = 2
FIRST_ZOOM, OUTLINE_ZOOM, LAST_ZOOM = 0, 6, 11
EXTENT = 8192  # steps across a tile: 2.4 m at the last zoom on the equator; MapLibre keeps no more
_PX = EXTENT // 512
_SEEN_PX = 2.5  # narrower outlines wait for the next zoom
_APART_PX = 7  # dots of one zoom lie about this far apart
_MARKS = "0123456789abcdefghijklmnopqrstuvwxyz"
_GDAL = {
    "FORMAT": "MBTILES", "EXTENT": EXTENT, "BUFFER": 10 * _PX, "COMPRESS": "NO",
    "MAX_SIZE": 1 << 30, "MAX_FEATURES": 1 << 30,  # GDAL would drop what goes beyond
}  # fmt: skip


def write_tiles(path: Path, sites: SiteTable) -> None:
    """Write the archive: a layer ``outlines-LABEL`` for each period, and a layer ``dots``.

    Features carry the site's number, the place of its first period, and for outlines ``state``
    (see ``SiteTable``) and ``until``. Dots carry what ``dot_marks`` says.
    """

    def write(part: Path) -> None:
        with (
            tempfile.TemporaryDirectory(prefix="minetrace-tiles-") as scratch,
            tempfile.TemporaryFile() as waiting,
        ):
            archive, dots = Archive(waiting), _dots(sites)
            for zoom in range(FIRST_ZOOM, LAST_ZOOM + 1):
                layers = [
                    _cut(Path(scratch) / f"{zoom}-{name}.mbtiles", name, table, zoom)
                    for name, table in _layers(sites, dots, zoom)
                    if len(table)
                ]
                _join(archive, layers, zoom)
                for layer in layers:
                    layer.unlink()
            archive.write(part, _bounds(sites), _metadata(sites))

    write_whole(path, write)


def tiles_hash(sites: SiteTable) -> str:
    """Of everything that ``write_tiles`` reads."""
    told = hashlib.sha256(f"{RECIPE} {pyogrio.__gdal_version__} {sites.labels}".encode())
    for array in (sites.first, sites.state, sites.drawn, sites.size()):
        told.update(np.ascontiguousarray(array).tobytes())
    for code in shapely.to_wkb(sites.shapes):
        told.update(code)
    return told.hexdigest()


def dot_marks(sites: SiteTable) -> dict[str, list[str]]:
    """For each site, a mark per period for ``seen``, ``unseen`` and ``since``.

    A mark is a zoom in base 36. Where ``seen`` is ``b``, the site was seen in that period and its
    dot shows below zoom 11; a full stop means that there is nothing to show. Marks of ``since`` say
    from which zoom on, so that the largest site of a neighbourhood comes first.
    """
    return {
        "seen": _marks(sites, (SEEN,)),
        "unseen": _marks(sites, NOBODY_LOOKED),
        "since": _texts(np.minimum(thinned(sites), len(_MARKS) - 1)),
    }


def thinned(sites: SiteTable) -> NDArray[np.int64]:
    """(sites, periods): the zoom from which a site's dot is shown in a period."""
    west, south, east, north = sites.boxes().T
    x, y = _mercator((west + east) / 2, (south + north) / 2)
    since = np.full(sites.state.shape, LAST_ZOOM, dtype=np.int64)
    for at in range(sites.state.shape[1]):
        there = sites.there(at)
        ranked = there[np.lexsort((-sites.size()[there, at], sites.state[there, at]))]
        for zoom in range(LAST_ZOOM - 1, FIRST_ZOOM - 1, -1):
            cells = (512 << zoom) // _APART_PX
            cell = np.floor(x[ranked] * cells) * cells + np.floor(y[ranked] * cells)
            _, best = np.unique(cell, return_index=True)
            since[ranked[best], at] = zoom
    return since


def _marks(sites: SiteTable, states: tuple[int, ...]) -> list[str]:
    zooms = np.ceil(np.clip(sites.until()[sites.drawn], 0, len(_MARKS) - 1)).astype(np.int64)
    return _texts(np.where(np.isin(sites.state, states), zooms, -1))


def _texts(zooms: NDArray[np.int64]) -> list[str]:
    signs = np.array([*_MARKS, "."])  # −1 is the last
    return ["".join(row) for row in signs[zooms]]


def _mercator(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[Any, Any]:
    """From 0 to 1, from the north-west."""
    return lon / 360 + 0.5, 0.5 - np.arcsinh(np.tan(np.radians(lat))) / (2 * np.pi)


def _layers(
    sites: SiteTable, dots: gpd.GeoDataFrame, zoom: int
) -> Iterator[tuple[str, gpd.GeoDataFrame]]:
    """What can be seen at a zoom."""
    shown = (dots["from"] <= zoom) & (zoom < dots["below"])
    yield "dots", dots[shown].drop(columns=["from", "below"])
    if zoom < OUTLINE_ZOOM:
        return
    until = sites.until()
    from_zoom = until - np.log2(SMALL_PX / _SEEN_PX)
    for at, label in enumerate(sites.labels):
        site = sites.there(at)
        shape = sites.drawn[site, at]
        wide = (from_zoom[shape] <= zoom) | (zoom == LAST_ZOOM)
        site, shape = site[wide], shape[wide]
        yield f"outlines-{label}", gpd.GeoDataFrame(
            {
                "site": site.astype(np.int32), "first": sites.first[site].astype(np.int32),
                "state": sites.state[site, at].astype(np.int32),
                "until": until[shape].round(1),
            },
            geometry=sites.shapes[shape], crs="EPSG:4326",
        )  # fmt: skip


def _dots(sites: SiteTable) -> gpd.GeoDataFrame:
    """All dots, each with the zooms at which it shows in some period."""
    west, south, east, north = sites.boxes().T
    return gpd.GeoDataFrame(
        {
            "site": np.arange(len(sites), dtype=np.int32), "first": sites.first.astype(np.int32),
            **dot_marks(sites),
            "from": thinned(sites).min(axis=1, initial=LAST_ZOOM),
            "below": sites.until()[sites.drawn].max(axis=1, initial=0.0),
        },
        geometry=shapely.points((west + east) / 2, (south + north) / 2), crs="EPSG:4326",
    )  # fmt: skip


def _cut(path: Path, name: str, table: gpd.GeoDataFrame, zoom: int) -> Path:
    """One layer at one zoom, cut into tiles."""
    pyogrio.write_dataframe(
        table, path, layer=name, driver="MVT", promote_to_multi=False, MINZOOM=zoom, MAXZOOM=zoom,
        SIMPLIFICATION=0.0 if zoom == LAST_ZOOM else _PX / 4, SIMPLIFICATION_MAX_ZOOM=0.0,
        **_GDAL,
    )  # fmt: skip
    return path


def _join(archive: Archive, layers: list[Path], zoom: int) -> None:
    """Add the tiles of a zoom, each with the layers that it has, one after another."""
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(sqlite3.connect(path))) for path in layers]
        found: dict[Place, list[sqlite3.Connection]] = {}
        for layer in opened:
            for column, row in layer.execute("SELECT tile_column, tile_row FROM tiles"):
                found.setdefault(Place(zoom, column, (1 << zoom) - 1 - row), []).append(layer)
        for place in sorted(found, key=tile_id):
            archive.add(place, b"".join(_tile(layer, place) for layer in found[place]))


def _tile(layer: sqlite3.Connection, place: Place) -> bytes:
    row = (1 << place.zoom) - 1 - place.row
    (tile,) = layer.execute(
        "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?",
        (place.zoom, place.column, row),
    ).fetchone()
    return bytes(tile)


def _bounds(sites: SiteTable) -> list[float]:
    return [float(edge) for edge in shapely.total_bounds(sites.shapes)]


def _metadata(sites: SiteTable) -> dict[str, Any]:
    fields = {"site": "Number", "first": "Number"}
    outlines = {**fields, "state": "Number", "until": "Number"}
    dots = {**fields, "seen": "String", "unseen": "String", "since": "String"}
    spans = [("dots", dots, FIRST_ZOOM)]
    spans += [(f"outlines-{label}", outlines, OUTLINE_ZOOM) for label in sites.labels]
    return {
        "name": "panel", "description": "Sites by period; hectares are in the panel, not here.",
        "vector_layers": [
            {"id": name, "fields": kept, "minzoom": low, "maxzoom": LAST_ZOOM}
            for name, kept, low in spans
        ],
    }  # fmt: skip
