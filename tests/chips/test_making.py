"""Chips made around labels: masks that never claim more than is known, the same after a kill."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import rasterize

from minetrace.chips.manifest import read_manifest
from minetrace.chips.masks import Ground, label_of, paint, shares_of
from minetrace.chips.windows import background, touched
from minetrace.core.data_set import IGNORE
from minetrace.core.footprints import Footprints
from minetrace.core.grid import Grid, Rect, Tile
from minetrace.core.period import Period
from minetrace.core.region import Region, project
from minetrace.errors import DataSetError, LabelError, StudyError
from minetrace.faces.cli import main
from minetrace.flow import chips as making
from minetrace.flow.chip_ground import Sheet, read_study_labels
from minetrace.flow.chips import MadeSet, make_chips
from minetrace.flow.report import Reporter, Silent
from minetrace.flow.study import Study
from minetrace.flow.study_chips import ChipStudy, LabelStudy, SelectStudy
from minetrace.store.outlines import write_footprints
from minetrace.store.run_folder import Key, RunFolder
from minetrace.testing.world import World, world_study

GRID = Grid("EPSG:32719", 10.0)
NONE = np.array([], dtype=object)


def ground(*shapes: shapely.Geometry, outside: int = 0, klass: int = 1) -> Ground:
    return Ground(np.array(shapes, dtype=object), np.full(len(shapes), klass, np.int64), NONE,
                  outside)  # fmt: skip


def box(col: float, row: float, width: float, height: float) -> shapely.Polygon:
    """A box in pixels of a rectangle whose corner is the origin."""
    return shapely.box(col * 10, -(row + height) * 10, (col + width) * 10, -row * 10)


def test_holes_stay_holes_and_edges_are_nobody_s() -> None:
    ring = box(4, 4, 16, 16).difference(box(8, 8, 8, 8))
    mask = paint(ground(ring), GRID, Rect(0, 0, 24, 24))
    assert mask.sum() == 16 * 16 - 8 * 8
    veiled = paint(ground(ring), GRID, Rect(0, 0, 24, 24), ring_m=10)
    assert veiled[12, 12] == 0
    assert veiled[4, 10] == veiled[3, 10] == IGNORE
    assert veiled[6, 6] == 1


def test_all_touched_holds_the_centre_rule() -> None:
    shape = shapely.Point(120, -120).buffer(61)
    rect = Rect(0, 0, 24, 24)
    by_centre = paint(ground(shape), GRID, rect)
    by_touch = paint(ground(shape), GRID, rect, touch="all")
    assert (by_touch >= by_centre).all()
    assert by_touch.sum() > by_centre.sum()


@given(st.integers(-30, 30), st.integers(-30, 30), st.sampled_from([0, IGNORE]))
def test_a_mask_does_not_hang_on_its_frame(row: int, col: int, outside: int) -> None:
    shapes = ground(shapely.Point(37, -81).buffer(173), box(-9, 3, 4, 30), outside=outside)
    whole = paint(shapes, GRID, Rect(-64, -64, 128, 128), ring_m=15)
    rect = Rect(row, col, 24, 24)
    np.testing.assert_array_equal(
        paint(shapes, GRID, rect, ring_m=15), whole[rect.within(Rect(-64, -64, 128, 128))]
    )


def test_what_nobody_knows_is_no_negative() -> None:
    assert label_of({0: 0.9, 1: 0.1}) == 1
    assert label_of({0: 1.0}) == 0
    assert label_of({IGNORE: 1.0}) is None
    assert label_of({0: 0.4, IGNORE: 0.6}) is None
    assert shares_of(np.array([[0, 1], [255, 255]], np.uint8)) == {0: 0.25, 1: 0.25, 255: 0.5}


def test_a_point_adds_a_class_and_takes_none_away() -> None:
    assert label_of({0: 0.75, 1: 0.25}, [0]) == 1
    assert label_of({0: 0.4, IGNORE: 0.6}, [0, 1]) == 1
    assert label_of({0: 0.4, IGNORE: 0.6}, [0]) == 0


def test_background_stays_away_from_labels() -> None:
    tiles = [Tile("32719", row, col, 32) for row in range(6) for col in range(6)]
    labels = list(touched(GRID, np.array([box(70, 70, 10, 10)], dtype=object), 32))
    assert labels == [Tile("32719", 2, 2, 32)]
    far = background(tiles, labels, 10, seed=1)
    assert len(far) == 10
    assert min(max(abs(t.row - 2), abs(t.col - 2)) for t in far) >= 2
    assert background(reversed(tiles), labels, 10, seed=1) == far


def asked(world: World, **chips: Any) -> dict[str, Any]:
    """Two years of the world; 2020 has no labels."""
    mines = {"path": str(world.truth), "layer": "mines", "when": "year", "source": "Oro Manso",
             "licence": "MIT"}  # fmt: skip
    settings = {"size": 32, "background": 0.5, "min_valid_share": 0.1, "bands": ["red", "nir"]}
    return {**world_study(world, name="chips"), "periods": [2019, 2020], "labels": [mines],
            "chips": {**settings, **chips}}  # fmt: skip


@pytest.fixture(scope="module")
def labels_of_2019(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "mines.gpkg"
    mines = gpd.read_file(world.truth, layer="mines")
    mines[mines["year"] == 2019].to_file(path)
    return path


class Heard(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)


def make(settings: dict[str, Any], out: Path, tell: Reporter | None = None) -> MadeSet:
    study = Study.of(json.loads(json.dumps(settings, default=str)))
    assert study.chips is not None
    return make_chips(study, study.labels, study.chips, out, reporter=tell)


@pytest.fixture(scope="module")
def made(world: World, labels_of_2019: Path, tmp_path_factory: pytest.TempPathFactory) -> MadeSet:
    settings = asked(world, png=True)
    us = {"source": "us", "vintage": "2018-07"}
    settings["labels"] = [{"path": str(labels_of_2019), "when": "year", **us}]
    return make(settings, tmp_path_factory.mktemp("made") / "set")


def test_chips_lie_on_the_lattice_with_their_pixels_and_masks(made: MadeSet, world: World) -> None:
    chip = next(c for c in made.data.chips if c.label == 1)
    folder = made.sheet.parent
    with rasterio.open(folder / chip.image) as image, rasterio.open(folder / chip.mask) as mask:
        assert image.transform == mask.transform
        assert image.transform.c % 320 == image.transform.f % 320 == 0
        assert image.descriptions == ("red", "nir")
        truth = gpd.read_file(world.truth, layer="mines")
        truth = truth[truth["year"] == 2019].to_crs(mask.crs).union_all()
        frame = shapely.box(*mask.bounds)
        mined_px = (mask.read(1) == 1).sum()
    assert mined_px == pytest.approx(truth.intersection(frame).area / 100, rel=0.05, abs=8)
    pixels, known = made.data.read(chip)
    assert pixels.shape == (2, 32, 32)
    assert 0 < np.nanmean(pixels) < 0.6
    assert set(np.unique(known)) <= {0, 1, IGNORE}


def test_a_period_without_labels_says_nothing(made: MadeSet) -> None:
    assert made.unlabelled == ("2020",)
    later = [c for c in made.data.chips if c.period == "2020"]
    assert later
    assert {c.kind for c in later} == {"label"}
    assert all(c.shares == {IGNORE: 1.0} and c.label is None for c in later)
    assert any(c.label == 1 for c in made.data.chips if c.period == "2019")
    assert made.kinds["background"] > 0


def test_who_drew_it_on_what_is_kept(made: MadeSet) -> None:
    told = read_manifest(made.sheet.parent).data
    assert told[0] == {"name": "us", "licence": "", "vintage": "2018-07"}


def test_a_chip_names_those_who_drew_in_its_own_year(
    world: World, labels_of_2019: Path, tmp_path: Path
) -> None:
    later = tmp_path / "later.gpkg"
    mines = gpd.read_file(labels_of_2019)
    mines.assign(year=2020).to_file(later)
    settings = asked(world) | {"labels": [
        {"path": str(labels_of_2019), "when": "year", "source": "us"},
        {"path": str(later), "when": "year", "source": "them"},
    ]}  # fmt: skip
    made = make(settings, tmp_path / "set")
    told = {(c.period, c.source) for c in made.data.chips if c.kind == "label"}
    assert told == {("2019", "us"), ("2020", "them")}


def test_pictures_for_those_who_want_png(made: MadeSet) -> None:
    chip, folder = made.data.chips[0], made.sheet.parent
    png = folder / chip.image.replace("images/", "png/").replace(".tif", ".png")
    assert png.is_file()
    assert made.sheet.stat().st_size > 1000


def test_a_kill_changes_nothing(
    world: World, labels_of_2019: Path, made: MadeSet, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings = asked(world, png=True)
    us = {"source": "us", "vintage": "2018-07"}
    settings["labels"] = [{"path": str(labels_of_2019), "when": "year", **us}]
    written = 0
    plain = making.Cut.__call__

    def killed(self: making.Cut, shared: making.Cutting) -> None:
        nonlocal written
        written += 1
        if written == 5:
            raise KeyboardInterrupt
        plain(self, shared)

    with monkeypatch.context() as patch:
        patch.setattr(making.Cut, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            make(settings, tmp_path / "set")
    assert not (tmp_path / "set" / "chips.geojson").exists()
    make(settings, tmp_path / "set")
    one, other = (f / "chips.geojson" for f in (made.sheet.parent, tmp_path / "set"))
    assert one.read_bytes() == other.read_bytes()
    assert read_manifest(tmp_path / "set").version == made.data.version
    with pytest.raises(DataSetError, match="chips of other labels"):
        make({**settings, "chips": {**settings["chips"], "ring_m": 20}}, tmp_path / "set")


def test_false_alarms_of_a_run_become_chips(world: World, tmp_path: Path) -> None:
    truth = gpd.read_file(world.truth, layer="mines").to_crs("EPSG:4326")
    middle = gpd.read_file(world.region).union_all().centroid
    field = max(
        (shapely.affinity.translate(middle, x, y).buffer(2e-4) for x in (-4e-3, 0, 4e-3)
         for y in (-4e-3, 0, 4e-3)), key=truth.union_all().distance,
    )  # fmt: skip
    outlines = np.array([truth.geometry.iloc[0], field], dtype=object)
    seen = Footprints(outlines, "EPSG:4326", "mined", {"score_max": np.array([0.99, 0.7])})
    run = RunFolder(tmp_path / "run")
    path = run.path(Key("footprints", "2019"))
    path.parent.mkdir(parents=True)
    write_footprints(path, seen)
    run.study.write_text("name: run")
    settings = {**asked(world, hard=str(run.root), background=0), "periods": [2019]}
    found = make(settings, tmp_path / "set")
    hard = [c for c in found.data.chips if c.kind == "hard"]
    assert 1 <= len(hard) <= 4
    assert not any(c.label for c in hard)


def test_what_is_not_used_is_unknown_and_never_background(
    world: World, labels_of_2019: Path, tmp_path: Path
) -> None:
    mines = gpd.read_file(labels_of_2019).to_crs("EPSG:4326").geometry
    large = int(mines.to_crs(GRID.crs).area.argmax())
    region = Region.of(gpd.read_file(world.region).to_crs("EPSG:4326").union_all())
    aside = shapely.Point(shapely.get_coordinates(region.geometry)[0]).buffer(0.002)
    gpd.GeoDataFrame(geometry=[aside], crs="EPSG:4326").to_file(tmp_path / "aside.gpkg")
    select = SelectStudy(exclude=(f"mines:{large}",), avoid=tmp_path / "aside.gpkg")
    file = LabelStudy(path=labels_of_2019, when="year")
    reading = read_study_labels([file], ChipStudy(select=select), region, [Period.year(2019)])
    assert f"mines:{large}" not in reading.labels.id
    sheet = Sheet.of(reading, region.geometry, GRID, 0)
    for unused in (mines[large], aside.intersection(region.geometry)):
        inside = project(unused, "EPSG:4326", GRID.crs).buffer(-5)
        rect = GRID.rect(inside.bounds)
        mask = paint(sheet.ground(rect, Period.year(2019), 0), GRID, rect)
        pixels = rasterize([inside], out_shape=rect.shape, transform=GRID.affine(rect))
        assert set(mask[pixels == 1]) == {IGNORE}  # and some there are
    settings = asked(world, background=9, apart=0, select={"exclude": [f"mines:{large}"]})
    settings |= {"periods": [2019], "labels": [{"path": str(labels_of_2019), "when": "year"}]}
    heard = Heard()
    made = make(settings, tmp_path / "set", heard)
    mine = project(mines[large], "EPSG:4326", GRID.crs)
    assert made.kinds["background"] > 0
    assert any("squares of kind background where" in note for note in heard.notes)
    assert not [
        c
        for c in made.data.chips
        if c.kind == "background" and mine.intersects(shapely.box(*c.bounds or ()))
    ]


@pytest.mark.parametrize("changed", ["labels", "region", "run"])
def test_a_folder_is_of_what_was_read_not_of_paths(
    world: World, labels_of_2019: Path, tmp_path: Path, changed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(making, "_cut_all", lambda *_: None)
    monkeypatch.setattr(making, "_finish", lambda *_: None)
    mines = gpd.read_file(labels_of_2019).assign(kind="mine")[["kind", "geometry"]]
    region = gpd.read_file(world.region).to_crs("EPSG:4326")[["geometry"]]
    run, paths = RunFolder(tmp_path / "run"), {"labels": tmp_path / "mines.shp",
                                               "region": tmp_path / "region.geojson"}  # fmt: skip
    paths["run"] = run.path(Key("footprints", "2019"))
    paths["run"].parent.mkdir(parents=True)
    run.study.write_text("name: run")
    mines.to_file(paths["labels"])
    region.to_file(paths["region"])
    everywhere = region.union_all()
    field = everywhere.difference(mines.to_crs("EPSG:4326").union_all())
    far = shapely.get_coordinates(shapely.maximum_inscribed_circle(field))[0]
    alarm = shapely.Point(far).buffer(1e-4)
    write_footprints(paths["run"], Footprints(np.array([alarm]), "EPSG:4326", "mined"))
    settings = asked(world, hard=str(run.root), hard_share=9, background=0) | {
        "periods": [2019], "region": {"file": str(paths["region"])},
        "labels": [{"path": str(paths["labels"]), "category": "kind"}],
    }  # fmt: skip
    make(settings, tmp_path / "set")
    make(settings, tmp_path / "set")
    if changed == "labels":
        mines.assign(kind="other").to_file(paths["labels"])  # in the .dbf alone
    elif changed == "region":
        region.set_geometry([everywhere.buffer(-1e-3)]).to_file(paths["region"])
    else:
        hit = mines.to_crs("EPSG:4326").geometry[0]
        write_footprints(paths["run"], Footprints(np.array([hit]), "EPSG:4326", "mined"))
    with pytest.raises(DataSetError, match="chips of other labels"):
        make(settings, tmp_path / "set")


def test_where_nobody_looked_there_is_no_background(
    world: World, labels_of_2019: Path, tmp_path: Path
) -> None:
    settings = asked(world, outside="ignore", background=9) | {
        "periods": [2019], "labels": [{"path": str(labels_of_2019)}],
    }  # fmt: skip
    made = make(settings, tmp_path / "set")
    assert set(made.kinds) == {"label"}
    assert not any(0 in chip.shares for chip in made.data.chips)
    settings["chips"]["hard"] = str(tmp_path)
    with pytest.raises(StudyError, match="outside: other"):
        make(settings, tmp_path / "set")


def test_labels_without_a_year_are_refused_over_several(world: World, tmp_path: Path) -> None:
    settings = asked(world)
    del settings["labels"][0]["when"]
    with pytest.raises(StudyError, match="when: always"):
        make(settings, tmp_path / "set")


def test_labels_elsewhere_are_refused(world: World, tmp_path: Path) -> None:
    far = gpd.GeoDataFrame({"year": [2019]}, geometry=[shapely.box(5, 5, 6, 6)], crs="EPSG:4326")
    far.to_file(tmp_path / "far.gpkg")
    settings = asked(world)
    settings["labels"] = [{"path": str(tmp_path / "far.gpkg"), "when": "year"}]
    with pytest.raises(LabelError, match="no label is left inside the region"):
        make(settings, tmp_path / "set")


def test_the_audit_on_the_command_line(
    made: MadeSet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    lists = tmp_path / "a.csv"
    lists.write_text("name,split\nMASK_1_2016.tif,train\nMASK_1_2022.tif,test\n")
    for words, code in (([made.sheet.parent, "--out", tmp_path], 0), ([lists], 2)):
        monkeypatch.setattr(sys, "argv", ["minetrace", "audit", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        assert (left.value.code or 0) == code
    told = capsys.readouterr()
    assert "1 of 1 chips of test show a place" in told.out
    assert "allow_leakage" in told.err
    assert (tmp_path / "audit.json").is_file()
