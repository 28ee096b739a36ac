"""STAC API over what runs have stored: composites, scores and outlines, tile by tile.

Source: STAC API 1.0.0, core, collections, features and item search.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import numpy as np
import shapely
from fastapi import APIRouter, Path, Query, Request
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from shapely.errors import GEOSException
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from starlette.responses import Response

from minetrace.faces.api.refusals import BadQueryError, UnknownNameError
from minetrace.faces.api.replies import GEOJSON, JSON, AsGeoJson, Reply
from minetrace.faces.api.state import State, home, refuse_unknown_words
from minetrace.faces.api.where import Span, bbox_of, during, parse_bbox, parse_datetime
from minetrace.flow.published import Published
from minetrace.publish.catalog import KINDS, STAC

router = APIRouter(prefix="/stac", tags=["STAC"])

MOST_ITEMS = 500
MOST_VERTICES = 10_000
CONFORMS = (
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
)
Limit = Annotated[int, Query(ge=1, le=10_000, description=f"At most {MOST_ITEMS} a page.")]
Offset = Annotated[int, Query(ge=0, le=100_000_000, description="Items to pass over.")]
Collection = Annotated[str, Path(examples=["demo-composites"])]


@dataclass(frozen=True)
class Shelf:
    """The items of one kind of one run."""

    run: Published
    kind: str

    @property
    def id(self) -> str:
        """The collection's id."""
        return f"{self.run.id}-{self.kind}"

    @property
    def items(self) -> Sequence[dict[str, Any]]:
        """In order of their ids."""
        return self.run.items[self.kind]

    @cached_property
    def ids(self) -> dict[str, int]:
        """Place of each item by its id."""
        return {str(item["id"]): number for number, item in enumerate(self.items)}

    @cached_property
    def shapes(self) -> NDArray[np.object_]:
        """Ground of each item."""
        return np.array([shape(item["geometry"]) for item in self.items], dtype=object)

    @cached_property
    def spans(self) -> NDArray[np.datetime64]:
        """(items, 2): first and last instant."""
        told = [item["properties"] for item in self.items]
        ends = [(p["start_datetime"], p["end_datetime"]) for p in told]
        return np.array([[t.removesuffix("Z") for t in pair] for pair in ends], "datetime64[s]")

    def matched(
        self, ground: BaseGeometry | None, span: Span, ids: Sequence[str] | None
    ) -> list[int]:
        """Places of the items that a search asks for."""
        found = during(self.spans[:, 0], self.spans[:, 1], span)
        if ground is not None:
            found &= np.asarray(shapely.intersects(ground, self.shapes), dtype=bool)
        if ids is not None:
            found &= np.array([str(item["id"]) in ids for item in self.items], dtype=bool)
        return [int(n) for n in np.flatnonzero(found)]


def shelves(state: State) -> dict[str, Shelf]:
    """Every collection by its id."""
    found = [Shelf(run, kind) for run in state.runs.values() for kind in run.items]
    return {shelf.id: shelf for shelf in found}


_ASKED: Any = {
    "collections": ["demo-composites"], "bbox": [-70.4, -12.9, -70.3, -12.7], "limit": 10,
}  # fmt: skip


class Search(BaseModel):
    """What ``POST /stac/search`` takes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_ASKED]})

    collections: list[str] | None = Field(None, max_length=100)
    ids: list[str] | None = Field(None, max_length=500)
    bbox: list[float] | None = Field(None, min_length=4, max_length=6)
    intersects: dict[str, Any] | None = None
    datetime: str | None = Field(None, max_length=100)
    limit: int = Field(100, ge=1, le=10_000)
    offset: int = Field(0, ge=0, le=100_000_000)


@router.get("", summary="Landing page")
async def landing(request: Request) -> Response:
    """A STAC catalog whose children are the collections."""
    refuse_unknown_words(request, set())
    at = home(request)
    children = [_link("child", f"{at}/stac/collections/{name}", JSON) for name in _shelves(request)]
    return Reply.of_json({
        "type": "Catalog", "stac_version": STAC, "id": "minetrace", "title": "minetrace",
        "description": "What the published runs have stored.", "conformsTo": CONFORMS,
        "links": [
            _link("self", f"{at}/stac", JSON), _link("root", f"{at}/stac", JSON),
            _link("conformance", f"{at}/stac/conformance", JSON),
            _link("service-desc", f"{at}/api/openapi.json",
                  "application/vnd.oai.openapi+json;version=3.1"),
            _link("data", f"{at}/stac/collections", JSON),
            {**_link("search", f"{at}/stac/search", GEOJSON), "method": "GET"},
            {**_link("search", f"{at}/stac/search", GEOJSON), "method": "POST"},
            *children,
        ],
    }).to(request)  # fmt: skip


@router.get("/conformance", summary="What this catalog conforms to")
async def conformance(request: Request) -> Response:
    """Conformance classes by their URI."""
    refuse_unknown_words(request, set())
    return Reply.of_json({"conformsTo": CONFORMS}).to(request)


@router.get("/collections", summary="Collections")
async def collections(request: Request) -> Response:
    """A collection for each kind of artefact of each run."""
    refuse_unknown_words(request, set())
    at = home(request)
    found = [_described(shelf, at) for shelf in _shelves(request).values()]
    links = [_link("self", f"{at}/stac/collections", JSON), _link("root", f"{at}/stac", JSON)]
    return Reply.of_json({"collections": found, "links": links}).to(request)


@router.get("/collections/{collection}", summary="One collection")
async def collection(request: Request, collection: Collection) -> Response:
    """Extent and links of a collection."""
    refuse_unknown_words(request, set())
    return Reply.of_json(_described(_shelf(request, collection), home(request))).to(request)


@router.get(
    "/collections/{collection}/items", summary="Items of a collection", response_class=AsGeoJson
)
async def items(
    request: Request, collection: Collection,
    bbox: Annotated[str | None, Query(max_length=200)] = None,
    datetime: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100, offset: Offset = 0,
) -> Response:  # fmt: skip
    """Items, a page at a time, in order of their ids."""
    refuse_unknown_words(request, {"bbox", "datetime", "limit", "offset"})
    shelf = _shelf(request, collection)
    ground = None if bbox is None else parse_bbox(bbox)
    span = (None, None) if datetime is None else parse_datetime(datetime)
    here = f"{home(request)}/stac/collections/{shelf.id}/items"
    return _get(request, here, {shelf.id: shelf}, ground, span, None, limit, offset)


@router.get(
    "/collections/{collection}/items/{item:path}", summary="One item", response_class=AsGeoJson
)
async def item(
    request: Request, collection: Collection, item: Annotated[str, Path(examples=["scores-2021-x"])]
) -> Response:
    """An item by its id."""
    refuse_unknown_words(request, set())
    shelf = _shelf(request, collection)
    if item not in shelf.ids:
        raise UnknownNameError(f"{shelf.id} has no item called {item[:80]!r}")
    return Reply.of_json(_told(shelf, shelf.ids[item], home(request)), GEOJSON).to(request)


@router.get("/search", summary="Search items", response_class=AsGeoJson)
async def search(
    request: Request,
    collections: Annotated[str | None, Query(description="By commas.", max_length=2000)] = None,
    ids: Annotated[str | None, Query(description="By commas.", max_length=4000)] = None,
    bbox: Annotated[str | None, Query(max_length=200)] = None,
    intersects: Annotated[str | None, Query(description="GeoJSON.", max_length=6000)] = None,
    datetime: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 100, offset: Offset = 0,
) -> Response:  # fmt: skip
    """Items of all collections, a page at a time."""
    refuse_unknown_words(
        request, {"collections", "ids", "bbox", "intersects", "datetime", "limit", "offset"}
    )
    wanted = _wanted(request, None if collections is None else collections.split(","))
    geojson = None if intersects is None else _json(intersects)
    ground = _ground(None if bbox is None else parse_bbox(bbox), geojson)
    span = (None, None) if datetime is None else parse_datetime(datetime)
    names = None if ids is None else ids.split(",")
    at = f"{home(request)}/stac/search"
    return _get(request, at, wanted, ground, span, names, limit, offset)


@router.post("/search", summary="Search items", response_class=AsGeoJson)
async def search_by_body(request: Request, query: Search) -> Response:
    """The same, asked in a body."""
    refuse_unknown_words(request, set())
    wanted = _wanted(request, query.collections)
    ground = _ground(None if query.bbox is None else bbox_of(query.bbox), query.intersects)
    span = (None, None) if query.datetime is None else parse_datetime(query.datetime)
    at = home(request)
    page = _page(wanted, ground, span, query.ids, query.limit, query.offset, at)
    here = f"{at}/stac/search"
    if query.offset + min(query.limit, MOST_ITEMS) < page["numberMatched"]:
        body = {**query.model_dump(exclude_none=True),
                "offset": query.offset + min(query.limit, MOST_ITEMS)}  # fmt: skip
        page["links"].append({**_link("next", here, GEOJSON), "method": "POST", "body": body})
    return Reply.of_json(page, GEOJSON).to(request)


def _get(
    request: Request, here: str, wanted: dict[str, Shelf], ground: BaseGeometry | None, span: Span,
    ids: Sequence[str] | None, limit: int, offset: int,
) -> Response:  # fmt: skip
    """A page, with links to its neighbours in the address."""
    asked: dict[str, Any] = dict(request.query_params)
    page = _page(wanted, ground, span, ids, limit, offset, home(request))
    page["links"].append(_link("self", f"{here}?{urlencode(asked)}" if asked else here, GEOJSON))
    step = min(limit, MOST_ITEMS)
    for rel, to in (("next", offset + step), ("prev", max(0, offset - step))):
        there = to < page["numberMatched"] if rel == "next" else offset > 0
        if there:
            following = f"{here}?{urlencode({**asked, 'offset': to})}"
            page["links"].append(_link(rel, following, GEOJSON))
    return Reply.of_json(page, GEOJSON).to(request)


def _page(
    wanted: dict[str, Shelf], ground: BaseGeometry | None, span: Span, ids: Sequence[str] | None,
    limit: int, offset: int, at: str,
) -> dict[str, Any]:  # fmt: skip
    found = [(s, n) for s in wanted.values() for n in s.matched(ground, span, ids)]
    page = found[offset : offset + min(limit, MOST_ITEMS)]
    return {
        "type": "FeatureCollection", "numberMatched": len(found), "numberReturned": len(page),
        "features": [_told(shelf, number, at) for shelf, number in page],
        "links": [_link("root", f"{at}/stac", JSON)],
    }  # fmt: skip


def _told(shelf: Shelf, number: int, at: str) -> dict[str, Any]:
    """An item with addresses in place of paths."""
    stored = shelf.items[number]
    here = f"{at}/stac/collections/{shelf.id}"
    file = f"{at}/runs/{shelf.run.id}/{quote(stored['minetrace:path'])}"
    own = {key: value for key, value in stored.items() if key != "minetrace:path"}
    return {
        **own, "collection": shelf.id,
        "links": [
            _link("self", f"{here}/items/{quote(str(stored['id']), safe='')}", GEOJSON),
            _link("parent", here, JSON), _link("collection", here, JSON),
            _link("root", f"{at}/stac", JSON),
        ],
        "assets": {"data": {**stored["assets"]["data"], "href": file}},
    }  # fmt: skip


def _described(shelf: Shelf, at: str) -> dict[str, Any]:
    title, about = KINDS[shelf.kind]
    west, south, east, north = shapely.total_bounds(shelf.shapes)
    first, last = shelf.spans[:, 0].min(), shelf.spans[:, 1].max()
    here = f"{at}/stac/collections/{shelf.id}"
    return {
        "type": "Collection", "stac_version": STAC, "id": shelf.id,
        "title": f"{shelf.run.title}: {title}", "description": about, "license": "other",
        "extent": {
            "spatial": {"bbox": [[float(v) for v in (west, south, east, north)]]},
            "temporal": {"interval": [[f"{first}Z", f"{last}Z"]]},
        },
        "links": [
            _link("self", here, JSON), _link("root", f"{at}/stac", JSON),
            _link("parent", f"{at}/stac", JSON), _link("items", f"{here}/items", GEOJSON),
        ],
    }  # fmt: skip


def _ground(box: BaseGeometry | None, geojson: dict[str, Any] | None) -> BaseGeometry | None:
    if geojson is None:
        return box
    if box is not None:
        raise BadQueryError("give bbox or intersects, not both")
    try:
        ground = shape(geojson)
        if ground.is_empty or shapely.get_num_coordinates(ground) > MOST_VERTICES:
            raise ValueError("empty or too large")
        if not ground.is_valid:
            raise ValueError("not valid")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, GEOSException) as error:
        raise BadQueryError(
            f"intersects: no valid GeoJSON geometry of at most {MOST_VERTICES:,} corners"
        ) from error
    return ground


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadQueryError("intersects: not JSON") from error
    if not isinstance(found, dict):
        raise BadQueryError("intersects: no GeoJSON geometry")
    return found


def _shelves(request: Request) -> dict[str, Shelf]:
    found: dict[str, Shelf] = request.app.state.shelves
    return found


def _shelf(request: Request, name: str) -> Shelf:
    if name not in _shelves(request):
        raise UnknownNameError(f"no collection is called {name[:80]!r}")
    return _shelves(request)[name]


def _wanted(request: Request, names: Sequence[str] | None) -> dict[str, Shelf]:
    """The collections that are searched; one that is not there holds nothing."""
    found = _shelves(request)
    return found if names is None else {n: s for n, s in found.items() if n in names}


def _link(rel: str, href: str, media: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media}
