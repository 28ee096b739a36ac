"""From trained networks to the graph of a model file, calibration and all. Needs torch and onnx."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from minetrace.core.model import ONNX, WEIGHTS
from minetrace.errors import ModelError
from minetrace.models import plain_net
from minetrace.models.calibration import Calibration
from minetrace.models.patch_net import PatchNet
from minetrace.models.pooling import pools_exported

OPSET = 17
LARGEST = 2**31 - 2**24  # bytes of weights in a graph, which is one message of protobuf


class Finished(nn.Module):
    """One network, or several whose logits are averaged, with what a model file promises.

    With several, ``probability`` has one class more, the spread: the standard deviation of what
    the members say of the first class.
    """

    def __init__(self, nets: Sequence[nn.Module], calibration: Calibration) -> None:
        """Take trained networks; they are switched to judging."""
        super().__init__()
        self.nets = nn.ModuleList(nets).eval()
        self.calibration = calibration

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and probability of (n, bands, h, w)."""
        how = self.calibration
        each = torch.stack([net(image) for net in self.nets])
        logits = each.mean(0) * how.slope + how.shift
        probability = _sure(logits, how)
        if len(self.nets) > 1:
            said = torch.stack([_sure(one * how.slope + how.shift, how)[:, :1] for one in each])
            apart = ((said - said.mean(0)) ** 2).mean(0)
            spread = apart.clamp(min=1e-12).sqrt()
            probability = torch.cat([probability, spread], 1)
        return logits, probability


def _sure(logits: Tensor, how: Calibration) -> Tensor:
    """Probabilities of the classes but the first."""
    if logits.shape[1] > 1:
        return torch.softmax(logits, 1)[:, 1:]
    said = torch.sigmoid(logits).clamp(0, 1)  # a runtime may round above 1
    if not how.knots:
        return said
    bent = torch.full_like(said, how.knots[0][1])
    for start, width, slope in how.rises:
        bent = bent + (said - start).clamp(0, width) * slope
    return bent


def files_of(finished: Finished, bands: int, window: int) -> tuple[bytes, bytes]:
    """The graph of a model file, and the weights that lie beside it if it cannot hold them."""
    if sum(p.numel() * p.element_size() for p in finished.parameters()) <= LARGEST:
        return graph_of(finished, bands, window), b""
    import onnx

    with TemporaryDirectory(prefix="minetrace-export-") as scratch:
        traced, folder = Path(scratch) / "traced", Path(scratch) / "model"
        traced.mkdir()
        folder.mkdir()
        _trace(finished, bands, window, str(traced / ONNX))  # a large one in a file a weight
        onnx.save_model(
            onnx.load(traced / ONNX), folder / ONNX, save_as_external_data=True,
            all_tensors_to_one_file=True, location=WEIGHTS,
        )  # fmt: skip
        return (folder / ONNX).read_bytes(), (folder / WEIGHTS).read_bytes()


def graph_of(finished: Finished, bands: int, window: int) -> bytes:
    """The graph of a model file; of our own patch networks one that takes any side."""
    nets = [net for net in finished.nets if isinstance(net, PatchNet)]
    if len(nets) < len(finished.nets):
        return to_onnx(finished, bands, window)
    plain = [net.plain() for net in nets]
    return plain_net.to_onnx(plain, finished.calibration, spread=len(plain) > 1)


def to_onnx(finished: Finished, bands: int, window: int) -> bytes:
    """A graph of ``image`` (n, bands, window, window) to ``logits`` and ``probability``.

    The tracing exporter is used: it needs no further package and takes seconds, not half a minute.
    """
    held = io.BytesIO()
    _trace(finished, bands, window, held)
    return held.getvalue()


def _trace(finished: Finished, bands: int, window: int, target: io.BytesIO | str) -> None:
    image = torch.zeros(2, bands, window, window)
    ports = ["logits", "probability"]
    said = io.StringIO()  # the whole graph, where a part of it cannot be written
    with warnings.catch_warnings(), torch.no_grad(), pools_exported(OPSET), redirect_stdout(said):
        warnings.simplefilter("ignore")  # that another exporter is the default; shapes traced
        try:
            torch.onnx.export(
                finished.eval(), (image,), target,  # type: ignore[arg-type]  # a stream will do
                dynamo=False, opset_version=OPSET,
                input_names=["image"], output_names=ports,
                dynamic_axes={name: {0: "n"} for name in ("image", *ports)},
            )  # fmt: skip
        except torch.onnx.errors.OnnxExporterError as error:
            why = " ".join(str(error).split())[:160]
            raise ModelError(
                f"this network cannot be written as ONNX ({why}); choose another design"
            ) from error
