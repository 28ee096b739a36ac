"""A source whose clouds are found by a detector, instead of by a mask that came with it.

Detection runs on whole blocks of the lattice with their surroundings, so that a pixel's mask does
not depend on what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, REFLECTANCE_SCALE, Raster
from minetrace.errors import BandError, RadiometryError
from minetrace.sources.detectors import DETECTORS, Detector, Level
from minetrace.sources.masks import dilate, dilation_px
from minetrace.sources.source import Scene, SourceOver

DETECT_RECIPE = 2  # changes whenever the same pixels would give another mask
BLOCK_PX = 512


@dataclass(frozen=True)
class DetectOptions:
    """Which detector, and how it is used.

    Attributes:
        kind: its name.
        threshold: from which probability on a pixel is cloud, 0 to 1; None for the detector's own.
        dilate_m: how far what is found is grown, metres.
        level: of the pixels, where the source does not say it.
    """

    kind: str
    threshold: float | None = None
    dilate_m: float = 0.0
    level: Level | None = None


@dataclass(frozen=True)
class DetectedSource(SourceOver):
    """A source without a mask, and a detector over it.

    Attributes:
        inner: its clouds must count as seen.
    """

    options: DetectOptions

    def __post_init__(self) -> None:
        missing = [band for band in self.detector.bands if band not in self.inner.bands]
        if missing:
            raise BandError(
                f"sources.mask: {self.detector.name} looks at {', '.join(self.detector.bands)}, "
                f"and the imagery has no {', '.join(missing)}; take another kind of mask"
            )
        if self._level not in self.detector.levels:
            known = {"toa": "the top of the atmosphere (toa)", "boa": "the surface (boa)"}
            has = known.get(self._level or "", "a level that nobody states")
            raise RadiometryError(
                f"sources.mask: {self.detector.name} knows reflectance at "
                f"{' or '.join(known[one] for one in self.detector.levels)}, and the imagery is at "
                f"{has}; say sources.mask.level if you know it, or take another kind of mask"
            )

    @property
    def detector(self) -> Detector:
        """The detector."""
        return DETECTORS[self.options.kind]

    @property
    def _level(self) -> Level | None:
        return self.inner.level or self.options.level

    @property
    def masking(self) -> str:
        """How clouds are kept out, in words."""
        grown = f", grown by {self.options.dilate_m:g} m" if self.options.dilate_m else ""
        return f"{self.detector.name}{grown}"

    def signature(self, scene: Scene) -> dict[str, Any]:
        """What the pixels of a scene depend on, and the detector."""
        o = self.options
        return {"recipe": DETECT_RECIPE, "mask": [o.kind, o.threshold, o.dilate_m, self._level],
                "scene": dict(self.inner.signature(scene))}  # fmt: skip

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a scene on a rectangle of a grid; see ``Source.read``."""
        raster = self.inner.read(scene, bands, grid, rect)
        if not raster.valid.any():
            return raster
        wide = rect.expand(dilation_px(self.options.dilate_m, grid.resolution_m))
        cloud, seen = np.zeros(wide.shape, dtype=bool), np.zeros(wide.shape, dtype=bool)
        for block in wide.blocks(BLOCK_PX):
            part = block & wide
            here, there = part.within(wide), part.within(block)
            found, looked = self._detect(scene, grid, block)
            cloud[here], seen[here] = found[there], looked[there]
        grown = dilate(cloud, self.options.dilate_m / grid.resolution_m)
        valid = raster.valid & (seen & ~grown)[rect.within(wide)]
        pixels = np.where(valid, raster.pixels, np.int16(NODATA))
        return Raster(raster.bands, pixels, valid, raster.geobox)

    def _detect(
        self, scene: Scene, grid: Grid, block: Rect
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where cloud is in a block, and where the detector saw all bands that it looks at."""
        around = block.expand(self.detector.context_px)
        look = self.inner.read(scene, self.detector.bands, grid, around)
        inside = block.within(around)
        if not look.valid.any() or self._level is None:
            return np.zeros(block.shape, dtype=bool), look.valid[inside]
        pixels = look.pixels.astype(np.float32) * np.float32(REFLECTANCE_SCALE)
        found = self.detector.find(pixels, look.valid, self._level, self.options.threshold)
        return found[inside], look.valid[inside]
