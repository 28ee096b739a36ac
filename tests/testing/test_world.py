"""The small seeded country keeps its promises: seed, truth, events, clouds, radiometry."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from minetrace.core.period import Period
from minetrace.errors import BandError, MissingFileError, StudyError
from minetrace.flow.study import Study
from minetrace.testing.courses import meander, nearness
from minetrace.testing.landscape import make_land
from minetrace.testing.mines import dig
from minetrace.testing.noise import hashed, spectral
from minetrace.testing.reflectance import (
    MATERIALS,
    VEGETATION,
    WATER,
    Mixture,
    blurred,
    endmembers,
)
from minetrace.testing.sky import sun
from minetrace.testing.truth import trace
from minetrace.testing.world import World, make_world, open_world, world_study

CLEAR = (4, 5, 6, 7)

EVENTS = {"appears", "grows", "splits", "merges", "abandoned", "overgrown"}


def scenes(world: World, year: int) -> list[Path]:
    return sorted(world.scenes.glob(f"world_{year}*.tif"))


def reflectance(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Bands as reflectance, NaN where nothing was seen, and the SCL band."""
    with rasterio.open(path) as raster:
        pixels = raster.read()
        scales, offsets = np.array(raster.scales), np.array(raster.offsets)
    bands = pixels[:-1] * scales[:-1, None, None] + offsets[:-1, None, None]
    bands[:, pixels[-1] == 0] = np.nan
    return bands, pixels[-1]


def test_a_seed_is_a_country(world: World, tmp_path: Path) -> None:
    short = {"size_px": 256, "dates_per_year": 3, "years": range(2019, 2021)}
    again = make_world(tmp_path / "same", seed=3, **short)
    other = make_world(tmp_path / "other", seed=4, **short)
    names = [path.name for path in scenes(again, 2019)]
    assert names == [path.name for path in scenes(world, 2019)]
    for path in scenes(again, 2019):
        np.testing.assert_array_equal(_counts(path), _counts(world.scenes / path.name))
    assert not np.array_equal(_counts(scenes(again, 2019)[0]), _counts(scenes(other, 2019)[0]))


def _counts(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        pixels: np.ndarray = raster.read()
    return pixels


def test_a_file_says_what_it_holds(world: World) -> None:
    paths = sorted(world.scenes.iterdir())
    assert len(paths) == 18
    for path in paths:
        with rasterio.open(path) as raster:
            assert raster.descriptions == (
                *["blue", "green", "red", "nir", "swir16", "swir22"],
                "SCL",
            )
            assert raster.dtypes == ("uint16",) * 7
            assert raster.nodata == 0
            assert raster.crs.to_epsg() == 32719
            assert raster.profile["compress"] == "zstd"
            assert raster.block_shapes[0] == (256, 256)
            left, top = raster.transform * (0, 0)
            assert (left % 10, top % 10) == (0, 0)
            day = raster.tags()["ACQUISITION_DATE"]
            assert path.name == f"world_{day.replace('-', '')}.tif"
            assert raster.tags()["TIFFTAG_DATETIME"].startswith(day.replace("-", ":"))
            assert set(raster.scales[:-1]) == {1e-4}
            assert set(raster.offsets[:-1]) == {-0.1 if day >= "2022" else 0.0}
            assert (raster.scales[-1], raster.offsets[-1]) == (1.0, 0.0)


def test_forest_has_the_same_reflectance_before_and_after_the_offset(world: World) -> None:
    """Old forest in nearly clear looks: the counts jump by 1000, the ground does not."""
    truth = _counts(world.truth_raster)

    def forest(year: int) -> tuple[np.ndarray, float]:
        best = max(scenes(world, year), key=lambda p: np.isin(reflectance(p)[1], CLEAR).mean())
        bands, classes = reflectance(best)
        sure = (classes == 4) & (truth == 0).all(axis=0) & (bands[3] > 0.2)
        return np.median(bands[:, sure], axis=1), float(np.median(_counts(best)[3][sure]))

    (before, counts_before), (after, counts_after) = forest(2020), forest(2024)
    np.testing.assert_allclose(after, before, rtol=0.2, atol=0.012)
    assert counts_after - counts_before > 700
    np.testing.assert_allclose(after[3], 0.3, atol=0.06)


def test_nodata_is_nodata_in_all_bands(world: World) -> None:
    shares = []
    for path in sorted(world.scenes.iterdir()):
        counts = _counts(path)
        unseen = counts[-1] == 0
        assert (counts[:, unseen] == 0).all()
        assert (counts[:-1, ~unseen] > 0).all()
        shares.append(unseen.mean())
    assert sum(share > 0.1 for share in shares) == 6  # one date a year lies at the swath's edge


def test_clouds_and_the_blind_year(world: World) -> None:
    for year in world.years:
        classes = np.stack([_counts(path)[-1] for path in scenes(world, year)])
        looked = np.isin(classes, CLEAR).any(axis=0).mean()
        if year == 2022:
            assert 0.005 < looked < 0.08
        else:
            assert looked > 0.6
            covers = [np.isin(c, (8, 9, 10)).sum() / (c > 0).sum() for c in classes]
            assert min(covers) < 0.35
            assert max(covers) > 0.4
            assert {3, 4, 5, 6, 8, 9} <= set(np.unique(classes))


def test_outlines_are_the_raster(world: World) -> None:
    truth = _counts(world.truth_raster)
    mines = world.mines(state=None)
    assert mines.is_valid.all()
    for band, year in zip(truth, world.years, strict=True):
        for state, pixels in (("active", (band > 0) & (band < 10)), ("abandoned", band == 10)):
            rows = mines[(mines["year"] == year) & (mines["state"] == state)]
            drawn = rows.geometry.area.sum() / 1e4
            assert drawn == pytest.approx(pixels.sum() / 100)
            # UTM shrinks or stretches the ground by less than a part in a thousand
            assert rows["area_ha"].sum() == pytest.approx(drawn, rel=1e-3)
    assert not mines.duplicated(["mine_id", "year", "state"]).any()
    parts = gpd.read_file(world.truth, layer="parts").groupby("year")["area_ha"].sum()
    active = mines[mines["state"] == "active"].groupby("year")["area_ha"].sum()
    np.testing.assert_allclose(parts, active, rtol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_every_small_country_has_every_event(seed: int) -> None:
    land = make_land(np.random.default_rng([seed, 1]), 256)
    diggings = dig(np.random.default_rng([seed, 2]), land)
    _, events = trace(diggings, range(2019, 2025))
    assert {event.event for event in events if event.year > 2019} >= EVENTS


def test_events_agree_with_the_outlines(world: World) -> None:
    mines, events = world.mines(state=None), world.events()
    active = mines[mines["state"] == "active"]
    years = active.groupby("mine_id")["year"].agg(["min", "max"])
    first = events[events["event"] == "appears"].set_index("mine_id")["year"]
    assert first.to_dict() == years["min"].to_dict()
    for row in events[events["event"] == "merges"].itertuples():
        for other in map(int, row.others.split(",")):
            assert years.loc[other, "max"] == row.year - 1
            assert other > row.mine_id  # the older id stays
    for row in events[events["event"] == "abandoned"].itertuples():
        left = mines[(mines["mine_id"] == row.mine_id) & (mines["year"] >= row.year)]
        assert set(left["state"]) == {"abandoned"}
    for row in events[events["event"] == "overgrown"].itertuples():
        assert mines[(mines["mine_id"] == row.mine_id) & (mines["year"] >= row.year)].empty


def test_the_region_lies_inside_the_imagery_and_holds_the_mines(world: World) -> None:
    region = gpd.read_file(world.region)
    assert region.crs.to_epsg() == 4326
    assert len(region) == 1
    shape = region.to_crs(32719).geometry[0]
    with rasterio.open(scenes(world, 2019)[0]) as raster:
        left, bottom, right, top = raster.bounds
    x0, y0, x1, y1 = shape.bounds
    assert left < x0
    assert bottom < y0
    assert x1 < right
    assert y1 < top
    assert shape.area < 0.97 * (x1 - x0) * (y1 - y0)
    mines = world.mines()
    assert mines.intersection(shape).area.sum() > 0.9 * mines.area.sum()


def test_bare_ground_finds_most_mines_and_not_only_mines(world: World) -> None:
    """Fields, sandbanks, roads and towns share the mines' brightness: no index is enough."""
    path = max(scenes(world, 2020), key=lambda p: np.isin(reflectance(p)[1], CLEAR).mean())
    (blue, _, red, nir, swir, _), classes = reflectance(path)
    clear = np.isin(classes, CLEAR)
    with np.errstate(invalid="ignore"):
        bare = ((swir + red) - (nir + blue)) / (swir + red + nir + blue) > 0.0
        bare &= (nir - red) / (nir + red) < 0.35
    truth = _counts(world.truth_raster)[1]
    ground = clear & np.isin(truth, (1, 3, 4, 5))
    assert bare[ground].mean() > 0.7
    assert 0.1 < (truth[bare & clear] > 0).mean() < 0.8


def test_a_world_is_found_again_and_makes_a_study(world: World, tmp_path: Path) -> None:
    assert open_world(world.root) == world
    study = Study.of(world_study(world, name="again"))
    assert study.timeline == tuple(Period.year(year) for year in world.years)
    assert json.loads((world.root / "world.json").read_text())["fictional"] is True
    with pytest.raises(MissingFileError, match="make_world"):
        open_world(tmp_path)


def test_what_is_no_world(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no room"):
        make_world(tmp_path, size_px=100)
    with pytest.raises(StudyError, match="follow one another"):
        make_world(tmp_path, size_px=256, years=(2019, 2021))
    with pytest.raises(StudyError, match="dates a year"):
        make_world(tmp_path, size_px=256, dates_per_year=0)
    with pytest.raises(BandError, match="thermal"):
        make_world(tmp_path, size_px=256, bands=("red", "thermal"))
    assert not any(tmp_path.iterdir())


def test_other_bands_other_pixels(tmp_path: Path) -> None:
    world = make_world(
        tmp_path, size_px=300, years=[2023], dates_per_year=1, bands=("red", "nir"), resolution_m=20
    )
    with rasterio.open(scenes(world, 2023)[0]) as raster:
        assert raster.descriptions == ("red", "nir", "SCL")
        assert raster.shape == (300, 300)
        assert raster.res == (20, 20)
        assert raster.transform.c % 20 == 0


def test_mixtures_stay_whole() -> None:
    mixture = Mixture.of("forest", 16)
    cover = np.random.default_rng(1).random((16, 16), dtype=np.float32)
    mixture.paint("sand", cover)
    mixture.paint("river", np.where(cover > 0.95, cover, 0))
    np.testing.assert_allclose(mixture.shares.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(blurred(cover, 0.2).sum(), cover.sum(), rtol=0.05)
    table = endmembers(("red", "nir"), 0.5)
    assert table.shape == (2, len(MATERIALS))
    product = np.tensordot(table, mixture.shares, 1)
    np.testing.assert_allclose(mixture.reflect(table), product, rtol=1e-5)
    assert (table > 0).all()
    assert (table < 0.6).all()
    red, nir = (
        dict(zip(MATERIALS, table[0], strict=True)),
        dict(zip(MATERIALS, table[1], strict=True)),
    )
    assert all(nir[name] > 2 * red[name] for name in VEGETATION)
    assert all(nir[name] < red[name] for name in WATER)


def test_nearest_points_are_nearest() -> None:
    """Of a line that bends as rivers do; only where two bends are equally far may one be missed."""
    course = meander(
        np.random.default_rng(2), (4, 40), (92, 55),
        wavelength_px=40, swing_rad=1.6, width_px=(3, 3),
    )  # fmt: skip
    near = nearness([course], 96)
    at = np.arange(96) + 0.5
    dx, dy = at[None, :, None] - course.xy[:, 0], at[:, None, None] - course.xy[:, 1]
    exact = np.hypot(dx, dy).min(axis=2)
    error = near.distance_px - exact
    assert error.min() > -1e-4
    assert error.max() < 2.5
    assert (error[exact < 8] < 0.01).mean() > 0.98


def test_noise_and_hashes_are_spread_evenly() -> None:
    field = spectral(np.random.default_rng(3), 96, beta=2.0)
    assert field.dtype == np.float32
    assert (abs(field.mean()) < 1e-4, abs(field.std() - 1) < 1e-4) == (True, True)
    draws = hashed(np.arange(20_000), 5)
    np.testing.assert_allclose(np.histogram(draws, 10, (0, 1))[0], 2000, atol=200)


def test_the_sun_stands_where_it_should() -> None:
    """At noon its height follows from latitude and declination; in the morning it is east."""
    south = {"latitude_deg": -12.8, "solar_hour": 12.0}
    np.testing.assert_allclose(sun(date(2021, 6, 21), **south), (53.8, 0.0), atol=0.3)
    np.testing.assert_allclose(sun(date(2021, 12, 21), **south), (79.4, 180.0), atol=0.3)
    morning = sun(date(2021, 3, 20), latitude_deg=0.0, solar_hour=9.0)
    np.testing.assert_allclose(morning, (45.0, 90.0), atol=1.5)
