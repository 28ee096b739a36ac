"""``minetrace models``: list, show, check, import; and what was imported runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("h5py", reason="reading Keras files needs h5py: pip install 'minetrace[train]'")
from keras_files import Made, conv, dense, net, pool, write_net

from minetrace.predict.onnx import OnnxScorer
from minetrace.testing.world import World
from terminal import minetrace


def write_bright(path: Path) -> Path:
    """A detector that calls bright ground a mine: window 16, red, green and blue."""
    kernel = np.full((3, 3, 3, 2), 1 / 27)
    last = dense("last", np.full((32, 1), 5.0), np.array([-14.0]), "sigmoid")
    layers = (conv("c", kernel, np.zeros(2), padding="same", activation="relu"),
              pool("p", (4, 4)), Made("Flatten", "f"), last)  # fmt: skip
    return write_net(path, net("bright", (16, 16, 3), *layers))


def test_what_is_imported_runs(world: World, tmp_path: Path) -> None:
    write_bright(tmp_path / "bright.h5")
    (tmp_path / "bright_config.txt").write_text("Classification Report at 0.7\n")
    flags = ("--bands", "B04,B03,B02", "--scaling", "clipped", "--stride", "8")
    done = minetrace("models", "import", "bright.h5", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a detection from 0.7 on" in done.stdout
    assert "minetrace run --model bright" in done.stdout
    card = OnnxScorer.open(tmp_path / "bright").card
    assert (card.bands, card.window, card.stride) == (("red", "green", "blue"), 16, 8)
    assert minetrace("models", "check", "bright", cwd=tmp_path).returncode == 0
    shown = json.loads(minetrace("models", "show", "bright", "--json", cwd=tmp_path).stdout)
    assert shown["properties"]["minetrace:threshold"] == 0.7
    run = minetrace(
        "run", "--region", str(world.region), "--years", "2020-2020", "--source",
        str(world.scenes), "--model", "bright", "--out", "out", "--quiet", cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "model bright" in run.stdout
    again = minetrace("models", "import", "bright.h5", *flags, cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert (
        minetrace("models", "import", "bright.h5", *flags, "--force", cwd=tmp_path).returncode == 0
    )


def test_a_folder_that_is_no_model_is_left_alone(tmp_path: Path) -> None:
    write_bright(tmp_path / "bright.h5")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    done = minetrace("models", "import", "bright.h5", "--bands", "B4,B3,B2", "--scaling", "clipped",
                "--out", "thesis", "--force", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_named_models_are_listed_shown_and_checked(tmp_path: Path) -> None:
    listed = minetrace("models", "list", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    for entry in json.loads(minetrace("models", "list", "--json", cwd=tmp_path).stdout):
        assert entry["name"] in listed.stdout
        assert entry["sha256"] in listed.stdout
        shown = minetrace("models", "show", entry["name"], cwd=tmp_path)
        assert entry["sha256"] in shown.stdout
        checked = minetrace("models", "check", entry["name"], cwd=tmp_path)
        assert checked.returncode == 0, checked.stderr
    assert listed.stdout.count("not for") >= 2
    unknown = minetrace("models", "show", "nosuch", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "nosuch" in unknown.stderr
