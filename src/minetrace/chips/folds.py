"""Dividing a set several times, so that every chip is tested once by a model that never saw it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from minetrace.chips.splits import SplitRule, block_of, buffered, deal
from minetrace.core.data_set import Chip, DataSet
from minetrace.errors import DataSetError

VALIDATED = 0.15  # share of what is left beside a region held out


@dataclass(frozen=True)
class Fold:
    """One division.

    Attributes:
        name: safe as a folder name for a block, the region's own for a region.
        data: the set, with splits.
    """

    name: str
    data: DataSet


def block_folds(
    data: DataSet, count: int, *, block_km: float, buffer_km: float = 0.0, seed: int = 0
) -> list[Fold]:
    """Squares of ground dealt into groups; each group is tested once, the next one validates.

    Args:
        count: how many divisions, 3 or more.

    Raises:
        DataSetError: nobody knows where a chip is, or there are fewer squares than divisions.
    """
    if count < 3:
        raise DataSetError(f"{count} folds: with fewer than 3 nothing is left to train on")
    blocks = block_of(data.chips, block_km)
    rule = SplitRule(shares={str(n): 1.0 for n in range(count)}, seed=seed)
    group = deal(list(blocks), rule)
    folds = []
    for n in range(count):
        names = {str(n): "test", str((n + 1) % count): "val"}
        chips = [
            replace(chip, split=names.get(group[block], "train"))
            for chip, block in zip(data.chips, blocks, strict=True)
        ]
        kept = buffered(chips, buffer_km) if buffer_km else chips
        folds.append(Fold(f"fold{n}", data.where(kept)))
    return folds


def region_folds(data: DataSet, *, seed: int = 0) -> list[Fold]:
    """Each region is tested once by a model of all the others.

    Raises:
        DataSetError: there are fewer than two regions.
    """
    regions = sorted({chip.region for chip in data.chips if chip.region})
    if len(regions) < 2:
        raise DataSetError(
            f"{data.name}: chips are of {', '.join(regions) or 'no named region'}; leaving one "
            "region out needs two: name the column with labels.region"
        )
    rule = SplitRule(shares={"train": 1 - VALIDATED, "val": VALIDATED}, seed=seed)
    return [Fold(region, data.where(_without(data.chips, region, rule))) for region in regions]


def listed_folds(data: DataSet, folds: Mapping[str, str], *, validate: bool = True) -> list[Fold]:
    """As a list says; each part is tested once, and the next one validates.

    Args:
        folds: the part of each chip, by name; chips that it does not name are left out.
        validate: False trains on all parts but the tested one, and leaves nothing to calibrate on.

    Raises:
        DataSetError: it names no chip of the set, or too few parts.
    """
    there = {chip.name for chip in data.chips}
    parts = sorted({fold for name, fold in folds.items() if name in there})
    least = 3 if validate else 2
    if len(parts) < least:
        raise DataSetError(
            f"{data.name}: the list puts its chips into {len(parts)} parts "
            f"({', '.join(parts) or 'it names none of them'}); at least {least} are needed"
        )
    found = []
    for n, part in enumerate(parts):
        after = parts[(n + 1) % len(parts)] if validate else None
        chips = [replace(c, split=_part(folds.get(c.name), part, after)) for c in data.chips]
        found.append(Fold(f"fold{part}", data.where(chips)))
    return found


def _part(own: str | None, tested: str, validated: str | None) -> str:
    if own is None:
        return ""
    return "test" if own == tested else "val" if own == validated else "train"


def _without(chips: Sequence[Chip], region: str, rule: SplitRule) -> list[Chip]:
    def unit(chip: Chip) -> str:
        return chip.place or chip.name

    made: Mapping[Hashable, str] = deal([unit(c) for c in chips if c.region != region], rule)
    return [
        replace(c, split="test" if c.region == region else made[unit(c)]) for c in chips
    ]  # fmt: skip
