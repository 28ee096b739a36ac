"""What a model makes of one chip, outside any map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import ModelCard, Scaling, Scorer
from minetrace.errors import ModelError
from minetrace.predict.bands import resolve

TOP = 0.01  # share of the pixels whose mean is the score of a chip, for a pixel model


@dataclass(frozen=True)
class ChipScorer:
    """Scores chips of any size: a window's surroundings that are not in the chip are its mirror.

    Attributes:
        scorer: the model.
        positions: where the model's bands stand in a chip.
        only: the one class that is asked for; empty for any of them.
    """

    scorer: Scorer
    positions: tuple[int, ...]
    only: str = ""

    @classmethod
    def over(cls, scorer: Scorer, bands: Sequence[str]) -> ChipScorer:
        """A scorer over chips with these bands.

        Raises:
            BandError: the model wants a band that they lack.
        """
        found = resolve(scorer.card, bands)
        return cls(scorer, tuple(list(bands).index(band) for band in found))

    def __call__(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Score a chip.

        Args:
            image: (bands, height, width), NaN where nothing was seen.

        Returns:
            probability: (height, width), NaN where nothing was seen; of a patch model the mean over
                the windows that cover a pixel.
            score: of the chip: its surest window, or the mean of its surest hundredth of pixels.

        Raises:
            ModelError: the chip is smaller than the window of a patch model.
        """
        card = self.scorer.card
        seen = np.isfinite(image[list(self.positions)]).all(axis=0)
        values = scaled(image[list(self.positions)], card)
        total, weight, top = self._patches(values) if card.output == "patch" else (
            self._pixels(values)
        )  # fmt: skip
        with np.errstate(invalid="ignore"):
            probability = np.where(seen & (weight > 0), total / weight, np.nan).astype(np.float32)
        if card.output == "pixels":
            top = surest(probability)
        return probability, top

    def many(
        self, images: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], float]]:
        """Score chips together: small ones of one size side by side in the calls of a dense model.

        A window's score hangs on its own pixels alone, so what lies beside a chip changes nothing.
        """
        card = self.scorer.card
        shapes = {image.shape[1:] for image in images}
        side = max((max(shape) for shape in shapes), default=0)
        pitch = -(-side // card.stride) * card.stride
        across = card.call_px // pitch if pitch else 0
        if card.output != "patch" or card.grid_side == 1 or len(shapes) != 1 or across < 2:
            return [self(image) for image in images]
        found: list[tuple[NDArray[np.float32], float]] = []
        for start in range(0, len(images), across**2):
            group = images[start : start + across**2]
            sheet = np.full((len(group[0]), across * pitch, across * pitch), np.nan, np.float32)
            for number, image in enumerate(group):
                row, col = (pitch * n for n in divmod(number, across))
                sheet[:, row : row + image.shape[1], col : col + image.shape[2]] = image
            found += self._unpacked(sheet, group, pitch, across)
        return found

    def _unpacked(
        self, sheet: NDArray[np.float32], group: Sequence[NDArray[np.float32]], pitch: int,
        across: int,
    ) -> list[tuple[NDArray[np.float32], float]]:  # fmt: skip
        card = self.scorer.card
        height, width = group[0].shape[1:]
        if min(height, width) < card.window:
            raise ModelError(_too_small(card, height, width))
        total = np.zeros((len(group), height, width))
        weight, top = np.zeros_like(total), np.full(len(group), -np.inf)
        for row, col, chance in self._windows(scaled(sheet[list(self.positions)], card)):
            number = row // pitch * across + col // pitch
            y, x = row % pitch, col % pitch
            if number < len(group) and y + card.window <= height and x + card.window <= width:
                part = (number, slice(y, y + card.window), slice(x, x + card.window))
                total[part] += chance
                weight[part] += 1
                top[number] = max(top[number], chance)
        seen = [np.isfinite(image[list(self.positions)]).all(axis=0) for image in group]
        with np.errstate(invalid="ignore"):
            chances = np.where(np.stack(seen) & (weight > 0), total / weight, np.nan)
        return [(c.astype(np.float32), float(t)) for c, t in zip(chances, top, strict=True)]

    def _pixels(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        window, stride = self.scorer.card.window, self.scorer.card.stride
        height, width = values.shape[1:]
        grown = _mirrored(values, max(window, height), max(window, width))
        total, weight = np.zeros(grown.shape[1:]), np.zeros(grown.shape[1:])
        corners = [(r, c) for r in _starts(grown.shape[1], window, stride)
                   for c in _starts(grown.shape[2], window, stride)]  # fmt: skip
        for row, col in corners:
            part = (slice(row, row + window), slice(col, col + window))
            total[part] += self._mine(self.scorer(grown[:, *part][None])[0])
            weight[part] += 1
        return total[:height, :width], weight[:height, :width], float("nan")

    def _patches(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Every window that lies in the chip; a call that holds several is filled up."""
        card = self.scorer.card
        height, width = values.shape[1:]
        if min(height, width) < card.window:
            raise ModelError(_too_small(card, height, width))
        total, weight, top = np.zeros((height, width)), np.zeros((height, width)), -np.inf
        for row, col, chance in self._windows(values):
            part = (slice(row, row + card.window), slice(col, col + card.window))
            total[part] += chance
            weight[part] += 1
            top = max(top, chance)
        return total, weight, float(top)

    def _mine(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """(height, width), of (classes, height, width); a spread is no class."""
        own = [i for i, name in enumerate(self.scorer.card.classes)
               if name == self.only or (not self.only and name != "spread")]  # fmt: skip
        return np.asarray(np.minimum(probability[own].sum(axis=0), 1), np.float32)

    def _windows(self, values: NDArray[np.float32]) -> Iterator[tuple[int, int, float]]:
        card = self.scorer.card
        step = card.grid_side * card.stride
        height, width = values.shape[1:]
        for top in range(0, height - card.window + 1, step):
            for left in range(0, width - card.window + 1, step):
                call = np.zeros((1, len(values), card.call_px, card.call_px), np.float32)
                part = values[:, top : top + card.call_px, left : left + card.call_px]
                call[0, :, : part.shape[1], : part.shape[2]] = part
                for (i, j), chance in np.ndenumerate(self._mine(self.scorer(call)[0])):
                    row, col = top + i * card.stride, left + j * card.stride
                    if row + card.window <= height and col + card.window <= width:
                        yield row, col, float(chance)


def surest(probability: NDArray[np.float32]) -> float:
    """The mean of the surest hundredth of some pixels; NaN if none was seen."""
    known = np.sort(probability[np.isfinite(probability)])
    return float(known[-max(1, round(TOP * len(known))) :].mean()) if len(known) else float("nan")


def _too_small(card: ModelCard, height: int, width: int) -> str:
    return (f"model {card.name!r} looks at {card.window} px, a chip has {height} x {width}; "
            "use larger chips")  # fmt: skip


def scaled(image: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """What a model takes in: clipped, scaled, holes filled, as its card says.

    Args:
        image: (bands, height, width) in the card's order.
    """
    out = np.empty_like(image)
    for layer, band, fill, target in zip(image, card.bands, card.fill, out, strict=True):
        rule = card.scaling.get(band, Scaling())
        value = np.where(np.isfinite(layer), layer, np.float32(fill))
        if rule.clip is not None:
            value = np.clip(value, *rule.clip)
        target[:] = value * rule.scale + rule.offset
    return out


def _mirrored(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    down, right = height - values.shape[1], width - values.shape[2]
    return np.pad(values, ((0, 0), (0, down), (0, right)), mode="symmetric")


def _starts(length: int, window: int, stride: int) -> list[int]:
    """Corners of windows that cover a side, the last one flush with its end."""
    starts = list(range(0, length - window + 1, stride))
    if starts[-1] + window < length:
        starts.append(length - window)
    return starts
