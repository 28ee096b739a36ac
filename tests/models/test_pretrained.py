"""Weights that other libraries fetch: from a hub on loopback, as theirs answers."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")
import torch

from minetrace.models.architectures import Network, build
from minetrace.testing.loopback import Loopback, address

COMMIT = "a" * 40


class _Hub(BaseHTTPRequestHandler):
    """``OWNER/NAME/resolve/REVISION/FILE`` of a folder, by head and by get."""

    def __init__(self, *request: Any, folder: Path) -> None:
        self.folder = folder
        super().__init__(*request)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(whole=False)

    def do_GET(self) -> None:
        self._answer(whole=True)

    def _answer(self, *, whole: bool) -> None:
        owner, name, *rest = self.path.strip("/").split("/")
        file = self.folder / owner / name / rest[-1] if rest[:1] == ["resolve"] else self.folder
        content = file.read_bytes() if file.is_file() else b""
        self.send_response(200 if file.is_file() else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if whole:
            self.wfile.write(content)


@pytest.fixture
def hub(vision: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that a hub serves, where other libraries look for one."""
    constants = pytest.importorskip("huggingface_hub.constants")
    folder = tmp_path / "hub"
    folder.mkdir()
    port = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, folder=folder))
    monkeypatch.setattr(constants, "ENDPOINT", address(port))
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE",
                        address(port) + "/{repo_id}/resolve/{revision}/{filename}")  # fmt: skip
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with Loopback(port):
        yield folder


def put(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Weights as a hub has them."""
    safetensors = pytest.importorskip("safetensors.torch")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"input_space": "RGB"}))
    safetensors.save_file({k: v.contiguous() for k, v in weights.items()},
                          folder / "model.safetensors")  # fmt: skip


def test_an_encoder_begins_with_the_weights_that_were_fetched(hub: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smp = pytest.importorskip("segmentation_models_pytorch")
        torch.manual_seed(1)
        theirs = smp.encoders.get_encoder("mobilenet_v2", weights=None).state_dict()
        put(hub / "smp-hub" / "mobilenet_v2.imagenet", theirs)
        torch.manual_seed(2)
        network = Network("smp/Unet", encoder="mobilenet_v2", pretrained="imagenet")
        ours = build(network, 5, 1, 64).state_dict()
    shared = {k: v for k, v in theirs.items() if v.ndim == 4 and v.shape[1] != 3}
    assert len(shared) > 40
    found = [next(own for name, own in ours.items() if name.endswith(k)) for k in shared]
    assert all(torch.equal(own, v) for own, v in zip(found, shared.values(), strict=True))
    first = next(own for name, own in ours.items() if name.endswith("features.0.0.weight"))
    assert first.shape[1] == 5  # five bands, from three
    assert first.abs().sum() > 0


def test_a_classifier_begins_with_the_weights_that_were_fetched(hub: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timm = pytest.importorskip("timm")
        torch.manual_seed(1)
        net = timm.create_model("test_resnet.r160_in1k", pretrained=False)
        put(hub / "timm" / "test_resnet.r160_in1k", net.state_dict())
        torch.manual_seed(2)
        network = Network("timm/test_resnet.r160_in1k", pretrained="imagenet")
        ours = build(network, 3, 1, 64).state_dict()
    theirs = {k: v for k, v in net.state_dict().items() if v.ndim == 4}
    found = [next(own for name, own in ours.items() if name.endswith(k)) for k in theirs]
    assert all(torch.equal(own, v) for own, v in zip(found, theirs.values(), strict=True))
