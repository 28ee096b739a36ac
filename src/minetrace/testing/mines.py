"""Digging: which ground is mined from when to when, as what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rasterio.features import rasterize, sieve

from minetrace.testing.landscape import Land
from minetrace.testing.lives import Site, place_mines, reach_px
from minetrace.testing.noise import FloatArray, cells, hashed, smoothstep, spectral

NEVER = 100
OVERGROWN_AFTER = 3
PARTS = ("sediment", "pond", "pit", "dump", "tailings")
"""Names of the parts; a part's code in the rasters is its place in this list plus one."""

ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Diggings:
    """All mining of the world, in rasters.

    Attributes:
        start: (h, w) int16, index of the year in which ground is first dug, NEVER elsewhere.
        stop: (h, w) int16, index of the year in which it is given up.
        part: (h, w) uint8, code of PARTS, 0 outside.
        bench: (h, w) float32, 0 in the middle of a pit to about 1 at its final rim.
        track: (h, w) int16, index of the year from which a dirt track runs here.
        pond: (h, w) float32, cover of standing water where the ground is dug.
        grain, luck: (h, w) float32, random fields of the mosaic.
    """

    start: npt.NDArray[np.int16]
    stop: npt.NDArray[np.int16]
    part: ByteArray
    bench: FloatArray
    track: npt.NDArray[np.int16]
    pond: FloatArray
    grain: FloatArray
    luck: FloatArray

    def active(self, index: int) -> npt.NDArray[np.bool_]:
        """Where ground is mined in a year."""
        return (self.start <= index) & (index < self.stop)

    def abandoned(self, index: int) -> npt.NDArray[np.bool_]:
        """Where mined ground was given up and is not yet overgrown."""
        return (
            (self.start < self.stop) & (self.stop <= index) & (index < self.stop + OVERGROWN_AFTER)
        )


def dig(rng: np.random.Generator, land: Land) -> Diggings:
    """Place the mines and dig them."""
    size = land.size_px
    alluvial, industrial = place_mines(rng, land)
    ragged = spectral(rng, size, beta=2.0, longest_px=26 * max(land.scale, 0.5), shortest_px=3)
    grain = spectral(rng, size, beta=1.8, longest_px=14)
    start, stop, track = (np.full((size, size), NEVER, np.int16) for _ in range(3))
    part = np.zeros((size, size), np.uint8)
    bench = np.zeros((size, size), np.float32)
    for site in [*alluvial, *industrial]:
        spot = _surroundings(land, site)
        dug = (_industrial if site.vertex < 0 else _alluvial)(land, site, ragged[spot], spot)
        dug.begun[_near(start[spot] < NEVER)] = NEVER
        fresh = dug.begun < start[spot]
        np.copyto(part[spot], dug.part, where=fresh)
        np.copyto(bench[spot], dug.bench, where=fresh)
        np.copyto(stop[spot], dug.given_up, where=fresh)
        np.copyto(start[spot], dug.begun, where=fresh)
        _lay_track(track, land, site, int(dug.begun.min()))
    pond, luck = _ponds(ragged, start, part)
    part = np.where((part == 1) & (pond > 0.5), np.uint8(2), part)
    return Diggings(start, stop, part, bench, track, pond, grain, luck)


@dataclass(frozen=True)
class _Dug:
    """One site's ground in the window around it."""

    begun: npt.NDArray[np.int16]
    given_up: npt.NDArray[np.int16]
    part: ByteArray
    bench: FloatArray


Spot = tuple[slice, slice]


def _surroundings(land: Land, site: Site) -> Spot:
    """The window that a site can reach."""
    long, wide = reach_px(site.life, land)
    room = int(1.4 * long + 3 * wide if site.vertex >= 0 else 2.6 * long) + 4
    rows = slice(max(0, int(site.y) - room), int(site.y) + room)
    return rows, slice(max(0, int(site.x) - room), int(site.x) + room)


def _alluvial(land: Land, site: Site, ragged: FloatArray, spot: Spot) -> _Dug:
    """A scar around a stream, as irregular as its valley."""
    life, near = site.life, land.to_stream
    long, wide = reach_px(life, land)
    u = (near.vertex[spot] - site.vertex).astype(np.float32) / np.float32(long)
    v = near.distance_px[spot] * near.side[spot] / np.float32(wide)
    lean = 0.45 * np.sin(3.1 * u + site.x).astype(np.float32)
    swell = 1.0 + 0.28 * np.sin(5.3 * u + site.y).astype(np.float32)
    v = (v - lean) / swell
    field = np.hypot(u, v)
    if life.bridge is not None:
        field = np.minimum(np.hypot((u + 0.56) / 0.56, v), np.hypot((u - 0.56) / 0.56, v))
    field = field + 0.26 * ragged
    field[(np.abs(u) > 1.35) | (np.abs(v) > 3)] = 9.0
    begun = _years(field, life.levels, specks_px=int(70 * max(land.scale, 0.5) ** 2))
    given_up = np.full(begun.shape, life.stop if life.stop is not None else NEVER, np.int16)
    if life.bridge is not None:
        gap = (np.abs(u) < 4.0 / long) | (u > 0) & _near((u <= 0) & (begun < NEVER))
        begun[gap & (begun < life.bridge)] = NEVER
        bridge = (np.abs(u) < 0.5) & (np.abs(v + 0.2 * ragged) < 0.55)
        begun = np.where(bridge, np.minimum(begun, np.int16(life.bridge)), begun)
    if life.split is not None:
        middle = np.abs(u + 0.05 * ragged) < max(0.24, 5.0 / long)
        middle |= (u > 0) & _near((u <= 0) & ~middle & (begun < NEVER))
        given_up[middle] = life.split
        begun[middle & (begun >= life.split)] = NEVER
    if life.march is not None:
        front = np.floor((u + 1.0) * 2.9 + 0.35 * ragged).astype(np.int16)
        begun = np.where(begun < NEVER, np.maximum(front, 0), begun)
        given_up = np.where(begun < NEVER, begun + np.int16(life.march), given_up)
    part = (begun < NEVER).astype(np.uint8)
    return _Dug(begun, given_up, part, np.zeros(part.shape, np.float32))


def _near(mask: npt.NDArray[np.bool_], reach_px: int = 5) -> npt.NDArray[np.bool_]:
    """The mask grown by some pixels in all directions: sites that must stay apart keep this gap."""
    for axis in (0, 1):
        grown = mask.copy()
        for step in range(1, reach_px + 1):
            ahead, behind = (slice(step, None), slice(None, -step))
            to, source = (
                (ahead, behind) if axis == 0 else ((slice(None), ahead), (slice(None), behind))
            )
            grown[to] |= mask[source]
            grown[source] |= mask[to]
        mask = grown
    return mask


def _years(
    field: FloatArray, levels: tuple[float, ...], specks_px: int = 12
) -> npt.NDArray[np.int16]:
    """Index of the first year in which the field lies below the level, specks sieved out."""
    begun = np.full(field.shape, NEVER, np.int16)
    for index in reversed(range(len(levels))):
        if levels[index] > 0:
            dug = (field < levels[index]).astype(np.uint8)
            begun[sieve(dug, specks_px, connectivity=4) > 0] = index
    return begun


def _industrial(land: Land, site: Site, ragged: FloatArray, spot: Spot) -> _Dug:
    """A pit with its benches, its waste dump and its tailings pond."""
    life = site.life
    radius, _ = reach_px(life, land)
    column = np.arange(ragged.shape[1], dtype=np.float32) + np.float32(spot[1].start)
    row = np.arange(ragged.shape[0], dtype=np.float32)[:, None] + np.float32(spot[0].start)
    dx, dy = (column - site.x) / np.float32(radius), (row - site.y) / np.float32(radius)
    c, s = np.float32(np.cos(site.heading)), np.float32(np.sin(site.heading))
    a, b = c * dx + s * dy, c * dy - s * dx
    angle = np.arctan2(b, a)
    lobes = 0.08 * np.sin(3 * angle + site.x) + 0.05 * np.sin(5 * angle + site.y)
    pit = np.hypot(a, b / 0.74) * (1 + lobes) + 0.03 * ragged
    dump = np.hypot((a + 1.02) / 0.78, (b - 0.36) / 0.60) + 0.10 * ragged
    pond_a, pond_b = np.abs((a - 1.62) / 0.62), np.abs((b + 0.12) / 0.50)
    tailings = (pond_a**5 + pond_b**5) ** 0.2 + 0.035 * ragged
    yard = np.maximum(np.abs((a - 0.75) / 0.62), np.abs((b + 0.02) / 0.13)) + 0.05 * ragged
    code = np.zeros(a.shape, np.uint8)
    begun = np.full(a.shape, NEVER, np.int16)
    opening = next(i for i, level in enumerate(life.levels) if level > 0)
    kept = tuple(float(level > 0) * (0.86 + 0.03 * i) for i, level in enumerate(life.levels))
    for field, levels, name in (
        (yard, tuple(float(i >= opening) for i in range(len(life.levels))), "dump"),
        (tailings, kept, "tailings"),
        (dump, tuple(level and max(level, 0.85) for level in life.levels), "dump"),
        (pit, life.levels, "pit"),
    ):
        years = _years(field.astype(np.float32), levels)
        code = np.where(years < NEVER, np.uint8(PARTS.index(name) + 1), code)
        begun = np.minimum(begun, years)
    wet = (code == 5) & (a + 0.3 * b + 0.12 * ragged > 1.55) & (tailings < 0.72)
    wet |= (code == 3) & (np.hypot(a - 0.08, b + 0.05) + 0.06 * ragged < 0.19)
    code[wet] = 2
    given_up = np.full(begun.shape, NEVER if life.stop is None else life.stop, np.int16)
    return _Dug(begun, given_up, code, pit.astype(np.float32))


def _lay_track(track: npt.NDArray[np.int16], land: Land, site: Site, opening: int) -> None:
    """Run a dirt track from a site to the road, as the crow would if it had to dodge trees."""
    road = np.concatenate([course.xy for course in land.roads])
    at = int(land.to_road.vertex[int(site.y), int(site.x)])
    gap = road[at] - np.array([site.x, site.y])
    if np.hypot(*gap) > 0.3 * land.size_px:
        return
    t = np.linspace(0, 1, 24)[:, None]
    sway = np.sin(t * 9 + site.x) * np.sin(np.pi * t) * 0.06
    line = np.array([site.x, site.y]) + t * gap + sway * np.array([-gap[1], gap[0]])
    shape = {"type": "LineString", "coordinates": line.tolist()}
    drawn = rasterize([(shape, 1)], out_shape=track.shape, dtype=np.uint8)
    np.minimum(track, np.where(drawn > 0, np.int16(opening), np.int16(NEVER)), out=track)


def _ponds(
    ragged: FloatArray, start: npt.NDArray[np.int16], part: ByteArray
) -> tuple[FloatArray, FloatArray]:
    """Cover of ponds, and a draw for each pond: pools between bars of washed gravel."""
    rows, columns = np.nonzero(start < NEVER)
    cover = np.zeros(start.shape, np.float32)
    luck = np.zeros(start.shape, np.float32)
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    wobble = ragged[rows, columns]
    owner, edge = cells(x + 1.8 * wobble, y - 1.8 * wobble, 7.4, 71)
    draw = hashed(owner, 73)
    water = smoothstep(0.2, 1.1, edge) * (draw < 0.46) * (part[rows, columns] == 1)
    water = np.where(part[rows, columns] == 2, 1.0, water)
    cover[rows, columns] = water
    luck[rows, columns] = hashed(owner, 74)
    return cover, luck
