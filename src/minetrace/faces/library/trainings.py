"""``minetrace.train``: a model from labelled chips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minetrace.flow.start import read_start
from minetrace.flow.train import Quiet, Trained
from minetrace.flow.train import train as learn
from minetrace.flow.train_study import StartStudy, TrainStudy


def train(
    study: str | Path | Mapping[str, Any], *, out: str | Path | None = None,
    start: str | Path | None = None, renormalise: bool = False, device: str = "auto",
) -> Trained:  # fmt: skip
    """Train a network on chips, or go on with it, and make a model of it.

    Args:
        study: a file, or its content: name, data, network and how it learns.
        out: folder of the training; ``runs/NAME`` if left out. What was begun there goes on.
        start: the folder of another training, whose weights this one begins with.
        renormalise: take the band statistics of the new chips, not those of ``start``.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.

    Returns:
        ``model``, the folder that `load_model` and a study take; ``card``, with the figures on
        chips held out; ``looks``, the course of each network; ``report``, the page.

    Raises:
        StudyError: a key is unknown, missing, or of the wrong kind.
        LeakageError: the split leaks, and the study does not say why it is meant.
        DataSetError: the chips cannot be used, or none is to be trained on.
        MissingExtraError: torch is not installed.
        ModelError: the network cannot be made, does not learn, or exports to something else.
    """
    if isinstance(study, Mapping):
        asked = TrainStudy.of(study, base=Path.cwd())
    else:
        asked = TrainStudy.read(study)
    if start is not None:
        read_start(Path(start))  # before the first chip is read
        begun = StartStudy(path=Path(start).resolve(), renormalise=renormalise)
        asked = asked.model_copy(update={"start": begun})
    return learn(asked, Path(out or Path("runs") / asked.name), watch=Quiet(), device=device)
