"""The truth: which mine every mined pixel belongs to, its outlines, its hectares and its history.

Identity follows one rule: a mine is a connected patch of active ground, gaps of up to two pixels
included. It keeps its id where its ground overlaps that of the year before; a merge keeps the
oldest id, a split leaves it with the largest part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from rasterio.features import rasterize, shapes
from rasterio.transform import Affine

from minetrace.testing.mines import PARTS, Diggings

IdArray = npt.NDArray[np.int32]
_GROWTH = 0.10


@dataclass(frozen=True)
class Year:
    """Ids of the mines in one year: (h, w) int32, 0 where there is none."""

    year: int
    active: IdArray
    abandoned: IdArray


@dataclass(frozen=True)
class Event:
    """One thing that happened to one mine in one year; others are the mines it happened with."""

    mine_id: int
    year: int
    event: str
    others: tuple[int, ...] = ()


def trace(diggings: Diggings, years: Sequence[int]) -> tuple[list[Year], list[Event]]:
    """Follow the mines through the years.

    Returns:
        The ids in every year, and the events: appears, grows, shrinks, stays, splits, merges,
        merged (went into another), abandoned (no active ground any more), overgrown (nothing of
        it left to see). Mines of the first year appear in it.
    """
    owner = np.zeros(diggings.start.shape, np.int32)
    before = owner.copy()
    traced: list[Year] = []
    events: list[Event] = []
    closed: set[int] = set()
    last_id = 0
    for index, year in enumerate(years):
        ids, parents, last_id = _identify(_patches(diggings.active(index)), before, last_id)
        owner = np.where(ids > 0, ids, owner)
        abandoned = np.where(diggings.abandoned(index) & (ids == 0), owner, 0).astype(np.int32)
        events += _compare(before, ids, parents, year)
        now = set(np.unique(ids[ids > 0]).tolist())
        visible = now | set(np.unique(abandoned[abandoned > 0]).tolist())
        gone = {e.mine_id for e in events if e.event == "abandoned"} - closed - visible
        events += [Event(mine, year, "overgrown") for mine in sorted(gone)]
        closed |= gone
        traced.append(Year(year, ids, abandoned))
        before = ids
    return traced, events


def _patches(mask: npt.NDArray[np.bool_]) -> IdArray:
    """Number the connected patches of a mask, joining what lies no more than two pixels apart."""
    near = np.pad(mask, 1)
    near = near[:-2] | near[1:-1] | near[2:]
    near = near[:, :-2] | near[:, 1:-1] | near[:, 2:]
    outlines = [g for g, _ in shapes(near.astype(np.uint8), mask=near, connectivity=8)]
    if not outlines:
        return np.zeros(mask.shape, np.int32)
    numbered: IdArray = rasterize(
        zip(outlines, range(1, len(outlines) + 1), strict=True),
        out_shape=mask.shape, dtype=np.int32,
    )  # fmt: skip
    return np.where(mask, numbered, 0).astype(np.int32)


def _identify(
    patches: IdArray, before: IdArray, last_id: int
) -> tuple[IdArray, dict[int, list[int]], int]:
    """Give patches the ids of the year before where they overlap, and new ones elsewhere.

    Returns:
        The ids, each id's parents (ids of the year before under it), the highest id so far.
    """
    overlaps: dict[int, dict[int, int]] = {}
    both = (patches > 0) & (before > 0)
    pairs, counts = np.unique(np.stack([patches[both], before[both]]), axis=1, return_counts=True)
    for (patch, old), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        overlaps.setdefault(patch, {})[old] = count
    sizes = np.bincount(patches.ravel())
    claims: dict[int, int] = {}
    for patch in sorted(overlaps, key=lambda p: (-int(sizes[p]), p)):
        claims.setdefault(min(overlaps[patch]), patch)
    names = np.zeros(len(sizes), np.int32)
    for old, patch in claims.items():
        names[patch] = old
    parents: dict[int, list[int]] = {}
    for patch in range(1, len(sizes)):
        if not names[patch]:
            last_id += 1
            names[patch] = last_id
        parents[int(names[patch])] = sorted(overlaps.get(patch, {}))
    return names[patches], parents, last_id


def _compare(
    before: IdArray, now: IdArray, parents: dict[int, list[int]], year: int
) -> list[Event]:
    old_px, new_px = _count(before), _count(now)
    events: list[Event] = []
    children: dict[int, list[int]] = {}
    for mine, olds in parents.items():
        for old in olds:
            children.setdefault(old, []).append(mine)
    for mine in sorted(parents):
        olds = parents[mine]
        if mine not in old_px:
            events.append(Event(mine, year, "appears", tuple(olds)))
            continue
        change = new_px[mine] / old_px[mine] - 1
        absorbed = tuple(old for old in olds if old != mine and old not in parents)
        shed = tuple(child for child in children.get(mine, []) if child not in old_px)
        if absorbed:
            events.append(Event(mine, year, "merges", absorbed))
            events += [Event(old, year, "merged", (mine,)) for old in absorbed]
        if shed:
            events.append(Event(mine, year, "splits", shed))
        if not absorbed and not shed:
            word = "grows" if change > _GROWTH else "shrinks" if change < -_GROWTH else "stays"
            events.append(Event(mine, year, word))
    lost = set(old_px) - set(parents) - set(children)
    return events + [Event(old, year, "abandoned") for old in sorted(lost)]


def _count(ids: IdArray) -> dict[int, int]:
    counts = np.bincount(ids.ravel()).tolist()
    return {mine: count for mine, count in enumerate(counts) if mine > 0 and count > 0}


def outlines(
    traced: Iterable[Year], diggings: Diggings, *, transform: Affine, crs: str
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Draw the outlines of the mines and of their parts.

    Returns:
        Mines, one row per mine, year and state (active, abandoned), with kind (alluvial,
        industrial) and geodesic area_ha; and the parts of the active ones, one row per mine,
        year and part.
    """
    mines, parts = [], []
    industrial = set()
    for here in traced:
        pits = np.unique(here.active[(diggings.bench > 0) & (here.active > 0)])
        industrial |= set(pits.tolist())
        for state, ids in (("active", here.active), ("abandoned", here.abandoned)):
            for mine, shape in _polygons(ids, transform):
                mines.append(
                    {"mine_id": mine, "year": here.year, "state": state, "geometry": shape}
                )
        code = here.active * np.int32(8) + diggings.part
        for key, shape in _polygons(np.where(here.active > 0, code, 0).astype(np.int32), transform):
            row = {"mine_id": key // 8, "year": here.year, "part": PARTS[key % 8 - 1]}
            parts.append({**row, "geometry": shape})
    for row in mines:
        row["kind"] = "industrial" if row["mine_id"] in industrial else "alluvial"
    columns = ["mine_id", "year", "state", "kind"], ["mine_id", "year", "part"]
    frames = [
        _with_areas(
            gpd.GeoDataFrame(rows, columns=[*names, "geometry"], geometry="geometry", crs=crs)
        )
        for rows, names in zip((mines, parts), columns, strict=True)
    ]
    return frames[0], frames[1]


def _polygons(ids: IdArray, transform: Affine) -> list[tuple[int, shapely.MultiPolygon]]:
    """One multipolygon of square pixels per id, in the order of the ids."""
    pieces: dict[int, list[shapely.Polygon]] = {}
    for geometry, value in shapes(ids, mask=ids > 0, connectivity=4, transform=transform):
        rings = geometry["coordinates"]
        pieces.setdefault(int(value), []).append(shapely.Polygon(rings[0], rings[1:]))
    return [(mine, shapely.MultiPolygon(pieces[mine])) for mine in sorted(pieces)]


def _with_areas(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    geod = pyproj.Geod(ellps="WGS84")
    degrees = frame.geometry.to_crs(4326)
    hectares = [abs(geod.geometry_area_perimeter(shape)[0]) / 1e4 for shape in degrees]
    return frame.assign(area_ha=np.array(hectares, np.float64))


def event_table(events: Iterable[Event]) -> pd.DataFrame:
    """The events as a table; ids of other mines are joined by commas."""
    rows = [(e.mine_id, e.year, e.event, ",".join(map(str, e.others))) for e in events]
    return pd.DataFrame(rows, columns=["mine_id", "year", "event", "others"])
