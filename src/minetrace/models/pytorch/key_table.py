"""Which weight of a checkpoint goes where, and whether all of them do.

A table is made for the sizes that a file shows, so that what is wrong can be said in the file's own
keys. Needs torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from minetrace.errors import ModelError

_COUNTER = "num_batches_tracked"  # of a normalisation; says nothing of what a network answers
_SHOWN = 4


@dataclass(frozen=True)
class Entry:
    """One weight.

    Attributes:
        source: its key in the checkpoint.
        targets: the keys in our network; of several, the weight is cut into as many equal parts.
    """

    source: str
    targets: tuple[str, ...]


def layer(source: str, target: str, *parts: str) -> tuple[Entry, ...]:
    """The entries of a layer: ``weight`` and ``bias`` unless other parts are named."""
    return tuple(
        Entry(f"{source}.{part}", (f"{target}.{part}",)) for part in parts or ("weight", "bias")
    )


def norm(source: str, target: str) -> tuple[Entry, ...]:
    """The entries of a batch normalisation."""
    return layer(source, target, "weight", "bias", "running_mean", "running_var")


def fitted(
    table: Sequence[Entry], tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor],
    ignored: Sequence[str] = (),
) -> dict[str, Tensor]:  # fmt: skip
    """The weights of our network out of a checkpoint.

    Args:
        table: of every weight.
        tensors: of the checkpoint.
        wanted: the state of our network, for its shapes.
        ignored: patterns of keys that a checkpoint may hold besides.

    Returns:
        A whole state for ``load_state_dict``.

    Raises:
        ModelError: keys are missing, unexpected or of another shape; it says which.
    """
    known = {entry.source for entry in table}
    missing = sorted(known - tensors.keys())
    unexpected = sorted(
        key for key in tensors.keys() - known
        if not key.endswith(_COUNTER) and not any(re.match(p, key) for p in ignored)
    )  # fmt: skip
    state = {key: value for key, value in wanted.items() if key.endswith(_COUNTER)}
    odd = []
    for entry in table:
        if entry.source not in tensors:
            continue
        parts = tensors[entry.source].detach().float().tensor_split(len(entry.targets))
        for target, part in zip(entry.targets, parts, strict=True):
            shape = tuple(wanted[target].shape)
            if _core(part.shape) != _core(shape):
                odd.append(f"{entry.source} {tuple(part.shape)} where {shape} fits")
                break
            state[target] = part.reshape(shape).contiguous()
    found = [("missing", missing), ("unexpected", unexpected), ("of another shape", odd)]
    if any(keys for _, keys in found):
        said = "; ".join(f"{len(keys)} {what}: {_some(keys)}" for what, keys in found if keys)
        raise ModelError(f"its weights do not fit the network that its keys name: {said}")
    return state


def _core(shape: Iterable[int]) -> tuple[int, ...]:
    """A shape without the single pixels of a 1 x 1 convolution, which is a linear layer."""
    sides = tuple(shape)
    return sides[:2] if len(sides) == 4 and sides[2:] == (1, 1) else sides


def _some(keys: Sequence[str]) -> str:
    rest = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
