"""Cloud detectors that look at the pixels themselves: s2cloudless and ukis-csmask, by their extras.

Each takes reflectance of the bands that it knows and says where cloud (and shadow) is. Sources:
s2cloudless (Zupanc 2017, Sentinel Hub), a tree per pixel; ukis-csmask (Wieland et al. 2019, DLR), a
network that looks around. Both are made for bright cloud over darker ground: ``minetrace clouds
compare`` says what they do to bare pits and tailings.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import MissingExtraError

Level = Literal["toa", "boa"]
Pixels = NDArray[np.float32]
"""(bands, height, width) of reflectance."""


@dataclass(frozen=True)
class Detector:
    """One way of finding clouds in pixels.

    Attributes:
        bands: common names, in the order in which they are given to it.
        levels: of reflectance that it knows.
        context_px: how far around a pixel it looks.
        find: (pixels, seen, level, threshold) to True where cloud or shadow is.
    """

    name: str
    bands: tuple[str, ...]
    levels: tuple[Level, ...]
    context_px: int
    find: Callable[[Pixels, NDArray[np.bool_], Level, float | None], NDArray[np.bool_]]


def _s2cloudless(
    pixels: Pixels, seen: NDArray[np.bool_], _level: Level, threshold: float | None
) -> NDArray[np.bool_]:
    found = np.zeros(seen.shape, dtype=bool)
    if seen.any():
        probability = _trees().get_cloud_probability_maps(pixels[:, seen].T[None, None])
        found[seen] = probability[0, 0] > (0.4 if threshold is None else threshold)
    return found


@lru_cache(maxsize=1)
def _trees() -> Any:
    try:
        from s2cloudless.cloud_detector import S2PixelCloudDetector
    except ImportError as error:
        raise MissingExtraError(
            "mask kind s2cloudless needs an extra: pip install 'minetrace[clouds]'"
        ) from error
    return S2PixelCloudDetector(average_over=None, dilation_size=None)  # we grow masks ourselves


def _csmask(
    pixels: Pixels, seen: NDArray[np.bool_], level: Level, _threshold: float | None
) -> NDArray[np.bool_]:
    try:
        from ukis_csmask.mask import CSmask
    except ImportError as error:
        raise MissingExtraError(
            "mask kind ukis-csmask needs an extra: pip install 'minetrace[clouds]'"
        ) from error
    image = np.ascontiguousarray(np.moveaxis(np.where(seen, pixels, 0), 0, -1), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # small images are padded, and it says so
        told = CSmask(
            image, list(UKIS_CSMASK.bands), "l1c" if level == "toa" else "l2a", invalid_buffer=1,
            intra_op_num_threads=1, inter_op_num_threads=1, providers=["CPUExecutionProvider"],
        )  # fmt: skip
    return np.asarray(told.csm[..., 0] != 0) & seen


S2CLOUDLESS = Detector(
    "s2cloudless",
    ("coastal", "blue", "red", "rededge071", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22"),
    ("toa",), 0, _s2cloudless,
)  # fmt: skip
UKIS_CSMASK = Detector(
    "ukis-csmask", ("blue", "green", "red", "nir", "swir16", "swir22"), ("toa", "boa"), 128, _csmask
)
DETECTORS = {one.name: one for one in (S2CLOUDLESS, UKIS_CSMASK)}
"""By the name that a mask's kind says."""
