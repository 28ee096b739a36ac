"""A small real server that answers as Planet's Basemaps and Data APIs do, on loopback.

Mosaics and quads come in pages, a quad's pixels by way of a redirect to another host, which refuses
who shows the key to it, as the real store does. It wants the key for everything else.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from minetrace.sources.planet_api import HALF_WORLD_M
from minetrace.testing.loopback import Loopback, address, listen

KEY = "PLAKnobodymayreadthis"
QUAD_PX = 64
RESOLUTION_M = 38.21851414258813  # so that a quad of 64 pixels is small, and the names stay short
PAGE = 2


@dataclass
class Basemap:
    """One mosaic that is served.

    Attributes:
        hazes: by quad, the (cloud, heavy haze) of its scenes, in percent; None: not said.
        value: reflectance x 10,000 of its blue band, so that pixels say where they come from.
    """

    name: str
    first: date
    last: date
    hazes: Mapping[str, Sequence[tuple[int, int] | None]]
    value: int = 1000
    dtype: str = "uint16"


@dataclass
class Seen:
    """What was asked: paths with their queries, and the two hosts' authorisations."""

    paths: list[str] = field(default_factory=list)
    at_store: list[str | None] = field(default_factory=list)


class PlanetServer(Loopback):
    """Basemaps, served; a context manager.

    Attributes:
        url: of the service.
        store: address of the pixels.
        busy: how many of the next requests are answered with 429.
    """

    def __init__(self, folder: Path, basemaps: Sequence[Basemap]) -> None:
        self.folder, self.basemaps = folder, {one.name: one for one in basemaps}
        self.seen, self.busy = Seen(), 0
        for one in basemaps:
            for quad in one.hazes:
                write_quad(folder / one.name / f"{quad}.tif", quad, one)
        store = listen(_handler(self, _StoreHandler))
        self.store = address(store)
        super().__init__(listen(_handler(self, _ApiHandler)), store)


def quad_pixels(quad: str, basemap: Basemap) -> NDArray[np.uint16]:
    """Counts of a quad: blue, green, red, nir that grow to the east, and alpha with a hole."""
    ramp = np.arange(QUAD_PX, dtype=np.uint16)[None, :].repeat(QUAD_PX, axis=0)
    bands = [ramp + basemap.value + 100 * band for band in range(4)]
    alpha = np.full((QUAD_PX, QUAD_PX), 65535, dtype=np.uint16)
    alpha[:4, :4] = 0
    return np.stack([*bands, alpha])


def write_quad(path: Path, quad: str, basemap: Basemap) -> None:
    """A quad as a COG."""
    column, row = map(int, quad.split("-"))
    side = QUAD_PX * RESOLUTION_M
    place = from_origin(column * side - HALF_WORLD_M, (row + 1) * side - HALF_WORLD_M,
                        RESOLUTION_M, RESOLUTION_M)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = quad_pixels(quad, basemap).astype(basemap.dtype)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=QUAD_PX, height=QUAD_PX, count=5, dtype=basemap.dtype,
            crs="EPSG:3857", transform=place,
        ) as target:  # fmt: skip
            target.write(counts)
            target.colorinterp = [*[ColorInterp.gray] * 4, ColorInterp.alpha]
        with memory.open() as source:
            rasterio.shutil.copy(source, str(path), driver="COG", compress="DEFLATE",
                                 blocksize=128, overviews="NONE")  # fmt: skip


def _handler(owner: PlanetServer, kind: type[BaseHTTPRequestHandler]) -> Any:
    return type("Handler", (kind,), {"owner": owner})


class _Quiet(BaseHTTPRequestHandler):
    owner: PlanetServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer whole."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def tell(self, thing: Any) -> None:
        """Answer with JSON."""
        self.send(200, json.dumps(thing).encode(), Content_Type="application/json")


class _StoreHandler(_Quiet):
    def do_GET(self) -> None:
        owner, authorization = self.owner, self.headers.get("Authorization")
        owner.seen.at_store.append(authorization)
        parts = urlsplit(self.path)
        file = owner.folder / parts.path.strip("/")
        if authorization or "Signature" not in parts.query or not file.is_file():
            self.send(400, b"<Error>only one auth mechanism allowed</Error>")
            return
        content = file.read_bytes()
        found = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if found is None:
            self.send(200, content, ETag=f'"{len(content)}"')
            return
        first, last = int(found[1]), min(int(found[2]), len(content) - 1)
        if first >= len(content):
            self.send(416)
            return
        self.send(206, content[first : last + 1], ETag=f'"{len(content)}"',
                  Content_Range=f"bytes {first}-{last}/{len(content)}")  # fmt: skip


class _ApiHandler(_Quiet):
    def do_GET(self) -> None:
        owner = self.owner
        owner.seen.paths.append(self.path)
        if owner.busy > 0:
            owner.busy -= 1
            self.send(429, b"{}", Retry_After="0")
            return
        if self.headers.get("Authorization") != "Basic " + b64encode(f"{KEY}:".encode()).decode():
            self.send(401, b'{"message": "Please enter your API key"}')
            return
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._answer(parts.path.strip("/").split("/"), asked)

    def _answer(self, path: list[str], asked: dict[str, str]) -> None:
        maps = self.owner.basemaps
        match path:
            case ["basemaps", "v1", "mosaics"]:
                word = asked.get("name__contains", "")
                listed = [_facts(one) for one in maps.values() if word in one.name]
                self._page("mosaics", listed, asked)
            case ["basemaps", "v1", "mosaics", key, "quads"]:
                quads = [{"id": quad, "percent_covered": 100} for quad in maps[key[3:]].hazes]
                self._page("items", quads, asked)
            case ["basemaps", "v1", "mosaics", key, "quads", quad, "items"]:
                count = len(maps[key[3:]].hazes[quad])
                links = [f"{self.owner.url}/data/v1/item-types/PSScene/items/"
                         f"{key[3:]}.{quad}.{n}?api_key={KEY}" for n in range(count)]  # fmt: skip
                self._page("items", [{"link": link} for link in links], asked)
            case ["basemaps", "v1", "mosaics", key, "quads", quad, "full"]:
                where = f"{self.owner.store}/{key[3:]}/{quad}.tif?Signature=abc"
                self.send(302, Location=where)
            case ["data", "v1", "item-types", _, "items", scene]:
                self._scene(scene)
            case _:
                self.send(404, b"{}")

    def _scene(self, scene: str) -> None:
        name, quad, number = scene.rsplit(".", 2)
        haze = self.owner.basemaps[name].hazes[quad][int(number)]
        if haze is None:
            self.send(404, b"{}")
            return
        cloud, heavy = haze
        self.tell({"properties": {"cloud_percent": cloud, "heavy_haze_percent": heavy}})

    def _page(self, key: str, things: list[Any], asked: dict[str, str]) -> None:
        start = int(asked.get("_page", 0)) * PAGE
        links = {}
        if start + PAGE < len(things):
            following = {**asked, "_page": start // PAGE + 1, "api_key": KEY}
            path = urlsplit(self.path).path
            links["_next"] = f"{self.owner.url}{path}?{urlencode(following)}"
        self.tell({"_links": links, key: things[start : start + PAGE]})


def _facts(one: Basemap) -> dict[str, Any]:
    return {
        "id": f"id-{one.name}", "name": one.name, "datatype": one.dtype,
        "first_acquired": f"{one.first}T00:00:00.000Z",
        "last_acquired": f"{one.last + timedelta(days=1)}T00:00:00.000Z",
        "grid": {"quad_size": QUAD_PX, "resolution": RESOLUTION_M},
    }  # fmt: skip
