"""The audit: does a test see what was trained on?

A figure measured on a split that leaks is a figure about memory. Published splits leak: of the 644
test tiles of SmallMinesDS in 2022, 452 show ground that is trained on in 2016. So every split is
looked at before anything is trained, and one that leaks is refused unless the user says in words
why it is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from minetrace.chips.duplicates import Looks, look, looks, twins
from minetrace.chips.ground import nearest
from minetrace.core.data_set import IGNORE, SPLITS, Chip, DataSet
from minetrace.errors import LeakageError

LEAST_OVERLAP = 0.001  # share of a chip: frames that only touch share a rounding, no ground
FEWEST_WORDS = 3
EXAMPLES = 5
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)
UNEVEN = 3.0  # times the share of another split


@dataclass(frozen=True)
class Finding:
    """One thing that the audit looked for and what came of it.

    Attributes:
        what: ``place``, ``other period``, ``ground``, ``copies``, ``near``, ``balance``, ``blind``.
        leaks: whether a figure on the tested split would be wrong because of it.
        tested, trained: the two splits; the same twice where only one is meant.
        count: chips of the tested split that it concerns.
        total: chips of the tested split.
        text: in words.
        examples: a few pairs of names, tested and trained.
        detail: counts of kinds, such as pairs of periods.
    """

    what: str
    leaks: bool
    tested: str
    trained: str
    count: int
    total: int
    text: str
    examples: tuple[tuple[str, str], ...] = ()
    detail: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Audit:
    """What was found in a set.

    Attributes:
        name, version: of the set.
        splits: chips of each split; those in none under the empty name.
        findings: in the order in which they were looked for.
        distances: from tested to trained split: quantiles of the metres to the nearest chip.
        balance: by split, the share of labelled pixels (or chips) of each class, and of IGNORE.
        unknown: what could not be looked for, in words.
        allowed: why a leak is meant, in the user's words; empty if it is not.
    """

    name: str
    version: str
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    distances: Mapping[str, Mapping[str, float]]
    balance: Mapping[str, Mapping[str, float]]
    unknown: tuple[str, ...] = ()
    allowed: str = ""

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings that make a figure wrong."""
        return tuple(f for f in self.findings if f.leaks)

    @property
    def verdict(self) -> str:
        """In one line."""
        if not self.leaks:
            return "no leak was found" + (f"; not looked for: {'; '.join(self.unknown)}"
                                          if self.unknown else "")  # fmt: skip
        first = max(self.leaks, key=lambda f: f.count / max(1, f.total))
        return f"it leaks: {first.text}" + (
            f" (and {len(self.leaks) - 1} more)" if len(self.leaks) > 1 else ""
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "leaks": bool(self.leaks), "verdict": self.verdict}


def audit(data: DataSet, *, contents: bool = True, near_m: float = 0.0) -> Audit:
    """Hold the splits of a set against each other.

    Args:
        data: chips with splits.
        contents: read every chip, to find copies and to count classes; without it only names and
            places are looked at.
        near_m: a test chip nearer than this to a trained one is a leak too.
    """
    parts = {name: [c for c in data.chips if c.split == name] for name in SPLITS}
    parts = {name: chips for name, chips in parts.items() if chips}
    sights = {name: _sights(data, chips) for name, chips in parts.items()} if contents else {}
    findings: list[Finding] = []
    distances: dict[str, dict[str, float]] = {}
    for trained, tested in _pairs(parts):
        a, b = parts[tested], parts[trained]
        findings += _places(a, b, tested, trained)
        found, metres = _ground(a, b, tested, trained, near_m)
        findings += found
        if metres:
            distances[f"{tested} to {trained}"] = metres
        if contents:
            findings += _copies(a, b, sights[tested], sights[trained], tested, trained)
    balance = _balance(data, parts, contents)
    findings += _uneven(data, parts, balance)
    counts = Counter(chip.split for chip in data.chips)
    return Audit(data.name, data.version, dict(counts), tuple(findings), distances, balance,
                 _unknown(data, parts, sights))  # fmt: skip


def refuse_leaks(found: Audit, allow: str = "") -> Audit:
    """The audit, if its split may be used.

    Args:
        found: what the audit found.
        allow: why a leak is meant, in words; it is kept in the audit.

    Raises:
        LeakageError: the split leaks and nobody says why it should be used all the same.
    """
    if not found.leaks:
        return found
    if len(allow.split()) >= FEWEST_WORDS:
        return Audit(**{**vars(found), "allowed": allow})
    raise LeakageError(
        f"{found.name}: {found.verdict}. Divide it anew (split: blocks with a buffer, or source), "
        "or say in a sentence why a test on it still means something: "
        "allow_leakage: 'only the trend between epochs is compared'"
    )


def _pairs(parts: Mapping[str, Sequence[Chip]]) -> list[tuple[str, str]]:
    names = list(parts)
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]


def _places(
    a: Sequence[Chip], b: Sequence[Chip], tested: str, trained: str
) -> list[Finding]:  # fmt: skip
    """Chips whose place is also trained on: in the same period, and in others."""
    there: dict[str, list[Chip]] = {}
    for chip in b:
        if chip.place:
            there.setdefault(chip.place, []).append(chip)
    same, other = [], []
    by_periods: Counter[str] = Counter()
    for chip in a:
        twins_there = there.get(chip.place, ()) if chip.place else ()
        now = next((t for t in twins_there if t.period == chip.period), None)
        then = [t for t in twins_there if t.period != chip.period]
        if now is not None:
            same.append((chip.name, now.name))
        if then:
            other.append((chip.name, then[0].name))
            by_periods.update(f"{chip.period} in {t.period}" for t in then)
    found = []
    if same:
        found.append(Finding(
            "place", True, tested, trained, len(same), len(a),
            f"{len(same)} of {len(a)} chips of {tested} show a place that {trained} shows in the "
            "same period", tuple(same[:EXAMPLES]),
        ))  # fmt: skip
    if other:
        totals = Counter(chip.period for chip in a)
        told = ", ".join(f"{n} of the {totals[p.split(' in ')[0]]} of {p.split(' in ')[0]} are in "
                         f"{trained} in {p.split(' in ')[1]}"
                         for p, n in sorted(by_periods.items()))  # fmt: skip
        found.append(Finding(
            "other period", True, tested, trained, len(other), len(a),
            f"{len(other)} of {len(a)} chips of {tested} show a place that {trained} shows in "
            f"another period ({told})", tuple(other[:EXAMPLES]), dict(by_periods),
        ))  # fmt: skip
    return found


def _ground(
    a: Sequence[Chip], b: Sequence[Chip], tested: str, trained: str, near_m: float
) -> tuple[list[Finding], dict[str, float]]:
    near = nearest(a, b)
    known = near.index >= 0
    if not known.any():
        return [], {}
    gap = near.gap_m[known]
    metres = {f"{q:.0%}": float(v) for q, v in zip(QUANTILES, np.quantile(gap, QUANTILES),
                                                   strict=True)}  # fmt: skip
    found = []
    for what, rows, text in (
        ("ground", near.overlap > LEAST_OVERLAP, "overlap the ground of a chip of"),
        ("near", (near.gap_m < near_m) & (near.overlap <= LEAST_OVERLAP),
         f"lie nearer than {near_m:g} m to a chip of"),
    ):  # fmt: skip
        concerned = np.flatnonzero(known & rows)
        if len(concerned):
            pairs = tuple((a[i].name, b[near.index[i]].name) for i in concerned[:EXAMPLES])
            found.append(Finding(what, True, tested, trained, len(concerned), len(a),
                                 f"{len(concerned)} of {len(a)} chips of {tested} {text} {trained}",
                                 pairs))  # fmt: skip
    return found, metres


def _sights(data: DataSet, chips: Sequence[Chip]) -> Looks:
    return looks([look(data.reader.image(chip)) for chip in chips])


def _copies(
    a: Sequence[Chip], b: Sequence[Chip], ours: Looks, theirs: Looks, tested: str, trained: str
) -> list[Finding]:
    if ours.small.shape[1] != theirs.small.shape[1]:
        return []
    same = twins(ours, theirs)
    found = []
    for exact, words in ((True, "are copies of"), (False, "are all but copies of")):
        pairs = same.pairs[same.exact == exact]
        rows = np.unique(pairs[:, 0])
        if len(rows):
            examples = tuple((a[i].name, b[j].name) for i, j in pairs[:EXAMPLES])
            found.append(Finding("copies", True, tested, trained, len(rows), len(a),
                                 f"{len(rows)} of {len(a)} chips of {tested} {words} chips of "
                                 f"{trained}, by their pixels", examples))  # fmt: skip
    return found


def _balance(
    data: DataSet, parts: Mapping[str, Sequence[Chip]], contents: bool
) -> dict[str, dict[str, float]]:
    found = {}
    for name, chips in parts.items():
        shares = [s for chip in chips if (s := _shares(data, chip, contents)) is not None]
        if not shares:
            continue
        names = {**dict(enumerate(data.classes)), IGNORE: "ignore"}
        found[name] = {
            word: float(np.mean([s.get(index, 0.0) for s in shares]))
            for index, word in names.items()
        }
        found[name]["chips with a mine"] = float(
            np.mean([_has_a_mine(data, chip, contents) for chip in chips])
        )
    return found


def _has_a_mine(data: DataSet, chip: Chip, contents: bool) -> bool:
    """Whether a chip shows a class but the first, or a point says that there is one."""
    shares = _shares(data, chip, contents) or {}
    return bool(chip.label) or any(shares.get(i, 0) > 0 for i in range(1, len(data.classes)))


def _shares(data: DataSet, chip: Chip, contents: bool) -> Mapping[int, float] | None:
    if chip.shares is not None:
        return chip.shares
    if not chip.mask:
        return None if chip.label is None else {chip.label: 1.0}
    if not contents:
        return None
    mask = data.reader.mask(chip)
    values, counts = np.unique(mask, return_counts=True)
    return {int(v): float(n / mask.size) for v, n in zip(values, counts, strict=True)}


def _uneven(
    data: DataSet, parts: Mapping[str, Sequence[Chip]], balance: Mapping[str, Mapping[str, float]]
) -> list[Finding]:
    """Splits that lack a class, or have far more or less of it than train: no leak, but told."""
    found = []
    for name in balance:
        for word in data.classes:
            here, there = balance[name][word], balance.get("train", balance[name])[word]
            if here == 0 and word in _named(data, parts[name]):
                continue
            if here == 0:
                text = f"{name} has nothing of class {word}"
            elif there and not 1 / UNEVEN <= here / there <= UNEVEN:
                text = f"class {word} is {here:.1%} of {name} and {there:.1%} of train"
            else:
                continue
            n = len(parts[name])
            found.append(Finding("balance", False, name, "train", n, n, text))
    return found


def _named(data: DataSet, chips: Sequence[Chip]) -> set[str]:
    """Classes that chips are said to be of as a whole, whatever their masks show."""
    return {data.classes[chip.label] for chip in chips if chip.label is not None}


def _unknown(
    data: DataSet, parts: Mapping[str, Sequence[Chip]], sights: Mapping[str, Looks]
) -> tuple[str, ...]:  # fmt: skip
    told = []
    if len(parts) < 2:
        told.append("anything between splits, since there are fewer than two")
    if not all(chip.place for chip in data.chips):
        told.append("chips of one place by name, since not all chips have a place")
    if not any(chip.crs for chip in data.chips):
        told.append("distance and overlap, since nobody says where the chips are")
    plain = sum(int(part.plain.sum()) for part in sights.values())
    if not sights:
        told.append("copies by their pixels, since they were not read")
    elif plain:
        told.append(f"copies of {plain} chips that are of one value, which show no picture")
    return tuple(told)
