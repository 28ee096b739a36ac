"""Pages and files: the map of each run with its tools, and what may be taken home.

Files are looked up by name in tables that were made when the service started. A map is served as it
was published, so that its scripts fit its data; tools that need a service are put beside them.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import FileResponse, RedirectResponse, Response

from minetrace.faces.api.refusals import UnknownNameError
from minetrace.faces.api.replies import FRESH, Reply
from minetrace.faces.api.state import refuse_unknown_words, state_of

router = APIRouter(include_in_schema=False)

TOOLS = ("places.js", "draw.js", "pictures.js", "share.js", "tools.js", "tools.css")
_STYLE = '<link rel="stylesheet" href="viewer.css">'
_ALONE = "Nothing on this page asks the network for anything."
_MEDIA = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json", "geojson": "application/geo+json", "csv": "text/csv",
    "md": "text/markdown; charset=utf-8", "txt": "text/plain; charset=utf-8",
    "yaml": "application/yaml", "gpkg": "application/geopackage+sqlite3",
    "parquet": "application/vnd.apache.parquet", "pmtiles": "application/vnd.pmtiles",
    "tif": "image/tiff; application=geotiff; profile=cloud-optimized",
}  # fmt: skip


def tools() -> dict[str, Reply]:
    """Scripts and styles that a served map has beside its own, by name."""
    folder = resources.files("minetrace.faces") / "web"
    return {name: Reply.of(folder.joinpath(name).read_bytes(), _media(name)) for name in TOOLS}


@router.get("/")
async def first(request: Request) -> Response:
    """The map, or a list where there are several."""
    runs = state_of(request).runs
    if len(runs) == 1:
        return RedirectResponse(f"/runs/{next(iter(runs))}/map/", status_code=307)
    rows = "".join(
        f'<li><a href="/runs/{run.id}/map/">{html.escape(run.title)}</a></li>'
        for run in runs.values()
    )
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Maps of mining</title></head><body><main><h1>Maps of mining</h1>"
        f'<ul>{rows}</ul><p><a href="/api">API</a>, <a href="/stac">STAC</a></p>'
        "</main></body></html>"
    )
    return Reply.of(page.encode(), _MEDIA["html"]).to(request)


@router.get("/runs/{run}/map/")
@router.get("/runs/{run}/map/index.html")
async def map_page(request: Request, run: str) -> Response:
    """The map with the tools that need a service."""
    published = state_of(request).run(run)
    if "map/index.html" not in published.files:
        raise UnknownNameError(f"{run} was published without a map; its API is at /api")
    page = published.files["map/index.html"].read_text(encoding="utf-8")
    scripts = "".join(f'<script src="/tools/{n}"></script>\n' for n in TOOLS if n.endswith(".js"))
    for old, new in (
        (_STYLE, f'{_STYLE}\n<link rel="stylesheet" href="/tools/tools.css">'),
        (_ALONE, "This page asks nothing of anybody but the service that it came from."),
        ("</body>", f"{scripts}</body>"),
        ("<body>", f'<body data-run="{html.escape(published.id)}">'),
    ):
        page = page.replace(old, new)
    return Reply.of(page.encode(), _MEDIA["html"]).to(request)


@router.get("/tools/{name}")
async def tool(request: Request, name: str) -> Response:
    """A script or style of the tools."""
    found: Mapping[str, Reply] = request.app.state.tools
    if name not in found:
        raise UnknownNameError(f"no tool is called {name[:80]!r}")
    return found[name].to(request)


@router.api_route("/runs/{run}/{name:path}", methods=["GET", "HEAD"])
async def file(request: Request, run: str, name: Annotated[str, Path(max_length=300)]) -> Response:
    """A file of the table of this run."""
    refuse_unknown_words(request, set())
    published = state_of(request).run(run)
    path = published.files.get(name)
    if path is None:
        raise UnknownNameError(f"{run} hands out no {name[:80]!r}")
    return FileResponse(path, media_type=_media(name), headers={"cache-control": FRESH})


def _media(name: str) -> str:
    return _MEDIA.get(name.rpartition(".")[2], "application/octet-stream")
