"""What metadata say of a scene and its bands, and what was concluded from it. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from minetrace.core.raster import stored_scale
from minetrace.sources.radiometry import PER_REFLECTANCE, Radiometry

Level = Literal["toa", "boa", "kelvin"]


@dataclass(frozen=True)
class BandFacts:
    """What metadata say of one band; None where they say nothing.

    Attributes:
        asset: key or file name of the band, such as ``red`` or ``red-jp2``.
        dtype: numpy name of the type of its counts.
        scale: unit per count.
        offset: added to it, in units (not in counts).
    """

    asset: str
    dtype: str | None = None
    scale: float | None = None
    offset: float | None = None


@dataclass(frozen=True)
class SceneFacts:
    """What metadata say of one scene.

    Attributes:
        scene: its name, for errors.
        collection: the catalog's collection or the product's kind, such as ``sentinel-2-l2a``,
            ``sentinel-2-c1-l2a``, ``landsat-c2-l2``, ``S2MSI1C``.
        host: the catalog's address or profile, such as ``earth-search``; ``PRODUCT`` for facts
            from the product itself.
        level: processing level, such as ``L2A``, ``L1C``, ``L2SP``, if known.
        baseline: Sentinel-2 processing baseline, such as ``04.00``, if known.
        platform: such as ``sentinel-2a``, if known.
        day: when it was sensed, if known. Nothing is concluded from it: old scenes are reprocessed.
        properties: the item's, with their prefixes (``s2:``, ``earthsearch:``, ``landsat:`` …).
        bands: by common name.
    """

    scene: str
    collection: str
    host: str = ""
    level: str | None = None
    baseline: str | None = None
    platform: str | None = None
    day: date | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    bands: Mapping[str, BandFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class Calibration:
    """What counts mean: reflectance, or the band's own unit, is count * scale + offset.

    Attributes:
        level: ``toa``, ``boa``, or ``kelvin`` for a thermal band; None if nobody says it.
        nodata: the count that means that nothing was seen, if the product fixes one.
        source: name of the row of the table that decided.
        saturated: the count that means that the sensor was blinded, if the product has one.
        per_unit: stored numbers for one unit of the band.
        power: True if counts are the power of radar, which is stored in decibels.
    """

    scale: float
    offset: float
    level: Level | None
    nodata: float | None
    source: str
    saturated: float | None = None
    per_unit: float = PER_REFLECTANCE
    power: bool = False

    def of_band(self, band: str) -> Calibration:
        """The same in the numbers that a band is stored in."""
        return replace(self, per_unit=float(round(1 / stored_scale(band))))

    @property
    def radiometry(self) -> Radiometry:
        """The same as the sources' readers take it."""
        return Radiometry(self.scale, self.offset, self.per_unit, self.power)
