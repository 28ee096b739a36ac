"""What a study says of its sources: files on disk, catalogs on the network, providers by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from minetrace.flow.study_parts import (
    Attribution,
    Bands,
    BandStudy,
    Closed,
    DateStudy,
    FilePath,
    FilePaths,
    Harmonise,
    Licence,
    MaskStudy,
    RequestStudy,
    resolved,
)
from minetrace.flow.study_providers import (
    Address,
    EarthEngineStudy,
    FetchedStudy,
    PlanetStudy,
    QuadStudy,
    without_secret,
)

__all__ = [
    "SOURCES", "AccessStudy", "AnySource", "BandStudy", "Closed", "DateStudy", "FilePath",
    "FilePaths", "MaskStudy", "RequestStudy", "SourceStudy", "StacStudy", "source_named",
]  # fmt: skip


class SourceStudy(Closed):
    """Where pixels come from."""

    kind: Literal["files"] = Field("files", description="files on a disk")
    path: FilePaths = Field(
        description="a folder of GeoTIFFs, .SAFE or Landsat products, a file, a pattern, or a list"
    )
    bands: Bands | None = Field(
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
    harmonise: Harmonise = None
    licence: Licence = ""
    attribution: Attribution = ""


def _catalog_url(value: Any, info: ValidationInfo) -> Any:
    """An address stays as it is; a path is one of a catalog on disk."""
    if not isinstance(value, str) or "://" in value:
        return without_secret(value) if isinstance(value, str) else value
    return str(resolved(value, info))


class AccessStudy(Closed):
    """How a catalog's files are opened; secrets are named here, never given."""

    kind: Literal["open", "sas", "s3", "bearer"] = Field(
        "open", description="freely, by signed addresses, by S3 keys, or by a token"
    )
    url: Address = Field("", description="of the token service (sas) or the endpoint (s3)")
    hosts: tuple[str, ...] = Field(
        (), description="endings of its hosts; default: all, for a token the catalog's own"
    )
    key_env: str = Field("", description="environment variable of the S3 key")
    secret_env: str = Field("", description="and of its secret")
    token_env: str = Field("", description="environment variable of the token")
    region: str = Field("us-east-1", description="of the bucket")
    requester_pays: bool = Field(False, description="who reads pays for the traffic")


class StacStudy(Closed):
    """A STAC catalog: one that is known by name (profile), or any other (url)."""

    kind: Literal["stac"] = Field(description="scenes of a catalog")
    profile: str | None = Field(None, description="see 'minetrace sources'")
    url: Annotated[str | None, BeforeValidator(_catalog_url)] = Field(
        None, description="of an API, a static catalog, a collection or an item; or a path"
    )
    collection: str | None = Field(None, description="default: the profile's first")
    bands: Bands | None = Field(
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
    harmonise: Harmonise = None
    licence: Licence = ""
    attribution: Attribution = ""

    @model_validator(mode="after")
    def _somewhere(self) -> StacStudy:
        if self.profile is None and self.url is None:
            raise ValueError("give a profile ('minetrace sources' lists them) or a url")
        return self


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", "files")
    return kind if kind in SOURCES else "files"


SOURCES: dict[str, type[BaseModel]] = {
    "files": SourceStudy, "stac": StacStudy, "planet": PlanetStudy, "quads": QuadStudy,
    "earthengine": EarthEngineStudy,
    "fetched": FetchedStudy,
}  # fmt: skip
AnySource = Annotated[
    Annotated[SourceStudy, Tag("files")]
    | Annotated[StacStudy, Tag("stac")]
    | Annotated[PlanetStudy, Tag("planet")]
    | Annotated[QuadStudy, Tag("quads")]
    | Annotated[EarthEngineStudy, Tag("earthengine")]
    | Annotated[FetchedStudy, Tag("fetched")],
    Discriminator(_kind),
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
