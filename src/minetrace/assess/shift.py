"""Whether new pictures look like those that a model was trained on.

A network knows the brightness and colours that it was shown. Before its figures are believed in
another region, season or sensor, the bands are compared; where they differ, matching their mean and
spread often helps, and says by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PER_CHIP = 500  # pixels of a chip that are looked at
FAR = 1.0  # standard deviations between means
WIDE = 2.0  # ratio of spreads
STRANGE = 0.15  # share of pixels beyond the middle 98 % of training
FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True)
class BandStatistics:
    """What the bands of some chips are like.

    Attributes:
        bands: names.
        mean, spread: (bands,); the spread is a standard deviation.
        low, high: (bands,) the middle 98 %.
    """

    bands: tuple[str, ...]
    mean: FloatArray
    spread: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, bands: Sequence[str], images: Iterable[Image]) -> tuple[BandStatistics, FloatArray]:
        """Statistics of images (bands, height, width), and the pixels that they are of.

        Returns:
            The statistics, and (n, bands) of the pixels: at most `PER_CHIP` of each chip, evenly
            spread, those in which every band was seen.
        """
        taken = []
        for image in images:
            flat = image.reshape(len(image), -1)
            flat = flat[:, np.isfinite(flat).all(axis=0)]
            step = max(1, flat.shape[1] // PER_CHIP)
            taken.append(flat[:, ::step].T.astype(np.float64))
        pixels = np.concatenate([np.empty((0, len(bands))), *taken])
        if not len(pixels):
            nothing = np.full(len(bands), np.nan)
            return cls(tuple(bands), nothing, nothing, nothing, nothing), pixels
        low, high = np.quantile(pixels, [0.01, 0.99], axis=0)
        return cls(tuple(bands), pixels.mean(0), pixels.std(0), low, high), pixels


@dataclass(frozen=True)
class BandShift:
    """How far one band of new chips is from training.

    Attributes:
        band: its name.
        apart: (new mean - training mean) / training spread.
        spread: new spread / training spread.
        strange: share of the new pixels beyond the middle 98 % of training; 0.02 if all is alike.
    """

    band: str
    apart: float
    spread: float
    strange: float

    @property
    def warns(self) -> bool:
        """Whether the band is of another world than that of training."""
        far = abs(self.apart) > FAR or self.strange > STRANGE
        return far or not 1 / WIDE <= self.spread <= WIDE


def compare(trained: BandStatistics, new: BandStatistics, pixels: FloatArray) -> list[BandShift]:
    """Each band of new chips beside training; ``pixels`` (n, bands) are of the new ones."""
    beyond = ((pixels < trained.low) | (pixels > trained.high)).mean(axis=0)
    scale = np.maximum(trained.spread, 1e-9)
    return [
        BandShift(band, float(a), float(s), float(b))
        for band, a, s, b in zip(
            trained.bands, (new.mean - trained.mean) / scale, new.spread / scale, beyond,
            strict=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class Renormalised:
    """Gives new pictures the mean and spread of training, band by band."""

    trained: BandStatistics
    new: BandStatistics

    @property
    def name(self) -> str:
        """In words, as a disturbance has."""
        return "matched to training"

    def __call__(self, image: Image) -> Image:
        """The matched picture of (bands, height, width)."""
        gain = self.trained.spread / np.maximum(self.new.spread, 1e-9)
        offset = self.trained.mean - self.new.mean * gain
        return np.asarray(image * gain[:, None, None] + offset[:, None, None], np.float32)


def verdict(shifts: Sequence[BandShift]) -> str:
    """In one sentence."""
    strange = [s.band for s in shifts if s.warns]
    if not strange:
        return "The bands look like those of training."
    return (
        f"{', '.join(strange)}: unlike training, so the figures above are those of a model outside "
        "what it knows. Match the bands if that helps below, or train on some chips from here."
    )
