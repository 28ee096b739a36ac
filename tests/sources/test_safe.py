"""Sentinel-2 products: the contract, exact values, names old and new, and what is refused."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA
from minetrace.errors import (
    BandError,
    MinetraceError,
    MissingFileError,
    RadiometryError,
    RasterError,
    ReadFailedError,
    StudyError,
)
from minetrace.sources.bands import BandSpec
from minetrace.sources.files import FileOptions, FileSource
from minetrace.sources.masks import MaskOptions
from minetrace.testing.products import UTM, pack
from minetrace.testing.safe import Safe, write_safe
from minetrace.testing.source_contract import SourceContract

BARE = MaskOptions("none")
OLD = Safe(baseline="02.14", day=date(2019, 6, 1), made="20190601T200000", seed=2)
FEW = frozenset({"B02", "B03", "B05", "B06", "B07", "B8A", "B09", "B12"})
RGBN = ("blue", "green", "red", "nir")


def place(safe: Safe, pixel_m: int) -> tuple[Grid, Rect]:
    side = safe.side_m // pixel_m
    x, y = safe.corner
    return Grid(UTM, pixel_m), Rect(round(-y / pixel_m), round(x / pixel_m), side, side)


def refused(kind: type[MinetraceError], options: FileOptions, *words: str) -> None:
    with pytest.raises(kind) as caught:
        FileSource(options)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


class TestSafeFolders(SourceContract):
    """Two products, one before the offset and one after, of a few bands of each resolution."""

    pixel_m = 10
    packed = False
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folder(cls, tmp_path_factory: Any) -> None:
        made, cls.folder = (tmp_path_factory.mktemp(name) for name in ("made", "used"))
        for safe in (Safe(), OLD):
            root = write_safe(made, replace(safe, leave_out=FEW))
            root = pack(root, "zip") if cls.packed else root
            root.rename(cls.folder / root.name)

    def make_source(self) -> FileSource:
        return FileSource(FileOptions(self.folder))

    def make_grid(self) -> Grid:
        return Grid(UTM, self.pixel_m)


class TestSafeOnACoarseGrid(TestSafeFolders):
    """Every band is resampled."""

    pixel_m = 25


class TestSafeZips(TestSafeFolders):
    """The same, packed."""

    packed = True


@pytest.mark.parametrize("made", ["02.14", "03.01", "04.00", "05.11"])
@pytest.mark.parametrize("level", ["L2A", "L1C"])
def test_every_count_becomes_its_reflectance(made: str, level: str, tmp_path: Path) -> None:
    safe = Safe(level=level, baseline=made)  # type: ignore[arg-type]
    write_safe(tmp_path, safe)
    source = FileSource(FileOptions(tmp_path, mask=BARE))
    assert source.level == ("toa" if level == "L1C" else "boa")
    for pixel_m, bands in ((10, ("B02", "B08")), (20, ("B05", "B8A", "B12")), (60, ("B01", "B09"))):
        grid, rect = place(safe, pixel_m)
        names = {"B02": "blue", "B08": "nir", "B05": "rededge071", "B8A": "nir08",
                 "B12": "swir22", "B01": "coastal", "B09": "nir09"}  # fmt: skip
        look = source.read(source.scenes()[0], [names[b] for b in bands], grid, rect)
        for band, pixels in zip(bands, look.pixels, strict=True):
            if band == "B01" and level == "L2A":
                continue  # there is a finer one
            seen = look.valid
            assert not seen[:, -2:].any()  # no data
            assert not seen[-1, 0]  # saturated
            assert seen.mean() > 0.9
            assert np.array_equal(pixels[seen], safe.truth(band, pixel_m)[seen])
            assert (pixels[seen] < 0).any() == (made >= "04.00")


def test_a_reprocessed_scene_is_the_same_reflectance(tmp_path: Path) -> None:
    """Raised counts and lowered ones: two deliveries of one scene, both above the offset."""
    looks = []
    for made, offset in (("03.01", None), ("05.00", -1000)):
        safe = Safe(baseline=made, offset=offset, seed=5)
        folder = tmp_path / made
        write_safe(folder, safe)
        source = FileSource(FileOptions(folder, mask=BARE))
        looks.append(source.read(source.scenes()[0], RGBN, *place(safe, 10)))
    before, after = looks
    lit = (after.pixels > 1).all(axis=0)  # before, nothing below 1 could be stored
    assert lit.mean() > 0.5
    assert np.array_equal(before.pixels[:, lit], after.pixels[:, lit])


def test_another_quantification_and_offset_are_read_not_assumed(tmp_path: Path) -> None:
    safe = Safe(baseline="05.11", quantification=20_000, offset=-500)
    root = write_safe(tmp_path, safe)
    source = FileSource(FileOptions(root, mask=BARE))
    grid, rect = place(safe, 10)
    look = source.read(source.scenes()[0], ("red",), grid, rect)
    counts = safe.counts("B04", 10).astype(float)
    expected = np.rint((counts - 500) / 20_000 * 10_000)
    assert np.array_equal(look.pixels[0][look.valid], expected[look.valid])


def test_scene_classes_mask_every_resolution(tmp_path: Path) -> None:
    safe = Safe()
    write_safe(tmp_path, safe)
    source = FileSource(FileOptions(tmp_path, mask=MaskOptions("scl")))
    for pixel_m, band in ((10, "red"), (20, "swir16"), (60, "nir09")):
        look = source.read(source.scenes()[0], (band,), *place(safe, pixel_m))
        clear = safe.classes(max(pixel_m, 20)) == 5
        clear = clear.repeat(2, axis=0).repeat(2, axis=1) if pixel_m == 10 else clear
        clear[-1, 0] = False  # saturated
        assert np.array_equal(look.valid, clear)
    assert FileSource(FileOptions(tmp_path)).masking == "SCL, grown by 20 m"


def test_the_cloud_mask_of_level_1c(tmp_path: Path) -> None:
    safe = Safe(level="L1C")
    write_safe(tmp_path, safe)
    source = FileSource(FileOptions(tmp_path, mask=MaskOptions("classi")))
    look = source.read(source.scenes()[0], ("nir09",), *place(safe, 60))
    scl = safe.classes(60)
    clear = (scl == 5) | (scl == 0)
    clear &= safe.counts("B09", 60) != 0
    clear[-1, 0] = False
    assert np.array_equal(look.valid, clear)  # snow, its third band, does not count as cloud
    assert FileSource(FileOptions(tmp_path)).masking == "CLASSI, grown by 60 m"


@pytest.mark.parametrize(
    "safe",
    [
        Safe(style="2017", baseline="02.05", day=date(2017, 7, 1), made="20170701T200000"),
        Safe(style="long", level="L1C", baseline="02.04", day=date(2016, 7, 1)),
        Safe(platform="S2C", baseline="05.11", day=date(2025, 3, 2)),
        Safe(baseline="99.99"),
    ],
    ids=["2017", "long", "S2C", "toolbox"],
)
def test_names_old_and_new(safe: Safe, tmp_path: Path) -> None:
    root = write_safe(tmp_path, safe)
    source = FileSource(FileOptions(tmp_path, mask=BARE))
    (scene,) = source.scenes()
    assert scene.day == safe.day
    assert scene.id == root.name.removesuffix(".SAFE")
    assert {*RGBN, "swir16", "swir22", "nir08"} <= set(source.bands)
    look = source.read(scene, RGBN, *place(safe, 10))
    for band, pixels in zip(("B02", "B03", "B04", "B08"), look.pixels, strict=True):
        assert np.array_equal(pixels[look.valid], safe.truth(band, 10)[look.valid])


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_packed_is_the_same_as_open_and_leaves_nothing_behind(kind: str, tmp_path: Path) -> None:
    root = write_safe(tmp_path, Safe())
    packed = pack(root, kind)
    whole = FileSource(FileOptions(root))
    source = FileSource(FileOptions(packed))
    assert source.bands == whole.bands
    grid, rect = place(Safe(), 10)
    one = whole.read(whole.scenes()[0], whole.bands, grid, rect)
    other = source.read(source.scenes()[0], whole.bands, grid, rect)
    assert np.array_equal(one.pixels, other.pixels)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([root.name, packed.name])


def test_the_metadata_file_names_its_product(tmp_path: Path) -> None:
    root = write_safe(tmp_path, Safe())
    assert FileSource(FileOptions(root / "MTD_MSIL2A.xml")).scenes()
    assert FileSource(FileOptions(f"{tmp_path}/*MSIL2A*")).scenes()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    safe = Safe(leave_out=frozenset({"B11", "B05"}))
    root = write_safe(tmp_path, safe)
    next(root.glob("**/*B04_10m.jp2")).unlink()
    source = FileSource(FileOptions(tmp_path))
    assert source.notes == (
        "found 1 Sentinel-2 L2A product", f"{safe.name}: B05, B11 missing; B04 only at 20 m",
    )  # fmt: skip
    assert "swir16" not in source.bands
    with pytest.raises(BandError, match=r"swir16.*B11 is missing"):
        source.read(source.scenes()[0], ("swir16",), *place(safe, 10))
    refused(BandError, FileOptions(tmp_path, bands={"swir16": BandSpec("B11")}), "B11", "fetch")
    look = source.read(source.scenes()[0], ("red",), *place(safe, 10))
    assert look.valid.any()


def test_a_product_of_60_m_alone(tmp_path: Path) -> None:
    safe = Safe(resolutions=(60,))
    write_safe(tmp_path, safe)
    source = FileSource(FileOptions(tmp_path))
    assert source.resolution_m == 60
    assert source.masking == "SCL, grown by 60 m"
    look = source.read(source.scenes()[0], ("red", "swir16"), *place(safe, 60))
    assert np.array_equal(look.pixels[0][look.valid], safe.truth("B04", 60)[look.valid])


def test_a_scene_counts_once_in_its_newest_processing(tmp_path: Path) -> None:
    first = Safe(baseline="02.14", made="20221005T201112", seed=1)
    again = replace(first, baseline="05.00", made="20240301T101010")
    write_safe(tmp_path, first)
    pack(write_safe(tmp_path, again), "zip")
    source = FileSource(FileOptions(tmp_path))
    assert [scene.id for scene in source.scenes()] == [again.name]
    said = " ".join(source.notes)
    assert f"{first.name} (baseline 02.14) is left out" in said
    assert source.notes[0] == "found 1 Sentinel-2 L2A product"
    assert len(source.notes) == 3  # the older one and the zip of the newer one
    other = replace(first, tile="19LDF")
    write_safe(tmp_path, other)
    assert len(FileSource(FileOptions(tmp_path)).scenes()) == 2


def test_every_granule_of_an_old_product_is_a_scene(tmp_path: Path) -> None:
    safe = Safe(style="long", level="L1C", baseline="02.04", day=date(2016, 7, 1))
    root = write_safe(tmp_path, safe)
    first = next((root / "GRANULE").iterdir())
    shutil.copytree(first, first.with_name(first.name.replace("T19LCF", "T19LDF")))
    scenes = FileSource(FileOptions(tmp_path, mask=BARE)).scenes()
    assert [scene.id for scene in scenes] == [f"{safe.name}_T19LCF", f"{safe.name}_T19LDF"]


def test_copies_that_another_system_leaves_are_no_files(tmp_path: Path) -> None:
    root = write_safe(tmp_path, Safe())
    for file in [*root.glob("*.xml"), *root.glob("**/*_B04_10m.jp2")]:
        file.with_name(f"._{file.name}").write_bytes(b"resource fork")
    for path in (root, pack(root, "zip"), pack(root, "tar")):
        assert "red" in FileSource(FileOptions(path)).bands


def test_levels_do_not_mix(tmp_path: Path) -> None:
    write_safe(tmp_path, Safe())
    write_safe(tmp_path, Safe(level="L1C"))
    refused(RadiometryError, FileOptions(tmp_path), "top of the atmosphere", "surface", "pattern")
    assert FileSource(FileOptions(f"{tmp_path}/*MSIL1C*")).level == "toa"


def test_an_old_cloud_mask_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_safe(tmp_path, Safe(level="L1C", baseline="02.09", gml=True))
    refused(BandError, FileOptions(tmp_path), "GML", "{kind: none}", "Collection 1")
    assert FileSource(FileOptions(tmp_path, mask=BARE)).masking == ""


@pytest.mark.parametrize(
    ("safe", "kind", "words"),
    [
        (Safe(leave_out=frozenset({"SCL"})), BandError, ("SCL", "{kind: none}")),
        (Safe(level="L1C", leave_out=frozenset({"CLASSI"})), BandError, ("MSK_CLASSI_B00.jp2",)),
        (Safe(leave_out=frozenset({"MTD"})), RasterError, ("MTD_MSIL2A.xml", "fetch")),
        (Safe(offset=0), RadiometryError, ("04.00", "no offset", "sources.scale")),
        (Safe(baseline="02.14", offset=-1000), RadiometryError, ("02.14", "-0.1")),
    ],
)
def test_incomplete_products_are_refused(
    safe: Safe, kind: type[MinetraceError], words: tuple[str, ...], tmp_path: Path
) -> None:
    root = write_safe(tmp_path, safe)
    refused(kind, FileOptions(tmp_path), safe.name, *words)
    packed = pack(root, "zip")
    refused(kind, FileOptions(packed), safe.name, *words)


def test_what_the_study_says_comes_first(tmp_path: Path) -> None:
    safe = Safe(offset=0)
    write_safe(tmp_path, safe)
    source = FileSource(FileOptions(tmp_path, scale=1e-4, offset=0.0, mask=BARE))
    look = source.read(source.scenes()[0], ("red",), *place(safe, 10))
    assert np.array_equal(look.pixels[0][look.valid], safe.counts("B04", 10)[look.valid])
    refused(RadiometryError, FileOptions(tmp_path, scale=1e-4), "one without the other")
    refused(StudyError, FileOptions(tmp_path, mask=MaskOptions("qa_pixel")), "scl", "Sentinel-2")
    whole = FileOptions(tmp_path, scale=1e-4, offset=0.0, bands={"red": BandSpec("B04")})
    assert FileSource(whole).bands == ("red",)
    refused(BandError, replace(whole, bands={"nir": BandSpec("B8A")}), "nir", "B08")
    refused(BandError, replace(whole, bands={"nir": BandSpec(index=1)}), "B0")


def test_damaged_products(tmp_path: Path) -> None:
    root = write_safe(tmp_path / "whole", Safe())
    packed = pack(root, "zip")
    packed.write_bytes(packed.read_bytes()[:5000])
    refused(RasterError, FileOptions(packed), packed.name, "cut short")
    (root / "MTD_MSIL2A.xml").write_text("<n1:Level-2A", encoding="utf-8")
    refused(RasterError, FileOptions(root), "MTD_MSIL2A.xml", "no XML")
    other = write_safe(tmp_path / "other", Safe())
    image = next(other.glob("**/*B04_10m.jp2"))
    image.write_bytes(b"")
    refused(RasterError, FileOptions(other), "B04_10m.jp2", "fetch")
    empty = tmp_path / "empty" / root.name
    empty.mkdir(parents=True)
    refused(RasterError, FileOptions(empty), "MTD_MSIL2A.xml")
    refused(MissingFileError, FileOptions(tmp_path / "whole" / "nothing"), "nothing")


def test_an_archive_without_a_product(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.txt").write_text("no imagery", encoding="utf-8")
    packed = pack(tmp_path / "notes", "zip")
    refused(RasterError, FileOptions(packed), "holds no .SAFE product", "MTL")
    write_safe(tmp_path, Safe())
    assert len(FileSource(FileOptions(tmp_path)).scenes()) == 1  # in a folder it is passed over


def test_a_file_that_is_cut_short_fails_when_it_is_read(tmp_path: Path) -> None:
    root = write_safe(tmp_path, Safe())
    packed = pack(root, "tar")
    source = FileSource(FileOptions(packed))
    packed.write_bytes(packed.read_bytes()[:4000])
    with pytest.raises(ReadFailedError, match=rf"_B0\d_10m.jp2 of {re.escape(packed.name)}"):
        source.read(source.scenes()[0], RGBN, *place(Safe(), 10))


def test_the_real_product_by_hand(shared_data: Path) -> None:
    """Values computed here from its metadata, for a quarter of every band that exists."""
    (root,) = (shared_data / "safe").glob("*.SAFE")
    tree = ElementTree.parse(root / "MTD_MSIL2A.xml")
    q = float(next(tree.iter("BOA_QUANTIFICATION_VALUE")).text or "")
    added = {int(e.attrib["band_id"]): float(e.text or "") for e in tree.iter("BOA_ADD_OFFSET")}
    assert (q, set(added.values())) == (10_000, {-1000})
    source = FileSource(FileOptions(root, mask=MaskOptions("scl")))
    own = {"blue": ("B02", 1), "green": ("B03", 2), "red": ("B04", 3), "nir08": ("B8A", 8),
           "swir16": ("B11", 11), "swir22": ("B12", 12)}  # fmt: skip
    assert source.bands == tuple(own)
    assert (source.level, source.resolution_m, source.crs) == ("boa", 60.0, "EPSG:32629")
    assert "B01, B05, B06, B07, B08, B09 missing" in source.notes[1]
    (scene,) = source.scenes()
    assert scene.day == date(2022, 10, 5)
    folder = next(root.glob("GRANULE/*/IMG_DATA/R60m"))
    counts, part = {}, Window(0, 300, 900, 900)
    for band, (name, _) in own.items():
        with rasterio.open(next(folder.glob(f"*_{name}_60m.jp2"))) as raster:
            counts[band] = raster.read(1, window=part).astype(np.float64)
            bounds = rasterio.windows.bounds(part, raster.transform)
    with rasterio.open(next(folder.glob("*_SCL_60m.jp2"))) as raster:
        clear = np.isin(raster.read(1, window=part), (2, 4, 5, 6, 7))
    grid = Grid("EPSG:32629", 60.0)
    look = source.read(scene, source.bands, grid, grid.rect(bounds))
    for values in counts.values():
        clear &= (values != 0) & (values != 65535)
    assert np.array_equal(look.valid, clear)
    assert 0.1 < clear.mean() < 0.5
    for number, (band, (_, band_id)) in enumerate(own.items()):
        expected = np.rint((counts[band] + added[band_id]) / q * 10_000)
        assert np.array_equal(look.pixels[number][clear], expected[clear])
        assert (look.pixels[number][~clear] == NODATA).all()
    assert (look.pixels[:, clear] < 0).any()  # dark water: negatives are kept
