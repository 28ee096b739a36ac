"""Files that cannot be used: one clear sentence each, naming the file and the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from scene_files import BANDS, UTM, ground, with_scl, write_scene

from minetrace.core.grid import Grid, Rect
from minetrace.errors import (
    BandError,
    MinetraceError,
    MissingFileError,
    RadiometryError,
    RasterError,
    ReadFailedError,
    StudyError,
)
from minetrace.sources.dates import DateOptions
from minetrace.sources.files import BandSpec, FileOptions, FileSource
from minetrace.sources.masks import MaskOptions

GRID = Grid(UTM, 10.0)
NAME = "a_20190101.tif"


def refused(kind: type[MinetraceError], options: FileOptions, *words: str) -> None:
    with pytest.raises(kind) as caught:
        FileSource(options)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    refused(MissingFileError, FileOptions(tmp_path / "nowhere"), "nowhere", "no such")
    refused(MissingFileError, FileOptions([tmp_path / "x.tif"]), "x.tif")
    refused(MissingFileError, FileOptions([]), "empty")
    refused(MissingFileError, FileOptions(str(tmp_path / "*.tif")), "*.tif", "pattern")
    refused(MissingFileError, FileOptions(tmp_path), "no GeoTIFF")
    (tmp_path / "deep").mkdir()
    write_scene(tmp_path / "deep" / NAME, ground(), names=BANDS)
    refused(MissingFileError, FileOptions(tmp_path), "**/*.tif")
    assert FileSource(FileOptions(f"{tmp_path}/**/*.tif")).scenes()


def test_what_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"this is no raster")
    refused(RasterError, FileOptions(tmp_path), NAME, "cannot be read as a raster")
    (tmp_path / NAME).write_bytes(b"")
    refused(RasterError, FileOptions(tmp_path), NAME)


@pytest.mark.parametrize("compress", ["none", "zstd"])
@pytest.mark.parametrize("resolution_m", [10.0, 13.0])
def test_a_truncated_raster_fails_when_it_is_read(
    compress: str, resolution_m: float, tmp_path: Path
) -> None:
    path = write_scene(tmp_path / NAME, ground(300, 300), names=BANDS, tiled=True, blockxsize=64,
                       blockysize=64, compress=compress)  # fmt: skip
    source = FileSource(FileOptions(tmp_path))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    grid = Grid(UTM, resolution_m)
    rect = grid.rect((350_000, 8_587_000, 353_000, 8_590_000))
    with pytest.raises(ReadFailedError, match=NAME) as caught:
        source.read(source.scenes()[0], source.bands, grid, rect)
    assert "fetch the file again" in str(caught.value)
    path.unlink()
    with pytest.raises(ReadFailedError, match=NAME):
        source.read(source.scenes()[0], source.bands, grid, rect)


def test_no_place_on_earth(tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground(), names=BANDS, crs=None)
    refused(RasterError, FileOptions(tmp_path), NAME, "CRS", "gdal_edit")
    write_scene(tmp_path / NAME, ground(), names=BANDS, affine=Affine(10, 0, 5e7, 0, -10, 9e9))
    refused(RasterError, FileOptions(tmp_path), NAME, "nowhere on Earth")


def test_no_date(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene.tif", ground(), names=BANDS)
    refused(StudyError, FileOptions(tmp_path), "scene.tif", "sources.date")
    table = DateOptions(csv=tmp_path / "none.csv")
    refused(MissingFileError, FileOptions(tmp_path, date=table), "none.csv", "sources.date.csv")


def test_wrong_band_names(tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground(), names=BANDS)
    bands = {"red": BandSpec("rde"), "blue": BandSpec("blue")}
    refused(BandError, FileOptions(tmp_path, bands=bands), "'rde'", NAME, "did you mean red?")
    refused(BandError, FileOptions(tmp_path, bands={"rad": BandSpec("red")}), "did you mean red?")
    refused(BandError, FileOptions(tmp_path, bands={"red": BandSpec(index=5)}), "4 bands")
    source = FileSource(FileOptions(tmp_path))
    with pytest.raises(BandError, match="did you mean nir"):
        source.read(source.scenes()[0], ("nri",), GRID, Rect(0, 0, 1, 1))


def test_bands_without_names(tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground())
    refused(BandError, FileOptions(tmp_path), NAME, "sources.bands: {red: 1")


def test_band_names_that_mean_two_things(tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground(), names=["B2", "B3", "B4", "B8"])
    refused(BandError, FileOptions(tmp_path), "B8", "Sentinel-2's or Landsat's")
    write_scene(tmp_path / NAME, ground(), names=["red", "B04", "blue", "nir"])
    refused(BandError, FileOptions(tmp_path), "bands 1 and 2 are both red")


def test_two_kinds_of_files_in_one_folder(tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground(), names=BANDS)
    write_scene(tmp_path / "b_20190102.tif", ground(bands=3), names=BANDS[:3])
    refused(BandError, FileOptions(tmp_path), NAME, "b_20190102.tif", "a source of its own")
    shared = {band: BandSpec(band) for band in BANDS[:3]}
    assert len(FileSource(FileOptions(tmp_path, bands=shared)).scenes()) == 2
    write_scene(tmp_path / "b_20190102.tif", with_scl(ground()), names=(*BANDS, "SCL"))
    refused(BandError, FileOptions(tmp_path), "b_20190102.tif", "mask")
    assert FileSource(FileOptions(tmp_path, mask=MaskOptions("none"))).scenes()


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (MaskOptions("scl"), "no mask band 'scl' among blue"),
        (MaskOptions("qa_pixel"), "sources.mask.band"),
        (MaskOptions("band", band="clouds", keep=(0,)), "'clouds'"),
        (MaskOptions("scl", band=9), "cannot be number 9"),
        (MaskOptions("alpha"), "alpha band"),
    ],
)
def test_a_mask_band_that_is_not_there(mask: MaskOptions, says: str, tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground(), names=BANDS)
    refused(BandError, FileOptions(tmp_path, mask=mask), NAME, says)


def test_counts_without_a_meaning(tmp_path: Path) -> None:
    write_scene(tmp_path / NAME, ground(), names=BANDS, scale=None)
    refused(RadiometryError, FileOptions(tmp_path), NAME, "band blue", "0.0001", "0.0000275")
    refused(RadiometryError, FileOptions(tmp_path, offset=-0.1), "an offset alone")
    one = {"blue": BandSpec("blue", scale=1e-4), "red": BandSpec("red")}
    refused(RadiometryError, FileOptions(tmp_path, bands=one), NAME, "band red")


def test_floating_point_counts_are_no_reflectance(tmp_path: Path) -> None:
    counts = ground().astype(np.float32)
    write_scene(tmp_path / NAME, counts, names=BANDS, scale=None)
    refused(RadiometryError, FileOptions(tmp_path), NAME, "band blue", "median")
    assert FileSource(FileOptions(tmp_path, scale=1e-4)).scenes()
    write_scene(tmp_path / NAME, counts / 1e4, names=BANDS, scale=None)
    assert FileSource(FileOptions(tmp_path)).scenes()
