"""What a STAC item says of one scene, as a frozen row: bands, place, day and counts, no pixels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import geopandas as gpd
import shapely
from shapely.geometry import box, shape
from shapely.geometry.base import BaseGeometry

from minetrace.errors import ReadFailedError, RunError
from minetrace.sources.masks import MaskKind
from minetrace.sources.radiometry_facts import BandFacts, SceneFacts
from minetrace.sources.stac_assets import Asset, ordered, rasters

SLACK_DEG = 0.01  # footprints in catalogs are drawn roughly; about 1 km
_KEPT = ("s2:", "earthsearch:", "sentinel:", "sentinel2:", "processing:", "landsat:", "view:sun",
         "constellation", "platform")  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One scene of a catalog.

    Attributes:
        day: solar day at its middle.
        orbit: relative orbit, or Landsat's path; "" if not said.
        tile: of the tiling that it is one of; "" if not said.
        version: the higher, the newer the processing; compared between items of one scene.
        cloud_cover: share of the whole scene, 0 to 1; None if not said.
        properties: those that say what counts mean.
        bands: by common name.
        mask: kind of mask and its raster, if there is one.
        footprint: EPSG:4326.
    """

    id: str
    collection: str
    day: date
    platform: str
    orbit: str
    tile: str
    version: str
    cloud_cover: float | None
    properties: Mapping[str, Any]
    bands: Mapping[str, Asset]
    mask: tuple[MaskKind, Asset] | None
    footprint: BaseGeometry = field(compare=False)

    def facts(self, host: str) -> SceneFacts:
        """What the radiometry gate wants to know."""
        bands = {name: BandFacts(a.key, a.dtype, a.scale, a.offset)
                 for name, a in self.bands.items()}  # fmt: skip
        level = self.properties.get("processing:level")
        return SceneFacts(
            scene=self.id, collection=self.collection, host=host, level=level,
            platform=self.platform or None, day=self.day, properties=self.properties, bands=bands,
        )  # fmt: skip


def parse_item(told: Mapping[str, Any], alternate: str = "") -> Item:
    """Make a row of a STAC item, version 1.0 or 1.1.

    Args:
        told: the item as JSON, with a geometry.
        alternate: which of an asset's further addresses to take, where it has one.

    Raises:
        ReadFailedError: it has no day.
    """
    name, properties = str(told.get("id")), told.get("properties") or {}
    ground = shape(told["geometry"])
    moment = _moment(name, properties)
    bands, mask = rasters(told, str(properties.get("platform", "")), alternate)
    return Item(
        id=name, collection=str(told.get("collection") or ""),
        day=solar_day(moment, _middle_lon(ground)), platform=str(properties.get("platform", "")),
        orbit=_orbit(name, properties), tile=_tile(name, properties),
        version=_version(properties), cloud_cover=_share(properties.get("eo:cloud_cover")),
        bands=bands, mask=mask, footprint=_generous(ground),
        properties={k: v for k, v in properties.items() if k.startswith(_KEPT)},
    )  # fmt: skip


def solar_day(moment: datetime, lon: float) -> date:
    """The day by the sun: one overpass is one day, also where midnight UTC falls into it."""
    return (moment.astimezone(UTC) + timedelta(hours=lon / 15)).date()


def _middle_lon(ground: BaseGeometry) -> float:
    """Longitude of the middle; of the larger part where the date line cuts a scene in two."""
    parts = shapely.get_parts(ground)
    largest: BaseGeometry = max(parts, key=lambda part: float(part.area))
    return float(largest.centroid.x)


def newest(items: Iterable[Item]) -> list[Item]:
    """Every scene once, in its newest processing.

    Two items of one platform, tile and day and of one version are parts of a scene, and both stay.
    """
    best: dict[tuple[Any, ...], str] = {}
    items = list(items)
    for item in items:
        key = _same(item)
        best[key] = max(best.get(key, ""), item.version)
    return [item for item in items if not item.tile or item.version == best[_same(item)]]


def _same(item: Item) -> tuple[Any, ...]:
    return item.collection, item.platform, item.tile, item.day


def to_table(items: Sequence[Item]) -> gpd.GeoDataFrame:
    """Items as a geographic table that any GIS opens."""
    rows = [{k: v for k, v in vars(item).items() if k != "footprint"} for item in items]
    for row in rows:
        row["day"] = row["day"].isoformat()
        row["bands"] = {name: asdict(asset) for name, asset in row["bands"].items()}
        row["mask"] = [row["mask"][0], asdict(row["mask"][1])] if row["mask"] else None
    return gpd.GeoDataFrame(
        {"id": [i.id for i in items], "day": [i.day.isoformat() for i in items],
         "cloud_cover": [i.cloud_cover for i in items],
         "item": [json.dumps(row, sort_keys=True) for row in rows]},
        geometry=[i.footprint for i in items], crs="EPSG:4326",
    )  # fmt: skip


def from_table(table: gpd.GeoDataFrame, path: object = "item table") -> list[Item]:
    """The items of a table.

    Raises:
        RunError: it is no such table.
    """
    try:
        return [_from_row(json.loads(row), ground)
                for row, ground in zip(table["item"], table.geometry, strict=True)]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path}: not a table of items; delete it and run again") from error


def _from_row(row: dict[str, Any], ground: BaseGeometry) -> Item:
    mask = (row["mask"][0], Asset(**row["mask"][1])) if row["mask"] else None
    bands = ordered({name: Asset(**asset) for name, asset in row["bands"].items()})
    kept = {k: v for k, v in row.items() if k not in ("mask", "bands", "day")}
    return Item(**kept, day=date.fromisoformat(row["day"]), bands=bands, mask=mask,
                footprint=ground)  # fmt: skip


def _moment(name: str, properties: Mapping[str, Any]) -> datetime:
    for key in ("datetime", "start_datetime"):
        text = properties.get(key)
        if text:
            try:
                moment = datetime.fromisoformat(str(text))
            except ValueError:
                continue
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise ReadFailedError(
        f"{name}: the catalog does not say when this item was taken; report it to the catalog"
    )


def _share(percent: Any) -> float | None:
    return None if percent is None else float(percent) / 100


def _orbit(name: str, properties: Mapping[str, Any]) -> str:
    for key in ("sat:relative_orbit", "landsat:wrs_path"):
        if properties.get(key) is not None:
            return str(properties[key])
    text = f"{properties.get('s2:product_uri', '')} {name}"
    found = re.search(r"_R(\d{3})_", text)
    return found[1] if found else ""


def _tile(name: str, properties: Mapping[str, Any]) -> str:
    for key in ("grid:code", "s2:mgrs_tile"):
        if properties.get(key):
            return str(properties[key]).removeprefix("MGRS-")
    if properties.get("landsat:wrs_row"):
        return f"{properties.get('landsat:wrs_path')}/{properties['landsat:wrs_row']}"
    found = re.search(r"_T?(\d{1,2}[C-X][A-Z]{2})_", name)
    return found[1] if found else ""


def _version(properties: Mapping[str, Any]) -> str:
    for key in ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline"):
        if properties.get(key):
            return str(properties[key])
    return ""


def _generous(ground: BaseGeometry) -> BaseGeometry:
    """Never less than the scene shows."""
    wide = shapely.make_valid(ground).buffer(SLACK_DEG)
    return shapely.intersection(wide, box(-180, -90, 180, 90))
