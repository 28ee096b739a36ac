"""The service over published folders: routes put together, and errors answered by one table."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from minetrace.errors import MinetraceError
from minetrace.faces.api import asking, features, pages, stac, tiles
from minetrace.faces.api.layer import layers
from minetrace.faces.api.ready import Ready
from minetrace.faces.api.refusals import PROBLEM, BadQueryError, problem, told
from minetrace.faces.api.stac import shelves
from minetrace.faces.api.state import State
from minetrace.flow.published import open_all

ABOUT = """\
Maps of mining through time: outlines with an identity, hectares that say how sure they are.

Hectares are geodesic and *mapped, no interval*, unless an interval is given with them. *Not looked*
is never *no mine*: what nobody could see has no hectares rather than none.
"""
_REFUSED = {
    400: "A parameter or body that cannot be understood.",
    401: "A token is needed.",
    403: "Not with this token, or not from another site's page.",
    404: "Not served.",
    405: "Not by this method.",
    408: "The request did not arrive in time.",
    413: "More than is taken at once.",
    415: "A body of a kind that is not read here.",
    421: "The Host header names another server.",
    422: "Understood, and cannot be done.",
    429: "Too many requests.",
    503: "Too busy, or the work took too long.",
}


def make_service(folders: Sequence[Path]) -> FastAPI:
    """A service over the folders of runs and panels, to be put behind a guard.

    Raises:
        UserError: a folder cannot be served.
    """
    state = State.of(open_all(folders))
    refused: dict[int | str, dict[str, Any]] = {
        status: {"description": words, "content": {PROBLEM: {"schema": {"type": "object"}}}}
        for status, words in _REFUSED.items()
    }
    app = FastAPI(
        title="minetrace", description=ABOUT, version="1", openapi_url=None, docs_url=None,
        redoc_url=None, responses=refused, redirect_slashes=False,
    )  # fmt: skip
    app.state.service = state
    app.state.layers = layers(state.runs)
    app.state.shelves = shelves(state)
    app.state.tools = pages.tools()
    app.add_middleware(Ready, shelf=state.shelf)
    for router in (features.router, asking.router, asking.places, stac.router, tiles.router,
                   pages.router):  # fmt: skip
        app.include_router(router)
    app.add_api_route("/api/openapi.json", _openapi, include_in_schema=False)
    app.add_exception_handler(MinetraceError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _library)
    app.add_exception_handler(Exception, _inside)
    return app


def schema(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI of a service; what cannot be understood is 400 here and not FastAPI's 422."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path in app.openapi_schema["paths"].values():
            for operation in path.values():
                operation["responses"]["422"] = {"description": _REFUSED[422]}
                for media, content in operation["responses"]["200"].get("content", {}).items():
                    if media.endswith("json"):
                        content["schema"] = {"type": "object"}
    return app.openapi_schema


async def _openapi(request: Request) -> Response:
    media = "application/vnd.oai.openapi+json;version=3.1"
    return JSONResponse(schema(request.app), media_type=media)


async def _ours(_: Request, error: Exception) -> Response:
    if problem(error)[0] == 500:
        raise error
    return _answer(*problem(error))


async def _inside(_: Request, error: Exception) -> Response:
    return _answer(*problem(error))  # and it is raised on, so that the guard writes it to the log


async def _invalid(_: Request, error: Exception) -> Response:
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    where = ".".join(str(part) for part in found.get("loc", ()))[:120]
    return _answer(*problem(BadQueryError(f"{where}: {found.get('msg', 'cannot be understood')}")))


async def _library(_: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code if isinstance(error, HTTPException) else 500)
    code, body, headers = told(status, status.description or status.phrase)
    given = error.headers if isinstance(error, HTTPException) and error.headers else {}
    return _answer(code, body, {**given, **headers})


def _answer(status: int, body: dict[str, Any], headers: dict[str, str]) -> Response:
    return JSONResponse(body, status, {**headers, "cache-control": "no-store"}, media_type=PROBLEM)
