"""Chips that show the same picture, by content: copies, and copies with a little noise.

Two chips are compared in two steps. A hash of 64 bits (the signs of the lowest cosine waves of a
small grey picture) finds candidates among millions of pairs; small pictures of all bands then
decide. Waves are stable under noise, since a small picture averages it away.

Source of the hash: Zauner (2010), "Implementation and benchmarking of perceptual image hash
functions", DCT based.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALL = 16  # side of the small pictures
WAVES = 8
MOST_BITS = 14  # of 64 that may differ in a candidate: noise of a tenth of the contrast flips few
MOST_DIFFERENCE = 0.3  # root mean square, in units of the pictures' own contrast
MOST_BANDS = 4  # of the small pictures, spread over those that there are
BLOCK = 2048  # pairs of small pictures held at once
PAIRS = 1 << 24  # pairs of hashes held at once

BandArray = NDArray[np.float32]


@dataclass(frozen=True)
class Looks:
    """What chips look like, briefly.

    Attributes:
        exact: (n,) digest of the values.
        bits: (n,) uint64, the hash.
        small: (n, at most MOST_BANDS, SMALL, SMALL) float32, without NaN.
        plain: (n,) whether a chip has no picture: nothing was seen, or all of it is one value.
    """

    exact: NDArray[np.object_]
    bits: NDArray[np.uint64]
    small: BandArray
    plain: NDArray[np.bool_]


@dataclass(frozen=True)
class Twins:
    """Pairs of chips with one picture.

    Attributes:
        pairs: (m, 2) a row of the first group, a row of the second.
        exact: (m,) whether their values are equal.
        difference: (m,) root mean square of what differs, in units of their contrast.
    """

    pairs: NDArray[np.int64]
    exact: NDArray[np.bool_]
    difference: NDArray[np.float32]


def look(image: BandArray) -> tuple[str, np.uint64, BandArray, bool]:
    """What one chip looks like: digest, hash, small picture, and whether it is plain.

    Args:
        image: (bands, height, width), NaN where nothing was seen.
    """
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
    image = image[np.unique(np.linspace(0, len(image) - 1, MOST_BANDS).astype(int))]
    seen = np.isfinite(image)
    if not seen.any():
        return digest, np.uint64(0), np.zeros((len(image), SMALL, SMALL), np.float32), True
    middle = np.array([float(np.mean(b[s])) if s.any() else 0.0
                       for b, s in zip(image, seen, strict=True)], np.float32)  # fmt: skip
    small = _shrunk(np.where(seen, image, middle[:, None, None]))
    contrast = small.std(axis=(1, 2))
    plain = bool((contrast <= 1e-6 * np.maximum(1.0, np.abs(middle))).all())
    grey = (small / np.maximum(contrast, 1e-9)[:, None, None]).mean(axis=0)
    waves = (_COSINES @ grey @ _COSINES.T).ravel()[1:]  # the first is the mean
    signs = np.append(waves > np.median(waves), False)
    return digest, np.packbits(signs).view(np.uint64)[0], small, plain


def looks(images: Sequence[tuple[str, np.uint64, BandArray, bool]]) -> Looks:
    """The looks of many chips together."""
    digest, bits, small, plain = zip(*images, strict=True)
    return Looks(np.array(digest, object), np.array(bits, np.uint64), np.stack(small),
                 np.array(plain, bool))  # fmt: skip


def twins(ours: Looks, theirs: Looks) -> Twins:
    """Every pair of a chip of one group and a chip of the other that show one picture.

    Plain chips are nobody's twin: two that are of one value need not show one ground.
    """
    found: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
    step = max(1, PAIRS // max(1, len(theirs.bits)))
    for start in range(0, len(ours.bits), step):
        rows_here = slice(start, start + step)
        near = _differing(ours.bits[rows_here], theirs.bits) <= MOST_BITS
        near &= ~ours.plain[rows_here, None] & ~theirs.plain[None, :]
        rows, cols = np.nonzero(near)
        found.append(np.column_stack([rows + start, cols]))
    pairs = np.concatenate(found)
    difference = _difference(ours.small, theirs.small, pairs)
    kept = difference <= MOST_DIFFERENCE
    pairs, difference = pairs[kept], difference[kept]
    exact = ours.exact[pairs[:, 0]] == theirs.exact[pairs[:, 1]]
    return Twins(pairs, np.asarray(exact, bool), difference)


def _differing(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """(n, m) how many bits differ: table look-ups of bytes, as numpy below 2 cannot count bits."""
    count = np.zeros((len(a), len(b)), np.uint8)
    for x, y in zip(a.view(np.uint8).reshape(-1, 8).T, b.view(np.uint8).reshape(-1, 8).T,
                    strict=True):  # fmt: skip
        count += _ONES[x[:, None] ^ y[None, :]]
    return count


def _difference(a: BandArray, b: BandArray, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    values = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), BLOCK):
        i, j = pairs[start : start + BLOCK].T
        apart = np.sqrt(((a[i] - b[j]) ** 2).mean(axis=(2, 3)))
        contrast = np.sqrt((a[i].var(axis=(2, 3)) + b[j].var(axis=(2, 3))) / 2)
        values[start : start + BLOCK] = (apart / np.maximum(contrast, 1e-9)).mean(axis=1)
    return values


def _shrunk(image: BandArray) -> BandArray:
    """(bands, SMALL, SMALL) means over equal parts of the picture."""
    rows, cols = (_averages(n) for n in image.shape[1:])
    return np.asarray(rows @ image.astype(np.float64) @ cols.T, np.float32)


def _averages(length: int) -> NDArray[np.float64]:
    """(SMALL, length) weights: how much of each pixel falls into each part."""
    edges = np.linspace(0, length, SMALL + 1)
    low = np.maximum(edges[:-1, None], np.arange(length)[None, :])
    high = np.minimum(edges[1:, None], np.arange(1, length + 1)[None, :])
    part = np.maximum(high - low, 0)
    return np.asarray(part / part.sum(axis=1, keepdims=True))


_COSINES = np.cos(np.pi / SMALL * np.arange(WAVES)[:, None] * (np.arange(SMALL)[None, :] + 0.5))
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
