"""The lattice: integers everywhere, and rectangles that agree whatever the tile size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.core.grid import Grid, Rect, Tile, tiles_over, utm_crs, z_order
from minetrace.errors import StudyError
from minetrace.testing.strategies import grids, rects


def test_along_the_z_curve_every_square_of_tiles_is_a_stretch() -> None:
    tiles = [Tile("32721", row, col, 256) for row in range(-8, 8) for col in range(8, 24)]
    ordered = sorted(tiles, key=z_order)
    for side in (2, 4, 8):
        for start in range(0, len(tiles), side * side):
            square = ordered[start : start + side * side]
            assert len({(tile.row // side, tile.col // side) for tile in square}) == 1


@given(rects(), st.sampled_from([64, 100, 256]), st.sampled_from([1, 8, 24, 48]))
def test_tiles_partition_cells_whatever_their_size(rect: Rect, tile: int, stride: int) -> None:
    cells = [block.cells(stride) for block in rect.blocks(tile)]
    counted = sum(c.height * c.width for c in cells)
    whole = rect.snapped(tile).cells(stride)
    assert counted == whole.height * whole.width
    assert all(whole.contains(c) for c in cells if not c.empty)


@given(rects(), grids())
def test_a_rectangle_comes_back_from_its_bounds_and_geobox(rect: Rect, grid: Grid) -> None:
    assert grid.rect(grid.bounds(rect)) == rect
    assert grid.rect_of(grid.geobox(rect)) == rect


def test_anchor_center_puts_pixel_centres_on_multiples_of_the_resolution() -> None:
    grid = Grid("EPSG:32623", 30.0, "center")
    assert (grid.x(0.5), grid.y(0.5)) == (0.0, 0.0)


def test_cells_share_corners_with_pixels() -> None:
    for anchor in ("edge", "center"):
        grid = Grid("EPSG:32623", 30.0, anchor)  # type: ignore[arg-type]
        coarse = grid.coarsened(8)
        assert coarse.x(3) == grid.x(24)
        assert coarse.y(-2) == grid.y(-16)


def test_tile_ids_carry_the_epsg_code() -> None:
    grid = Grid("EPSG:32719", 10.0)
    (tile,) = tiles_over(grid, Rect(-300, 520, 10, 10), 256)
    assert tile.id == "32719_-2_2"
    assert tile.rect.contains(Rect(-300, 520, 10, 10))


@pytest.mark.parametrize(
    ("crs", "says"), [("EPSG:4326", "not projected"), ("EPSG:2263", "foot")]
)  # fmt: skip
def test_a_grid_in_degrees_or_feet_is_refused(crs: str, says: str) -> None:
    with pytest.raises(StudyError, match=says):
        Grid(crs, 10.0)


def test_utm_zones() -> None:
    assert utm_crs(-70.2, -12.8) == "EPSG:32719"
    assert utm_crs(179.99, 10) == "EPSG:32660"
    assert utm_crs(180.0, 10) == "EPSG:32660"
    with pytest.raises(StudyError, match="outside UTM"):
        utm_crs(0, 85)
