"""A STAC catalog over a run: a collection for each kind of artefact, an item for each artefact.

The items are the sidecars themselves, which lie beside their files; this module writes what ties
them together. All links are relative, so the folder can be moved or served as it is.

Source of the layout: STAC 1.1, "self-contained catalogs"
(https://github.com/radiantearth/stac-spec/blob/v1.1.0/best-practices.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from minetrace.store.files import read_json, write_json
from minetrace.store.run_folder import Key, RunFolder
from minetrace.store.sidecar import CATALOG, COLLECTION

STAC = "1.1.0"
KINDS = {
    "composites": ("Composites", "Clear-sky surface per tile and period: reflectance, number of "
                   "clear looks, median day."),
    "scores": ("Scores", "How sure the model is that a pixel or cell is mined, times 10,000; "
               "65535 where nobody could look."),
    "decoded": ("Decoded scores", "Scores made consistent through time."),
    "footprints": ("Outlines", "Outlines of each period as the scores give them, before they are "
                   "followed through time."),
}  # fmt: skip
_BESIDE = {
    "datacard.md": ("about", "text/markdown", "Data card"),
    "map/index.html": ("alternate", "text/html", "Map"),
}


def write_catalog(
    run: RunFolder,
    keys: Iterable[Key],
    *,
    name: str,
    title: str,
    description: str,
    licence: str = "other",
) -> Path:
    """Write ``catalog.json`` and one collection per kind; written again, they are replaced.

    Args:
        run: the run's folder.
        keys: its artefacts; those without a sidecar do not exist and are left out.
        name: the catalog's id, such as the study's name.
        title: for people.
        description: likewise.
        licence: an SPDX identifier, or ``other``.

    Returns:
        The path of ``catalog.json``.

    Raises:
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    made = sorted(key for key in keys if run.sidecar(key).is_file())
    kinds = [kind for kind in KINDS if any(key.kind == kind and key.period for key in made)]
    for kind in kinds:
        _write_collection(run, [key for key in made if key.kind == kind], licence)
    children = [_link("child", f"./{kind}/{COLLECTION}", title=KINDS[kind][0]) for kind in kinds]
    loose = [_link("item", f"./{run.sidecar(k).name}", "application/geo+json")
             for k in made if not k.period]  # fmt: skip
    beside = [
        _link(rel, f"./{place}", media, words)
        for place, (rel, media, words) in _BESIDE.items()
        if (run.root / place).is_file()
    ]
    place = run.root / CATALOG
    write_json(place, {
        "type": "Catalog", "stac_version": STAC, "id": name, "title": title,
        "description": description,
        "links": [_link("root", f"./{CATALOG}"), *children, *loose, *beside],
    })  # fmt: skip
    return place


def _write_collection(run: RunFolder, keys: Sequence[Key], licence: str) -> None:
    kind = keys[0].kind
    folder = run.root / kind
    items = [(run.sidecar(key), read_json(run.sidecar(key))) for key in keys]
    title, description = KINDS[kind]
    write_json(folder / COLLECTION, {
        "type": "Collection", "stac_version": STAC, "id": kind, "title": title,
        "description": description, "license": licence,
        "extent": _extent([item for _, item in items]),
        "links": [
            _link("root", f"../{CATALOG}"), _link("parent", f"../{CATALOG}"),
            *(_link("item", "./" + os.path.relpath(path, folder).replace(os.sep, "/"),
                    "application/geo+json") for path, _ in items),
        ],
    })  # fmt: skip


def _extent(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    west, south, east, north = zip(*(item["bbox"] for item in items), strict=True)
    starts = [item["properties"]["start_datetime"] for item in items]
    ends = [item["properties"]["end_datetime"] for item in items]
    return {
        "spatial": {"bbox": [[min(west), min(south), max(east), max(north)]]},
        "temporal": {"interval": [[min(starts), max(ends)]]},
    }


def _link(rel: str, href: str, media: str = "application/json", title: str = "") -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media, **({"title": title} if title else {})}
