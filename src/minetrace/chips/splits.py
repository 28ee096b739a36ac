"""Dividing a set so that what is tested on was not trained on.

What belongs together is never divided: chips of one place stay in one split, whatever the rule.
The choice hangs on the chips and a seed alone, so it does not depend on their order. A set that
grows is divided anew: each group goes to the split that lacks most, so one more may move others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from minetrace.chips.ground import Frames, nearest
from minetrace.core.data_set import Chip, DataSet
from minetrace.core.region import project
from minetrace.errors import DataSetError

Kind = Literal["random", "stratified", "source", "blocks", "regions"]
EQUAL_AREA = "EPSG:6933"
BINS = (0.0, 0.01, 0.05, 0.2, 1.0)  # shares of labelled ground that count as alike


@dataclass(frozen=True)
class SplitRule:
    """How to divide a set.

    Attributes:
        kind: by place alone (``random``), with classes and regions in equal shares
            (``stratified``), by whole sources, by squares on the ground (``blocks``), or by
            regions held out.
        shares: how much each split gets, such as ``{"train": 0.7, "val": 0.15, "test": 0.15}``.
        seed: of the choice.
        block_km: side of a square.
        buffer_km: chips of train nearer than this to val or test, and of val to test, are left
            out; they are in no split.
        regions: regions of each split; chips of others are divided by place among what is left.
    """

    kind: Kind = "random"
    shares: Mapping[str, float] = field(
        default_factory=lambda: {"train": 0.7, "val": 0.15, "test": 0.15}
    )
    seed: int = 0
    block_km: float = 20.0
    buffer_km: float = 0.0
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def divide(data: DataSet, rule: SplitRule) -> DataSet:
    """The set with its splits made anew.

    Raises:
        DataSetError: the set does not know what the rule needs, or has too few groups.
    """
    makers: dict[Kind, Callable[[DataSet, SplitRule], dict[Hashable, str]]] = {
        "random": _random, "stratified": _stratified, "source": _by_source, "blocks": _blocks,
        "regions": _regions,
    }  # fmt: skip
    keys = _keys(data, rule)
    made = makers[rule.kind](data, rule)
    chips = [replace(chip, split=made[key]) for chip, key in zip(data.chips, keys, strict=True)]
    return data.where(buffered(chips, rule.buffer_km) if rule.buffer_km else chips)


def _keys(data: DataSet, rule: SplitRule) -> list[Hashable]:
    """What each chip goes with."""
    if rule.kind == "source":
        return [chip.source for chip in data.chips]
    if rule.kind == "blocks":
        return list(block_of(data.chips, rule.block_km))
    return [_unit(chip) for chip in data.chips]


def _unit(chip: Chip) -> str:
    return chip.place or chip.name


def block_of(chips: Sequence[Chip], block_km: float) -> list[tuple[int, int]]:
    """The square of an equal-area grid that a chip's centre lies in.

    Raises:
        DataSetError: nobody knows where a chip is.
    """
    frames = Frames.of(chips)
    lost = np.flatnonzero(~frames.known)
    if len(lost):
        raise DataSetError(
            f"{chips[lost[0]].name}: nobody says where it is, so there are no blocks; "
            "use a split by source or by list"
        )
    import shapely

    points = project(shapely.points(frames.centres), "EPSG:4326", EQUAL_AREA)
    cells = np.floor(shapely.get_coordinates(points) / (block_km * 1000)).astype(int)
    return [(int(x), int(y)) for x, y in cells]


def _random(data: DataSet, rule: SplitRule) -> dict[Hashable, str]:
    return deal([_unit(chip) for chip in data.chips], rule)


def _by_source(data: DataSet, rule: SplitRule) -> dict[Hashable, str]:
    if any(not chip.source for chip in data.chips):
        raise DataSetError(f"{data.name}: has chips without a source; use another split")
    return deal([chip.source for chip in data.chips], rule)


def _blocks(data: DataSet, rule: SplitRule) -> dict[Hashable, str]:
    return deal(list(block_of(data.chips, rule.block_km)), rule)


def _stratified(data: DataSet, rule: SplitRule) -> dict[Hashable, str]:
    """Each stratum of classes and regions is divided alone; a place is of its chips' highest."""
    home: dict[str, tuple[str, int]] = {}
    for chip in data.chips:
        own = _stratum(data, chip)
        home[_unit(chip)] = max(home.get(_unit(chip), own), own)
    strata: dict[tuple[str, int], list[Hashable]] = {}
    for chip in data.chips:
        strata.setdefault(home[_unit(chip)], []).append(_unit(chip))
    made: dict[Hashable, str] = {}
    for stratum in sorted(strata):
        made |= deal(strata[stratum], rule, few=True)
    return made


def _stratum(data: DataSet, chip: Chip) -> tuple[str, int]:
    if chip.label is not None and chip.shares is None:
        return chip.region, chip.label
    shares = chip.shares
    if shares is None:
        mask = data.read(chip)[1]
        shares = {int(c): float((mask == c).mean()) for c in range(1, len(data.classes))}
    labelled = sum(share for index, share in shares.items() if 0 < index < len(data.classes))
    return chip.region, int(np.searchsorted(BINS, labelled, side="left"))


def _regions(data: DataSet, rule: SplitRule) -> dict[Hashable, str]:
    there = {chip.region for chip in data.chips}
    for split, names in rule.regions.items():
        missing = [name for name in names if name not in there]
        if missing:
            raise DataSetError(
                f"{data.name}: no chip is of region {missing[0]!r}, held out for {split}; "
                f"the regions are {', '.join(sorted(filter(None, there))) or 'not named'}"
            )
    home = {name: split for split, names in rule.regions.items() for name in names}
    free = {s: share for s, share in rule.shares.items() if s not in rule.regions} or {"train": 1.0}
    rest = [_unit(c) for c in data.chips if c.region not in home]
    made = deal(rest, replace(rule, shares=free)) if rest else {}
    placed: dict[Hashable, str] = {_unit(c): home[c.region] for c in data.chips if c.region in home}
    return made | placed


def deal(members: Iterable[Hashable], rule: SplitRule, *, few: bool = False) -> dict[
    Hashable, str
]:  # fmt: skip
    """Deal whole groups out so that every split comes near its share of the chips.

    Groups come in an order that hangs on the seed and their names, and each goes to the split that
    lacks most. With ``few``, a split may stay empty.
    """
    weight: dict[Hashable, int] = {}
    for member in members:
        weight[member] = weight.get(member, 0) + 1
    total = sum(rule.shares.values())
    if not total > 0 or any(share < 0 for share in rule.shares.values()):
        raise DataSetError(f"shares {dict(rule.shares)}: none may be negative, and some above 0")
    shares = {split: share / total for split, share in rule.shares.items() if share > 0}
    if len(weight) < len(shares) and not few:
        raise DataSetError(
            f"{len(weight)} groups for {len(shares)} splits; use smaller blocks or another split"
        )
    whole, had = sum(weight.values()), dict.fromkeys(shares, 0.0)
    made: dict[Hashable, str] = {}
    for group in sorted(weight, key=lambda g: (-_large(weight[g], whole), _draw(rule.seed, g))):
        split = max(shares, key=lambda s: (shares[s] * whole - had[s]) / math.sqrt(shares[s]))
        made[group] = split
        had[split] += weight[group]
    return made


def _large(weight: int, whole: int) -> int:
    """Groups that could spoil the shares come first, the largest of all at the start."""
    return weight if weight > whole / 20 else 0


def _draw(seed: int, group: Hashable) -> str:
    return hashlib.sha256(f"{seed}|{group}".encode()).hexdigest()


def buffered(chips: list[Chip], buffer_km: float) -> list[Chip]:
    """Leave out what lies too near to a split that is tested on."""
    out = list(chips)
    for split, guarded in (("val", ("test",)), ("train", ("val", "test"))):
        rows = [i for i, chip in enumerate(out) if chip.split == split]
        guard = [chip for chip in out if chip.split in guarded]
        if not rows or not guard:
            continue
        gap = nearest([out[i] for i in rows], guard).gap_m
        if np.isnan(gap).any():
            raise DataSetError(f"{out[rows[0]].name}: nobody says where it is, so there is no "
                               "buffer; use a split by source or by list")  # fmt: skip
        for i, metres in zip(rows, gap, strict=True):
            if metres < buffer_km * 1000:
                out[i] = replace(out[i], split="")
    return out
