"""Several processes learn what one would, and the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch
from torch import nn

from minetrace.chips.open_set import open_data_set
from minetrace.chips.options import SetOptions
from minetrace.errors import ModelError
from minetrace.models.crew import crew_of
from minetrace.models.crops import Drawer, Pool
from minetrace.models.distortion import Distortion
from minetrace.models.loop import Task, fit_network
from minetrace.models.losses import Loss
from minetrace.models.survey import survey
from minetrace.models.training import Training
from minetrace.testing.chips import write_square_chips

BANDS = ("blue", "green", "red")
HOW = Training(window=32, batch=4, steps=6, every=3, rate=0.01, memory=0.7, seed=3)


def net() -> nn.Module:
    """Without batch statistics, so that a batch may be cut in two."""
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))


def task(chips: Path, how: Training = HOW) -> Task:
    data = open_data_set(chips, SetOptions(bands=BANDS))
    seen = survey(data.split("train"), BANDS)
    draw = Drawer(Pool(data.split("train"), seen), how.window, how.batch, how.balance, how.seed)
    return Task(how, Loss(), Distortion(), draw, Pool(data.split("val"), seen), repr(how))


def weights(trained: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.parameters()])


def test_two_processes_learn_what_one_learns_with_double_the_batches(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    chips = write_square_chips(tmp_path / "chips.npz")
    two = [fit_network(net, task(chips), tmp_path / name, processes=2) for name in ("a", "b")]
    one, looks = fit_network(net, task(chips, replace(HOW, accumulate=2)), tmp_path / "c")
    assert torch.equal(weights(two[0][0]), weights(two[1][0]))
    assert weights(two[0][0]) == pytest.approx(weights(one), abs=1e-5)
    assert not torch.allclose(weights(one), weights(net()), atol=1e-2)
    for ours, theirs in zip(two[0][1], looks, strict=True):
        assert (ours.step, ours.loss) == (theirs.step, pytest.approx(theirs.loss, abs=1e-5))
        assert ours.val_iou == pytest.approx(theirs.val_iou, abs=1e-4)


def test_more_processes_than_gpus_are_refused() -> None:
    with pytest.raises(ModelError, match="need 99 GPUs"), crew_of(99, "cuda", print):
        pass
