"""Seeded random fields: spectral noise, cell mosaics and hashes, with numpy alone.

Every field is periodic, so that it may be rolled without a seam, and float32, so that a country
fits in memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]


def spectral(
    rng: np.random.Generator,
    size_px: int,
    *,
    beta: float,
    longest_px: float = np.inf,
    shortest_px: float = 2.0,
    stretch: float = 1.0,
    heading_deg: float = 0.0,
) -> FloatArray:
    """Draw a periodic Gaussian field whose power falls as frequency ** -beta.

    Args:
        rng: where the randomness comes from.
        size_px: side of the square field.
        beta: slope of the power spectrum; 0 is white, 2 to 3 looks like clouds or land.
        longest_px: wavelengths above this are damped, which makes cells of about that size.
        shortest_px: wavelengths below this are damped.
        stretch: above 1, features are longer along the heading by this factor.
        heading_deg: direction of the stretch, clockwise from the rows' axis.

    Returns:
        (size_px, size_px) float32, mean 0, variance 1.
    """
    fy = np.fft.fftfreq(size_px).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(size_px).astype(np.float32)[None, :]
    turn = np.deg2rad(heading_deg)
    along = np.float32(np.cos(turn)) * fx + np.float32(np.sin(turn)) * fy
    across = np.float32(np.cos(turn)) * fy - np.float32(np.sin(turn)) * fx
    frequency2 = (along * np.float32(stretch)) ** 2 + across**2
    frequency2[0, 0] = 1.0
    amplitude = frequency2 ** np.float32(-beta / 4)
    if np.isfinite(longest_px):
        amplitude *= frequency2 / (frequency2 + np.float32(longest_px**-2.0))
    if shortest_px > 2.0:
        amplitude *= np.exp(-frequency2 * np.float32(shortest_px**2 / 2))
    amplitude[0, 0] = 0.0
    waves = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
    waves *= amplitude[..., None]
    complexes = waves.view(np.complex64)[..., 0]
    field = np.asarray(np.fft.irfft2(complexes, s=(size_px, size_px)), np.float32)
    field -= field.mean()
    field /= field.std()
    return field


def smoothstep(low: float, high: float, x: npt.ArrayLike) -> FloatArray:
    """Rise from 0 at low to 1 at high, smoothly; falls if low is above high."""
    x = np.asarray(x, np.float32)
    t: FloatArray = np.clip((x - np.float32(low)) / np.float32(high - low), 0.0, 1.0)
    return t * t * (np.float32(3) - np.float32(2) * t)


def hashed(keys: npt.NDArray[np.integer], salt: int) -> FloatArray:
    """Map whole numbers to uniform values in [0, 1), the same ones for the same salt."""
    x = keys.astype(np.uint32) + np.uint32((salt * 0x9E3779B1) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def cells(
    x: FloatArray, y: FloatArray, spacing_px: float, salt: int
) -> tuple[IntArray, FloatArray]:
    """Cut the plane into irregular cells around jittered grid points (Worley, 1996).

    Args:
        x, y: positions in pixels, any shape.
        spacing_px: mean distance between cell centres.
        salt: which of the mosaics.

    Returns:
        The id of each position's cell, and its distance in pixels from the nearest cell border.
    """
    u, v = x / np.float32(spacing_px), y / np.float32(spacing_px)
    column, row = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    first = np.full(u.shape, 9.0, np.float32)
    second = first.copy()
    owner = np.zeros(u.shape, np.int32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            key = (column + dx) * 7919 + (row + dy) * 104729
            cx = column + dx + 0.15 + 0.7 * hashed(key, salt)
            cy = row + dy + 0.15 + 0.7 * hashed(key, salt + 1)
            distance = np.hypot(u - cx, v - cy).astype(np.float32)
            nearer = distance < first
            second = np.minimum(second, np.where(nearer, first, distance))
            owner = np.where(nearer, key, owner)
            first = np.where(nearer, distance, first)
    return owner, (second - first) * np.float32(spacing_px / 2)
