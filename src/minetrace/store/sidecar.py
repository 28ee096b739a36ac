"""Sidecars: the STAC item beside an artefact that makes it exist.

It holds the artefact's checksum and a hash of what the step read. It is written last, so an
artefact without its sidecar does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minetrace.core.period import Period
from minetrace.errors import RunError
from minetrace.store.files import read_json, sha256, write_json, write_whole
from minetrace.store.run_folder import Key, RunFolder

CATALOG = "catalog.json"
COLLECTION = "collection.stac.json"  # in a kind's folder; no period can have that label
MULTIHASH_SHA256 = "1220"  # https://multiformats.io/multihash, as the STAC file extension asks
EXTENSIONS = [
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
]
_MEDIA = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".parquet": "application/vnd.apache.parquet",
    ".gpkg": "application/geopackage+sqlite3",
}


@dataclass(frozen=True)
class Sidecar:
    """What is written beside an artefact.

    Attributes:
        read_hash: fingerprint of all that the step read: settings, inputs' checksums, recipe.
        checksum: SHA-256 of the artefact.
        facts: counts that later steps need, such as ``looked_px``.
    """

    key: Key
    read_hash: str
    checksum: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def publish(
    run: RunFolder,
    key: Key,
    write: Callable[[Path], None],
    *,
    read_hash: str,
    recipe: int,
    where: BaseGeometry,
    period: Period | None = None,
    facts: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Sidecar:
    """Write an artefact whole, then its sidecar, and forget an earlier failure.

    Args:
        write: fills the path that it is given.
        where: ground that the artefact covers, EPSG:4326.
        period: days that it covers; STAC asks for them.
        facts: counts that later steps need.
        properties: further STAC properties.
    """
    path = run.path(key)
    _forget(run, key, read_hash)
    write_whole(path, write)
    sidecar = Sidecar(key, read_hash, sha256(path), dict(facts or {}))
    item = _item(sidecar, path, where, period, recipe, dict(properties or {}))
    write_json(run.sidecar(key), item)
    run.put(path)
    run.put(run.sidecar(key))
    if run.failure(key).is_file():
        run.drop(run.failure(key))
    return sidecar


def read(run: RunFolder, key: Key) -> Sidecar | None:
    """The sidecar of an artefact, or None if the artefact does not exist.

    A sidecar that cannot be read is none: what it stood for is made again.
    """
    place, path = run.sidecar(key), run.path(key)
    if not place.is_file() or not (path.is_file() or run.mirror):
        return None
    try:
        item = read_json(place)
        size, own = item["assets"]["data"]["file:size"], item["properties"]
        facts = own.get("minetrace:facts", {})
        found = Sidecar(key, own["minetrace:read_hash"], own["minetrace:sha256"], facts)
    except (RunError, KeyError, TypeError, AttributeError):
        return None
    if path.is_file() and path.stat().st_size != size:
        return None  # cut short or overwritten by somebody
    return found


def _forget(run: RunFolder, key: Key, read_hash: str) -> None:
    """Take a sidecar away before its artefact becomes another.

    Where the run lives, too: a process that dies between the two puts would leave the new artefact
    under the old sidecar. One that another process made of the same stays, for so will its bytes.
    """
    if run.mirror:
        run.tell(key)
        made = read(run, key)
        if made is not None and made.read_hash != read_hash:
            run.drop(run.sidecar(key))
    run.sidecar(key).unlink(missing_ok=True)


def fail(run: RunFolder, key: Key, *, read_hash: str, reason: str) -> None:
    """Record that an artefact could not be made; an older version of it is dropped.

    Where another process made the same artefact meanwhile, it stays.
    """
    run.tell(key)
    made = read(run, key) if run.mirror else None
    if made is not None and made.read_hash == read_hash:
        return
    run.drop(run.sidecar(key))
    run.drop(run.path(key))
    record = {"key": str(key), "reason": reason, "read_hash": read_hash}
    write_json(run.failure(key), record)
    run.put(run.failure(key))


def failure(run: RunFolder, key: Key) -> str | None:
    """Why an artefact could not be made, or None."""
    place = run.failure(key)
    if not place.is_file():
        return None
    said = read_json(place)
    return str(said["reason"]) if isinstance(said, dict) and "reason" in said else "for no reason"


def _item(
    sidecar: Sidecar,
    path: Path,
    where: BaseGeometry,
    period: Period | None,
    recipe: int,
    properties: dict[str, Any],
) -> dict[str, Any]:
    key = sidecar.key
    times: dict[str, Any] = {"datetime": None}
    if period is not None:
        times["start_datetime"] = f"{period.start}T00:00:00Z"
        times["end_datetime"] = f"{period.last_day}T23:59:59Z"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": EXTENSIONS,
        "id": "-".join(part for part in (key.kind, key.period, key.tile) if part),
        **({"collection": key.kind} if key.period else {}),
        "geometry": mapping(shapely.set_precision(where, 1e-7)),
        "bbox": [round(v, 7) for v in where.bounds],
        "properties": {
            **times,
            **properties,
            "minetrace:read_hash": sidecar.read_hash,
            "minetrace:recipe": recipe,
            "minetrace:sha256": sidecar.checksum,
            "minetrace:facts": dict(sidecar.facts),
        },
        "links": _links(key),
        "assets": {
            "data": {
                "href": f"./{path.name}",
                "type": _MEDIA.get(path.suffix, "application/octet-stream"),
                "roles": ["data"],
                "file:checksum": MULTIHASH_SHA256 + sidecar.checksum,
                "file:size": path.stat().st_size,
            }
        },
    }


def _links(key: Key) -> list[dict[str, str]]:
    """To the catalog and the collection that the publication step writes above it."""
    folders = "../" * (bool(key.period) + bool(key.tile) - 1) if key.period else ""
    root = f"../{folders}" if key.period else "./"
    links = [{"rel": "root", "href": root + CATALOG, "type": "application/json"}]
    if not key.period:
        return [*links, {**links[0], "rel": "parent"}]
    above = {"href": (folders or "./") + COLLECTION, "type": "application/json"}
    return [*links, {"rel": "parent", **above}, {"rel": "collection", **above}]
