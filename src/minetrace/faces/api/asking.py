"""Questions to a run: figures of a polygon, the history of a site, tallies, and its model."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from shapely.errors import GEOSException
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from starlette.responses import Response

from minetrace.errors import UserError
from minetrace.faces.api.refusals import (
    BadQueryError,
    UnknownNameError,
    WrongMediaError,
)
from minetrace.faces.api.replies import Reply
from minetrace.faces.api.safety import needs
from minetrace.faces.api.state import refuse_unknown_words, state_of
from minetrace.faces.api.where import bbox_of
from minetrace.flow.published import Published
from minetrace.publish.words import INTERVAL

router = APIRouter(prefix="/api/runs", tags=["Runs"])
places = APIRouter(tags=["Runs"])

Run = Annotated[str, Path(description="Id of a run or panel.", examples=["demo"])]
_SQUARE: Any = {"type": "Polygon", "coordinates": [[[-70.38, -12.79], [-70.37, -12.79],
           [-70.37, -12.78], [-70.38, -12.78], [-70.38, -12.79]]]}  # fmt: skip


class Drawn(BaseModel):
    """A polygon in longitude and latitude, as GeoJSON."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [_SQUARE]})

    type: Literal["Polygon", "MultiPolygon", "Feature"]
    coordinates: list[Any] | None = Field(None, max_length=10_000)
    geometry: dict[str, Any] | None = None


class Area(BaseModel):
    """An area of a run's own pictures."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [
        {"period": "2021", "bbox": [-70.380, -12.790, -70.375, -12.785]}]})  # fmt: skip

    period: str = Field(max_length=80)
    bbox: list[float] = Field(min_length=4, max_length=4)


@places.get("/api/places", summary="Places to look at")
async def named_places(request: Request) -> Response:
    """Countries by name, with their bounds, for the search of the map."""
    from minetrace.flow.countries import bounds_by_name

    refuse_unknown_words(request, set())
    state = state_of(request)

    def make() -> Reply:
        return Reply.of_json({"places": [
            {"name": name, "bbox": list(bbox)} for name, bbox in bounds_by_name().items()
        ]})  # fmt: skip

    return await state.kept(request, make, state.readers)


@router.get("", summary="What is served")
async def runs(request: Request) -> Response:
    """Runs and panels, with their periods."""
    refuse_unknown_words(request, set())
    return Reply.of_json({"runs": [_described(run) for run in state_of(request).runs.values()]}).to(
        request
    )


@router.get("/{run}", summary="One run")
async def one(request: Request, run: Run) -> Response:
    """A run's periods, extent and what can be asked of it."""
    refuse_unknown_words(request, set())
    return Reply.of_json(_described(state_of(request).run(run))).to(request)


@router.post("/{run}/statistics", summary="Figures of a polygon")
async def polygon_statistics(request: Request, run: Run, drawn: Drawn) -> Response:
    """Hectares per period inside a polygon, cut exactly, with the share of it looked at."""
    from minetrace.flow.drawn import statistics

    refuse_unknown_words(request, set())
    state = state_of(request)
    published, ground = state.run(run), _ground(drawn)
    key = ("statistics", run, hashlib.sha256(ground.wkb).hexdigest())
    return await state.kept(
        request, lambda: Reply.of_json(statistics(published, ground)), state.painters, key
    )


@router.get("/{run}/sites/{site:path}", summary="History of a site")
async def history(
    request: Request, run: Run, site: Annotated[str, Path(examples=["s1"], max_length=200)]
) -> Response:
    """One entry for each period, in time order; what was not looked at says so."""
    refuse_unknown_words(request, set())
    state = state_of(request)
    published = state.run(run)

    def make() -> Reply:
        names = published.panel["site_id"].astype(str).to_numpy()
        first, last = np.searchsorted(names, site), np.searchsorted(names, site, side="right")
        if first == last:
            raise UnknownNameError(f"{run} has no site called {site[:80]!r}")
        told = published.cells.slice(first, last - first).to_pylist()
        west, south, east, north = published.boxes[first]
        return Reply.of_json({
            "site_id": site, "bbox": [float(v) for v in (west, south, east, north)],
            "interval": INTERVAL, "periods": told,
        })  # fmt: skip

    return await state.kept(request, make, state.readers)


@router.get("/{run}/tallies", summary="Hectares by territory")
async def tallies(request: Request, run: Run) -> Response:
    """The tally that lies beside the panel, or else one by country."""
    from minetrace.flow.published_tally import tally_of

    refuse_unknown_words(request, set())
    state = state_of(request)
    published = state.run(run)

    def make() -> Reply:
        rows = [{str(k): _plain(v) for k, v in row.items()} for row in tally_of(published)]
        return Reply.of_json({"run": run, "interval": INTERVAL, "rows": rows})

    return await state.kept(request, make, state.painters)


async def _refuse_pictures(request: Request) -> None:
    """Check that a body is JSON, before anybody tries to read a picture as such.

    Raises:
        WrongMediaError: it says that it is something else.
    """
    if "json" not in request.headers.get("content-type", "json"):
        raise WrongMediaError(
            "an area is asked about in JSON; a GeoTIFF goes to predict/picture, with "
            "Content-Type: image/tiff, and no other kind of picture is read"
        )


@router.post(
    "/{run}/predict", summary="Ask the model about an area",
    dependencies=[Depends(_refuse_pictures)],
)  # fmt: skip
async def predict(request: Request, run: Run, area: Area) -> Response:
    """Scores and outlines of a small area, from the run's own composite, lattice and model.

    Needs the role ``compute`` unless the service is on loopback.
    """
    from minetrace.flow.ask_model import about_area

    refuse_unknown_words(request, set())
    needs(request.scope, "compute")
    state = state_of(request)
    published, ground = state.run(run), bbox_of(area.bbox)

    def work() -> Reply:
        return Reply.of_json(about_area(published, area.period, ground).answer())

    return (await state.scorers.do(work)).to(request)


@router.post(
    "/{run}/predict/picture", summary="Ask the model about a GeoTIFF",
    openapi_extra={"requestBody": {"required": True, "content": {
        "image/tiff": {"schema": {"type": "string", "format": "binary"}}}}},
)  # fmt: skip
async def predict_picture(request: Request, run: Run) -> Response:
    """Scores and outlines of an uploaded GeoTIFF, its bands described by their common names.

    Needs the role ``compute`` unless the service is on loopback.
    """
    from minetrace.flow.ask_model import about_picture

    refuse_unknown_words(request, set())
    needs(request.scope, "compute")
    state = state_of(request)
    published = state.run(run)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "image/tiff":
        raise WrongMediaError("send a GeoTIFF with Content-Type: image/tiff; nothing else is read")
    content = await request.body()

    def work() -> Reply:
        with tempfile.TemporaryDirectory(prefix="minetrace-chip-") as folder:
            try:
                return Reply.of_json(about_picture(published, content, FilePath(folder)).answer())
            except UserError as error:  # its message may say where the picture lay
                raise type(error)(str(error).replace(f"{folder}/", "")) from error

    return (await state.scorers.do(work)).to(request)


def _ground(drawn: Drawn) -> BaseGeometry:
    from minetrace.flow.drawn import as_ground

    told = (
        (drawn.geometry or {})
        if drawn.type == "Feature"
        else drawn.model_dump(exclude={"geometry"})
    )
    try:
        found = shape(told)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, GEOSException) as error:
        raise BadQueryError("the body is no GeoJSON polygon in longitude and latitude") from error
    return as_ground(found)


def _plain(value: Any) -> Any:
    """A cell as JSON holds it: nothing for what is not known."""
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _described(run: Published) -> dict[str, Any]:
    views = run.views
    return {
        "id": run.id, "title": run.title, "extent": views.extent,
        "bbox": [float(v) for v in views.ground.bounds],
        "periods": [
            {"period": p.label, "start": p.start.isoformat(), "end": p.end.isoformat(),
             "composites": bool(views.composites[p.label]), "scores": bool(views.scores[p.label])}
            for p in run.periods
        ],
        "collections": [f"{run.id}-panel", f"{run.id}-sites"],
        "stac_collections": [f"{run.id}-{kind}" for kind in run.items],
        "can_predict": views.folder.study.is_file() and any(views.composites.values()),
    }  # fmt: skip
