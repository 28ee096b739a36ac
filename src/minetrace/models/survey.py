"""What the training part of a set looks like: its bands and its classes, counted once.

Only chips of the training part may be surveyed for a network: statistics of the others would tell
it about the test. One pass, flat memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.data_set import IGNORE, DataSet
from minetrace.core.model import Scaling
from minetrace.errors import DataSetError

FLAT = 1e-6  # a band that varies less than this holds nothing


@dataclass(frozen=True)
class Survey:
    """Counts over chips.

    Attributes:
        bands: common names.
        mean: (bands,) in the unit of the band.
        std: (bands,) likewise.
        shares: (chips, classes) share of a chip's pixels that are of a class; of a chip that is
            labelled as a whole, 1 for its class.
        seen: share of the pixels that were seen in every band.
        full: reflectance that becomes 1, for a network that takes reflectance as it is; None for
            one that takes bands of mean 0 and deviation 1.
    """

    bands: tuple[str, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    shares: NDArray[np.float64]
    seen: float
    full: float | None = None

    @property
    def zero(self) -> NDArray[np.float64]:
        """(bands,) what becomes 0."""
        return self.mean if self.full is None else np.zeros(len(self.bands))

    @property
    def unit(self) -> NDArray[np.float64]:
        """(bands,) what is 1 more once scaled."""
        return self.std if self.full is None else np.full(len(self.bands), self.full)

    @property
    def rest(self) -> NDArray[np.float32]:
        """(bands, 1, 1) what a hole is filled with, once scaled."""
        return ((self.mean - self.zero) / self.unit).astype(np.float32)[:, None, None]

    @property
    def scaling(self) -> dict[str, Scaling]:
        """Per band, what makes of it what the network takes."""
        clip = None if self.full is None else (0.0, self.full)
        return {
            band: Scaling(float(1 / unit), float(0.0 - zero / unit), clip)
            for band, zero, unit in zip(self.bands, self.zero, self.unit, strict=True)
        }

    @property
    def fill(self) -> tuple[float, ...]:
        """Per band, what a hole is filled with: the mean."""
        return tuple(float(mean) for mean in self.mean)

    def standard(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels (…, bands, h, w) as the network takes them; holes, in any band, are its mean."""
        zero = self.zero.astype(np.float32)[:, None, None]
        scale = (1 / self.unit).astype(np.float32)[:, None, None]
        hole = np.isnan(image).any(axis=-3, keepdims=True)
        scaled = (image - zero) * scale
        return np.where(hole, self.rest, scaled if self.full is None else scaled.clip(0, 1))


def survey(data: DataSet, bands: tuple[str, ...]) -> Survey:
    """Look at every chip of a set once.

    Args:
        data: the training part.
        bands: those that the network takes, in its order.

    Raises:
        DataSetError: there are no chips, or a band is the same everywhere.
        BandError: a band is not there.
    """
    places = data.positions(bands)
    total, square, count = np.zeros(len(bands)), np.zeros(len(bands)), 0
    shares, pixels = [], 0
    for chip in data.chips:
        image, mask = data.read(chip)
        seen = image[places]
        hole = np.isnan(seen).any(axis=0)
        seen = seen[:, ~hole].astype(np.float64)
        total += seen.sum(axis=1)
        square += (seen**2).sum(axis=1)
        count += seen.shape[1]
        pixels += mask.size
        mask = np.where(hole, np.uint8(IGNORE), mask)  # what cannot be seen cannot be drawn
        shares.append(_shares(mask, chip.label if not chip.mask else None, len(data.classes)))
    if not count:
        raise DataSetError(f"{data.name}: its training part holds no pixel that was seen; "
                           "give chips the split 'train'")  # fmt: skip
    mean = total / count
    std = np.sqrt(np.maximum(square / count - mean**2, 0))
    for band, spread in zip(bands, std, strict=True):
        if spread < FLAT:
            raise DataSetError(f"{data.name}: band {band} is the same everywhere in the training "
                               "part; leave it out of bands")  # fmt: skip
    return Survey(bands, mean, std, np.array(shares), count / pixels)


def _shares(mask: NDArray[np.uint8], label: int | None, classes: int) -> NDArray[np.float64]:
    if label is not None:
        return np.asarray(np.eye(classes)[label])
    counts = np.bincount(mask.ravel(), minlength=classes)[:classes]
    return np.asarray(counts / mask.size, np.float64)
