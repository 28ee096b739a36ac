"""The ground that a figure shows, and what is true of it: degrees, metres, north."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect, utm_crs
from minetrace.core.region import SEGMENT_DEG, project

LONLAT = "EPSG:4326"
SLIMMEST, WIDEST = 1 / 2.2, 4.0  # width over height of what a page can show
_WGS84 = Geod(ellps="WGS84")
_NICE = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Frame:
    """A rectangle of a projected CRS, metres.

    Attributes:
        crs: any projected CRS, as pyproj takes it.
    """

    crs: str
    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(
        cls, lonlat: BaseGeometry, crs: str | None = None, *, margin: float = 0.03
    ) -> Frame:  # fmt: skip
        """The frame around ground in EPSG:4326, wide or tall only as far as a page can show.

        Args:
            crs: of the frame; by default what suits the place, see ``page_crs``.
            margin: added on each side, as a share of the longer side.
        """
        west, south, east, north = lonlat.bounds
        step = max(SEGMENT_DEG, max(east - west, north - south) / 500)
        crs = crs or page_crs(lonlat)
        left, bottom, right, top = project(shapely.segmentize(lonlat, step), LONLAT, crs).bounds
        pad = margin * max(right - left, top - bottom, 100.0)
        frame = cls(crs, left - pad, bottom - pad, right + pad, top + pad)
        width = max(frame.width_m, SLIMMEST * frame.height_m)
        return frame.sized(width, max(frame.height_m, width / WIDEST))

    @classmethod
    def square(cls, lonlat: BaseGeometry, crs: str, *, least_m: float, share: float) -> Frame:
        """A square around ground that fills ``share`` of it, at least ``least_m`` wide."""
        left, bottom, right, top = project(lonlat, LONLAT, crs).bounds
        side = max(max(right - left, top - bottom) / share, least_m)
        return cls(crs, left, bottom, right, top).sized(side, side)

    def sized(self, width_m: float, height_m: float) -> Frame:
        """The same middle, another size."""
        x, y = (self.left + self.right) / 2, (self.bottom + self.top) / 2
        return Frame(self.crs, x - width_m / 2, y - height_m / 2, x + width_m / 2, y + height_m / 2)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, bottom, right, top)."""
        return self.left, self.bottom, self.right, self.top

    @property
    def width_m(self) -> float:
        """In metres of the CRS."""
        return self.right - self.left

    @property
    def height_m(self) -> float:
        """In metres of the CRS."""
        return self.top - self.bottom

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width_m / self.height_m

    @property
    def shape(self) -> Polygon:
        """The frame as a polygon of its CRS."""
        return box(*self.bounds)

    def lattice(self, cell_m: float, offset_m: float = 0.0) -> tuple[Grid, Rect]:
        """Cells that cover the frame; they lie on multiples of their size, less an offset."""
        grid = Grid(self.crs, cell_m, offset_m=offset_m)
        return grid, grid.rect(self.bounds)

    @cached_property
    def _to_lonlat(self) -> Transformer:
        return Transformer.from_crs(self.crs, LONLAT, always_xy=True)

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of the middle."""
        lon, lat = self._to_lonlat.transform(
            (self.left + self.right) / 2, (self.bottom + self.top) / 2
        )
        return float(lon), float(lat)

    def edge_degrees(self, side: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Along the ``bottom`` or ``left`` edge: places in metres, and their degrees."""
        if side == "bottom":
            at = np.linspace(self.left, self.right, 200)
            return at, np.asarray(self._to_lonlat.transform(at, np.full(200, self.bottom))[0])
        at = np.linspace(self.bottom, self.top, 200)
        return at, np.asarray(self._to_lonlat.transform(np.full(200, self.left), at)[1])

    def true_m(self) -> float:
        """Metres on the ground per metre of the CRS, west to east through the middle."""
        x, y, reach = (self.left + self.right) / 2, (self.bottom + self.top) / 2, self.width_m / 4
        lon, lat = self._to_lonlat.transform([x - reach, x + reach], [y, y])
        return float(_WGS84.inv(lon[0], lat[0], lon[1], lat[1])[2]) / (2 * reach)

    def north_deg(self) -> float:
        """Direction of true north in the middle, degrees clockwise from straight up."""
        lon, lat = self.middle
        x, y = Transformer.from_crs(LONLAT, self.crs, always_xy=True).transform(
            [lon, lon], [lat - 1e-3, lat + 1e-3]
        )
        return math.degrees(math.atan2(x[1] - x[0], y[1] - y[0]))


def page_crs(lonlat: BaseGeometry) -> str:
    """A CRS for ground in EPSG:4326: the UTM zone of its middle, or equal-area if it is wide."""
    west, south, east, north = lonlat.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    if east - west <= 6 and south >= -80 and north <= 84:
        return utm_crs(lon, lat)
    return f"+proj=laea +lat_0={lat:.3f} +lon_0={lon:.3f} +datum=WGS84 +units=m +no_defs"


def nice_below(value: float) -> float:
    """The largest of 1, 2, 5, 10, 20 … (or 0.5, 0.2 …) that is not above a value."""
    ten = 10.0 ** math.floor(math.log10(value))
    return max(step * ten for step in _NICE if step * ten <= value * (1 + 1e-9))


def degree_ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round degrees between two, at least one where there is any."""
    step = nice_below(high - low)
    ticks = _multiples(low, high, step)
    ticks = ticks if len(ticks) <= most else [ticks[len(ticks) // 2]]
    while len(finer := _multiples(low, high, step := nice_below(step * 0.99))) <= most:
        ticks = finer
    return ticks


def _multiples(low: float, high: float, step: float) -> list[float]:
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [round(n * step, 10) for n in numbers]


def degree_label(value: float, ticks: list[float], positive: str, negative: str) -> str:
    """Such as ``70.05° W``, with as many digits as the ticks need."""
    digits = max(len(f"{tick:.10f}".rstrip("0").rpartition(".")[2]) for tick in ticks)
    side = positive if value > 0 else negative if value < 0 else ""
    return f"{abs(value):.{digits}f}° {side}".rstrip()
