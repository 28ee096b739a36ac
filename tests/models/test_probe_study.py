"""A probe and a Prithvi, asked for in a study, trained by the loop of all others, to a model."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch

import minetrace as mt
from minetrace.flow.train import train
from minetrace.flow.train_study import TrainStudy
from minetrace.predict.model_check import check_model
from minetrace.testing.chips import write_square_chips, write_window_chips

FIT = {"batch": 2, "steps": 2, "every": 2}


def asked(chips: Path, network: dict[str, Any], **fit: Any) -> TrainStudy:
    data = {"path": str(chips), "bands": ["blue", "green", "red"], "resolution_m": 10}
    return TrainStudy.of({"name": "small", "data": data, "network": network, "fit": FIT | fit})


def frozen(out: Path, prefix: str) -> dict[str, torch.Tensor]:
    state = torch.load(out / "state.pt", weights_only=True)
    return {k: v for k, v in state["best"].items() if k.startswith(prefix)}


def test_a_probe_of_a_study(vision: Any, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm", reason="timm is absent: install minetrace[foundation]")
    weights = timm.create_model("vit_tiny_patch16_224", in_chans=3, img_size=48, num_classes=0)
    torch.save(weights.state_dict(), tmp_path / "secret-place.pth")
    network = {"design": "probe", "backbone": "timm/vit_tiny_patch16_224", "tokens": "class",
               "hidden": 8, "checkpoint": str(tmp_path / "secret-place.pth")}  # fmt: skip
    chips = write_window_chips(tmp_path / "chips.npz", count=10)
    done = train(asked(chips, network, window=48), tmp_path / "out")
    assert (done.card.output, done.card.extent) == ("patch", "footprint")
    assert check_model(done.model).card == done.card
    said = done.card.metrics["training"]["network"]
    assert said["checkpoint"] == "secret-place.pth"
    assert str(tmp_path) not in json.dumps(done.card.to_json())
    kept = frozen(tmp_path / "out", "backbone.net.")
    for key, value in weights.state_dict().items():
        torch.testing.assert_close(kept[f"backbone.net.{key}"], value)


def test_a_probe_of_embeddings_that_a_user_has(tmp_path: Path) -> None:
    chips = write_square_chips(tmp_path / "chips.npz")
    study = asked(chips, {"design": "probe"}, window=32, steps=30, every=30, rate=0.1)
    data = study.data.model_copy(update={"bands": ("A00", "A01", "A02")})
    done = train(study.model_copy(update={"data": data}), tmp_path / "out")
    assert done.card.bands == ("e000", "e001", "e002")
    assert (done.card.output, done.card.extent) == ("pixels", "mined")
    assert done.card.metrics["test"]["iou"] > 0.5
    values = np.full((3, 64, 64), 0.1, np.float32)
    values[:, 20:40, 20:40] += 0.2
    with rasterio.open(
        tmp_path / "embeddings.tif", "w", driver="GTiff", width=64, height=64, count=3,
        dtype="float32", crs="EPSG:32719", transform=from_origin(500000, 8600000, 10, 10),
    ) as file:  # fmt: skip
        file.write(values)
        file.descriptions = ("A00", "A01", "A02")
    scores = mt.load_model(done.model).score(tmp_path / "embeddings.tif").to_numpy()
    assert np.nanmean(scores[22:38, 22:38]) > np.nanmean(scores[:16]) + 0.3


@pytest.mark.parametrize("tuned", [0, 1])
def test_a_prithvi_of_a_study(
    vision: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tuned: int
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("terratorch", reason="install minetrace[foundation]")
        from minetrace.models import prithvi

        monkeypatch.setitem(prithvi.SIZES, "300m", prithvi.Size(32, 4, 2))
        six = prithvi.make_prithvi("300m", prithvi.BANDS, 64).state_dict()
        torch.save({f"encoder.{key}": value for key, value in six.items()}, tmp_path / "p.pt")
        chips = write_square_chips(tmp_path / "chips.npz")
        network = {"design": "prithvi/300m", "width": 16, "tuned_blocks": tuned,
                   "checkpoint": str(tmp_path / "p.pt")}  # fmt: skip
        done = train(asked(chips, network, window=64), tmp_path / "out")
    assert check_model(done.model).card == done.card
    assert done.card.output == "pixels"
    kept = frozen(tmp_path / "out", "encoder.")
    same = {key for key, value in kept.items()
            if key in (f"encoder.{k}" for k in six) and value.shape == six[key[8:]].shape
            and torch.equal(value, six[key[8:]])}  # fmt: skip
    assert "encoder.blocks.0.attn.qkv.weight" in same
    assert ("encoder.blocks.3.attn.qkv.weight" in same) == (tuned == 0)
    first = kept["encoder.patch_embed.proj.weight"]
    torch.testing.assert_close(first, six["patch_embed.proj.weight"][:, :3])
