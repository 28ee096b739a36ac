"""Real imagery: Landsat on its own pixels, Sentinel-2 in degrees, mosaics without a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from minetrace.composites.methods import begin
from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.sources.dates import DateOptions
from minetrace.sources.files import FileOptions, FileSource
from minetrace.sources.masks import MaskOptions


def around(source: FileSource, grid: Grid) -> Rect:
    ground = project(source.footprint(source.scenes()[0]), "EPSG:4326", grid.crs)
    return grid.rect(ground.bounds)


def test_landsat_is_not_resampled_on_a_centred_grid(shared_data: Path) -> None:
    options = FileOptions(shared_data / "brumadinho", scale=2.75e-5, offset=-0.2)
    source = FileSource(options)
    assert source.bands == ("blue", "green", "red", "nir08", "swir16", "swir22")
    grid = Grid("EPSG:32623", 30.0, "center")
    for scene in source.scenes():
        with rasterio.open(shared_data / "brumadinho" / scene.id) as raster:
            counts = raster.read()
            rect = grid.rect(raster.bounds)
        assert rect.shape == counts.shape[1:]
        look = source.read(scene, source.bands, grid, rect)
        seen = (counts != 0).all(axis=0)
        assert np.array_equal(look.valid, seen)
        expected = np.clip(np.rint((counts * 2.75e-5 - 0.2) * 1e4), -32767, 32767)
        assert np.array_equal(look.pixels[:, seen], expected[:, seen])


def test_cloudy_years_become_clear_pictures(shared_data: Path) -> None:
    mask = MaskOptions("scl", dilate_m=20)
    path = shared_data / "mine-leases" / "site_1"
    source = FileSource(FileOptions(path, scale=1e-4, offset=0.0, mask=mask))
    assert len(source.scenes()) == 107
    grid = Grid("EPSG:32644", 10.0)
    rect = around(source, grid)
    looks, pixels = {}, {}
    for year in (2019, 2020, 2021, 2023, 2024):
        period, composer = Period.year(year), begin("median", 2)
        for scene in source.scenes():
            if scene.day in period:
                look = source.read(scene, source.bands, grid, rect)
                composer.feed((scene.day - period.start).days, look)
        made = composer.result(source.bands, grid.geobox(rect))
        looks[year], pixels[year] = made.clear_looks, made
    assert not pixels[2021].valid.any()
    lease = looks[2020] > 0
    for year, least, middle in ((2019, 12, 14), (2020, 20, 25), (2023, 12, 17), (2024, 10, 13)):
        assert looks[year][lease].min() >= least
        assert np.median(looks[year][lease]) == middle
        blue = pixels[year].pixels[0][pixels[year].valid]
        assert 400 < np.median(blue) < 750  # no haze is left
        assert np.percentile(blue, 99) < 1500


def test_mosaics_with_tags_need_only_a_date(shared_data: Path) -> None:
    table = Path(__file__).parents[2] / "studies" / "tailings" / "dates.csv"
    paths = [shared_data / "tailings" / f"{n}_image.tif" for n in (1, 11)]
    source = FileSource(FileOptions(paths, date=DateOptions(csv=table)))
    assert source.bands == ("blue", "green", "red")
    assert 9 < source.resolution_m < 10
    grid = Grid("EPSG:32723", 10.0)
    first = next(scene for scene in source.scenes() if scene.id == "1_image.tif")
    ground = project(source.footprint(first), "EPSG:4326", grid.crs)
    rect = grid.rect(ground.bounds)
    look = source.read(first, source.bands, grid, rect)
    assert look.valid.mean() > 0.9
    assert 200 < np.median(look.pixels[:, look.valid]) < 3000
