"""Every chip is tested once, by a model that never saw its ground."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from minetrace.chips.folds import block_folds, listed_folds, region_folds
from minetrace.chips.lists import read_folds
from minetrace.chips.manifest import read_manifest, write_manifest
from minetrace.chips.raster_files import RasterChips
from minetrace.chips.values import Values
from minetrace.core.data_set import Chip, DataSet
from minetrace.core.grid import Grid, Tile
from minetrace.core.raster import NODATA
from minetrace.errors import DataSetError
from minetrace.store.cog import write_cog
from terminal import minetrace

BANDS = ("blue", "green", "red")
GRID = Grid("EPSG:32630", 10.0)


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve chips along a line through two countries, each with one bright square."""
    folder, rng = tmp_path_factory.mktemp("set"), np.random.default_rng(2)
    made = []
    for n in range(12):
        tile = Tile(GRID.zone, 1000, 500 + 5 * n, 64)
        pixels = rng.normal(1000, 100, (3, 64, 64))
        mask = np.zeros((1, 64, 64), np.uint8)
        row, col = 4 + 12 * (n % 4), 4 + 13 * (n // 4)
        mask[0, row : row + 20, col : col + 20] = 1
        pixels[:, mask[0] == 1] += 1500
        for kind, values, nodata in (("i", pixels.astype(np.int16), NODATA), ("m", mask, 255)):
            names = BANDS if kind == "i" else ("class",)
            write_cog(folder / f"{kind}{n}.tif", values, GRID, tile.rect, names=names,
                      nodata=nodata)  # fmt: skip
        made.append(Chip(
            name=f"c{n}", image=f"i{n}.tif", mask=f"m{n}.tif", place=tile.id, crs=GRID.crs,
            bounds=GRID.bounds(tile.rect), region="GHA" if n < 6 else "CIV",
        ))  # fmt: skip
    reader = RasterChips(folder, Values((1e-4,) * 3, (0.0,) * 3, (NODATA,)), 2)
    write_manifest(folder, DataSet("line", tuple(made), BANDS, ("other", "mine"), reader, 10.0))
    return folder


def test_folds_test_every_chip_once(chips: Path) -> None:
    data = read_manifest(chips)
    for folds in (block_folds(data, 3, block_km=4), region_folds(data)):
        tested = [c.name for fold in folds for c in fold.data.split("test").chips]
        assert sorted(tested) == sorted(c.name for c in data.chips)
        assert all({"train", "val", "test"} <= fold.data.splits.keys() for fold in folds)
    with pytest.raises(DataSetError, match="fewer than 3"):
        block_folds(data, 2, block_km=4)
    with pytest.raises(DataSetError, match="leaving one region out needs two"):
        region_folds(data.where(c for c in data.chips if c.region == "GHA"))


def test_folds_by_a_list_leave_out_what_it_does_not_name(chips: Path, tmp_path: Path) -> None:
    data = read_manifest(chips)
    rows = "".join(f"c{n},{n % 3}\n" for n in range(11))
    (tmp_path / "folds.csv").write_text("name,fold\n" + rows)
    listed = read_folds(tmp_path / "folds.csv")
    folds = listed_folds(data, listed)
    assert [fold.name for fold in folds] == ["fold0", "fold1", "fold2"]
    tested = [c.name for fold in folds for c in fold.data.split("test").chips]
    assert sorted(tested) == sorted(f"c{n}" for n in range(11))
    assert {c.name for c in folds[0].data.split("val").chips} == {"c1", "c4", "c7", "c10"}
    alone = listed_folds(data, listed, validate=False)[0].data
    assert alone.splits == {"test": 4, "train": 7, "": 1}
    with pytest.raises(DataSetError, match="at least 3 are needed"):
        listed_folds(data, {"c1": "a", "c2": "b", "elsewhere": "c"})
    (tmp_path / "split.csv").write_text("name,split\nc1,train\n")
    with pytest.raises(DataSetError, match="a list of folds has a name"):
        read_folds(tmp_path / "split.csv")


def test_a_recipe_is_judged_on_regions_that_it_never_saw(chips: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")
    from typer.testing import CliRunner

    from minetrace.faces.cli import app

    study = {
        "name": "squares", "data": {"path": str(chips)}, "network": {"width": 8, "depth": 2},
        "fit": {"window": 32, "batch": 4, "steps": 16, "every": 8, "rate": 0.01, "memory": 0.7},
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(json.dumps(study))
    words = ["crossval", tmp_path / "study.yaml", "--by", "regions", "--block-km", 4,
             "--out", tmp_path / "out", "--quiet", "--threads", 1]  # fmt: skip
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    pixels = told["figures"]["pixels"]
    assert pixels["chips"] == 12
    assert pixels["figures"]["IoU"]["value"] > 0.5
    assert set(told["matrix"]) == set(told["matrix"]["GHA"]) == {"GHA", "CIV"}
    assert "trained without" in (tmp_path / "out" / "evaluation.html").read_text()


def test_a_list_and_its_file_go_together(chips: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(json.dumps({"name": "x", "data": {"path": str(chips)}}))
    done = minetrace("crossval", tmp_path / "study.yaml", "--by", "list")
    assert done.returncode == 2
    assert "give both" in done.stderr
