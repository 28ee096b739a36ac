"""Pieces that several sections of a study are made of: paths, bands, dates, masks, patience."""

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
    Field,
    ValidationInfo,
    model_validator,
)

from minetrace.sources.masks import MaskOptions
from minetrace.sources.trust import refuse_secret_in_path


def resolved(value: Any, info: ValidationInfo) -> Any:
    """Fill in environment variables and take relative paths from the study's folder."""
    if not isinstance(value, str | Path):
        return value
    for name in re.findall(r"\$(\w+|\{[^}]*\})", str(value)):
        refuse_secret_in_path(name.strip("{}"))
    text = os.path.expandvars(os.path.expanduser(str(value)))
    if unset := re.search(r"\$\{?(\w+)", text):
        raise ValueError(f"the environment variable {unset[1]} is not set: export it first")
    base = (info.context or {}).get("base") if info.context else None
    return Path(os.path.normpath(Path(base or Path.cwd()) / text))


def _resolve_all(value: Any, info: ValidationInfo) -> Any:
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(resolved(entry, info) for entry in listed)


FilePath = Annotated[Path, BeforeValidator(resolved)]
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

    kind: Literal[
        "none", "scl", "qa_pixel", "fmask", "classi", "band", "alpha", "s2cloudless", "ukis-csmask"
    ] = Field(
        "none",
        description="scene classes, quality bits, a product's own, any band, an alpha band, or a "
        "detector that looks at the pixels (extra clouds)",
    )
    band: str | int | None = Field(None, description="name or position of the mask band")
    keep: tuple[int, ...] | None = Field(None, description="values (scl, band) that are clear")
    drop: tuple[int, ...] | None = Field(
        None, description="values, or bits of qa_pixel and fmask, that are not"
    )
    dilate_m: float = Field(0.0, ge=0, description="grow what is masked by so many metres")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="of s2cloudless: from which probability on it is cloud"
    )
    level: Literal["toa", "boa"] | None = Field(
        None, description="for a detector, of files that do not say it"
    )

    @model_validator(mode="after")
    def _only_where_it_counts(self) -> MaskStudy:
        if self.threshold is not None and self.kind != "s2cloudless":
            raise ValueError(
                f"threshold: {self.kind} has none, it says cloud or not; leave it out, or take "
                "kind s2cloudless"
            )
        return self

    @property
    def detects(self) -> bool:
        """True if clouds are found in the pixels themselves."""
        return self.kind in ("s2cloudless", "ukis-csmask")

    def options(self) -> MaskOptions:
        """The mask that comes with the imagery; none where a detector takes its place."""
        if self.detects:
            return MaskOptions("none")
        return MaskOptions(**self.model_dump(exclude={"threshold", "level"}))


def spell_bands(value: Any) -> Any:
    """``{red: B04}`` and ``{red: 3}`` are short for a name and a position."""
    if not isinstance(value, Mapping):
        return value
    kinds = {str: "name", int: "index"}
    return {
        band: {kinds[type(spec)]: spec} if type(spec) in kinds else spec
        for band, spec in value.items()
    }


Bands = Annotated[Mapping[str, BandStudy], BeforeValidator(spell_bands)]
"""Bands by common name."""


class RequestStudy(Closed):
    """How patient and how modest we are with servers."""

    per_host: int = Field(8, ge=1, le=64, description="requests at one host at a time")
    attempts: int = Field(6, ge=1, le=20, description="before a read has failed")
    backoff_s: float = Field(0.5, ge=0, description="first wait; each further one up to twice it")
    longest_wait_s: float = Field(60.0, ge=0, description="between two attempts")
    connect_s: float = Field(10.0, gt=0, description="until a server has answered the call")
    read_s: float = Field(30.0, gt=0, description="how long a server may be silent")


Licence = Annotated[str, Field(description="said in the data card")]
Attribution = Annotated[str, Field(description="said in the data card and on the map")]
Harmonise = Annotated[
    Literal["by-name", "sentinel-2a", "sentinel-2b", "landsat-4-7", "landsat-8-9"] | None,
    Field(description="adjust bands to Landsat 8's: the sensor, or that which scenes are named by"),
]
"""What several kinds of source say alike."""
