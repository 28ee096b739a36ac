"""What a count means. It is said by the user or by the file, and never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.bands import RADAR
from minetrace.core.raster import NODATA, stored_scale
from minetrace.errors import RadiometryError

PER_REFLECTANCE = 10_000.0
PER_KELVIN = 10.0
BRIGHTEST = 2.0  # a median reflectance above this is a count, not a reflectance
_REMEDY = (
    "give sources.scale and sources.offset: 0.0001 and 0 for Sentinel-2 L2A (offset -0.1 from "
    "processing baseline 04.00 on, unless harmonised), 0.0000275 and -0.2 for Landsat "
    "Collection 2 Level 2"
)


@dataclass(frozen=True)
class Radiometry:
    """Reflectance (kelvin, decibels, metres or degrees for other bands) is count * scale + offset.

    Attributes:
        per_unit: stored numbers for one of these.
        power: True if that gives the power of radar, which is stored in decibels; where it is not
            above 0 nothing came back, and nothing was seen.
    """

    scale: float
    offset: float
    per_unit: float = PER_REFLECTANCE
    power: bool = False


def is_thermal(band: str) -> bool:
    """True for bands that are stored in kelvin."""
    return band.startswith("lwir")


def radiometry(
    path: Path,
    band: str,
    dtype: str,
    *,
    said: tuple[float | None, float | None],
    tagged: tuple[float, float],
) -> Radiometry:
    """What the counts of one band of one file mean.

    Args:
        path: the file, for errors.
        band: its common name.
        dtype: numpy name of the type of its counts.
        said: scale and offset by the user, None where not said.
        tagged: scale and offset by the file; (1, 0) is how a file says nothing.

    Raises:
        RadiometryError: counts are integers and nobody says what they mean.
    """
    scale, offset = said
    per_unit = float(round(1 / stored_scale(band)))
    if scale is not None:
        return Radiometry(scale, tagged[1] if offset is None else offset, per_unit)
    if tagged != (1.0, 0.0):
        return Radiometry(tagged[0], tagged[1] if offset is None else offset, per_unit)
    if np.issubdtype(np.dtype(dtype), np.integer):
        also = " (an offset alone does not say it)" if offset is not None else ""
        raise RadiometryError(
            f"{path.name}: nothing says what the {dtype} values of band {band} mean{also}; "
            f"{_REMEDY}"
        )
    return Radiometry(1.0, offset or 0.0, per_unit)


def refuse_counts(path: Path, band: str, sample: NDArray[Any], rule: Radiometry) -> None:
    """Refuse floating-point values without a scale that are no reflectance, or no decibels.

    Raises:
        RadiometryError: the median of reflectance lies above 2, that of radar above 0.
    """
    finite = sample[np.isfinite(sample)]
    if not finite.size:
        return
    median = float(np.median(finite)) * rule.scale + rule.offset
    if band in RADAR and median > 0:
        raise RadiometryError(
            f"{path.name}: band {band} has a median of {median:g}, so it is linear power and not "
            "decibels; write 10 * log10 of it into the file first"
        )
    if median > BRIGHTEST and rule.per_unit == PER_REFLECTANCE:
        raise RadiometryError(
            f"{path.name}: band {band} has a median of {median:g} and no scale, so it is not "
            f"reflectance from 0 to 1; {_REMEDY}"
        )


def to_int16(counts: NDArray[Any], rule: Radiometry) -> NDArray[np.int16]:
    """Counts to int16 reflectance x 1e4 (kelvin x 10), rounded half to even.

    Negative reflectance is kept; what does not fit is clipped to -32767 ... 32767. Counts that are
    not finite give 0, and are for the caller to mask.

    Args:
        counts: of any shape; floating point where they were resampled.
    """
    if counts.dtype.kind in "iu" and counts.dtype.itemsize <= 2:
        table, lowest = _table(counts.dtype.str, rule)
        if lowest == 0:
            return np.asarray(table[counts])
        return np.asarray(table[counts.astype(np.int32) - lowest])
    return _encode(counts.astype(np.float64), rule)


@lru_cache(maxsize=64)
def _table(dtype: str, rule: Radiometry) -> tuple[NDArray[np.int16], int]:
    """The value of every count that a type of at most 16 bits can hold."""
    limits = np.iinfo(np.dtype(dtype))
    counts = np.arange(limits.min, limits.max + 1, dtype=np.float64)
    return _encode(counts, rule), int(limits.min)


def _encode(counts: NDArray[np.float64], rule: Radiometry) -> NDArray[np.int16]:
    if rule.power:
        power = counts * rule.scale + rule.offset
        steps = np.searchsorted(_between_decibels(rule.per_unit), power)
        return (steps + NODATA + 1).astype(np.int16)
    values = (counts * rule.scale + rule.offset) * rule.per_unit
    values = np.rint(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))
    return np.clip(values, NODATA + 1, 32767).astype(np.int16)


@lru_cache(maxsize=1)
def _between_decibels(per_unit: float) -> NDArray[np.float64]:
    """The power between each number of decibels that int16 can hold and the next.

    A table rather than logarithms, so that every pixel is rounded alike.
    """
    stored = np.arange(NODATA + 1, 32767, dtype=np.float64)
    return np.asarray(np.power(10.0, (stored + 0.5) / (10 * per_unit)))
