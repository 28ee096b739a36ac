"""Embeddings: of chips as a table, of a run as rasters that do not depend on how it was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch

import minetrace as mt
from minetrace.errors import RunError
from minetrace.flow import steps
from minetrace.flow.embed import Describer, Describing
from minetrace.flow.study import Study
from minetrace.testing.chips import write_square_chips
from minetrace.testing.world import World, world_study
from terminal import minetrace

VIT = "timm/vit_tiny_patch16_224"
WORDS = ("--backbone", VIT, "--bands", "B02,B03,B04", "--window", "32", "--scaling", "clipped")


@pytest.fixture(scope="module")
def weights(vision: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    timm = pytest.importorskip("timm", reason="timm is absent: install minetrace[foundation]")
    torch.manual_seed(2)
    net = timm.create_model("vit_tiny_patch16_224", in_chans=3, img_size=32, num_classes=0)
    path = tmp_path_factory.mktemp("weights") / "vit.pth"
    torch.save(net.state_dict(), path)
    return path


def test_chips_become_a_table(weights: Path, tmp_path: Path) -> None:
    chips = write_square_chips(tmp_path / "chips.npz", count=3)
    words = ("embed", "chips.yaml", *WORDS, "--checkpoint", weights)
    (tmp_path / "chips.yaml").write_text(
        f"path: {chips}\nbands: [blue, green, red]\nresolution_m: 10\n"
    )
    done = minetrace(*words, "--out", "found", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(tmp_path / "found" / "embeddings.parquet")
    # 64 px are four windows of 2 x 2 patches; one corner of one chip was not seen
    assert len(table) == 3 * 16
    assert {len(row) for row in table["embedding"]} == {192}
    assert set(table["label"].dropna()) == {0, 1}
    assert set(table["split"]) == {"train", "test"}
    whole = minetrace(*words, "--tokens", "class", "--out", "whole", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    assert len(pd.read_parquet(tmp_path / "whole" / "embeddings.parquet")) == 3 * 4


def test_a_run_becomes_rasters_on_the_lattice(
    weights: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise RunError("stopped when its composites were there")

    monkeypatch.setattr(steps._Walk, "scores", stop)
    study = Study.of({**world_study(world, name="cut"), "periods": [2020]})
    with pytest.raises(RunError, match="stopped"):
        steps.run(study, tmp_path / "run", workers=1)
    words = ("embed", "run", *WORDS, "--checkpoint", weights)
    done = minetrace(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "run-embeddings").glob("2020/*.tif"))
    assert files
    run = mt.open_run(tmp_path / "run")
    seen = run.composite("2020")[["blue", "green", "red"]]
    describer = Describer.of(
        Describing(VIT, ("blue", "green", "red"), 32, weights, False, "clipped")
    )
    for path in files:
        with rasterio.open(path) as file:
            assert file.descriptions[:2] == ("e000", "e001")
            assert file.res == (160.0, 160.0)
            found, (left, _, _, top) = file.read(), file.bounds
        x, y = left + 10 * (np.arange(32) + 0.5), top - 10 * (np.arange(32) + 0.5)
        window = seen.reindex(x=x, y=y, method="nearest", tolerance=1).to_array().values
        np.testing.assert_array_equal(found[:, :2, :2], describer(window.astype("float32")))
    made = {path: path.stat().st_mtime_ns for path in files}
    assert minetrace(*words, cwd=tmp_path).returncode == 0
    assert made == {path: path.stat().st_mtime_ns for path in files}
    sidecar = next((tmp_path / "run" / "composites" / "2020").glob("*.json"))
    sidecar.write_text(sidecar.read_text() + "\n")  # as if the composite had been made anew
    assert minetrace(*words, cwd=tmp_path).returncode == 0
    assert all(path.stat().st_mtime_ns > made[path] for path in files)
    again = minetrace(*words, "--tokens", "class", cwd=tmp_path)
    assert again.returncode == 2
    assert "made otherwise" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--scaling", "dn300"), "no recipe 'dn300'"), (("--backbone", "vit"), "no backbone is"),
     (("--bands", "B02,B03,B11"), "no band swir16"), (("--scaling", "prithvi"), "")],
)  # fmt: skip
def test_mistakes_are_named(
    weights: Path, words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    chips = write_square_chips(tmp_path / "chips.npz", count=3)
    (tmp_path / "chips.yaml").write_text(f"path: {chips}\nbands: [blue, green, red]\n")
    done = minetrace("embed", "chips.yaml", *WORDS, "--checkpoint", weights, *words, cwd=tmp_path)
    assert done.returncode == (2 if said else 0), done.stderr
    assert said in done.stderr
    none = minetrace("embed", "chips.yaml", *WORDS, cwd=tmp_path)
    assert none.returncode == 2
    assert "--pretrained" in none.stderr
