"""Calibration by temperature, thresholds by rule, and graphs that say what their networks say."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import onnxruntime as ort
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.metrics import f1, reliability
from minetrace.core.model import ModelCard
from minetrace.errors import MissingFileError, ModelError
from minetrace.models.calibration import Calibration
from minetrace.models.operating_point import choose_threshold
from minetrace.models.temperature import probabilities, temperature
from minetrace.models.torch_export import Finished, files_of, to_onnx
from minetrace.models.unet import UNet
from minetrace.predict.model_file import write_model
from minetrace.predict.onnx import OnnxScorer
from terminal import minetrace

RNG = np.random.default_rng(11)


@pytest.mark.parametrize("slope", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_what_made_a_network_too_sure(slope: float) -> None:
    z = RNG.normal(0, 2, (20_000, 1))
    label = (RNG.random(20_000) < Calibration(slope, 0.0).probability(z[:, 0])).astype(int)
    found = temperature(label, z)
    assert found.slope == pytest.approx(slope, rel=0.1)
    assert reliability(label, probabilities(z, found)[:, 0]).error < 0.02


def test_the_temperature_serves_several_classes() -> None:
    z = RNG.normal(0, 1, (20_000, 3))
    odds = np.exp(2 * z)
    odds /= odds.sum(1, keepdims=True)
    label = (RNG.random((20_000, 1)) > odds.cumsum(1)).sum(1)
    found = temperature(label, z)
    assert found.slope == pytest.approx(2, rel=0.1)
    assert probabilities(z, found) == pytest.approx(odds[:, 1:], abs=0.05)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_no_threshold_has_a_better_f1_than_the_chosen(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.random(60) < 0.4
    said = np.clip(rng.normal(0.3 + 0.3 * label, 0.15), 0.02, 0.98)

    def worth(threshold: float) -> float:
        found = said >= threshold
        counts = ((found & label).sum(), (found & ~label).sum(), (~found & label).sum())
        return 0.0 if not sum(counts) else f1(*map(int, counts))

    chosen = choose_threshold(label, said, "f1")
    assert worth(chosen) >= max(map(worth, said)) - 1e-12


def test_f_half_and_a_wanted_false_alarm_rate() -> None:
    label = RNG.random(5000) < 0.3
    said = np.clip(RNG.normal(0.3 + 0.3 * label, 0.2), 0.02, 0.98)
    strict = choose_threshold(label, said, "f0.5")
    assert strict > choose_threshold(label, said, "f1")
    allowed = choose_threshold(label, said, 0.02)
    assert ((said >= allowed) & ~label).sum() / (~label).sum() == pytest.approx(0.02, abs=0.002)
    assert choose_threshold(np.zeros(5, bool), np.full(5, 0.3), "f1") == 0.5


@pytest.mark.parametrize(("classes", "members"), [(1, 1), (3, 1), (1, 3)])
def test_a_graph_says_what_its_networks_say(classes: int, members: int) -> None:
    nets = [UNet(2, classes, width=4, depth=2, fold=2).eval() for _ in range(members)]
    finished = Finished(nets, Calibration(1.7, 0.0))
    image = RNG.normal(size=(3, 2, 32, 32)).astype(np.float32)
    with torch.no_grad():
        logits, probability = (x.numpy() for x in finished(torch.from_numpy(image)))
    session = ort.InferenceSession(to_onnx(finished, 2, 32), providers=["CPUExecutionProvider"])
    found = session.run(["logits", "probability"], {"image": image})
    assert found[0] == pytest.approx(logits, abs=1e-4)
    assert found[1] == pytest.approx(probability, abs=1e-5)
    assert found[1].shape == (3, 2 if classes == 3 or members == 3 else 1, 32, 32)
    if members > 1:
        each = [torch.sigmoid(1.7 * net(torch.from_numpy(image))).detach() for net in nets]
        assert found[1][:, 1:] == pytest.approx(np.std(each, axis=0), abs=1e-4)


BESIDE = ModelCard("large", ("red", "nir"), 32, 32, "pixels", "mined")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Finished]:
    """A model whose graph may not hold as much as its weights, and the network it is of."""
    monkeypatch.setattr("minetrace.models.torch_export.LARGEST", 1000)
    finished = Finished([UNet(2, width=4, depth=2).eval()], Calibration(1.3, 0.2))
    onnx, weights = files_of(finished, 2, 32)
    assert len(weights) > 10_000
    write_model(tmp_path / "large", onnx, BESIDE, weights)
    return tmp_path / "large", finished


def test_weights_that_a_graph_cannot_hold_lie_beside_it(
    large: tuple[Path, Finished], tmp_path: Path
) -> None:
    folder, finished = large
    image = RNG.normal(size=(2, 2, 32, 32)).astype(np.float32)
    with torch.no_grad():
        said = finished(torch.from_numpy(image))[1].numpy()
    assert OnnxScorer.open(folder)(image) == pytest.approx(said, abs=1e-6)
    assert "as in the card" in minetrace("models", "check", str(folder)).stdout
    assert "beside the graph" in minetrace("models", "show", str(folder)).stdout
    packed = tmp_path / "large.zip"
    assert minetrace("models", "export", str(folder), "--out", str(packed)).returncode == 0
    assert "large/model.weights" in zipfile.ZipFile(packed).namelist()
    assert (OnnxScorer.open(packed)(image) == OnnxScorer.open(folder)(image)).all()


def test_weights_beside_a_graph_are_those_of_the_card(
    large: tuple[Path, Finished], tmp_path: Path
) -> None:
    folder, _ = large
    beside, scorer = folder / "model.weights", OnnxScorer.open(folder)
    good, graph = beside.read_bytes(), (folder / "model.onnx").read_bytes()
    other = write_model(tmp_path / "other", graph, BESIDE, good[:-1] + b"\1")
    assert other.sha256 != scorer.card.sha256  # the same graph, and still another model
    shutil.copy(tmp_path / "other" / "model.weights", beside)
    for words in (("check", str(folder)), ("export", str(folder), "--out", str(tmp_path / "x"))):
        done = minetrace("models", *words)
        assert done.returncode == 2
        assert "model.weights is not the file" in done.stderr
    shutil.copy(tmp_path / "other" / "model.json", folder)
    OnnxScorer.open(folder)
    card = (folder / "model.json").read_text()
    (folder / "model.json").write_text(card.replace(other.weights_sha256, scorer.card.sha256))
    with pytest.raises(ModelError, match=r"model\.onnx is not the file"):
        OnnxScorer.open(folder)
    (folder / "model.json").write_text(card)
    beside.unlink()
    with pytest.raises(MissingFileError, match=r"holds no model\.weights"):
        OnnxScorer.open(folder)
    write_model(tmp_path / "short", graph, BESIDE, good[:100])
    with pytest.raises(ModelError, match="cannot be loaded"):
        OnnxScorer.open(tmp_path / "short")
