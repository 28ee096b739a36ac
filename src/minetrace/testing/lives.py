"""The lives of the mines: what each of them does in which year, and where in the land it lies.

A life is a script of levels, one a year: ground with a field value below the level has been dug by
then. The scripts of six years are written out; in longer worlds the last level goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minetrace.testing.landscape import Land
from minetrace.testing.noise import FloatArray


@dataclass(frozen=True)
class Life:
    """One mine's script.

    Attributes:
        name: what it is called in the truth.
        levels: how far it has grown in each year, 0 for not yet, 1 for its full size.
        length, width: half axes in pixels of a country of full scale.
        stop: index of the year in which all of it is abandoned.
        split: index of the year in which its middle is abandoned.
        bridge: index of the year in which two halves, dug apart, meet.
        march: years after which ground behind a moving front is given up.
    """

    name: str
    levels: tuple[float, ...]
    length: float = 36.0
    width: float = 13.0
    stop: int | None = None
    split: int | None = None
    bridge: int | None = None
    march: int | None = None


@dataclass(frozen=True)
class Site:
    """A life at its place: a vertex of the streams, or for pits a point and a heading."""

    life: Life
    x: float
    y: float
    vertex: int = -1
    heading: float = 0.0


ALLUVIAL = (
    Life("splits", (0.90, 0.96, 1.0, 1.0, 1.04, 1.08), length=58, split=3),
    Life("merges", (0.55, 0.62, 0.68, 0.74, 0.80, 0.86), length=62, bridge=4),
    Life("abandoned", (0.85, 1.0, 1.0, 1.0, 1.0, 1.0), length=34, stop=2),
    Life("newcomer", (0.0, 0.50, 0.72, 0.90, 1.04, 1.15), length=32),
    Life("unseen start", (0.0, 0.0, 0.0, 0.70, 0.88, 1.0), length=28),
    Life("moving front", (1.0,) * 6, length=56, width=11, march=2),
    Life("late", (0.0, 0.0, 0.0, 0.0, 0.62, 0.90), length=28),
    Life("old", (0.82, 0.88, 0.92, 0.95, 0.97, 1.0), length=52, width=17),
    Life("slow", (0.0, 0.0, 0.45, 0.55, 0.62, 0.68), length=34),
    Life("abandoned late", (0.7, 0.85, 1.0, 1.0, 1.0, 1.0), length=30, stop=4),
)  # fmt: skip
INDUSTRIAL = (
    Life("great pit", (0.62, 0.70, 0.78, 0.86, 0.93, 1.0), length=27),
    Life("new pit", (0.0, 0.0, 0.55, 0.72, 0.86, 1.0), length=21),
    Life("closed pit", (0.90, 0.95, 1.0, 1.0, 1.0, 1.0), length=18, stop=3),
)  # fmt: skip


def place_mines(rng: np.random.Generator, land: Land) -> tuple[list[Site], list[Site]]:
    """Choose where the mines lie: alluvial ones along streams, industrial ones in the hills.

    Returns:
        Alluvial and industrial sites. Small countries have fewer of them, the first lives in the
        lists above.
    """
    fill = (land.size_px / 1024) ** 2
    pits = INDUSTRIAL[: 1 if land.size_px < 700 else 3]
    count = max(5, round(10 * fill))
    alluvial = [ALLUVIAL[i % len(ALLUVIAL)] for i in range(count)]
    taken: list[tuple[float, float, float]] = []
    industrial_sites = [
        site for life in pits if (site := _place_pit(rng, land, life, taken)) is not None
    ]
    alluvial_sites = [
        site for life in alluvial if (site := _place_alluvial(rng, land, life, taken)) is not None
    ]
    return alluvial_sites, industrial_sites


def reach_px(life: Life, land: Land) -> tuple[float, float]:
    """Half length and half width of a site in pixels of this country."""
    scale = max(land.scale, 0.5)
    return life.length * scale, life.width * scale


def _place_alluvial(
    rng: np.random.Generator, land: Land, life: Life, taken: list[tuple[float, float, float]]
) -> Site | None:
    long, wide = reach_px(life, land)
    vertices, xy = _stream_vertices(land, long)
    if not vertices.size:
        return None
    luck = rng.random(vertices.size)
    for ease in (1.0, 0.8, 0.6, 0.45):
        free = _inside(land, xy, 0.11 + 0.05 * ease)
        free &= _beyond(land.to_river.distance_px, xy, (2.0 * wide + 12 * land.scale) * ease)
        free &= _beyond(land.to_road.distance_px, xy, 52 * land.scale * ease)
        for x, y, room in taken:
            free &= np.hypot(xy[:, 0] - x, xy[:, 1] - y) > (room + long + 10) * ease
        if free.any():
            pick = int(np.argmax(np.where(free, luck, -1)))
            x, y = (float(v) for v in xy[pick])
            taken.append((x, y, long))
            return Site(life, x, y, vertex=int(vertices[pick]))
    return None


def _stream_vertices(land: Land, margin: float) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Vertices of all streams that lie at least a margin from either end of theirs."""
    chosen, first = [], 0
    for stream in land.streams:
        chosen.append(np.arange(first + int(margin), first + len(stream) - int(margin)))
        first += len(stream)
    vertices = np.concatenate(chosen) if chosen else np.zeros(0, int)
    return vertices, np.concatenate([stream.xy for stream in land.streams])[vertices]


def _place_pit(
    rng: np.random.Generator, land: Land, life: Life, taken: list[tuple[float, float, float]]
) -> Site | None:
    radius, _ = reach_px(life, land)
    room = 2.3 * radius
    xy = rng.uniform(0.12, 0.88, (600, 2)).astype(np.float32) * np.float32(land.size_px)
    luck = rng.random(600) - 0.8 * xy[:, 1] / land.size_px
    for ease in (1.0, 0.75, 0.5):
        free = _beyond(land.to_river.distance_px, xy, (room + 14 * land.scale) * ease)
        free &= _beyond(land.to_road.distance_px, xy, (room + 20 * land.scale) * ease)
        free &= _beyond(land.to_stream.distance_px, xy, room * 0.55 * ease)
        free &= _inside(land, xy, 0.06 + 0.9 * room / land.size_px)
        for x, y, other in taken:
            free &= np.hypot(xy[:, 0] - x, xy[:, 1] - y) > (other + room + 8) * ease
        if free.any():
            x, y = (float(v) for v in xy[int(np.argmax(np.where(free, luck, -9)))])
            taken.append((x, y, room))
            return Site(life, x, y, heading=float(rng.uniform(0, 2 * np.pi)))
    return None


def _inside(land: Land, xy: FloatArray, margin: float) -> npt.NDArray[np.bool_]:
    share = xy / land.size_px
    return np.asarray(((share > margin) & (share < 1 - margin)).all(axis=1))


def _beyond(distance_px: FloatArray, xy: FloatArray, at_least: float) -> npt.NDArray[np.bool_]:
    at = np.clip(xy.astype(int), 0, len(distance_px) - 1)
    beyond: npt.NDArray[np.bool_] = distance_px[at[:, 1], at[:, 0]] > at_least
    return beyond
