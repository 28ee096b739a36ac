"""What the warp does to values: exact transform, bilinear, averages, and nothing invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.warp import Resampling, reproject
from scene_files import CORNER, UTM, degrees_affine, ground, write_scene

from minetrace.core.grid import Grid, Rect
from minetrace.sources.files import FileOptions, FileSource
from minetrace.sources.masks import MaskOptions, dilate

GRID = Grid(UTM, 10.0)
PLACE = Rect(round(-CORNER[1] / 10), round(CORNER[0] / 10), 90, 110)


def read(folder: Path, grid: Grid, rect: Rect, **options: object) -> tuple[np.ndarray, np.ndarray]:
    source = FileSource(FileOptions(folder, **options))  # type: ignore[arg-type]
    look = source.read(source.scenes()[0], source.bands, grid, rect)
    return look.pixels, look.valid


def test_equals_gdal_with_an_exact_transform(tmp_path: Path) -> None:
    path = tmp_path / "a_20190101.tif"
    write_scene(path, ground(), crs="EPSG:4326", affine=degrees_affine(90, 110),
                names=["blue", "green", "red", "nir"])  # fmt: skip
    inner = Rect(PLACE.row + 5, PLACE.col + 5, 80, 100)
    pixels, valid = read(tmp_path, GRID, inner)
    expected = np.zeros((4, *inner.shape), dtype=np.float64)
    with rasterio.open(path) as raster:
        reproject(
            raster.read().astype(np.float64), expected, src_transform=raster.transform,
            src_crs=raster.crs, dst_transform=GRID.affine(inner), dst_crs=UTM,
            resampling=Resampling.bilinear, tolerance=0.0,
        )  # fmt: skip
    assert valid.all()
    assert np.abs(pixels - expected).max() < 0.7  # half a count of rounding, and GDAL's weights


def test_a_plane_stays_a_plane(tmp_path: Path) -> None:
    """Bilinear interpolation is exact on planes, so any shift would show."""
    y, x = np.mgrid[0:90, 0:110]
    plane = (1000 + 20 * x + 30 * y).astype(np.uint16)[None]
    write_scene(tmp_path / "a_20190101.tif", plane, names=["red"])
    shifted = Grid(UTM, 10.0, "center")  # half a pixel north-west
    rect = Rect(PLACE.row + 10, PLACE.col + 10, 50, 60)
    pixels, _ = read(tmp_path, shifted, rect)
    y, x = np.mgrid[10:60, 10:70]
    assert np.array_equal(pixels[0], 1000 + 20 * x + 30 * y - 25)


def test_twice_as_coarse_is_the_mean_of_four(tmp_path: Path) -> None:
    counts = ground(bands=1)
    write_scene(tmp_path / "a_20190101.tif", counts, names=["red"])
    coarse = Grid(UTM, 20.0)
    pixels, valid = read(tmp_path, coarse, Rect(PLACE.row // 2, PLACE.col // 2, 45, 55))
    expected = counts[0].reshape(45, 2, 55, 2).mean(axis=(1, 3))
    assert valid.all()
    assert np.abs(pixels[0] - expected).max() <= 0.5


def test_cloud_and_nodata_do_not_bleed(tmp_path: Path) -> None:
    """Values near a hole are made of clear pixels alone."""
    counts = np.full((1, 90, 110), 1000, dtype=np.uint16)
    scl = np.full((1, 90, 110), 4, dtype=np.uint16)
    counts[:, 30:40, 30:40], scl[:, 30:40, 30:40] = 9000, 9
    counts[:, 60:, :] = 0
    write_scene(tmp_path / "a_20190101.tif", np.concatenate([counts, scl]), names=["red", "SCL"],
                crs="EPSG:4326", affine=degrees_affine(90, 110))  # fmt: skip
    for resolution_m in (7.0, 10.0, 33.0):
        grid = Grid(UTM, resolution_m)
        left, top = CORNER[0] - 100, CORNER[1] + 100
        pixels, valid = read(tmp_path, grid, grid.rect((left, top - 1200, left + 1400, top)))
        assert set(np.unique(pixels[0][valid])) == {1000}
        assert 0.4 < valid.sum() * resolution_m**2 / (60 * 110 * 100) < 1.1


def test_turned_and_south_up_images_land_where_they_belong(tmp_path: Path) -> None:
    y, x = np.mgrid[0:90, 0:110]
    plane = (1000 + 10 * x + 20 * y).astype(np.uint16)[None]
    south_up = Affine(10, 0, CORNER[0], 0, 10, CORNER[1] - 900)
    write_scene(tmp_path / "a_20190101.tif", plane[:, ::-1], affine=south_up, names=["red"])
    pixels, valid = read(tmp_path, GRID, PLACE)
    assert valid.all()
    assert np.array_equal(pixels[0], plane[0])
    turned = Affine(0, 10, CORNER[0], -10, 0, CORNER[1])  # columns run south, rows run east
    write_scene(tmp_path / "a_20190101.tif", plane.transpose(0, 2, 1), affine=turned, names=["red"])
    pixels, valid = read(tmp_path, GRID, PLACE)
    assert valid.all()
    assert np.array_equal(pixels[0], plane[0])


def test_a_turned_image_on_a_coarse_grid_is_the_same_pixel_by_pixel(tmp_path: Path) -> None:
    """Its samples reach further than the first and the last of them."""
    turned = Affine.translation(*CORNER) * Affine.rotation(45) * Affine.scale(10, -10)
    write_scene(tmp_path / "a_20190101.tif", ground(300, 300, 1), affine=turned, names=["red"])
    grid = Grid(UTM, 160.0)
    x, y = turned * (150, 150)
    middle = grid.rect((x - 800, y - 800, x + 800, y + 800))
    pixels, valid = read(tmp_path, grid, middle)
    assert valid.all()
    for row in range(middle.height):
        alone = Rect(middle.row + row, middle.col + row, 1, 1)
        assert read(tmp_path, grid, alone)[0] == pixels[0, row, row]


@given(
    top=st.integers(0, 500), left=st.integers(0, 500),
    height=st.integers(1, 300), width=st.integers(1, 300),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_no_cut_changes_a_pixel(
    wide_scene: FileSource, whole: tuple[np.ndarray, np.ndarray], top: int, left: int,
    height: int, width: int,
) -> None:  # fmt: skip
    rect = Rect(PLACE.row - 3 + top, PLACE.col - 3 + left, height, width)
    outer = Rect(PLACE.row - 3, PLACE.col - 3, 800, 800)
    look = wide_scene.read(wide_scene.scenes()[0], wide_scene.bands, GRID, rect)
    rows, cols = rect.within(outer)
    assert np.array_equal(look.pixels, whole[0][:, rows, cols])
    assert np.array_equal(look.valid, whole[1][rows, cols])


@pytest.fixture(scope="module")
def wide_scene(tmp_path_factory: pytest.TempPathFactory) -> FileSource:
    """Several lattice blocks in degrees, with clouds that are grown by 120 m."""
    folder = tmp_path_factory.mktemp("wide")
    counts = ground(700, 700, 2)
    rng = np.random.default_rng(5)
    clouds = dilate(rng.random((700, 700)) < 2e-4, 9)
    scl = np.where(clouds, 9, 5)[None]
    write_scene(folder / "a_20190101.tif", np.concatenate([counts, scl]).astype(np.uint16),
                names=["red", "nir", "SCL"], crs="EPSG:4326", affine=degrees_affine(700, 700),
                tiled=True, blockxsize=256, blockysize=256)  # fmt: skip
    return FileSource(FileOptions(folder, mask=MaskOptions("scl", dilate_m=120)))


@pytest.fixture(scope="module")
def whole(wide_scene: FileSource) -> tuple[np.ndarray, np.ndarray]:
    outer = Rect(PLACE.row - 3, PLACE.col - 3, 800, 800)
    look = wide_scene.read(wide_scene.scenes()[0], wide_scene.bands, GRID, outer)
    assert 0.1 < look.valid.mean() < 0.7
    return look.pixels, look.valid


@pytest.mark.parametrize("turn", [0, -360])
def test_an_image_in_degrees_past_the_180th_meridian(tmp_path: Path, turn: int) -> None:
    """Columns that count on to 180.005, or from -180.005 on: both sides are seen, once."""
    plane = ground(100, 100, 1)
    write_scene(tmp_path / "a_20190101.tif", plane, crs="EPSG:4326", names=["red"],
                affine=Affine(1e-4, 0, 179.995 + turn, 0, -1e-4, -17.0))  # fmt: skip
    source = FileSource(FileOptions(tmp_path))
    parts = shapely.get_parts(source.footprint(source.scenes()[0]))
    assert sorted(round(part.bounds[0], 4) for part in parts) == [-180, 179.995]
    for zone in ("EPSG:32760", "EPSG:32701"):
        grid = Grid(zone, 10.0)
        to = Transformer.from_crs("EPSG:4326", zone, always_xy=True)
        east, north = to.transform(180.0, -17.005)
        rect = grid.rect((east - 800, north - 800, east + 800, north + 800))
        _, valid = read(tmp_path, grid, rect)
        hectares = valid.sum() / 100
        assert hectares == pytest.approx(117.8, rel=0.02)  # 0.01 by 0.01 degrees at 17 south


def test_a_scene_across_the_180th_meridian(tmp_path: Path) -> None:
    """Its footprint is two narrow parts, and either zone's grid shows it."""
    y, x = np.mgrid[0:90, 0:110]
    plane = (1000 + 10 * x + 20 * y).astype(np.uint16)[None]
    to = Transformer.from_crs("EPSG:4326", "EPSG:32760", always_xy=True)
    left, top = (round(v, -1) for v in to.transform(179.995, -17.0))
    write_scene(tmp_path / "a_20190101.tif", plane, crs="EPSG:32760", names=["red"],
                affine=Affine(10, 0, left, 0, -10, top))  # fmt: skip
    source = FileSource(FileOptions(tmp_path))
    parts = shapely.get_parts(source.footprint(source.scenes()[0]))
    assert len(parts) == 2
    assert all(part.bounds[2] - part.bounds[0] < 0.02 for part in parts)
    seen = []
    for zone in ("EPSG:32760", "EPSG:32701"):
        grid = Grid(zone, 10.0)
        across = Transformer.from_crs("EPSG:32760", zone, always_xy=True)
        east, north = across.transform(left + 550, top - 450)
        rect = grid.rect((east - 800, north - 800, east + 800, north + 800))
        _, valid = read(tmp_path, grid, rect)
        seen.append(valid.sum())
    assert seen[0] == 90 * 110
    assert abs(seen[1] / seen[0] - 1) < 0.02
