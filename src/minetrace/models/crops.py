"""Crops of chips, drawn anew in every step as a function of the seed and the step alone.

So a training that was stopped draws what it would have drawn, and may draw ahead in a thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from minetrace.core.data_set import IGNORE, DataSet
from minetrace.errors import DataSetError
from minetrace.models.survey import Survey

FloatArray = NDArray[np.float32]
Mask = NDArray[np.uint8]


@dataclass
class Pool:
    """Chips as a network takes them, the latest kept in memory.

    Attributes:
        data: the chips.
        survey: of the training part, whose statistics scale the pixels.
        whole: whether the label of a chip is that of the whole chip: a patch network.
        room: bytes of pixels to keep.
    """

    data: DataSet
    survey: Survey
    whole: bool = False
    room: int = 1 << 30
    _held: OrderedDict[int, tuple[FloatArray, Mask]] = field(default_factory=OrderedDict)
    _bytes: int = 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, number: int) -> tuple[FloatArray, Mask]:
        """Pixels (bands, h, w), scaled, and mask (h, w), or (1, 1) of a whole chip."""
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        chip = self.data.chips[number]
        image, mask = self.data.read(chip)
        image = image[self.data.positions(self.survey.bands)]
        if self.whole:
            label = chip.label if chip.label is not None else _label_of(mask)
            mask = np.array([[label]], np.uint8)
        else:
            mask = np.where(np.isnan(image).any(axis=0), np.uint8(IGNORE), mask)
        found = self.survey.standard(image), mask
        self._held[number] = found
        self._bytes += found[0].nbytes
        while self._bytes > self.room and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1][0].nbytes
        return found

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """(chips, classes) as surveyed; for a patch network 1 for the class of the whole chip.

        A chip may be of a class that its mask does not show: one that a point names.
        """
        if not self.whole:
            return self.survey.shares
        every = zip(self.data.chips, self.survey.shares, strict=True)
        return np.array([_of_whole(chip.label, row) for chip, row in every])


def _of_whole(label: int | None, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the class of a chip, (classes,); nothing if nobody knows it."""
    if label is None and shares.any():
        label = int(shares[1:].argmax()) + 1 if shares[1:].any() else 0
    return np.zeros(len(shares)) if label is None else np.asarray(np.eye(len(shares))[label])


def _label_of(mask: Mask) -> int:
    """The class that a mask makes of its chip: the most common but the first, if there is one."""
    counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)[:IGNORE]
    if counts[1:].any():
        return int(counts[1:].argmax()) + 1
    return 0 if counts[0] else IGNORE


@dataclass(frozen=True)
class Drawer:
    """Draws the batches of a training.

    Attributes:
        pool: the training part.
        side: of a crop, pixels.
        batch: crops.
        balance: share of the crops that hold a labelled class other than the first; classes
            alike. The others lie anywhere.
        seed: of all draws.
        picked: numbers of the chips that may be drawn, empty for all; bagging gives some of them
            several times.
        source_power: how a source's share of the draws grows with its chips; 1 is every chip
            alike, 0 every source alike.
    """

    pool: Pool
    side: int
    batch: int
    balance: float
    seed: int
    picked: tuple[int, ...] = ()
    source_power: float = 1.0

    def __call__(self, step: int) -> tuple[FloatArray, Mask]:
        """The batch of a step: pixels (batch, bands, side, side) and masks (batch, side, side)."""
        rng = np.random.default_rng([self.seed, step])
        drawn = [self._one(rng) for _ in range(self.batch)]
        return np.stack([image for image, _ in drawn]), np.stack([mask for _, mask in drawn])

    def _one(self, rng: np.random.Generator) -> tuple[FloatArray, Mask]:
        there = [k for k in self._chips if k]
        wanted = int(rng.choice(there)) if there and rng.random() < self.balance else None
        chips, odds = self._chips[wanted or 0]
        image, mask = self.pool[int(rng.choice(chips, p=odds))]
        if self.pool.whole:
            return fitted(image, self.side), mask
        return self._cut(image, mask, wanted, rng)

    @cached_property
    def _chips(self) -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64] | None]]:
        """Chips to draw from for each class that is there, and their odds; None for alike.

        0 stands for chips of that class where they are labelled as a whole, else for any.
        """
        every = np.array(self.picked or range(len(self.pool)))
        shares = self.pool.shares[every]
        found = {k: every[shares[:, k] > 0] for k in range(shares.shape[1])}
        if not self.pool.whole or not len(found[0]):
            found[0] = every
        return {k: (chips, self._odds(chips)) for k, chips in found.items() if len(chips)}

    def _odds(self, chips: NDArray[np.int64]) -> NDArray[np.float64] | None:
        if self.source_power == 1:
            return None
        sources = [self.pool.data.chips[k].source for k in chips]
        return even_odds(sources, self.source_power)

    def _cut(
        self, image: FloatArray, mask: Mask, wanted: int | None, rng: np.random.Generator
    ) -> tuple[FloatArray, Mask]:
        """A crop anywhere, or around a pixel of a class, which lies anywhere in it."""
        height, width = mask.shape
        room = np.maximum(np.array([height, width]) - self.side, 0)
        corner = rng.integers(0, room + 1)
        if wanted is not None:
            here = np.flatnonzero(mask == wanted)
            pixel = np.array(divmod(int(rng.choice(here)), width))
            corner = np.clip(pixel - rng.integers(0, self.side, 2), 0, room)
        return crop(image, mask, int(corner[0]), int(corner[1]), self.side)


def even_odds(sources: Sequence[str], power: float) -> NDArray[np.float64]:
    """Odds (n,), of sum 1, so that a source of m chips is drawn in proportion to m ** power."""
    _, place, count = np.unique(np.array(sources), return_inverse=True, return_counts=True)
    each = count.astype(np.float64)[place] ** (power - 1)
    return np.asarray(each / each.sum())


def crop(image: FloatArray, mask: Mask, row: int, col: int, side: int) -> tuple[FloatArray, Mask]:
    """A square of a chip; what lies outside of it is 0 and IGNORE."""
    cut, known = (
        image[:, row : row + side, col : col + side],
        mask[row : row + side, col : col + side],
    )
    if known.shape == (side, side):
        return cut, known
    pixels = np.zeros((len(image), side, side), np.float32)
    classes = np.full((side, side), IGNORE, np.uint8)
    pixels[:, : cut.shape[1], : cut.shape[2]] = cut
    classes[: known.shape[0], : known.shape[1]] = known
    return pixels, classes


def fitted(image: FloatArray, side: int) -> FloatArray:
    """The middle of a chip.

    Raises:
        DataSetError: the chip is smaller.
    """
    height, width = image.shape[1:]
    if min(height, width) < side:
        raise DataSetError(f"chips of {height} x {width} pixels are smaller than a window, {side}; "
                           "say a smaller window, or make larger chips")  # fmt: skip
    row, col = (height - side) // 2, (width - side) // 2
    return image[:, row : row + side, col : col + side]


def windows(pool: Pool, side: int) -> Iterator[tuple[int, FloatArray, Mask]]:
    """Every chip, number first, cut into squares that cover it; nothing is drawn."""
    for number in range(len(pool)):
        image, mask = pool[number]
        if pool.whole:
            yield number, fitted(image, side), mask
            continue
        for row in range(0, mask.shape[0], side):
            for col in range(0, mask.shape[1], side):
                yield number, *crop(image, mask, row, col, side)
