"""What changes from year to year without any mining: fields and sandbanks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minetrace.testing.landscape import Land, channel_width
from minetrace.testing.noise import FloatArray, hashed, smoothstep
from minetrace.testing.reflectance import Mixture

# Upper bounds of a uniform draw: what a cleared parcel carries in a year.
_USES = (("pasture", 0.44), ("crop", 0.60), ("soil", 0.68), ("burned", 0.71), ("secondary", 1.0))


def paint_fields(mixture: Mixture, land: Land, year: int) -> None:
    """Lay parcels along the roads, cleared year by year, each with the use it has in this year."""
    parcel, edge_px, depth_px = _parcels(land)
    reach = (38 + 46 * hashed(parcel // 1009, 5) + 3.0 * (year - 2019)) * land.scale
    # Settlers come in clusters: some stretches of a road stay forest.
    settled = 0.86 * smoothstep(-1.0, 0.4, _along_the_road(land, parcel))
    cleared = (hashed(parcel, 6) < settled) & (depth_px < reach) & ~_beyond_an_end(land)
    period = 2 + (hashed(parcel, 7) * 3).astype(np.int32)
    spell = (year + (hashed(parcel, 8) * 5).astype(np.int32)) // period
    draw = hashed(parcel * 31 + spell, 9)
    cover = smoothstep(-0.2, 1.3, edge_px) * cleared * (1 - land.built)
    cover *= smoothstep(1.5, 4.5, depth_px)
    low = 0.0
    for use, high in _USES:
        here = cover * ((draw >= low) & (draw < high))
        mixture.paint(use, here * np.clip(0.9 + 0.06 * land.rough, 0, 1))
        low = high
    # Trees left standing, stumps, rows: no field is one colour.
    weeds = np.clip(
        0.10 + 0.07 * land.rough + 0.10 * (hashed(parcel * 7 + spell, 10) - 0.3), 0, 0.5
    )
    mixture.paint("secondary", cover * weeds * smoothstep(-1.0, 1.5, land.broad + land.rough * 0.5))


def _parcels(
    land: Land,
) -> tuple[npt.NDArray[np.int32], FloatArray, FloatArray]:
    """Id of the parcel at each pixel, distance to its border and to the road, in pixels."""
    near = land.to_road
    wobble = land.rough * np.float32(0.35)
    depth = near.distance_px + wobble
    along = near.vertex.astype(np.float32) + wobble + 1.5 * land.broad
    side = (near.side > 0).astype(np.int32)
    block = np.floor(along / np.float32(44 * land.scale)).astype(np.int32)
    split = 2 + (hashed(block * 2 + side, 3) * 2.4).astype(np.int32)
    width = np.float32(44 * land.scale) / split
    strip = np.floor((along - block * np.float32(44 * land.scale)) / width).astype(np.int32)
    deep = (14 + 22 * hashed(block * 8 + strip * 2 + side, 4)) * np.float32(land.scale)
    rank = np.floor(depth / deep).astype(np.int32)
    u = along - block * np.float32(44 * land.scale) - strip * width
    v = depth - rank * deep
    edge = np.minimum(np.minimum(u, width - u), np.minimum(v, deep - v))
    column = ((block * 8 + strip) * 2 + side) * 1009
    return column + rank, edge, depth


def _along_the_road(land: Land, parcel: npt.NDArray[np.int32]) -> FloatArray:
    """The broad field where a parcel's strip leaves the road: one value for the whole strip."""
    xy = np.concatenate([road.xy for road in land.roads])
    block = parcel // (1009 * 16)
    at = np.clip((block * np.float32(44 * land.scale)).astype(np.int32), 0, len(xy) - 1)
    columns, rows = np.clip(xy[at].astype(np.int32), 0, land.size_px - 1).transpose(2, 0, 1)
    values: FloatArray = land.broad[rows, columns]
    return values


def _beyond_an_end(land: Land) -> npt.NDArray[np.bool_]:
    """Where the nearest point of the roads is the last of one of them, parcels would fan out."""
    ends = np.zeros(sum(len(road) for road in land.roads), bool)
    last = -1
    for road in land.roads:
        ends[last + 1] = True
        last += len(road)
        ends[last] = True
    return ends[land.to_road.vertex]


def paint_sandbanks(mixture: Mixture, land: Land, year: int) -> None:
    """Lay bars inside the bends and in midstream; they drift downstream from year to year."""
    scale, near, river = land.scale, land.to_river, land.river
    vertex = near.vertex
    drift = round((year - 2019) * 9 * scale + 11 * scale * hashed(np.array([year]), 41)[0])
    bend = np.roll(river.curvature(int(34 * scale) + 3), drift) * 62 * scale
    half = np.asarray(channel_width(river, scale) / 2, np.float32)
    inner = np.clip(bend[vertex] * near.side, 0, 1.4)
    across = near.distance_px - half[vertex]
    reach = (11.5 * scale) * smoothstep(0.45, 1.3, inner) * _presence(land, year)[vertex]
    mottle = (1.8 * land.rough + 2.4 * land.broad) * np.float32(scale)
    bank = smoothstep(-1.0, 1.0, reach * 0.55 - np.abs(across + reach * 0.18) + mottle * 0.5)
    bank *= reach > 2.0 * scale
    middle = _midstream(land, year, half)
    mixture.paint("low_sand", np.maximum(bank, 0.95 * middle))
    core = smoothstep(-0.6, 1.4, reach * 0.4 - np.abs(across - reach * 0.08) + mottle * 0.5)
    mixture.paint("sand", bank * core * np.clip(0.86 + 0.08 * land.rough, 0, 1))
    mixture.paint("sand", middle * smoothstep(0.35, 0.9, middle))
    grass = smoothstep(0.1, 0.55, across / (16.0 * scale) + 0.12 * land.rough) * bank
    mixture.paint("succession", 0.7 * grass)


def _presence(land: Land, year: int) -> FloatArray:
    """(n,) how much of its bar each bend shows in this year, 0 to 1.1: floods take some away."""
    knots = np.arange(int(len(land.river) / (55 * land.scale)) + 2, dtype=np.int32)
    height = 0.25 + 0.5 * hashed(knots, 44) + 0.55 * hashed(knots + 4099 * (year - 2000), 45)
    at = np.arange(len(land.river)) / (55 * land.scale)
    shown: FloatArray = smoothstep(0.3, 1.0, np.interp(at, knots, height).astype(np.float32))
    return shown * np.float32(1.1)


def _midstream(land: Land, year: int, half: FloatArray) -> FloatArray:
    """Long thin bars in the channel, some years here, some there."""
    length = len(land.river)
    rng = np.random.default_rng(int(hashed(np.array([year]), 43)[0] * 2**24))
    bars = np.zeros(length, np.float32)
    place = np.zeros(length, np.float32)
    at = np.arange(length, dtype=np.float32)
    for _ in range(max(2, int(length / (170 * land.scale)))):
        centre, long = rng.uniform(0, length), rng.uniform(16, 38) * land.scale
        lens = np.clip(1 - ((at - centre) / long) ** 2, 0, None).astype(np.float32)
        place = np.where(lens > 0, np.float32(rng.uniform(-0.45, 0.45)), place)
        bars = np.maximum(bars, lens)
    near = land.to_river
    offset = near.distance_px * near.side - place[near.vertex] * half[near.vertex]
    width = bars[near.vertex] * half[near.vertex] * 0.42
    return smoothstep(-0.8, 1.0, width - np.abs(offset) + 0.35 * land.rough) * (width > 0.3)
