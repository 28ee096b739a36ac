"""Published PyTorch checkpoints become models that say what their networks said."""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import onnxruntime
import torch
from published_nets import MiningNet, MmsegSegFormer, settled

from minetrace.errors import MissingFileError, ModelError
from minetrace.models.pytorch import Said, import_pytorch
from minetrace.testing.world import World
from terminal import minetrace

CONFIG = """
data_preprocessor = dict(
    type='SegDataPreProcessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True, size=(512, 512))
"""
RGB = Said(bands=("B04", "B03", "B02"), values=850.0, clip=(0.0, 0.3), window=64)


@pytest.fixture
def transformers(vision: Any) -> Any:
    return pytest.importorskip("transformers")


def answers(onnx: bytes, images: Any) -> Any:
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    return session.run(["logits", "probability"], {"image": images.numpy()})


def mmseg(path: Path, logits: int = 2, **more: Any) -> tuple[Path, Any]:
    net = settled(MmsegSegFormer(3, logits), 3, 64)
    meta = {"cfg": CONFIG, "dataset_meta": {"classes": ["background", "mine"]}}
    extra = {"auxiliary_head.conv_seg.bias": torch.zeros(2)}
    torch.save({"meta": meta, "state_dict": {**net.state_dict(), **extra}, **more}, path)
    return path, net


def test_a_segformer_of_mmsegmentation_says_the_same(transformers: Any, tmp_path: Path) -> None:
    path, net = mmseg(tmp_path / "best_mIoU.pth")
    imported = import_pytorch(path, says=RGB)
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        expected = net(x)
    logits, probability = answers(imported.onnx, x)
    np.testing.assert_allclose(logits, expected.numpy(), atol=2e-5)
    np.testing.assert_allclose(probability, expected.softmax(1)[:, 1:].numpy(), atol=1e-5)
    card = imported.card
    assert card.bands == ("red", "green", "blue")
    assert card.classes == ("mine",)
    red = card.scaling["red"]
    assert red.scale * 0.2 + red.offset == pytest.approx((850 * 0.2 - 123.675) / 58.395)
    assert red.clip == (0.0, 0.3)


def test_the_unet_of_mining_net_says_the_same(tmp_path: Path) -> None:
    net = settled(MiningNet(), 7, 32)
    state = {f"module._orig_mod.{key}": value for key, value in net.state_dict().items()}
    torch.save({"epoch": 3, "model_state_dict": state, "val_loss": 0.2}, tmp_path / "best.pth")
    said = Said(mean=(0.1,) * 7, std=(0.05,) * 7, values=1.0)
    imported = import_pytorch(tmp_path / "best.pth", says=said)
    x = torch.randn(2, 7, 64, 64)
    with torch.no_grad():
        expected = net(x)
    np.testing.assert_allclose(answers(imported.onnx, x)[1], expected.numpy(), atol=1e-5)
    assert imported.card.bands[3:] == ("nir08", "swir16", "swir22", "lwir11")
    assert (imported.card.window, imported.card.resolution_m) == (64, 30.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda s: s.pop("bottleneck.bn1.weight"), "1 missing: bottleneck.bn1.weight"),
     (lambda s: s.update({"temperature": torch.ones(1)}), "1 unexpected: temperature"),
     (lambda s: s.update({"decoders.0.upconv.bias": torch.ones(3)}),
      r"1 of another shape: decoders.0.upconv.bias \(3,\) where \(8,\) fits"),
     (lambda s: s.pop("output_layer.0.weight"), "'output_layer.0.weight' is missing")],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    change: Callable[[dict[str, Any]], Any], said: str, tmp_path: Path
) -> None:
    state = dict(MiningNet().state_dict())
    change(state)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match=said):
        import_pytorch(tmp_path / "odd.pth")


class Spy:
    """What a checkpoint could bring along; it must never come to life."""

    made = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _spied, (1,)


def _spied(number: int) -> int:
    Spy.made += number
    return number


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    module = types.ModuleType("mmengine_like")
    module.HistoryBuffer = type("HistoryBuffer", (), {"__module__": "mmengine_like"})  # type: ignore[attr-defined]
    sys.modules["mmengine_like"] = module
    history = module.HistoryBuffer()
    history.values = np.arange(3.0)
    held = {"state_dict": MiningNet().state_dict(), "message_hub": {"loss": history}, "spy": Spy()}
    torch.save(held, tmp_path / "whole.pth")
    del sys.modules["mmengine_like"]
    said = Said(mean=(0.0,) * 7, std=(1.0,) * 7, values=1.0)
    assert import_pytorch(tmp_path / "whole.pth", says=said).card.classes == ("mine",)
    assert Spy.made == 0


class Shell:
    """What torch itself blocks by its module."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("exit 1",)


def test_what_a_file_would_run_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": MiningNet().state_dict(), "spy": Shell()}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match=r"it would run \w+\.system, and nothing in a file is run"):
        import_pytorch(tmp_path / "evil.pth")


@pytest.mark.parametrize(
    ("said", "message"),
    [(Said(), "--bands"), (Said(bands=("B04", "B03")), "takes 3 bands, --bands names 2"),
     (Said(bands=("red", "green", "bluue")), "is it blue"),
     (Said(bands=RGB.bands), "--values"), (Said(RGB.bands, values=1.0, window=50), "choose 64"),
     (Said(RGB.bands, values=1.0, window=64, mean=(1.0,)), "--mean: 1 numbers")],
)  # fmt: skip
def test_what_a_file_does_not_say_is_asked_for(
    said: Said, message: str, transformers: Any, tmp_path: Path
) -> None:
    path, _ = mmseg(tmp_path / "epoch_1.pth")
    with pytest.raises(ModelError, match=message):
        import_pytorch(path, says=said)


def test_several_classes_are_named(transformers: Any, tmp_path: Path) -> None:
    path, _ = mmseg(tmp_path / "epoch_1.pth", logits=3)
    with pytest.raises(ModelError, match="--classes"):
        import_pytorch(path, says=RGB)
    said = Said(**{**vars(RGB), "classes": ("mine", "pond")})
    assert import_pytorch(path, says=said).card.classes == ("mine", "pond")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        import_pytorch(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ModelError, match="cannot be read"):
        import_pytorch(tmp_path / "text.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="no weights by key"):
        import_pytorch(tmp_path / "list.pth")
    torch.save({"layer.weight": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="not those of a checkpoint that is understood"):
        import_pytorch(tmp_path / "other.pth")


def test_what_is_imported_runs(world: World, tmp_path: Path) -> None:
    torch.save(settled(MiningNet(3), 3, 32).state_dict(), tmp_path / "small.pth")
    words = ("--bands", "B04,B03,B02", "--mean", "900,900,900", "--std", "500,500,500",
             "--values", "10000", "--resolution", "10")  # fmt: skip
    done = minetrace("models", "import", "small.pth", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert minetrace("models", "check", "small", cwd=tmp_path).returncode == 0
    shown = json.loads(minetrace("models", "show", "small", "--json", cwd=tmp_path).stdout)
    assert shown["properties"]["minetrace:resolution_m"] == 10.0
    run = minetrace("run", "--region", world.region, "--years", "2020-2020", "--source",
                    world.scenes, "--model", "small", "--out", "out", "--quiet",
                    cwd=tmp_path)  # fmt: skip
    assert run.returncode == 0, run.stderr
    wrong = minetrace("models", "import", "small.pth", "--clip", "1", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "--clip" in wrong.stderr
