"""What a study says of labels, of the chips to make around them, and of sets of chips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from minetrace.chips.options import Layout, SetOptions
from minetrace.chips.splits import SplitRule
from minetrace.core.model import Level
from minetrace.errors import StudyError
from minetrace.flow.settings import complaint, read_settings
from minetrace.flow.study_sources import Closed, FilePath, FilePaths
from minetrace.labels.read import LabelFile


class LabelStudy(Closed):
    """Reference polygons or points."""

    path: FilePath = Field(description="any vector file, or a CSV of points with lon and lat")
    layer: str | None = Field(None, description="of a file with several; default: the first")
    source: str = Field("", description="who drew it; default: column source, or the file's name")
    licence: str = Field("", description="of the labels")
    vintage: str = Field("", description="date of the imagery it was drawn on, or a column")
    category: int | str = Field(
        1, description="a class index for all rows, or a column that names each row's class"
    )
    when: str | int = Field(
        "", description="the period it holds for (2019, 2019-q3), a column of periods, or always; "
        "needed if the study has several periods, unless start and end are columns"
    )  # fmt: skip
    start: str = Field("", description="column of the first day it holds for")
    end: str = Field("", description="column of the first day after")
    region: str = Field("", description="column of the country; default: the usual names")
    id: str = Field("", description="column of a unique name; default: the row's number")

    def file(self, classes: tuple[str, ...]) -> LabelFile:
        """What the room of labels takes."""
        named = isinstance(self.category, str)
        return LabelFile(
            path=self.path, layer=self.layer, source=self.source, licence=self.licence,
            vintage=self.vintage, klass=1 if named else int(self.category),
            class_column=str(self.category) if named else "", classes=classes,
            when="" if self.when == "always" else str(self.when), start_column=self.start,
            end_column=self.end, region_column=self.region, id_column=self.id,
        )  # fmt: skip


class SelectStudy(Closed):
    """Which labels to use."""

    regions: tuple[str, ...] = Field((), description="countries or territories, as labels say it")
    boundary: FilePath | None = Field(None, description="polygons that labels must touch")
    latitudes: tuple[float, float] | None = Field(None, description="[south, north], degrees")
    exclude: tuple[str, ...] = Field((), description="names of labels to leave out")
    avoid: FilePath | None = Field(None, description="polygons that labels must not touch")


class SplitStudy(Closed):
    """How a set is divided."""

    kind: Literal["random", "stratified", "source", "blocks", "regions", "lists"] = Field(
        "blocks", description="by place, by class and region, by source, by squares on the ground, "
        "by regions held out, or as lists say"
    )  # fmt: skip
    shares: Mapping[str, float] = Field(
        {"train": 0.7, "val": 0.15, "test": 0.15}, description="of train, val and test"
    )
    seed: int = Field(0, description="another number is another choice")
    block_km: float = Field(20.0, gt=0, description="side of a square")
    buffer_km: float = Field(
        0.0, ge=0, description="chips of train nearer to a tested one than this are left out"
    )
    regions: Mapping[str, tuple[str, ...]] = Field({}, description="such as {test: [GHA, CIV]}")
    lists: FilePaths = Field((), description="CSV files with columns name and split")

    @model_validator(mode="after")
    def _whole(self) -> SplitStudy:
        unknown = (set(self.shares) | set(self.regions)) - {"train", "val", "test"}
        if unknown:
            raise ValueError(f"{min(unknown)!r} is no split; they are train, val and test")
        if (self.kind == "lists") != bool(self.lists):
            raise ValueError("lists go with kind: lists")
        if (self.kind == "regions") != bool(self.regions):
            raise ValueError("regions go with kind: regions, such as {test: [GHA]}")
        return self

    def rule(self) -> SplitRule:
        """What the room of chips takes."""
        if self.kind == "lists":
            raise StudyError("split: lists say the splits of a set that is there, not of new chips")
        return SplitRule(self.kind, self.shares, self.seed, self.block_km, self.buffer_km,
                         self.regions)  # fmt: skip


class ChipStudy(Closed):
    """The chips to make."""

    size: int = Field(128, ge=16, le=2048, description="side of a chip, pixels")
    bands: tuple[str, ...] = Field((), description="common names; default: all that sources share")
    classes: tuple[str, ...] = Field(
        ("other", "mine"), min_length=2, description="by index; the first is none of the others"
    )
    outside: Literal["other", "ignore"] = Field(
        "other", description="ground of the region without a label, in a period with labels: no "
        "mine, or nobody looked"
    )  # fmt: skip
    touch: Literal["centre", "all"] = Field(
        "centre", description="a pixel is in a polygon if its centre is, or if any of it is"
    )
    ring_m: float = Field(0.0, ge=0, description="along outlines, so far nobody knows")
    point_m: float = Field(
        500.0, ge=0, description="around a point of a class, ground whose class nobody knows"
    )
    background: float = Field(1.0, ge=0, description="chips without labels, per chip with labels")
    apart: int = Field(1, ge=0, description="whole chips between background and labels")
    hard: FilePath | None = Field(None, description="a run whose false alarms become chips")
    hard_share: float = Field(0.5, ge=0, description="of them, per chip with labels")
    min_valid_share: float = Field(0.5, ge=0, le=1, description="chips seen less are left out")
    png: bool = Field(False, description="also 8-bit pictures, reflectance 0 to 0.3, beside masks")
    seed: int = Field(0, description="another number is another choice of background")
    select: SelectStudy = SelectStudy()
    split: SplitStudy | None = Field(None, description="default: none is made yet")

    @model_validator(mode="after")
    def _told(self) -> ChipStudy:
        if self.hard and self.outside == "ignore":
            raise ValueError("a false alarm is one where somebody looked: hard goes with "
                             "outside: other")  # fmt: skip
        return self


def _mapping_of(value: Any) -> Any:
    """One number for all bands is short for a mapping; the bands are known later."""
    return {"*": value} if isinstance(value, int | float) else value


class SetStudy(Closed):
    """A set of chips that is there, and how to divide it."""

    path: FilePath = Field(description="a folder, a .npz file, a Zarr group, or a list alone")
    layout: Layout = Field("auto", description="of its files; default: looked for")
    bands: tuple[str, ...] = Field((), description="common names, in the files' order")
    scale: Annotated[Mapping[str, float], BeforeValidator(_mapping_of)] = Field(
        {}, description="value = number * scale + offset; one number, or one per band"
    )
    offset: Annotated[Mapping[str, float], BeforeValidator(_mapping_of)] = Field(
        {}, description="likewise"
    )
    nodata: tuple[float, ...] = Field((), description="numbers that mean nothing was seen")
    classes: tuple[str, ...] = Field(("other", "mine"), min_length=2, description="by index")
    values: Mapping[int, int] = Field({}, description="class of a mask's number: {255: 1}")
    exclude: tuple[str, ...] = Field((), description="names of chips to leave out")
    resolution_m: float | None = Field(None, gt=0, description="side of a pixel")
    level: Level = Field("any", description="toa or boa")
    source: str = Field("", description="who labelled it")
    licence: str = Field("", description="of the set")
    split: SplitStudy | None = Field(None, description="default: the set's own")
    allow_leakage: str = Field(
        "", description="why a split that leaks is meant, in a sentence; true will not do"
    )

    @classmethod
    def read(cls, path: Path) -> SetStudy:
        """A set by its path, or by a file of settings that says of it what its files do not.

        Raises:
            MissingFileError: nothing is there.
            StudyError: the settings cannot be used.
        """
        if path.suffix not in (".yaml", ".yml"):
            return cls(path=path)
        said = read_settings(path, remedy="docs/reference/study.md says what data may hold")
        try:
            return cls.model_validate(dict(said), context={"base": path.resolve().parent})
        except ValidationError as error:
            raise StudyError(f"{path}: {complaint(error, cls)}") from error

    def options(self) -> SetOptions:
        """What the room of chips takes."""

        def spread(given: Mapping[str, float]) -> dict[str, float]:
            everywhere = dict.fromkeys(self.bands, given["*"]) if "*" in given else {}
            return everywhere | {k: v for k, v in given.items() if k != "*"}

        return SetOptions(
            layout=self.layout, bands=self.bands, scale=spread(self.scale),
            offset=spread(self.offset), nodata=self.nodata, classes=self.classes,
            values=self.values, exclude=self.exclude, resolution_m=self.resolution_m,
            level=self.level, source=self.source, licence=self.licence,
        )  # fmt: skip

    @property
    def lists(self) -> tuple[Path, ...]:
        """Lists of splits."""
        return self.split.lists if self.split else ()
