"""Calibration by temperature, thresholds by rule, and graphs that say what their networks say."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import onnxruntime as ort
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.metrics import f1, reliability
from minetrace.models.calibration import Calibration
from minetrace.models.operating_point import choose_threshold
from minetrace.models.temperature import probabilities, temperature
from minetrace.models.torch_export import Finished, to_onnx
from minetrace.models.unet import UNet

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
    assert worth(chosen) >= max(map(worth, said)) - 0.02  # it is rounded to four places


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
