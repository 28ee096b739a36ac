"""A PyTorch checkpoint as a model of ours: ONNX and a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minetrace.errors import ModelError
from minetrace.models.keras.importing import Imported
from minetrace.models.machine import need_torch
from minetrace.models.pytorch.card import Said, pixel_card

if TYPE_CHECKING:
    from torch import nn

CHECKED = 2  # made-up windows on which graph and network are compared
NOTHING_SAID = Said()


def import_pytorch(path: Path, *, says: Said = NOTHING_SAID) -> Imported:
    """Translate a checkpoint; nothing in it is run.

    Args:
        path: ``.pth``, ``.pt`` or ``.ckpt``.
        says: what the user knows and the file does not say.

    Raises:
        MissingFileError: the file is not there.
        ModelError: it is of no known kind, its weights do not fit, its bands or scaling are not
            known, or the graph differs from the network by more than 1e-4 in probability.
        MissingExtraError: a library is not installed.
    """
    need_torch()
    from minetrace.models.pytorch.archive import read_archive
    from minetrace.models.pytorch.layouts import network_of

    archive = read_archive(path)
    try:
        network = network_of(archive)
        card = pixel_card(archive.name, network, archive.notes, says)
        return Imported(_exported(network.net, network.bands, card.window), card)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _exported(net: nn.Module, bands: int, window: int) -> bytes:
    import numpy as np
    import torch

    from minetrace.models.calibration import Calibration
    from minetrace.models.parity import check_parity
    from minetrace.models.torch_export import Finished, to_onnx

    finished = Finished([net], Calibration(1.0, 0.0))
    onnx = to_onnx(finished, bands, window)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(CHECKED, bands, window, window)).astype(np.float32)
    with torch.no_grad():
        said = finished(torch.from_numpy(images))[1].numpy()
    check_parity(onnx, images, said.reshape(-1).astype(np.float64))
    return onnx
