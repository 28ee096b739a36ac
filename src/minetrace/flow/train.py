"""From chips to a model that runs: audit, training, calibration, export, card, report.

The audit comes first: a split that leaks is not trained on unless the study says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from minetrace.core.data_set import IGNORE, DataSet
from minetrace.core.model import ModelCard
from minetrace.core.provenance import fingerprint
from minetrace.errors import DataSetError
from minetrace.flow.data_sets import AuditedSet, audited, write_audit
from minetrace.flow.start import Start, read_start
from minetrace.flow.train_study import TrainStudy
from minetrace.models.machine import Machine, device_of, need_torch
from minetrace.models.survey import Survey, survey
from minetrace.models.training import Look
from minetrace.predict.model_file import write_model
from minetrace.store.files import write_text

if TYPE_CHECKING:
    from torch import nn

    from minetrace.models.crops import Pool
    from minetrace.models.finishing import FinishedModel
    from minetrace.models.loop import Task

MODEL, REPORT, STUDY = "model", "report.html", "study.yaml"
CALL_PX = 464  # beyond the window, that a dense model is given in one call
TRIED_WEIGHTS = 100_000_000  # writing more than these as a graph takes minutes and gigabytes
PIXELS_VALID = 0.5  # share of a window that must be seen; networks learn what a hole looks like


class TrainWatch(Protocol):
    """Who is told how a training goes on."""

    def begin(self, title: str, steps: int) -> None:
        """A network begins to learn, or goes on."""
        ...

    def step(self, step: int, loss: float) -> None:
        """A step is done."""
        ...

    def look(self, look: Look) -> None:
        """The validation part was looked at."""
        ...

    def end(self) -> None:
        """The network is done."""
        ...

    def note(self, text: str) -> None:
        """Something worth knowing."""
        ...


class Quiet:
    """Tells nobody."""

    def begin(self, title: str, steps: int) -> None:
        """Say nothing."""

    def step(self, step: int, loss: float) -> None:
        """Say nothing."""

    def look(self, look: Look) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        model: the model folder.
        card: its card.
        looks: of each network.
        report: the page about it.
        doubts: why its probabilities may be far off, a line each.
    """

    model: Path
    card: ModelCard
    looks: tuple[tuple[Look, ...], ...]
    report: Path
    doubts: tuple[str, ...] = ()


def train(
    study: TrainStudy, out: Path, *, watch: TrainWatch | None = None, device: str = "auto",
    processes: int = 1,
) -> Trained:  # fmt: skip
    """Train what a study asks for, or go on with it.

    Args:
        study: what is asked.
        out: the folder of the training; what was begun there goes on.
        watch: told how it goes.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        processes: that share each network's work, a GPU each; each takes ``fit.batch`` crops.

    Raises:
        LeakageError: the split leaks, and the study does not say why it is meant.
        DataSetError: the chips cannot be used, or none is to be trained on.
        MissingExtraError: torch is not installed.
        ModelError: the network cannot be made, does not learn, or exports to something else.
    """
    need_torch()
    place = device_of(device)
    watch = watch or Quiet()
    chips = audited(study.data)
    _need_chips(chips.data)
    asked = _Asked.of(study, chips.data, out, Machine(place, processes))
    asked.refuse_others()  # before the study and the audit of what is there are written over
    asked.refuse_unwritable()
    write_audit(out, chips.audit)
    write_text(out / STUDY, study.dump())
    watch.note(f"{chips.data.name}: {_counted(chips.data)}; {chips.audit.verdict}")
    learnt = _learn(study, asked, watch)
    return _write(study, chips, learnt, out)


@dataclass(frozen=True)
class Learnt:
    """Networks with the chips that they were trained and finished on."""

    nets: tuple[nn.Module, ...]
    looks: tuple[tuple[Look, ...], ...]
    survey: Survey
    parts: dict[str, Pool]
    model: FinishedModel


def _need_chips(data: DataSet) -> None:
    if not len(data.split("train")):
        raise DataSetError(
            f"{data.name}: no chip is in the part 'train' ({_counted(data)}); say how to divide it "
            "(data.split: {kind: blocks}), or give lists (data.split: {kind: lists, lists: […]})"
        )


def _counted(data: DataSet) -> str:
    return ", ".join(f"{n:,} {name or 'in no part'}" for name, n in data.splits.items())


@dataclass(frozen=True)
class _Member:
    """One network that is to learn, in a folder of its own."""

    title: str
    folder: Path
    make: Callable[[], nn.Module]
    task: Task


@dataclass(frozen=True)
class _Asked:
    """Everything that is to be trained, and nothing on disk yet."""

    members: tuple[_Member, ...]
    survey: Survey
    parts: dict[str, Pool]
    machine: Machine

    @classmethod
    def of(cls, study: TrainStudy, data: DataSet, out: Path, machine: Machine) -> _Asked:
        from minetrace.models.crops import Pool

        network = study.network.network()
        start = read_start(study.start.path) if study.start else None
        bands = start.bands(study.bands) if start else study.bands or data.bands
        seen = replace(survey(data.split("train"), bands), full=network.full_scale)
        if start and study.start and not study.start.renormalise:
            seen = start.kept(seen)
        whole = network.output == "patch"
        parts = {name: Pool(data.split(name), seen, whole) for name in ("train", "val", "test")}
        members = tuple(
            _member(study, data, parts, out, machine, number, start)
            for number in range(study.network.members)
        )
        return cls(members, seen, parts, machine)

    def refuse_others(self) -> None:
        """Check that what was begun in the folders was begun from the same recipe.

        Raises:
            ModelError: it was not.
        """
        from minetrace.models.checkpoint import read_checkpoint
        from minetrace.models.loop import STATE

        for member in self.members:
            read_checkpoint(member.folder / STATE, member.task.recipe)

    def refuse_unwritable(self) -> None:
        """Write an untrained network as a graph: one that has none should not be trained first.

        Raises:
            ModelError: it cannot be written.
        """
        from minetrace.models.calibration import Calibration
        from minetrace.models.torch_export import Finished, files_of

        first = self.members[0]
        net = first.make().eval()
        if sum(weight.numel() for weight in net.parameters()) <= TRIED_WEIGHTS:
            finished = Finished((net,), Calibration(1.0, 0.0))
            files_of(finished, len(self.survey.bands), first.task.draw.side)


def _learn(study: TrainStudy, asked: _Asked, watch: TrainWatch) -> Learnt:
    from minetrace.models.finishing import finish

    trained = [_fitted(member, watch, asked.machine) for member in asked.members]
    nets = tuple(net for net, _ in trained)
    model = finish(nets, asked.parts["val"], side=study.fit.window, way=study.finish.calibration,
                   rule=study.finish.threshold)  # fmt: skip
    looks = tuple(looks for _, looks in trained)
    return Learnt(nets, looks, asked.survey, asked.parts, model)


def _fitted(
    member: _Member, watch: TrainWatch, machine: Machine
) -> tuple[nn.Module, tuple[Look, ...]]:
    from minetrace.models.loop import fit_network

    watch.begin(member.title, member.task.how.steps)
    try:
        return fit_network(member.make, member.task, member.folder, watch=watch,
                           device=machine.device, processes=machine.processes)  # fmt: skip
    finally:
        watch.end()


def _member(
    study: TrainStudy, data: DataSet, parts: dict[str, Pool], out: Path, machine: Machine,
    number: int, start: Start | None,
) -> _Member:  # fmt: skip
    """One network; of several, each sees chips drawn anew from the training part."""
    from minetrace.models.architectures import build
    from minetrace.models.checkpoint import begun
    from minetrace.models.crops import Drawer
    from minetrace.models.loop import Task
    from minetrace.models.losses import Loss

    several = study.network.members > 1
    how = replace(study.fit.training(), seed=study.fit.seed + number)
    seen = parts["train"].survey
    rng = np.random.default_rng([how.seed, number])
    count = len(parts["train"])
    bagged = several and study.network.bagged
    picked = tuple(map(int, rng.integers(count, size=count))) if bagged else ()
    loss, distortion = Loss(**dict(study.loss)), study.augment.distortion()
    network, logits = replace(study.network.network(), band_names=seen.bands), _logits(data)
    recipe = fingerprint([data.version, seen.bands, asdict(network), logits, asdict(how),
                          dict(study.loss), asdict(distortion), picked,
                          *([machine.processes] if machine.processes > 1 else []),
                          *([start.fingerprint, list(seen.mean)] if start else [])])  # fmt: skip
    draw = Drawer(parts["train"], how.window, how.batch, how.balance, how.seed, picked,
                  how.source_power)  # fmt: skip
    task = Task(how, loss, distortion, draw, parts["val"] if len(parts["val"]) else None, recipe)
    make: Callable[[], nn.Module] = partial(build, network, len(seen.bands), logits, how.window)
    if start:
        make = partial(begun, make, start.state(number))
    return _Member(
        f"member {number + 1}" if several else study.name,
        out / f"member{number}" if several else out, make, task,
    )  # fmt: skip


def _logits(data: DataSet) -> int:
    return 1 if len(data.classes) == 2 else len(data.classes)


def _write(study: TrainStudy, chips: AuditedSet, learnt: Learnt, out: Path) -> Trained:
    from minetrace.flow.train_report import write_report
    from minetrace.models.finishing import figures

    side = study.fit.window
    metrics = {
        {"val": "validation"}.get(name, name): figures(
            learnt.nets, pool, side, learnt.model, chips.data.classes[1:]
        )
        for name, pool in learnt.parts.items() if name != "train" and len(pool)
    }  # fmt: skip
    made = _made(study, chips, learnt)
    card = _card(study, chips.data, learnt, {**metrics, **made})
    card = write_model(out / MODEL, learnt.model.onnx, card, learnt.model.weights)
    report, said = out / REPORT, _doubts(learnt)
    write_report(report, card, chips, learnt.looks, out / MODEL, said)
    return Trained(out / MODEL, card, learnt.looks, report, said)


def _doubts(learnt: Learnt) -> tuple[str, ...]:
    """Why what was calibrated may be far off; what was not says so by itself."""
    from minetrace.models.calibration import doubts

    if not learnt.model.calibrated:
        return ()
    pool = learnt.parts["val"]
    masks = (pool[number][1] for number in range(len(pool)))
    mined = sum(bool(((mask > 0) & (mask != IGNORE)).any()) for mask in masks)
    return tuple(doubts(learnt.model.calibration, len(pool), mined))


def _made(study: TrainStudy, chips: AuditedSet, learnt: Learnt) -> dict[str, Any]:
    """How the model was made, for its card."""
    return {
        "training": {
            "chips": len(learnt.parts["train"]), "version": chips.data.version,
            "audit": chips.audit.verdict, "network": study.network.said(),
            **({"start": study.start.path.name} if study.start else {}),
            "steps": learnt.looks[0][-1].step if learnt.looks[0] else 0,
            "seconds": round(sum(looks[-1].seconds for looks in learnt.looks if looks)),
        },
        "export": {
            "parity": learnt.model.parity, "slope": round(learnt.model.calibration.slope, 6),
            "shift": round(learnt.model.calibration.shift, 6),
            "curve": [list(knot) for knot in learnt.model.calibration.knots],
        },
    }  # fmt: skip


def _card(study: TrainStudy, data: DataSet, learnt: Learnt, metrics: dict[str, Any]) -> ModelCard:
    network, window = study.network.network(), study.fit.window
    output, dense = network.output, network.stride
    patch = output == "patch"
    classes = (*data.classes[1:], *(("spread",) if learnt.model.spread else ()))
    default = dense or (window // 2 if patch else max(1, window * 3 // 4))
    return ModelCard(
        name=study.name, bands=learnt.survey.bands, window=window,
        stride=study.finish.stride or default, output=output,
        extent="footprint" if patch else "mined", threshold=learnt.model.threshold,
        classes=classes, scaling=learnt.survey.scaling, fill=learnt.survey.fill,
        min_valid_share=0.9 if patch else PIXELS_VALID, level=data.level,
        resolution_m=data.resolution_m, calibrated=learnt.model.calibrated,
        licence=study.licence, description=study.description, data=data.data, metrics=metrics,
        call_px=window + dense * (CALL_PX // dense) if dense else 0,
    )  # fmt: skip
