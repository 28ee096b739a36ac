"""What is to be fetched: rectangles of the lattice around what is wanted, and scenes over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely

from minetrace.composites.methods import CHOICE_PX
from minetrace.core.grid import Rect
from minetrace.core.provenance import fingerprint
from minetrace.flow.compositing import bands_of, begin_composite, seen_by
from minetrace.flow.plan import Job, Look, Place
from minetrace.store.pixel_store import Piece

FETCH_RECIPE = 1  # changes whenever the same scenes would give other pieces


@dataclass(frozen=True)
class Errand:
    """One piece that is wanted.

    Attributes:
        rect: of the place's lattice: what the look may show of the ground.
        ground: the whole piece of ground, the same for every look at it.
        read_hash: of all that its pixels depend on.
    """

    place: Place
    look: Look
    rect: Rect
    ground: Rect
    read_hash: str


def pieces_of(place: Place, reach_m: float, tile_px: int, margin_px: int) -> list[Rect]:
    """Rectangles of the lattice to be fetched, each at most a tile: they never overlap.

    Args:
        place: its imagery is what is wanted.
        reach_m: parts closer than this are one.
        tile_px: side of a tile.
        margin_px: read around what is wanted.
    """
    grown = shapely.union_all(
        [part.buffer(reach_m / 2) for part in shapely.get_parts(place.imagery.geometry)]
    )
    found: set[Rect] = set()
    for cluster in shapely.get_parts(grown):
        inside = place.imagery.geometry.intersection(cluster)
        around = place.grid.rect(inside.bounds).snapped(CHOICE_PX).expand(margin_px)
        for block in around.blocks(tile_px):
            part = block & around
            near = part.expand(CHOICE_PX + margin_px)
            if not part.empty and place.imagery.touches(near):
                found.add(part)
    return _apart(sorted(found), tile_px)


def _apart(rects: Sequence[Rect], tile_px: int) -> list[Rect]:
    """Rectangles of one block that overlap become the one around them."""
    by_block: dict[tuple[int, int], list[Rect]] = {}
    for rect in rects:
        by_block.setdefault((rect.row // tile_px, rect.col // tile_px), []).append(rect)
    found = []
    for line in by_block.values():
        joined: list[Rect] = []
        for rect in line:
            while touching := [one for one in joined if not (one & rect).empty]:
                joined = [one for one in joined if one not in touching]
                for one in touching:
                    rect = rect | one
            joined.append(rect)
        found += joined
    return sorted(found)


def errands_of(job: Job, reach_m: float) -> Iterator[Errand]:
    """Every scene over every piece of ground that it may show."""
    margin = max(begin_composite(job, period).margin_px for period in job.periods)
    for place in job.places:
        rects = pieces_of(place, reach_m, job.study.grid.tile, margin)
        for look in (look for looks in place.looks.values() for look in looks):
            for rect in rects:
                part = rect & look.rect
                if not part.empty:
                    yield Errand(place, look, part, rect, _read_hash(job, place, look, part))


def _read_hash(job: Job, place: Place, look: Look, rect: Rect) -> str:
    grid, sensor = place.grid, seen_by(job, look)
    return fingerprint({
        "recipe": FETCH_RECIPE, "bands": list(bands_of(job, look)),
        "scene": job.sources[look.source].signature(look.scene),
        "grid": [grid.crs, grid.resolution_m, grid.anchor],
        "rect": [rect.row, rect.col, rect.height, rect.width],
        **({"harmonised": sensor} if sensor else {}),
    })  # fmt: skip


def key_of(piece: Piece) -> tuple[Any, ...]:
    """What a piece shows, whatever it was made from."""
    return piece.source, piece.scene, piece.crs, piece.rect


def key_wanted(errand: Errand) -> tuple[Any, ...]:
    """``key_of`` the piece that is wanted."""
    look = errand.look
    return look.source, look.scene.id, errand.place.grid.crs, errand.rect


def is_done(store: Path, piece: Piece | None, errand: Errand) -> bool:
    """Whether a piece is what is wanted, and its file is there."""
    if piece is None or piece.read_hash != errand.read_hash:
        return False
    path = store / piece.path
    return not piece.path or (path.is_file() and path.stat().st_size == piece.bytes)
