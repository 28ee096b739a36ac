"""The state of a training on disk: written whole, read without running anything.

Needs torch.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minetrace.errors import ModelError
from minetrace.models.training import Look
from minetrace.store.files import write_whole

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a training needs to go on as if it had not stopped.

    Draws, augmentation and dropout are functions of the seed and the step, so no state of a
    generator is kept.

    Attributes:
        recipe: fingerprint of what is trained on what; another recipe must not go on from here.
        step: steps done.
        net: the weights.
        mean: their running mean.
        best: the weights to keep so far.
        optimiser: its state.
        looks: the looks so far.
        scaler: of the gradients in fp16, its factor and how long that has held; empty without one.
    """

    recipe: str
    step: int
    net: Weights
    mean: Weights
    best: Weights
    optimiser: dict[str, Any]
    looks: tuple[Look, ...]
    scaler: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """Write a state; the one before is replaced when this one is whole."""
    held = {**vars(state), "looks": [asdict(look) for look in state.looks]}
    write_whole(path, lambda part: torch.save(held, part))


def begun(build: Callable[[], nn.Module], path: Path) -> nn.Module:
    """A network with the weights that another training kept.

    Raises:
        ModelError: the weights are of another network.
    """
    net = build()
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["best"])
    except (RuntimeError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path}: its weights do not fit this network ({' '.join(str(error).split())[:200]}); "
            "ask for the same network, bands and classes as the training to begin from"
        ) from error
    return net


def read_checkpoint(path: Path, recipe: str) -> Checkpoint | None:
    """The state to go on from, None if there is none.

    Raises:
        ModelError: it is no state, or that of another recipe.
    """
    if not path.is_file():
        return None
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        looks = tuple(Look(**look) for look in held.pop("looks"))
        state = Checkpoint(**held, looks=looks)
    except (
        RuntimeError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        raise ModelError(f"{path}: is no state of a training; delete it to begin anew") from error
    if state.recipe != recipe:
        raise ModelError(
            f"{path}: was begun with other settings or other chips; give another --out, or delete "
            "that folder to begin anew"
        )
    return state
