"""Asking a catalog for the items over a region, once: what is found is kept in a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from minetrace.core.provenance import fingerprint
from minetrace.errors import MissingFileError, NoPermissionError, ReadFailedError, StudyError
from minetrace.sources.stac_items import Item, from_table, newest, parse_item, to_table
from minetrace.store.files import write_whole
from minetrace.store.http import HttpClient, Reply, Signer, holds_secret, redacted
from minetrace.store.outlines import read_table, write_table

SEARCH_RECIPE = 4  # changes whenever the same answers would give another table
PAGE = 100  # servers fail where a page of long items gets too many bytes
MOST_POINTS = 500  # of an outline that is sent to a catalog


@dataclass(frozen=True)
class Search:
    """What a catalog is asked.

    Attributes:
        url: of a STAC API, a static catalog, a collection or an item, or a path of one.
        collection: None for all that is there.
        ground: EPSG:4326; items that touch it are found.
        spans: half-open spans of solar days.
        alternate: which of an asset's addresses to take; see ``parse_item``.
    """

    url: str
    collection: str | None
    ground: BaseGeometry
    spans: tuple[tuple[date, date], ...]
    alternate: str = ""

    @property
    def key(self) -> str:
        """Names the answer: equal searches have equal keys."""
        return fingerprint({
            "recipe": SEARCH_RECIPE, "url": self.url, "collection": self.collection,
            "ground": shapely.to_wkb(shapely.normalize(self.ground), hex=True),
            "spans": [[str(a), str(b)] for a, b in self.spans], "alternate": self.alternate,
        })  # fmt: skip

    def holds(self, day: date) -> bool:
        """True if a day is in one of the spans."""
        return any(start <= day < end for start, end in self.spans)


def find_items(
    search: Search, client: HttpClient, *, folder: Path | None = None, refresh: bool = False,
    sign: Signer | None = None,
) -> list[Item]:  # fmt: skip
    """The items that a search finds, newest processing only, in order of day and id.

    Args:
        search: what to ask.
        client: who asks.
        folder: where the answer is kept as a table, and looked for first.
        refresh: ask again, whatever is kept.
        sign: for catalogs that want to know who asks.

    Raises:
        ReadFailedError: the catalog does not answer.
        StudyError, MissingFileError, NoPermissionError: it answers that it has nothing for us.
    """
    path = folder / f"{search.key[:16]}.parquet" if folder else None
    if path and path.is_file() and not refresh:
        return from_table(read_table(path), path)
    found: dict[tuple[str, str], Item] = {}
    for told in _ask(search, client, sign):
        if not told.get("geometry"):  # STAC allows items that are nowhere
            continue
        item = parse_item(told, search.alternate)
        if search.holds(item.day) and item.footprint.intersects(search.ground):
            found[item.collection, item.id] = item
    items = sorted(newest(found.values()), key=lambda item: (item.day, item.id))
    # what is not there yet may be there the next time, and what is signed is not written down
    if path and items and not any(map(_signed, items)):
        write_whole(path, partial(write_table, table=to_table(items)))
    return items


def _signed(item: Item) -> bool:
    assets = [*item.bands.values(), *([item.mask[1]] if item.mask else [])]
    return any(holds_secret(asset.href) for asset in assets)


def _ask(search: Search, client: HttpClient, sign: Signer | None) -> Iterator[dict[str, Any]]:
    io = _stac_io(client, sign)
    root = _read_root(search.url, io)
    kind = root.get("type")
    if kind == "FeatureCollection":
        yield from (_with_places(item, search.url) for item in root.get("features", ()))
    elif kind == "Feature":
        yield _with_places(root, search.url)
    elif any(link.get("rel") == "search" for link in root.get("links", ())):
        yield from _ask_api(search, io)
    else:
        yield from _walk(search, root, io)


def _ask_api(search: Search, io: Any) -> Iterator[dict[str, Any]]:
    from pystac_client import Client

    if search.collection is None:
        raise StudyError(
            f"{redacted(search.url)}: which of its collections is meant? name it in "
            "sources.collection, such as sentinel-2-l2a"
        )
    api = Client.open(search.url, stac_io=io)
    api.add_conforms_to("ITEM_SEARCH")  # some have it and do not say so
    for start, end in _joined(search.spans):
        # a solar day begins up to half a day before or after that of UTC
        first, last = start - timedelta(days=1), end + timedelta(days=1)
        asked = api.search(
            collections=[search.collection], intersects=mapping(simple(search.ground)),
            datetime=f"{first}T00:00:00Z/{last}T00:00:00Z", limit=PAGE,
        )  # fmt: skip
        try:
            yield from asked.items_as_dicts()
        except ValueError as error:
            raise _garbled(search.url, error) from error


def _joined(spans: Sequence[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans in order, those that touch made one."""
    joined: list[tuple[date, date]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def simple(ground: BaseGeometry) -> BaseGeometry:
    """An outline of few points around the ground, EPSG:4326: catalogs refuse long ones."""
    world = box(-180, -90, 180, 90)
    slack_deg, around = 0.02, ground
    while shapely.get_num_coordinates(around) > MOST_POINTS:
        wide = shapely.buffer(ground, 2 * slack_deg, quad_segs=1)
        around = shapely.intersection(shapely.simplify(wide, slack_deg), world)
        slack_deg *= 2
    return around


def _walk(search: Search, root: dict[str, Any], io: Any) -> Iterator[dict[str, Any]]:
    """Items of a static catalog; branches that say they are elsewhere are not entered."""
    import pystac

    waiting = [(search.url, root)]
    while waiting:
        here, told = waiting.pop()
        if told.get("type") == "Collection" and not _may_hold(search, told):
            continue
        for link in told.get("links", ()):
            href = pystac.utils.make_absolute_href(str(link.get("href")), here, start_is_dir=False)
            if link.get("rel") == "item":
                item = _with_places(_read_json(href, io), href)
                if search.collection in (None, item.get("collection")):
                    yield item
            elif link.get("rel") == "child":
                waiting.append((href, _read_json(href, io)))


def _read_json(href: str, io: Any) -> dict[str, Any]:
    try:
        return dict(json.loads(io.read_text(href)))
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{redacted(href)}: a catalog names it, and it is not there; report it to the catalog"
        ) from error
    except ValueError as error:
        raise _garbled(href, error) from error


def _garbled(href: str, error: ValueError) -> ReadFailedError:
    return ReadFailedError(
        f"{redacted(href)}: the catalog's answer cannot be read, perhaps it was damaged on the way "
        f"({error}); run the same command again"
    )


def _with_places(item: dict[str, Any], href: str) -> dict[str, Any]:
    """An item whose assets say where they are from anywhere."""
    import pystac

    for asset in item.get("assets", {}).values():
        asset["href"] = pystac.utils.make_absolute_href(asset["href"], href, start_is_dir=False)
    return item


def _may_hold(search: Search, collection: dict[str, Any]) -> bool:
    if search.collection not in (None, collection.get("id")):
        return False
    boxes = collection.get("extent", {}).get("spatial", {}).get("bbox") or []
    grounds = [box(*one) if len(one) == 4 else box(*one[:2], *one[3:5]) for one in boxes[:1]]
    return not grounds or any(one.intersects(search.ground) for one in grounds)


def _read_root(url: str, io: Any) -> dict[str, Any]:
    try:
        root = json.loads(io.read_text(url))
    except FileNotFoundError as error:
        raise MissingFileError(f"{redacted(url)}: no such catalog; check sources.url") from error
    except ValueError as error:
        raise StudyError(f"{redacted(url)}: answers, but is no STAC catalog ({error})") from error
    if not isinstance(root, dict) or "type" not in root:
        raise StudyError(f"{redacted(url)}: answers, but is no STAC catalog; check sources.url")
    return root


def _stac_io(client: HttpClient, sign: Signer | None) -> Any:
    """pystac-client's door to the network, opened by our own client."""
    from pystac_client.stac_api_io import StacApiIO

    class Io(StacApiIO):
        def request(
            self, href: str, method: str | None = None, headers: dict[str, str] | None = None,
            parameters: dict[str, Any] | None = None,
        ) -> str:  # fmt: skip
            method, body, sent = (method or "GET").upper(), None, dict(headers or {})
            if method == "POST":
                body = json.dumps(parameters or {}).encode()
                sent["Content-Type"] = "application/json"
            elif parameters:
                href = _with_query(href, parameters)
            reply = client.request(method, href, headers=sent, body=body, sign=sign)
            _refuse(reply, href)
            return reply.body.decode("utf-8")

    return Io(max_retries=None)


def _with_query(href: str, parameters: dict[str, Any]) -> str:
    from urllib.parse import urlencode

    flat = {
        key: ",".join(map(str, value)) if isinstance(value, list | tuple)
        else json.dumps(value) if isinstance(value, dict) else value
        for key, value in parameters.items()
    }  # fmt: skip
    return f"{href}{'&' if '?' in href else '?'}{urlencode(flat)}"


def _refuse(reply: Reply, href: str) -> None:
    if 200 <= reply.status < 300:
        return
    where = f"{redacted(href)}: the catalog"
    if reply.status in (401, 403):
        raise NoPermissionError(f"{where} wants an account (HTTP {reply.status})")
    if reply.status == 404:
        raise MissingFileError(f"{where} has no such page (HTTP 404); check sources.url")
    if reply.status == 400:
        raise StudyError(f"{where} does not understand the search ({_said(reply)})")
    raise ReadFailedError(f"{where} answers with HTTP {reply.status}; run the same command again")


def _said(reply: Reply) -> str:
    try:
        told = json.loads(reply.body)
        return str(told.get("description") or told.get("detail") or told)[:200]
    except (ValueError, AttributeError):
        return "HTTP 400"
