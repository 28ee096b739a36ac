"""The published RGB network of Amazon Mining Watch (v2.6, 44 px), as a number to stand beside.

It trained on some of the sources that it is judged on here; they are left in.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from torch.nn import functional as F

FILE = "44px_v2.6_rgb_2021-11-11.h5"
MEAN = np.array([1091.9574, 1172.4902, 1175.9235])  # digital numbers of B4, B3, B2
SPREAD = np.array([748.6153, 504.557, 398.5558])
DN_AT_FULL_SCALE = 3000
POOLS = {"conv2d_6": 3, "conv2d_7": 2}


def probabilities(models: Path, chips: np.ndarray) -> np.ndarray:
    """Of (n, 3, 48, 48) uint8 chips, their middle 44 px seen."""
    middle = chips[:, :, 2:46, 2:46].astype(np.float64).transpose(0, 2, 3, 1)
    x = (middle / 255 * DN_AT_FULL_SCALE - MEAN) / SPREAD
    weights = read(models / FILE)
    parts = [logits(weights, x[i : i + 500]) for i in range(0, len(x), 500)]
    return np.asarray(torch.cat(parts).softmax(1)[:, 1].numpy())


def read(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            layer, weight = name.split("/")[-2:]
            found[f"{layer}/{weight.split(':')[0]}"] = torch.from_numpy(np.asarray(item))

    with h5py.File(path) as file:
        file["model_weights"].visititems(keep)
    return found


def logits(weights: dict[str, torch.Tensor], images: np.ndarray) -> torch.Tensor:
    """Before the softmax: (n, 2) of (n, 44, 44, 3)."""
    x = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2)
    for name, pool in POOLS.items():
        kernel = weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        x = F.max_pool2d(F.relu(F.conv2d(x, kernel, weights[f"{name}/bias"], padding=1)), pool)
    x = x.permute(0, 2, 3, 1).flatten(1)
    for name in ("dense_24", "dense_25", "dense_26"):
        x = F.relu(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"])
    return x @ weights["dense_27/kernel"] + weights["dense_27/bias"]


def reference_gap(models: Path) -> float:
    """Largest difference from the reference outputs that come with the file."""
    rng = np.random.default_rng(20261121)
    images = rng.normal(0, 1, (6, 44, 44, 3)).astype(np.float32)
    expected = np.load(models / "reference.npz")[Path(FILE).stem]
    return float(np.abs(logits(read(models / FILE), images).numpy() - expected).max())
