"""The desk at which people say what they see: asks, keeps what is said, and tells how far it is.

It knows neither browsers nor databases: a store of answers is handed in, and whoever faces the
people passes on what they said. Nobody is told what another person said of an item.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.assess.agreement import Agreement, pairwise
from minetrace.core.region import project
from minetrace.errors import LabelError
from minetrace.flow.answers import kinds_of_answer, number_of, word_of
from minetrace.flow.review_pictures import Pictures, Shot
from minetrace.flow.review_queue import LONLAT, Item, Queue
from minetrace.flow.review_standing import (
    Stand,
    Standing,
    dispute_for,
    last_of,
    looks,
    next_for,
)
from minetrace.store.answers import KINDS, AnswerStore, Said

MOST_VERTICES = 5_000
NOTE_LENGTH = 2_000
REACH = 8.0  # frames: an outline that lies further off its item is a mistake


@dataclass(frozen=True)
class Desk:
    """One review.

    Attributes:
        queue: what is asked.
        store: where answers go.
        pictures: of the items.
        twice: share of the items that two people look at.
        settlers: people who may settle any dispute; others only where they did not answer.
    """

    queue: Queue
    store: AnswerStore
    pictures: Pictures
    twice: float = 0.0
    settlers: Sequence[str] = field(default=())

    def ask(
        self, who: str, *, disputes: bool = False, skip: Sequence[str] = ()
    ) -> dict[str, Any] | None:
        """The next item for a person, as JSON holds it; None when all is done.

        Args:
            disputes: settle, instead of answer.
            skip: items whose answers are still on their way.
        """
        standing = self._standing()
        if disputes:
            item = dispute_for(self.queue, standing, who, settlers=self.settlers, skip=skip)
        else:
            item = next_for(self.queue, standing, who, twice=self.twice, skip=skip)
        return None if item is None else self.described(item, standing, who)

    def described(self, item: Item, standing: Standing, who: str) -> dict[str, Any]:
        """An item, with this person's own words on it and nobody else's."""
        own = standing.answers.get(item.id, {}).get(who, Stand())
        return {
            "item": item.id, "number": self.queue.place[item.id], "name": item.name,
            "period": item.period, "before": item.before, "outlined": item.outlined,
            "shares": item.shares,
            "mine": {"verdict": own.verdict, "note": own.note},
            **self.pictures.described(item),
        }  # fmt: skip

    def back(self, who: str) -> dict[str, Any] | None:
        """What a person answered last, to be taken back; None if nothing stands."""
        said = self.store.read(self.queue.id)
        last = last_of(said, who)
        item = None if last is None else self.queue.item(last.item)
        if item is None or last is None:
            return None
        return {**self.described(item, Standing.of(said), who), "settles": last.kind == "settle"}

    def shot(self, number: int, before: bool, zoom: int) -> Shot | None:
        """A picture of an item by its number."""
        item = self.queue.items[number]
        period = item.before if before else item.period
        return None if period is None else self.pictures.shot(item, period, zoom)

    def take(self, who: str, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Keep what a person said.

        Args:
            said: each with id, item, kind, value, seconds, said_at and shown.

        Returns:
            ``stored``, ids that are kept by now, and ``refused``, why by id; the latter would be
            refused again.
        """
        kept, refused = [], {}
        standing = self._standing()
        for row in said:
            try:
                kept.append(self._checked(who, row, standing))
            except LabelError as error:
                refused[str(row["id"])] = str(error)
        self.store.add(kept)
        return {"stored": [row.id for row in kept], "refused": refused}

    def progress(self, who: str) -> dict[str, Any]:
        """How far a person is, and everybody; counts alone.

        Of the disputes those are counted that this person may settle, so that a dispute that their
        own answer opened does not show.
        """
        standing = self._standing()
        wanted = {item.id: looks(self.queue, item, self.twice) for item in self.queue.items}
        given = {name: min(len(standing.given(name)), wanted[name]) for name in wanted}
        own = [s for item in wanted if (s := standing.verdict(item, who)) is not None]
        return {
            "kind": self.queue.kind, "items": len(wanted), "wanted": sum(wanted.values()),
            "given": sum(given.values()), "mine": len(own), "people": len(standing.people()),
            "seconds": round(statistics.median(s.seconds for s in own), 1) if own else None,
            "disputes": sum(
                standing.disputed(name) for name in wanted
                if who in self.settlers or not standing.verdict(name, who)
            ),
        }  # fmt: skip

    def agreement(self, who: str | None = None) -> dict[str, Any]:
        """How far each two people agree, over all that both answered.

        Who still has something to look at is told nothing of their own agreement: it would change
        with each answer, and so give away what the other had said.

        Args:
            who: asks; None for whoever runs the review.
        """
        standing = self._standing()
        told = who is None or who in self.settlers or self._done(standing, who)
        pairs = [
            {"first": one, "second": two, "both": pair.both, "agreed": _plain(pair.agreed),
             "kappa": _plain(pair.kappa)}
            for (one, two), pair in agreements(self.queue, standing).items()
            if told or who not in (one, two)
        ]  # fmt: skip
        disputes = sum(standing.disputed(item.id) for item in self.queue.items)
        return {"pairs": pairs, "own": told, "disputes": disputes if told else None,
                "settled": len(standing.settled)}  # fmt: skip

    def _done(self, standing: Standing, who: str) -> bool:
        return next_for(self.queue, standing, who, twice=self.twice) is None

    def _standing(self) -> Standing:
        return Standing.of(self.store.read(self.queue.id))

    def _checked(self, who: str, row: Mapping[str, Any], standing: Standing) -> Said:
        item = self.queue.item(str(row["item"]))
        if item is None:
            raise LabelError(f"item {row['item']!r} is not of this review")
        kind, value = str(row["kind"]), str(row["value"])
        if kind not in KINDS:
            raise LabelError(f"{kind!r} is none of {', '.join(KINDS)}")
        number = number_of(value, shares=item.shares)
        if kind in ("answer", "settle") and (number is None or word_of(number) != value):
            raise LabelError(f"{value!r} is none of {kinds_of_answer(shares=item.shares)}")
        if kind == "settle" and who not in self.settlers and standing.verdict(item.id, who):
            raise LabelError("who answered an item does not settle it, unless named for that")
        if kind == "settle" and not (standing.disputed(item.id) or item.id in standing.settled):
            raise LabelError("people do not differ on this item, so there is nothing to settle")
        if kind == "note" and len(value) > NOTE_LENGTH:
            raise LabelError(f"a note has {len(value)} characters; the most are {NOTE_LENGTH}")
        if kind == "outline":
            value = self._as_geojson(item, value)
        return Said(
            str(row["id"]), self.queue.id, item.id, who, kind, value, float(row["seconds"]),
            str(row["said_at"]), json.dumps(row["shown"]),
        )  # fmt: skip

    def _as_geojson(self, item: Item, value: str) -> str:
        """Polygons in metres of the item's CRS as GeoJSON in longitude and latitude."""
        shape = read_drawn(value)
        frame, _ = self.pictures.frame(item, 1)
        near = frame.sized(REACH * frame.width_m, REACH * frame.height_m).shape
        if not near.contains(shape):
            raise LabelError("the outline reaches far beyond its picture; draw it anew")
        bent: BaseGeometry = project(shape, item.crs, LONLAT)
        return str(shapely.to_geojson(bent))


def read_drawn(value: str) -> BaseGeometry:
    """Polygons as the page sends them: lists of rings of places.

    Raises:
        LabelError: it is no polygon with ground.
    """
    try:
        parts = [
            [np.asarray(ring, dtype=np.float64).reshape(-1, 2) for ring in rings]
            for rings in json.loads(value)
        ]
        every = np.concatenate([ring for rings in parts for ring in rings])
        if len(every) > MOST_VERTICES or not np.isfinite(every).all():
            raise LabelError(f"the outline has no place, or more than {MOST_VERTICES} corners")
        polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in parts]
        shape = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    except LabelError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        RecursionError,
        shapely.errors.ShapelyError,
    ) as error:
        raise LabelError("the outline is no list of rings of places") from error
    if shape.is_empty:
        raise LabelError("the outline has no ground")
    if not shape.is_valid:
        raise LabelError(f"the outline crosses itself ({shapely.is_valid_reason(shape)})")
    return shape


def agreements(queue: Queue, standing: Standing) -> dict[tuple[str, str], Agreement]:
    """Each two people who answered some item both; unsure counts as no answer."""
    people = standing.people()
    columns = {who: _column(queue, standing, who) for who in people}
    return pairwise(columns)


def _column(queue: Queue, standing: Standing, who: str) -> NDArray[np.float64]:
    stands = (standing.verdict(item.id, who) for item in queue.items)
    numbers = (None if s is None else number_of(s.verdict, shares=True) for s in stands)
    return np.array([np.nan if number is None else number for number in numbers])


def _plain(number: float) -> float | None:
    return None if np.isnan(number) else round(number, 6)
