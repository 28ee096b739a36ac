"""A region over a meridian: one map, cut at the meridian and united without a gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_bounds

from minetrace.core.footprints import geodesic_hectares
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.outlines import read_table

FOREST = {"blue": 0.03, "green": 0.05, "red": 0.03, "nir": 0.32, "swir16": 0.14, "swir22": 0.06}
BARE = {"blue": 0.16, "green": 0.22, "red": 0.28, "nir": 0.34, "swir16": 0.40, "swir22": 0.34}
WEST, SOUTH, EAST, NORTH = 5.985, 44.99, 6.015, 45.01


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene in degrees with one bare disk of about 500 m radius on the meridian of 6 E."""
    width, height = 300, 280
    lon = np.linspace(WEST, EAST, width)
    lat = np.linspace(NORTH, SOUTH, height)[:, None]
    disk = np.hypot((lon - 6.0005) * 78_850, (lat - 45.0) * 111_130) < 500
    path = tmp_path / "scene_20200601.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=6, dtype="uint16",
        crs="EPSG:4326", transform=from_bounds(WEST, SOUTH, EAST, NORTH, width, height), nodata=0,
    ) as target:  # fmt: skip
        for i, band in enumerate(FOREST, 1):
            target.write(np.where(disk, BARE[band], FOREST[band]) * 10_000, i)
        target.descriptions = tuple(FOREST)
        target.scales = (1e-4,) * 6
    return path


def ask(scene: Path, out: Path, **grid: object) -> shapely.Geometry:
    settings = {
        "name": "meridian", "region": {"bbox": [5.988, 44.992, 6.012, 45.008]}, "periods": [2020],
        "sources": [{"path": str(scene)}], "grid": {"resolution_m": 10, "tile": 128, **grid},
    }  # fmt: skip
    summary = run(Study.of(settings), out)
    assert summary.sites == 1
    assert summary.periods[0].looked_share > 0.999
    (outline,) = read_table(out / "panel.parquet").geometry
    return outline


def test_a_mine_on_the_meridian_is_one_mine_without_a_gap(scene: Path, tmp_path: Path) -> None:
    both = ask(scene, tmp_path / "both")
    one = ask(scene, tmp_path / "one", crs="EPSG:32631")
    assert len(list((tmp_path / "both" / "scores" / "2020").glob("3263?_*.tif"))) > 1
    assert both.geom_type == "Polygon"
    assert len(both.interiors) == 0
    here, there, apart = geodesic_hectares(
        np.array([both, one, shapely.symmetric_difference(both, one)]), "EPSG:4326"
    )
    assert here == pytest.approx(np.pi * 500**2 / 1e4, rel=0.03)
    assert here == pytest.approx(there, rel=0.005)
    assert apart / here < 0.05  # the stairs of two grids, nothing else
