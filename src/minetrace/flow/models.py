"""What a study or a user calls a model, and the scorer behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minetrace.core.model import Scorer
from minetrace.models import registry
from minetrace.predict.onnx import OnnxScorer
from minetrace.predict.spectral import Spectral

SPECTRAL = "spectral"


def model_names() -> tuple[str, ...]:
    """Every name that may stand for a model."""
    return (SPECTRAL, *(entry.name for entry in registry.entries()))


def open_model(name: str | None, path: Path | None, bands: Sequence[str]) -> Scorer:
    """The scorer of a name or a path; exactly one of them is given.

    Args:
        name: ``spectral``, or a model of the registry.
        path: a model folder or zip.
        bands: what the imagery has; ``spectral`` makes do with what is there.

    Raises:
        ModelError: nothing has that name, or the file is no model.
        MissingFileError: the path is not there.
    """
    if path is not None:
        return OnnxScorer.open(path)
    if name == SPECTRAL:
        return Spectral.over(bands)
    return OnnxScorer.open(registry.path_of(str(name)))
