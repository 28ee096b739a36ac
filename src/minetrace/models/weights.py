"""Trained layers on disk between training and export: arrays, never a pickle."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from minetrace.errors import ModelError
from minetrace.models.plain_net import Layer, PlainNet
from minetrace.store.files import write_whole

_NAMES = ("conv1", "conv2", "conv3", "conv4", "hidden", "logit")


def write_weights(path: Path, net: PlainNet) -> None:
    """Write the layers of a network as one ``.npz``, whole or not at all."""
    layers = dict(zip(_NAMES, (*net.convs, net.hidden, net.logit), strict=True))
    arrays = {f"{name}.kernel": layer.kernel for name, layer in layers.items()}
    arrays |= {f"{name}.bias": layer.bias for name, layer in layers.items()}

    def put(part: Path) -> None:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    write_whole(path, put)


def read_weights(path: Path) -> PlainNet:
    """Read what `write_weights` wrote.

    Raises:
        ModelError: the file holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            a, b, c, d, hidden, logit = (
                Layer(held[f"{name}.kernel"], held[f"{name}.bias"]) for name in _NAMES
            )
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: no weights of a patch network ({error}); train anew") from error
    return PlainNet((a, b, c, d), hidden, logit)
