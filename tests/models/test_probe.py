"""Probes on frozen backbones, and Prithvi: bands by name, weights by key, what learns and runs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import onnxruntime as ort
import torch

from minetrace.errors import ModelError
from minetrace.models.architectures import Network, build
from minetrace.models.calibration import Calibration
from minetrace.models.torch_export import Finished, to_onnx

SIX = ("blue", "green", "red", "nir08", "swir16", "swir22")


@pytest.fixture
def foundation(vision: Any) -> Iterator[None]:
    """The libraries behind foundation models, whatever they warn of themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("timm")
        pytest.importorskip("terratorch")
        yield


@pytest.fixture
def small(foundation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Prithvi of four layers under the name of the large one."""
    from minetrace.models import prithvi

    monkeypatch.setitem(prithvi.SIZES, "300m", prithvi.Size(32, 4, 2))


def exports(net: Any, bands: int, window: int) -> None:
    finished = Finished([net], Calibration(1.0, 0.0))
    x = torch.randn(2, bands, window, window)
    with torch.no_grad():
        said = finished(x)[1].numpy()
    session = ort.InferenceSession(
        to_onnx(finished, bands, window), providers=["CPUExecutionProvider"]
    )
    found = session.run(["probability"], {"image": x.numpy()})[0]
    assert np.abs(found - said).max() < 1e-4


@pytest.mark.parametrize(
    ("backbone", "tokens", "hidden", "side"),
    [("timm/vit_tiny_patch16_224", "patch", 0, 64), ("timm/vit_tiny_patch16_224", "class", 16, 1),
     ("timm/resnet18", "both", 8, 64), ("prithvi/300m", "both", 0, 64)],
)  # fmt: skip
def test_a_probe_learns_its_head_alone_and_exports(
    small: None, backbone: str, tokens: Any, hidden: int, side: int
) -> None:
    network = Network("probe", backbone=backbone, tokens=tokens, hidden=hidden)
    assert network.output == ("patch" if side == 1 else "pixels")
    net = build(network, 5, 1, 64)
    out = net(torch.randn(2, 5, 64, 64))
    assert out.shape == (2, 1, side, side)
    out.sum().backward()
    assert {n.partition(".")[0] for n, p in net.named_parameters() if p.grad is not None} == {
        "head"
    }
    assert not net.backbone.training
    exports(net, 5, 64)


def test_embeddings_are_probed_without_a_backbone() -> None:
    net = build(Network("probe", hidden=8), 64, 3, 16)
    assert net(torch.randn(2, 64, 16, 16)).shape == (2, 3, 16, 16)
    assert sum(p.numel() for p in net.parameters()) == 64 * 8 + 8 + 8 * 3 + 3


def test_a_backbone_takes_weights_from_a_file(foundation: None, tmp_path: Path) -> None:
    import timm

    from minetrace.models.backbone import make_backbone

    theirs = timm.create_model("vit_tiny_patch16_224", in_chans=3, img_size=32, num_classes=10)
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    file = str(tmp_path / "vit.pth")
    ours = make_backbone("timm/vit_tiny_patch16_224", SIX[:3], 32, checkpoint=file)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        tokens = theirs.eval().forward_features(x)
        whole, patches = ours(x)
    assert torch.equal(whole, tokens[:, 0])
    assert torch.equal(patches.flatten(2), tokens[:, 1:].transpose(1, 2))
    assert (ours.width, ours.side, ours.cell_px) == (192, 2, 16)
    make_backbone("timm/vit_tiny_patch16_224", SIX[:3], 64, checkpoint=file)  # positions resampled
    with pytest.raises(ModelError, match=r"of another shape: patch_embed\.proj"):
        make_backbone("timm/vit_tiny_patch16_224", SIX[:4], 32, checkpoint=file)
    with pytest.raises(ModelError, match="did you mean 'resnet18'"):
        make_backbone("timm/resnet81", SIX, 32)
    with pytest.raises(ModelError, match="no backbone is called"):
        make_backbone("resnet18", SIX, 32)


def test_a_backbone_of_terratorch(foundation: None) -> None:
    from minetrace.models.backbone import make_backbone

    net = make_backbone("terratorch/prithvi_eo_tiny", SIX, 64)
    assert (net.width, net.side) == (256, 4)


def published(path: Path, **changed: Any) -> dict[str, Any]:
    """Weights as Prithvi publishes them: encoder and decoder, with time and place, four dates."""
    from minetrace.models.prithvi import make_prithvi

    torch.manual_seed(3)
    state = make_prithvi("300m", SIX, 32).state_dict()
    held = {f"encoder.{key}": value for key, value in state.items()}
    held |= {"encoder.pos_embed": torch.zeros(1, 5, 32), "decoder.mask_token": torch.zeros(1),
             "encoder.temporal_embed_enc.scale": torch.ones(1)}  # fmt: skip
    torch.save({**held, **changed}, path)
    return state


def test_prithvi_takes_published_weights_by_the_names_of_bands(small: None, tmp_path: Path) -> None:
    from minetrace.models.prithvi import make_prithvi

    path = tmp_path / "Prithvi_EO_V2_300M_TL.pt"
    state = published(path)
    first = state["patch_embed.proj.weight"]
    mixed = ("red", "nir", "vv", "blue")
    net = make_prithvi("300m", mixed, 64, checkpoint=str(path))
    found = net.state_dict()["patch_embed.proj.weight"]
    for place, known in ((0, 2), (1, 3), (3, 0)):
        assert torch.equal(found[:, place], first[:, known])
    assert torch.equal(
        net.state_dict()["blocks.3.mlp.fc1.weight"], state["blocks.3.mlp.fc1.weight"]
    )
    same = make_prithvi("300m", SIX, 32, checkpoint=str(path))
    assert torch.equal(same.state_dict()["pos_embed"], state["pos_embed"])


def test_a_prithvi_file_that_does_not_fit_says_which_keys(small: None, tmp_path: Path) -> None:
    from minetrace.models.prithvi import make_prithvi

    path = tmp_path / "odd.pt"
    published(
        path, **{"encoder.blocks.0.norm1.weight": torch.ones(7), "encoder.extra": torch.ones(1)}
    )
    with pytest.raises(
        ModelError, match=r"1 unexpected: extra; 1 of another shape: blocks.0.norm1"
    ):
        make_prithvi("300m", SIX, 32, checkpoint=str(path))
    with pytest.raises(ModelError, match="choose 48"):
        make_prithvi("300m", SIX, 50)
    with pytest.raises(ModelError, match="no Prithvi of size '300'"):
        make_prithvi("300", SIX, 32)


@pytest.mark.parametrize("tuned", [-1, 0, 2])
def test_prithvi_learns_as_much_as_it_is_asked_to(small: None, tuned: int) -> None:
    network = Network("prithvi/300m", width=16, tuned_blocks=tuned, band_names=SIX)
    net = build(network, 6, 1, 64)
    learning = {n for n, p in net.named_parameters() if p.requires_grad}
    blocks = {n.split(".")[2] for n in learning if n.startswith("encoder.blocks")}
    assert len(blocks) == {-1: 4, 0: 0, 2: 2}[tuned]
    assert ("encoder.patch_embed.proj.weight" in learning) == (tuned == -1)
    assert "head.weight" in learning
    net(torch.randn(2, 6, 64, 64)).sum().backward()
    exports(net, 6, 64)


def test_pooling_is_what_the_library_pools() -> None:
    from minetrace.models.pooling import FixedPool

    x = torch.randn(2, 3, 7, 7)
    for cells in (1, 2, 3, 6):
        theirs = torch.nn.AdaptiveAvgPool2d(cells)(x)
        torch.testing.assert_close(FixedPool(7, cells)(x), theirs)
