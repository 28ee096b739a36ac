"""The shipped model is whole, small, true to its card, and sees mines."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from minetrace.core.metrics import roc_auc
from minetrace.core.model import ModelCard
from minetrace.models.registry import SHIPPED
from minetrace.predict.onnx import OnnxScorer

NAME = "artisanal-gold-rgb"
ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "studies" / "artisanal-gold"


@pytest.fixture(scope="module")
def scorer() -> OnnxScorer:
    return OnnxScorer.open(SHIPPED / NAME)


@pytest.fixture(scope="module")
def card(scorer: OnnxScorer) -> ModelCard:
    return scorer.card


@pytest.fixture(scope="module")
def chips(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Every seventh clear chip that is not of an industrial site, and whether it is a mine."""
    folder = shared_data / "amw-chips"
    with (folder / "sources.csv").open(newline="", encoding="utf-8") as file:
        wanted = [
            row["window"].startswith("clear0.75") and not row["source"].startswith("industrial")
            for row in csv.DictReader(file)
        ]
    with np.load(folder / "chips.npz") as held:
        rows = np.flatnonzero(np.array(wanted)[held["source"]])[::7]
        return held["chips"][rows].transpose(0, 3, 1, 2), held["label"][rows].astype(bool)


def as_input(pixels: np.ndarray, card: ModelCard) -> np.ndarray:
    """Squares for one call each: the chip in the first window, the card's fill around it."""
    fill = [card.fill[i] * card.scaling[band].scale for i, band in enumerate(card.bands)]
    wide = np.empty((len(pixels), 3, card.call_px, card.call_px), np.float32)
    wide[:] = np.array(fill, np.float32)[None, :, None, None]
    hole = (pixels == 0).all(axis=1, keepdims=True)
    shown = np.where(hole, wide[:, :, :48, :48], pixels / np.float32(255))
    wide[:, :, : card.window, : card.window] = shown
    return wide


def single(scorer: OnnxScorer, pixels: np.ndarray) -> np.ndarray:
    """Probabilities of 48 px chips, through the runtime but not through a whole call."""
    shown = as_input(pixels, scorer.card)[:, :, :48, :48]
    return np.asarray(scorer._session().run(["probability"], {"image": shown})[0]).reshape(-1)


def test_it_is_small_and_complete() -> None:
    folder = SHIPPED / NAME
    assert {"model.onnx", "model.json", "README.md", "confusions.webp"} <= {
        path.name for path in folder.iterdir()
    }
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000


def test_the_card_says_what_must_be_known(card: ModelCard) -> None:
    assert card.bands == ("red", "green", "blue")
    assert (card.window, card.stride, card.output, card.extent) == (48, 8, "patch", "footprint")
    assert card.resolution_m == 10
    assert card.licence == "CC-BY-4.0"
    assert "Earth Genome" in card.data[0]["source"]
    assert "ndustrial" in card.description
    assert len(card.metrics["roc_auc_folds"]) == 5
    assert 0 < card.threshold < 1


def test_the_readme_names_data_figures_and_limits(card: ModelCard) -> None:
    text = (SHIPPED / NAME / "README.md").read_text(encoding="utf-8")
    for said in ("CC BY 4.0", "Earth Genome", "ndustrial", "confusions.webp",
                 f"{card.metrics['roc_auc_mean']:.3f}", f"{card.threshold:.3f}"):  # fmt: skip
        assert said in text, said


def test_figures_in_the_card_are_those_of_the_study(card: ModelCard) -> None:
    figures = json.loads((STUDY / "figures.json").read_text(encoding="utf-8"))
    ours = figures["folds"]["this"]
    assert card.metrics["roc_auc_folds"] == ours["roc_auc"]["folds"]
    assert card.threshold == pytest.approx(figures["at_threshold"]["threshold"], abs=1e-3)


def test_a_window_scores_the_same_alone_and_in_a_scan(scorer: OnnxScorer) -> None:
    card = scorer.card
    rng = np.random.default_rng(0)
    scene = rng.random((1, 3, card.call_px, card.call_px), np.float32) ** 2
    dense = scorer(scene)[0, 0]
    for row, col in ((0, 0), (7, 30), (58, 58), (23, 1)):
        top, left = row * card.stride, col * card.stride
        window = scene[:, :, top : top + card.window, left : left + card.window]
        alone = scorer._session().run(["probability"], {"image": np.ascontiguousarray(window)})[0]
        assert dense[row, col] == pytest.approx(float(alone.item()), abs=1e-5)


def test_it_answers_alike_however_a_window_is_turned(scorer: OnnxScorer) -> None:
    picture = np.random.default_rng(1).random((1, 3, 48, 48), np.float32)
    answers = [
        scorer._session().run(["probability"], {"image": np.ascontiguousarray(laid)})[0].item()
        for quarters in range(4)
        for laid in (
            np.rot90(picture, quarters, (2, 3)),
            np.rot90(picture, quarters, (2, 3))[..., ::-1],
        )
    ]
    assert np.ptp(answers) < 1e-5


def test_real_chips_are_told_apart_and_the_threshold_is_no_accident(
    scorer: OnnxScorer, chips: tuple[np.ndarray, np.ndarray]
) -> None:
    pixels, label = chips
    score = single(scorer, pixels)
    assert roc_auc(label, score) > 0.85  # of chips that it was trained on
    found = score >= scorer.card.threshold
    assert found[~label].mean() < 0.03
    assert found[label].mean() > scorer.card.metrics["recall_clear"] - 0.05
