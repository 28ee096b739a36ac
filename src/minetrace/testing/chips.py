"""Seeded sets of chips with bright squares in them, for tests of what learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARES = (("train", 0.6), ("val", 0.2), ("test", 0.2))


def write_square_chips(
    path: Path, *, count: int = 10, side: int = 64, bands: int = 3, classes: int = 2, seed: int = 0
) -> Path:
    """Write a ``.npz`` of dark ground with one bright square a chip, at places of their own.

    Of several classes, class k is brightest in band k - 1. The first four rows of every mask are
    unknown, and the first chip has a hole that nobody saw. Parts are train, val and test.
    """
    rng = np.random.default_rng(seed)
    images = rng.normal(0.1, 0.01, (count, bands, side, side)).astype(np.float32)
    masks = np.zeros((count, side, side), np.uint8)
    for chip in range(count):
        row, col = rng.integers(6, side // 2, 2)
        square = slice(row, row + side // 3), slice(col, col + side // 3)
        which = 1 + chip % (classes - 1)
        masks[chip][square] = which
        images[chip][:, *square] += 0.1
        images[chip][which - 1, *square] += 0.15
    masks[:, :4] = 255
    images[0, :, -8:, -8:] = np.nan
    names = np.array([f"place{n}" for n in range(count)])
    with path.open("wb") as file:
        np.savez(file, images=images, masks=masks, split=_parts(count), place=names)
    return path


def write_window_chips(path: Path, *, count: int = 24, side: int = 48, seed: int = 0) -> Path:
    """Write a ``.npz`` of windows that are labelled as a whole: 1 where there is a bright scar."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0.1, 0.01, (count, 3, side, side)).astype(np.float32)
    label = (np.arange(count) % 2).astype(np.uint8)
    for chip in np.flatnonzero(label):
        row, col = rng.integers(4, side // 2, 2)
        images[chip, :, row : row + side // 3, col : col + side // 3] += 0.2
    names = np.array([f"place{n}" for n in range(count)])
    with path.open("wb") as file:
        np.savez(file, images=images, label=label, split=_parts(count), place=names)
    return path


def _parts(count: int) -> NDArray[np.str_]:
    """The part of each chip, in order."""
    ends = np.cumsum([share for _, share in SHARES]) * count
    return np.array([SHARES[int(np.searchsorted(ends, n + 0.5))][0] for n in range(count)])
