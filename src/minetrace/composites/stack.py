"""Bands of several kinds of imagery, one on top of the other: each composed for itself.

Radar sees on other days than a camera does, and through clouds, so a look holds bands of one kind
alone. A pixel of the stack is valid where every kind has enough looks at it. Terrain is the same at
all times: one look at it is enough, and says nothing of how often the ground was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from odc.geo.geobox import GeoBox

from minetrace.composites.composite import Composer, Composite
from minetrace.core.bands import TERRAIN
from minetrace.core.raster import NODATA, Raster


class Stack:
    """A composite for each kind of look, told apart by its bands.

    ``clear_looks`` is the least of the kinds, terrain left out; ``median_day`` that of the first.

    Args:
        kinds: the bands of each kind, as its looks have them.
        begin: makes an empty composite of one kind.
        begin_terrain: makes one that a single look is enough for; default: as the others.
    """

    def __init__(
        self, kinds: Sequence[tuple[str, ...]], begin: Callable[[], Composer],
        begin_terrain: Callable[[], Composer] | None = None,
    ) -> None:  # fmt: skip
        once = begin_terrain or begin
        self._parts = {kind: (once if timeless(kind) else begin)() for kind in kinds}

    @property
    def margin_px(self) -> int:
        """What the widest of the kinds wants."""
        return max(part.margin_px for part in self._parts.values())

    def feed(self, day_offset: int, look: Raster) -> None:
        """Take one look of any of the kinds.

        Raises:
            ValueError: its bands are those of none.
        """
        if look.bands not in self._parts:
            raise ValueError(f"a look has {', '.join(look.bands)}, and no kind of the stack does")
        self._parts[look.bands].feed(day_offset, look)

    def result(self, bands: Sequence[str], geobox: GeoBox) -> Composite:
        """All kinds so far, their bands in the order asked for."""
        made = [part.result(kind, geobox) for kind, part in self._parts.items()]
        layers = {b: one.pixels[i] for one in made for i, b in enumerate(one.bands)}
        pixels = np.stack([layers[band] for band in bands])
        valid = reduce(np.logical_and, (one.valid for one in made))
        pixels[:, ~valid] = NODATA
        dated = [one for one in made if not timeless(one.bands)] or made
        looks = reduce(np.minimum, (one.clear_looks for one in dated))
        return Composite(tuple(bands), pixels, looks, dated[0].median_day, valid, geobox)


def timeless(kind: Sequence[str]) -> bool:
    """True for bands that are the same whenever one looks."""
    return all(band in TERRAIN for band in kind)


def kinds_of(bands: Sequence[str], sources: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Which of the bands come together, by what each source has; each combination once."""
    have = (tuple(band for band in bands if band in source) for source in sources)
    return [kind for kind in dict.fromkeys(have) if kind]
