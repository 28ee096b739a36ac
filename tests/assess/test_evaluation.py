"""Evaluation: figures that equal their definition, intervals by block, one page."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from minetrace.assess.disturbance import disturbances
from minetrace.assess.evaluation import (
    ChipResult,
    object_figures,
    patch_figures,
    pixel_figures,
)
from minetrace.assess.evaluation_page import page
from minetrace.assess.histogram import BINS, along, auc, average_precision, count, reliability
from minetrace.assess.objects import area_error, found, match
from minetrace.core import metrics
from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.core.model import ModelCard, Scaling
from minetrace.errors import DataSetError, ModelError
from minetrace.faces.cli import main
from minetrace.flow.chip_scores import ChipScorer
from minetrace.flow.evaluate import EvaluateOptions, evaluate, numbered, size_class, write_report

RNG = np.random.default_rng(11)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**31))
def test_figures_from_counts_equal_those_from_scores(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = np.r_[True, False, rng.random(n - 2) < 0.4] if n > 2 else np.array([True, False])
    score = (rng.integers(0, BINS, n) + 0.5) / BINS
    counts = count(label, score)
    assert auc(counts) == pytest.approx(metrics.roc_auc(label, score))
    assert average_precision(counts) == pytest.approx(metrics.average_precision(label, score))
    at = along(counts)
    said = score >= 0.5
    row = BINS // 2
    assert at["recall"][row] == pytest.approx(said[label].mean())
    assert at["specificity"][row] == pytest.approx(1 - said[~label].mean())
    told = reliability(counts)
    assert told["count"].sum() == n


def test_outlines_are_matched_once_and_the_best_first() -> None:
    true, mapped = np.zeros((20, 20), int), np.zeros((20, 20), int)
    true[0:8, 0:8] = 1
    true[12:16, 12:16] = 2
    mapped[0:8, 0:6] = 1  # three quarters of the first
    mapped[0:8, 7:8] = 2  # the rest of it: no second match
    mapped[0:2, 15:17] = 3  # nothing there
    o = match(true, mapped)
    assert o.true_iou == pytest.approx([0.75, 0])
    at = found([o], 0.5)
    assert (at.true, at.mapped, at.matched) == (2, 3, 1)
    assert at.f1 == pytest.approx(2 / 5)
    assert found([o], 0.8).matched == 0
    assert found([o], 0.5, least_px=20).recall == 1  # the small one is not asked for
    assert area_error([o]) == pytest.approx((48 + 8 + 4 - 80) / 80)


def test_connected_ground_is_numbered_apart() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 1], [1, 0, 1, 0]], bool)
    numbers = numbered(mask)
    assert numbers.max() == 4  # diagonals do not connect
    assert (numbers > 0).sum() == mask.sum()
    assert numbers[0, 3] == numbers[1, 3]


def result(block: str, hits: tuple[int, int, int, int], score: float = 0.5) -> ChipResult:
    label = np.repeat([True, False, True, False], hits)
    chance = np.repeat([0.9, 0.9, 0.1, 0.1], hits)
    return ChipResult(block + str(hits), "", "", "", block, count(label, chance), hits,
                      hits[0] + hits[2] > 0, score, 0.5)  # fmt: skip


def test_alike_neighbours_widen_the_interval_by_block() -> None:
    good, bad = (90, 5, 10, 900), (20, 60, 80, 900)
    alone = [result(f"{i}", good if i % 2 else bad) for i in range(40)]
    together = [replace(r, block=str(i // 10)) for i, r in enumerate(
        [result("a", good)] * 20 + [result("a", bad)] * 20)]  # fmt: skip
    narrow, wide = (pixel_figures(r).figures["IoU"] for r in (alone, together))
    assert narrow.value == pytest.approx(110 / 265) == wide.value
    assert narrow.low < narrow.value < narrow.high
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_chips_without_a_mine_have_no_iou() -> None:
    figures = pixel_figures([result("a", (0, 3, 0, 97))]).figures
    assert np.isnan(figures["IoU"].value)
    assert figures["specificity"].value == pytest.approx(0.97)


def test_draws_without_a_mine_say_nothing_of_the_error_of_area() -> None:
    mine, false = np.zeros((2, 6, 6), int)
    mine[:2, :2], false[3:, 3:] = 1, 1
    chips = [(mine, mine), *[(np.zeros_like(mine), false)] * 4]
    results = [replace(result(f"{i}", (0, 0, 0, 36)), objects=match(true, mapped))
               for i, (true, mapped) in enumerate(chips)]  # fmt: skip
    error = object_figures(results).figures["area error"]
    assert error.value == pytest.approx(9)
    assert 0 <= error.low <= error.value <= error.high < np.inf
    assert np.isnan(object_figures(results[1:]).figures["area error"].low)


def test_chips_of_unknown_label_are_not_judged() -> None:
    results = [result("a", (5, 0, 0, 5), 0.9), result("b", (0, 0, 0, 9), 0.2)]
    unknown = replace(results[1], label=None, score=0.99)
    assert patch_figures([*results, unknown]).chips == 2
    assert patch_figures([*results, unknown]).figures["specificity"].value == 1


@dataclass(frozen=True)
class Mean:
    """A dense patch model: the mean of each window of its first band."""

    card: ModelCard
    dense: bool = True

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        card, side = self.card, self.card.grid_side
        out = np.empty((len(image), 1, side, side), np.float32)
        for i in range(side):
            for j in range(side):
                y, x = i * card.stride, j * card.stride
                part = image[:, 0, y : y + card.window, x : x + card.window]
                out[:, 0, i, j] = part.mean(axis=(1, 2))
        return out


@dataclass(frozen=True)
class Same:
    """A pixel model: the first band as it is."""

    card: ModelCard

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image[:, :1]


PIXEL_CARD = ModelCard("same", ("red",), 32, 16, "pixels", "mined",
                       scaling={"red": Scaling(2.0, 0.0, (0.0, 0.5))})  # fmt: skip


def dense(call_px: int) -> Mean:
    return Mean(ModelCard("mean", ("red",), 16, 4, "patch", "footprint", call_px=call_px))


@pytest.mark.parametrize("side", [16, 18, 24])
def test_chips_side_by_side_score_as_alone(side: int) -> None:
    images = [RNG.random((1, side, side)).astype(np.float32) for _ in range(11)]
    images[3][0, 2, 5] = np.nan
    together = ChipScorer.over(dense(64), ("red",)).many(images)
    for image, (chance, score) in zip(images, together, strict=True):
        alone, own = ChipScorer.over(dense(16), ("red",))(image)
        assert score == pytest.approx(own, rel=1e-6)
        np.testing.assert_allclose(chance, alone, rtol=1e-5)


@pytest.mark.parametrize("shape", [(20, 20), (32, 32), (70, 45)])
def test_a_pixel_model_covers_chips_of_any_size(shape: tuple[int, int]) -> None:
    image = (RNG.random((2, *shape)) * 0.4).astype(np.float32)
    image[1, 0, 0] = np.nan
    chance, score = ChipScorer.over(Same(PIXEL_CARD), ("nir", "red"))(image)
    np.testing.assert_allclose(chance, image[1] * 2, rtol=1e-6)
    assert np.isnan(chance[0, 0])
    assert 0.7 < score < 0.81


def test_chips_smaller_than_a_window_are_refused() -> None:
    with pytest.raises(ModelError, match="looks at 16 px, a chip has 12 x 12"):
        ChipScorer.over(dense(16), ("red",))(np.zeros((1, 12, 12), np.float32))


class Held:
    """A reader of pictures in memory."""

    def __init__(self, images: dict[str, NDArray[np.float32]]) -> None:
        self.images = images

    @property
    def meaning(self) -> Mapping[str, Any]:
        return {}

    def image(self, chip: Chip) -> NDArray[np.float32]:
        return self.images[chip.image]

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        mask = (self.images[chip.image][0] > 0.25).astype(np.uint8)
        mask[-1] = IGNORE
        return mask


def made(count: int = 12, **card: str) -> DataSet:
    images, chips = {}, []
    for n in range(count):
        picture = np.full((1, 32, 32), 0.1, np.float32)
        if n % 3:
            picture[0, 4 : 4 + n, 8:20] = 0.4
        images[f"{n}"] = picture + RNG.normal(0, 0.004, picture.shape).astype(np.float32)
        chips.append(Chip(
            name=f"c{n}", image=f"{n}", mask="m", split="test", place=f"{n}", crs="EPSG:32630",
            bounds=(4e5 + n * 5e3, 7e5, 4e5 + n * 5e3 + 320, 7e5 + 320),
            region="GHA" if n % 2 else "CIV",
        ))  # fmt: skip
    return DataSet("made", tuple(chips), ("red",), ("other", "mine"), Held(images), 10.0)


def test_a_perfect_model_is_told_to_be_perfect_and_the_page_stands_alone(tmp_path: Path) -> None:
    report, results = evaluate(Same(PIXEL_CARD), made(), EvaluateOptions(block_km=7, disturb=6))
    pixels = report.evaluations["pixels"]
    assert pixels.figures["IoU"].value == 1
    assert pixels.blocks == 8  # of 7 km along 55 km
    assert report.evaluations["outlines"].figures["F1 at IoU 0.5"].value == 1
    assert report.evaluations["outlines"].figures["area error"].value == 0
    assert set(report.groups["By region"]) == {"GHA", "CIV"}
    assert report.groups["By mined ground in the chip"]["no mine"].chips == 4
    assert len(results) == 12
    assert sum(r.counts.sum() for r in results) == 12 * 32 * 31  # without what nobody knows
    shifted = report.disturbed["shifted by 4 px"]
    assert shifted < report.disturbed["shifted by 1 px"] < report.disturbed["as it is"] == 1
    html, numbers = write_report(tmp_path, report)
    text = html.read_text()
    assert text.count("data:image/png") >= 6
    assert "http" not in text.replace("http-equiv", "")
    assert json.loads(numbers.read_text())["figures"]["pixels"]["figures"]["IoU"]["value"] == 1


def test_chips_without_a_place_are_said_to_be(tmp_path: Path) -> None:
    data = made()
    nowhere = tuple(replace(c, crs="", bounds=None, place="") for c in data.chips)
    report, _ = evaluate(Same(PIXEL_CARD), replace(data, chips=nowhere), EvaluateOptions(disturb=0))
    assert any("where on Earth" in note for note in report.notes)
    assert dict(report.facts)["blocks"] == "not on the ground"
    write_report(tmp_path, report)
    assert json.loads((tmp_path / "evaluation.json").read_text())["notes"] == report.notes
    assert not any(
        "where on Earth" in n for n in evaluate(Same(PIXEL_CARD), data, EvaluateOptions())[0].notes
    )


def test_what_nobody_knows_counts_for_no_figure() -> None:
    told = []
    for light in (0.1, 0.45):
        pictures = {f"{n}": np.full((1, 32, 32), 0.1 + n % 3 / 9, np.float32) for n in range(12)}
        for picture in pictures.values():
            picture[:, -1] = light
        data = replace(made(), reader=Held(pictures))
        report, _ = evaluate(Same(PIXEL_CARD), data, EvaluateOptions(disturb=0))
        told.append({k: e.to_json() for k, e in report.evaluations.items()})
    assert told[0] == told[1]
    assert told[0]["chips"]["chips"] == 12


def test_a_split_that_is_not_there_is_named() -> None:
    with pytest.raises(DataSetError, match="no chips of split 'val', only test"):
        evaluate(Same(PIXEL_CARD), made(), EvaluateOptions(split="val"))


def test_another_sensor_is_noticed_and_matched() -> None:
    data = made()
    same = evaluate(Same(PIXEL_CARD), data, EvaluateOptions(disturb=0, trained_on=data))[0]
    assert not any(s.warns for s in same.shifts)
    darker = {k: v * np.float32(0.4) for k, v in data.reader.images.items()}  # type: ignore[attr-defined]
    masks = data.reader.mask

    class Darker(Held):
        def mask(self, chip: Chip) -> NDArray[np.uint8]:
            return masks(chip)

    other = replace(data, reader=Darker(darker))
    report, _ = evaluate(Same(PIXEL_CARD), other, EvaluateOptions(disturb=0, trained_on=data))
    assert report.shifts[0].warns
    assert "unlike training" in page(report)
    matched, as_it_is = report.disturbed["matched to training"], report.disturbed["as it is"]
    assert as_it_is == 0
    assert matched == 1


def test_disturbances_keep_shape_and_holes() -> None:
    image = RNG.random((3, 12, 10)).astype(np.float32)
    image[:, 3, 3] = np.nan
    changes = disturbances(("red", "nir", "vv"))
    assert len({change.name for change in changes}) == len(changes)
    for change in changes:
        assert change(image).shape == image.shape
        assert np.isnan(change(image)).any()


def test_only_light_is_dimmed_and_each_band_alone() -> None:
    image = RNG.random((3, 12, 10)).astype(np.float32)
    bands = ("red", "vv", "nir")
    for change in disturbances(bands):
        changed = [not np.array_equal(a, b) for a, b in zip(change(image), image, strict=True)]
        alone = [band == change.band for band in bands]
        light = [True, False, True]
        expected = alone if change.band else [True] * 3 if change.kind == "shift" else light
        assert changed == expected, change.name
    assert {c.kind for c in disturbances(("vv", "elevation", "e000"))} == {"shift"}


@pytest.mark.parametrize(("hectares", "name"), [
    (0, "no mine"), (0.5, "under 1 ha"), (1, "1 to 5 ha"), (24, "5 to 25 ha"),
    (99, "25 ha and more"),
])  # fmt: skip
def test_size_classes(hectares: float, name: str) -> None:
    assert size_class(hectares) == name


def test_the_shipped_model_on_real_chips(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with np.load(shared_data / "amw-chips" / "chips.npz") as held:
        rows = np.r_[np.flatnonzero(held["label"])[:60], np.flatnonzero(held["label"] == 0)[:60]]
        chips, label = held["chips"][rows], held["label"][rows]
    np.savez(tmp_path / "some.npz", chips=chips, label=label, split=["test"] * len(rows))
    words = [
        "evaluate",
        "artisanal-gold-rgb",
        tmp_path / "some.npz",
        "--bands",
        "red,green,blue",
        "--scale",
        0.3 / 255,
        "--disturb",
        0,
        "--out",
        tmp_path / "out",
        "--json",
    ]
    monkeypatch.setattr(sys, "argv", ["minetrace", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    told = json.loads(capsys.readouterr().out)
    assert told["chips"]["chips"] == 120
    assert told["chips"]["figures"]["ROC AUC"]["value"] > 0.8
    assert (tmp_path / "out" / "evaluation.html").is_file()


def test_a_file_of_settings_says_what_numbers_of_masks_mean(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from minetrace.faces.cli import app

    images = RNG.uniform(0.02, 0.3, (3, 4, 32, 32)).astype(np.float32)
    masks = np.where(images.mean(axis=1) > 0.18, 7, 0).astype(np.uint8)
    masks[:, :4] = 9
    np.savez(tmp_path / "chips.npz", images=images, masks=masks, split=["test"] * 3)
    said = "{path: chips.npz, bands: [blue, green, red, nir], values: {7: 1, 9: 255}}"
    (tmp_path / "chips.yaml").write_text(said)
    words = ["evaluate", "spectral", "--disturb", "0", "--out", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "chips.yaml")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pixels"]["chips"] == 3


def test_the_library_gives_the_figures_as_a_table(tmp_path: Path) -> None:
    import minetrace as mt

    images = RNG.uniform(0.02, 0.3, (4, 3, 32, 32)).astype(np.float32)
    masks = (images.mean(axis=1) > 0.2).astype(np.uint8)
    np.savez(tmp_path / "c.npz", images=images, masks=masks, place=list("abcd"))
    told = mt.evaluate("spectral", tmp_path / "c.npz", split=None, bands=("red", "green", "blue"))
    assert set(told["of"]) == {"pixels", "outlines", "chips"}
    assert told[told["figure"] == "IoU"]["blocks"].item() == 4
