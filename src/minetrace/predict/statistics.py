"""What the windows over a cell say together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STATISTICS = ("min", "median", "std", "count")  # on request, beside mean and max


def statistics_of(
    layers: list[NDArray[np.float32]], names: tuple[str, ...]
) -> dict[str, NDArray[np.float64]]:
    """Statistics over layers, cell by cell, in the order of the layers; NaN does not count.

    Args:
        layers: each (h, w).
        names: among mean, max, min, median, std, count.

    Returns:
        Each (h, w); ``mean`` and ``count`` are always there. Where no layer counts, ``count`` is
        0 and the others have no meaning.
    """
    total = np.zeros(layers[0].shape)
    count = np.zeros(layers[0].shape)
    highest = np.full(layers[0].shape, -np.inf, np.float32)
    for layer in layers:
        here = np.isfinite(layer)
        total += np.where(here, layer, 0)
        count += here
        np.fmax(highest, layer, out=highest)
    some = np.maximum(count, 1)
    mean = total / some
    found = {"mean": mean, "count": count, "max": highest.astype(np.float64)}
    if "min" in names:
        found["min"] = np.fmin.reduce(layers).astype(np.float64)
    if "std" in names:
        squares = np.zeros(mean.shape)
        for layer in layers:
            squares += np.where(np.isfinite(layer), layer - mean, 0) ** 2
        found["std"] = np.sqrt(squares / some)
    if "median" in names:
        found["median"] = _median(layers, some)
    return found


def _median(layers: list[NDArray[np.float32]], count: NDArray[np.float64]) -> NDArray[np.float64]:
    ranked = np.sort(np.stack(layers), axis=0)  # NaN last
    n = count.astype(np.int64)[None]
    low = np.take_along_axis(ranked, (n - 1) // 2, axis=0)[0]
    high = np.take_along_axis(ranked, n // 2, axis=0)[0]
    middle: NDArray[np.float64] = (low.astype(np.float64) + high) / 2
    return middle
