"""Networks by name: each takes its windows, learns, and exports to what it is."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import onnxruntime as ort
import torch

from minetrace.errors import ModelError
from minetrace.models.architectures import Network, build
from minetrace.models.calibration import Calibration
from minetrace.models.losses import Loss
from minetrace.models.torch_export import Finished, to_onnx

OURS = [
    (Network("unet", width=4, depth=2), 32),
    (Network("unet", width=4, depth=2, fold=4), 48),
    (Network("patch-cnn"), 48),
]
THEIRS = [
    (Network("smp/Unet", encoder="resnet18"), 64),
    (Network("smp/FPN", encoder="mit_b0"), 64),
    (Network("smp/PSPNet", encoder="resnet18"), 64),
    (Network("segformer/b0"), 64),
    (Network("timm/resnet18"), 48),
]
BANDS = 5


def learns_and_exports(network: Network, window: int, logits: int) -> None:
    torch.manual_seed(0)
    net = build(network, BANDS, logits, window)
    side = window if network.output == "pixels" else 1
    x = torch.randn(2, BANDS, window, window)
    target = torch.randint(0, max(2, logits), (2, side, side)).to(torch.uint8)
    Loss()(net(x), target).backward()
    assert sum(float(p.grad.abs().sum()) for p in net.parameters() if p.grad is not None) > 0
    finished = Finished([net], Calibration(1.0, 0.0))
    with torch.no_grad():
        said = finished(x)[1].numpy()
    onnx = to_onnx(finished, BANDS, window)
    session = ort.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    found = session.run(["probability"], {"image": x.numpy()})[0]
    assert found.shape == (2, max(1, logits - 1), side, side)
    assert np.abs(found - said).max() < 1e-4


@pytest.mark.parametrize(("network", "window"), OURS, ids=lambda x: getattr(x, "design", ""))
def test_our_designs_learn_and_export(network: Network, window: int) -> None:
    learns_and_exports(network, window, 1)


def test_several_classes() -> None:
    learns_and_exports(*OURS[0], logits=4)


@pytest.mark.parametrize(("network", "window"), THEIRS, ids=lambda x: getattr(x, "design", ""))
def test_designs_of_other_libraries_learn_and_export(
    vision: Any, network: Network, window: int
) -> None:
    library = {"smp": "segmentation_models_pytorch", "segformer": "transformers", "timm": "timm"}
    with warnings.catch_warnings():  # what libraries warn of themselves
        warnings.simplefilter("ignore")
        pytest.importorskip(library[network.family])
        learns_and_exports(network, window, 1)


def test_the_published_design_has_its_published_size() -> None:
    def count(bands: int, width: int) -> int:
        net = build(Network("patch-cnn", width=width), bands, 1, 48)
        return sum(p.numel() for p in net.parameters())

    assert count(13, 0) == 116_865
    assert count(12, 0) == 116_577
    assert 750_000 < count(12, 96) < 850_000


def test_a_depth_and_a_width_change_the_size() -> None:
    sizes = [
        sum(p.numel() for p in build(Network("unet", width=w, depth=d), 3, 1, 32).parameters())
        for w, d in ((4, 2), (8, 2), (8, 3))
    ]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("design", ["unett", "unet/b0", "smp", "resnet18"])
def test_a_design_that_nobody_knows_is_refused(design: str) -> None:
    with pytest.raises(ModelError, match="no design is called"):
        Network(design)


@pytest.mark.parametrize(
    ("network", "window", "said"),
    [(Network("unet", depth=4), 40, "multiple of 32"), (Network("patch-cnn"), 8, "too small"),
     (Network("unet", depth=0), 32, "1 or more")],
)  # fmt: skip
def test_windows_and_sizes_that_do_not_fit_are_refused(
    network: Network, window: int, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        build(network, 3, 1, window)


def test_a_transformer_is_made_for_the_window(vision: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("segmentation_models_pytorch")
        build(Network("smp/DPT", encoder="tu-vit_tiny_patch16_224"), 3, 1, 32)


def test_weights_that_cannot_be_fetched_are_an_error_of_ours(
    vision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*_: Any, **__: Any) -> None:
        raise ConnectionError("nobody answers")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smp = pytest.importorskip("segmentation_models_pytorch")
        timm = pytest.importorskip("timm")
    for library, design in ((smp, "smp/Unet"), (timm, "timm/resnet18")):
        monkeypatch.setattr(library, "create_model", nowhere)
        with pytest.raises(ModelError, match="could not be fetched"):
            build(Network(design, pretrained="imagenet"), 3, 1, 64)


def test_what_has_no_form_in_onnx_is_an_error_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)[:, :1]

    with pytest.raises(ModelError, match="cannot be written as ONNX"):
        to_onnx(Finished([Odd()], Calibration(1.0, 0.0)), 3, 8)
    assert not capsys.readouterr().out


def test_an_unknown_encoder_or_size_is_refused(vision: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("segmentation_models_pytorch")
        pytest.importorskip("transformers")
        with pytest.raises(ModelError, match="cannot make"):
            build(Network("smp/Unet", encoder="resnet19"), 3, 1, 64)
        with pytest.raises(ModelError, match="of size 'b9'"):
            build(Network("segformer/b9"), 3, 1, 64)
