"""Fetched once: a run from the store equals the run from the source; moved and checked."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
import yaml
from shapely import box

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import Coverage, Region
from minetrace.errors import (
    MissingFileError,
    ReadFailedError,
    RunError,
    StudyError,
    TilesFailedError,
)
from minetrace.flow.chips import make_chips
from minetrace.flow.fetch import fetch
from minetrace.flow.pieces import errands_of, pieces_of
from minetrace.flow.plan import Place, plan
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.sources.fetched import FetchedOptions, FetchedSource
from minetrace.store.pixel_store import findings, pack, read_manifest, read_pieces
from minetrace.store.run_folder import RunFolder
from minetrace.store.zarr_cubes import Cube, label, lay_out, read_slot, slot_of, write_slot
from minetrace.testing.results import assert_equal
from minetrace.testing.source_contract import SourceContract
from minetrace.testing.stac_catalog import world_shots, write_catalog
from minetrace.testing.stac_server import Fault, StacServer
from minetrace.testing.world import World, world_study
from terminal import minetrace


@pytest.fixture(scope="module")
def catalog(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shots = [s for s in world_shots(world.scenes) if s.day.year == 2021]
    return write_catalog(tmp_path_factory.mktemp("catalog"), shots, block_px=128)


def asked(world: World, url: str) -> dict[str, Any]:
    source = {
        "kind": "stac", "url": url, "collection": "sentinel-2-c1-l2a",
        "requests": {"backoff_s": 0.01, "longest_wait_s": 0.05, "attempts": 2, "read_s": 2},
    }  # fmt: skip
    return {**world_study(world, name="served"), "periods": [2021], "sources": [source],
            "grid": {"tile": 128}}  # fmt: skip


@pytest.fixture(scope="module", params=["cog", "zarr"])
def store(
    world: World, catalog: Path, direct: Path, tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Path:  # fmt: skip
    """Fetched in two goes: the first time a band of one scene cannot be had."""
    form = request.param
    folder = tmp_path_factory.mktemp("stores") / "gold"
    with StacServer(catalog) as served:
        study = Study.of(asked(world, served.url))
        served.faults = [Fault("status", "/data/.*red", times=4)]
        with pytest.raises(TilesFailedError, match=r"of \d+ pieces could not be fetched"):
            fetch(study, folder, form=form)
        there = len(read_pieces(folder))
        assert there
        done = fetch(study, folder, form=form)
        assert 0 < done.new == done.pieces - there
        served.forget()
        again = fetch(study, folder, form=form)
        assert (again.new, served.seen.of("/data/")) == (0, [])
        other = {"cog": "zarr", "zarr": "cog"}[form]
        with pytest.raises(StudyError, match=f"was begun with --format {form}"):
            fetch(study, folder, form=other)
    return folder


@pytest.fixture(scope="module")
def direct(world: World, catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("direct") / "run"
    with StacServer(catalog) as served:
        run(Study.of(asked(world, served.url)), folder)
    return folder


def test_a_run_from_the_store_equals_the_run_from_the_source(store: Path, direct: Path) -> None:
    run(Study.read(store / "study.yaml"), store.parent / "offline")
    assert_equal(direct, store.parent / "offline")
    text = (store / "study.yaml").read_text()
    assert [one["kind"] for one in yaml.safe_load(text)["sources"]] == ["fetched"]
    assert "127.0.0.1" not in text


class TestContract(SourceContract):
    """Everything that any source promises, from the store."""

    @pytest.fixture(autouse=True)
    def _store(self, store: Path) -> None:
        self.store = store

    def make_source(self) -> FetchedSource:
        return FetchedSource(FetchedOptions(self.store))

    def make_grid(self) -> Grid:
        piece = read_pieces(self.store)[0]
        return Grid(piece.crs, piece.resolution_m)


def test_it_is_moved_packed_and_checked(store: Path, tmp_path: Path) -> None:
    size = pack(store, tmp_path / "gold.zip")
    assert size > read_manifest(store)[1][0].bytes
    with zipfile.ZipFile(tmp_path / "gold.zip") as packed:
        packed.extractall(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "gold"
    one, other = (FetchedSource(FetchedOptions(folder)) for folder in (store, moved))
    assert [one.signature(s) for s in one.scenes()] == [other.signature(s) for s in other.scenes()]
    done = minetrace("fetch", "--check", moved, "--json")
    assert (done.returncode, json.loads(done.stdout)["wrong"]) == (0, [])

    files = sorted(moved / piece.path for piece in read_manifest(moved)[1] if piece.path)
    files[0].write_bytes(files[0].read_bytes()[:-1])
    files[1].unlink()
    (moved / "stray.txt").write_text("?")
    found = {(f.path, f.words) for f in findings(moved)}
    assert found == {
        (files[0].relative_to(moved).as_posix(), "is not what was fetched"),
        (files[1].relative_to(moved).as_posix(), "is missing"),
        ("stray.txt", "belongs to no piece"),
    }
    assert minetrace("fetch", "--check", moved).returncode == 1
    with pytest.raises(MissingFileError, match="minetrace fetch --check"):
        FetchedSource(FetchedOptions(moved))


def test_it_is_packed_as_tar(store: Path, tmp_path: Path) -> None:
    pack(store, tmp_path / "gold.tar")
    with tarfile.open(tmp_path / "gold.tar") as packed:
        packed.extractall(tmp_path, filter="data")
    assert not findings(tmp_path / "gold")
    with pytest.raises(StudyError, match=r"\.zip or a \.tar"):
        pack(store, tmp_path / "gold.7z")


def test_chips_are_cut_from_the_store(world: World, tmp_path: Path) -> None:
    labels = {"path": str(world.truth), "layer": "mines", "when": "year"}
    chips = {"size": 32, "background": 0.2, "bands": ["red", "nir"], "min_valid_share": 0.1}
    study = Study.of({**world_study(world, name="cut"), "periods": [2019], "labels": [labels],
                      "chips": chips})  # fmt: skip
    fetched = fetch(study, tmp_path / "store", reach_m=100, chips=True)
    offline = Study.read(tmp_path / "store" / "study.yaml")
    cut = [
        make_chips(one, one.labels, one.chips, tmp_path / name)
        for one, name in ((study, "direct"), (offline, "offline"))
        if one.chips
    ]
    assert cut[0].kinds == cut[1].kinds
    assert cut[0].kinds["background"]
    assert [c.checksum for c in cut[0].data.chips] == [c.checksum for c in cut[1].data.chips]
    whole = plan(study, RunFolder(tmp_path / "plan"))
    size = sum(e.rect.height * e.rect.width for e in errands_of(whole, 100))
    pieces = read_manifest(tmp_path / "store")[1]
    assert sum(p.rect.height * p.rect.width for p in pieces) < size
    assert fetched.pieces == len(pieces)
    bare = Study.of(world_study(world, name="bare"))
    with pytest.raises(StudyError, match="has no key labels"):
        fetch(bare, tmp_path / "none", chips=True)


def test_what_is_no_store(tmp_path: Path, store: Path) -> None:
    done = minetrace("fetch", "--check", tmp_path)
    assert (done.returncode, "no whole store" in done.stderr) == (2, True)
    assert minetrace("fetch").returncode == 2
    shutil.copy(store / "store.json", tmp_path / "store.json")
    told = json.loads((tmp_path / "store.json").read_text())
    told["pieces"][0]["path"] = "../../etc/passwd"
    (tmp_path / "store.json").write_text(json.dumps(told))
    with pytest.raises(RunError, match="leads out of the store"):
        read_manifest(tmp_path)


def test_the_files_say_what_they_are(store: Path) -> None:
    piece = next(piece for piece in read_manifest(store)[1] if piece.path)
    if piece.path.endswith(".tif"):
        with rasterio.open(store / piece.path) as file:
            assert file.tags()["ACQUISITION_DATE"] == str(piece.day)
            assert np.allclose(file.scales, 1e-4)
            assert all(file.descriptions)
        return
    cube, slot = slot_of(piece.path) or ("", 0)
    with xr.open_zarr(store / cube, consolidated=False, chunks=None) as opened:
        scene = opened["pixels"][slot].load()
    assert scene.dims == ("band", "y", "x")
    assert str(scene["time"].values.astype("datetime64[D]")) == str(piece.day)
    assert str(scene["scene"].values) == piece.scene
    grid = Grid(piece.crs, piece.resolution_m, piece.anchor)
    rect = grid.rect((
        float(scene["x"].min()) - 5, float(scene["y"].min()) - 5,
        float(scene["x"].max()) + 5, float(scene["y"].max()) + 5,
    ))  # fmt: skip
    assert rect.contains(piece.rect)
    source = FetchedSource(FetchedOptions(store))
    look = next(one for one in source.scenes() if one.id == piece.scene)
    raster = source.read(look, list(map(str, scene["band"].values)), grid, rect)
    shown = np.where(raster.valid, raster.pixels * 1e-4, np.nan)
    assert np.allclose(scene.values, shown, equal_nan=True)


def test_a_cube_grows_and_what_is_cut_short_is_told(tmp_path: Path) -> None:
    rect = Rect(10, 20, 300, 40)
    cube = Cube(tmp_path / "one.zarr", ("red", "nir"), Grid("EPSG:32631", 10.0), rect)
    pixels = np.arange(2 * 300 * 40, dtype=np.int16).reshape(2, 300, 40)
    lay_out(cube, 1)
    write_slot(cube, 0, rect, pixels)
    lay_out(cube, 3)
    part = Rect(15, 24, 295, 36)  # of the ground, as the third scene shows it
    path = write_slot(cube, 2, part, pixels[:, 5:, 4:] + np.int16(1))
    label(cube.folder, {0: ("a", date(2021, 1, 2)), 2: ("c", date(2021, 3, 4))})
    window = Rect(260, 25, 20, 30)
    assert (read_slot(cube.folder, 2, [1], rect)[0][:5] == -32768).all()
    nir, red = read_slot(cube.folder, 2, [2, 1], window)
    assert np.array_equal(nir, pixels[1, 250:270, 5:35] + 1)
    assert np.array_equal(red, pixels[0, 250:270, 5:35] + 1)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ReadFailedError, match="cut short"):
        read_slot(cube.folder, 2, [1], window)
    with pytest.raises(ReadFailedError, match="c/1/0/0/0"):
        read_slot(cube.folder, 1, [1], window)
    with xr.open_zarr(cube.folder, consolidated=False, chunks=None) as opened:
        assert opened["scene"].values.tolist() == ["a", "", "c"]
        assert np.isnat(opened["time"].values[1])


def place_of(*parts: Any) -> Place:
    region = Region.of(box(0, 0, 1, 1).intersection(parts[0]) if len(parts) == 1 else
                       parts[0].union(parts[1]), origin="test")  # fmt: skip
    zone = region.zones("EPSG:32631")[0]
    grid = Grid("EPSG:32631", 10.0)
    coverage = Coverage.of(zone, grid)
    return Place(zone, grid, coverage, coverage, (), (), {})


def test_neighbours_are_fetched_as_one_and_others_apart() -> None:
    near, far = box(0.5, 0.5, 0.501, 0.501), box(0.51, 0.5, 0.511, 0.501)
    both = place_of(near, far)
    assert len(pieces_of(both, 5000, 4096, 0)) == 1
    apart = pieces_of(both, 10, 4096, 0)
    assert len(apart) == 2
    assert (apart[0] & apart[1]).empty
    whole = place_of(box(0.1, 0.1, 0.4, 0.4))
    pieces = pieces_of(whole, 2000, 1024, 0)
    assert all(isinstance(one, Rect) and max(one.shape) <= 1024 for one in pieces)
    assert sum(one.height * one.width for one in pieces) >= int(whole.imagery.geometry.area / 100)
