"""Where an image lies on a grid: exactly on its pixels, across them, or nowhere near."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.affinity import translate
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.sources.image import Image

ALIGNED_PX = 1e-3  # corners off the lattice by less than this are on it
EDGE_POINTS = 21  # per side; a straight edge bends in another projection


@lru_cache(maxsize=256)
def same_crs(one: str, other: str) -> bool:
    """True if coordinates in one CRS mean the same place in the other."""
    return one == other or CRS(one).equals(CRS(other), ignore_axis_order=True)


@lru_cache(maxsize=128)
def transformer(source: str, target: str) -> Transformer:
    """From one CRS to another, x always east."""
    return Transformer.from_crs(source, target, always_xy=True)


def lattice_rect(image: Image, grid: Grid) -> Rect | None:
    """The pixels of the grid that an image's pixels are, one for one; None if it must be warped."""
    if not same_crs(image.crs, grid.crs):
        return None
    a, r = image.affine, grid.resolution_m
    row, col = (grid.offset_m - a.f) / r, (a.c + grid.offset_m) / r
    drift = max(abs(a.a / r - 1) * image.width, abs(a.e / r + 1) * image.height,
                abs(a.b / r) * image.height, abs(a.d / r) * image.width)  # fmt: skip
    off = max(abs(row - round(row)), abs(col - round(col)))
    if off + drift > ALIGNED_PX:
        return None
    return Rect(round(row), round(col), image.height, image.width)


def reach(image: Image, grid: Grid) -> Rect | None:
    """Pixels of the grid that an image may touch; None if that cannot be told."""
    return _reach(image.crs, image.affine, image.height, image.width, grid)


@lru_cache(maxsize=4096)
def _reach(crs: str, affine: Affine, height: int, width: int, grid: Grid) -> Rect | None:
    x, y = _border(affine, height, width)
    if not same_crs(crs, grid.crs):
        x, y = transformer(crs, grid.crs).transform(x, y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    return grid.rect((float(x.min()), float(y.min()), float(x.max()), float(y.max()))).expand(2)


def footprint(image: Image) -> BaseGeometry:
    """The ground under an image's frame, EPSG:4326; in two parts where it crosses 180 degrees."""
    x, y = _border(image.affine, image.height, image.width)
    lon, lat = transformer(image.crs, "EPSG:4326").transform(x, y)
    seen = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[seen], np.clip(lat[seen], -90.0, 90.0)
    if len(lon) < 3:
        return Polygon()
    if np.ptp(lon) > 180 and not in_degrees(image.crs):
        lon = np.where(lon < 0, lon + 360, lon)
    whole = Polygon(np.column_stack([lon, lat]))
    if lon.min() >= -180 and lon.max() <= 180:
        return whole
    turns = (-360.0, 0.0, 360.0)
    parts = [translate(whole, xoff=turn).intersection(box(-180, -90, 180, 90)) for turn in turns]
    return shapely.union_all(parts)


def longitudes(image: Image, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitudes as an image in degrees counts them, where its columns run past 180 degrees."""
    if not in_degrees(image.crs):
        return x
    columns, _ = _border(image.affine, image.height, image.width)
    west = float(columns.min())
    if west >= -180 and columns.max() <= 180:
        return x
    return west + (x - west) % 360.0


@lru_cache(maxsize=256)
def in_degrees(crs: str) -> bool:
    """True if coordinates are longitude and latitude."""
    return bool(CRS(crs).is_geographic)


def _border(
    affine: Affine, height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points around the frame, in the image's CRS."""
    step = np.linspace(0.0, 1.0, EDGE_POINTS)[:-1]
    zero, one = np.zeros_like(step), np.ones_like(step)
    col = np.concatenate([step, one, 1 - step, zero]) * width
    row = np.concatenate([zero, step, one, 1 - step]) * height
    x = affine.a * col + affine.b * row + affine.c
    y = affine.d * col + affine.e * row + affine.f
    return np.asarray(x), np.asarray(y)
