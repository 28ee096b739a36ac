"""The patch network: what must hold before it has learnt anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")
pytest.importorskip("onnx", reason="onnx is absent: install minetrace[train]")

import onnxruntime as ort
import torch

from minetrace.errors import ModelError
from minetrace.models.calibration import Calibration
from minetrace.models.parity import check_parity
from minetrace.models.patch_net import STRIDE, WINDOW, PatchNet, logits_of
from minetrace.models.plain_net import to_onnx
from minetrace.models.weights import read_weights, write_weights

NARROW = (8, 16, 16, 16)


def lived_in(seed: int, bands: int = 3) -> PatchNet:
    """A network whose normalisation has seen something, so that folding it is no accident."""
    torch.manual_seed(seed)
    net = PatchNet(bands, NARROW, hidden=8).train()
    for _ in range(5):
        net(torch.rand(8, bands, WINDOW, WINDOW))
    return net.eval()


def images(n: int, bands: int = 3, side: int = WINDOW) -> np.ndarray:
    return np.random.default_rng(1).random((n, bands, side, side), np.float32)


def test_turning_a_picture_changes_nothing() -> None:
    net, picture = lived_in(0), images(2)
    straight = logits_of(net, picture)
    for quarters in range(4):
        turned = np.rot90(picture, quarters, (-2, -1))
        for laid in (turned, turned[..., ::-1]):
            assert logits_of(net, np.ascontiguousarray(laid)) == pytest.approx(straight, abs=1e-5)


def test_pictures_differ() -> None:
    assert np.ptp(logits_of(lived_in(0), images(8))) > 1e-3


def test_a_dense_scan_is_the_single_windows() -> None:
    net, scene = lived_in(0), images(1, side=96)
    with torch.no_grad():
        dense = net(torch.from_numpy(scene)).numpy()[0, 0]
    assert dense.shape == (7, 7)
    for row, col in ((0, 0), (2, 5), (6, 6)):
        top, left = row * STRIDE, col * STRIDE
        window = np.ascontiguousarray(scene[:, :, top : top + WINDOW, left : left + WINDOW])
        assert dense[row, col] == pytest.approx(logits_of(net, window)[0], abs=1e-5)


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_the_graph_says_what_the_networks_say(bands: int) -> None:
    nets = [lived_in(seed, bands) for seed in (0, 1)]
    calibration = Calibration(1.3, -0.4)
    mean = np.mean([logits_of(net, images(5, bands)) for net in nets], axis=0)
    graph = to_onnx([net.plain() for net in nets], calibration)
    assert check_parity(graph, images(5, bands), calibration.probability(mean)) < 1e-5
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    logits, probability = session.run(
        ["logits", "probability"], {"image": images(1, bands, side=512)}
    )
    assert logits.shape == probability.shape == (1, 1, 59, 59)
    assert probability == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-6)


def test_a_wrong_export_is_refused() -> None:
    graph = to_onnx([lived_in(0).plain()])
    with pytest.raises(ModelError, match="differs from the trained one"):
        check_parity(graph, images(3), np.zeros(3))


def test_weights_come_back_as_they_were(tmp_path: Path) -> None:
    plain = lived_in(0).plain()
    write_weights(tmp_path / "net.npz", plain)
    assert to_onnx([read_weights(tmp_path / "net.npz")]) == to_onnx([plain])
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ModelError, match="train anew"):
        read_weights(tmp_path / "other.npz")
