"""What small things do to a model: pixels beside the mask, other gains of bands, thin haze.

A model that is right only on the pictures that it was shown loses much to little. Each disturbance
is one step of something that happens: georeferencing a pixel or two off, another processing
baseline or sensor, one band of it alone, air. Light changes so; decibels, metres and kelvin do not,
and such bands are only shifted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from minetrace.core.bands import RADAR, TERRAIN, is_embedding

Image = NDArray[np.float32]
HAZE = 0.25  # reflectance of thin cloud in the optical bands
NO_LIGHT = (*RADAR, *TERRAIN, "lwir", "lwir11", "lwir12")


@dataclass(frozen=True)
class Disturbance:
    """A change of a chip's pixels; its mask stays.

    Attributes:
        kind: ``shift``, ``gain`` or ``haze``.
        amount: pixels, a share of the values, or opacity.
        at: positions of the bands whose values change; all bands are shifted.
        band: name of the one that changes, empty where several do.
    """

    kind: str
    amount: float
    at: tuple[int, ...] = ()
    band: str = ""

    @property
    def name(self) -> str:
        """In words."""
        return {
            "shift": f"shifted by {self.amount:g} px",
            "gain": f"{self.band or 'values'} {self.amount:+.0%}",
            "haze": f"haze of opacity {self.amount:g}",
        }[self.kind]  # fmt: skip

    def __call__(self, image: Image) -> Image:
        """The disturbed picture of (bands, height, width)."""
        if self.kind == "shift":
            return _shift(image, self.amount)
        rows, changed = list(self.at), image.copy()
        changed[rows] = _VALUES[self.kind](image[rows], self.amount)
        return changed


def _shift(image: Image, amount: float) -> Image:
    px = round(amount)
    return np.pad(image, ((0, 0), (px, 0), (px, 0)), mode="edge")[:, : image.shape[1],
                                                                   : image.shape[2]]  # fmt: skip


def _gain(image: Image, amount: float) -> Image:
    return np.asarray(image * np.float32(1 + amount))


def _haze(image: Image, amount: float) -> Image:
    return np.asarray(image * np.float32(1 - amount) + np.float32(amount * HAZE))


_VALUES: dict[str, Callable[[Image, float], Image]] = {"gain": _gain, "haze": _haze}


def disturbances(bands: Sequence[str]) -> tuple[Disturbance, ...]:
    """What is tried on chips with these bands, in the order in which it is told."""
    lit = [i for i, band in enumerate(bands) if band not in NO_LIGHT and not is_embedding(band)]
    found = [Disturbance("shift", px) for px in (1, 2, 4)]
    if lit:
        found += [Disturbance("gain", g, tuple(lit)) for g in (-0.2, -0.1, 0.1, 0.2)]
        found += [Disturbance("haze", h, tuple(lit)) for h in (0.1, 0.2, 0.4)]
    if len(lit) > 1:
        found += [Disturbance("gain", 0.1, (i,), bands[i]) for i in lit]
    return tuple(found)
