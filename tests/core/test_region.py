"""Regions, their zones, and pixels by centre."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import Coverage, Region
from minetrace.errors import RegionError

BLOB = Point(-70.2, -12.8).buffer(0.02).difference(Point(-70.2, -12.8).buffer(0.005))
BOWTIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def coverage(geometry: Polygon, halo_px: int = 0) -> Coverage:
    (zone,) = Region.of(geometry).zones()
    return Coverage.of(zone, Grid(zone.crs, 10.0), halo_px=halo_px)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(1, 300), st.integers(1, 300))
def test_a_pixel_belongs_or_not_whatever_rectangle_was_asked_for(
    row: int, col: int, height: int, width: int
) -> None:
    cover = coverage(BLOB)
    whole = cover.rect
    part = Rect(whole.row + row, whole.col + col, height, width) & whole
    assert (cover.mask(part) == cover.mask(whole)[part.within(whole)]).all()


def test_the_mask_is_what_pixel_centres_say() -> None:
    cover = coverage(BLOB)
    rect = cover.rect
    x = cover.grid.x(rect.col) + 10 * (np.arange(rect.width) + 0.5)
    y = cover.grid.y(rect.row) - 10 * (np.arange(rect.height) + 0.5)
    inside = shapely.contains_xy(cover.geometry, *np.meshgrid(x, y))
    assert (cover.mask(rect) == inside).all()
    assert abs(inside.sum() * 100 / 1e4 - cover.geometry.area / 1e4) < 2


def test_tiles_are_those_that_are_touched() -> None:
    cover = coverage(BLOB)
    small, large = cover.tiles(64), cover.tiles(512)
    assert sum(int(cover.mask(t.rect).sum()) for t in small) == int(cover.mask(cover.rect).sum())
    assert len(small) > len(large) >= 1


def test_the_halo_grows_every_side() -> None:
    plain, grown = coverage(BLOB), coverage(BLOB, halo_px=7)
    assert grown.rect.contains(plain.rect.expand(6))
    rect = grown.rect
    assert grown.mask(rect)[plain.mask(rect)].all()


def test_a_region_across_a_meridian_has_two_zones_and_across_the_equator_two_more() -> None:
    zones = Region.of(box(5.9, -0.1, 6.1, 0.1)).zones()
    assert {z.crs for z in zones} == {"EPSG:32631", "EPSG:32632", "EPSG:32731", "EPSG:32732"}
    assert sum(z.geometry.area for z in zones) == pytest.approx(0.04)


def test_a_region_that_only_touches_a_meridian_has_one_zone() -> None:
    (zone,) = Region.of(box(-72.0, -13, -71.9, -12.9)).zones()
    assert zone.crs == "EPSG:32719"
    assert zone.strip is None


@pytest.mark.parametrize(
    ("geometry", "says"),
    [
        (Polygon(), "empty"),
        (MultiPolygon(), "empty"),
        (LineString([(0, 0), (1, 1)]), "LineString"),
        (BOWTIE, "Self-intersection"),
        (box(500_000, 8_500_000, 510_000, 8_510_000), "not longitude and latitude"),
    ],
)
def test_what_is_no_region_is_refused_with_a_reason(geometry: Polygon, says: str) -> None:
    with pytest.raises(RegionError, match=says):
        Region.of(geometry, origin="roi.geojson")
