"""The web face of a review: what the page may ask of the desk.

Loaded by the command alone, since it needs FastAPI. Thin on purpose: shapes of requests are checked
here, all else at the desk. An item is asked for by its number, so that no path from a request
reaches the disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from minetrace.errors import MinetraceError
from minetrace.faces.api.refusals import BadQueryError, UnknownNameError, problem
from minetrace.faces.api.safety import WHO, needs
from minetrace.flow.review import Desk
from minetrace.flow.review_pictures import ZOOMS

PAGES = Path(__file__).parents[1] / "web" / "review"
_MEDIA = {"html": "text/html; charset=utf-8", "js": "text/javascript", "css": "text/css"}
_FILES = (
    "index.html", "review.css", "review.js", "desk.js", "outbox.js", "pane.js", "outline.js",
)  # fmt: skip
NAME_LENGTH = 64


def sayable(text: Any) -> Any:
    """Text without what no store of answers can hold: halves of a letter, and the letter zero.

    They come with a paste or a cut emoji. Refusing them would hold up all that was said after them.
    """
    if not isinstance(text, str):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "")


Word = Annotated[str, Field(max_length=200)]
Words = Annotated[str, BeforeValidator(sayable)]
Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Seen(_Closed):
    """A picture that was on the screen."""

    period: Word
    zoom: int = Field(ge=1, le=8)
    sha256: Checksum


class Shown(_Closed):
    """What was on the screen when something was said."""

    pictures: list[Seen] = Field(max_length=32)
    outlines: bool = Field(description="whether the map's outlines had been asked for")
    screen: Word = ""


class Spoken(_Closed):
    """One thing said; its id makes sending it again harmless."""

    id: str = Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")
    item: Word
    kind: Literal["answer", "undo", "note", "outline", "settle"]
    value: Words = ""  # how long it may be the desk says, so that only this one is refused
    seconds: float = Field(0.0, ge=0, le=86_400)
    said_at: str = Field(pattern=r"^\d{4}-\d\d-\d\dT[0-9:.]+Z$")
    shown: Shown


class Batch(_Closed):
    """Several, in the order in which they were said."""

    queue: Word
    said: list[Spoken] = Field(max_length=200)


def application(desk: Desk) -> FastAPI:
    """The page and what it asks of a desk; to be put behind `minetrace.faces.api.safety.guard`."""
    app = FastAPI(title="minetrace review", docs_url=None, redoc_url=None, openapi_url=None)

    def refused(_: Request, error: Exception) -> Response:
        status, body, headers = problem(error)
        return JSONResponse(body, status, headers)

    def invalid(_: Request, error: Exception) -> Response:
        found = error.errors()[0] if isinstance(error, RequestValidationError) else {}
        where = ".".join(map(str, found.get("loc", ())))[:120]
        said = found.get("msg", "cannot be understood")
        status, body, headers = problem(BadQueryError(sayable(f"{where}: {said}")))
        return JSONResponse(body, status, headers)

    app.add_exception_handler(MinetraceError, refused)
    app.add_exception_handler(RequestValidationError, invalid)

    @app.get("/")
    def page() -> Response:
        return _file("index.html")

    @app.get("/page/{name}")
    def part(name: str) -> Response:
        return _file(name)

    @app.get("/api/who")
    def who(request: Request) -> dict[str, Any]:
        asker = request.scope.get(WHO)
        local = asker is None or asker.name == "local"
        name = None if asker is None or local or asker.name == "anybody" else asker.name
        return {"name": name, "local": local, "queue": desk.queue.id}

    @app.get("/api/next")
    def following(
        request: Request, disputes: bool = False,
        skip: Annotated[list[str] | None, Query(max_length=200)] = None,
    ) -> dict[str, Any]:  # fmt: skip
        name = speaker(request)
        found = desk.ask(name, disputes=disputes, skip=skip or ())
        return {"item": found, "progress": desk.progress(name)}

    @app.get("/api/back")
    def back(request: Request) -> dict[str, Any]:
        name = speaker(request)
        return {"item": desk.back(name), "progress": desk.progress(name)}

    @app.get("/api/agreement")
    def agreement(request: Request) -> dict[str, Any]:
        return desk.agreement(speaker(request))

    @app.get("/api/items/{number}/{when}/{zoom}")
    def picture(
        request: Request, number: int, when: Literal["asked", "before"], zoom: int
    ) -> Response:
        speaker(request)
        _known(desk, number)
        if zoom not in ZOOMS:
            raise UnknownNameError(f"no such zoom; there are {', '.join(map(str, ZOOMS))}")
        shot = desk.shot(number, when == "before", zoom)
        if shot is None:
            raise UnknownNameError("the run kept no picture of that period")
        return Response(
            shot.data, media_type="image/webp",
            headers={"x-picture-sha256": shot.sha256, "cache-control": "no-store"},
        )  # fmt: skip

    @app.get("/api/items/{number}/outlines")
    def outlines(request: Request, number: int) -> dict[str, Any]:
        speaker(request)
        _known(desk, number)
        return desk.pictures.outlines(desk.queue.items[number])

    @app.post("/api/said")
    def said(request: Request, batch: Batch) -> dict[str, Any]:
        name = speaker(request)
        _refuse_other_media(request)
        if batch.queue != desk.queue.id:
            raise BadQueryError("these answers are of another review; load the page anew")
        return desk.take(name, [spoken.model_dump() for spoken in batch.said])

    return app


def speaker(request: Request) -> str:
    """Who speaks: the name of the token, or at this machine the name that they gave.

    Raises:
        NoTokenError, NoRoleError: they may not answer.
        BadQueryError: nobody said who they are.
    """
    asker = needs(request.scope, "write")
    if asker.name != "local":
        return asker.name
    name = unquote(request.headers.get("x-minetrace-who", "")).strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise BadQueryError(f"say who you are, in at most {NAME_LENGTH} letters")
    return name


def _refuse_other_media(request: Request) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BadQueryError("answers are sent as application/json")


def _known(desk: Desk, number: int) -> None:
    if not 0 <= number < len(desk.queue.items):
        raise UnknownNameError("no such item")


def _file(name: str) -> Response:
    if name not in _FILES:
        raise UnknownNameError("no such part of the page")
    media = _MEDIA[name.rpartition(".")[2]]
    content = (PAGES / name).read_bytes()
    return Response(content, media_type=media, headers={"cache-control": "no-cache"})
