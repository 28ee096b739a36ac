"""What a walk over a run's ground adds up to: hectares by stratum, and units that may be drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.blocks import Blocks, fine, gather
from minetrace.assess.selection import CANDIDATES, Pixels, numbered
from minetrace.assess.strata import NOWHERE, STRATA, stratify
from minetrace.flow.ground import Block
from minetrace.flow.sample_design import SampleRequest


@dataclass
class Counted:
    """Sums by stratum, in the order of ``STRATA``; a unit is a pixel or a square of them.

    Attributes:
        periods: how many are asked for.
        side_px: of a unit.
        units: (H,) to draw from.
        pixels: (H,) in those units.
        inside_ha: (H, H) ground of each stratum of pixels (columns) in units of each (rows).
        scores: (H, periods) sum over the pixels.
        pool: by stratum, those that may be drawn; their facts are the scores and the hectares.
        unlooked_ha: ground that is in no unit, since nobody saw it, or not all of its square.
        mapped_unlooked_ha: what of it is mapped as mine.
    """

    periods: int
    side_px: int
    units: NDArray[np.int64] = field(init=False)
    pixels: NDArray[np.int64] = field(init=False)
    inside_ha: NDArray[np.float64] = field(init=False)
    scores: NDArray[np.float64] = field(init=False)
    pool: list[Pixels | None] = field(init=False)
    unlooked_ha: float = 0.0
    mapped_unlooked_ha: float = 0.0

    def __post_init__(self) -> None:
        kinds = len(STRATA)
        self.units, self.pixels = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64)
        self.inside_ha = np.zeros((kinds, kinds))
        self.scores = np.zeros((kinds, self.periods))
        self.pool = [None] * kinds

    @property
    def area_ha(self) -> NDArray[np.float64]:
        """(H,) ground of the units of each stratum."""
        return np.asarray(self.inside_ha.sum(axis=1))

    def add(self, block: Block, codes: NDArray[np.uint8], seed: int) -> None:
        """Count a block, and keep its units that may be drawn.

        Args:
            codes: the stratum of each pixel.
        """
        found = gather(codes, block.wanted, block.score, self.side_px)
        unseen = block.wanted & (fine(found.code, self.side_px) == NOWHERE)
        mapped = np.logical_or.reduce(block.mapped)
        self.unlooked_ha += float(unseen.sum()) * block.pixel_ha
        self.mapped_unlooked_ha += float((unseen & mapped).sum()) * block.pixel_ha
        self.inside_ha += found.inside * block.pixel_ha
        for code in range(len(STRATA)):
            row, col = np.nonzero(found.code == code)
            if len(row):
                self._keep(code, row, col, found, block, seed)

    def _keep(
        self, code: int, row: NDArray[np.intp], col: NDArray[np.intp], found: Blocks,
        block: Block, seed: int,
    ) -> None:  # fmt: skip
        pixels, facts = found.pixels[row, col], found.facts[row, col]
        self.units[code] += len(row)
        self.pixels[code] += pixels.sum()
        self.scores[code] += (facts * pixels[:, None]).sum(axis=0)
        y = row.astype(np.int64) + block.rect.row // self.side_px
        x = col.astype(np.int64) + block.rect.col // self.side_px
        known = np.column_stack([facts, pixels * block.pixel_ha])
        number = numbered(seed, block.grid.zone, y, x)
        here = Pixels(number, np.full(len(y), block.zone), y, x, known)
        pool = self.pool[code]
        self.pool[code] = (here if pool is None else pool.joined(here)).lowest(CANDIDATES)


def counted(
    blocks: Iterable[Block], request: SampleRequest, *, periods: int, side_px: int, uncertain: float
) -> Counted:
    """Walk all of the ground.

    Args:
        blocks: of the ground, in any order; none cuts a unit.
        uncertain: score from which ground that is not mapped is uncertain.
    """
    found = Counted(periods, side_px)
    for block in blocks:
        likely: NDArray[Any] = np.logical_or.reduce([score >= uncertain for score in block.score])
        codes = stratify(block.wanted & block.looked, block.mapped, block.near, likely)
        found.add(block, codes, request.seed)
    return found
