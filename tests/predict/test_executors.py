"""What runs in place of the reference says the same, or the work ends; it is never mixed."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from minetrace.errors import MissingExtraError, ModelError
from minetrace.predict import executors
from minetrace.predict.executors import CUDA, HELD_WINDOWS, REFERENCE, Executor
from minetrace.predict.model_file import read_model
from minetrace.predict.onnx import OnnxScorer
from minetrace.testing.models import write_patch_net
from minetrace.testing.world import World, world_study
from terminal import minetrace

PLAIN = Executor("plain", "CPUExecutionProvider", optimised=False)

needs_no_cuda = pytest.mark.skipif(
    CUDA.provider in ort.get_available_providers(), reason="this ONNX Runtime has CUDA"
)


@dataclass(frozen=True)
class Coarse(Executor):
    """Runs the network in int8, which no gate may let through."""

    def start(self, onnx: bytes, path: Path, threads: int, weights: bytes = b"") -> Any:
        from minetrace.models.int8 import quantised

        pytest.importorskip("onnx", reason="pip install 'minetrace[train]'")
        return super().start(quantised(onnx, [windows(4)]), path, threads, weights)


COARSE = Coarse("coarse", "CPUExecutionProvider")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "net"
    write_patch_net(folder, call_px=112)
    return folder


def windows(count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.0, 0.5, (count, 3, 112, 112)).astype(np.float32)


def test_what_says_the_same_passes_and_is_named(model: Path) -> None:
    _, card = read_model(model)
    scorer = OnnxScorer(model, card, executor=PLAIN)
    image = windows(HELD_WINDOWS)
    assert np.abs(scorer(image) - OnnxScorer.open(model)(image)).max() <= executors.MOST_APART
    assert pickle.loads(pickle.dumps(scorer)).executor == PLAIN
    gate = scorer._gates[0]
    gate.hold(image[:1], image[:1] + 9)  # enough was compared: no more is


def test_what_says_otherwise_is_refused_in_one_line(model: Path) -> None:
    _, card = read_model(model)
    scorer = OnnxScorer(model, card, executor=COARSE)
    with pytest.raises(ModelError, match=r"on device coarse a probability differs .* --device cpu"):
        scorer(windows(16))


def test_padding_is_no_window(model: Path) -> None:
    scorer = OnnxScorer(model, read_model(model)[1], executor=PLAIN)
    scorer(np.zeros((HELD_WINDOWS, 3, 112, 112), np.float32))
    with pytest.raises(ModelError, match="differs"):
        scorer._gates[0].hold(windows(1), np.full((1, 1, 9, 9), 2.0, np.float32))


@needs_no_cuda
def test_cuda_that_is_not_there_is_one_line_and_auto_does_without(model: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"device cuda: .* onnxruntime-gpu .* --device cpu"):
        OnnxScorer.open(model, device="cuda")
    assert OnnxScorer.open(model, device="auto").executor == REFERENCE


@needs_no_cuda
def test_a_run_never_mixes_what_its_scores_were_made_on(
    model: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {**world_study(world, name="held"), "periods": [2021], "model": {"path": str(model)}}
    file, out = tmp_path / "study.yaml", tmp_path / "run"
    file.write_text(json.dumps(asked))
    words = "run", file, "--out", out, "--workers", "1", "--json"
    refused = minetrace(*words, "--device", "cuda")
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (2, 1)
    assert minetrace(*words, "--device", "auto").returncode == 0
    assert json.loads((out / "datacard.json").read_text())["executor"] == "cpu"

    before = {path: path.stat().st_mtime_ns for path in out.glob("scores/*/*.tif")}
    monkeypatch.setattr("minetrace.predict.onnx.candidates", lambda _: (PLAIN,))
    assert minetrace(*words, "--device", "cuda").returncode == 0
    assert all(path.stat().st_mtime_ns > before[path] for path in before)
    assert json.loads((out / "datacard.json").read_text())["executor"] == "plain"
    assert "Run on plain" in (out / "datacard.md").read_text()

    monkeypatch.setattr("minetrace.predict.onnx.candidates", lambda _: (COARSE,))
    ended = minetrace(*words, "--device", "cuda")
    assert ended.returncode == 2
    assert "on device coarse a probability differs" in ended.stderr
    no_network = minetrace("run", file, "--model", "spectral", "--device", "cuda", "--out", out)
    assert (no_network.returncode, "no network" in no_network.stderr) == (2, True)
