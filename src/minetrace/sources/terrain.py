"""Heights of the ground, and its slope: the same whenever one looks.

A terrain model has no date. It is one look in each period, at all of its ground, so that it can be
stacked on imagery of any year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, reduce
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minetrace.core.bands import nearest
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import BandError
from minetrace.sources.slope import CONTEXT_PX, slope
from minetrace.sources.source import Scene, SourceOver

TERRAIN_RECIPE = 1  # changes whenever the same heights would give other pixels
ANY_TIME = ((date(1970, 1, 1), date(2100, 1, 1)),)
"""What a catalog is asked for: a terrain model's date is that of its publication."""


@dataclass(frozen=True)
class TerrainSource(SourceOver):
    """A source of elevation, seen once in every period, with slope computed on the grid.

    Attributes:
        inner: has elevation; all its scenes together are the terrain.
        days: the first day of each period.

    Raises:
        BandError: it has no elevation.
    """

    days: tuple[date, ...]

    def __post_init__(self) -> None:
        if "elevation" not in self.inner.bands:
            raise BandError(
                f"a terrain model has elevation, and the source has {', '.join(self.inner.bands)}; "
                "take another collection, such as cop-dem-glo-30"
            )

    @property
    def bands(self) -> tuple[str, ...]:
        """Elevation and slope."""
        return ("elevation", "slope")

    @property
    def masking(self) -> str:
        """What hides it, in words."""
        return "nothing hides terrain"

    @property
    def level(self) -> None:
        """It has no reflectance."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about what was found."""
        return (*self.inner.notes, "terrain has no date: it is the same in every period")

    def scenes(self) -> tuple[Scene, ...]:
        """One look a period."""
        return tuple(Scene(f"terrain-{day}", day) for day in sorted(self.days))

    def footprint(self, scene: Scene) -> BaseGeometry:
        """All of its ground, EPSG:4326."""
        return self._ground

    @cached_property
    def _ground(self) -> BaseGeometry:
        return shapely.union_all([self.inner.footprint(part) for part in self.inner.scenes()])

    def signature(self, scene: Scene) -> dict[str, Any]:
        """What the heights depend on."""
        parts = [dict(self.inner.signature(part)) for part in self.inner.scenes()]
        return {"recipe": TERRAIN_RECIPE, "day": str(scene.day), "parts": parts}

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels on a rectangle of a grid; see ``Source.read``.

        A slope looks one pixel around it, so it does not depend on the rectangle. It is not valid
        where a height is missing beside it.
        """
        unknown = [band for band in bands if band not in self.bands]
        if unknown:
            hint = nearest(unknown[0], self.bands)
            raise BandError(
                f"no band {', '.join(unknown)} in the terrain, which has elevation and slope"
                + (f"; did you mean {hint}?" if hint else "")
            )
        steep = "slope" in bands
        wide = rect.expand(CONTEXT_PX) if steep else rect
        looks = (self.inner.read(part, ("elevation",), grid, wide) for part in self.inner.scenes())
        heights = reduce(Raster.over, looks)
        inside = rect.within(wide)
        layers, valid = {"elevation": heights.pixels[0][inside]}, heights.valid[inside].copy()
        if steep:
            layers["slope"], known = slope(heights.pixels[0], heights.valid, grid.resolution_m)
            valid &= known
        pixels = np.stack([layers[band] for band in bands])
        pixels[:, ~valid] = NODATA
        return Raster(tuple(bands), pixels, valid, grid.geobox(rect))
