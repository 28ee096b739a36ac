"""From chips to a model that scores a raster, by the library and by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import rasterio
from rasterio.transform import from_origin

import minetrace as mt
from minetrace.errors import DataSetError, LeakageError, ModelError, StudyError
from minetrace.flow.data_sets import open_set
from minetrace.flow.evaluate import EvaluateOptions, evaluate
from minetrace.flow.study_chips import SetStudy
from minetrace.flow.train import train
from minetrace.flow.train_report import _course
from minetrace.flow.train_study import TrainStudy
from minetrace.models.training import Look
from minetrace.predict.model_check import check_model
from minetrace.predict.onnx import OnnxScorer
from minetrace.testing.chips import write_square_chips, write_window_chips

BANDS = ["blue", "green", "red"]
FIT = {"window": 32, "batch": 4, "steps": 24, "every": 12, "rate": 0.01, "memory": 0.7}


def study(chips: Path, **more: Any) -> TrainStudy:
    data = {"path": str(chips), "bands": BANDS, "resolution_m": 10, "licence": "CC0-1.0",
            "source": "made up", **more.pop("data", {})}  # fmt: skip
    network = {"width": 8, "depth": 2, **more.pop("network", {})}
    fit = {**FIT, **more.pop("fit", {})}
    return TrainStudy.of({"name": "squares", "data": data, "network": network, "fit": fit, **more})


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_square_chips(tmp_path_factory.mktemp("chips") / "chips.npz")


def test_a_trained_model_scores_a_raster(chips: Path, tmp_path: Path) -> None:
    done = train(study(chips), tmp_path)
    assert check_model(done.model).card == done.card
    assert done.card.metrics["test"]["iou"] > 0.6
    assert done.card.metrics["export"]["parity"] <= 1e-4
    assert done.card.calibrated
    assert (done.card.output, done.card.extent, done.card.classes) == ("pixels", "mined", ("mine",))
    assert done.card.data == ({"name": "made up", "licence": "CC0-1.0"},)
    audited = json.loads((tmp_path / "audit.json").read_text())
    assert audited["verdict"] == done.card.metrics["training"]["audit"]
    page = done.report.read_text()
    assert page.count("<img") == 2
    assert "Audit of" in page
    scores = mt.load_model(done.model).score(scene(tmp_path / "scene.tif")).to_numpy()
    assert np.nanmean(scores[40:60, 40:60]) > np.nanmean(scores[:20, :20]) + 0.3


def test_a_course_without_validation_draws_none() -> None:
    nothing = float("nan")
    looks = [Look(step, 1 / step, 1e-3, nothing, nothing, 1.0) for step in (10, 20)]
    assert "validation" not in _course([looks])
    assert "validation IoU" in _course([[Look(step, 1.0, 1e-3, 0.5, 0.5, 1.0) for step in (1, 2)]])


def scene(path: Path) -> Path:
    """100 x 100 px of dark ground with one bright square."""
    pixels = np.random.default_rng(5).normal(1000, 100, (3, 100, 100))
    pixels[:, 40:60, 40:60] += 1000
    pixels[0, 40:60, 40:60] += 1500
    with rasterio.open(
        path, "w", driver="GTiff", width=100, height=100, count=3, dtype="int16",
        crs="EPSG:32719", transform=from_origin(500000, 8600000, 10, 10), nodata=-32768,
    ) as file:  # fmt: skip
        file.write(pixels.astype("int16"))
        file.descriptions = BANDS
        file.scales = (1e-4,) * 3
    return path


def test_the_command_trains_and_goes_on(
    chips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from minetrace.faces.cli import app

    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**study(chips).model_dump(mode="json", exclude_none=True)}))
    words = ["train", str(path), "--out", str(tmp_path / "out"), "--device", "cpu"]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert "minetrace run --model" in first.output
    assert "warning: the probability is calibrated on" in first.output
    before = (tmp_path / "out/state.pt").read_bytes()
    again = CliRunner().invoke(app, [*words, "--quiet"])
    assert again.exit_code == 0, again.output
    assert (tmp_path / "out/state.pt").read_bytes() == before


def test_another_recipe_leaves_what_is_there_as_it_is(chips: Path, tmp_path: Path) -> None:
    few = {"steps": 2, "every": 2}
    train(study(chips, fit=few), tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.*")}
    with pytest.raises(ModelError, match="begun with other settings"):
        train(study(chips, fit={**few, "rate": 0.5}), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.*")} == before


def test_several_classes_and_members_with_their_spread(tmp_path: Path) -> None:
    chips = write_square_chips(tmp_path / "chips.npz", classes=3)
    asked = study(chips, data={"classes": ["other", "mine", "pond"]}, network={"members": 2},
                  fit={"steps": 4, "every": 2}, finish={"calibration": "none"})  # fmt: skip
    done = train(asked, tmp_path / "out")
    assert done.card.classes == ("mine", "pond", "spread")
    assert not done.card.calibrated
    assert {"iou", "iou of mine", "recall of pond"} <= done.card.metrics["validation"].keys()
    assert "of any of them against the rest" in done.report.read_text()
    assert len(done.looks) == 2
    one, other = (tmp_path / f"out/member{n}/state.pt" for n in (0, 1))
    assert one.read_bytes() != other.read_bytes()
    assert check_model(done.model).card.classes == done.card.classes


def test_a_network_that_cannot_be_written_is_not_trained_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritable(*_: object) -> None:
        raise ModelError("it has no form in ONNX")

    monkeypatch.setattr("minetrace.models.torch_export.files_of", unwritable)
    chips = write_square_chips(tmp_path / "chips.npz")
    with pytest.raises(ModelError, match="no form in ONNX"):
        train(study(chips, fit={"steps": 2, "every": 2}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_classifier_of_windows_becomes_a_patch_model(tmp_path: Path) -> None:
    chips = write_window_chips(tmp_path / "chips.npz")
    asked = study(chips, network={"design": "patch-cnn", "width": 8}, finish={"threshold": "f0.5"},
                  fit={"window": 48, "steps": 60, "every": 20, "rate": 0.005})  # fmt: skip
    done = train(asked, tmp_path / "out")
    card = done.card
    assert (card.output, card.extent, card.stride) == ("patch", "footprint", 24)
    assert card.metrics["test"]["known"] == card.metrics["test"]["chips"]
    assert card.metrics["test"]["f1"] > 0.7


def test_a_split_that_leaks_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    path = write_square_chips(tmp_path / "chips.npz")
    with np.load(path) as held:
        same = {**held, "place": np.full(len(held["place"]), "one place")}
    np.savez(path, **same)
    with pytest.raises(LeakageError, match="leaks"):
        train(study(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    meant = {"allow_leakage": "only to see whether it runs"}
    short = {"steps": 1, "every": 1}
    done = train(study(path, data=meant, fit=short), tmp_path / "out")
    assert "leaks" in done.card.metrics["training"]["audit"]


def test_a_set_without_a_training_part_is_refused(tmp_path: Path) -> None:
    path = write_square_chips(tmp_path / "chips.npz")
    with np.load(path) as held:
        np.savez(path, **{**held, "split": np.full(len(held["split"]), "test")})
    with pytest.raises(DataSetError, match="no chip is in the part 'train'"):
        train(study(path), tmp_path / "out")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"fitt": {}}, "did you mean 'fit'"), ({"fit": {"stepz": 3}}, "did you mean 'steps'"),
     ({"name": "a b"}, "name"), ({"data": {}}, "'data.path' is missing"),
     ({"loss": {"terms": {"dise": 1.0}}}, "did you mean 'dice'"),
     ({"network": {"design": "unett"}}, "did you mean 'unet'")],
)  # fmt: skip
def test_mistakes_are_named_before_anything_is_read(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises((StudyError, ValueError), match=said):
        TrainStudy.of({"name": "x", "data": {"path": "nowhere"}, **wrong})


def test_off_is_a_key_and_not_false(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("{name: x, data: {path: y}, augment: {off: true, turns: no}}")
    read = TrainStudy.read(path)
    assert read.augment.off
    assert not read.augment.turns
    path.write_text(read.dump())
    assert TrainStudy.read(path) == read


def test_our_patch_network_becomes_a_dense_model(tmp_path: Path) -> None:
    """The design of the shipped model, by the ordinary command."""
    chips = write_window_chips(tmp_path / "chips.npz")
    asked = study(
        chips, network={"design": "patchnet", "width": 16, "members": 2, "bagged": False},
        fit={"window": 48, "steps": 30, "every": 15, "batch": 8, "source_power": 0.5},
        augment={"saturation": 0.2, "gamma": 0.1, "air": 0.5, "hole": 0.1, "brightness": 0.02},
        loss={"terms": {"cross_entropy": 1.0}, "smoothing": 0.05},
        finish={"calibration": "isotonic"},
    )  # fmt: skip
    done = train(asked, tmp_path / "out")
    card = done.card
    assert (card.window, card.stride, card.call_px) == (48, 8, 512)
    assert (card.output, card.extent, card.classes) == ("patch", "footprint", ("mine", "spread"))
    assert card.scaling["red"].clip == (0.0, 0.3)
    assert card.metrics["export"]["curve"]
    assert card.metrics["test"]["f1"] > 0.7
    found = check_model(done.model)
    assert found.dense_difference is not None
    assert found.dense_difference < 1e-5


def test_each_class_has_figures_of_its_own(tmp_path: Path) -> None:
    chips = write_square_chips(tmp_path / "chips.npz", classes=3)
    classes = {"classes": ["other", "mine", "pond"]}
    done = train(study(chips, data=classes, fit={"steps": 40, "every": 40}), tmp_path / "out")
    data = open_set(SetStudy(path=chips, bands=tuple(BANDS), classes=tuple(classes["classes"])))
    report, _ = evaluate(OnnxScorer.open(done.model), data, EvaluateOptions("", disturb=0))
    found = report.groups["By class, against all others"]
    assert list(found) == ["mine", "pond"]
    for of_class in found.values():
        assert of_class.figures["IoU"].value > 0.3
        assert of_class.figures["specificity"].value > 0.8
