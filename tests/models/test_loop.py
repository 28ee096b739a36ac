"""Training: it learns, and a kill changes no weight."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch
from torch import nn

from minetrace.chips.open_set import open_data_set
from minetrace.chips.options import SetOptions
from minetrace.errors import ModelError
from minetrace.models.checkpoint import read_checkpoint, write_checkpoint
from minetrace.models.crew import Crew
from minetrace.models.crops import Drawer, Pool
from minetrace.models.distortion import Distortion
from minetrace.models.loop import STATE, Task, _Run, fit_network
from minetrace.models.losses import Loss
from minetrace.models.survey import survey
from minetrace.models.training import Look, Training
from minetrace.models.training_log import BOARD, LOG
from minetrace.models.unet import UNet
from minetrace.testing.chips import write_square_chips

BANDS = ("blue", "green", "red")
QUICK = Training(window=32, batch=4, steps=24, every=8, rate=0.01, memory=0.7, seed=3)


def net() -> nn.Module:
    return UNet(3, width=8, depth=2, drop=0.2)


def task(chips: Path, how: Training = QUICK) -> Task:
    data = open_data_set(chips, SetOptions(bands=BANDS))
    seen = survey(data.split("train"), BANDS)
    draw = Drawer(Pool(data.split("train"), seen), how.window, how.batch, how.balance, how.seed)
    return Task(how, Loss(), Distortion(), draw, Pool(data.split("val"), seen), repr(how))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state = read_checkpoint(folder / STATE, repr(QUICK))
    assert state is not None
    return state.best


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_square_chips(tmp_path_factory.mktemp("chips") / "chips.npz")


@pytest.fixture(scope="module")
def whole(chips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    _, looks = fit_network(net, task(chips), folder)
    assert [look.step for look in looks] == [8, 16, 24]
    assert looks[-1].val_iou > 0.5
    return folder


class Stop:
    """Fails in the middle of a step, once the state has been kept."""

    def step(self, step: int, loss: float) -> None:
        if step == 13:
            raise KeyboardInterrupt

    def look(self, look: Look) -> None:
        """Say nothing."""


def test_a_training_that_was_stopped_ends_with_the_same_weights(
    chips: Path, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit_network(net, task(chips), tmp_path, watch=Stop())
    trained, looks = fit_network(net, task(chips), tmp_path)
    assert [look.step for look in looks] == [8, 16, 24]
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(tmp_path)[name]), name
        assert torch.equal(value, trained.state_dict()[name]), name
    log = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["step", "8", "16", "24"]


def test_a_real_kill_changes_no_weight(chips: Path, whole: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\nimport torch; torch.set_num_threads(1)\n"
        "from test_loop import fit_network, net, task\n"
        f"fit_network(net, task(Path({str(chips)!r})), Path({str(tmp_path)!r}))"
    )
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words) as process:
        until = time.monotonic() + 120
        while not (tmp_path / STATE).exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL  # it had not ended by itself
    fit_network(net, task(chips), tmp_path)
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(tmp_path)[name]), name


def test_the_factor_of_fp16_gradients_is_taken_up(chips: Path, tmp_path: Path) -> None:
    """As ``fp16`` on a GPU has it; the scaler itself works on a CPU too."""

    def begun() -> _Run:
        run = _Run(net(), task(chips), tmp_path, None, "cpu", Crew())
        run.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
        return run

    one, other = begun(), begun()
    for number, value in enumerate((float("inf"), 1.0, 1.0)):  # too large once, then two good steps
        for weight in one.net.parameters():
            weight.grad = torch.full_like(weight, value * one.scaler.get_scale())
        one.scaler.scale(torch.zeros(()))
        one._move(rate=0.01)
        one._remember(number)
    write_checkpoint(tmp_path / STATE, one._state(3))
    state = read_checkpoint(tmp_path / STATE, repr(QUICK))
    assert state is not None
    other._take_up(state)
    assert other.scaler.state_dict() == one.scaler.state_dict()
    assert other.scaler.get_scale() == 2.0**9  # not the 2**10 that it begins with
    plain = _Run(net(), task(chips), tmp_path, None, "cpu", Crew())
    assert plain._state(3).scaler == {}


def test_a_finished_training_is_loaded_and_not_trained_on(chips: Path, whole: Path) -> None:
    before = (whole / STATE).stat().st_mtime_ns
    again, looks = fit_network(net, task(chips), whole)
    assert (whole / STATE).stat().st_mtime_ns == before
    assert len(looks) == 3
    assert not again.training


def test_other_settings_do_not_go_on_from_a_state(chips: Path, whole: Path) -> None:
    with pytest.raises(ModelError, match="other settings"):
        fit_network(net, task(chips, replace(QUICK, rate=0.02)), whole)


def test_what_is_no_state_is_refused(chips: Path, tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="delete it to begin anew"):
        fit_network(net, task(chips), tmp_path)


@pytest.mark.parametrize(
    "how",
    [replace(QUICK, accumulate=2, clip=0.0, pace="plateau", memory=0.0),
     replace(QUICK, keep="last"), replace(QUICK, precision="bf16", pace="constant")],
)  # fmt: skip
def test_every_way_of_training_runs(chips: Path, tmp_path: Path, how: Training) -> None:
    short = replace(how, steps=3, every=2)
    _, looks = fit_network(net, task(chips, short), tmp_path)
    assert [look.step for look in looks] == [2, 3]


def test_half_precision_without_a_gpu_and_a_rate_that_bursts_are_refused(
    chips: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="needs a GPU"):
        fit_network(net, task(chips, replace(QUICK, precision="fp16")), tmp_path / "a")
    wild = replace(QUICK, rate=1e30, clip=0.0, pace="constant")
    with pytest.raises(ModelError, match="lower the rate"):
        fit_network(net, task(chips, wild), tmp_path / "b")


def test_a_network_that_needs_two_crops_at_a_time_says_so(chips: Path, tmp_path: Path) -> None:
    def pooled() -> nn.Module:
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1),
                             nn.Upsample(32))  # fmt: skip

    one = replace(QUICK, batch=1, steps=1)
    with pytest.raises(ModelError, match="2 or more"):
        fit_network(pooled, task(chips, one), tmp_path / "one")
    fit_network(pooled, task(chips, replace(one, batch=2)), tmp_path / "two")


def test_what_tensorboard_is_told_is_what_the_log_says(whole: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is absent: install minetrace[train]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its protocol buffers warn of
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        held = EventAccumulator(str(whole / BOARD)).Reload()
    with (whole / LOG).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in ("loss", "val_iou", "rate"):
        told = held.Scalars(name)
        assert [event.step for event in told] == [int(row["step"]) for row in rows]
        said = [float(row[name]) for row in rows]
        assert [event.value for event in told] == pytest.approx(said, rel=1e-4)


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler: g++")
@pytest.mark.skipif(not os.environ.get("MINETRACE_SLOW"),
                    reason="compiling takes a minute; set MINETRACE_SLOW=1 to run it")  # fmt: skip
def test_a_compiled_network_learns_what_it_learns_otherwise(
    chips: Path, whole: Path, tmp_path: Path
) -> None:
    how = replace(QUICK, compiled=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, looks = fit_network(net, task(chips, how), tmp_path)
    assert looks[-1].val_iou > 0.5
