"""The loop that trains any network on chips, and goes on from any kill.

A step is a function of the weights before it, the seed and its own number: batches, distortions
and dropout are drawn from generators seeded anew for every step. So a training that was killed and
goes on from its last state ends, on one machine and number of threads, with the weights that it
would have ended with. Needs torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from minetrace.errors import ModelError
from minetrace.models.checkpoint import Checkpoint, Weights, read_checkpoint, write_checkpoint
from minetrace.models.crew import Crew, crew_of
from minetrace.models.crops import Drawer, Pool
from minetrace.models.distort import distorted
from minetrace.models.distortion import Distortion
from minetrace.models.losses import Loss
from minetrace.models.training import Look, Training, best, finished, rate_at
from minetrace.models.training_log import write_board, write_log
from minetrace.models.validation import NO_AGREEMENT, Agreement, agreement

STATE = "state.pt"


class Watch(Protocol):
    """Who wants to know how far a training is."""

    def step(self, step: int, loss: float) -> None:
        """A step is done."""
        ...

    def look(self, look: Look) -> None:
        """The validation part was looked at."""
        ...


@dataclass(frozen=True)
class Task:
    """What is trained on what.

    Attributes:
        how: the settings.
        loss: what is minimised.
        distortion: how crops are changed.
        draw: the training part.
        validation: chips that are looked at and not trained on, None for none.
        recipe: a fingerprint of all this and of the network, for the state on disk.
    """

    how: Training
    loss: Loss
    distortion: Distortion
    draw: Drawer
    validation: Pool | None
    recipe: str


def fit_network(
    build: Callable[[], nn.Module], task: Task, folder: Path, *, watch: Watch | None = None,
    device: str = "cpu", processes: int = 1,
) -> tuple[nn.Module, tuple[Look, ...]]:  # fmt: skip
    """Train a network, or go on with it, or only load it if it is done.

    Args:
        build: makes it; its weights are drawn from torch's generator, seeded here.
        task: everything else.
        folder: holds ``state.pt`` and ``log.csv``.
        watch: told of every step and every look.
        device: ``cpu`` or ``cuda``.
        processes: that share the work, each on batches of its own; a GPU each.

    Returns:
        The network with the weights to keep, on the CPU, and the looks.

    Raises:
        ModelError: the folder holds the state of another training, or the loss is not finite.
    """
    torch.manual_seed(task.how.seed)
    net = build()
    state = read_checkpoint(folder / STATE, task.recipe)
    if state is None or not _done(state, task.how):
        others = partial(_take_part, build, task, folder)
        with crew_of(processes, device, others) as (crew, own):
            state = _Run(net, task, folder, watch, own, crew).go(state)
    net = net.cpu()
    net.load_state_dict(state.best)
    return net.eval(), state.looks


def _take_part(
    build: Callable[[], nn.Module], task: Task, folder: Path, crew: Crew, device: str
) -> None:
    """What a process besides the first one does of a training."""
    torch.manual_seed(task.how.seed)
    net, state = build(), read_checkpoint(folder / STATE, task.recipe)
    _Run(net, task, folder, None, device, crew).go(state)


def _done(state: Checkpoint, how: Training) -> bool:
    return state.step >= how.steps or finished(state.looks, how)


class _Run:
    """One training under way."""

    def __init__(
        self, net: nn.Module, task: Task, folder: Path, watch: Watch | None, device: str,
        crew: Crew,
    ) -> None:  # fmt: skip
        self.layout, self.crew = _layout(net), crew
        net = net.to(device).to(memory_format=self.layout)  # type: ignore[call-overload]
        self.net, self.task, self.how = net, task, task.how
        self.folder, self.watch, self.device = folder, watch, device
        self.optimiser = torch.optim.AdamW(
            net.parameters(), task.how.rate, weight_decay=task.how.decay
        )
        self.scaler = torch.amp.GradScaler(
            device.split(":")[0], enabled=task.how.precision == "fp16"
        )
        joined = crew.joined(net)
        self.called: nn.Module = (
            torch.compile(joined) if task.how.compiled else joined  # type: ignore[assignment]
        )
        self.joined = joined
        self.mean: Weights = {k: v.clone() for k, v in net.state_dict().items()}
        self.best, self.start = self.mean, 0
        self.looks: tuple[Look, ...] = ()
        if task.how.precision == "fp16" and device == "cpu":
            raise ModelError("precision fp16 needs a GPU; choose bf16 or fp32")

    def go(self, state: Checkpoint | None) -> Checkpoint:
        if state is not None:
            self._take_up(state)
        began = time.monotonic() - (self.looks[-1].seconds if self.looks else 0.0)
        losses: list[float] = []
        for step, batches in self._batches():
            rate = rate_at(step, self.how, self.looks)
            losses.append(self._step(step, batches, rate))
            if self.watch:
                self.watch.step(step, losses[-1])
            if (step + 1) % self.how.every == 0 or step + 1 == self.how.steps:
                self._look(step + 1, float(np.mean(losses)), rate, time.monotonic() - began)
                losses = []
                if finished(self.looks, self.how):
                    break
        return self._state(self.looks[-1].step)

    def _batches(self) -> Iterator[tuple[int, list[tuple[Any, Any]]]]:
        """The batches of each step, drawn one step ahead."""
        with ThreadPoolExecutor(1, thread_name_prefix="draw") as thread:
            ahead = thread.submit(self._drawn, self.start)
            for step in range(self.start, self.how.steps):
                now = ahead.result()
                if step + 1 < self.how.steps:
                    ahead = thread.submit(self._drawn, step + 1)
                yield step, now

    def _drawn(self, step: int) -> list[tuple[Any, Any]]:
        return [self.task.draw(number) for number in self._numbers(step)]

    def _numbers(self, step: int) -> list[int]:
        """Of this process's batches in a step, among those of all."""
        many = self.how.accumulate
        first = (step * self.crew.count + self.crew.rank) * many
        return [first + part for part in range(many)]

    def _step(self, step: int, batches: list[tuple[Any, Any]], rate: float) -> float:
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        survey = self.task.draw.pool.survey
        for number, (pixels, masks) in zip(self._numbers(step), batches, strict=True):
            draw = torch.Generator().manual_seed(_seed(self.how.seed, number))
            torch.manual_seed(_seed(self.how.seed + 1, number))  # of dropout
            chips, known = torch.from_numpy(pixels), torch.from_numpy(masks)
            x, target = distorted(chips, known, self.task.distortion, survey, draw)
            x, target = x.to(self.device, memory_format=self.layout), target.to(self.device)
            with self._unless_last(number, step):
                with self._precision():
                    logits = self._answer(x)
                loss = self.task.loss(logits.float(), target) / len(batches)
                self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        total = self.crew.mean(total, self.device)
        if not np.isfinite(total):
            raise ModelError(f"the loss is {total} at step {step}; lower the rate, or clip more")
        self._move(rate)
        self._remember(step)
        return total

    def _answer(self, x: torch.Tensor) -> torch.Tensor:
        try:
            logits: torch.Tensor = self.called(x)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise ModelError(
                "this network normalises over a batch, and learns nothing from one crop at a time; "
                "say fit.batch: 2 or more"
            ) from error
        return logits

    def _move(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.scaler.unscale_(self.optimiser)
        if self.how.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.how.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()

    def _unless_last(self, number: int, step: int) -> AbstractContextManager[Any]:
        """Gradients are averaged over the processes once a step, with its last batch."""
        if self.crew.count == 1 or number == self._numbers(step)[-1]:
            return nullcontext()
        waits: AbstractContextManager[Any] = self.joined.no_sync()  # type: ignore[operator]
        return waits

    def _precision(self) -> AbstractContextManager[Any]:
        if self.how.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self.how.precision == "bf16" else torch.float16
        return torch.autocast(self.device.split(":")[0], kind)

    def _remember(self, step: int) -> None:
        memory = min(self.how.memory, (step + 1) / (step + 10)) if self.how.memory else 0.0
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.mean[name].lerp_(value, 1 - memory)
                else:
                    self.mean[name].copy_(value)

    def _look(self, step: int, loss: float, rate: float, seconds: float) -> None:
        found = self.crew.told(self._agreement() if self.crew.leads else None)
        look = Look(step, loss, rate, found.loss, found.iou, seconds)
        self.looks = (*self.looks, look)
        if self.how.keep == "last" or best(self.looks) == look:
            self.best = {k: v.clone() for k, v in self.mean.items()}
        if not self.crew.leads:
            return
        write_checkpoint(self.folder / STATE, self._state(step))
        write_log(self.folder, self.looks)
        write_board(self.folder, look)
        if self.watch:
            self.watch.look(look)

    def _agreement(self) -> Agreement:
        """That of the running mean, which is what is kept."""
        if self.task.validation is None:
            return NO_AGREEMENT
        held = {k: v.clone() for k, v in self.net.state_dict().items()}
        self.net.load_state_dict(self.mean)
        try:
            return agreement(self.net, self.task.validation, self.how.window, self.how.batch,
                             self.task.loss)  # fmt: skip
        finally:
            self.net.load_state_dict(held)

    def _state(self, step: int) -> Checkpoint:
        return Checkpoint(self.task.recipe, step, self.net.state_dict(), self.mean, self.best,
                          self.optimiser.state_dict(), self.looks,
                          self.scaler.state_dict())  # fmt: skip

    def _take_up(self, state: Checkpoint) -> None:
        self.net.load_state_dict(state.net)
        self.mean = {k: v.to(self.device) for k, v in state.mean.items()}
        self.best = {k: v.to(self.device) for k, v in state.best.items()}
        self.optimiser.load_state_dict(state.optimiser)
        if state.scaler:
            self.scaler.load_state_dict(state.scaler)
        self.looks, self.start = state.looks, state.step


def _layout(net: nn.Module) -> torch.memory_format:
    """Channels last, a third faster on a CPU, unless kernels have an axis more, as ours by ways."""
    ways = any(value.dim() > 4 for value in net.parameters())
    return torch.contiguous_format if ways else torch.channels_last


def _seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
