"""What stands of all that was said: the last word of each person on each item.

Pure functions of what a store of answers holds. A person's words are kept apart from everybody
else's, so that whoever asks for one person's part cannot come upon another's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from types import MappingProxyType

from minetrace.flow.answers import number_of
from minetrace.flow.review_queue import Item, Queue
from minetrace.store.answers import Said

APART = 0.5  # shares of a block between which people differ; below it their mean will do


@dataclass(frozen=True)
class Stand:
    """What one person says of one item.

    Attributes:
        verdict: mine, not, unsure, or a share of a block such as ``30%``; empty if it was taken
            back or not given.
        note: in words.
        outline: GeoJSON of an edited outline; empty if it was left as it is.
        seconds: spent looking, all in all.
        said_at: when the last of it was said.
        shown: JSON of what was shown with the verdict.
    """

    verdict: str = ""
    note: str = ""
    outline: str = ""
    seconds: float = 0.0
    said_at: str = ""
    shown: str = "{}"


@dataclass(frozen=True)
class Standing:
    """All that stands.

    Attributes:
        answers: by item, then by person.
        settled: by item, the verdict in its dispute, as long as people differ.
    """

    answers: Mapping[str, Mapping[str, Stand]]
    settled: Mapping[str, Stand]

    @classmethod
    def of(cls, said: Iterable[Said]) -> Standing:
        """What stands after all that was said, in the order in which it was."""
        answers: dict[str, dict[str, Stand]] = {}
        settled: dict[str, dict[str, Stand]] = {}
        for row in said:
            settles = row.kind == "settle" or (row.kind == "undo" and row.value == "settle")
            here = (settled if settles else answers).setdefault(row.item, {})
            stand = _after(here.pop(row.who, Stand()), row)
            here[row.who] = stand  # last, so that the last verdict in a dispute is the one
        ends = {item: told[-1] for item, by in settled.items() if (told := _given(by.values()))}
        differ = {item for item, by in answers.items() if _differ(by.values())}
        return cls(
            MappingProxyType(answers),
            {item: stand for item, stand in ends.items() if item in differ},
        )

    def verdict(self, item: str, who: str) -> Stand | None:
        """A person's answer; None if none stands."""
        stand = self.answers.get(item, {}).get(who)
        return stand if stand is not None and stand.verdict else None

    def people(self) -> list[str]:
        """Who answered, those with most answers first."""
        count: dict[str, int] = {}
        for by in self.answers.values():
            for who, stand in by.items():
                count[who] = count.get(who, 0) + bool(stand.verdict)
        return sorted((who for who in count if count[who]), key=lambda who: (-count[who], who))

    def given(self, item: str) -> list[Stand]:
        """The answers that stand, of whomever."""
        return _given(self.answers.get(item, {}).values())

    def outline(self, item: str) -> str:
        """The outline that was edited last by who says mine, or by who settled it; or empty.

        Whoever agrees without an edit leaves that of another as it is, and a verdict in a dispute
        says whether there is a mine, not where it ends.
        """
        counts = ("mine", "") if item in self.settled else ("mine",)
        stands = self.answers.get(item, {}).values()
        edited = [stand for stand in stands if stand.outline and stand.verdict in counts]
        return max(edited, key=lambda stand: stand.said_at).outline if edited else ""

    def disputed(self, item: str) -> bool:
        """Whether one says mine and another not, or shares far apart, and nobody settled it."""
        return _differ(self.given(item)) and item not in self.settled


def looks(queue: Queue, item: Item, twice: float) -> int:
    """How many people are to look at an item: two for a share of them, which chance picks."""
    if twice <= 0:
        return 1
    word = hashlib.sha256(f"{queue.id}/{item.id}".encode()).digest()[:8]
    return 2 if int.from_bytes(word, "big") / 2**64 < twice else 1


def next_for(
    queue: Queue, standing: Standing, who: str, *, twice: float, skip: Sequence[str] = ()
) -> Item | None:
    """What a person looks at next: not yet theirs, and not looked at by enough others.

    Each person begins elsewhere in the queue and goes round, so that people who work at the same
    time rarely meet at one item.
    """
    left = set(skip)
    for item in _round(queue, who):
        if item.id in left or standing.verdict(item.id, who):
            continue
        if len(standing.given(item.id)) < looks(queue, item, twice):
            return item
    return None


def dispute_for(
    queue: Queue, standing: Standing, who: str, *, settlers: Sequence[str], skip: Sequence[str] = ()
) -> Item | None:
    """A disputed item that a person may settle: one they did not answer, unless they are named."""
    open_ = (i for i in queue.items if i.id not in skip and standing.disputed(i.id))
    return next((i for i in open_ if who in settlers or not standing.verdict(i.id, who)), None)


def last_of(said: Sequence[Said], who: str) -> Said | None:
    """The last verdict of a person that is not taken back: what an undo would undo."""
    standing = Standing.of(said)
    for row in reversed(said):
        if row.who != who:
            continue
        if row.kind == "answer" and standing.verdict(row.item, who):
            return row
        if row.kind == "settle" and row.item in standing.settled:
            return row
    return None


def _round(queue: Queue, who: str) -> tuple[Item, ...]:
    word = hashlib.sha256(f"{queue.id}/{who}".encode()).digest()[:8]
    start = int.from_bytes(word, "big") % len(queue.items)
    return queue.items[start:] + queue.items[:start]


def _given(stands: Iterable[Stand]) -> list[Stand]:
    return [stand for stand in stands if stand.verdict]


def _differ(stands: Iterable[Stand]) -> bool:
    told = (number_of(stand.verdict, shares=True) for stand in stands)
    sure = [number for number in told if number is not None and not isnan(number)]
    return bool(sure) and max(sure) - min(sure) >= APART


def _after(stand: Stand, row: Said) -> Stand:
    if row.kind == "undo":
        return replace(stand, verdict="", outline="", said_at=row.said_at)
    if row.kind == "note":
        return replace(stand, note=row.value, said_at=row.said_at)
    if row.kind == "outline":
        return replace(stand, outline=row.value, said_at=row.said_at)
    return replace(
        stand, verdict=row.value, seconds=stand.seconds + row.seconds, said_at=row.said_at,
        shown=row.shown,
    )  # fmt: skip
