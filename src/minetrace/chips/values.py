"""From the numbers of a file to values that mean something, and to classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.bands import is_embedding
from minetrace.core.data_set import IGNORE, Chip
from minetrace.errors import DataSetError, RadiometryError

MOST_REFLECTANCE = 2.0  # glint and snow reach above 1; nothing on the ground reaches this
GLANCE = 24  # chips that are looked at to see whether their numbers are what is said of them
NOT_OPTICAL = frozenset({"vv", "vh", "elevation", "slope", "lwir", "lwir11", "lwir12"})


@dataclass(frozen=True)
class Values:
    """value = number * scale + offset, NaN where the number is one of ``nodata``.

    Attributes:
        scale: (bands,).
        offset: (bands,).
        nodata: numbers that mean nothing was seen.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    nodata: tuple[float, ...] = ()

    def of(self, numbers: NDArray[Any]) -> NDArray[np.float32]:
        """Values of (bands, height, width) numbers."""
        missing = np.isin(numbers, self.nodata) | ~np.isfinite(numbers)
        scale = np.asarray(self.scale, np.float32)[:, None, None]
        offset = np.asarray(self.offset, np.float32)[:, None, None]
        with np.errstate(invalid="ignore"):
            values = numbers.astype(np.float32) * scale + offset
        return np.where(missing, np.float32(np.nan), values)


def glance(chips: Sequence[Chip]) -> Sequence[Chip]:
    """A few chips of a set, spread over it."""
    return chips[:: max(1, len(chips) // GLANCE)]


def refuse_guesses(values: NDArray[np.float32], bands: Sequence[str], origin: str) -> None:
    """Check that optical bands hold reflectance.

    Args:
        values: (bands, height, width) of one chip; 0 says nothing, as black fits any scale.

    Raises:
        RadiometryError: they are far above what ground reflects.
    """
    for band, layer in zip(bands, values, strict=True):
        seen = layer[np.isfinite(layer) & (layer != 0)]
        if band in NOT_OPTICAL or is_embedding(band) or not seen.size:
            continue
        middle = float(np.median(seen))
        if middle > MOST_REFLECTANCE:
            raise RadiometryError(
                f"{origin}: {band} has a median of {middle:.4g}, which is no reflectance (0 to 1); "
                "say what the numbers mean with scale, such as 0.0001 for reflectance x 10,000"
            )


def classes_of(
    numbers: NDArray[Any], known: Mapping[int, int], classes: int, origin: str
) -> NDArray[np.uint8]:
    """Class indices of the numbers of masks or whole chips, IGNORE for what is not a number.

    Args:
        numbers: of any shape.
        known: class of a number; numbers that it does not name stay as they are.
        classes: how many there are.

    Raises:
        DataSetError: a number is no class.
    """
    finite = np.isfinite(numbers)
    found = np.where(finite, numbers, IGNORE)
    mask = np.full(found.shape, IGNORE, np.uint8)
    for number in np.unique(found):
        value = known.get(int(number), int(number)) if number == int(number) else -1
        if value != IGNORE and not 0 <= value < classes:
            raise DataSetError(
                f"{origin}: holds {number:g}, which is none of the {classes} classes; "
                f"say what it means with values, such as {{{number:g}: 1}}, or name more classes"
            )
        mask[found == number] = value
    mask[~finite] = IGNORE
    return mask
