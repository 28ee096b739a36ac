"""What a study says of providers that want an account, and of what was fetched before."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from minetrace.flow.study_parts import (
    Attribution,
    Bands,
    Closed,
    FilePath,
    Licence,
    RequestStudy,
)
from minetrace.store.http import holds_secret, redacted


def without_secret(address: str) -> str:
    """An address as it is.

    Raises:
        ValueError: it holds a secret; a study is written into the run folder.
    """
    if holds_secret(address):
        raise ValueError(
            f"{redacted(address)}: a study is written down, so its addresses hold no password, key "
            "or token; name the environment variable that has it, or take it out"
        )
    return address


Address = Annotated[str, AfterValidator(without_secret)]
"""An address without a secret in it."""


class PlanetStudy(Closed):
    """Planet basemaps, by an API key in the environment."""

    kind: Literal["planet"] = Field(description="quads of Planet basemaps")
    mosaics: str = Field(
        "planet_medres_normalized_analytic_*",
        description="names of mosaics; * and ? stand for anything",
    )
    choose: Literal["clearest", "all"] = Field(
        "clearest", description="per place and period the least hazy one, or all of them"
    )
    choices: FilePath | None = Field(
        None, description="a cloudfree_quads_info.csv that has chosen already"
    )
    bands: Bands | None = Field(None, description="common name: {index}; default: the product's")
    scale: float | None = Field(None, description="needed for visual mosaics; else the product's")
    offset: float | None = Field(None, description="added to number * scale")
    url: Address = Field("https://api.planet.com", description="of the service")
    key_env: str = Field("PL_API_KEY", description="environment variable of the API key")
    requests: RequestStudy = RequestStudy()
    refresh: bool = Field(False, description="choose again, whatever was chosen before")
    licence: Licence = ""
    attribution: Attribution = ""


class QuadStudy(Closed):
    """Basemap quads on a disk: a folder a year, a file a quad."""

    kind: Literal["quads"] = Field(description="quads on a disk, such as tiff_tiles/2019/*.tiff")
    path: FilePath = Field(description="the folder that holds a folder a year")
    bands: Bands | None = Field(
        None, description="common name: {index}; default: blue, green, red, nir"
    )
    scale: float | None = Field(None, description="default: 0.0001, if the files have 16 bits")
    offset: float | None = Field(None, description="added to number * scale")
    licence: Licence = ""
    attribution: Attribution = ""


class CeilingStudy(Closed):
    """What may be asked of Earth Engine in all, by a run and its repetitions."""

    requests: int | None = Field(50_000, ge=1, description="for lists and blocks of pixels")
    eecu_hours: float | None = Field(None, gt=0, description="of batch exports; default: no limit")


class ExportStudy(Closed):
    """Where 'minetrace fetch --batch' has Earth Engine put its exports."""

    bucket: str = Field(
        description="of Cloud Storage, in which who is signed in may write, list and delete"
    )
    prefix: str = Field("minetrace", pattern=r"^[\w./-]+$", description="folder in the bucket")
    at_once: int = Field(20, ge=1, le=3000, description="exports under way there at a time")
    tries: int = Field(3, ge=1, description="how often an export that fails is ordered in all")
    poll_s: float = Field(10.0, gt=0, description="first wait between two looks, then doubled")
    longest_poll_s: float = Field(300.0, gt=0, description="no wait is longer")
    url: Address = Field("https://storage.googleapis.com", description="of Cloud Storage")


class EarthEngineStudy(Closed):
    """Imagery that Earth Engine computes."""

    kind: Literal["earthengine"] = Field(description="computed by Earth Engine")
    product: str = Field(
        description="sentinel-2-l2a, sentinel-2-l1c, landsat-8-9, landsat-5-7, sentinel-1 or "
        "annual-embeddings"
    )
    bands: tuple[str, ...] = Field((), description="common names; default: all of the product's")
    clear: float = Field(
        0.6, ge=0, le=1, description="least Cloud Score+ of a clear pixel, 0 for no mask"
    )
    project: str | None = Field(
        None, description="of Google Cloud; default: EARTHENGINE_PROJECT in the environment"
    )
    ceiling: CeilingStudy = CeilingStudy()
    export: ExportStudy | None = Field(
        None, description="where batch exports go; needed for 'minetrace fetch --batch' alone"
    )
    url: Address = Field("https://earthengine.googleapis.com", description="of the service")
    requests: RequestStudy = RequestStudy()
    refresh: bool = Field(False, description="list the images again")
    licence: Licence = ""
    attribution: Attribution = ""


class FetchedStudy(Closed):
    """Imagery that 'minetrace fetch' brought before."""

    kind: Literal["fetched"] = Field(description="a store on a disk")
    path: FilePath = Field(description="the folder of the store")
    source: int = Field(0, ge=0, description="which of its sources, from 0")
    licence: Licence = ""
    attribution: Attribution = ""
