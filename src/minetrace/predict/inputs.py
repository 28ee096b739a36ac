"""Stored pixels to what a model takes in: one multiply-add, clipping, holes filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import ModelCard, Scaling
from minetrace.core.raster import stored_scale

_IDENTITY = Scaling()


@dataclass(frozen=True)
class _Band:
    low: np.float32 | None
    high: np.float32 | None
    factor: np.float32
    offset: np.float32
    hole: np.float32


@dataclass(frozen=True)
class InputScaling:
    """The card's scaling and the storage's scale folded into one, per band."""

    bands: tuple[_Band, ...]

    @classmethod
    def of(cls, card: ModelCard, sources: Sequence[str]) -> InputScaling:
        """The scaling of a card over imagery.

        Args:
            card: says scale, offset, clip and fill per band.
            sources: the band of the imagery behind each band of the card.
        """
        rows = zip(card.bands, sources, card.fill, strict=True)
        return cls(tuple(_fold(card.scaling.get(b, _IDENTITY), s, fill) for b, s, fill in rows))

    def __call__(self, pixels: NDArray[np.int16], out: NDArray[np.float32]) -> None:
        """Scale stored pixels, both (bands, h, w), into ``out``."""
        for band, source, target in zip(self.bands, pixels, out, strict=True):
            np.copyto(target, source)
            if band.low is not None:
                np.clip(target, band.low, band.high, out=target)
            np.multiply(target, band.factor, out=target)
            if band.offset:
                np.add(target, band.offset, out=target)

    def fill(self, out: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        """Give holes the card's fill; ``out`` is (bands, h, w), ``valid`` (h, w)."""
        holes = ~valid
        for band, target in zip(self.bands, out, strict=True):
            target[holes] = band.hole


def _fold(scaling: Scaling, source: str, fill: float) -> _Band:
    stored = stored_scale(source)
    low = high = None
    hole = fill
    if scaling.clip is not None:
        low, high = (np.float32(bound / stored) for bound in scaling.clip)
        hole = min(max(fill, scaling.clip[0]), scaling.clip[1])
    return _Band(
        low, high, np.float32(scaling.scale * stored), np.float32(scaling.offset),
        np.float32(hole * scaling.scale + scaling.offset),
    )  # fmt: skip
