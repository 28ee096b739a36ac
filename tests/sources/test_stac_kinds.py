"""Other collections than optical scenes: HLS, radar, terrain and embeddings, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from stac_scenes import CORNER, GRID, UTM, YEARS, source

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA
from minetrace.errors import BandError, RadiometryError
from minetrace.sources.masks import MaskOptions
from minetrace.sources.slope import slope
from minetrace.sources.stac import StacSource
from minetrace.sources.terrain import ANY_TIME, TerrainSource
from minetrace.testing.source_contract import SourceContract
from minetrace.testing.stac_catalog import Shot, Style, write_catalog
from minetrace.testing.stac_server import StacServer

RECT = Rect(-859_000, 35_000, 60, 60)  # of 10 m, from CORNER on
DAY = date(2023, 7, 4)


def at(side_m: float, west_m: float = 0.0) -> Affine:
    return Affine(side_m, 0, CORNER[0] + west_m, 0, -side_m, CORNER[1])


def served(folder: Path, style: Style, *shots: Shot) -> StacServer:
    return StacServer(write_catalog(folder, shots, style=style, block_px=128))


def test_both_sensors_of_hls_have_the_same_bands_in_reflectance(tmp_path: Path) -> None:
    names = ("blue", "green", "red", "nir08", "swir16", "swir22")
    counts: dict[str, Any] = {
        n: np.full((60, 60), 1000 * i - 200, np.int16) for i, n in enumerate(names)
    }
    counts["red"][:, 0] = -9999
    bits = np.zeros((60, 60), np.uint8)
    bits[10:20], bits[20:22], bits[30:33], bits[40:45], bits[50] = 2, 4, 8, 16 + 32, 255
    clear = np.ones((60, 60), bool)
    clear[10:22] = clear[30:33] = clear[50] = clear[:, 0] = False
    here = Affine(30, 0, 350_010, 0, -30, 8_589_990)
    for style, collection in (("hls-s30", "hls2-s30"), ("hls-l30", "hls2-l30")):
        bands = {**counts, "fmask": bits}
        if style == "hls-l30":
            bands["lwir11"] = np.full((60, 60), 2685, np.int16)
        shot = Shot(f"HLS.{style[-3:].upper()}.T19LCH.2023185T145731.v2.0", DAY, bands,
                    here, UTM, {})  # fmt: skip
        with served(tmp_path / style, style, shot) as server:
            found = source(server, tmp_path / f"{style}-run", collection=collection)
            assert found.masking == "FMASK"
            assert found.level == "boa"
            assert found.resolution_m == 30
            assert set(found.bands) - {"lwir11"} == set(names)
            rect = Rect(-286_333, 11_667, 60, 60)
            look = found.read(found.scenes()[0], found.bands, Grid(UTM, 30.0), rect)
            layers = dict(zip(look.bands, look.pixels, strict=True))
            assert np.array_equal(look.valid, clear)
            for i, name in enumerate(names):
                assert set(layers[name][clear]) == {1000 * i - 200}
            if "lwir11" in layers:
                assert set(layers["lwir11"][clear]) == {3000}  # 26.85 degrees are 300.0 kelvin
            loose = source(server, tmp_path / f"{style}-loose", collection=collection,
                           mask=MaskOptions("fmask", drop=(1,)), max_cloud=0.5)  # fmt: skip
            seen = loose.read(loose.scenes()[0], ("red",), Grid(UTM, 30.0), rect).valid
            assert seen[20:22, 1:].all()
            assert not seen[50].any()


@pytest.fixture(scope="module")
def radar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    rng = np.random.default_rng(5)
    power = {
        name: rng.gamma(4.4, mean / 4.4, (160, 160)).astype(np.float32)
        for name, mean in (("vv", 0.1), ("vh", 0.02))
    }
    power["vv"][:, :5], power["vv"][7, 7] = -32768, 0
    shots = [
        Shot(f"S1A_IW_GRDH_1SDV_2023070{day}T101010_rtc", date(2023, 7, day), power, at(10), UTM,
             {"sat:relative_orbit": day})
        for day in (3, 4)
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("radar")
    with served(folder, "sentinel-1-rtc", *shots) as server:
        yield server


RTC: Mapping[str, Any] = {"collection": "sentinel-1-rtc", "host": "planetary-computer"}


class TestRadar(SourceContract):
    """Power in the files, decibels in the composites."""

    @pytest.fixture(autouse=True)
    def _serve(self, radar: StacServer, tmp_path: Path) -> None:
        self.make = lambda: source(radar, tmp_path, **RTC)

    def make_source(self) -> StacSource:
        return self.make()

    def make_grid(self) -> Grid:
        return GRID


class TestRadarWarped(TestRadar):
    """The same across its pixels."""

    def make_grid(self) -> Grid:
        return Grid("EPSG:32720", 20.0)


def test_power_is_kept_in_decibels_and_averaged_before(radar: StacServer, tmp_path: Path) -> None:
    import rasterio

    here = source(radar, tmp_path, **RTC)
    assert here.bands == ("vv", "vh")
    assert here.masking == ""
    look = here.read(here.scenes()[0], ("vv",), GRID, RECT)
    with rasterio.open(next(radar.folder.glob("data/*04T*/vv.tif"))) as file:
        power = file.read(1)[:60, :60]
    assert np.array_equal(look.valid, power > 0)
    decibels = 10 * np.log10(power, where=power > 0, out=np.zeros_like(power))
    assert np.abs(look.pixels[0] / 100 - decibels)[look.valid].max() <= 0.00501
    coarse = here.read(here.scenes()[0], ("vv",), Grid(UTM, 20.0), Rect(-429_500, 17_500, 20, 20))
    four = power[:40, :40].reshape(20, 2, 20, 2).mean(axis=(1, 3))[8:, 8:]
    assert np.abs(coarse.pixels[0, 8:, 8:] / 100 - 10 * np.log10(four)).max() <= 0.00501


def test_radar_that_does_not_say_its_unit_is_refused(radar: StacServer, tmp_path: Path) -> None:
    with pytest.raises(RadiometryError, match="power, amplitude or decibels"):
        source(radar, tmp_path, **{**RTC, "host": "example.org"})


def terrain_shots(*cuts: int) -> list[Shot]:
    """Tiles of a degree grid, side by side, over one tilted and bent plane."""
    to_lonlat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    west, north = to_lonlat.transform(CORNER[0] - 500, CORNER[1] + 500)
    side, shots = 1 / 3600, []
    for first, stop in pairwise(cuts):
        left = west + first * side
        lon, lat = np.meshgrid(west + (np.arange(first, stop) + 0.5) * side,
                               north - (np.arange(120) + 0.5) * side)  # fmt: skip
        x, y = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(lon, lat)
        shots.append(
            Shot(f"Copernicus_DSM_COG_10_{first}_DEM", date(2021, 4, 22),
                 {"elevation": height(x, y).astype(np.float32)},
                 Affine(side, 0, left, 0, -side, north), "EPSG:4326", {}, time="00:00:00Z")
        )  # fmt: skip
    return shots


@pytest.fixture(scope="module")
def terrain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    """Two tiles that meet."""
    folder = tmp_path_factory.mktemp("terrain")
    with served(folder, "cop-dem", *terrain_shots(0, 60, 120)) as server:
        yield server


@pytest.fixture(scope="module")
def whole_terrain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StacServer]:
    """The same ground in one file."""
    folder = tmp_path_factory.mktemp("whole")
    with served(folder, "cop-dem", *terrain_shots(0, 120)) as server:
        yield server


def height(x: Any, y: Any) -> Any:
    """Four thousand metres up, rising 30 % to the east and waving to the north."""
    return 4000 + 0.3 * (x - CORNER[0]) + 40 * np.sin((y - CORNER[1]) / 300)


def heights(server: StacServer, folder: Path) -> TerrainSource:
    found = source(server, folder, collection="cop-dem-glo-30", spans=ANY_TIME)
    return TerrainSource(found, (date(2020, 1, 1), date(2019, 1, 1)))


class TestTerrain(SourceContract):
    """A terrain model has no date, and its slope does not depend on the rectangle."""

    @pytest.fixture(autouse=True)
    def _serve(self, terrain: StacServer, tmp_path: Path) -> None:
        self.make = lambda: heights(terrain, tmp_path)

    def make_source(self) -> Any:
        return self.make()

    def make_grid(self) -> Grid:
        return GRID


def test_slope_is_that_of_the_ground_across_tiles_and_the_same_in_every_period(
    terrain: StacServer, whole_terrain: StacServer, tmp_path: Path
) -> None:
    here, uncut = heights(terrain, tmp_path), heights(whole_terrain, tmp_path / "whole")
    assert [scene.day.year for scene in here.scenes()] == [2019, 2020]
    rect = Rect(-859_000, 35_000, 150, 200)  # the tiles meet in it
    one, other = (here.read(s, here.bands, GRID, rect) for s in here.scenes())
    assert one.valid.all()
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.pixels, uncut.read(uncut.scenes()[0], here.bands, GRID, rect).pixels)
    x, y = np.meshgrid(CORNER[0] + 10 * (np.arange(200) + 0.5),
                       CORNER[1] - 10 * (np.arange(150) + 0.5))  # fmt: skip
    assert np.abs(one.pixels[0] / 4 - height(x, y)).max() < 1
    true = np.degrees(np.arctan(np.hypot(0.3, 40 / 300 * np.cos((y - CORNER[1]) / 300))))
    off = np.abs(one.pixels[1] / 100 - true)
    assert np.median(off) < 0.3
    assert off.max() < 2


def test_slope_by_hand_and_what_is_missing_beside() -> None:
    plane = (np.arange(5) * 4 * 10)[None, :] * np.ones((4, 1))  # ten metres a pixel of ten metres
    valid = np.ones((4, 5), bool)
    steep, known = slope(plane.astype(np.int16), valid, 10.0)
    assert known.all()
    assert set(steep.ravel()) == {4500}
    flat, _ = slope(np.zeros((3, 3), np.int16), np.ones((3, 3), bool), 30.0)
    assert flat.tolist() == [[0]]
    valid[0, 0] = False
    assert slope(plane.astype(np.int16), valid, 10.0)[1].tolist() == [
        [False, True, True], [True, True, True],
    ]  # fmt: skip


def test_terrain_is_only_what_has_elevation(radar: StacServer, tmp_path: Path) -> None:
    with pytest.raises(BandError, match="elevation"):
        TerrainSource(source(radar, tmp_path, **RTC), (DAY,))


def test_embeddings_are_read_by_name_out_of_one_raster(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    layers = rng.integers(-127, 128, (3, 60, 60)).astype(np.int8)
    layers[:, 5, 5] = -128
    shot = Shot("19LCH-2023", date(2023, 1, 1), {"embedding": layers}, at(10), UTM, {})
    with served(tmp_path / "catalog", "embeddings", shot) as server:
        here = source(server, tmp_path, collection="annual-embeddings", spans=YEARS)
        assert here.bands == ("e000", "e001", "e002")
        look = here.read(here.scenes()[0], ("e002", "e000"), GRID, RECT)
    assert not look.valid[5, 5]
    assert look.valid.sum() == 60 * 60 - 1
    wanted = np.rint(layers[[2, 0]] / 128 * 2000)
    assert np.array_equal(look.pixels[:, look.valid], wanted[:, look.valid])
    assert (look.pixels[:, 5, 5] == NODATA).all()


def test_an_embedding_of_a_known_number_of_layers_is_counted() -> None:
    from minetrace.sources.stac_assets import rasters

    asset = {"href": "a.tif", "raster:bands": [{"data_type": "float32"}] * 3}
    bands, mask = rasters({"assets": {"embeddings": asset, "other": asset}}, "")
    assert {name: one.index for name, one in bands.items()} == {"e000": 1, "e001": 2, "e002": 3}
    assert mask is None
