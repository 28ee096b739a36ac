"""Asking Planet's Basemaps and Data APIs: mosaics, their quads, and the scenes in a quad.

Source: Planet's API references (Basemaps API v1, Data API v1). The key goes as the user of basic
authentication, to Planet's own hosts alone; addresses that come back with a key in their query
lose it before anything else happens to them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.errors import NoPermissionError, ReadFailedError, StudyError
from minetrace.sources.place import transformer
from minetrace.sources.planet_options import NICFI_ENDED
from minetrace.sources.stac_signing import Access, signer
from minetrace.sources.trust import refuse_untrusted
from minetrace.store.http import HttpClient, redacted

PAGE = 250
ASKERS = 8  # threads that wait for scenes' metadata
HALF_WORLD_M = 20037508.342789244  # of Web Mercator
_MOST_PAGES = 10_000


@dataclass(frozen=True)
class Mosaic:
    """A basemap of one window of time.

    Attributes:
        first, last: days of the window; ``last`` is the last one in it.
        dtype: numpy name of its counts.
        quad_px: side of a quad.
        resolution_m: of Web Mercator, at the equator.
    """

    id: str
    name: str
    first: date
    last: date
    dtype: str
    quad_px: int
    resolution_m: float

    @property
    def day(self) -> date:
        """The middle of its window, which stands for it."""
        return self.first + (self.last - self.first) / 2

    def ground(self, quad: str) -> BaseGeometry:
        """Ground of a quad, EPSG:4326, by its column and row from the south-west corner.

        Raises:
            StudyError: it is no name of a quad.
        """
        match = re.fullmatch(r"(\d+)-(\d+)", quad)
        if match is None:
            raise StudyError(f"{quad}: not the name of a quad, such as 1200-1000")
        side = self.quad_px * self.resolution_m
        west, south = (int(number) * side - HALF_WORLD_M for number in match.groups())
        to_degrees = transformer("EPSG:3857", "EPSG:4326").transform
        corners = [(west, south), (west + side, south + side)]
        (left, bottom), (right, top) = (to_degrees(*corner) for corner in corners)
        return box(left, bottom, right, top)


@dataclass(frozen=True)
class Haze:
    """What hides the ground in one scene, each from 0 to 1."""

    cloud: float
    heavy_haze: float


@dataclass(frozen=True)
class PlanetApi:
    """One service and the account that asks.

    Attributes:
        url: of the service, without a path.
        client: who asks.
        key_env: environment variable of the key.
    """

    url: str
    client: HttpClient
    key_env: str

    def mosaics(self, pattern: str) -> list[Mosaic]:
        """Mosaics that the key may see, by a pattern of their names, in order of time.

        Raises:
            StudyError: there is none.
            NoPermissionError: the key is not accepted.
            ReadFailedError: no answer.
        """
        literal = max(re.split(r"[*?\[\]]", pattern), key=len)
        asked = {"_page_size": PAGE, **({"name__contains": literal} if literal else {})}
        address = f"{self.url}/basemaps/v1/mosaics?{urlencode(asked)}"
        found = [
            _mosaic(one) for one in self._pages(address, "mosaics")
            if fnmatchcase(str(one.get("name", "")), pattern)
        ]  # fmt: skip
        if not found:
            ended = f"; {NICFI_ENDED}" if "planet_medres" in pattern else ""
            raise StudyError(
                f"sources.mosaics: the key in {self.key_env} sees no mosaic named {pattern}{ended}"
            )
        return sorted(found, key=lambda mosaic: (mosaic.first, mosaic.last, mosaic.name))

    def quads(self, mosaic: Mosaic, ground: BaseGeometry) -> list[str]:
        """Names of a mosaic's quads that touch some ground (EPSG:4326), in order."""
        west, south, east, north = ground.bounds
        asked = {"bbox": f"{west:.8f},{south:.8f},{east:.8f},{north:.8f}", "_page_size": PAGE,
                 "minimal": "true"}  # fmt: skip
        address = f"{self.url}/basemaps/v1/mosaics/{mosaic.id}/quads?{urlencode(asked, safe=',')}"
        names = (str(one["id"]) for one in self._pages(address, "items"))
        return sorted({name for name in names if mosaic.ground(name).intersects(ground)})

    def scenes(self, mosaic: Mosaic, quad: str) -> list[str]:
        """Addresses of the metadata of the scenes that a quad is made of."""
        address = f"{self.url}/basemaps/v1/mosaics/{mosaic.id}/quads/{quad}/items"
        links = (str(one.get("link", "")) for one in self._pages(address, "items"))
        return sorted({_without_key(link) for link in links if link})

    def hazes(self, scenes: set[str]) -> dict[str, Haze | None]:
        """What hides the ground in scenes; None where nobody says it."""
        ordered = sorted(scenes)
        with ThreadPoolExecutor(ASKERS, "minetrace-planet") as pool:
            return dict(zip(ordered, pool.map(self._haze, ordered), strict=True))

    def download(self, mosaic: Mosaic, quad: str) -> str:
        """Address of a quad's pixels, without any key."""
        return f"{self.url}/basemaps/v1/mosaics/{mosaic.id}/quads/{quad}/full"

    @property
    def access(self) -> Access:
        """How quads are opened."""
        return key_access(self.url, self.key_env)

    def _haze(self, scene: str) -> Haze | None:
        told = self._ask(scene, missing_ok=True)
        return None if told is None else _haze_of(told.get("properties") or {})

    def _pages(self, address: str, key: str) -> Iterator[dict[str, Any]]:
        for _ in range(_MOST_PAGES):
            told = self._ask(address) or {}
            yield from told.get(key) or ()
            following = (told.get("_links") or {}).get("_next")
            if not following:
                return
            address = _without_key(urljoin(address, str(following)))

    def _ask(self, address: str, *, missing_ok: bool = False) -> dict[str, Any] | None:
        reply = self.client.request("GET", address, sign=signer(self.access, self.client))
        if reply.status in (404, 410) and missing_ok:
            return None
        if reply.status in (401, 403):
            raise NoPermissionError(
                f"{redacted(address)}: the key in {self.key_env} is not accepted (HTTP "
                f"{reply.status}); check it at planet.com/account, and that its plan covers these "
                "mosaics"
            )
        if reply.status != 200:
            raise ReadFailedError(
                f"{redacted(address)}: does not answer with what was asked for (HTTP "
                f"{reply.status}); check sources.mosaics, or run the same command again"
            )
        try:
            told = json.loads(reply.body)
        except ValueError as error:
            raise ReadFailedError(
                f"{redacted(address)}: answered with something else than JSON; "
                "run the same command again"
            ) from error
        return told if isinstance(told, dict) else {}


def key_access(url: str, key_env: str) -> Access:
    """The key, shown to the service and to Planet's other hosts alone.

    Raises:
        StudyError: it is not in the environment, or may not go to this service.
    """
    if not os.environ.get(key_env):
        raise StudyError(
            f"Planet needs an API key: set the environment variable {key_env} to the one that "
            "planet.com/account shows; docs/how-to/providers.md says what it opens"
        )
    refuse_untrusted(key_env, url)
    own = urlsplit(url).hostname or ""
    return Access("basic", hosts=(own, "planet.com"), token_env=key_env)


def _mosaic(told: Mapping[str, Any]) -> Mosaic:
    grid = told.get("grid") or {}
    try:
        last = datetime.fromisoformat(str(told["last_acquired"]))
        return Mosaic(
            str(told["id"]), str(told["name"]),
            datetime.fromisoformat(str(told["first_acquired"])).date(),
            # a window that ends at midnight ends with the day before
            (last - timedelta(microseconds=1)).date(),
            {"byte": "uint8"}.get(str(told.get("datatype", "")), str(told.get("datatype", ""))),
            int(grid["quad_size"]), float(grid["resolution"]),
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise ReadFailedError(
            f"a mosaic ({told.get('name', 'without a name')}) is described without {error}; "
            "leave it out of sources.mosaics"
        ) from error


def _haze_of(properties: Mapping[str, Any]) -> Haze | None:
    """By the usable data mask; older scenes have a cloud cover alone."""
    cloud, haze = properties.get("cloud_percent"), properties.get("heavy_haze_percent")
    if cloud is not None:
        return Haze(float(cloud) / 100, float(haze or 0) / 100)
    cover = properties.get("cloud_cover")
    return None if cover is None else Haze(float(cover), 0.0)


def _without_key(url: str) -> str:
    """An address without the key that the service puts into it."""
    parts = urlsplit(url)
    kept = [(k, v) for k, v in parse_qsl(parts.query) if k.lower() != "api_key"]
    return parts._replace(query=urlencode(kept, quote_via=quote, safe=",")).geturl()
