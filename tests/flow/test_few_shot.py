"""A few chips of a new region, and the weights of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terminal import minetrace

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch
import yaml

import minetrace as mt
from minetrace.errors import BandError, MissingFileError, ModelError
from minetrace.testing.chips import write_square_chips

FIT = {"window": 32, "batch": 4, "steps": 24, "every": 24, "rate": 0.01, "memory": 0.5}


def study(chips: Path, **more: Any) -> dict[str, Any]:
    data = {"path": str(chips), "bands": ["blue", "green", "red"], **more.pop("data", {})}
    return {"name": "squares", "data": data, "network": {"width": 8, "depth": 2},
            "fit": {**FIT, **more.pop("fit", {})}, **more}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that knows the squares of one region."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("home")
    chips = write_square_chips(folder / "chips.npz")
    mt.train(study(chips), out=folder / "out", device="cpu")
    return folder / "out"


@pytest.fixture(scope="module")
def hazy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five chips of a region whose air is three times as bright."""
    path = write_square_chips(tmp_path_factory.mktemp("hazy") / "chips.npz", count=5, seed=9)
    with np.load(path) as held:
        np.savez(path, **{**held, "images": 0.25 + 0.5 * held["images"]})
    return path


def test_few_chips_suffice_where_the_weights_of_another_region_are_kept(
    home: Path, hazy: Path, tmp_path: Path
) -> None:
    quick = study(hazy, fit={"steps": 4, "every": 4, "rate": 0.001})
    anew = mt.train(quick, out=tmp_path / "anew", device="cpu").card
    moved = mt.train(quick, out=tmp_path / "moved", start=home, renormalise=True,
                     device="cpu").card  # fmt: skip
    assert moved.metrics["test"]["iou"] > max(0.5, anew.metrics["test"]["iou"] + 0.1)
    assert moved.scaling == anew.scaling  # of the new chips
    assert moved.metrics["training"]["start"] == "out"


def test_band_statistics_are_kept_unless_asked_for_and_a_start_may_be_its_model(
    home: Path, hazy: Path, tmp_path: Path
) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study(hazy, fit={"steps": 1, "every": 1})))
    words = ("train", path, "--from", home / "model", "--device", "cpu", "--quiet")
    done = minetrace(*words, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    kept = mt.load_model(tmp_path / "out" / "model").card
    before = mt.load_model(home / "model").card
    for band, rule in before.scaling.items():
        assert kept.scaling[band].scale == pytest.approx(rule.scale)
        assert kept.scaling[band].offset == pytest.approx(rule.offset)
    mt.train(tmp_path / "out" / "study.yaml", out=tmp_path / "out", device="cpu")  # goes on
    again = minetrace(*words, "--renormalise", "--out", tmp_path / "out")
    assert again.returncode == 2
    assert "begun with other settings" in again.stderr


def test_what_cannot_be_begun_from_is_named(home: Path, hazy: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="a model alone is a graph"):
        mt.train(study(hazy), out=tmp_path, start=tmp_path)
    with pytest.raises(BandError, match="takes blue, green, red"):
        mt.train(study(hazy, bands=["red", "blue"]), out=tmp_path, start=home)
    other = study(hazy)
    other["network"] = {"width": 16, "depth": 2}
    with pytest.raises(ModelError, match="do not fit this network"):
        mt.train(other, out=tmp_path / "wide", start=home)
