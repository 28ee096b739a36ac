"""Optical scenes and radar on one lattice: stacked by band name, however the map is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from minetrace.core.raster import NODATA
from minetrace.flow.fetch import fetch
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.testing.models import write_unet
from minetrace.testing.results import assert_equal
from minetrace.testing.world import World, world_study

BANDS = ("red", "nir", "vv")


def write_radar(scenes: Path, folder: Path) -> None:
    """Decibels on the pixels of the first scene, on three days of 2019."""
    folder.mkdir()
    with rasterio.open(sorted(scenes.glob("*.tif"))[0]) as source:
        profile = {**source.profile, "count": 1, "dtype": "float32", "nodata": None}
    rng = np.random.default_rng(8)
    for month in (2, 6, 10):
        path = folder / f"s1_2019{month:02d}11.tif"
        with rasterio.open(path, "w", **profile) as target:
            shape = (source.height, source.width)
            target.write(rng.normal(-11, 2, shape).astype(np.float32), 1)
            target.set_band_description(1, "VV")


def test_radar_is_stacked_on_optical_bands(world: World, tmp_path: Path) -> None:
    base = world_study(world, name="stacked")
    write_radar(Path(str(base["sources"][0]["path"])), tmp_path / "radar")
    write_unet(tmp_path / "unet", bands=BANDS, window=64, stride=48, widths=(4, 8, 8, 8))
    settings = {
        **base, "periods": [2019, 2021], "model": {"path": str(tmp_path / "unet")},
        "sources": [*base["sources"], {"path": str(tmp_path / "radar")}],
        "composite": {"method": "mean"},
    }  # fmt: skip
    for name, tile in (("a", 512), ("b", 100)):
        run(Study.of({**settings, "grid": {"tile": tile}}), tmp_path / name, workers=1)
    assert_equal(tmp_path / "a", tmp_path / "b")
    seen = 0
    for path in (tmp_path / "a" / "composites" / "2019").glob("*.tif"):
        with rasterio.open(path) as made:
            assert set(BANDS) < set(made.descriptions)
            assert made.scales[made.descriptions.index("vv")] == 0.01
            layers = dict(zip(made.descriptions, made.read(), strict=True))
        valid = layers["vv"] != NODATA
        assert ((layers["red"] != NODATA) == valid).all()
        if valid.any():
            assert -1300 < np.median(layers["vv"][valid]) < -800
            assert layers["clear_looks"][valid].max() <= 3  # the least of the kinds
        seen += int(valid.sum())
    assert seen
    for path in (tmp_path / "a" / "composites" / "2021").glob("*.tif"):
        with rasterio.open(path) as blind:  # no radar, so nothing can be said
            assert (blind.read(1) == NODATA).all()


def test_what_is_stacked_and_adjusted_is_fetched_as_a_composite_has_it(
    world: World, tmp_path: Path
) -> None:
    base = world_study(world, name="both")
    write_radar(Path(str(base["sources"][0]["path"])), tmp_path / "radar")
    write_unet(
        tmp_path / "unet", bands=("red", "swir16", "vv"), window=64, stride=64, widths=(4, 8, 8, 8)
    )
    settings = {
        **base, "periods": [2019], "model": {"path": str(tmp_path / "unet")},
        "sources": [{**base["sources"][0], "harmonise": "sentinel-2b"},
                    {"path": str(tmp_path / "radar")}],
    }  # fmt: skip
    study = Study.of(settings)
    run(study, tmp_path / "direct", workers=1)
    assert fetch(study, tmp_path / "store").pieces
    assert fetch(study, tmp_path / "store").new == 0
    run(Study.read(tmp_path / "store" / "study.yaml"), tmp_path / "offline", workers=1)
    assert_equal(tmp_path / "direct", tmp_path / "offline")
