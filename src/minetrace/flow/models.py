"""What a study or a user calls a model, and the scorer behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minetrace.core.bands import nearest
from minetrace.core.model import ModelCard, Scorer
from minetrace.errors import ModelError
from minetrace.models import registry
from minetrace.predict.executors import REFERENCE, Device
from minetrace.predict.onnx import OnnxScorer
from minetrace.predict.spectral import Spectral

SPECTRAL = "spectral"


def model_names() -> tuple[str, ...]:
    """Every name that may stand for a model."""
    return (SPECTRAL, *(entry.name for entry in registry.entries()))


def open_model(
    name: str | None, path: Path | None, bands: Sequence[str], device: Device = "cpu"
) -> Scorer:
    """The scorer of a name or a path; exactly one of them is given.

    Args:
        name: ``spectral``, or a model of the registry.
        path: a model folder or zip.
        bands: what the imagery has; ``spectral`` makes do with what is there.
        device: what a network runs on; ``spectral`` is none.

    Raises:
        ModelError: nothing has that name, the file is no model, or it runs on no such device.
        MissingFileError: the path is not there.
        MissingExtraError: the device is not to be had.
    """
    if path is not None:
        return OnnxScorer.open(path, device=device)
    if name == SPECTRAL and device == "cuda":
        raise ModelError("model spectral is no network and runs on the CPU; leave out --device")
    if name == SPECTRAL:
        return Spectral.over(bands)
    refuse_unknown(str(name))
    return OnnxScorer.open(registry.path_of(str(name)), device=device)


def executor_of(scorer: Scorer) -> str:
    """What a scorer runs on: ``cpu``, the reference, or what was asked for in its place."""
    return scorer.executor.name if isinstance(scorer, OnnxScorer) else REFERENCE.name


def not_for(card: ModelCard) -> str:
    """What a shipped model must not be believed on; empty for a model of somebody else."""
    named = (entry for entry in registry.entries() if entry.sha256 == card.sha256)
    return next((entry.not_for for entry in named), "")


def refuse_unknown(name: str) -> None:
    """Check that something has a name.

    Raises:
        ModelError: nothing has.
    """
    known = model_names()
    if name not in known:
        hint = nearest(name, known)
        raise ModelError(
            f"no model is called {name!r}; "
            + (f"did you mean {hint!r}? The" if hint else "the")
            + f" names are {', '.join(known)}; give one of them, or the path of a model "
            "folder or zip"
        )
