"""OGC API Features: the panel, a row for each site and period, and the sites.

Order is by site and time, and never changes, so pages never overlap. A row that was not looked at
has no outline; it is found where its site is known to be, and says ``not_looked``.

Source: OGC 17-069r4 (Part 1: Core), 19-079r2 (Part 3: Filtering).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from numpy.typing import NDArray
from starlette.responses import Response

from minetrace.faces.api.cql2 import matching
from minetrace.faces.api.layer import KINDS, Layer
from minetrace.faces.api.refusals import BadQueryError, UnknownNameError
from minetrace.faces.api.replies import GEOJSON, JSON, SCHEMA, AsGeoJson, AsSchema, Reply, dumps
from minetrace.faces.api.state import home, refuse_unknown_words, state_of
from minetrace.faces.api.where import during, parse_bbox, parse_datetime

router = APIRouter(prefix="/api", tags=["OGC API Features"])

MOST_ITEMS = 1000
CONFORMS = (
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
)
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_SCHEMA = {
    "number": {"type": "number"}, "boolean": {"type": "boolean"}, "text": {"type": "string"},
    "date": {"type": "string", "format": "date"},
}  # fmt: skip
_OWN = {"bbox", "datetime", "limit", "offset", "filter", "filter-lang", "f"}


Collection = Annotated[str, Path(description="Id of a collection.", examples=["demo-panel"])]


@router.get("", summary="Landing page")
async def landing(request: Request) -> Response:
    """Where everything is."""
    refuse_unknown_words(request, {"f"})
    at = home(request)
    return Reply.of_json({
        "title": "minetrace", "description": "Mining through time, as published maps show it.",
        "links": [
            _link("self", f"{at}/api", JSON), _link("alternate", f"{at}/", "text/html"),
            _link("service-desc", f"{at}/api/openapi.json",
                  "application/vnd.oai.openapi+json;version=3.1"),
            _link("conformance", f"{at}/api/conformance", JSON),
            _link("data", f"{at}/api/collections", JSON),
            _link("related", f"{at}/stac", JSON),
        ],
    }).to(request)  # fmt: skip


@router.get("/conformance", summary="What this service conforms to")
async def conformance(request: Request) -> Response:
    """Requirement classes by their URI."""
    refuse_unknown_words(request, {"f"})
    return Reply.of_json({"conformsTo": CONFORMS}).to(request)


@router.get("/collections", summary="Collections")
async def collections(request: Request) -> Response:
    """Every panel and its sites."""
    refuse_unknown_words(request, {"f"})
    at, state = home(request), state_of(request)
    served: dict[str, Layer] = request.app.state.layers

    def make() -> Reply:
        found = [_described(layer, at) for layer in served.values()]
        links = [_link("self", f"{at}/api/collections", JSON)]
        return Reply.of_json({"links": links, "collections": found})

    return await state.kept(request, make, state.readers)


@router.get("/collections/{collection}", summary="One collection")
async def collection(request: Request, collection: Collection) -> Response:
    """Extent and links of a collection."""
    refuse_unknown_words(request, {"f"})
    at, state, layer = home(request), state_of(request), _layer(request, collection)
    return await state.kept(request, lambda: Reply.of_json(_described(layer, at)), state.readers)


@router.get(
    "/collections/{collection}/queryables",
    summary="Properties to filter by",
    response_class=AsSchema,
)
async def queryables(request: Request, collection: Collection) -> Response:
    """A JSON schema of the properties that ``filter`` knows."""
    refuse_unknown_words(request, {"f"})
    layer = _layer(request, collection)
    return Reply.of_json({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{home(request)}/api/collections/{layer.id}/queryables",
        "type": "object", "title": layer.id,
        "properties": {name: _SCHEMA[kind] for name, kind in layer.queryables.items()},
    }, SCHEMA).to(request)  # fmt: skip


@router.get(
    "/collections/{collection}/items",
    summary="Features of a collection",
    response_class=AsGeoJson,
    responses={200: {"content": {GEOJSON: {"example": {
        "type": "FeatureCollection", "numberMatched": 1, "numberReturned": 1, "links": [],
        "features": [{"type": "Feature", "id": "s1.2021", "geometry": None,
                      "properties": {"site_id": "s1", "period": "2021", "event": "not_looked"}}],
    }}}}},
)  # fmt: skip
async def items(
    request: Request,
    collection: Collection,
    bbox: Annotated[str | None, Query(
        description="west,south,east,north in degrees; west above east crosses the date line.",
        examples=["-70.4,-12.9,-70.3,-12.7"], max_length=200)] = None,
    datetime: Annotated[str | None, Query(
        description="A day, an instant, or an interval such as 2020-01-01/.. .",
        examples=["2021-01-01/2022-12-31"], max_length=100)] = None,
    limit: Annotated[int, Query(
        ge=1, le=10_000, description=f"Features a page, at most {MOST_ITEMS}.")] = 100,
    offset: Annotated[int, Query(
        ge=0, le=100_000_000, description="Features to pass over; links to pages carry it.")] = 0,
    filter: Annotated[str | None, Query(
        description="CQL2 text.", examples=["area_ha > 5 AND event = 'grows'"],
        max_length=2000)] = None,
    filter_lang: Annotated[str | None, Query(
        alias="filter-lang", description="cql2-text.", examples=["cql2-text"])] = None,
) -> Response:  # fmt: skip
    """Features, a page at a time; any property of the panel may also be asked for by equality."""
    state, layer = state_of(request), _layer(request, collection)
    refuse_unknown_words(request, _OWN | set(layer.queryables))
    if filter_lang not in (None, "cql2-text"):
        raise BadQueryError("filter-lang: only cql2-text is spoken here")
    equal = {k: v for k, v in request.query_params.items() if k in layer.queryables}
    at, asked = home(request), dict(request.query_params)

    def make() -> Reply:
        rows = _matched(layer, bbox, datetime, filter, equal)
        return Reply.of(_page(layer, rows, at, asked, min(limit, MOST_ITEMS), offset), GEOJSON)

    return await state.kept(request, make, state.readers)


@router.get(
    "/collections/{collection}/items/{item:path}", summary="One feature", response_class=AsGeoJson
)
async def item(
    request: Request,
    collection: Collection,
    item: Annotated[str, Path(description="Id of a feature.", examples=["s1.2021"])],
) -> Response:
    """A feature by its id."""
    refuse_unknown_words(request, {"f"})
    state, layer, at = state_of(request), _layer(request, collection), home(request)
    if item not in layer.numbers:
        raise UnknownNameError(f"{layer.id} has no feature called {item[:80]!r}")

    def make() -> Reply:
        (feature,) = layer.told(np.array([layer.numbers[item]]))
        here = f"{at}/api/collections/{layer.id}"
        links = dumps([
            _link("self", f"{here}/items/{quote(item, safe='')}", GEOJSON),
            _link("collection", here, JSON),
        ])  # fmt: skip
        return Reply.of(feature[:-1] + b',"links":' + links + b"}", GEOJSON)

    return await state.kept(request, make, state.readers)


def _layer(request: Request, name: str) -> Layer:
    found: dict[str, Layer] = request.app.state.layers
    if name not in found:
        raise UnknownNameError(f"no collection is called {name[:80]!r}")
    return found[name]


def _matched(
    layer: Layer, bbox: str | None, when: str | None, filter_text: str | None,
    equal: Mapping[str, str],
) -> NDArray[np.intp]:  # fmt: skip
    """Rows that a query asks for, in order."""
    rows = layer.rows if bbox is None else layer.meeting(parse_bbox(bbox))
    if when is not None:
        start, end = layer.run.spans[rows].T
        rows = rows[during(start, end, parse_datetime(when))]
    for name, value in equal.items():
        literal = value if layer.queryables[name] in ("number", "boolean") else _quoted(value)
        if layer.queryables[name] == "date":
            literal = f"DATE({literal})"
        rows = rows[matching(f'"{name}" = {literal}', layer.columns(rows), len(rows))]
    if filter_text is not None:
        rows = rows[matching(filter_text, layer.columns(rows), len(rows))]
    return rows


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _page(
    layer: Layer, rows: NDArray[np.intp], at: str, asked: dict[str, str], limit: int, offset: int
) -> bytes:
    here = f"{at}/api/collections/{layer.id}/items"
    page = rows[offset : offset + limit]
    links = [_link("self", _address(here, asked), GEOJSON),
             _link("collection", here.removesuffix("/items"), JSON)]  # fmt: skip
    if offset + limit < len(rows):
        links.append(_link("next", _address(here, {**asked, "offset": offset + limit}), GEOJSON))
    if offset > 0:
        before = {**asked, "offset": max(0, offset - limit)}
        links.append(_link("prev", _address(here, before), GEOJSON))
    head = dumps({
        "type": "FeatureCollection", "numberMatched": len(rows), "numberReturned": len(page),
        "links": links,
    })  # fmt: skip
    return head[:-1] + b',"features":[' + b",".join(layer.told(page)) + b"]}"


def _described(layer: Layer, at: str) -> dict[str, Any]:
    run, here = layer.run, f"{at}/api/collections/{layer.id}"
    boxes = run.boxes[np.isfinite(run.boxes).all(axis=1)]
    west, south = boxes[:, :2].min(axis=0) if len(boxes) else (-180.0, -90.0)
    east, north = boxes[:, 2:].max(axis=0) if len(boxes) else (180.0, 90.0)
    first, last = run.periods[0].start, run.periods[-1].last_day
    return {
        "id": layer.id, "title": f"{run.title}: {layer.kind}", "description": KINDS[layer.kind],
        "itemType": "feature", "crs": [CRS84],
        "extent": {
            "spatial": {"bbox": [[float(v) for v in (west, south, east, north)]], "crs": CRS84},
            "temporal": {"interval": [[f"{first}T00:00:00Z", f"{last}T23:59:59Z"]]},
        },
        "links": [
            _link("self", here, JSON), _link("items", f"{here}/items", GEOJSON),
            _link("http://www.opengis.net/def/rel/ogc/1.0/queryables", f"{here}/queryables",
                  "application/schema+json"),
        ],
    }  # fmt: skip


def _address(here: str, asked: Mapping[str, Any]) -> str:
    return f"{here}?{urlencode(asked)}" if asked else here


def _link(rel: str, href: str, media: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media}
