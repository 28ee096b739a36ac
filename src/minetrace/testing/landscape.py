"""The land before anybody digs: relief, rivers, forest, wetlands, rock, roads and towns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minetrace.testing.courses import Course, Nearness, meander, nearness, through
from minetrace.testing.noise import FloatArray, cells, hashed, smoothstep, spectral
from minetrace.testing.reflectance import Mixture


@dataclass(frozen=True)
class Land:
    """What stays the same from year to year.

    Attributes:
        size_px: side of the square country.
        scale: how large features are drawn, 1 in a country of 1024 px, less in smaller ones.
        river: the large river; streams: what flows into it; roads: tracks and highway.
        to_river, to_stream, to_road: how far every pixel lies from them.
        slope_x, slope_y: (h, w) rise of the ground to the right and downward, about -1 to 1.
        rough, broad: (h, w) fine and wide random fields that texture whatever is painted.
        built: (h, w) share of water, road and town, which no field may cover.
        mixture: shares of materials without fields, sandbanks and mines.
    """

    size_px: int
    scale: float
    river: Course
    streams: tuple[Course, ...]
    roads: tuple[Course, ...]
    to_river: Nearness
    to_stream: Nearness
    to_road: Nearness
    slope_x: FloatArray
    slope_y: FloatArray
    rough: FloatArray
    broad: FloatArray
    built: FloatArray
    towns: tuple[tuple[float, float, float], ...]
    mixture: Mixture


def make_land(rng: np.random.Generator, size_px: int) -> Land:
    """Shape a river basin and paint it, without fields, sandbanks or mines."""
    scale = min(1.0, size_px / 1024) ** 0.55
    river = _river(rng, size_px, scale)
    streams = _streams(rng, size_px, scale, river)
    roads = _roads(rng, size_px, scale)
    to_river = nearness([river], size_px)
    to_stream = nearness(streams, size_px)
    to_road = nearness(roads, size_px)
    rough = spectral(rng, size_px, beta=1.3, longest_px=7)
    broad = spectral(rng, size_px, beta=2.6, longest_px=260 * scale)
    patch = spectral(rng, size_px, beta=2.9, longest_px=90 * scale, shortest_px=5)
    slope_x, slope_y, hilly = _relief(rng, size_px, scale, to_river, to_stream)

    mixture = Mixture.of("forest", size_px)
    _paint_forest(mixture, to_river, to_stream, scale, rough, broad, patch, hilly)
    _paint_rock(mixture, patch, broad, slope_x, slope_y, hilly, rough)
    towns = _towns(rng, size_px, scale, river, roads)
    town = _paint_towns(mixture, towns, to_river, rough, patch, scale)
    water = _paint_water(rng, mixture, size_px, scale, river, streams, to_river, to_stream, rough)
    road = _paint_roads(mixture, roads, to_road, rough, scale)
    built = np.maximum(np.maximum(water, road), town)
    return Land(
        size_px, scale, river, streams, roads, to_river, to_stream, to_road,
        slope_x, slope_y, rough, broad, built, towns, mixture,
    )  # fmt: skip


def _river(rng: np.random.Generator, size: int, scale: float) -> Course:
    tilt = rng.uniform(-0.07, 0.07)
    start, end = (-0.06 * size, (0.60 + tilt) * size), (1.06 * size, (0.50 - tilt) * size)
    return meander(
        rng, start, end,
        wavelength_px=400 * scale, swing_rad=2.05, width_px=(15 * scale, 19 * scale),
    )  # fmt: skip


def _streams(
    rng: np.random.Generator, size: int, scale: float, river: Course
) -> tuple[Course, ...]:
    """Tributaries from both sides, and in larger countries tributaries of theirs."""
    count = max(4, round(6 * size / 1024) + 1)
    streams = []
    for i in range(count):
        north = i % 2 == 0
        mouth_x = (0.5 + i + rng.uniform(-0.18, 0.18)) / count * size
        near = np.flatnonzero(np.abs(river.xy[:, 0] - mouth_x) < max(4.0, 6 * scale))
        pick = near[np.argmin(river.xy[near, 1] if north else -river.xy[near, 1])]
        mouth = (float(river.xy[pick, 0]), float(river.xy[pick, 1]))
        source = (
            mouth_x + rng.uniform(-0.16, 0.16) * size,
            -0.04 * size if north else 1.04 * size,
        )
        stream = meander(
            rng, mouth, source,
            wavelength_px=95 * scale, swing_rad=1.5, width_px=(3.2 * scale, 0.6 * scale),
        )  # fmt: skip
        streams.append(stream)
        if scale > 0.85:
            streams.extend(_branches(rng, stream, scale))
    return tuple(streams)


def _branches(rng: np.random.Generator, stream: Course, scale: float) -> list[Course]:
    branches = []
    for at in (0.35, 0.62):
        pick = int((at + rng.uniform(-0.08, 0.08)) * len(stream))
        x, y = (float(v) for v in stream.xy[pick])
        tx, ty = (float(v) for v in stream.tangent[max(0, pick - 15) : pick + 15].mean(axis=0))
        turn = rng.choice([-1, 1]) * rng.uniform(0.7, 1.2)
        reach = rng.uniform(130, 230) * scale
        heading = np.arctan2(ty, tx) + turn
        end = (x + reach * float(np.cos(heading)), y + reach * float(np.sin(heading)))
        branches.append(
            meander(rng, (x, y), end, wavelength_px=60 * scale, swing_rad=1.2, width_px=(1.0, 0.4))
        )
    return branches


def _roads(rng: np.random.Generator, size: int, scale: float) -> tuple[Course, ...]:
    """A highway from south to north, a feeder along the plain, and side tracks of settlers."""
    foot = rng.uniform(0.66, 0.74) * size
    highway = meander(
        rng, (foot, 1.03 * size), (foot + rng.uniform(-0.1, 0.05) * size, -0.03 * size),
        wavelength_px=500 * scale, swing_rad=0.42, width_px=(_lane(1.9, scale),) * 2,
    )  # fmt: skip
    turnoff = highway.xy[int(0.16 * len(highway))]
    feeder = meander(
        rng, (float(turnoff[0]), float(turnoff[1])), (0.2 * size, rng.uniform(0.9, 0.97) * size),
        wavelength_px=300 * scale, swing_rad=0.35, width_px=(_lane(1.2, scale), _lane(0.9, scale)),
    )  # fmt: skip
    roads = [highway, feeder]
    for at in np.arange(0.05, 0.36 if size > 500 else 0.2, 0.075):
        x, y = (float(v) for v in highway.xy[int(at * len(highway))])
        end = (x + rng.uniform(0.14, 0.24) * size, y - rng.uniform(-0.01, 0.03) * size)
        roads.append(
            meander(
                rng, (x, y), end, wavelength_px=160 * scale, swing_rad=0.22, width_px=(1.0, 0.7)
            )
        )
    return tuple(roads)


def _lane(width_px: float, scale: float) -> float:
    """Roads are narrower in small countries, but never too narrow to be seen."""
    return width_px * max(scale, 0.6)


def _relief(
    rng: np.random.Generator, size: int, scale: float, to_river: Nearness, to_stream: Nearness
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Valleys along the water, ridges between, hills to the north, a flat plain by the river."""
    hills = spectral(rng, size, beta=3.4, longest_px=150 * scale, shortest_px=3)
    swell = spectral(rng, size, beta=3.0, longest_px=500 * scale, shortest_px=8)
    row = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    hilly = smoothstep(0.46, 0.12, row + 0.07 * swell) * 0.85 + 0.15
    plain = smoothstep(25 * scale, 120 * scale, to_river.distance_px)
    valley = np.sqrt(np.minimum(to_stream.distance_px, to_river.distance_px) + 4.0)
    height = (0.75 * valley / np.float32(scale) ** 0.5 + 5.0 * hills) * (hilly * plain + 0.04)
    slope_y, slope_x = np.gradient(height)
    return slope_x.astype(np.float32), slope_y.astype(np.float32), hilly


def _paint_forest(
    mixture: Mixture,
    to_river: Nearness,
    to_stream: Nearness,
    scale: float,
    rough: FloatArray,
    broad: FloatArray,
    patch: FloatArray,
    hilly: FloatArray,
) -> None:
    river, stream = to_river.distance_px / scale, to_stream.distance_px / scale
    lowland = smoothstep(0.45, 0.2, hilly)
    mixture.paint("secondary", np.clip(0.08 + 0.05 * broad + 0.03 * patch, 0, 0.3))
    # Old meanders leave ridges and swales that the vegetation follows.
    scroll = 0.5 + 0.5 * np.sin(river * 0.42 + 2.2 * patch)
    floodplain = smoothstep(110, 25, river + 26 * patch)
    mixture.paint("succession", floodplain * (0.25 + 0.5 * scroll) * smoothstep(-1.5, 1.2, patch))
    swamp = smoothstep(0.55, 0.95, broad - 0.35 * patch) * lowland * smoothstep(16, 40, river)
    mixture.paint("palm", 0.85 * swamp)
    wet = smoothstep(1.25, 1.5, broad - 0.3 * patch) * lowland * smoothstep(14, 30, river)
    wet = np.maximum(wet, 0.8 * floodplain * smoothstep(0.9, 1.5, patch + 0.5 * scroll))
    mixture.paint("marsh", np.clip(wet * (0.85 + 0.12 * rough), 0, 1))
    mixture.paint("palm", 0.35 * smoothstep(9, 2, stream) * lowland)
    crowns = 0.17 + 0.055 * rough + 0.02 * patch
    mixture.paint("shade", np.clip(crowns * (1 - 0.75 * wet), 0.0, 0.5))


def _paint_rock(
    mixture: Mixture,
    patch: FloatArray,
    broad: FloatArray,
    slope_x: FloatArray,
    slope_y: FloatArray,
    hilly: FloatArray,
    rough: FloatArray,
) -> None:
    """Bare domes in the hills, with dark streaks of lichen."""
    dome = smoothstep(2.15, 2.5, patch + 0.12 * rough - 0.25 * broad) * smoothstep(0.5, 0.8, hilly)
    mixture.paint("rock", dome * 0.9)
    mixture.paint("shade", dome * np.clip(0.18 + 0.14 * rough + 0.3 * slope_x, 0, 0.6))


def _towns(
    rng: np.random.Generator, size: int, scale: float, river: Course, roads: tuple[Course, ...]
) -> tuple[tuple[float, float, float], ...]:
    """Centre column, centre row and radius of the town at the bridge and of villages."""
    highway = roads[0]
    gap = np.hypot(*(highway.xy[:, None, :] - river.xy[None, ::8, :]).transpose(2, 0, 1)).min(
        axis=1
    )
    bridge = int(np.argmin(gap))
    at = max(0, bridge - int(30 * scale))
    towns = [(float(highway.xy[at, 0]) - 12 * scale, float(highway.xy[at, 1]), 36.0 * scale)]
    if size >= 500:
        for share in (0.16, 0.82):
            x, y = (float(v) for v in highway.xy[int(share * len(highway))])
            towns.append((x + rng.uniform(-4, 4), y, 13.0 * scale))
    return tuple(towns)


def _paint_towns(
    mixture: Mixture,
    towns: tuple[tuple[float, float, float], ...],
    to_river: Nearness,
    rough: FloatArray,
    patch: FloatArray,
    scale: float,
) -> FloatArray:
    size = len(rough)
    row, column = np.mgrid[0:size, 0:size].astype(np.float32)
    town = np.zeros((size, size), np.float32)
    for x, y, radius in towns:
        distance = np.hypot(column - x, (row - y) * np.float32(1.25)) / np.float32(radius)
        town = np.maximum(town, smoothstep(1.15, 0.55, distance - 0.22 * patch))
    town *= smoothstep(13 * scale, 17 * scale, to_river.distance_px)
    u, v = (0.94 * column + 0.34 * row) / 7.0, (0.94 * row - 0.34 * column) / 6.0
    street = (np.mod(u, 1) < 0.2) | (np.mod(v, 1) < 0.2)
    house, _ = cells(column, row, 2.1, 31)
    luck = hashed(house, 32)
    yard = town * np.where(street, 0, 1).astype(np.float32)
    mixture.paint("laterite", 0.8 * town * street)
    mixture.paint("tile", 0.85 * yard * (luck < 0.45 + 0.3 * town))
    mixture.paint("roof", 0.85 * yard * (luck < 0.13 + 0.14 * town))
    mixture.paint("soil", 0.7 * yard * (luck > 0.9))
    mixture.paint("pasture", 0.3 * town * (0.6 + 0.3 * rough).clip(0, 1))
    return town


def _paint_water(
    rng: np.random.Generator,
    mixture: Mixture,
    size: int,
    scale: float,
    river: Course,
    streams: tuple[Course, ...],
    to_river: Nearness,
    to_stream: Nearness,
    rough: FloatArray,
) -> FloatArray:
    lakes = _oxbows(rng, river, scale)
    to_lake = nearness(lakes, size)
    width = np.concatenate([lake.width_px for lake in lakes])[to_lake.vertex]
    lake = smoothstep(0.8, -0.8, to_lake.distance_px - width / 2 + 0.3 * rough)
    fringe = smoothstep(6 * scale, -1, to_lake.distance_px - width / 2 + 1.2 * rough)
    mixture.paint("marsh", 0.7 * fringe)
    mixture.paint("blackwater", lake)
    thread = np.concatenate([stream.width_px for stream in streams])[to_stream.vertex]
    stream = smoothstep(0.7, -0.7, to_stream.distance_px - thread / 2)
    stream *= np.clip(thread / 3.4, 0.08, 0.8)
    mixture.paint("river", 0.8 * stream)
    main = smoothstep(
        0.8, -0.8, to_river.distance_px - channel_width(river, scale)[to_river.vertex] / 2
    )
    mixture.paint("river", main)
    return np.maximum(np.maximum(lake, main), stream)


def channel_width(river: Course, scale: float) -> FloatArray:
    """(n,) width of the large river in pixels: wider in its bends."""
    bend = np.abs(river.curvature(int(40 * scale) + 3)) * 60 * scale
    return np.asarray(river.width_px * (0.85 + 0.4 * np.clip(bend, 0, 1.2)), np.float32)


def _oxbows(rng: np.random.Generator, river: Course, scale: float) -> list[Course]:
    """Cut-off bends beside the outer banks of the river, horseshoes of still water."""
    bend = np.abs(river.curvature(int(60 * scale) + 3))
    count = max(2, int(5 * scale))
    inside = np.linspace(0.12, 0.88, count + 1) * len(river)
    lakes = []
    for low, high in zip(inside[:-1].astype(int), inside[1:].astype(int), strict=True):
        apex = low + int(np.argmax(bend[low:high]))
        side = -np.sign(river.curvature(int(60 * scale) + 3)[apex])
        tx, ty = (float(v) for v in river.tangent[apex])
        nx, ny = -ty * side, tx * side
        radius = rng.uniform(20, 34) * scale
        centre = river.xy[apex] + np.array([nx, ny]) * (rng.uniform(12, 22) * scale + radius)
        angle = np.arctan2(ny, nx) + rng.uniform(-0.7, 0.7) + np.linspace(-2.3, 2.3, 60)
        wobble = 1 + 0.16 * np.sin(angle * 2 + rng.uniform(0, 6)) + 0.06 * np.sin(angle * 5)
        spread = np.array([1.0, rng.uniform(0.6, 0.8)]) * radius
        points = (
            centre + np.stack([np.cos(angle), np.sin(angle)], axis=1) * spread * wobble[:, None]
        )
        points = points[: int(len(points) * rng.uniform(0.6, 1.0))]
        wide = rng.uniform(6, 9) * scale
        lake = through(points, (wide, wide))
        taper = np.sin(np.linspace(0.25, np.pi - 0.25, len(lake))).astype(np.float32) ** 0.5
        lakes.append(Course(lake.xy, lake.width_px * taper))
    return lakes


def _paint_roads(
    mixture: Mixture, roads: tuple[Course, ...], to_road: Nearness, rough: FloatArray, scale: float
) -> FloatArray:
    width = np.concatenate([road.width_px for road in roads])[to_road.vertex]
    verge = smoothstep(3.4, 0.6, to_road.distance_px - width / 2 + 0.5 * rough)
    mixture.paint("pasture", 0.6 * verge)
    road = smoothstep(0.75, -0.6, to_road.distance_px - width / 2)
    mixture.paint("laterite", road * np.clip(0.82 + 0.08 * rough, 0, 1))
    return np.asarray(np.maximum(road, 0.7 * verge), np.float32)
