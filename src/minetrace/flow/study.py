"""The study: the one description of what is asked, frozen and closed.

A study is read from YAML, from flags, or made in Python; it is written back as resolved into the
run folder, so that a run says what it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from minetrace.composites.best_pixel import Preferences
from minetrace.core.period import Period, ordered
from minetrace.errors import PeriodError, StudyError
from minetrace.flow.settings import as_yaml, complaint, read_settings
from minetrace.flow.study_chips import ChipStudy, LabelStudy
from minetrace.flow.study_engine import EngineStudy
from minetrace.flow.study_sources import SOURCES, AnySource, Closed, FilePath
from minetrace.flow.study_time import DecodeStudy, RulesStudy

_SPAN = re.compile(r"\s*(\d{4})\s*(?:\.\.|-|–|:)\s*(\d{4})\s*")


class RegionStudy(Closed):
    """Where: one of a file of polygons, a folder of such files, or a box."""

    file: FilePath | None = Field(None, description="polygons: GeoJSON, GeoPackage, Shapefile …")
    folder: FilePath | None = Field(None, description="a folder of such files, together")
    bbox: tuple[float, float, float, float] | None = Field(
        None, description="[west, south, east, north] in degrees"
    )

    @model_validator(mode="after")
    def _one(self) -> RegionStudy:
        if sum(v is not None for v in (self.file, self.folder, self.bbox)) != 1:
            raise ValueError("give exactly one of file, folder or bbox")
        return self


class PeriodStudy(Closed):
    """Any window of days; ``end`` is the first day after it."""

    label: str = Field(description="a-z, 0-9 and -, because it becomes a file name")
    start: date = Field(description="the first day")
    end: date = Field(description="the first day after it")

    def period(self) -> Period:
        """The noun that the rooms take."""
        return Period(self.start, self.end, self.label)


class GridStudy(Closed):
    """The lattice of pixels."""

    crs: str | None = Field(None, description="a projected CRS; default: each place's UTM zone")
    resolution_m: float | None = Field(None, gt=0, description="default: the imagery's own")
    anchor: Literal["edge", "center"] = Field(
        "edge", description="what lies on multiples of the resolution; center for Landsat"
    )
    tile: int = Field(2048, ge=64, le=16384, description="side of a stored tile, pixels")


class BestPixelStudy(Closed):
    """What makes a look best, for best-pixel: three scores from 0 to 1, weighed and added up."""

    day: float | None = Field(
        None, description="days after the period's start that are best; default: its middle"
    )
    day_spread: float = Field(60.0, gt=0, description="days away at which the score is 0.61")
    day_weight: float = Field(1.0, ge=0, description="of the day")
    cloud_weight: float = Field(1.0, ge=0, description="of the distance to what is not clear")
    haze_weight: float = Field(1.0, ge=0, description="of little haze, by blue and red")


class CompositeStudy(Closed):
    """How many looks become one picture."""

    method: Literal[
        "median", "clearest", "medoid", "percentile", "geometric-median", "mean", "best-pixel"
    ] = Field("median", description="see 'The composite of a period' in the method")
    min_looks: int = Field(1, ge=1, description="clear looks that a pixel needs to be valid")
    percent: float = Field(50.0, ge=0, le=100, description="for percentile: which")
    best: BestPixelStudy = BestPixelStudy()

    def preferences(self, period: Period) -> Preferences:
        """What best-pixel goes by in a period."""
        said = self.best.model_dump()
        if self.best.day is None:
            said["day"] = (period.end - period.start).days / 2
        return Preferences(**said)

    def settings(self) -> dict[str, Any]:
        """What composites depend on: what is always said, and what is not as it would be."""
        always = {"method": self.method, "min_looks": self.min_looks}
        return always | self.model_dump(exclude_defaults=True)


class ModelStudy(Closed):
    """What finds mines: a name (``spectral`` needs no file), or a folder or zip."""

    name: str | None = Field(None, description="see 'minetrace models list'")
    path: FilePath | None = Field(None, description="of a model folder or zip")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "cpu", description="what a network runs on: the reference, or a GPU (auto: if there is "
        "one), whose scores are held against the reference's"
    )  # fmt: skip
    tta: bool = Field(False, description="average over flips and quarter turns")
    statistics: tuple[Literal["min", "median", "std", "count"], ...] = Field(
        (), description="further bands over the windows of a patch model"
    )

    @model_validator(mode="after")
    def _one(self) -> ModelStudy:
        if (self.name is None) == (self.path is None):
            raise ValueError(
                "give a name (spectral, artisanal-gold-rgb) or a path to a model folder or zip"
            )
        return self


class DelineateStudy(Closed):
    """What outlines the mined ground inside detections."""

    method: Literal["spectral", "sam2"] = Field("spectral", description="rules, or SAM 2")
    model: FilePath | None = Field(None, description="of sam2: its folder, of transformers")
    prompts: Literal["box", "point", "both"] = Field(
        "both", description="of sam2: what it is told of each site, from the detection alone"
    )
    white: float = Field(0.3, gt=0, description="of sam2: reflectance that it is shown white")

    @model_validator(mode="after")
    def _whole(self) -> DelineateStudy:
        if (self.method == "sam2") != (self.model is not None):
            raise ValueError("method: sam2 goes with model: the folder of a SAM 2")
        return self


def _as_delineation(value: Any) -> Any:
    """True is short for the defaults, false for none."""
    return ({} if value else None) if isinstance(value, bool) else value


class VectorStudy(Closed):
    """How scores become outlines."""

    threshold: float | None = Field(None, gt=0, lt=1, description="default: the model's own")
    high: float | None = Field(
        None, gt=0, lt=1, description="hysteresis: keep what reaches this somewhere"
    )
    sieve_px: int = Field(6, ge=0, description="drop specks and fill pinholes below this")
    fill_holes_ha: float = Field(0.0, ge=0, description="fill holes smaller than this")
    min_ha: float = Field(0.3, ge=0, description="drop smaller outlines")
    simplify_m: float = Field(
        0.0, ge=0, description="how far a simplified edge may lie from the pixels'"
    )


class PanelStudy(Closed):
    """How outlines become sites."""

    min_looked_share: float = Field(0.5, ge=0, le=1, description="below it a site is not looked at")
    growth: float = Field(0.1, ge=0, description="change of area that counts as growing")


class PublishStudy(Closed):
    """What is handed on."""

    title: str | None = Field(None, description="of the map and the data card; default: the name")
    picture_px: int = Field(1600, ge=64, le=8192, description="longest side of a map picture")
    fill_blind: Literal["neighbours"] | None = Field(
        None, description="in pictures alone, show ground that was not looked at as the period "
        "before or after saw it, grey and hatched; default: leave it empty"
    )  # fmt: skip


def _as_periods(value: Any) -> Any:
    """Write out ``2019..2024`` and bare years; leave what is spelled out."""
    listed = value if isinstance(value, list | tuple) else [value]
    spelled: list[Any] = []
    for entry in listed:
        if isinstance(entry, str) and (span := _SPAN.fullmatch(entry)):
            first, last = int(span[1]), int(span[2])
            if last < first:
                raise ValueError(f"{entry}: the years run backwards")
            spelled += [_spell(Period.year(year)) for year in range(first, last + 1)]
        elif isinstance(entry, int | str):
            try:
                spelled.append(_spell(Period.parse(entry)))
            except PeriodError as error:
                raise ValueError(str(error)) from error
        else:
            spelled.append(entry)
    return spelled


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


def _spell(period: Period) -> dict[str, Any]:
    return {"label": period.label, "start": period.start, "end": period.end}


class Study(Closed):
    """What is asked: where, when, from which pixels, with which model."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="safe as a folder name")
    region: RegionStudy
    periods: Annotated[tuple[PeriodStudy, ...], BeforeValidator(_as_periods)] = Field(
        description="years (2019..2024), quarters (2019-q3), or {label, start, end}"
    )
    grid: GridStudy = GridStudy()
    sources: Annotated[tuple[AnySource, ...], BeforeValidator(_as_list)] = Field(min_length=1)
    composite: CompositeStudy = CompositeStudy()
    model: ModelStudy = ModelStudy(name="spectral")
    delineate: Annotated[DelineateStudy | None, BeforeValidator(_as_delineation)] = Field(
        None, description="inside a patch model's detections, outline the mined ground itself: "
        "true for the spectral rules, or as below"
    )  # fmt: skip
    decode: DecodeStudy | None = Field(
        None, description="make scores consistent through time: {} for the defaults below"
    )
    vectors: VectorStudy = VectorStudy()
    rules: RulesStudy | None = Field(None, description="which outlines become sites; default: all")
    panel: PanelStudy = PanelStudy()
    publish: PublishStudy = PublishStudy()
    engine: EngineStudy = EngineStudy()
    labels: Annotated[tuple[LabelStudy, ...], BeforeValidator(_as_list)] = Field(
        (), description="reference polygons and points, for 'minetrace chips'"
    )
    chips: ChipStudy | None = Field(None, description="the chips that 'minetrace chips' makes")

    @property
    def timeline(self) -> tuple[Period, ...]:
        """The periods in time order."""
        return ordered(period.period() for period in self.periods)

    @classmethod
    def of(
        cls, settings: Mapping[str, Any], *, origin: str = "study", base: Path | None = None
    ) -> Study:
        """Check settings and make a study of them.

        Args:
            settings: what a study file holds.
            origin: what to call them in an error.
            base: the folder that relative paths start from.

        Raises:
            StudyError: a key is unknown, missing, or of the wrong kind.
        """
        try:
            study = cls.model_validate(dict(settings), context={"base": base})
            _ = study.timeline
        except ValidationError as error:
            raise StudyError(f"{origin}: {complaint(error, cls, {'sources': SOURCES})}") from error
        except PeriodError as error:
            raise StudyError(f"{origin}: {error}") from error
        return study

    @classmethod
    def read(cls, path: Path | str) -> Study:
        """Read a study file.

        Raises:
            MissingFileError: it is not there.
            StudyError: it is not a study.
        """
        path = Path(path)
        settings = read_settings(path, remedy=f"'minetrace init {path}' makes one")
        return cls.of(settings, origin=str(path), base=path.resolve().parent)

    @classmethod
    def from_flags(
        cls, path: Path | None, flags: Mapping[str, Any], *, name: str | None = None
    ) -> Study:
        """A study from flags alone, or from a file with flags over it.

        Raises:
            StudyError: the flags do not make a study.
        """
        flags = dict(flags)
        device = {"device": flags.pop("device")} if "device" in flags else {}
        if path is not None:
            study = cls.read(path)
            settings = study.model_dump(mode="json")
            given = flags["sources"][0] if "sources" in flags else {}
            if "path" in given and "path" in settings["sources"][0]:
                # the folder changes, how it is read does not
                settings["sources"][0]["path"] = given["path"]
                flags = {key: value for key, value in flags.items() if key != "sources"}
            if "engine" in flags:
                flags = {**flags, "engine": {**settings["engine"], **flags["engine"]}}
            if device:
                flags = {**flags, "model": {**flags.get("model", settings["model"]), **device}}
            return cls.of({**settings, **flags}, origin=str(path))
        needed = {"region": "--region", "periods": "--years", "sources": "--source"}
        missing = [flag for key, flag in needed.items() if key not in flags]
        if missing:
            raise StudyError(
                f"no study file, and no {', '.join(missing)}; "
                "give a study (minetrace init study.yaml), or all of --region --years --source"
            )
        if device:
            flags["model"] = {**flags.get("model", {"name": "spectral"}), **device}
        return cls.of({"name": name or "run", **flags}, origin="flags")

    def dump(self) -> str:
        """The study as YAML, as resolved."""
        return as_yaml(self)
