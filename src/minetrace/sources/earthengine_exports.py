"""Batch exports: Earth Engine computes a rectangle when it finds the time, and puts it in a bucket.

An export has a name that tells it from all others. It is sent as ``requestId`` too, so that the
same order twice starts one task, and it is the description, by which a task is found again whose
answer was lost. Source: Earth Engine REST API v1 (image.export, operations), Cloud Storage JSON
API v1 (objects).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA
from minetrace.errors import NoPermissionError, ReadFailedError
from minetrace.sources.earthengine_api import EarthEngineApi, pixel_grid, said_by
from minetrace.sources.earthengine_graph import Call, expression
from minetrace.store.http import Reply

STORAGE = "https://storage.googleapis.com"
PAGE = 1000
_UNDER_WAY = ("PENDING", "RUNNING", "CANCELLING")


@dataclass(frozen=True)
class ExportOptions:
    """Where exports go, and how patiently they are waited for.

    Attributes:
        bucket: of Cloud Storage; the project may write, read and delete in it.
        prefix: folder in the bucket.
        at_once: exports that wait or run there at a time.
        tries: how often an export that fails is ordered in all.
        poll_s: the first wait between two looks; each further one doubles while nothing happens.
        longest_poll_s: no wait is longer.
        url: of Cloud Storage.
    """

    bucket: str
    prefix: str = "minetrace"
    at_once: int = 20
    tries: int = 3
    poll_s: float = 10.0
    longest_poll_s: float = 300.0
    url: str = STORAGE


@dataclass(frozen=True)
class Operation:
    """What Earth Engine says of an export.

    Attributes:
        name: by which it is asked for; empty if it was refused.
        description: the export's own name.
        reason: why it failed.
        eecu_seconds: that it took.
    """

    name: str
    description: str
    state: Literal["under way", "succeeded", "failed"]
    reason: str = ""
    eecu_seconds: float = 0.0


@dataclass(frozen=True)
class ExportDesk:
    """Where exports are ordered and fetched."""

    api: EarthEngineApi
    bucket: str
    url: str = STORAGE

    def submit(self, name: str, folder: str, image: Call, grid: Grid, rect: Rect) -> Operation:
        """Order the computation of a rectangle; the same name twice is one export.

        Raises:
            ReadFailedError: no answer, or the ceiling is reached.
            NoPermissionError: the project is not let in.
        """
        body = {
            "expression": expression(image), "description": name, "requestId": name,
            "grid": pixel_grid(grid, rect), "workloadTag": self.api.tag,
            "fileExportOptions": {
                "fileFormat": "GEO_TIFF",
                "cloudStorageDestination": {
                    "bucket": self.bucket, "filenamePrefix": f"{folder}/pixels",
                },
            },
        }  # fmt: skip
        content = json.dumps(body, separators=(",", ":")).encode()
        address = f"{self.api.url}/v1/projects/{self.api.project}/image:export"
        reply = self.api.reply("POST", address, content)
        if reply.status == 200:
            return _operation(_told(reply))
        known = self.operations() if reply.status == 409 else {}
        same = [one for one in known.values() if one.description == name]
        return same[0] if same else Operation("", name, "failed", self.api.refusal(reply))

    def operations(self) -> dict[str, Operation]:
        """What the project has under way and had of late, by name."""
        found = (_operation(one) for one in self._pages())
        return {one.name: one for one in found}

    def operation(self, name: str) -> Operation:
        """One of them; failed if Earth Engine knows nothing of it."""
        reply = self.api.reply("GET", f"{self.api.url}/v1/{name}", computes=False)
        if reply.status == 404:
            return Operation(name, "", "failed", "Earth Engine knows nothing of it any more")
        return _operation(_told(self.api.accepted(reply, name)))

    def cancel(self, name: str) -> None:
        """Have an export stopped; one that has ended or is not known is left alone."""
        reply = self.api.reply("POST", f"{self.api.url}/v1/{name}:cancel", b"{}", computes=False)
        if reply.status not in (400, 404, 409):
            self.api.accepted(reply, name)

    def pixels(
        self, folder: str, bands: Sequence[str], grid: Grid, rect: Rect
    ) -> NDArray[np.int16]:  # fmt: skip
        """What an export has put into its folder, (bands, height, width): one file or several.

        Raises:
            ReadFailedError: it is not there, not whole, or something else.
        """
        found = np.full((len(bands), *rect.shape), NODATA, dtype=np.int16)
        seen = np.zeros(rect.shape, dtype=bool)
        for name in self._objects(folder):
            reply = self._storage("GET", name, "?alt=media")
            self.api.meter.count(received_bytes=len(reply.body))
            _place(reply.body, name, found, seen, grid, rect)
        if not seen.all():
            raise ReadFailedError(
                f"gs://{self.bucket}/{folder}: {seen.mean():.0%} of the exported pixels are there; "
                "'minetrace exports STORE --forget --days 0' has them exported again"
            )
        return found

    def remove(self, folder: str) -> None:
        """Delete what an export has put into its folder, if anything."""
        for name in self._objects(folder):
            self._storage("DELETE", name)

    def _objects(self, folder: str) -> list[str]:
        asked = urlencode({"prefix": f"{folder}/", "maxResults": PAGE})
        told = _told(self._storage("GET", "", f"?{asked}"))
        return [str(one["name"]) for one in told.get("items") or ()]

    def _storage(self, method: str, name: str, query: str = "") -> Reply:
        at = f"{self.url.rstrip('/')}/storage/v1/b/{quote(self.bucket)}/o"
        address = (f"{at}/{quote(name, safe='')}" if name else at) + query
        reply = self.api.send(method, address)
        if reply.status in (200, 204) or (method == "DELETE" and reply.status == 404):
            return reply
        said = f"gs://{self.bucket}/{name}: HTTP {reply.status}: {said_by(reply)}"
        if reply.status in (401, 403):
            raise NoPermissionError(
                f"{said}; let who is signed in list, read and delete objects of that bucket"
            )
        raise ReadFailedError(f"{said}; check sources.export.bucket and run the same command again")

    def _pages(self) -> Iterator[Mapping[str, Any]]:
        page: dict[str, str] = {}
        address = f"{self.api.url}/v1/projects/{self.api.project}/operations"
        while True:
            asked = f"{address}?{urlencode({'pageSize': str(PAGE), **page})}"
            reply = self.api.reply("GET", asked, computes=False)
            told = _told(self.api.accepted(reply, address))
            yield from told.get("operations") or ()
            if not told.get("nextPageToken"):
                return
            page = {"pageToken": str(told["nextPageToken"])}


def _told(reply: Reply) -> Mapping[str, Any]:
    try:
        told: Mapping[str, Any] = json.loads(reply.body)
        return told
    except ValueError as error:
        raise ReadFailedError(
            "Earth Engine answered with something else than JSON; run the same command again"
        ) from error


def _operation(told: Mapping[str, Any]) -> Operation:
    said = told.get("metadata") or {}
    name, what = str(told.get("name", "")), str(said.get("description", ""))
    spent = float(said.get("batchEecuUsageSeconds") or 0.0)
    state = str(said.get("state", "PENDING"))
    if not told.get("done") and state in _UNDER_WAY:
        return Operation(name, what, "under way", eecu_seconds=spent)
    if state in ("SUCCEEDED", "COMPLETED") and "error" not in told:
        return Operation(name, what, "succeeded", eecu_seconds=spent)
    words = str((told.get("error") or {}).get("message") or f"it was {state.lower()}")
    return Operation(name, what, "failed", " ".join(words.split())[:200], spent)


def _place(
    content: bytes, name: str, found: NDArray[np.int16], seen: NDArray[np.bool_],
    grid: Grid, rect: Rect,
) -> None:  # fmt: skip
    """Put the pixels of one exported file where they belong."""
    wanted = grid.affine(rect)
    try:
        with MemoryFile(content) as memory, memory.open() as file:
            row = round((file.transform.f - wanted.f) / wanted.e)
            col = round((file.transform.c - wanted.c) / wanted.a)
            height, width = file.shape
            there = grid.affine(Rect(rect.row + row, rect.col + col, height, width))
            inside = 0 <= row <= rect.height - height and 0 <= col <= rect.width - width
            fits = inside and file.transform.almost_equals(there, 1e-3)
            if not fits or file.count != len(found) or file.crs != grid.crs:
                raise ReadFailedError(
                    f"{name}: not the pixels that were ordered; 'minetrace exports STORE "
                    "--forget --days 0' has them exported again"
                )
            found[:, row : row + height, col : col + width] = file.read()
            seen[row : row + height, col : col + width] = True
    except RasterioError as error:
        raise ReadFailedError(
            f"{name}: cannot be read as a GeoTIFF; 'minetrace exports STORE --forget --days 0' "
            "has it exported again"
        ) from error
