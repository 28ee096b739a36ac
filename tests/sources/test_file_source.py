"""Files as a source: the contract on four kinds of files, and what the pixels are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from scene_files import BANDS, CORNER, UTM, degrees_affine, ground, with_scl, write_scene

from minetrace.core.grid import Grid, Rect
from minetrace.sources.files import BandSpec, FileOptions, FileSource
from minetrace.sources.masks import MaskOptions
from minetrace.testing.source_contract import SourceContract

GRID = Grid(UTM, 10.0)
CLOUDS = MaskOptions("scl", dilate_m=45)


def place(height: int = 90, width: int = 110) -> Rect:
    """Where the scenes lie on the grid."""
    row, col = round(-CORNER[1] / 10), round(CORNER[0] / 10)
    return Rect(row, col, height, width)


class _Contract(SourceContract):
    resolution_m = 10.0
    affine: Affine | None = None

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        for number, day in enumerate(("20190214", "20190102", "20200630")):
            pixels = with_scl(ground(seed=number))
            path, names = tmp_path / f"x_{day}.tif", (*BANDS, "SCL")
            crs = "EPSG:4326" if self.affine else UTM
            write_scene(path, pixels, names=names, affine=self.affine, crs=crs)

    def make_source(self) -> FileSource:
        return FileSource(FileOptions(self.folder, mask=CLOUDS))

    def make_grid(self) -> Grid:
        return Grid(UTM, self.resolution_m)


class TestAlignedFiles(_Contract):
    """Pixels that are the grid's."""


class TestFilesInDegrees(_Contract):
    """Pixels that are warped."""

    affine = degrees_affine(90, 110)


class TestFilesOnAFinerGrid(_Contract):
    """20 m bands on a 10 m grid, and the like."""

    resolution_m = 4.0


class TestFilesOnACoarserGrid(_Contract):
    """Pixels that are averaged, across the blocks of the lattice."""

    resolution_m = 25.0


def test_scenes_with_tags_and_descriptions_need_no_option(tmp_path: Path) -> None:
    pixels = with_scl(ground())
    write_scene(tmp_path / "oro_20190214.tif", pixels, names=(*BANDS, "SCL"))
    raised = np.where(pixels[:4] > 0, pixels[:4] + 1000, 0).astype(np.uint16)
    raised = np.concatenate([raised, pixels[4:]])
    write_scene(tmp_path / "oro_20220214.tif", raised, names=(*BANDS, "SCL"), offset=-0.1)
    source = FileSource(FileOptions(tmp_path))
    assert source.bands == BANDS
    assert [scene.day.year for scene in source.scenes()] == [2019, 2022]
    before, after = (source.read(scene, BANDS, GRID, place()) for scene in source.scenes())
    scl = pixels[4]
    clear = np.isin(scl, (2, 4, 5, 6, 7))
    assert source.masking == "SCL, grown by 20 m"
    assert not before.valid[~clear].any()
    far = clear.copy()  # from what is not clear, further than the mask grows
    for rows in range(-2, 3):
        for cols in range(-2, 3):
            far &= np.roll(clear, (rows, cols), axis=(0, 1))
    assert before.valid[3:-3, 3:-3][far[3:-3, 3:-3]].all()
    assert np.array_equal(before.pixels[:, before.valid], pixels[:4, before.valid].astype(np.int16))
    assert np.array_equal(before.pixels, after.pixels)


def test_negative_reflectance_is_kept_and_rounded(tmp_path: Path) -> None:
    pixels = np.array([[[0, 1, 7000, 65535]]], dtype=np.uint16)
    write_scene(tmp_path / "a_20190101.tif", pixels, names=["red"], scale=None)
    source = FileSource(FileOptions(tmp_path, scale=2.75e-5, offset=-0.2))
    look = source.read(source.scenes()[0], ("red",), GRID, place(1, 4))
    expected = [round((count * 2.75e-5 - 0.2) * 1e4) for count in (1, 7000, 65535)]
    assert look.pixels[0, 0, 1:].tolist() == expected
    assert look.valid.tolist() == [[False, True, True, True]]


def test_kelvin_times_ten_for_thermal_bands(tmp_path: Path) -> None:
    pixels = np.full((2, 3, 3), 44_000, dtype=np.uint16)
    write_scene(tmp_path / "a_20190101.tif", pixels, names=["SR_B4", "ST_B10"], scale=None)
    thermal = BandSpec("ST_B10", scale=0.00341802, offset=149.0)
    bands = {"red": BandSpec("SR_B4"), "lwir11": thermal}
    source = FileSource(FileOptions(tmp_path, bands=bands, scale=2.75e-5, offset=-0.2))
    look = source.read(source.scenes()[0], ("lwir11",), GRID, place(3, 3))
    assert (look.pixels == round((44_000 * 0.00341802 + 149) * 10)).all()
    # the scale of reflectance never becomes a temperature
    assert FileSource(FileOptions(tmp_path, scale=2.75e-5, offset=-0.2)).bands == ("red",)


def test_every_asked_band_must_be_seen(tmp_path: Path) -> None:
    pixels = ground(5, 6, 2).astype(np.float32) / 1e4
    pixels[0, 0, 0], pixels[1, 1, 1], pixels[1, 2, 2] = np.nan, np.inf, -9999
    write_scene(tmp_path / "a_20190101.tif", pixels, names=["red", "nir"], scale=None, nodata=-9999)
    source = FileSource(FileOptions(tmp_path))
    both = source.read(source.scenes()[0], ("nir", "red"), GRID, place(5, 6))
    assert [tuple(spot) for spot in np.argwhere(~both.valid)] == [(0, 0), (1, 1), (2, 2)]
    red = source.read(source.scenes()[0], ("red",), GRID, place(5, 6))
    assert [tuple(spot) for spot in np.argwhere(~red.valid)] == [(0, 0)]


def test_alpha_and_the_files_own_mask_count(tmp_path: Path) -> None:
    pixels = ground(6, 7, 3)
    alpha = np.full((6, 7), 255, dtype=np.uint16)
    alpha[2:4] = 0
    path = tmp_path / "a_20190101.tif"
    write_scene(path, np.concatenate([pixels, alpha[None]]),
                names=["red", "green", "blue", None], nodata=None)  # fmt: skip
    with rasterio.open(path, "r+") as target:
        target.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue,
                              ColorInterp.alpha]  # fmt: skip
    (tmp_path / "own").mkdir()
    own = tmp_path / "own" / "a_20190101.tif"
    write_scene(own, pixels, names=["red", "green", "blue"], nodata=None)
    with rasterio.open(own, "r+") as target:
        target.write_mask(alpha.astype(np.uint8))
    for folder in (tmp_path, tmp_path / "own"):
        source = FileSource(FileOptions(folder, mask=MaskOptions("alpha")))
        look = source.read(source.scenes()[0], ("red", "green", "blue"), GRID, place(6, 7))
        assert np.array_equal(look.valid, alpha > 0)


def test_nodata_by_the_users_word(tmp_path: Path) -> None:
    pixels = np.array([[[5, 6, 0]]], dtype=np.uint16)
    write_scene(tmp_path / "a_20190101.tif", pixels, names=["red"], nodata=None)
    source = FileSource(FileOptions(tmp_path, nodata=6))
    look = source.read(source.scenes()[0], ("red",), GRID, place(1, 3))
    assert look.valid.tolist() == [[True, False, True]]


def test_bands_by_the_users_mapping(tmp_path: Path) -> None:
    pixels = ground(4, 4, 3)
    write_scene(tmp_path / "a_20190101.tif", pixels, names=[None, "near infrared", "B04"])
    bands = {"nir": BandSpec("near infrared"), "blue": BandSpec(index=1), "red": BandSpec("red")}
    source = FileSource(FileOptions(tmp_path, bands=bands))
    assert source.bands == ("blue", "nir", "red")
    look = source.read(source.scenes()[0], ("red", "blue"), GRID, place(4, 4))
    assert np.array_equal(look.pixels, pixels[[2, 0]])


def test_sentinel2_names_with_and_without_the_zero(tmp_path: Path) -> None:
    pixels = ground(4, 4, 4)
    for names in (["B04", "B08", "B8A", "B11"], ["B4", "B8", "B8A", "B11"]):
        write_scene(tmp_path / "a_20190101.tif", pixels, names=names)
        assert FileSource(FileOptions(tmp_path)).bands == ("red", "nir", "nir08", "swir16")


def test_a_dilated_mask_is_a_disk_and_spares_the_edge_of_the_data(tmp_path: Path) -> None:
    pixels = ground(41, 41, 1)
    scl = np.full((41, 41), 5, dtype=np.uint16)
    scl[20, 20], scl[5, 5], scl[:, :2] = 8, 2, 0
    names = ["red", "SCL"]
    write_scene(tmp_path / "a_20190101.tif", np.concatenate([pixels, scl[None]]), names=names)
    source = FileSource(FileOptions(tmp_path, mask=MaskOptions("scl", dilate_m=50)))
    look = source.read(source.scenes()[0], ("red",), GRID, place(41, 41))
    y, x = np.mgrid[0:41, 0:41]
    expected = ((y - 20) ** 2 + (x - 20) ** 2 > 25) & (x >= 2)
    assert np.array_equal(look.valid, expected)


def test_a_vrt_and_a_pattern(tmp_path: Path) -> None:
    for position, name in enumerate(("red", "nir")):
        write_scene(tmp_path / f"{name}.tif", ground(seed=position)[:1], names=[name])
    vrt = tmp_path / "stack_20190101.vrt"
    body = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{n}"><Description>{name}</Description>'
        f"<NoDataValue>0</NoDataValue><Scale>0.0001</Scale><SimpleSource>"
        f'<SourceFilename relativeToVRT="1">{name}.tif</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for n, name in enumerate(("red", "nir"), start=1)
    )
    vrt.write_text(
        f'<VRTDataset rasterXSize="110" rasterYSize="90"><SRS>{UTM}</SRS><GeoTransform>'
        f"{CORNER[0]}, 10, 0, {CORNER[1]}, 0, -10</GeoTransform>{body}</VRTDataset>"
    )
    source = FileSource(FileOptions(str(tmp_path / "stack*.vrt")))
    look = source.read(source.scenes()[0], ("nir", "red"), GRID, place())
    assert np.array_equal(look.pixels[0], ground(seed=1)[0])
    parts = {name for name, _, _ in source.signature(source.scenes()[0])["files"]}
    assert parts == {"red.tif", "nir.tif", "stack_20190101.vrt"}


def test_the_signature_follows_bytes_and_radiometry(tmp_path: Path) -> None:
    path = tmp_path / "a_20190101.tif"
    write_scene(path, ground(), names=BANDS)
    first = FileSource(FileOptions(tmp_path))
    before = first.signature(first.scenes()[0])
    other = FileSource(FileOptions(tmp_path, scale=2e-4))
    assert other.signature(other.scenes()[0]) != before
    path.touch()
    again = FileSource(FileOptions(tmp_path))
    assert again.signature(again.scenes()[0]) != before


def test_files_of_one_name_in_two_folders_are_two_scenes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_scene(tmp_path / folder / "x_20190101.tif", ground(), names=BANDS)
    source = FileSource(FileOptions([tmp_path / "a", tmp_path / "b"]))
    assert [scene.id for scene in source.scenes()] == ["a/x_20190101.tif", "b/x_20190101.tif"]


def test_scenes_that_do_not_touch_are_not_opened(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "a_20190101.tif", ground(), names=BANDS)
    source = FileSource(FileOptions(tmp_path))
    path.unlink()
    far = Rect(place().row + 4000, place().col, 10, 10)
    for grid, rect in ((GRID, far), (Grid("EPSG:32718", 10.0), far), (Grid(UTM, 30.0), far)):
        assert not source.read(source.scenes()[0], BANDS, grid, rect).valid.any()


def test_reading_loads_no_other_room() -> None:
    code = "import sys, minetrace.sources.files; print('minetrace.composites' in sys.modules)"
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
