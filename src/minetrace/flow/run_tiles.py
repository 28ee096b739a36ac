"""Raster tiles of a published run: composites in natural colour, and scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from minetrace.core.raster import NODATA, Raster
from minetrace.flow.run_views import RunViews
from minetrace.publish.picture import Stretch, shade
from minetrace.publish.pmtiles import Place
from minetrace.publish.raster_tiles import LAST_ZOOM, coloured, first_zoom, on_lattice, png
from minetrace.store.coarse import read_onto

Kind = Literal["composites", "scores"]
KINDS: tuple[Kind, ...] = ("composites", "scores")
MOST_PX = 4096  # stored pixels a side that one tile may read


@dataclass(frozen=True)
class RunTiles:
    """Tiles of a run, drawn when they are asked for."""

    views: RunViews

    @cached_property
    def stretch(self) -> Stretch:
        """One brightness for all pictures."""
        return self.views.stretch

    @cached_property
    def zooms(self) -> tuple[int, int]:
        """The first and last zoom at which tiles are drawn."""
        first = first_zoom(self.views.finest_m, MOST_PX)
        return first, max(first, LAST_ZOOM)

    def has(self, kind: Kind, period: str) -> bool:
        """True if something of it is stored and can be drawn."""
        stored = self.views.composites if kind == "composites" else self.views.scores
        return bool(stored.get(period)) and (kind == "scores" or self.views.recipe is not None)

    def tile(self, kind: Kind, period: str, place: Place) -> bytes | None:
        """A PNG of 256 by 256 pixels, or None where nothing is seen.

        Raises:
            ReadFailedError: a stored raster is cut short.
        """
        pixels = self._scores(period, place) if kind == "scores" else self._picture(period, place)
        return png(pixels) if pixels[3].any() else None

    def _scores(self, period: str, place: Place) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        grid, rect = on_lattice(place)
        headers = self.views.scores[period]
        stored = read_onto(headers, (1,), grid, rect, smooth=False)[0]
        return coloured(stored / np.float32(10_000))

    def _picture(
        self, period: str, place: Place
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        grid, rect = on_lattice(place)
        headers, recipe = self.views.composites[period], self.views.recipe
        if recipe is None:
            return np.zeros((4, *rect.shape), np.uint8)
        numbers = [headers[0].bands.index(band) + 1 for band in recipe.bands]
        values = read_onto(headers, numbers, grid, rect, smooth=True)
        valid = np.asarray(~np.isnan(values).any(axis=0))
        stored = np.where(valid, np.rint(values), NODATA).astype(np.int16)
        raster = Raster(recipe.bands, stored, valid, grid.geobox(rect))
        colours = shade(recipe.mix(raster).astype(np.float32), self.stretch)
        return np.concatenate([colours, np.where(valid, 255, 0).astype(np.uint8)[None]])
