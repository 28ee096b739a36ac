"""A page that ranks territories by hectares: one file, opens by double click, offline."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd

from minetrace.publish.palette import palette
from minetrace.publish.site_table import number_or_none
from minetrace.publish.words import INTERVAL

Frame = tuple[float, float, float, float]
MEASURES = {
    "present_ha": "mapped in the period",
    "new_ha": "mapped for the first time",
    "lost_ha": "mapped before and no more",
    "cumulative_ha": "mapped until then",
    "unseen_ha": "not looked at, as last seen",
}


def tally_page(
    table: pd.DataFrame, title: str, frames: Mapping[str, Frame] | None = None
) -> str:  # fmt: skip
    """The page of a tally.

    Args:
        table: what ``minetrace.panel.tally`` counted and ``say_searched`` added to.
        title: of the page.
        frames: west, south, east and north of each territory, if a map lies beside the page in
            ``map/``: names are then links to it.

    Returns:
        HTML that holds its styles, scripts and figures, and may load nothing else.
    """
    viewer = resources.files("minetrace.publish") / "viewer"
    theme, logic, page, style = (
        viewer.joinpath(name).read_text(encoding="utf-8")
        for name in ("theme.js", "tally.js", "tally.html", "tally.css")
    )
    told = {**told_of(table, title), "views": _views(frames or {})}
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    scripts = [f"window.minetraceTally={text.replace('<', chr(92) + 'u003c')};", theme, logic]
    allowed = " ".join(_hash(script) for script in scripts)
    parts = {
        "title": html.escape(title),
        "policy": f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}",
        "style": f"<style>{style}</style>",
        "data": f"<script>{scripts[0]}</script>",
        "theme": f"<script>{theme}</script>",
        "logic": f"<script>{logic}</script>",
    }
    for name, part in parts.items():
        page = page.replace("{{" + name + "}}", part)
    return page


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def told_of(table: pd.DataFrame, title: str) -> dict[str, Any]:
    """A tally as pages want it: a row for each territory and class, with a list per measure."""
    labels = list(dict.fromkeys(table["period"]))
    known = {name: words for name, words in MEASURES.items() if table[name].notna().any()}
    units, parts = table[table["part"] == "territory"], table[table["part"] != "territory"]
    keys = ["territory", *(["class"] if "class" in table.columns else [])]
    rows = [
        {"id": str(group["territory"].iloc[0]), **_words(group), **_line(group, labels, known)}
        for _, group in units.groupby(keys, sort=False, dropna=False)
    ]
    sums = {
        str(part): _line(group, labels, known) for part, group in parts.groupby("part", sort=False)
    }
    return {
        "title": title,
        "qualifier": INTERVAL,
        "kind": str(table["extent"].iloc[0]),
        "periods": labels,
        "palette": palette(len(labels)),
        "measures": known,
        "rows": rows,
        "sums": sums,
    }


def _views(frames: Mapping[str, Frame]) -> dict[str, str]:
    """Where the map looks to show a territory: zoom, latitude and longitude."""
    views = {}
    for unit, (west, south, east, north) in frames.items():
        wide = max(east - west, 1.6 * (north - south), 1e-3)
        zoom = min(max(math.log2(500 / wide), 0.5), 14.0)
        views[unit] = f"{zoom:.2f}/{(south + north) / 2:.4f}/{(west + east) / 2:.4f}"
    return views


def _words(group: pd.DataFrame) -> dict[str, str | None]:
    found = {}
    for column in ("name", "class"):
        if column in group.columns:
            value = group[column].iloc[0]
            found[column] = None if pd.isna(value) else str(value)
    return found


def _line(group: pd.DataFrame, labels: list[Any], known: dict[str, str]) -> dict[str, Any]:
    """Values per period; null where a territory or class does not hold."""
    wide = group.set_index("period").reindex(labels)
    values = {name: [number_or_none(v, 4) for v in wide[name]] for name in known}
    overlap = [number_or_none(v, 4) or 0 for v in wide["overlap_ha"]]
    looked = [number_or_none(v, 4) for v in wide["looked_share"]]
    sites = [None if pd.isna(v) else int(v) for v in wide["sites"]]
    state = [None if pd.isna(v) else str(v) for v in wide["state"]]
    return {"values": values, "overlap": overlap, "looked": looked, "sites": sites, "state": state}
