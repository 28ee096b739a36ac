"""Lines that shape the land: rivers, streams and roads, and how far every pixel lies from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minetrace.testing.noise import FloatArray, IntArray


@dataclass(frozen=True)
class Course:
    """A line through the land, one vertex a pixel of its length.

    Attributes:
        xy: (n, 2) float32, pixel coordinates (column, row), x to the right, y downward.
        width_px: (n,) float32, width of the water or the roadway.
    """

    xy: FloatArray
    width_px: FloatArray

    def __len__(self) -> int:
        return len(self.xy)

    @property
    def tangent(self) -> FloatArray:
        """(n, 2) float32, unit vectors along the line."""
        step = np.gradient(self.xy, axis=0)
        length = np.maximum(np.hypot(step[:, :1], step[:, 1:]), 1e-6)
        return np.asarray(step / length, np.float32)

    def curvature(self, window_px: int) -> FloatArray:
        """(n,) float32, how sharply the line turns, averaged over a window, in radians a pixel."""
        heading = np.unwrap(np.arctan2(self.tangent[:, 1], self.tangent[:, 0]))
        kernel = np.hanning(window_px + 2)[1:-1]
        padded = np.pad(np.gradient(heading), window_px, mode="edge")
        smooth = np.convolve(padded, kernel / kernel.sum(), mode="same")
        return smooth[window_px:-window_px].astype(np.float32)


@dataclass(frozen=True)
class Nearness:
    """For every pixel, the nearest vertex of some courses.

    Attributes:
        distance_px: (h, w) float32, never negative.
        side: (h, w) float32, +1 where the pixel lies to the right of the line's direction, else -1.
        vertex: (h, w) int32, index into the courses' vertices, one after the other.
    """

    distance_px: FloatArray
    side: FloatArray
    vertex: IntArray


def meander(
    rng: np.random.Generator,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    wavelength_px: float,
    swing_rad: float,
    width_px: tuple[float, float],
) -> Course:
    """Draw a sine-generated curve from start to end (Langbein & Leopold, 1966).

    The swing and the wavelength wander along the way, as those of real rivers do.
    """
    reach = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    count = max(int(reach * 2), 16)
    slow = _wander(rng, count, wavelength_px * 1.7)
    phase = np.arange(count) * 2 * np.pi / wavelength_px + 1.1 * _wander(rng, count, wavelength_px)
    swing = swing_rad * np.clip(0.72 + 0.38 * slow, 0.15, 1.15)
    heading = swing * np.sin(phase + rng.uniform(0, 2 * np.pi)) + 0.25 * _wander(
        rng, count, reach / 2
    )
    line = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
    return through(_onto(line, start, end), width_px)


def through(points: npt.ArrayLike, width_px: tuple[float, float]) -> Course:
    """Resample a line to one vertex a pixel; the width runs from the first value to the second."""
    xy = np.asarray(points, np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(round(along[-1]) + 1, 3))
    even = np.stack([np.interp(at, along, xy[:, 0]), np.interp(at, along, xy[:, 1])], axis=1)
    return Course(even.astype(np.float32), np.linspace(*width_px, num=len(even), dtype=np.float32))


def nearness(courses: Sequence[Course], size_px: int, *, fine_px: float = 12.0) -> Nearness:
    """Find every pixel's nearest vertex by jump flooding (Rong & Tan, 2006).

    Flooded at half the resolution, so up to two pixels off far away; within fine_px of a line the
    vertices beside the one found are tried too.
    """
    xy = np.concatenate([course.xy for course in courses])
    tangent = np.concatenate([course.tangent for course in courses])
    vertex = np.repeat(np.repeat(_flood(xy, -(-size_px // 2)), 2, axis=0), 2, axis=1)
    vertex = np.ascontiguousarray(vertex[:size_px, :size_px])
    centre = np.arange(size_px, dtype=np.float32) + np.float32(0.5)
    px, py = np.broadcast_to(centre, vertex.shape), np.broadcast_to(centre[:, None], vertex.shape)
    distance = np.hypot(px - xy[:, 0][vertex], py - xy[:, 1][vertex])

    rows, columns = np.nonzero(distance < fine_px)
    coarse = vertex[rows, columns]
    best, best_distance = coarse, distance[rows, columns]
    for step in (-3, -2, -1, 1, 2, 3):
        other = np.clip(coarse + step, 0, len(xy) - 1)
        length = np.hypot(centre[columns] - xy[other, 0], centre[rows] - xy[other, 1])
        best = np.where(length < best_distance, other, best)
        best_distance = np.minimum(length, best_distance)
    vertex[rows, columns], distance[rows, columns] = best, best_distance

    turn = tangent[:, 0][vertex] * (py - xy[:, 1][vertex])
    turn -= tangent[:, 1][vertex] * (px - xy[:, 0][vertex])
    return Nearness(distance, np.where(turn >= 0, np.float32(1), np.float32(-1)), vertex)


def _flood(xy: FloatArray, size: int) -> IntArray:
    seed_x, seed_y = xy[:, 0] / 2, xy[:, 1] / 2
    inside = (seed_x >= 0) & (seed_x < size) & (seed_y >= 0) & (seed_y < size)
    owner = np.full((size, size), -1, np.int32)
    chosen = np.flatnonzero(inside).astype(np.int32)
    owner[seed_y[chosen].astype(np.int32), seed_x[chosen].astype(np.int32)] = chosen
    at_x = np.where(owner >= 0, seed_x[owner], np.float32(1e9))
    at_y = np.where(owner >= 0, seed_y[owner], np.float32(1e9))
    centre = np.arange(size, dtype=np.float32) + np.float32(0.5)
    best = (at_x - centre) ** 2 + (at_y - centre[:, None]) ** 2
    jumps = [1 << bit for bit in reversed(range(max(size - 1, 1).bit_length()))]
    for jump in jumps:
        for dy in (-jump, 0, jump):
            for dx in (-jump, 0, jump):
                _offer(owner, at_x, at_y, best, centre, dy, dx)
    return owner


def _offer(
    owner: IntArray,
    at_x: FloatArray,
    at_y: FloatArray,
    best: FloatArray,
    centre: FloatArray,
    dy: int,
    dx: int,
) -> None:
    """Let every pixel take the seed of its neighbour at (dy, dx) where that is nearer."""
    size = len(centre)
    if (dy == 0 and dx == 0) or abs(dy) >= size or abs(dx) >= size:
        return
    to_r, from_r = _shift(dy, size)
    to_c, from_c = _shift(dx, size)
    new_x, new_y = at_x[from_r, from_c], at_y[from_r, from_c]
    distance = (new_x - centre[to_c]) ** 2 + (new_y - centre[to_r][:, None]) ** 2
    nearer = distance < best[to_r, to_c]
    new_owner = owner[from_r, from_c].copy()
    np.copyto(best[to_r, to_c], distance, where=nearer)
    np.copyto(owner[to_r, to_c], new_owner, where=nearer)
    np.copyto(at_x[to_r, to_c], new_x.copy(), where=nearer)
    np.copyto(at_y[to_r, to_c], new_y.copy(), where=nearer)


def _shift(step: int, size: int) -> tuple[slice, slice]:
    if step >= 0:
        return slice(0, size - step), slice(step, size)
    return slice(-step, size), slice(0, size + step)


def _wander(rng: np.random.Generator, count: int, length: float) -> npt.NDArray[np.float64]:
    """A smooth random walk around zero with about unit variance."""
    knots = rng.standard_normal(max(int(np.ceil(count / max(length, 1.0))), 1) + 3)
    at = np.linspace(0, len(knots) - 1.001, count)
    base = at.astype(int)
    t = at - base
    t = t * t * (3 - 2 * t)
    walk: npt.NDArray[np.float64] = (
        knots[base] * (1 - t) + knots[np.minimum(base + 1, len(knots) - 1)] * t
    )
    return walk


def _onto(
    line: npt.NDArray[np.float64], start: tuple[float, float], end: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Turn and scale a line so that it runs from start to end."""
    z = line[:, 0] + 1j * line[:, 1]
    a, b = complex(*start), complex(*end)
    z = (z - z[0]) * (b - a) / (z[-1] - z[0]) + a
    return np.stack([z.real, z.imag], axis=1)
