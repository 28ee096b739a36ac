"""Where pixels come from: what every source can be asked, whatever lies behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Protocol

from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import Raster


@dataclass(frozen=True)
class Scene:
    """One look from above: what was taken on one day as one image.

    Attributes:
        id: unique within its source, and the same on every machine.
        day: when it was taken.
    """

    id: str
    day: date


class Source(Protocol):
    """Scenes and their pixels. Frozen: a copy sent to another process answers the same."""

    @property
    def bands(self) -> tuple[str, ...]:
        """STAC common names of the bands that every scene has."""
        ...

    @property
    def resolution_m(self) -> float:
        """Side of the finest native pixel, metres on the ground."""
        ...

    @property
    def crs(self) -> str:
        """Native CRS of the first scene; others may differ and are warped all the same."""
        ...

    @property
    def masking(self) -> str:
        """How clouds are kept out, in words; empty if they are not."""
        ...

    @property
    def level(self) -> Literal["toa", "boa"] | None:
        """Reflectance at the top of the atmosphere or at the surface; None if nobody says it."""
        ...

    @property
    def reads_ahead(self) -> int:
        """Reads that may be under way at once in one process: 1 unless reading means waiting."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about what was found: counted once, left out, missing."""
        ...

    def scenes(self) -> tuple[Scene, ...]:
        """Every scene, ordered by day, then by id."""
        ...

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground that a scene may show, EPSG:4326: never less than it does show."""
        ...

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a scene on a rectangle of a grid.

        A pixel's value never depends on the rectangle that was asked for.

        Args:
            scene: one of ``scenes()``.
            bands: common names, out of ``bands``, in any order.
            grid: the lattice.
            rect: which pixels of it; may reach beyond the scene, where nothing is valid.

        Returns:
            int16 reflectance x 1e4 (kelvin x 10 for thermal bands) in the order of ``bands``,
            NODATA where not valid. Valid is what every one of the bands shows, clear of cloud and
            shadow and of what lies within the mask's dilation of them.

        Raises:
            BandError: a band is not there.
            ReadFailedError: the pixels could not be read this time.
        """
        ...

    def signature(self, scene: Scene) -> Mapping[str, Any]:
        """What the pixels of a scene depend on, as JSON can hold it.

        Two signatures are equal only if the same bytes would be read in the same way.
        """
        ...


@dataclass(frozen=True)
class SourceOver:
    """What a source that looks through another hands on as it is.

    Attributes:
        inner: the source beneath.
    """

    inner: Source

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands."""
        return self.inner.bands

    @property
    def resolution_m(self) -> float:
        """Side of the finest native pixel, metres."""
        return self.inner.resolution_m

    @property
    def crs(self) -> str:
        """Native CRS of the first scene."""
        return self.inner.crs

    @property
    def level(self) -> Literal["toa", "boa"] | None:
        """Of reflectance."""
        return self.inner.level

    @property
    def reads_ahead(self) -> int:
        """Reads that may be under way at once."""
        return self.inner.reads_ahead

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about what was found."""
        return self.inner.notes

    def scenes(self) -> tuple[Scene, ...]:
        """Every scene, ordered by day, then by id."""
        return self.inner.scenes()

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground that a scene may show, EPSG:4326."""
        return self.inner.footprint(scene)
