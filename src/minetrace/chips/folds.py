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


def _without(chips: Sequence[Chip], region: str, rule: SplitRule) -> list[Chip]:
    def unit(chip: Chip) -> str:
        return chip.place or chip.name

    made: Mapping[Hashable, str] = deal([unit(c) for c in chips if c.region != region], rule)
    return [
        replace(c, split="test" if c.region == region else made[unit(c)]) for c in chips
    ]  # fmt: skip
