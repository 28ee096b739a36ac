"""Training on made chips: it learns, and the same seed learns the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch

from minetrace.core.metrics import roc_auc
from minetrace.models.augment import Augmentation, augmented, under_cloud
from minetrace.models.fit import Recipe, fit
from minetrace.models.patch_net import PatchNet, logits_of

AIR = Augmentation(air=(0.07, 0.11, 0.21), hole=(0.2, 0.25, 0.3))
QUICK = Recipe(AIR, steps=40, batch=16, rate=1e-2, memory=0.8, widths=(16, 16, 16, 16))


def made_chips(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Forest, and forest with bright scars."""
    rng = np.random.default_rng(5)
    pixels = rng.normal((55, 75, 85), 4, (n, 48, 48, 3))
    label = np.arange(n) % 2 == 0
    for chip in np.flatnonzero(label):
        row, col = rng.integers(10, 30, 2)
        pixels[chip, row : row + 8, col : col + 8] = rng.normal((190, 170, 150), 20, (8, 8, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2).copy(), label


@pytest.fixture(scope="module")
def trained() -> PatchNet:
    pixels, label = made_chips(64)
    return fit(pixels, label, np.ones(64), QUICK, seed=1)


def test_scars_are_learnt(trained: PatchNet) -> None:
    pixels, label = made_chips(80)
    score = logits_of(trained, (pixels[64:] / np.float32(255)).astype(np.float32))
    assert roc_auc(label[64:], score) > 0.9


def test_the_same_seed_gives_the_same_weights(trained: PatchNet) -> None:
    pixels, label = made_chips(64)
    losses: list[float] = []
    again = fit(pixels, label, np.ones(64), QUICK, seed=1, on_step=lambda _, x: losses.append(x))
    assert len(losses) == QUICK.steps
    for one, other in zip(trained.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_augmentation_keeps_shape_range_and_seed() -> None:
    pixels, _ = made_chips(16)
    x = torch.from_numpy(pixels).float() / 255
    one, other = (augmented(x, AIR, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert one.shape == x.shape
    assert 0 <= one.min() < one.max() <= 1
    assert not torch.equal(one, x)


def test_cloud_only_brightens_forest_and_nothing_thick_is_asked_for() -> None:
    pixels, _ = made_chips(16)
    x = torch.from_numpy(pixels).float() / 255
    veiled = under_cloud(x, torch.Generator().manual_seed(3), thickest=0.5)
    forest = x < 0.5
    assert (veiled[forest] >= x[forest] - 1e-6).all()
    assert (veiled - (0.5 * x + 0.5 * 1.1)).max() <= 1e-5
