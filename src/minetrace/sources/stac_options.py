"""What a user says about a catalog, and what is looked for in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from minetrace.sources.bands import BandSpec
from minetrace.sources.masks import MaskOptions
from minetrace.sources.stac_signing import OPEN, Access
from minetrace.store.http import PATIENT, HttpOptions


@dataclass(frozen=True)
class StacOptions:
    """A catalog, and what a user says about it.

    Attributes:
        url: of a STAC API, a static catalog, a collection or an item; or a path of one.
        collection: the one to read; only static catalogs may do without.
        host: the name of the catalog's profile, or its host: tells the radiometry gate who it is.
        alternate: which of an asset's addresses to take, where it has several.
        bands: by common name, with the asset's key as name; empty for all that are known.
        scale, offset: for all bands without their own; default: what the radiometry gate says.
        nodata: the count that means that nothing was seen; default: what the item or file says.
        mask: which pixels are clear; None for the item's own classes, grown by one of its pixels.
        exclude: ids of items that are not used; ``*`` and ``?`` stand for anything.
        max_cloud: scenes with a larger share of cloud over the region are left out, 0 to 1.
        max_scene_cloud: the same by what the catalog says of the whole scene, 0 to 1.
    """

    url: str
    collection: str | None = None
    host: str = ""
    alternate: str = ""
    bands: Mapping[str, BandSpec] = field(default_factory=dict)
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    mask: MaskOptions | None = None
    exclude: tuple[str, ...] = ()
    max_cloud: float | None = None
    max_scene_cloud: float | None = None
    access: Access = OPEN
    http: HttpOptions = PATIENT


@dataclass(frozen=True)
class Quest:
    """What is looked for in a catalog, and where what is found is kept.

    Attributes:
        region: EPSG:4326; cloud cover is judged over it.
        ground: EPSG:4326, the region and what may be looked at around it.
        spans: half-open spans of days.
        items: folder of item tables.
        cache: folder of fetched bytes, shared by the processes of a run.
        refresh: search again, whatever was found before.
    """

    region: BaseGeometry
    ground: BaseGeometry
    spans: tuple[tuple[date, date], ...]
    items: Path
    cache: Path
    refresh: bool = False
