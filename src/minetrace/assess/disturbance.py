"""What small things do to a model: pixels beside the mask, other gains of bands, thin haze.

A model that is right only on the pictures that it was shown loses much to little. Each disturbance
is one step of something that happens: georeferencing a pixel or two off, another processing
baseline or sensor, air.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
HAZE = 0.25  # reflectance of thin cloud in the optical bands


@dataclass(frozen=True)
class Disturbance:
    """A change of a chip's pixels; its mask stays.

    Attributes:
        kind: ``shift``, ``gain`` or ``haze``.
        amount: pixels, a share of the values, or opacity.
    """

    kind: str
    amount: float

    @property
    def name(self) -> str:
        """In words."""
        return {
            "shift": f"shifted by {self.amount:g} px", "gain": f"values {self.amount:+.0%}",
            "haze": f"haze of opacity {self.amount:g}",
        }[self.kind]  # fmt: skip

    def __call__(self, image: Image) -> Image:
        """The disturbed picture of (bands, height, width)."""
        return _KINDS[self.kind](image, self.amount)


def _shift(image: Image, amount: float) -> Image:
    px = round(amount)
    return np.pad(image, ((0, 0), (px, 0), (px, 0)), mode="edge")[:, : image.shape[1],
                                                                   : image.shape[2]]  # fmt: skip


def _gain(image: Image, amount: float) -> Image:
    return np.asarray(image * np.float32(1 + amount))


def _haze(image: Image, amount: float) -> Image:
    return np.asarray(image * np.float32(1 - amount) + np.float32(amount * HAZE))


_KINDS: dict[str, Callable[[Image, float], Image]] = {
    "shift": _shift, "gain": _gain, "haze": _haze,
}  # fmt: skip
DISTURBANCES = (
    Disturbance("shift", 1), Disturbance("shift", 2), Disturbance("shift", 4),
    Disturbance("gain", -0.2), Disturbance("gain", -0.1), Disturbance("gain", 0.1),
    Disturbance("gain", 0.2), Disturbance("haze", 0.1), Disturbance("haze", 0.2),
    Disturbance("haze", 0.4),
)  # fmt: skip
