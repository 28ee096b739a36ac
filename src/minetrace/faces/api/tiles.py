"""Tiles: outlines as vector tiles, composites and scores as pictures."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from starlette.responses import FileResponse, Response

from minetrace.faces.api.refusals import UnknownNameError
from minetrace.faces.api.replies import (
    FRESH,
    MVT,
    PMTILES,
    PNG,
    AsArchive,
    AsPng,
    AsVectorTile,
    Reply,
)
from minetrace.faces.api.state import State, home, refuse_unknown_words, state_of
from minetrace.flow.run_tiles import RunTiles
from minetrace.publish.pmtiles import Place

router = APIRouter(prefix="/tiles", tags=["Tiles"])

DEEPEST = 22
Run = Annotated[str, Path(description="Id of a run or panel.", examples=["demo"])]
Zoom = Annotated[int, Path(ge=0, le=DEEPEST, examples=[11])]
Number = Annotated[int, Path(ge=0, lt=1 << DEEPEST, examples=[623])]
_PNG: dict[int | str, dict[str, Any]] = {
    204: {"description": "Nothing is seen there."},
}


@router.get("/{run}/panel.json", summary="TileJSON of the outlines")
async def vector_metadata(request: Request, run: Run) -> Response:
    """Where the vector tiles are and what is in them."""
    refuse_unknown_words(request, set())
    state = state_of(request)
    tiles = state.vectors[state.run(run).id]
    return Reply.of_json({
        "tilejson": "3.0.0", "name": run, "minzoom": tiles.first, "maxzoom": tiles.last,
        "tiles": [f"{home(request)}/tiles/{run}/panel/{{z}}/{{x}}/{{y}}.mvt"],
        "bounds": tiles.bounds, "vector_layers": tiles.metadata["vector_layers"],
    }).to(request)  # fmt: skip


@router.get(
    "/{run}/panel.pmtiles", summary="All vector tiles in one file, by ranges",
    response_class=AsArchive,
    responses={206: {"description": "A range"},
               416: {"description": "No such range"}},
)  # fmt: skip
async def archive(request: Request, run: Run) -> Response:
    """The PMTiles archive; readers ask for ranges of its bytes."""
    refuse_unknown_words(request, set())
    state = state_of(request)
    path = state.vectors[state.run(run).id].path
    return FileResponse(path, media_type=PMTILES, headers={"cache-control": FRESH})


@router.get(
    "/{run}/panel/{z}/{x}/{y}.mvt", summary="A vector tile",
    response_class=AsVectorTile, responses={204: {"description": "Nothing is there."}},
)  # fmt: skip
async def vector(request: Request, run: Run, z: Zoom, x: Number, y: Number) -> Response:
    """Outlines of each period in a layer of its own, and dots for what is too small to see."""
    refuse_unknown_words(request, set())
    state = state_of(request)
    packed = state.vectors[state.run(run).id].tile(_place(z, x, y))  # sooner read than handed on
    reply = Reply.nothing() if packed is None else Reply.of_packed(packed, MVT)
    return state.given(request, reply)


@router.get("/{run}/{kind}/{period}.json", summary="TileJSON of pictures")
async def raster_metadata(
    request: Request, run: Run, kind: Literal["composites", "scores"], period: str
) -> Response:
    """Where the pictures of a period are."""
    refuse_unknown_words(request, set())
    state = state_of(request)
    rasters = _rasters(state, run, kind, period)
    first, last = rasters.zooms
    bounds = list(rasters.views.ground.bounds)
    return Reply.of_json({
        "tilejson": "3.0.0", "name": f"{run} {kind} {period}", "minzoom": first, "maxzoom": last,
        "tiles": [f"{home(request)}/tiles/{run}/{kind}/{period}/{{z}}/{{x}}/{{y}}.png"],
        "bounds": bounds,
    }).to(request)  # fmt: skip


@router.get(
    "/{run}/{kind}/{period}/{z}/{x}/{y}.png", summary="A picture", response_class=AsPng,
    responses=_PNG,
)  # fmt: skip
async def raster(
    request: Request, run: Run, kind: Literal["composites", "scores"],
    period: Annotated[str, Path(description="Label of a period.", examples=["2021"])],
    z: Zoom, x: Number, y: Number,
) -> Response:  # fmt: skip
    """Composites in natural colour, or scores; transparent where nobody looked."""
    refuse_unknown_words(request, set())
    state = state_of(request)
    rasters, place = _rasters(state, run, kind, period), _place(z, x, y)
    first, last = rasters.zooms
    if not first <= z <= last:
        raise UnknownNameError(f"pictures are drawn at zooms {first} to {last}")

    def make() -> Reply:
        drawn = rasters.tile(kind, period, place)
        return Reply.nothing() if drawn is None else Reply.of(drawn, PNG)

    return await state.kept(request, make, state.painters)


def _rasters(
    state: State, run: str, kind: Literal["composites", "scores"], period: str
) -> RunTiles:
    rasters = state.rasters[state.run(run).id]
    if not rasters.has(kind, period):
        raise UnknownNameError(f"{run} has no {kind} of {period[:80]!r} to draw")
    return rasters


def _place(z: int, x: int, y: int) -> Place:
    if x >= 1 << z or y >= 1 << z:
        raise UnknownNameError(f"zoom {z} has no tile {x}/{y}")
    return Place(z, x, y)
