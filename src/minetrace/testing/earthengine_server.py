"""A small real server that answers as Earth Engine's REST API and its bucket do, on loopback.

It computes what it is asked for, by ``earthengine_graph``, on images whose pixels are a function of
where they lie; exports take two looks at their state before they are done, and lie in the bucket
until they are deleted.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import rasterio
import rasterio.warp
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from shapely.geometry import box, mapping

from minetrace.testing.earthengine_graph import Picture, evaluate
from minetrace.testing.loopback import Loopback, listen

TOKEN = "ya29.nobodymayreadthis"
PAGE = 2
_CLOUDY = "CLOUD_SCORE_PLUS"
_S2 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
_A = tuple(f"A{number:02}" for number in range(64))
_L = (*(f"SR_B{n}" for n in range(1, 8)), "ST_B10", "ST_B6")


@dataclass(frozen=True)
class Served:
    """An image that is served.

    Attributes:
        id: with its collection.
        day: ISO date.
        bounds: left, bottom, right, top in degrees.
        level: added to every count.
        cloudy: shares of a kilometre, from the west, that are cloud.
        bands: that it says it has; empty for not saying.
    """

    id: str
    day: str
    bounds: tuple[float, float, float, float]
    level: int = 0
    cloudy: tuple[float, float] = (0.0, 0.0)
    bands: tuple[str, ...] = ()


@dataclass
class Seen:
    """What was asked: (method, path), the requests for pixels, and exports by name."""

    requests: list[tuple[str, str]] = field(default_factory=list)
    pixels: list[dict[str, Any]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    exports: dict[str, dict[str, Any]] = field(default_factory=dict)


class EarthEngineServer(Loopback):
    """Images, served; a context manager.

    Attributes:
        busy: how many of the next requests are answered with 429.
        broken: how many of the next exports fail.
        jealous: whether the same order twice is refused, rather than answered as the first was.
        before: called with each request; True to drop it unseen.
        after: called when a request was dealt with; True not to answer.
    """

    def __init__(self, images: Sequence[Served]) -> None:
        self.images = {one.id: one for one in images}
        self.seen, self.busy, self.broken, self.jealous = Seen(), 0, 0, False
        self.before: Callable[[str, str], bool] = lambda *_: False
        self.after: Callable[[str, str], bool] = lambda *_: False
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        super().__init__(listen(handler))

    def computed(self, asked: Mapping[str, Any]) -> Picture:
        """What a request comes to."""
        x, y, crs = _centres(asked["grid"])

        def load(name: str) -> Any:
            if name in self.images:
                return picture(self.images[name], x, y, crs)
            if _CLOUDY in name:
                twin = next(i for i in self.images.values() if i.id.endswith(name.split("/")[-1]))
                return picture(twin, x, y, crs)
            inside = (one for one in self.images.values() if one.id.startswith(f"{name}/"))
            return [picture(one, x, y, crs) for one in inside]

        found: Picture = evaluate(asked["expression"], load)
        return found


def counts(image: Served, band: str, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Counts of a band: another pattern for each, by place alone."""
    if band in ("VV", "VH"):
        return np.asarray(-12.0 - 6.0 * (band == "VH") + np.floor(x / 10) % 7 / 4)
    if band in _A:
        return np.asarray(np.sin(np.floor(x / 10) + np.floor(y / 10) * int(band[1:]) + image.level))
    number = (_S2 if band in _S2 else _L).index(band)
    base = 44000.0 if band.startswith("ST_") else 9000.0 if band.startswith("SR_") else 800.0
    wave = np.floor(x / 10) * 3 % 500 + np.floor(y / 10) * 7 % 300
    return np.asarray(base + 100.0 * number + image.level + wave)


def picture(image: Served, x: NDArray[Any], y: NDArray[Any], crs: str) -> Picture:
    """All bands of an image at some places."""
    left, bottom, right, top = rasterio.warp.transform_bounds("EPSG:4326", crs, *image.bounds)
    inside = (x >= left) & (x < right) & (y >= bottom) & (y < top)
    share = x % 1000 / 1000
    cloud = (share >= image.cloudy[0]) & (share < image.cloudy[1])
    bands = _Bands(lambda band: counts(image, band, x, y))
    bands.update({"cs": np.where(cloud, 0.2, 0.9), "QA_PIXEL": np.where(cloud, 8.0, 64.0)})
    seen = dict.fromkeys((*_S2, *_L, *_A, "VV", "VH", *bands), inside)
    return Picture(bands, seen, image.day)


class _Bands(dict[str, NDArray[np.float64]]):
    """Bands that are made when they are asked for."""

    def __init__(self, make: Callable[[str], NDArray[np.float64]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, band: str) -> NDArray[np.float64]:
        return self.setdefault(band, self._make(band))


def _centres(grid: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[Any], str]:
    place, size = grid["affineTransform"], grid["dimensions"]
    column, row = np.meshgrid(np.arange(size["width"]) + 0.5, np.arange(size["height"]) + 0.5)
    x = place["translateX"] + place["scaleX"] * column
    return x, place["translateY"] + place["scaleY"] * row, str(grid["crsCode"])


class _Handler(BaseHTTPRequestHandler):
    owner: EarthEngineServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve("GET", {})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._serve("POST", json.loads(self.rfile.read(length)))

    def do_DELETE(self) -> None:
        self._serve("DELETE", {})

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _serve(self, method: str, asked: dict[str, Any]) -> None:
        owner, parts = self.owner, urlsplit(self.path)
        if owner.before(method, self.path):
            self.close_connection = True
            return
        owner.seen.requests.append((method, parts.path))
        if owner.busy > 0:
            owner.busy -= 1
            self._send(429, b"{}")
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(401, "Request had invalid authentication credentials.")
        elif parts.path.endswith(":listAssets"):
            self._list(parts.path, parse_qs(parts.query))
        elif parts.path.endswith("image:computePixels"):
            self._compute(asked)
        elif parts.path.endswith("image:export"):
            self._export(asked)
        elif parts.path.endswith(":cancel"):
            self._cancel(parts.path.removeprefix("/v1/").removesuffix(":cancel"))
        elif parts.path.endswith("/operations"):
            self._operations(parse_qs(parts.query))
        elif "/operations/" in parts.path:
            self._operation(parts.path.removeprefix("/v1/"))
        elif parts.path.startswith("/storage/v1/b/"):
            self._bucket(method, parts.path, parse_qs(parts.query))
        else:
            self._refuse(404, "not found")

    def _list(self, path: str, query: dict[str, list[str]]) -> None:
        collection = path.removeprefix("/v1/projects/earthengine-public/assets/").split(":")[0]
        start, end = re.findall(r'startTime [<>]=? "(\d{4}-\d\d-\d\d)', query["filter"][0])
        found = [one for one in self.owner.images.values()
                 if one.id.startswith(f"{collection}/") and start <= one.day < end]  # fmt: skip
        first = int(query.get("pageToken", ["0"])[0])
        told: dict[str, Any] = {"assets": [
            {"type": "IMAGE", "id": one.id, "startTime": f"{one.day}T14:00:00Z",
             "geometry": mapping(box(*one.bounds)),
             "bands": [{"id": band} for band in one.bands]} for one in found[first : first + PAGE]
        ]}  # fmt: skip
        if first + PAGE < len(found):
            told["nextPageToken"] = str(first + PAGE)
        self._tell(told)

    def _compute(self, asked: dict[str, Any]) -> None:
        self.owner.seen.pixels.append(asked)
        size = asked["grid"]["dimensions"]
        if size["width"] * size["height"] * len(asked["bandIds"]) * 2 > 48 << 20:
            self._refuse(400, "Total request size must be less than or equal to 50331648 bytes.")
            return
        found = self.owner.computed(asked)
        kind = [(band, "<i2") for band in asked["bandIds"]]
        table = np.zeros((size["height"], size["width"]), dtype=kind)
        for band in asked["bandIds"]:
            table[band] = found.bands[band]
        content = io.BytesIO()
        np.save(content, table)
        self._send(200, content.getvalue())

    def _export(self, asked: dict[str, Any]) -> None:
        with self.owner.lock:
            exports = self.owner.seen.exports
            same = [k for k, v in exports.items() if v["requestId"] == asked["requestId"]]
            if same and self.owner.jealous:
                self._refuse(409, "a task of this requestId was started already")
                return
            name = same[0] if same else f"projects/p/operations/OP{len(exports)}"
            if not same:
                fails, self.owner.broken = self.owner.broken > 0, max(0, self.owner.broken - 1)
                exports[name] = {**asked, "looks": 0, "fails": fails, "cancelled": False}
        self._tell({"name": name, "metadata": {"state": "PENDING"}})

    def _told(self, name: str) -> dict[str, Any]:
        """An operation; looking at it lets it go on."""
        asked = self.owner.seen.exports[name]
        asked["looks"] += 1
        said: dict[str, Any] = {"description": asked["description"], "state": "RUNNING"}
        if asked["cancelled"]:
            return {"name": name, "done": True, "metadata": {**said, "state": "CANCELLED"}}
        if asked["looks"] < 2:
            return {"name": name, "metadata": said}
        said["batchEecuUsageSeconds"] = 12.5
        if asked["fails"]:
            return {"name": name, "done": True, "metadata": {**said, "state": "FAILED"},
                    "error": {"message": "User memory limit exceeded."}}  # fmt: skip
        return {"name": name, "done": True, "metadata": {**said, "state": "SUCCEEDED"}}

    def _operations(self, query: dict[str, list[str]]) -> None:
        names, first = list(self.owner.seen.exports), int(query.get("pageToken", ["0"])[0])
        told: dict[str, Any] = {
            "operations": [self._told(name) for name in names[first : first + PAGE]]
        }
        if first + PAGE < len(names):
            told["nextPageToken"] = str(first + PAGE)
        self._tell(told)

    def _operation(self, name: str) -> None:
        if name in self.owner.seen.exports:
            self._tell(self._told(name))
        else:
            self._refuse(404, "no such operation")

    def _cancel(self, name: str) -> None:
        if name in self.owner.seen.exports:
            self.owner.seen.exports[name]["cancelled"] = True
        self._tell({})

    def _bucket(self, method: str, path: str, query: dict[str, list[str]]) -> None:
        there = self._files()
        name = unquote(path.partition("/o/")[2])
        if not name:
            found = [one for one in there if one.startswith(query["prefix"][0])]
            self._tell({"items": [{"name": one} for one in found]} if found else {})
        elif name not in there:
            self._refuse(404, "no such object")
        elif method == "DELETE":
            self.owner.seen.deleted.add(name)
            self._send(204, b"")
        else:
            self._send(200, self._tiff(there[name]))

    def _files(self) -> dict[str, dict[str, Any]]:
        """What lies in the bucket, by name."""
        found = {}
        for asked in self.owner.seen.exports.values():
            there = asked["fileExportOptions"]["cloudStorageDestination"]
            name = f"{there['filenamePrefix']}.tif"
            whole = asked["looks"] >= 2 and not asked["fails"] and not asked["cancelled"]
            if whole and name not in self.owner.seen.deleted:
                found[name] = asked
        return found

    def _tiff(self, asked: dict[str, Any]) -> bytes:
        found = self.owner.computed(asked)
        grid, place = asked["grid"], asked["grid"]["affineTransform"]
        where = Affine(place["scaleX"], 0, place["translateX"],
                       0, place["scaleY"], place["translateY"])  # fmt: skip
        with MemoryFile() as memory:
            with memory.open(
                driver="GTiff", count=len(found.bands), dtype="int16", crs=grid["crsCode"],
                transform=where, **grid["dimensions"],
            ) as target:  # fmt: skip
                target.write(np.stack(list(found.bands.values())).astype(np.int16))
                target.descriptions = tuple(found.bands)
            return bytes(memory.read())

    def _tell(self, thing: Any) -> None:
        self._send(200, json.dumps(thing).encode())

    def _refuse(self, status: int, words: str) -> None:
        self._send(status, json.dumps({"error": {"code": status, "message": words}}).encode())

    def _send(self, status: int, body: bytes) -> None:
        if self.owner.after(self.command, self.path):
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
