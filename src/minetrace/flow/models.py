"""What a study or a user calls a model, and the scorer behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minetrace.core.model import ModelCard, Scorer
from minetrace.errors import ModelError, UserError
from minetrace.flow.named_models import SPECTRAL, entries, place_of
from minetrace.models import registry
from minetrace.predict.executors import REFERENCE, Device
from minetrace.predict.onnx import OnnxScorer
from minetrace.predict.spectral import Spectral


def open_model(
    name: str | None, path: Path | None, bands: Sequence[str], device: Device = "cpu"
) -> Scorer:
    """The scorer of a name or a path; exactly one of them is given.

    Args:
        name: ``spectral``, or one of `minetrace.flow.named_models`.
        path: a model folder or zip.
        bands: what the imagery has; ``spectral`` makes do with what is there.
        device: what a network runs on; ``spectral`` is none.

    Raises:
        ModelError: nothing has that name, the file is no model, or it runs on no such device.
        MissingFileError: the path is not there.
        MissingExtraError: the device is not to be had.
        ReadFailedError: the model lies at an address and cannot be fetched this time.
    """
    if path is not None:
        return OnnxScorer.open(path, device=device)
    if name == SPECTRAL and device == "cuda":
        raise ModelError("model spectral is no network and runs on the CPU; leave out --device")
    if name == SPECTRAL:
        return Spectral.over(bands)
    return OnnxScorer.open(place_of(str(name)), device=device)


def executor_of(scorer: Scorer) -> str:
    """What a scorer runs on: ``cpu``, the reference, or what was asked for in its place."""
    return scorer.executor.name if isinstance(scorer, OnnxScorer) else REFERENCE.name


def not_for(card: ModelCard, name: str | None = None) -> str:
    """What a model must not be believed on, by its name or its network; empty if nobody says."""
    try:
        known = entries()
    except UserError:  # a list of one's own stops only those who ask for a model by name
        known = registry.entries()
    by_name = {one.name: one.not_for for one in known}
    by_network = {one.sha256: one.not_for for one in known}
    return by_name.get(str(name), by_network.get(card.sha256, ""))
