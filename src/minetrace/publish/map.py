"""The static map of a run: a folder that opens by double click, offline, from any place.

The page and its libraries are copied as they are; everything a run knows goes into ``data.js``,
because a page opened from disk may not fetch. This module says what the page is told; how it is
shown is the business of ``viewer/``.
"""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from minetrace.core.period import Period
from minetrace.errors import OutlineError, PeriodError
from minetrace.publish.picture import (
    NATURAL,
    Picture,
    Stretch,
    robust_stretch,
    true_colour,
)
from minetrace.store.files import write_whole

__all__ = [
    "NATURAL",
    "NO_INTERVAL",
    "Picture",
    "Stretch",
    "palette",
    "robust_stretch",
    "true_colour",
    "write_map",
]

NO_INTERVAL = "mapped, no interval"
HECTARES = {"mined": "area_ha", "footprint": "footprint_ha"}
DEGREE_DIGITS = 6  # about 0.1 m
WORLD = box(-180, -85, 180, 85)
COPIED = (
    "viewer.css",
    "format.js",
    "chart.js",
    "mapview.js",
    "panel.js",
    "viewer.js",
    "vendor/maplibre-gl.js",
    "vendor/maplibre-gl.css",
    "vendor/maplibre-gl-LICENSE.txt",
    "vendor/README.md",
)
# Steps of plasma (Smith & van der Walt, matplotlib): even in lightness for every kind of colour
# vision, and unlike viridis without the greens of the forest under the outlines.
_PLASMA = ("#6a00a8", "#8d0ba5", "#ad2793", "#cc4778", "#e56b5d", "#f79342", "#fec029", "#f0f724")


def palette(steps: int) -> list[str]:
    """Colours from early to late as ``#rrggbb``, safe for colour-blind eyes."""
    if steps == 1:
        return [_PLASMA[4]]
    return [_blend(i * (len(_PLASMA) - 1) / (steps - 1)) for i in range(steps)]


def _blend(place: float) -> str:
    left = min(int(place), len(_PLASMA) - 2)
    share = place - left
    ends = [bytes.fromhex(colour[1:]) for colour in _PLASMA[left : left + 2]]
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(*ends, strict=True)).hex()


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

    Returns:
        The path of ``index.html``.

    Raises:
        OutlineError: the panel lacks a column, or is not in EPSG:4326.
        PeriodError: a row names a period that is not in ``periods``.
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    labels = [period.label for period in periods]
    sites = _sites(panel, labels)
    data = {
        "title": title,
        "qualifier": NO_INTERVAL,
        "palette": palette(len(periods)),
        "periods": _periods(periods, summary, sites),
        "sites": sites,
        "region": _shape(region),
        "outside": _shape(WORLD.difference(region)),
        "bounds": [round(edge, DEGREE_DIGITS) for edge in region.bounds],
        "pictures": {label: [_picture(p) for p in pictures.get(label, ())] for label in labels},
        "provenance": [[key, str(value)] for key, value in provenance.items()],
    }
    viewer = resources.files("minetrace.publish") / "viewer"
    for name in COPIED:
        _put(folder / name, viewer.joinpath(name).read_bytes())
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    _put(folder / "data.js", f"window.minetraceData={text};\n".encode("ascii"))
    page = viewer.joinpath("index.html").read_text(encoding="utf-8")
    index = folder / "index.html"
    _put(index, page.replace("{{title}}", html.escape(title)).encode())
    return index


def _put(path: Path, content: bytes) -> None:
    def write(part: Path) -> None:
        part.write_bytes(content)

    write_whole(path, write)


def _periods(
    periods: Sequence[Period], summary: Iterable[Mapping[str, Any]], sites: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What the page shows of each period, with the hectares split by the sites' first period."""
    rows = {_label(row["period"]): row for row in summary}
    if unknown := sorted(set(rows) - {period.label for period in periods}):
        raise PeriodError(f"summary: period {unknown[0]!r} is not one of the map's periods")
    shown = []
    for i, period in enumerate(periods):
        row = rows.get(period.label, {})
        kind = "mined" if _number(row.get("area_ha")) is not None else "footprint"
        if "footprint_ha" not in row:
            kind = "mined"
        hectares = _number(row.get(HECTARES[kind]))
        shown.append(
            {
                "label": period.label,
                "start": period.start.isoformat(),
                "last": period.last_day.isoformat(),
                "sites": int(_number(row.get("sites")) or 0),
                "kind": kind,
                "hectares": hectares,
                "looked": _number(row.get("looked_share")),
                "cohorts": _cohorts(sites, i, len(periods), hectares, kind),
            }
        )
    return shown


def _cohorts(
    sites: list[dict[str, Any]], at: int, count: int, hectares: float | None, kind: str
) -> list[float] | None:
    """Hectares of a period by the sites' first period; None where they would not add up."""
    parts = [0.0] * count
    for site in sites:
        row = site["rows"].get(at)
        if row and row["ha"] and row["kind"] == kind:
            parts[site["first"]] += row["ha"]
    agrees = hectares is not None and math.isclose(sum(parts), hectares, rel_tol=0.005, abs_tol=0.1)
    return [round(part, 4) for part in parts] if agrees else None


def _sites(panel: gpd.GeoDataFrame, labels: list[str]) -> list[dict[str, Any]]:
    """One record per site: what is known of it, and its rows by the period's place in time."""
    needed = {"site_id", "period", "extent"}
    if missing := sorted(needed - set(panel.columns)):
        raise OutlineError(f"panel: column {missing[0]!r} is missing; build it with the panel step")
    if panel.crs is not None and panel.crs.to_epsg() != 4326:
        raise OutlineError(f"panel: a map needs EPSG:4326, not {panel.crs}; use to_crs(4326)")
    place = {label: i for i, label in enumerate(labels)}
    sites: dict[str, dict[str, Any]] = {}
    for row in panel.to_dict("records"):
        label = _label(row["period"])
        if label not in place:
            raise PeriodError(f"panel: period {label!r} is not one of the map's periods")
        site = sites.setdefault(str(row["site_id"]), {"id": str(row["site_id"]), "rows": {}})
        site["rows"][place[label]] = _row(row, panel.geometry.name)
        site.setdefault("columns", row)
    return [_site(site, place) for site in sites.values() if _outlined(site)]


def _outlined(site: Mapping[str, Any]) -> bool:
    return any(row["shape"] for row in site["rows"].values())


def _site(site: dict[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    columns = site.pop("columns")
    seen = [i for i, row in site["rows"].items() if row["shape"]]
    verified = columns.get("verified")
    return {
        "id": site["id"],
        "first": place.get(_label(columns.get("first_period")), min(seen)),
        "last": place.get(_label(columns.get("last_period")), max(seen)),
        "first_p": _number(columns.get("first_p")),
        "last_p": _number(columns.get("last_p")),
        "verified": None if verified is None or pd.isna(verified) else bool(verified),
        "rows": dict(sorted(site["rows"].items())),
    }


def _row(row: Mapping[Any, Any], geometry: str) -> dict[str, Any]:
    """One site in one period, as JSON can hold it."""
    kind = "footprint" if row["extent"] == "footprint" else "mined"
    hectares = _number(row.get(HECTARES[kind]))
    event = row.get("event")
    shape = row[geometry]
    return {
        "ha": hectares,
        "kind": kind,
        "event": event if isinstance(event, str) else None,
        "looked": _number(row.get("looked_share")),
        "score_mean": _number(row.get("score_mean")),
        "score_max": _number(row.get("score_max")),
        "parents": _names(row.get("parents")),
        "seen": event != "not_looked" and hectares is not None,
        "shape": None if shape is None or shape.is_empty else _shape(shape),
    }


def _names(parents: Any) -> list[str]:
    """Site ids from a list, an array, or text joined by ``;``; nothing from a missing value."""
    if isinstance(parents, str):
        return [name.strip() for name in parents.replace(",", ";").split(";") if name.strip()]
    return [str(name) for name in parents] if isinstance(parents, Iterable) else []


def _label(period: Any) -> str:
    return period.label if isinstance(period, Period) else str(period)


def _number(value: Any) -> float | None:
    """A finite float, or None for what JSON cannot hold."""
    if value is None or pd.isna(value) or not math.isfinite(value):
        return None
    return round(float(value), 6)


def _shape(geometry: BaseGeometry) -> dict[str, Any]:
    """GeoJSON with its coordinates rounded."""
    rounded = shapely.transform(geometry, lambda xy: xy.round(DEGREE_DIGITS))
    return dict(mapping(rounded))


def _picture(picture: Picture) -> dict[str, Any]:
    code = base64.b64encode(picture.data).decode("ascii")
    return {
        "uri": f"data:{picture.mime};base64,{code}",
        "corners": [[round(x, 7), round(y, 7)] for x, y in picture.corners],
        "looked": _number(picture.looked_share),
    }
