"""Sets of chips as they are found: pairs, SmallMinesDS, arrays, Zarr, lists, our own."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr
from odc.geo.geobox import GeoBox, GeoboxTiles

from minetrace.chips.lists import with_lists
from minetrace.chips.manifest import made_reader, read_manifest, write_manifest
from minetrace.chips.names import list_key, understand
from minetrace.chips.open_set import open_data_set
from minetrace.chips.options import SetOptions
from minetrace.chips.pairs import SMALL_MINES
from minetrace.core.data_set import IGNORE
from minetrace.errors import BandError, DataSetError, RadiometryError

RNG = np.random.default_rng(7)


def image(path: Path, bands: int, *, dtype: str = "uint16", nodata: float | None = None,
          place: int | None = None, side: int = 16) -> None:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = RNG.integers(300, 3000, (bands, side, side)).astype(dtype)
    where = {} if place is None else {
        "crs": "EPSG:32630",
        "transform": rasterio.Affine(10, 0, 600_000 + place * 1000, 0, -10, 700_000),
    }  # fmt: skip
    if nodata is not None:
        numbers[:, 0, 0] = nodata
    with rasterio.open(path, "w", driver="GTiff", count=bands, height=side, width=side, dtype=dtype,
                       **where) as file:  # fmt: skip
        file.write(numbers)


def mask(path: Path, *, value: int = 1, ignore: int | None = None, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = np.zeros((1, side, side), np.uint8)
    numbers[0, 4:8, 4:8] = value
    if ignore is not None:
        numbers[0, -1] = ignore
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    with rasterio.open(path, "w", driver=driver, count=1, height=side, width=side,
                       dtype="uint8") as file:  # fmt: skip
        file.write(numbers)


pytestmark = pytest.mark.filterwarnings(
    "ignore::rasterio.errors.NotGeoreferencedWarning"  # chips without a place are the matter here
)


@pytest.fixture
def small_mines(tmp_path: Path) -> Path:
    """The published layout: thirteen bands, year folders, lists that leave a word out."""
    root = tmp_path / "SmallMinesDS"
    for year in (2016, 2022):
        for number in (1, 2, 2016):
            name = f"GH_{number:04d}_{year}.tif"
            image(root / f"{year}/IMAGE/IMG_{name}", 13, dtype="float32", nodata=-9999,
                  place=number)  # fmt: skip
            mask(root / f"{year}/MASK/MASK_{name}", ignore=IGNORE)
    return root


def test_smallminesds_by_name_and_by_its_lists(small_mines: Path, tmp_path: Path) -> None:
    lists = [tmp_path / "2016.csv", tmp_path / "2022.csv"]
    splits = {2016: ("train", "train", "test"), 2022: ("test", "train", "train")}
    for path, (year, line) in zip(lists, splits.items(), strict=True):
        rows = [f"MASK_{n:04d}_{year}.tif,0.0,{s}"
                for n, s in zip((1, 2, 2016), line, strict=True)]  # fmt: skip
        path.write_text("\n".join(["patch_name,class_percentage,split", *rows]))
    data = open_data_set(small_mines, lists=lists)
    assert data.bands == SMALL_MINES.bands
    assert data.splits == {"train": 4, "test": 2}
    assert {c.place for c in data.chips} == {"gh_0001", "gh_0002", "gh_2016"}
    assert {c.period for c in data.chips} == {"2016", "2022"}
    pixels, labels = data.read(data.chips[0])
    assert pixels.shape == (13, 16, 16)
    assert pixels.dtype == np.float32
    assert np.isnan(pixels[:, 0, 0]).all()
    assert 0.03 <= np.nanmin(pixels[0]) <= np.nanmax(pixels[0]) <= 0.3
    assert np.nanmin(pixels[12]) > 100  # metres are metres
    assert labels.dtype == np.uint8
    assert (labels[0, 0], labels[-1, 3], labels[5, 5], labels[1, 1]) == (IGNORE, IGNORE, 1, 0)


@pytest.mark.parametrize(("name", "place", "period"), [
    ("MASK_1125_2016.tif", "1125", "2016"), ("IMG_GH_2016_2022.tif", "gh_2016", "2022"),
    ("100_image.tif", "100", ""), ("img_dir/train/a_7.png", "a_7", ""),
    ("2022/IMAGE/IMG_2016.tif", "2016", "2022"),
])  # fmt: skip
def test_names_say_place_and_year(name: str, place: str, period: str) -> None:
    told = understand(Path(name))
    assert (told.place, told.period) == (place, period)


def test_list_names_fit_file_names() -> None:
    assert list_key("MASK_0007_2016.tif") == list_key("2016/IMAGE/IMG_GH_0007_2016")


def test_folders_for_images_and_annotations(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for name in "ab":
            image(tmp_path / f"img_dir/{split}/{name}.tif", 4)
            mask(tmp_path / f"ann_dir/{split}/{name}.png")
    said = SetOptions(bands=("blue", "green", "red", "nir"), scale=dict.fromkeys(
        ("blue", "green", "red", "nir"), 1e-4))  # fmt: skip
    data = open_data_set(tmp_path, said)
    assert data.splits == {"train": 2, "val": 2}
    assert data.read(data.chips[0])[1].sum() == 16
    with pytest.raises(BandError, match="say them in order"):
        open_data_set(tmp_path)
    with pytest.raises(RadiometryError, match="no reflectance"):
        open_data_set(tmp_path, SetOptions(bands=said.bands))


def test_a_pair_that_does_not_fit_is_named(tmp_path: Path) -> None:
    said = SetOptions(bands=("red",), scale={"red": 1e-4})
    image(tmp_path / "1_image.tif", 1)
    mask(tmp_path / "1_mask.tif")
    image(tmp_path / "2_image.tif", 1)
    with pytest.raises(DataSetError, match=r"2_image.tif: has no mask"):
        open_data_set(tmp_path, said)
    mask(tmp_path / "2_mask.tif", side=12)
    with pytest.raises(DataSetError, match=r"is 16 x 16 pixels and its mask 12 x 12"):
        open_data_set(tmp_path, said)
    assert len(open_data_set(tmp_path, SetOptions(bands=said.bands, scale=said.scale,
                                                  exclude=("2_image",)))) == 1  # fmt: skip


@pytest.mark.parametrize(("other", "what"), [
    ({"descriptions": ("nir", "red")}, "bands"), ({"nodata": -9999}, "nodata"),
    ({"scales": (1e-4, 1e-4)}, "scale"), ({"offsets": (0.0, -0.1)}, "offset"),
])  # fmt: skip
def test_files_whose_numbers_differ_in_meaning_are_refused(
    tmp_path: Path, other: dict[str, object], what: str
) -> None:
    for n, said in ((1, {}), (2, {}), (3, other)):
        image(tmp_path / f"{n}_image.tif", 2, dtype="float32")
        mask(tmp_path / f"{n}_mask.tif")
        with rasterio.open(tmp_path / f"{n}_image.tif", "r+") as file:
            file.write(file.read() / 10_000)
            for key, value in {"descriptions": ("red", "nir"), **said}.items():
                setattr(file, key, value)
    with pytest.raises(DataSetError, match=rf"3_image.tif: its {what} is .*exclude: \[3_image\]"):
        open_data_set(tmp_path)
    assert len(open_data_set(tmp_path, SetOptions(exclude=("3_image",)))) == 2


def test_a_black_first_chip_vouches_for_no_scale(tmp_path: Path) -> None:
    for n, value in ((1, 0), (2, 120)):
        image(tmp_path / f"{n}_image.tif", 1, dtype="uint8")
        mask(tmp_path / f"{n}_mask.tif")
        with rasterio.open(tmp_path / f"{n}_image.tif", "r+") as file:
            file.write(np.full((1, 16, 16), value, np.uint8))
    with pytest.raises(RadiometryError, match=r"2_image.tif: red has a median of 120"):
        open_data_set(tmp_path, SetOptions(bands=("red",)))


def test_255_is_never_silently_a_mine_or_ignorance(tmp_path: Path) -> None:
    image(tmp_path / "1_image.tif", 1)
    mask(tmp_path / "1_mask.tif", value=255)
    scale = {"red": 1e-4}
    with pytest.raises(DataSetError, match=r"values: \{255: 1\}"):
        open_data_set(tmp_path, SetOptions(bands=("red",), scale=scale))
    data = open_data_set(tmp_path, SetOptions(bands=("red",), scale=scale, values={255: 1}))
    assert set(np.unique(data.read(data.chips[0])[1])) == {0, 1}
    mask(tmp_path / "1_mask.tif", value=3)
    with pytest.raises(DataSetError, match="none of the 2 classes"):
        open_data_set(tmp_path, SetOptions(bands=("red",), scale=scale))


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    chips = RNG.uniform(0, 0.4, (5, 8, 8, 3)).astype(np.float32)
    np.savez(path, chips=chips, label=[0, 1, 1, 0, 0], split=["train"] * 3 + ["test"] * 2)
    data = open_data_set(path, SetOptions(bands=("red", "green", "blue")))
    assert data.splits == {"train": 3, "test": 2}
    pixels, labels = data.read(data.chips[1])
    np.testing.assert_array_equal(pixels, chips[1].transpose(2, 0, 1))
    assert (labels == IGNORE).all()  # a mine somewhere in it
    assert (data.read(data.chips[0])[1] == 0).all()
    again = pickle.loads(pickle.dumps(data))  # to a worker
    np.testing.assert_array_equal(again.read(again.chips[1])[0], pixels)


def test_words_and_numbers_of_arrays_are_understood_or_refused(tmp_path: Path) -> None:
    path, said = tmp_path / "a.npz", SetOptions(bands=("red",))
    rows = {"images": RNG.uniform(0, 0.4, (4, 1, 8, 8)), "label": np.array([0, 1, -1, 255])}
    np.savez(path, split=[b"training", b"Validation", b"testing", b""], **rows)
    data = open_data_set(path, said)
    assert [chip.split for chip in data.chips] == ["train", "val", "test", ""]
    assert [chip.label for chip in data.chips] == [0, 1, None, None]
    np.savez(path, split=["train", "train", "train", "holdout"], **rows)
    with pytest.raises(DataSetError, match="row 3: 'holdout' is no split"):
        open_data_set(path, said)
    np.savez(path, **(rows | {"label": np.array([0, 1, 7, 0])}))
    with pytest.raises(DataSetError, match="holds 7, which is none of the 2 classes"):
        open_data_set(path, said)
    known = open_data_set(path, SetOptions(bands=("red",), values={7: 1}))
    assert known.chips[2].label == 1


@pytest.mark.parametrize(("years", "clusters"), [("year", "cluster_id"), ("years", "cluster_ids")])
def test_zarr_group_of_mining_net(tmp_path: Path, years: str, clusters: str) -> None:
    root = tmp_path / "data.zarr"
    group = zarr.open_group(str(root), mode="w")
    features = RNG.uniform(0.01, 0.4, (5, 7, 64, 64)).astype(np.float32)
    features[0, :, 0] = 0.0  # what they write where nothing was seen
    labels = np.zeros((5, 1, 64, 64), np.float32)
    labels[:, :, :32] = 1
    for name, array in (
        ("features", features), ("labels", labels), (years, np.array([2019, 2020, 2019, -1, 0])),
        (clusters, np.array([1, 1, 2, -1, 0])), ("tile_ix", np.array([6841, 6841, 6841, -1, 0])),
        ("tile_iy", np.array([11646, 11646, 11647, -1, 0])),
    ):  # fmt: skip
        group.create_array(name, data=array)
    data = open_data_set(root)
    assert len(data) == 3  # the fourth was never written, the fifth failed
    assert data.bands[3] == "nir08"
    assert data.resolution_m == 30
    assert data.chips[0].place == data.chips[1].place == "6841_11646"
    assert {c.period for c in data.chips} == {"2019", "2020"}
    image, mask = data.read(data.chips[0])
    assert np.isnan(image[:, 0]).all()
    assert (mask == 1).sum() == 31 * 64
    assert (mask[0] == IGNORE).all()
    world = GeoBox.from_bbox((-180, -90, 180, 90), resolution=0.000269495, crs="EPSG:4326")
    tiles = GeoboxTiles(world, (64, 64))
    for chip, column in ((data.chips[0], 11646), (data.chips[2], 11647)):
        assert chip.bounds == pytest.approx(tiles[6841, column].boundingbox.bbox, abs=1e-9)


def test_pickles_are_refused_with_a_way_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.array([{}, {}], dtype=object))
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1]))
    for path in (tmp_path / "a.npz", tmp_path / "list.pkl"):
        with pytest.raises(DataSetError, match=r"np\.savez"):
            open_data_set(path)


def test_a_manifest_says_all_that_a_set_says(small_mines: Path) -> None:
    data = open_data_set(small_mines)
    data = replace(data, reader=made_reader(small_mines, data.bands, data.classes))
    write_manifest(small_mines, data, extra={"size": 16})
    again = read_manifest(small_mines)
    assert again.chips == data.chips
    assert (again.bands, again.classes, again.version) == (data.bands, data.classes, data.version)


def test_other_pixels_or_another_meaning_are_another_version(tmp_path: Path) -> None:
    image(tmp_path / "set/1_image.tif", 1)
    mask(tmp_path / "set/1_mask.tif")
    said = SetOptions(bands=("red",), scale={"red": 1e-4})

    def version(**other: object) -> str:
        return open_data_set(tmp_path / "set", replace(said, **other)).version  # type: ignore[arg-type]

    found = [version(), version(values={1: 0}), version(offset={"red": 0.1}), version(nodata=(7,))]
    mask(tmp_path / "set/1_mask.tif", value=0)
    found.append(version())
    image(tmp_path / "set/1_image.tif", 1)
    found.append(version())
    assert len(set(found)) == len(found)
    assert version() == found[-1]


def test_other_rows_are_another_version(tmp_path: Path) -> None:
    images, masks = RNG.uniform(0, 0.4, (3, 1, 8, 8)), np.zeros((3, 8, 8), np.uint8)
    said, found = SetOptions(bands=("red",)), []
    for one, other in ((images, masks), (images, 1 - masks), (images / 2, masks)):
        np.savez(tmp_path / "a.npz", images=one, masks=other)
        found.append(open_data_set(tmp_path / "a.npz", said).version)
    assert len(set(found)) == 3


def test_lists_that_do_not_fit_are_refused(small_mines: Path, tmp_path: Path) -> None:
    data, path = open_data_set(small_mines), tmp_path / "l.csv"
    path.write_text("name,split\nMASK_0009_2016.tif,train\n")
    with pytest.raises(DataSetError, match="no chip has a name like it"):
        with_lists(data, [path])
    path.write_text("name,split\nMASK_0001_2016.tif,holdout\n")
    with pytest.raises(DataSetError, match="line 2: 'holdout' is no split"):
        with_lists(data, [path])


def test_real_tiles(shared_data: Path) -> None:
    with pytest.raises(DataSetError, match=r"23_image.tif: is 448 x 48 pixels"):
        open_data_set(shared_data / "tailings")


def test_chips_are_read_in_the_unit_of_each_band(tmp_path: Path) -> None:
    """Kelvin and decibels are stored by scales of their own, not as reflectance."""
    reader = made_reader(tmp_path, ("red", "lwir11", "vv", "elevation"), ("other", "mine"))
    assert reader.values.scale == (1e-4, 0.1, 0.01, 0.25)
