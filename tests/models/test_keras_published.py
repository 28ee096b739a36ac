"""The published files: logits to the reference, figures on real chips, cards, and a whole run."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("h5py", reason="reading Keras files needs h5py: pip install 'minetrace[train]'")
import h5py
from keras_files import Made, act, forward

from minetrace.core.metrics import roc_auc
from minetrace.errors import ModelError
from minetrace.models.keras import Imported, import_keras
from minetrace.models.keras.published import TWELVE, TWELVE_8A_FIRST
from minetrace.predict.model_check import check_model
from minetrace.predict.model_file import write_model
from minetrace.predict.onnx import OnnxScorer

NAMES = (
    "28_px_v9", "44px_v2.6_rgb_2021-11-11", "44px_v2.8_2021-11-11",
    "48px_v0.X-SSL4EO-MLPensemble_2025-10-21", "48px_v3.2-3.7ensemble_2024-02-13",
    "48px_v3.7_2024-01-10", "48px_v4.21-CNN100ka_2026-05-08ep179",
)  # fmt: skip
RGB, PROBE = NAMES[1], NAMES[3]
CLOSE = 1e-5
DEEP = 3e-5


@pytest.fixture(scope="module")
def published(shared_data: Path) -> Path:
    return shared_data / "amw-models"


@cache
def imported(folder: Path, name: str, *, exact: bool = False) -> Imported:
    return import_keras(folder / f"{name}.h5", exact=exact)


def reference_input(name: str, model: Imported) -> np.ndarray:
    """As the data's notes say: (6, h, w, c) or (6, features)."""
    card = model.card
    shape = card.input_shape or (card.window, card.window, len(card.bands))
    rng = np.random.default_rng(20261121)
    if name.startswith("44px") or card.input_shape:
        return rng.normal(0, 1, (6, *shape)).astype(np.float32)
    base = rng.uniform(0.03, 0.3, (6, 1, 1, shape[-1]))
    return (base + rng.normal(0, 0.01, (6, *shape))).astype(np.float32)


def logits(model: Imported, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])
    given = np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim == 4 else x)
    return session.run(["logits"], {session.get_inputs()[0].name: given})[0]


def off(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float((abs(found - expected) / np.maximum(1, abs(expected))).max())


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_met(published: Path, name: str) -> None:
    model = imported(published, name)
    with np.load(published / "reference.npz") as reference:
        assert off(logits(model, reference_input(name, model)), reference[name]) <= CLOSE


def networks(path: Path) -> list[Made]:
    """Each Sequential of a file, its last activation left out, read apart from the importer."""
    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])
        weights = file["model_weights"]
        if config["class_name"] == "Sequential":
            return [_network(config, lambda layer: weights[layer][layer])]
        return [
            _network(one, lambda layer, top=one["config"]["name"]: weights[top][layer])
            for one in config["config"]["layers"] if one["class_name"] == "Sequential"
        ]  # fmt: skip


def _network(config: dict[str, Any], group: Any) -> Made:
    layers = []
    for layer in config["config"]["layers"][1:]:
        settings, name = layer["config"], layer["config"]["name"]
        held = group(name) if layer["class_name"] in ("Conv2D", "Dense") else {}
        arrays = {key[:-2]: held[key][()].astype(np.float64) for key in held}
        layers.append(Made(layer["class_name"], name, settings, arrays))
    layers[-1].config["activation"] = "linear"
    return Made("Sequential", "net", layers=tuple(layers))


def pictures(rng: np.random.Generator, shape: tuple[int, ...], count: int) -> np.ndarray:
    """Two spectra in stripes, or vectors: (count, parameters) from which `drawn` makes inputs."""
    return rng.uniform(0, 0.5, (count, 2 * shape[-1] + 2))


def drawn(name: str, shape: tuple[int, ...], parameters: np.ndarray) -> np.ndarray:
    bands = shape[-1]
    first, second, ways = np.split(parameters, [bands, 2 * bands], axis=1)
    if name[:2] == "44":
        first, second = 4 * first - 1, 4 * second - 1
    if len(shape) == 1:
        return (8 * first - 2).astype(np.float32)
    row, col = np.mgrid[: shape[0], : shape[1]] / shape[0]
    stripes = np.sin(40 * ways[:, 0, None, None] * row) * np.sin(40 * ways[:, 1, None, None] * col)
    inside = (stripes > 0)[..., None]
    return np.where(inside, first[:, None, None], second[:, None, None]).astype(np.float32)


def near_zero(name: str, model: Imported, shape: tuple[int, ...], column: int) -> np.ndarray:
    """Inputs on the way between a mine and none, ever closer to a logit of 0."""
    rng = np.random.default_rng(3)
    population = pictures(rng, shape, 64)
    for _ in range(30):
        x = drawn(name, shape, population)
        found = logits(model, x)[:, column]
        order = found.argsort()[::-1]
        if found[order[0]] > 0 > found[order[-1]]:
            break
        best = population[order[:10]]
        children = best[rng.integers(0, 10, 54)] + rng.normal(0, 0.08, (54, best.shape[1]))
        population = np.concatenate([best, children.clip(0, 0.8)])
    mine, none = x[order[0]], x[order[-1]]
    steps, low, high = [], 0.0, 1.0
    for _ in range(18):
        middle = (low + high) / 2
        steps.append(((1 - middle) * mine + middle * none).astype(np.float32))
        low, high = (
            (middle, high) if logits(model, steps[-1][None])[0, column] > 0 else (low, middle)
        )
    return np.stack(steps)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_small_logits_are_met_too(published: Path, name: str, exact: bool) -> None:
    """Against a float64 forward pass written apart.

    A logit near 0 is what is left of sums up to ten thousand times as large. Summed in float32 the
    deep 48 px networks then stray by up to 2.1e-5, Keras itself (2.15, the same inputs) by 4.2e-5.
    """
    model = imported(published, name)
    answers = imported(published, name, exact=True) if exact else model
    shape = reference_input(name, model).shape[1:]
    deep = name.startswith(("48px_v3", "48px_v4")) and not exact
    limit = DEEP if deep else CLOSE
    for member, net in enumerate(networks(published / f"{name}.h5")[:1]):
        two = name[:2] in ("28", "44")
        column = 1 if two else member
        x = near_zero(name, model, shape, column)
        true = forward(net, x.astype(np.float64))
        small = abs(true[:, -1]) < 10
        assert small.sum() >= 4
        found = logits(answers, x)[:, column]
        assert off(found[small], true[small, -1]) <= limit


def test_probabilities_are_of_the_mine(published: Path) -> None:
    for name in NAMES:
        model = imported(published, name)
        x = reference_input(name, model) * np.float32(0.3)
        session = ort.InferenceSession(model.onnx, providers=["CPUExecutionProvider"])
        given = np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim == 4 else x)
        port = session.get_inputs()[0].name
        before, found = session.run(["logits", "probability"], {port: given})
        nets = networks(published / f"{name}.h5")
        exact = np.concatenate([forward(net, x.astype(np.float64)) for net in nets], axis=1)
        assert before.shape == exact.shape
        two = name[:2] in ("28", "44")
        mine = act(exact, "softmax")[:, 1] if two else act(exact, "sigmoid").mean(axis=1)
        assert abs(found[:, 0] - mine).max() < CLOSE, name


def test_cards_say_what_is_known(published: Path) -> None:
    expected = {
        "28_px_v9": (28, 14, TWELVE, 0.5), RGB: (44, 11, ("red", "green", "blue"), 0.8),
        "44px_v2.8_2021-11-11": (44, 11, TWELVE, 0.8),
        "48px_v3.2-3.7ensemble_2024-02-13": (48, 24, TWELVE_8A_FIRST, 0.5),
        "48px_v3.7_2024-01-10": (48, 24, TWELVE_8A_FIRST, 0.8),
        NAMES[6]: (48, 24, (*TWELVE_8A_FIRST[:10], "cirrus", "swir16", "swir22"), 0.5),
    }  # fmt: skip
    for name, (window, stride, bands, threshold) in expected.items():
        card = imported(published, name).card
        assert (card.window, card.stride, card.call_px) == (window, stride, window), name
        assert (card.bands, card.threshold, card.level) == (bands, threshold, "toa"), name
        assert (card.licence, card.extent, card.calibrated) == ("MIT", "footprint", False)
    scaling = imported(published, NAMES[2]).card.scaling["nir08"]
    dn = 3100.0
    assert dn / 1e4 * scaling.scale + scaling.offset == pytest.approx((dn - 2948.3846) / 1055.297)
    metrics = imported(published, NAMES[6]).card.metrics
    assert metrics["publisher_test1"] == pytest.approx(
        {"precision": 0.878, "recall": 0.593, "f1": 0.708}, abs=1e-3
    )
    assert "training_patches2026-05-04" in metrics["publisher_config"]


def test_the_figures_on_real_chips_are_met(
    published: Path, shared_data: Path, tmp_path: Path
) -> None:
    """Bands in another order, or another scaling, would not reach them."""
    with np.load(shared_data / "amw-chips" / "chips.npz") as chips:
        pixels, label, source = chips["chips"], chips["label"], chips["source"]
    with (shared_data / "amw-chips" / "sources.csv").open() as file:
        rows = list(csv.DictReader(file))
    clear = [row["window"].startswith("clear0.75") and not row["source"].startswith("industrial")
             for row in rows]  # fmt: skip
    fold = np.array([int(row["fold"]) for row in rows])[source]
    model = imported(published, RGB)
    card = write_model(tmp_path / "rgb", model.onnx, model.card)
    scorer = OnnxScorer.open(tmp_path / "rgb")
    keep = np.flatnonzero(np.array(clear)[source])
    score = np.concatenate([
        scorer(_scaled(card, pixels[part])) for part in np.array_split(keep, 16)
    ])[:, 0, 0, 0]  # fmt: skip
    found = [roc_auc(label[keep][fold[keep] == k], score[fold[keep] == k]) for k in range(5)]
    assert found == pytest.approx([0.95, 0.66, 0.61, 0.96, 0.88], abs=0.006)


def _scaled(card: Any, chips: np.ndarray) -> np.ndarray:
    """Centres of chips, R G B bytes of 0.3 reflectance, as the card wants them."""
    side = card.window
    edge = (chips.shape[1] - side) // 2
    reflectance = chips[:, edge : edge + side, edge : edge + side].astype(np.float32) / 255 * 0.3
    order = [("red", "green", "blue").index(band) for band in card.bands]
    scale = np.float32([card.scaling[band].scale for band in card.bands])
    offset = np.float32([card.scaling[band].offset for band in card.bands])
    return np.ascontiguousarray(np.moveaxis(reflectance[..., order] * scale + offset, -1, 1))


def test_a_probe_is_kept_and_checked_but_not_run(published: Path, tmp_path: Path) -> None:
    model = imported(published, PROBE)
    write_model(tmp_path / "probe", model.onnx, model.card)
    found = check_model(tmp_path / "probe")
    assert not found.runs_over_imagery
    assert found.inputs == {"input": ["n", 384]}
    assert "SSL4EO" in found.card.description
    with pytest.raises(ModelError, match=r"takes embedding of shape \(384,\), not images"):
        OnnxScorer.open(tmp_path / "probe")
