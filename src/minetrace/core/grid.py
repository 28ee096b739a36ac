"""Where the pixels are: one lattice per CRS, anchored on the CRS origin.

Pixel (row, col) is an integer address on the whole lattice, rows growing southwards, so that
every tile, window and halo is a rectangle of integers and no two ever disagree by a rounding.
With ``anchor="edge"`` pixel edges lie on multiples of the resolution (Sentinel-2), with
``anchor="center"`` pixel centres do (Landsat).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS

from minetrace.errors import StudyError

Anchor = Literal["edge", "center"]


@dataclass(frozen=True, order=True)
class Rect:
    """A half-open rectangle of lattice pixels: rows ``[row, row + height)``, columns alike."""

    row: int
    col: int
    height: int
    width: int

    @property
    def row_stop(self) -> int:
        """First row below."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """First column to the right."""
        return self.col + self.width

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def empty(self) -> bool:
        """True if it holds no pixel."""
        return self.height <= 0 or self.width <= 0

    @classmethod
    def spanning(cls, row: int, col: int, row_stop: int, col_stop: int) -> Rect:
        """From half-open bounds; never negative in size."""
        return cls(row, col, max(0, row_stop - row), max(0, col_stop - col))

    def expand(self, px: int) -> Rect:
        """Grown by ``px`` pixels on every side."""
        return Rect(self.row - px, self.col - px, self.height + 2 * px, self.width + 2 * px)

    def __and__(self, other: Rect) -> Rect:
        return Rect.spanning(
            max(self.row, other.row),
            max(self.col, other.col),
            min(self.row_stop, other.row_stop),
            min(self.col_stop, other.col_stop),
        )

    def __or__(self, other: Rect) -> Rect:
        return Rect.spanning(
            min(self.row, other.row),
            min(self.col, other.col),
            max(self.row_stop, other.row_stop),
            max(self.col_stop, other.col_stop),
        )

    def contains(self, other: Rect) -> bool:
        """True if every pixel of ``other`` is inside."""
        return (self & other) == other

    def within(self, outer: Rect) -> tuple[slice, slice]:
        """Slices that cut this rectangle out of an array that covers ``outer``."""
        return (
            slice(self.row - outer.row, self.row_stop - outer.row),
            slice(self.col - outer.col, self.col_stop - outer.col),
        )

    def snapped(self, px: int) -> Rect:
        """The smallest rectangle around it with edges on multiples of ``px``."""
        return Rect.spanning(
            self.row // px * px, self.col // px * px,
            -(-self.row_stop // px) * px, -(-self.col_stop // px) * px,
        )  # fmt: skip

    def blocks(self, px: int) -> Iterator[Rect]:
        """The squares of the lattice of side ``px`` that it touches, whole, in row-major order."""
        around = self.snapped(px)
        for row in range(around.row, around.row_stop, px):
            for col in range(around.col, around.col_stop, px):
                yield Rect(row, col, px, px)

    def cells(self, stride: int) -> Rect:
        """The cells of ``stride`` pixels whose top-left pixel is inside.

        Rectangles that partition pixels also partition cells, whatever their size.
        """
        return Rect.spanning(
            -(-self.row // stride), -(-self.col // stride),
            -(-self.row_stop // stride), -(-self.col_stop // stride),
        )  # fmt: skip

    def scaled(self, factor: int) -> Rect:
        """The pixels under a rectangle of cells of ``factor`` pixels."""
        return Rect(self.row * factor, self.col * factor, self.height * factor, self.width * factor)


@dataclass(frozen=True)
class Grid:
    """A lattice of square pixels in a projected CRS with metre units.

    Attributes:
        crs: an authority code such as ``EPSG:32723``, or WKT where there is none.
        resolution_m: side of a pixel in metres of the CRS.
        anchor: what lies on multiples of the resolution, pixel edges or pixel centres.
        offset_m: distance of pixel (0, 0)'s corner north-west of the CRS origin; follows from
            the anchor unless the grid was made by ``coarsened``.
    """

    crs: str
    resolution_m: float
    anchor: Anchor = "edge"
    offset_m: float = -1.0

    def __post_init__(self) -> None:
        if self.resolution_m <= 0 or not math.isfinite(self.resolution_m):
            raise StudyError(f"grid: resolution_m is {self.resolution_m}; it must be above 0")
        if not self.projection.is_projected:
            raise StudyError(
                f"grid: {self.crs} is not projected, so its pixels have no size in metres; "
                "leave crs out to get the UTM zone of each place, or name a projected CRS"
            )
        unit = self.projection.axis_info[0].unit_name
        if unit not in ("metre", "meter"):
            raise StudyError(f"grid: {self.crs} is measured in {unit}; name a CRS in metres")
        if self.offset_m < 0:
            half = self.resolution_m / 2 if self.anchor == "center" else 0.0
            object.__setattr__(self, "offset_m", half)

    @cached_property
    def projection(self) -> CRS:
        """The CRS as pyproj knows it."""
        return CRS.from_user_input(self.crs)

    @cached_property
    def zone(self) -> str:
        """The part of tile names that says the CRS: its EPSG code, or a hash of its WKT."""
        code = self.projection.to_epsg()
        if code is not None:
            return str(code)
        import hashlib

        return "crs" + hashlib.sha256(self.projection.to_wkt().encode()).hexdigest()[:8]

    def x(self, col: float) -> float:
        """Easting of a column's left edge, metres."""
        return col * self.resolution_m - self.offset_m

    def y(self, row: float) -> float:
        """Northing of a row's top edge, metres."""
        return self.offset_m - row * self.resolution_m

    def affine(self, rect: Rect) -> Affine:
        """Pixel to CRS, for an array that covers ``rect``."""
        r = self.resolution_m
        return Affine(r, 0.0, self.x(rect.col), 0.0, -r, self.y(rect.row))

    def geobox(self, rect: Rect) -> GeoBox:
        """The GeoBox of an array that covers ``rect``."""
        return GeoBox(rect.shape, self.affine(rect), self.crs)

    def bounds(self, rect: Rect) -> tuple[float, float, float, float]:
        """(left, bottom, right, top) in metres of the CRS."""
        return self.x(rect.col), self.y(rect.row_stop), self.x(rect.col_stop), self.y(rect.row)

    def rect(self, bounds: tuple[float, float, float, float]) -> Rect:
        """The smallest rectangle of whole pixels around (left, bottom, right, top)."""
        left, bottom, right, top = bounds
        r, slack = self.resolution_m, 1e-6
        return Rect.spanning(
            math.floor((self.offset_m - top) / r + slack),
            math.floor((left + self.offset_m) / r + slack),
            math.ceil((self.offset_m - bottom) / r - slack),
            math.ceil((right + self.offset_m) / r - slack),
        )

    def rect_of(self, geobox: GeoBox) -> Rect:
        """The rectangle that a GeoBox on this lattice covers.

        Raises:
            ValueError: the GeoBox is not on this lattice.
        """
        affine: Any = geobox.transform
        row = (self.offset_m - affine.f) / self.resolution_m
        col = (affine.c + self.offset_m) / self.resolution_m
        aligned = math.isclose(affine.a, self.resolution_m) and math.isclose(
            affine.e, -self.resolution_m
        )
        if not aligned or abs(row - round(row)) > 1e-3 or abs(col - round(col)) > 1e-3:
            raise ValueError(f"{geobox} does not lie on {self}")
        return Rect(round(row), round(col), *map(int, geobox.shape))

    def coarsened(self, stride: int) -> Grid:
        """The lattice of cells of ``stride`` by ``stride`` pixels."""
        return Grid(self.crs, self.resolution_m * stride, self.anchor, self.offset_m)


@dataclass(frozen=True, order=True)
class Tile:
    """A square of a grid that is worked and stored as one file."""

    zone: str
    row: int
    col: int
    size_px: int

    @property
    def id(self) -> str:
        """Safe as a file name; carries the EPSG code."""
        return f"{self.zone}_{self.row}_{self.col}"

    @property
    def rect(self) -> Rect:
        """The pixels of the tile."""
        n = self.size_px
        return Rect(self.row * n, self.col * n, n, n)


def z_order(tile: Tile) -> int:
    """Where a tile comes along a Z-shaped curve, on which neighbours in both directions are near.

    Source: Morton, A computer oriented geodetic data base and a new technique in file sequencing,
    IBM, 1966: the bits of row and column in turns.
    """
    most = 1 << 20  # tiles from the corner of a zone, whose numbers may be negative
    row, col = (int(f"{number + most:b}", 4) for number in (tile.row, tile.col))
    return 2 * row + col


def tiles_over(grid: Grid, rect: Rect, size_px: int) -> list[Tile]:
    """Tiles of ``size_px`` pixels that a rectangle touches, in row-major order."""
    return [
        Tile(grid.zone, block.row // size_px, block.col // size_px, size_px)
        for block in rect.blocks(size_px)
    ]


def utm_crs(lon: float, lat: float) -> str:
    """The UTM zone of a place, by plain six-degree strips.

    Raises:
        StudyError: the place lies beyond 84 degrees north or 80 south, where UTM ends.
    """
    if not -80 <= lat <= 84:
        raise StudyError(
            f"latitude {lat:.2f} lies outside UTM (80 S to 84 N): name a projected grid.crs"
        )
    number = min(int((lon + 180) // 6) + 1, 60)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + number}"
