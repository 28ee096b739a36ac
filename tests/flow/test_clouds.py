"""``minetrace clouds compare``: a mask that erases mines is named; weather is not its fault."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import box

from minetrace.errors import StudyError
from minetrace.flow.clouds import compare, judge
from minetrace.flow.study import Study
from terminal import minetrace

SIDE = 60


def test_a_mask_that_always_calls_targets_cloud_erases_them() -> None:
    targets = np.array([True, True, False, False, False])
    seen = np.ones((4, 5), dtype=bool)
    kept = np.ones((4, 5), dtype=bool)
    kept[:, 0] = False  # always rejected
    kept[3] = False  # a cloudy day: everything is
    told = judge(seen, kept, targets, [2019, 2019, 2020, 2020], "x")
    assert (told.days, told.clear_days) == (4, 3)
    assert told.rejected_clear == pytest.approx(0.5)
    assert told.erased == pytest.approx(0.5)
    assert told.by_year == {2019: 0.5, 2020: 0.5}
    assert told.around == pytest.approx(0.25)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_what_keeps_everything_rejects_nothing(days: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.random((days, 7)) < 0.8
    targets = np.arange(7) < 3
    told = judge(seen, seen.copy(), targets, [2020] * days, "none")
    assert told.rejected == told.around == 0.0
    assert told.erased in (None, 0.0)
    none = judge(seen, np.zeros_like(seen), targets, [2020] * days, "all")
    assert none.clear_days == 0


def test_on_files_by_command(tmp_path: Path) -> None:
    place = Affine(10, 0, 350_000, 0, -10, 8_590_000)
    for year in (2019, 2020):
        scl = np.full((SIDE, SIDE), 5, dtype=np.uint16)
        scl[20:30, 20:30] = 8  # the pit is called cloud, each time
        pixels = np.stack([np.full((SIDE, SIDE), 1500, dtype=np.uint16)] * 2 + [scl])
        with rasterio.open(
            tmp_path / f"S2_{year}0704.tif", "w", driver="GTiff", width=SIDE, height=SIDE, count=3,
            dtype="uint16", crs="EPSG:32719", transform=place,
        ) as file:  # fmt: skip
            file.write(pixels)
            file.descriptions = ("B04", "B08", "SCL")
            file.scales = (1e-4, 1e-4, 1.0)
    ground = gpd.GeoSeries([box(350_000, 8_589_400, 350_600, 8_590_000)], crs="EPSG:32719")
    pit = gpd.GeoSeries([box(350_200, 8_589_700, 350_400, 8_589_800)], crs="EPSG:32719")
    ground.to_crs(4326).to_file(tmp_path / "region.geojson")
    pit.to_crs(4326).to_file(tmp_path / "pit.geojson")
    (tmp_path / "study.yaml").write_text(
        "name: pits\nregion: {file: region.geojson}\nperiods: [2019..2020]\n"
        "grid: {crs: 'EPSG:32719'}\nsources: [{path: '*.tif'}]\n"
    )
    done = minetrace(
        "clouds", "compare", tmp_path / "study.yaml", "--targets", tmp_path / "pit.geojson",
        "--mask", "scl", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert (told["mask"], told["days"], told["clear_days"]) == ("scl", 2, 2)
    assert told["rejected_clear"] == pytest.approx(0.5)
    assert told["erased"] == pytest.approx(0.5)
    assert set(told["by_year"]) == {"2019", "2020"}
    words = minetrace(
        "clouds", "compare", tmp_path / "study.yaml", "--targets", tmp_path / "pit.geojson"
    )
    assert "60.0% of their pixels nearly always: erased" in words.stdout  # its own mask is grown
    refused = minetrace(
        "clouds", "compare", tmp_path / "study.yaml", "--targets", tmp_path / "pit.geojson",
        "--mask", "s2cloudless",
    )  # fmt: skip
    assert (refused.returncode, "has no coastal" in refused.stderr) == (2, True)


def test_targets_of_two_zones_are_judged_together(tmp_path: Path) -> None:
    """Pits on both sides of a meridian where zones meet; only the one in the east is erased."""
    edge = -72.0
    for name, west, pit in (("A", edge - 0.012, 5), ("B", edge + 0.002, 8)):
        scl = np.full((SIDE, SIDE), 5, dtype=np.uint16)
        scl[25:35, 25:35] = pit
        x, y = Transformer.from_crs(4326, 32719, always_xy=True).transform(west, -12.8)
        with rasterio.open(
            tmp_path / f"{name}_20190704.tif", "w", driver="GTiff", width=SIDE, height=SIDE,
            count=2, dtype="uint16", crs="EPSG:32719", transform=Affine(10, 0, x, 0, -10, y),
        ) as file:  # fmt: skip
            file.write(np.stack([np.full((SIDE, SIDE), 1500, dtype=np.uint16), scl]))
            file.descriptions = ("B04", "SCL")
            file.scales = (1e-4, 1.0)
    pits = gpd.GeoSeries(
        [box(edge - 0.0095, -12.8031, edge - 0.0087, -12.8023),
         box(edge + 0.0045, -12.8031, edge + 0.0053, -12.8023)], crs="EPSG:4326",
    )  # fmt: skip
    ground = gpd.GeoSeries([box(edge - 0.02, -12.81, edge + 0.02, -12.79)], crs="EPSG:4326")
    ground.to_file(tmp_path / "region.geojson")
    pits.to_file(tmp_path / "pits.geojson")
    study = Study.of(
        {"name": "pits", "region": {"file": "region.geojson"}, "periods": [2019],
         "sources": [{"path": "*.tif"}]}, base=tmp_path,
    )  # fmt: skip
    (told,) = compare(study, tmp_path / "pits.geojson", ["scl"])
    assert (told.days, told.clear_days) == (2, 2)
    assert told.rejected_clear == pytest.approx(0.5, abs=0.1)
    assert told.erased == pytest.approx(0.5, abs=0.1)


def test_a_threshold_where_there_is_none_is_refused() -> None:
    mask = {"kind": "ukis-csmask", "threshold": 0.4}
    with pytest.raises(StudyError, match=r"mask.*threshold: ukis-csmask has none.*s2cloudless"):
        Study.of(
            {"name": "x", "region": {"bbox": [0, 0, 1, 1]}, "periods": [2019],
             "sources": [{"path": "*.tif", "mask": mask}]}
        )  # fmt: skip
