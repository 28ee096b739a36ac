"""Real scenes, served as a catalog would: the same pixels as the files they were made from."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from shapely.geometry import box
from stac_scenes import source

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import project
from minetrace.sources.files import FileOptions, FileSource
from minetrace.testing.stac_catalog import Shot, write_catalog
from minetrace.testing.stac_server import StacServer

PATH_AND_ROW = {
    "landsat:wrs_type": "2", "landsat:wrs_path": "218", "landsat:wrs_row": "074",
    "landsat:collection_category": "T1", "instruments": ["oli", "tirs"],
}  # fmt: skip
LANDSAT = ("blue", "green", "red", "nir08", "swir16", "swir22")


def _wherever(served: StacServer, year: int) -> dict[str, Any]:
    """All items of a server in a year, anywhere on Earth."""
    return {"url": f"{served.url}/static/catalog.json", "ground": box(-180, -90, 180, 90),
            "spans": ((date(year, 1, 1), date(year + 1, 1, 1)),)}  # fmt: skip


def landsat_shots(folder: Path) -> list[Shot]:
    """The two Landsat scenes, a band a file."""
    shots = []
    for path in sorted(folder.glob("LC08_*.tif")):
        with rasterio.open(path) as file:
            bands = dict(zip(LANDSAT, file.read(), strict=True))
            day = date(int(path.stem[-8:-4]), int(path.stem[-4:-2]), int(path.stem[-2:]))
            shots.append(Shot(f"{path.stem}_20200829_02_T1", day, bands, file.transform,
                              file.crs.to_string(), PATH_AND_ROW, time="12:58:00Z"))  # fmt: skip
    return shots


def test_landsat_from_a_catalog_is_landsat_from_files(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "brumadinho"
    shots = landsat_shots(folder)
    files = FileSource(FileOptions(folder / "LC08_*.tif", scale=2.75e-5, offset=-0.2, nodata=0))
    write_catalog(tmp_path / "catalog", shots, style="landsat", block_px=256)
    ground = files.footprint(files.scenes()[0])
    with StacServer(tmp_path / "catalog") as served:
        here = source(served, tmp_path, collection="landsat-c2-l2", **_wherever(served, 2019))
        assert here.bands == LANDSAT
        assert here.level == "boa"
        assert [scene.id for scene in here.scenes()] == [shot.id for shot in shots]
        for grid in (Grid("EPSG:32623", 30.0, "center"), Grid("EPSG:32723", 20.0)):
            rect = grid.rect(project(ground, "EPSG:4326", grid.crs).bounds)
            for one, other in zip(files.scenes(), here.scenes(), strict=True):
                left, right = (s.read(k, LANDSAT, grid, rect) for s, k in
                               ((files, one), (here, other)))  # fmt: skip
                assert one.day == other.day
                assert left.valid.any()
                assert np.array_equal(left.valid, right.valid)
                assert np.array_equal(left.pixels, right.pixels)


def test_a_safe_served_as_cogs_reads_as_the_safe(shared_data: Path, tmp_path: Path) -> None:
    names = {"red": "B04", "swir16": "B11", "scl": "SCL"}
    product = next((shared_data / "safe").glob("*.SAFE"))
    bands, affine = {}, None
    for name, own in names.items():
        with rasterio.open(next(product.rglob(f"*_{own}_60m.jp2"))) as file:
            bands[name], affine, crs = file.read(1), file.transform, file.crs.to_string()
    assert affine is not None
    shot = Shot(product.stem, date(2022, 10, 5), bands, affine, crs,
                {"grid:code": "MGRS-29UNU", "s2:processing_baseline": "04.00"}, raised=True,
                time="11:54:11Z")  # fmt: skip
    write_catalog(tmp_path / "catalog", [shot], style="planetary-computer")
    files = FileSource(FileOptions(product))
    ground = files.footprint(files.scenes()[0])
    with StacServer(tmp_path / "catalog") as served:
        here = source(
            served, tmp_path, collection="sentinel-2-l2a", host="planetary-computer",
            **_wherever(served, 2022),
        )  # fmt: skip
        grid = Grid("EPSG:32629", 60.0)
        whole = grid.rect(project(ground, "EPSG:4326", grid.crs).bounds)
        rect = Rect(whole.row, whole.col, 700, 700)
        look = here.read(here.scenes()[0], ("red", "swir16"), grid, rect)
        same = files.read(files.scenes()[0], ("red", "swir16"), grid, rect)
        assert np.array_equal(look.valid, same.valid)
        assert np.array_equal(look.pixels, same.pixels)
        by_hand = bands["red"].astype(np.int32) - 1000  # (count - 1000) / 10,000, x 1e4
        seen = look.valid
        assert seen.any()
        assert np.array_equal(look.pixels[0][seen], by_hand[:700, :700][seen])
