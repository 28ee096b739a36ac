"""A copy in int8 says what it lost, is refused where it lost much, and runs like any model."""

from __future__ import annotations

from pathlib import Path

import pytest

from minetrace.errors import DataSetError, ModelError
from minetrace.flow.data_sets import open_set
from minetrace.flow.int8 import export_int8
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.study_chips import SetStudy
from minetrace.predict.model_check import check_model
from minetrace.predict.model_file import read_model
from minetrace.testing.chips import write_square_chips, write_window_chips
from minetrace.testing.models import RGB, write_exact_net, write_patch_net, write_unet
from minetrace.testing.results import assert_equal
from minetrace.testing.world import World, world_study
from terminal import minetrace

WHY = "the figures of five chips mean nothing"
WIDTHS = (8, 16, 16, 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of each kind, and chips to show them."""
    folder = tmp_path_factory.mktemp("int8")
    write_patch_net(folder / "patch", call_px=112, widths=WIDTHS)
    write_exact_net(folder / "exact", widths=WIDTHS)
    write_unet(folder / "unet", bands=RGB, window=64, stride=48, widths=(8, 16))
    write_window_chips(folder / "windows.npz", count=40)
    write_square_chips(folder / "squares.npz")
    for name in ("windows", "squares"):
        text = f"path: {name}.npz\nbands: [red, green, blue]\nresolution_m: 10\n"
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("model", "chips"), [("patch", "windows"), ("exact", "windows"), ("unet", "squares")]
)
def test_a_copy_does_what_its_card_says_and_nearly_what_its_model_did(
    folder: Path, tmp_path: Path, model: str, chips: str
) -> None:
    target = tmp_path / "copy.zip"
    data = open_set(SetStudy.read(folder / f"{chips}.yaml"))
    card, found = export_int8(folder / model, data, target, most_loss=1)
    assert check_model(target).card == card
    old, new = read_model(folder / model), read_model(target)
    assert b"QuantizeLinear" in new[0]
    assert card.name == f"{old[1].name}-int8"
    assert card.metrics["made_from"]["sha256"] == old[1].sha256 != card.sha256
    assert 0 < found.mean_change <= found.largest_change < 0.2
    assert card.threshold == found.int8.threshold
    assert set(card.metrics["int8"]["fp32"]) == {"ROC AUC", "AP", "IoU", "threshold", "Mpx/s"}
    with pytest.raises(ModelError, match="in int8 already"):
        export_int8(target, data, tmp_path / "again.zip")


def test_a_loss_is_refused_unless_it_is_meant_in_words(folder: Path, tmp_path: Path) -> None:
    data = open_set(SetStudy.read(folder / "windows.yaml"))
    for why in ("", "yes"):
        with pytest.raises(ModelError, match=r"falls from .* keep the model as it is, or say"):
            export_int8(folder / "patch", data, tmp_path / "no.zip", most_loss=-1, allow_loss=why)
    assert not (tmp_path / "no.zip").exists()
    card, _ = export_int8(folder / "patch", data, tmp_path / "a.zip", most_loss=-1, allow_loss=WHY)
    assert card.metrics["int8"]["allowed"] == WHY


def test_a_set_without_parts_measures_nothing(folder: Path, tmp_path: Path) -> None:
    data = open_set(SetStudy.read(folder / "windows.yaml"))
    for part, missing in (("train", "'val' and 'test'"), ("test", "'train'")):
        with pytest.raises(DataSetError, match=missing):
            export_int8(folder / "patch", data.split(part), tmp_path / "no.zip")


def test_the_command_tells_both_sides_and_the_copy_says_that_it_is_one(
    folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy.zip"
    chips = str(folder / "windows.yaml")
    words = ["--int8", chips, "--most-loss", "1", "--out", str(target)]
    done = minetrace("models", "export", str(folder / "patch"), *words)
    assert done.returncode == 0, done.stderr
    assert "ROC AUC" in done.stdout
    assert "Mpx/s" in done.stdout
    shown = minetrace("models", "show", str(target))
    assert "made from small-patch-net" in " ".join(shown.stdout.split())


def test_runs_of_a_copy_are_equal_however_they_are_cut(
    folder: Path, tmp_path: Path, world: World
) -> None:
    data = open_set(SetStudy.read(folder / "windows.yaml"))
    for model, chips in (
        ("patch", data),
        ("unet", open_set(SetStudy.read(folder / "squares.yaml"))),
    ):
        target = tmp_path / f"{model}.zip"
        export_int8(folder / model, chips, target, most_loss=1)
        for name, tile in (("whole", 512), ("cut", 100)):
            study = Study.of({
                **world_study(world, name="int8"), "periods": [2019], "grid": {"tile": tile},
                "model": {"path": str(target)},
            })  # fmt: skip
            run(study, tmp_path / model / name, workers=1)
        assert_equal(tmp_path / model / "whole", tmp_path / model / "cut")


def test_equal_input_makes_an_equal_network(folder: Path, tmp_path: Path) -> None:
    data = open_set(SetStudy.read(folder / "windows.yaml"))
    cards = [export_int8(folder / "patch", data, tmp_path / f"{n}.zip", most_loss=1)[0]
             for n in "ab"]  # fmt: skip
    assert cards[0].sha256 == cards[1].sha256
