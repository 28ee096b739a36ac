"""Every kind of scorer, held to the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from minetrace.core.model import Scorer
from minetrace.predict.onnx import OnnxScorer
from minetrace.predict.spectral import Spectral
from minetrace.testing.models import write_exact_net, write_patch_net, write_unet
from minetrace.testing.scorer_contract import ScorerContract


class TestSpectral(ScorerContract):
    def make_scorer(self) -> Scorer:
        return Spectral.over(("blue", "green", "red", "nir", "swir16", "swir22"))


class Onnx(ScorerContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "model"


class TestDensePatchNet(Onnx):
    def make_scorer(self) -> Scorer:
        write_patch_net(self.path, call_px=112)
        return OnnxScorer.open(self.path)


class TestExactPatchNet(Onnx):
    def make_scorer(self) -> Scorer:
        write_exact_net(self.path)
        return OnnxScorer.open(self.path)


class TestUNet(Onnx):
    def make_scorer(self) -> Scorer:
        write_unet(self.path, window=64, stride=48)
        return OnnxScorer.open(self.path)
