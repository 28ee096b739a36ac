"""Asking Earth Engine's REST API: which images there are, and pixels of a computation.

Our own HTTP client and a token take the place of Google's client library: one policy of retries,
one place where secrets are kept out of messages, and a boundary that a server on loopback can
stand in for. Source: Earth Engine REST API v1 (assets.listAssets, image.computePixels).
"""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.errors import (
    MissingExtraError,
    NoPermissionError,
    ReadFailedError,
    StudyError,
)
from minetrace.sources.earthengine_graph import Call, expression
from minetrace.sources.earthengine_meter import Meter
from minetrace.sources.trust import LOOPBACK, refuse_untrusted
from minetrace.store.http import HttpClient, Reply, redacted

URL = "https://earthengine.googleapis.com"
TOKEN_ENV = "EARTHENGINE_TOKEN"
PROJECT_ENV = "EARTHENGINE_PROJECT"
SCOPES = ("https://www.googleapis.com/auth/earthengine",
          "https://www.googleapis.com/auth/devstorage.read_write")  # fmt: skip
MOST_BYTES = 48 << 20  # of pixels in one answer, before compression
PAGE = 500
_RENEW_S = 2400.0  # a token lasts an hour


@dataclass(frozen=True)
class EeImage:
    """An image of a collection.

    Attributes:
        id: with its collection.
        day: of acquisition, UTC.
        ground: EPSG:4326.
    """

    id: str
    day: date
    ground: BaseGeometry = field(compare=False)


@dataclass(frozen=True)
class EarthEngineApi:
    """One project that asks.

    Attributes:
        url: of the service.
        project: of Google Cloud, that is billed.
        tag: by which the project's monitoring tells these requests from others.
    """

    url: str
    project: str
    client: HttpClient
    meter: Meter
    tag: str = "minetrace"

    def images(
        self, collection: str, ground: BaseGeometry, start: date, end: date, *,
        only: str = "", bands: Sequence[str] = (),
    ) -> list[EeImage]:  # fmt: skip
        """Images that touch some ground (EPSG:4326) in a half-open span, by day and id.

        Args:
            only: a further condition, in the service's words.
            bands: own names of bands that an image must have.
        """
        found = self._touching(collection, ground, (start, end), only, bands)
        return sorted(found, key=lambda one: (one.day, one.id))

    def has_images(
        self, collection: str, ground: BaseGeometry, start: date, end: date, *,
        bands: Sequence[str] = (),
    ) -> bool:  # fmt: skip
        """Whether there is any of ``images``; asks for no more than it takes to know."""
        found = self._touching(collection, ground, (start, end), "", bands)
        return next(found, None) is not None

    def _touching(
        self, collection: str, ground: BaseGeometry, span: tuple[date, date], only: str,
        bands: Sequence[str],
    ) -> Iterator[EeImage]:  # fmt: skip
        outline = json.dumps(mapping(ground.convex_hull)).replace('"', "'")
        wanted = (
            f'startTime >= "{span[0]}T00:00:00Z" AND startTime < "{span[1]}T00:00:00Z" '
            f'AND intersects("{outline}")' + (f" AND {only}" if only else "")
        )
        address = f"{self.url}/v1/projects/earthengine-public/assets/{collection}:listAssets"
        told = self._pages(address, {"filter": wanted, "view": "FULL"})
        found = (_image(one) for one in told if _has(one, bands))
        return (one for one in found if one.ground.intersects(ground))

    def greet(self) -> None:
        """Ask for one image, to see whether we are let in."""
        collection = "projects/earthengine-public/assets/COPERNICUS/S2_SR_HARMONIZED"
        days = 'startTime >= "2024-07-01T00:00:00Z" AND startTime < "2024-07-02T00:00:00Z"'
        asked = {"filter": days, "view": "BASIC", "pageSize": "1"}
        self.get(f"{self.url}/v1/{collection}:listAssets?{urlencode(asked)}")

    def pixels(
        self, image: Call, bands: Sequence[str], grid: Grid, rect: Rect
    ) -> NDArray[np.int16]:
        """A computation on a rectangle of a grid, (bands, height, width).

        Raises:
            ReadFailedError: no answer, or the ceiling is reached.
        """
        body = {
            "expression": expression(image), "fileFormat": "NPY", "bandIds": list(bands),
            "grid": pixel_grid(grid, rect), "workloadTag": self.tag,
        }  # fmt: skip
        reply = self.post(f"projects/{self.project}/image:computePixels", body)
        self.meter.count(received_bytes=len(reply.body))
        try:
            table = np.load(io.BytesIO(reply.body), allow_pickle=False)
            found = np.stack([table[band] for band in bands]).astype(np.int16)
        except (ValueError, KeyError, EOFError, OSError) as error:
            raise ReadFailedError(
                "Earth Engine answered with something else than the pixels that were asked for; "
                "run the same command again"
            ) from error
        if found.shape[1:] != rect.shape:
            raise ReadFailedError(
                f"Earth Engine answered with {found.shape[1:]} pixels where {rect.shape} were "
                "asked for; run the same command again"
            )
        return found

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Ask for a computation; any answer but 200 is an error."""
        content = json.dumps(body, separators=(",", ":")).encode()
        return self._ask("POST", f"{self.url}/v1/{path}", content)

    def get(self, address: str) -> Any:
        """Ask for JSON."""
        body = self._ask("GET", address).body
        try:
            return json.loads(body)
        except ValueError as error:
            raise ReadFailedError(
                f"{redacted(address)}: answered with something else than JSON; "
                "run the same command again"
            ) from error

    def reply(
        self, method: str, address: str, body: bytes | None = None, *, computes: bool = True
    ) -> Reply:
        """Ask Earth Engine, whatever it answers; counted by the meter.

        Raises:
            ReadFailedError: no answer, or the ceiling is reached.
        """
        self.meter.ask(computes=computes)
        return self.send(method, address, body)

    def send(self, method: str, address: str, body: bytes | None = None) -> Reply:
        """Ask any server of Google's, whatever it answers."""
        headers = {"Content-Type": "application/json"} if body else {}
        return self.client.request(
            method, address, headers=headers, body=body, sign=lambda _, url: (url, self._token(url))
        )

    def accepted(self, reply: Reply, what: str) -> Reply:
        """An answer that is 200.

        Raises:
            NoPermissionError: the project is not let in.
            ReadFailedError: any other answer.
        """
        if reply.status == 200:
            return reply
        said = self.refusal(reply)
        raise ReadFailedError(
            f"{what}: HTTP {reply.status}: {said}; check the study, or run the same command again"
        )

    def refusal(self, reply: Reply) -> str:
        """Why something was not done, in the service's words.

        Raises:
            NoPermissionError: the project is not let in at all.
        """
        if reply.status in (401, 403):
            raise NoPermissionError(
                f"Earth Engine does not let project {self.project} in (HTTP {reply.status}: "
                f"{said_by(reply)}); register it at code.earthengine.google.com/register, and sign "
                "in with 'gcloud auth application-default login'"
            )
        return said_by(reply)

    def _ask(self, method: str, address: str, body: bytes | None = None) -> Reply:
        return self.accepted(self.reply(method, address, body), redacted(address))

    def _token(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            return {}
        refuse_untrusted(TOKEN_ENV, url)
        return {"Authorization": f"Bearer {token()}", "x-goog-user-project": self.project}

    def _pages(self, address: str, asked: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        page: dict[str, str] = {}
        while True:
            query = urlencode({**asked, "pageSize": str(PAGE), **page})
            told = self.get(f"{address}?{query}")
            yield from told.get("assets") or ()
            if not told.get("nextPageToken"):
                return
            page = {"pageToken": str(told["nextPageToken"])}


def pixel_grid(grid: Grid, rect: Rect) -> dict[str, Any]:
    """A rectangle of a lattice, as Earth Engine wants to hear it."""
    place = grid.affine(rect)
    return {
        "dimensions": {"width": rect.width, "height": rect.height},
        "affineTransform": {
            "scaleX": place.a, "shearX": 0, "translateX": place.c,
            "shearY": 0, "scaleY": place.e, "translateY": place.f,
        },
        "crsCode": grid.crs,
    }  # fmt: skip


def project_of(said: str | None) -> str:
    """The project that is billed: the study's, or the environment's.

    Raises:
        StudyError: nobody names one.
    """
    found = said or os.environ.get(PROJECT_ENV) or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not found:
        raise StudyError(
            "Earth Engine wants a Google Cloud project: name it in sources.project or in the "
            f"environment variable {PROJECT_ENV}"
        )
    return found


_lock = threading.Lock()
_kept: dict[str, tuple[str, float]] = {}


def token() -> str:
    """A token that lets us in, from the environment or the application default credentials.

    Raises:
        MissingExtraError: there is none in the environment, and google-auth is not installed.
        StudyError: nobody is signed in.
    """
    said = os.environ.get(TOKEN_ENV)
    if said:
        return said
    with _lock:
        kept = _kept.get("adc")
        if kept is None or time.monotonic() > kept[1]:
            kept = _kept["adc"] = (_fetched(), time.monotonic() + _RENEW_S)
    return kept[0]


def _fetched() -> str:
    try:
        import google.auth
        import google.auth.transport.requests
    except ImportError as error:
        raise MissingExtraError(
            "signing in to Earth Engine needs google-auth: pip install 'minetrace[earthengine]', "
            f"or set the environment variable {TOKEN_ENV}"
        ) from error
    try:
        credentials, _ = google.auth.default(scopes=list(SCOPES))
        asks: Any = google.auth.transport.requests.Request()
        renew: Any = credentials.refresh
        renew(asks)
    except google.auth.exceptions.GoogleAuthError as error:
        raise StudyError(
            "nobody is signed in to Google Cloud: run 'gcloud auth application-default login', or "
            f"set {TOKEN_ENV} or GOOGLE_APPLICATION_CREDENTIALS"
        ) from error
    return str(credentials.token)


def _image(told: Mapping[str, Any]) -> EeImage:
    day = datetime.fromisoformat(str(told["startTime"])).date()
    return EeImage(str(told["id"]), day, shape(told["geometry"]))


def _has(told: Mapping[str, Any], bands: Sequence[str]) -> bool:
    there = {str(band.get("id")) for band in told.get("bands") or ()}
    return not there or there.issuperset(bands)


def said_by(reply: Reply) -> str:
    """The service's own words, in one line."""
    try:
        words = str(json.loads(reply.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        words = "no reason given"
    return " ".join(words.split())[:200]
