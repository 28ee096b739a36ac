"""What a PyTorch checkpoint holds: tensors by key, and what its makers noted beside them.

Always read as weights only. A checkpoint of a training framework also pickles objects of classes
that are not installed here; they are read as `Nothing`, so that no code is run, neither of the file
nor any that it names. Needs torch.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minetrace.errors import MissingFileError, ModelError, NoPermissionError

_WEIGHTS = ("state_dict", "model_state_dict", "model", "net")
_WRAPPERS = ("module.", "_orig_mod.")  # of several GPUs, and of torch.compile


@dataclass(frozen=True)
class Archive:
    """A checkpoint.

    Attributes:
        name: the file's name without its ending.
        tensors: weights by their keys, without the prefixes of wrappers.
        notes: what else lies beside the weights at the top.
    """

    name: str
    tensors: Mapping[str, Tensor]
    notes: Mapping[str, Any]


class Nothing:
    """Stands for an object whose class is not to be had: takes anything, does nothing."""

    def __init__(self, *args: object, **named: object) -> None:
        """Take anything."""

    def __setstate__(self, state: object) -> None:
        """Forget it."""


def read_archive(path: Path) -> Archive:
    """Read a checkpoint, such as ``epoch_100.pth``.

    Raises:
        MissingFileError: it is not there.
        ModelError: it is no checkpoint, or holds no weights by key.
        NoPermissionError: it may not be read.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; give a PyTorch checkpoint")
    try:
        held = _load(path)
    except PermissionError as error:
        raise NoPermissionError(f"{path}: may not be read; ask its owner") from error
    except (
        RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError,
        pickle.UnpicklingError,
    ) as error:  # fmt: skip
        said = _reason(" ".join(str(error).split()))
        raise ModelError(
            f"{path}: cannot be read as the weights of a PyTorch checkpoint ({said}); get it "
            "again, or save the weights alone with torch.save(model.state_dict(), 'name.pth')"
        ) from error
    tensors, notes = _weights(held)
    if not tensors:
        raise ModelError(
            f"{path}: holds no weights by key, at its top or under {', '.join(_WEIGHTS)}; save "
            "them with torch.save(model.state_dict(), 'name.pth')"
        )
    return Archive(path.stem, tensors, notes)


def _reason(said: str) -> str:
    """What torch says, without its advice to let the file run what it holds."""
    named = re.search(r"unsupported GLOBAL (\S+)", said)
    return f"it would run {named[1]}, and nothing in a file is run" if named else said[:160]


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        blanks: list[Any] = [(Nothing, name) for name in unknown]
        with torch.serialization.safe_globals(blanks):
            return torch.load(path, map_location="cpu", weights_only=True)


def _weights(held: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not isinstance(held, Mapping):
        return {}, {}
    inner = next((held[key] for key in _WEIGHTS if isinstance(held.get(key), Mapping)), None)
    found = held if inner is None else inner
    tensors = {_bare(str(k)): v for k, v in found.items() if isinstance(v, Tensor)}
    notes = {} if inner is None else {k: v for k, v in held.items() if v is not inner}
    return tensors, notes


def _bare(key: str) -> str:
    for wrapper in _WRAPPERS:
        key = key.removeprefix(wrapper)
    return key
