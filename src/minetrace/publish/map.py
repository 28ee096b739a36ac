"""The static map of a run: a folder that opens by double click, offline, from any place.

The page and its libraries are copied as they are. What it must know at once goes into ``data.js``;
what it may need later lies beside it in parts, because a page opened from disk may not fetch but
may add a script. Up to ``EMBED_VERTICES`` the outlines are told at once; beyond, they are cut into
tiles. This module says what the page is told; how it is shown is the business of ``viewer/``.
"""

from __future__ import annotations

import base64
import html
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from minetrace.core.period import Period
from minetrace.errors import PeriodError
from minetrace.publish.map_tally import TALLIES, put_nothing_counted
from minetrace.publish.palette import palette
from minetrace.publish.parts import CHUNK_BYTES, keep_only, put, put_chunks, put_part
from minetrace.publish.picture import (
    NATURAL,
    Picture,
    Stretch,
    robust_stretch,
    true_colour,
)
from minetrace.publish.pictures import lent_shares
from minetrace.publish.site_table import (
    DEGREE_DIGITS,
    HECTARES,
    INFERRED,
    UNSEEN,
    SiteTable,
    events_of,
    label_of,
    number_or_none,
)
from minetrace.publish.tiles import LAST_ZOOM, OUTLINE_ZOOM, dot_marks, tiles_hash, write_tiles
from minetrace.publish.words import ESTIMATED, INTERVAL, estimated

__all__ = [
    "EMBED_VERTICES",
    "NATURAL",
    "NO_INTERVAL",
    "Picture",
    "Stretch",
    "palette",
    "robust_stretch",
    "true_colour",
    "write_map",
]

NO_INTERVAL = INTERVAL
EMBED_VERTICES = 400_000  # about 8 MB of data.js, and two seconds until the map stands
SHELF_SITES = 500
WORLD = box(-180, -85, 180, 85)
TILES, PICTURES, SHELVES = "panel.pmtiles", "pictures", "sites"
COPIED = (
    "theme.js", "viewer.css", "format.js", "parts.js", "sites.js", "tiles.js", "chart.js",
    "layers.js", "pane.js", "swipe.js", "mapview.js", "search.js", "files.js", "territories.js",
    "panel.js", "viewer.js", "vendor/maplibre-gl.js", "vendor/maplibre-gl.css",
    "vendor/maplibre-gl-LICENSE.txt", "vendor/pmtiles.js", "vendor/pmtiles-LICENSE.txt",
    "vendor/README.md",
)  # fmt: skip


def write_map(
    folder: Path,
    *,
    title: str,
    panel: gpd.GeoDataFrame,
    periods: Sequence[Period],
    pictures: Mapping[str, Sequence[Picture]],
    region: BaseGeometry,
    provenance: Mapping[str, str],
    summary: Iterable[Mapping[str, Any]],
    downloads: Iterable[Path] = (),
    given: str | None = None,
    min_looked_share: float = 0.5,
    embed_vertices: int = EMBED_VERTICES,
) -> Path:
    """Write the map of a run into a folder; written again, it replaces what it wrote before.

    Args:
        folder: is made if it is not there.
        title: such as the name of the study.
        panel: one row per site and period, EPSG:4326. A row without an outline has 0 hectares if
            the site was looked at, and NaN with event ``not_looked`` if it was not.
        periods: in time order.
        pictures: true-colour pictures by period label; a period may have none or several.
        region: polygons in EPSG:4326.
        provenance: what the map was made of, in the order to show: model, source, version, ...
        summary: a row per period with ``period``, ``sites``, ``looked_share`` (0 to 1), and either
            ``area_ha`` or ``footprint_ha``.
        downloads: files to link to, where they lie; those that are not there are left out.
        given: whose outlines they are, such as ``as given in mines.gpkg``; default: they were
            mapped from satellite images.
        min_looked_share: an outline of which less was looked at is marked as inferred.
        embed_vertices: outlines with more vertices than this are cut into tiles.

    Returns:
        The path of ``index.html``.

    Raises:
        OutlineError: the panel lacks a column, or is not in EPSG:4326.
        PeriodError: a row names a period that is not in ``periods``.
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    labels = [period.label for period in periods]
    sites = SiteTable.of(panel, labels, min_looked_share=min_looked_share)
    told = _periods(periods, summary, sites)
    tiled = int(shapely.get_num_coordinates(sites.shapes).sum()) > embed_vertices
    data = {
        "title": title,
        "qualifier": NO_INTERVAL,
        "given": given,
        "palette": palette(len(periods)),
        "periods": told,
        "events": events_of(sites.panel),
        "count": len(sites),
        **(_tiled(folder, sites, told) if tiled else _embedded(folder, sites)),
        "region": _shape(region),
        "outside": _shape(WORLD.difference(region)),
        "bounds": [round(edge, DEGREE_DIGITS) for edge in frame(region)],
        "pictured": _pictures(folder, {label: pictures.get(label, ()) for label in labels}),
        "lent": lent_shares(pictures),
        "provenance": [[key, str(value)] for key, value in provenance.items()],
        "downloads": [_link(folder, path) for path in downloads if path.is_file()],
    }
    viewer = resources.files("minetrace.publish") / "viewer"
    for name in COPIED:
        put(folder / name, viewer.joinpath(name).read_bytes())
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    _put_data(folder, f"window.minetraceData={text};\n".encode("ascii"))
    page = viewer.joinpath("index.html").read_text(encoding="utf-8")
    index = folder / "index.html"
    put(index, page.replace("{{title}}", html.escape(title)).encode())
    return index


def _put_data(folder: Path, content: bytes) -> None:
    """What the page is told; a tally of something else is taken out."""
    path = folder / "data.js"
    if not path.is_file() or path.read_bytes() != content or not (folder / TALLIES).is_file():
        put_nothing_counted(folder)
    put(path, content)


def frame(region: BaseGeometry) -> tuple[float, float, float, float]:
    """West, south, east, north to be shown first, in degrees.

    A region on both sides of the date line ends east of 180 rather than reach around the Earth.
    """
    west, south, east, north = region.bounds
    sides = shapely.bounds(shapely.get_parts(region))[:, [0, 2]]
    sides[sides[:, 1] <= 0] += 360.0
    if sides.max() - sides.min() < east - west:
        west, east = float(sides.min()), float(sides.max())
    return west, south, east, north


def _periods(
    periods: Sequence[Period], summary: Iterable[Mapping[str, Any]], sites: SiteTable
) -> list[dict[str, Any]]:
    """What the page shows of each period, with the hectares split by the sites' first period."""
    rows = {label_of(row["period"]): row for row in summary}
    if unknown := sorted(set(rows) - {period.label for period in periods}):
        raise PeriodError(f"summary: period {unknown[0]!r} is not one of the map's periods")
    shown = []
    for i, period in enumerate(periods):
        row = rows.get(period.label, {})
        kind = "mined" if number_or_none(row.get("area_ha")) is not None else "footprint"
        if "footprint_ha" not in row:
            kind = "mined"
        hectares = number_or_none(row.get(HECTARES[kind]))
        leaders, listed = sites.leaders(i)
        begun, begun_count = sites.cohort_leaders(i)
        shown.append(
            {
                "label": period.label,
                "start": period.start.isoformat(),
                "last": period.last_day.isoformat(),
                "sites": int(number_or_none(row.get("sites")) or 0),
                "kind": kind,
                "hectares": hectares,
                "looked": number_or_none(row.get("looked_share")),
                "estimated": _estimated(row.get("estimated")),
                "cohorts": _cohorts(sites.cohorts(i, kind), hectares),
                "leaders": leaders,
                "listed": listed,
                "begun": begun,
                "begunCount": begun_count,
                "hatched": bool((sites.state[:, i] == UNSEEN).any()),
                "inferred": bool((sites.state[:, i] == INFERRED).any()),
            }
        )
    return shown


def _estimated(told: Mapping[str, Any] | None) -> str | None:
    """What a sample says of a period, in words."""
    return None if told is None else f"{estimated(told)} ha {ESTIMATED}: {told['sample']}"


def _cohorts(parts: list[float], hectares: float | None) -> list[float] | None:
    """Hectares by first period; None where they would not add up to the period's."""
    agrees = hectares is not None and math.isclose(sum(parts), hectares, rel_tol=0.005, abs_tol=0.1)
    return [round(part, 4) for part in parts] if agrees else None


def _embedded(folder: Path, sites: SiteTable) -> dict[str, Any]:
    """Everything at once."""
    for name in (TILES, f"{TILES}.json"):
        (folder / name).unlink(missing_ok=True)
    keep_only(folder / TILES.replace(".", "-"), ())
    keep_only(folder / SHELVES, ())
    numbers = range(len(sites))
    marks = dot_marks(sites)
    boxes = sites.boxes()
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return {
        "known": dict(zip(numbers, sites.records(events_of(sites.panel), numbers), strict=True)),
        "shelves": None,
        "tiles": None,
        "outlines": {
            "shapes": [_shape(shape) for shape in sites.shapes],
            "until": sites.until().round(2).tolist(),
            "drawn": [
                [[int(s), int(sites.drawn[s, at]), int(sites.state[s, at])]
                 for s in sites.there(at)]
                for at in range(len(sites.labels))
            ],
        },
        "dots": [
            [*place, marks["seen"][s], marks["unseen"][s]]
            for s, place in enumerate(middle.round(DEGREE_DIGITS).tolist())
        ],
    }  # fmt: skip


def _tiled(folder: Path, sites: SiteTable, told: list[dict[str, Any]]) -> dict[str, Any]:
    """Outlines in tiles, histories on shelves, and at once only the sites that are listed."""
    events = events_of(sites.panel)
    starts = range(0, len(sites), SHELF_SITES)
    records = sites.records(events, range(len(sites)))
    written = [
        put_part(folder, f"{SHELVES}/{shelf:05d}", records[start : start + SHELF_SITES])
        for shelf, start in enumerate(starts)
    ]
    keep_only(folder / SHELVES, written)
    archive = _archive(folder, sites)
    listed = {s for period in told for s in (*period["leaders"], *period["begun"])}
    return {
        "known": {s: records[s] for s in sorted(listed)},
        "shelves": {"size": SHELF_SITES, "names": [sites.ids[start] for start in starts]},
        "tiles": {
            "name": TILES, "bytes": archive.stat().st_size, "chunk": CHUNK_BYTES,
            "parts": TILES.replace(".", "-"), "outlinesFrom": OUTLINE_ZOOM, "last": LAST_ZOOM,
        },
        "outlines": None,
        "dots": None,
    }  # fmt: skip


def _archive(folder: Path, sites: SiteTable) -> Path:
    """The tiles, whole and in pieces; what was made from the same outlines is kept."""
    archive, note = folder / TILES, folder / f"{TILES}.json"
    wanted = tiles_hash(sites)
    parts = folder / TILES.replace(".", "-")
    if archive.is_file() and note.is_file():
        made = json.loads(note.read_text(encoding="utf-8"))
        count = math.ceil(archive.stat().st_size / CHUNK_BYTES)
        if made == {"read_hash": wanted, "bytes": archive.stat().st_size, "parts": count}:
            return archive
    note.unlink(missing_ok=True)
    write_tiles(archive, sites)
    written = put_chunks(folder, parts.name, archive)
    keep_only(parts, written)
    facts = {"read_hash": wanted, "bytes": archive.stat().st_size, "parts": len(written)}
    put(note, json.dumps(facts).encode())
    return archive


def _pictures(folder: Path, pictures: Mapping[str, Sequence[Picture]]) -> dict[str, int]:
    """Write the pictures, a part for each period that has any; how many each has."""
    written = [
        put_part(folder, f"{PICTURES}/{label}", [_picture(picture) for picture in here])
        for label, here in pictures.items()
        if here
    ]
    keep_only(folder / PICTURES, written)
    return {label: len(here) for label, here in pictures.items()}


def _picture(picture: Picture) -> dict[str, Any]:
    code = base64.b64encode(picture.data).decode("ascii")
    return {
        "uri": f"data:{picture.mime};base64,{code}",
        "corners": [[round(x, 7), round(y, 7)] for x, y in picture.corners],
    }


def _link(folder: Path, path: Path) -> dict[str, Any]:
    href = Path(os.path.relpath(path, folder)).as_posix()
    return {"name": path.name, "href": href, "bytes": path.stat().st_size}


def _shape(geometry: BaseGeometry) -> dict[str, Any]:
    """GeoJSON with its coordinates rounded."""
    rounded = shapely.transform(geometry, lambda xy: xy.round(DEGREE_DIGITS))
    return dict(mapping(rounded))
