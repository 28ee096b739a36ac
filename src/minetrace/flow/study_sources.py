"""What a study says of its sources: files on disk, or catalogs on the network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from minetrace.store.http import holds_secret, redacted


def _resolve(value: Any, info: ValidationInfo) -> Any:
    """Fill in environment variables and take relative paths from the study's folder."""
    if not isinstance(value, str | Path):
        return value
    text = os.path.expandvars(os.path.expanduser(str(value)))
    if unset := re.search(r"\$\{?(\w+)", text):
        raise ValueError(f"the environment variable {unset[1]} is not set: export it first")
    base = (info.context or {}).get("base") if info.context else None
    return Path(os.path.normpath(Path(base or Path.cwd()) / text))


def _resolve_all(value: Any, info: ValidationInfo) -> Any:
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(_resolve(entry, info) for entry in listed)


FilePath = Annotated[Path, BeforeValidator(_resolve)]
FilePaths = Annotated[tuple[Path, ...], BeforeValidator(_resolve_all)]


class Closed(BaseModel):
    """Frozen, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BandStudy(Closed):
    """One band of the files, and how its numbers become reflectance: number * scale + offset."""

    name: str | None = Field(None, description="the band's description in the files")
    index: int | None = Field(None, ge=1, description="or its position, from 1")
    scale: float | None = Field(None, description="default: the source's, or the file's tags")
    offset: float | None = Field(None, description="likewise")


class DateStudy(Closed):
    """Where a file's date is found; default: an unmistakable date in its name or tags."""

    pattern: str | None = Field(None, description="such as %Y%m%d in the name, or a regex")
    tag: str | None = Field(None, description="a metadata tag that holds it")
    csv: FilePath | None = Field(None, description="a table with columns file and date")
    day: date | None = Field(None, description="the day of every file, such as a yearly mosaic's")


class MaskStudy(Closed):
    """Which pixels are clear."""

    kind: Literal["none", "scl", "qa_pixel", "classi", "band", "alpha"] = Field(
        "none", description="scene classes, quality bits, a product's own, any band, an alpha band"
    )
    band: str | int | None = Field(None, description="name or position of the mask band")
    keep: tuple[int, ...] | None = Field(None, description="values (scl, band) that are clear")
    drop: tuple[int, ...] | None = Field(None, description="values, or qa_pixel bits, that are not")
    dilate_m: float = Field(0.0, ge=0, description="grow what is masked by so many metres")


def _spell_bands(value: Any) -> Any:
    """``{red: B04}`` and ``{red: 3}`` are short for a name and a position."""
    if not isinstance(value, Mapping):
        return value
    kinds = {str: "name", int: "index"}
    return {
        band: {kinds[type(spec)]: spec} if type(spec) in kinds else spec
        for band, spec in value.items()
    }


class SourceStudy(Closed):
    """Where pixels come from."""

    kind: Literal["files"] = Field("files", description="files on a disk")
    path: FilePaths = Field(
        description="a folder of GeoTIFFs, .SAFE or Landsat products, a file, a pattern, or a list"
    )
    bands: Annotated[Mapping[str, BandStudy], BeforeValidator(_spell_bands)] | None = Field(
        None, description="common name: {name | index, scale, offset}; default: descriptions"
    )
    scale: float | None = Field(None, description="for all bands without one of their own")
    offset: float | None = Field(None, description="added to number * scale")
    date: DateStudy | None = None
    mask: MaskStudy | None = Field(
        None, description="default: a band described SCL or QA_PIXEL, grown by a pixel of its own"
    )
    nodata: float | None = Field(
        None, description="the number that means nothing was seen; default: by the metadata"
    )
    licence: str = Field("", description="said in the data card")
    attribution: str = Field("", description="said in the data card and on the map")


def _catalog_url(value: Any, info: ValidationInfo) -> Any:
    """An address stays as it is; a path is one of a catalog on disk."""
    if not isinstance(value, str) or "://" in value:
        if isinstance(value, str) and holds_secret(value):
            raise ValueError(
                f"{redacted(value)}: a study is written down, so its addresses hold no password, "
                "key or token; name the environment variable that has it in access"
            )
        return value
    return str(_resolve(value, info))


class AccessStudy(Closed):
    """How a catalog's files are opened; secrets are named here, never given."""

    kind: Literal["open", "sas", "s3", "bearer"] = Field(
        "open", description="freely, by signed addresses, by S3 keys, or by a token"
    )
    url: str = Field("", description="of the token service (sas) or the endpoint (s3)")
    hosts: tuple[str, ...] = Field(
        (), description="endings of its hosts; default: all, for a token the catalog's own"
    )
    key_env: str = Field("", description="environment variable of the S3 key")
    secret_env: str = Field("", description="and of its secret")
    token_env: str = Field("", description="environment variable of the token")
    region: str = Field("us-east-1", description="of the bucket")
    requester_pays: bool = Field(False, description="who reads pays for the traffic")


class RequestStudy(Closed):
    """How patient and how modest we are with servers."""

    per_host: int = Field(8, ge=1, le=64, description="requests at one host at a time")
    attempts: int = Field(6, ge=1, le=20, description="before a read has failed")
    backoff_s: float = Field(0.5, ge=0, description="first wait; each further one up to twice it")
    longest_wait_s: float = Field(60.0, ge=0, description="between two attempts")
    connect_s: float = Field(10.0, gt=0, description="until a server has answered the call")
    read_s: float = Field(30.0, gt=0, description="how long a server may be silent")


class StacStudy(Closed):
    """A STAC catalog: one that is known by name (profile), or any other (url)."""

    kind: Literal["stac"] = Field(description="scenes of a catalog")
    profile: str | None = Field(None, description="see 'minetrace sources'")
    url: Annotated[str | None, BeforeValidator(_catalog_url)] = Field(
        None, description="of an API, a static catalog, a collection or an item; or a path"
    )
    collection: str | None = Field(None, description="default: the profile's first")
    bands: Annotated[Mapping[str, BandStudy], BeforeValidator(_spell_bands)] | None = Field(
        None, description="common name: {scale, offset}; default: all that are known"
    )
    scale: float | None = Field(None, description="default: by the catalog's metadata")
    offset: float | None = Field(None, description="added to number * scale")
    mask: MaskStudy | None = Field(None, description="default: the item's SCL or QA_PIXEL, grown")
    nodata: float | None = Field(
        None, description="the number that means nothing was seen; default: by the metadata"
    )
    exclude: tuple[str, ...] = Field(
        (), description="ids of scenes that are not used; * and ? stand for anything"
    )
    max_cloud: float | None = Field(None, ge=0, le=1, description="over the region, by its mask")
    max_scene_cloud: float | None = Field(None, ge=0, le=1, description="by the catalog's word")
    access: AccessStudy | None = Field(None, description="default: the profile's")
    requests: RequestStudy = RequestStudy()
    refresh: bool = Field(False, description="search again, whatever was found before")
    licence: str = Field("", description="said in the data card")
    attribution: str = Field("", description="said in the data card and on the map")

    @model_validator(mode="after")
    def _somewhere(self) -> StacStudy:
        if self.profile is None and self.url is None:
            raise ValueError("give a profile ('minetrace sources' lists them) or a url")
        return self


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", "files")
    return "stac" if kind == "stac" else "files"


SOURCES: dict[str, type[BaseModel]] = {"files": SourceStudy, "stac": StacStudy}
AnySource = Annotated[
    Annotated[SourceStudy, Tag("files")] | Annotated[StacStudy, Tag("stac")], Discriminator(_kind)
]


def source_named(text: str) -> dict[str, Any]:
    """What ``--source`` means: a path that exists, an address, or a catalog's name.

    A folder that is there wins over a catalog of the same name.
    """
    path = Path(text)
    if "://" in text:
        return {"kind": "stac", "url": text}
    if path.exists() or path.name != text or any(c in text for c in "*?[."):
        return {"kind": "files", "path": str(path.absolute())}
    return {"kind": "stac", "profile": text}
