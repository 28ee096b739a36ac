"""The patch network: what must hold before it has learnt anything."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")
pytest.importorskip("onnx", reason="onnx is absent: install minetrace[train]")

import onnxruntime as ort
import torch

from minetrace.errors import ModelError
from minetrace.models.calibration import Calibration
from minetrace.models.parity import check_parity
from minetrace.models.patch_net import STRIDE, WINDOW, PatchNet
from minetrace.models.plain_net import to_onnx
from minetrace.models.torch_export import Finished, graph_of

NARROW = (8, 16, 16, 16)


def lived_in(seed: int, bands: int = 3, logits: int = 1) -> PatchNet:
    """A network whose normalisation has seen something, so that folding it is no accident."""
    torch.manual_seed(seed)
    net = PatchNet(bands, NARROW, hidden=8, logits=logits).train()
    for _ in range(5):
        net(torch.rand(8, bands, WINDOW, WINDOW))
    return net.eval()


def logits_of(net: PatchNet, windows: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(net.eval()(torch.from_numpy(windows)).flatten().numpy())


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


def test_several_classes_and_the_spread_of_several_networks() -> None:
    nets = [lived_in(seed, logits=3) for seed in (0, 1)]
    finished = Finished(nets, Calibration(0.7, 0.0))
    with torch.no_grad():
        logits, said = finished(torch.from_numpy(images(4)))
    session = ort.InferenceSession(graph_of(finished, 3, WINDOW),
                                   providers=["CPUExecutionProvider"])  # fmt: skip
    found = session.run(["logits", "probability"], {"image": images(4)})
    assert found[0] == pytest.approx(logits.numpy(), abs=1e-5)
    assert found[1] == pytest.approx(said.numpy(), abs=1e-5)
    assert found[1].shape == (4, 3, 1, 1)
    assert session.run(["probability"], {"image": images(1, side=64)})[0].shape == (1, 3, 3, 3)


def test_a_curve_in_the_graph_is_the_curve() -> None:
    how = Calibration(1.5, 0.0, ((0.1, 0.02), (0.3, 0.02), (0.301, 0.4), (0.9, 0.7)))
    nets = [lived_in(seed) for seed in (0, 1)]
    for use in (nets, nets[:1]):
        finished = Finished(use, how)
        mean = np.mean([logits_of(net, images(9)) for net in use], axis=0)
        with torch.no_grad():
            said = finished(torch.from_numpy(images(9)))[1][:, 0].flatten().numpy()
        assert said == pytest.approx(how.probability(mean), abs=1e-6)
        session = ort.InferenceSession(graph_of(finished, 3, WINDOW),
                                       providers=["CPUExecutionProvider"])  # fmt: skip
        found = session.run(["probability"], {"image": images(9)})[0]
        assert found[:, 0].ravel() == pytest.approx(said, abs=1e-5)


def test_widths_that_cannot_be_turned_are_refused() -> None:
    with pytest.raises(ModelError, match="multiple of 16"):
        PatchNet(3, (12, 16, 16, 16))
