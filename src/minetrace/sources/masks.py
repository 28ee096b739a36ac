"""Which pixels are clear: scene classes, quality bits, bands of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import StudyError

MaskKind = Literal["none", "scl", "qa_pixel", "fmask", "classi", "band", "alpha"]

# Sen2Cor scene classes. Kept: dark ground, vegetation, bare soil, water, unclassified. Dark ground
# is kept because flooded pits are in that class on their clearest dates: without it only hazy looks
# at them are left, and their composites turn bright. Not kept: 11, snow; name it in keep if wanted.
SCL_NODATA = 0
SCL_KEEP = (2, 4, 5, 6, 7)
SCL_SPREAD = (3, 8, 9, 10)  # shadow, cloud, thin cirrus: their edges are missed, so they are grown

_KEEP = {"scl": SCL_KEEP, "classi": (0,)}

# Landsat Collection 2 QA_PIXEL bits: fill, dilated cloud, cirrus, cloud, cloud shadow; 5 is snow
QA_FILL = 0
QA_DROP = (0, 1, 2, 3, 4)
QA_SPREAD = (1, 2, 3, 4)

# Fmask of HLS 2.0, bits: cloud, beside cloud or shadow, cloud shadow; 4 is snow, 5 water. Source:
# HLS User Guide 2.0, table 9. What lies beside has a bit of its own, so nothing need be grown.
FMASK_FILL = 255
FMASK_DROP = (1, 2, 3)
FMASK_SPREAD = (1, 3)


class _Bits(NamedTuple):
    """How a mask of quality bits is read."""

    drop: tuple[int, ...]
    spread: tuple[int, ...]
    snow: int


_BITS = {"qa_pixel": _Bits(QA_DROP, QA_SPREAD, 5), "fmask": _Bits(FMASK_DROP, FMASK_SPREAD, 4)}


@dataclass(frozen=True)
class MaskOptions:
    """Which pixels are clear.

    Attributes:
        kind: ``scl`` (Sentinel-2 scene classes), ``qa_pixel`` (Landsat quality bits), ``fmask``
            (those of HLS), ``classi`` (cloud and cirrus of Sentinel-2 L1C products from baseline
            04.00 on), ``band`` (any band with classes), ``alpha`` (the file must have an alpha
            band), ``none``.
            A nodata value, an alpha band and a file's own mask always count, whatever the kind.
        band: name or position, from 1, of the band; default: the one described SCL or QA_PIXEL.
        keep: classes that are clear; not for ``qa_pixel`` and ``fmask``.
        drop: classes that are not clear, or bits that must not be set for ``qa_pixel`` and
            ``fmask``.
        dilate_m: how far cloud and shadow are grown, metres; dark ground and snow are not grown.
    """

    kind: MaskKind = "none"
    band: str | int | None = None
    keep: tuple[int, ...] | None = None
    drop: tuple[int, ...] | None = None
    dilate_m: float = 0.0

    def __post_init__(self) -> None:
        if self.keep is not None and self.drop is not None:
            raise StudyError("sources.mask: give keep or drop, not both")
        if self.kind in _BITS and self.keep is not None:
            drop, snow = _BITS[self.kind].drop, _BITS[self.kind].snow
            raise StudyError(
                f"sources.mask: {self.kind} is made of bits, so give drop, the bits that must not "
                f"be set (default {list(drop)}; {snow} is snow), not keep"
            )
        if self.kind == "band" and self.keep is None and self.drop is None:
            raise StudyError("sources.mask: kind band needs keep, the values that are clear")
        if self.kind == "band" and self.band is None:
            raise StudyError("sources.mask: kind band needs band, a name or a position")
        if self.kind in ("none", "alpha") and self.keep is not None:
            raise StudyError(f"sources.mask: keep has no meaning for kind {self.kind}")
        if not 0 <= self.dilate_m < 1e5:
            raise StudyError(f"sources.mask: dilate_m is {self.dilate_m}; it must be 0 or more")


def classify(
    values: NDArray[Any], options: MaskOptions, nodata: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What a mask band says.

    Args:
        values: (height, width) of the mask band.
        options: how to read it.
        nodata: its value where nothing was seen, if any.

    Returns:
        clear, and spread: what is to be grown by the dilation. Both (height, width); neither holds
        where nothing was seen.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        clear, spread = _table(values.dtype.str, options, nodata)
        return np.take(clear, values), np.take(spread, values)
    return _judge(values, options, nodata)


@lru_cache(maxsize=32)
def _table(
    dtype: str, options: MaskOptions, nodata: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What the mask says of every value that a type of at most 16 bits can hold."""
    every = np.arange(np.iinfo(np.dtype(dtype)).max + 1).astype(dtype)
    return _judge(every, options, nodata)


def _judge(
    values: NDArray[Any], options: MaskOptions, nodata: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if options.kind in _BITS:
        return _by_bits(values, options)
    unseen = not_seen(values, options, nodata)
    keep = _KEEP.get(options.kind, ()) if options.keep is None else options.keep
    clear = np.isin(values, keep) if options.drop is None else ~np.isin(values, options.drop)
    clear &= ~unseen
    spread = ~clear & ~unseen
    if options.kind == "scl":
        spread &= np.isin(values, SCL_SPREAD)
    return clear, spread


def _by_bits(
    values: NDArray[Any], options: MaskOptions
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    bits, how = values.astype(np.uint32), _BITS[options.kind]
    drop = how.drop if options.drop is None else options.drop
    unseen = not_seen(values, options, None)
    clear = ((bits & _flags(drop)) == 0) & ~unseen
    spread = (bits & _flags(tuple(b for b in drop if b in how.spread))) != 0
    return clear, spread & ~unseen


def not_seen(values: NDArray[Any], options: MaskOptions, nodata: float | None) -> NDArray[np.bool_]:
    """Where a mask band says that there is no picture, rather than that it is not clear.

    Args:
        values: (height, width) of the mask band.
        nodata: its value where nothing was seen, if any; bits say it themselves.
    """
    if options.kind == "qa_pixel":
        return np.asarray((values.astype(np.uint32) & 1 << QA_FILL) != 0)
    if options.kind == "fmask":
        return np.asarray(values == FMASK_FILL)
    unseen = np.zeros(values.shape, dtype=bool)
    if nodata is not None:
        unseen |= values == nodata
    if options.kind == "scl":
        unseen |= values == SCL_NODATA
    return unseen


def _flags(bits: tuple[int, ...]) -> int:
    return sum(1 << bit for bit in set(bits))


def dilation_px(dilate_m: float, resolution_m: float) -> int:
    """How many pixels around a rectangle a dilation looks at."""
    return int(dilate_m / resolution_m + 1e-9)


def dilate(mask: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Grow what is True by a disk: every pixel within ``radius_px`` of a True one, by centres.

    Args:
        mask: (height, width).
        radius_px: in pixels; below 1 nothing grows.
    """
    reach = int(radius_px + 1e-9)
    if reach < 1 or not mask.any():
        return mask.copy()
    apart = _apart_in_row(mask, reach)
    grown = mask.copy()
    height = mask.shape[0]
    for up in range(-min(reach, height - 1), min(reach, height - 1) + 1):
        wide = int((radius_px**2 - up**2 + 1e-6) ** 0.5)
        here = slice(max(0, up), height + min(0, up))
        there = slice(max(0, -up), height + min(0, -up))
        grown[here] |= apart[there] <= wide
    return grown


def _apart_in_row(mask: NDArray[np.bool_], reach: int) -> NDArray[np.int16]:
    """Columns to the nearest True pixel of the same row; ``reach + 1`` where it is further."""
    far = reach + 1
    column = np.arange(mask.shape[1], dtype=np.int32)
    last = np.maximum.accumulate(np.where(mask, column, -far - 1), axis=1)
    nearest = np.minimum.accumulate(
        np.where(mask, column, mask.shape[1] + far)[:, ::-1], axis=1
    )[:, ::-1]  # fmt: skip
    return np.minimum(np.minimum(column - last, nearest - column), far).astype(np.int16)
