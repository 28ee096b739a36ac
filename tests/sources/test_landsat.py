"""Landsat products: the contract, exact values of every sensor and level, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minetrace.core.grid import Grid, Rect
from minetrace.errors import BandError, MinetraceError, RadiometryError, RasterError
from minetrace.sources.bands import BandSpec
from minetrace.sources.files import FileOptions, FileSource
from minetrace.sources.landsat import parse_mtl
from minetrace.sources.masks import MaskOptions
from minetrace.testing.landsat import Landsat, write_landsat
from minetrace.testing.products import UTM, pack
from minetrace.testing.source_contract import SourceContract

BARE = MaskOptions("none")
GRID = Grid(UTM, 30.0, "center")
OLI = {"B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "nir08", "B6": "swir16",
       "B7": "swir22"}  # fmt: skip
TM = {"B1": "blue", "B2": "green", "B3": "red", "B4": "nir08", "B5": "swir16", "B7": "swir22"}


def place(landsat: Landsat) -> Rect:
    x, y = landsat.corner
    side = landsat.side_px
    return Rect(round((15 - y) / 30), round((x + 15) / 30), side, side)


def refused(kind: type[MinetraceError], options: FileOptions, *words: str) -> None:
    with pytest.raises(kind) as caught:
        FileSource(options)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


class TestLandsatFolders(SourceContract):
    """Two sensors, whose bands differ by one."""

    kind = ""
    grid = GRID
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folder(cls, tmp_path_factory: Any) -> None:
        made, cls.folder = (tmp_path_factory.mktemp(name) for name in ("made", "used"))
        for landsat in (Landsat(level="L2SR"), Landsat(5, level="L2SR", day=date(2005, 6, 1))):
            root = write_landsat(made, landsat)
            root = pack(root, cls.kind, inside=False) if cls.kind else root
            root.rename(cls.folder / root.name)

    def make_source(self) -> FileSource:
        return FileSource(FileOptions(self.folder))

    def make_grid(self) -> Grid:
        return self.grid


class TestLandsatTarballs(TestLandsatFolders):
    """As they are delivered."""

    kind = "tar"


class TestLandsatOnAnotherGrid(TestLandsatFolders):
    """Warped: ten metres, from the edge."""

    kind = "tar.gz"
    grid = Grid(UTM, 10.0)


@pytest.mark.parametrize("spacecraft", [5, 7, 8, 9])
def test_level_2_of_every_sensor(spacecraft: int, tmp_path: Path) -> None:
    landsat = Landsat(spacecraft)
    write_landsat(tmp_path, landsat)
    source = FileSource(FileOptions(tmp_path, mask=BARE))
    names, heat = (OLI, ("ST_B10", "lwir11")) if spacecraft >= 8 else (TM, ("ST_B6", "lwir"))
    assert set(source.bands) == {*names.values(), heat[1]}
    assert source.level == "boa"
    (scene,) = source.scenes()
    assert (scene.id, scene.day) == (landsat.name, date(2019, 8, 14))
    look = source.read(scene, [*names.values(), heat[1]], GRID, place(landsat))
    assert np.array_equal(look.valid, landsat.counts("SR_B2") != 0)
    for number, band in enumerate(names):
        counts = landsat.counts(f"SR_{band}").astype(np.float64)
        expected = np.rint((counts * 2.75e-5 - 0.2) * 1e4)
        assert np.array_equal(look.pixels[number][look.valid], expected[look.valid])
        assert expected[look.valid].min() < 100
    kelvin = np.rint((landsat.counts(heat[0]).astype(np.float64) * 0.00341802 + 149) * 10)
    assert np.array_equal(look.pixels[-1][look.valid], kelvin[look.valid])


@pytest.mark.parametrize("spacecraft", [5, 8])
def test_level_1_is_reflectance_for_the_suns_height(spacecraft: int, tmp_path: Path) -> None:
    landsat = Landsat(spacecraft, level="L1TP", sun_elevation=30.0)
    write_landsat(tmp_path, landsat)
    source = FileSource(FileOptions(tmp_path, mask=BARE))
    names = OLI if spacecraft >= 8 else TM
    assert source.bands == tuple(names.values())  # neither radiance nor the panchromatic band
    assert (source.level, source.resolution_m) == ("toa", 30.0)
    look = source.read(source.scenes()[0], ("red",), GRID, place(landsat))
    own = next(band for band, name in names.items() if name == "red")
    counts = landsat.counts(own).astype(np.float64)
    expected = np.rint((counts * 2e-5 - 0.1) / math.sin(math.radians(30)) * 1e4)
    assert np.array_equal(look.pixels[0][look.valid], expected[look.valid])


def test_the_panchromatic_band_is_read_when_it_is_named(tmp_path: Path) -> None:
    write_landsat(tmp_path, Landsat(level="L1TP"))
    bands = {"pan": BandSpec("B8"), "red": BandSpec()}
    source = FileSource(FileOptions(tmp_path, bands=bands))
    assert set(source.bands) == {"red", "pan"}
    assert source.resolution_m == 15.0
    look = source.read(source.scenes()[0], ("red", "pan"), GRID, place(Landsat()))
    assert look.valid.any()


def test_quality_bits_mask_clouds(tmp_path: Path) -> None:
    landsat = Landsat()
    write_landsat(tmp_path, landsat)
    source = FileSource(FileOptions(tmp_path, mask=MaskOptions("qa_pixel")))
    look = source.read(source.scenes()[0], ("red",), GRID, place(landsat))
    assert np.array_equal(look.valid, landsat.quality() == 21824)
    assert FileSource(FileOptions(tmp_path)).masking == "QA_PIXEL, grown by 30 m"


def test_files_of_several_products_in_one_folder(tmp_path: Path) -> None:
    made, flat = tmp_path / "made", tmp_path / "flat"
    flat.mkdir()
    for landsat in (Landsat(), Landsat(9, day=date(2022, 8, 1)), Landsat(row=69)):
        for file in write_landsat(made, landsat).iterdir():
            file.rename(flat / file.name)
    source = FileSource(FileOptions(flat))
    assert [scene.id.split("_")[0] for scene in source.scenes()] == ["LC08", "LC08", "LC09"]
    assert source.notes == ("found 3 Landsat L2 products",)
    one = FileSource(FileOptions(next(flat.glob("LC09*_MTL.txt"))))
    assert [scene.day.year for scene in one.scenes()] == [2022]


def test_a_scene_counts_once_in_its_newest_processing(tmp_path: Path) -> None:
    first = Landsat(tier="RT", processed="20190815")
    again = replace(first, tier="T1", processed="20190820")
    last = replace(first, tier="T1", processed="20200827")
    for landsat in (again, last, first):
        write_landsat(tmp_path, landsat)
    source = FileSource(FileOptions(tmp_path))
    assert [scene.id for scene in source.scenes()] == [last.name]
    assert sum("is left out" in note for note in source.notes) == 2


def test_bands_that_not_every_product_has(tmp_path: Path) -> None:
    write_landsat(tmp_path, Landsat(leave_out=frozenset({"SR_B6"})))
    write_landsat(tmp_path, Landsat(9, day=date(2022, 8, 1)))
    source = FileSource(FileOptions(tmp_path))
    assert "swir16" not in source.bands
    assert f"{Landsat().name}: SR_B6 missing" in source.notes
    with pytest.raises(BandError, match=f"swir16 in {Landsat().name}.*SR_B6 is missing"):
        source.read(source.scenes()[0], ("swir16",), GRID, place(Landsat()))


def test_what_cannot_be_used(tmp_path: Path) -> None:
    root = write_landsat(tmp_path, Landsat(leave_out=frozenset({"QA_PIXEL"})))
    refused(BandError, FileOptions(root), "QA_PIXEL.TIF", "{kind: none}")
    assert FileSource(FileOptions(root, mask=BARE)).bands
    mtl = next(root.glob("*_MTL.txt"))
    text = mtl.read_text(encoding="utf-8")
    mtl.write_text(text.replace("2.750000E-05", "1.000000E-04"), encoding="utf-8")
    refused(RadiometryError, FileOptions(root, mask=BARE), Landsat().name, "0.0001", "2.75e-05")
    mtl.write_text(text.replace("2019-08-14", "soon"), encoding="utf-8")
    refused(RasterError, FileOptions(root, mask=BARE), "'soon'", "fetch")
    mtl.write_text(text[:60], encoding="utf-8")
    refused(RasterError, FileOptions(root, mask=BARE), "_MTL.txt", "Collection 2")


def test_groups_of_an_mtl_file_are_kept_apart() -> None:
    groups = parse_mtl(
        'GROUP = A\n  GROUP = B\n    X = "1 = 2"\n    X = 3\n  END_GROUP = B\n'
        "  X = 4\nEND_GROUP = A\nEND"
    )
    assert groups == {"B": {"X": "1 = 2"}, "A": {"X": "4"}}
