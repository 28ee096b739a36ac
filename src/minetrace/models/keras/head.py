"""Where a detector's answer is: logits before the last activation, one probability of a mine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minetrace.errors import ModelError
from minetrace.models.keras.graph import Graph, Tensor

MINE = 1  # the second of two classes, as the publishers' own inference takes it


@dataclass(frozen=True)
class Head:
    """What a network answers.

    Attributes:
        members: how many networks are averaged, 1 for a single one.
        width: logits of all members together.
        image: (h, w) if there is an answer for every pixel.
        says: in words, which output is the mine.
    """

    members: int
    width: int
    image: tuple[int, int] | None
    says: str


def add_head(graph: Graph, outputs: Sequence[Tensor]) -> Head:
    """Name the outputs ``logits`` (n, width) and ``probability`` (n, 1).

    The probability is the second of two classes, or the one that there is; over an ensemble, the
    mean of the members' probabilities.

    Raises:
        ModelError: the last layer is no sigmoid or softmax over one or two classes.
    """
    members = [member for x in outputs for member in (x.members or (x,))]
    if len({member.shape[:-1] for member in members}) != 1:
        raise ModelError("its outputs differ in shape; one answer, or an ensemble, is understood")
    logits = [_logits(member) for member in members]
    _join(graph, [x.name for x in logits])
    mines = [_mine(graph, member) for member in members]
    graph.op("Mean" if len(mines) > 1 else "Identity", mines, name="probability")
    width = sum(x.channels for x in logits)
    image = (members[0].shape[0], members[0].shape[1]) if members[0].is_image else None
    return Head(len(members), width, image, _words(members))


def _logits(member: Tensor) -> Tensor:
    if member.logits is None or member.channels > 2:
        raise ModelError(
            f"its last layer gives {member.channels} values"
            + ("" if member.squash else " without a sigmoid or softmax")
            + "; a detector ends in a sigmoid or softmax over one or two classes"
        )
    return member.logits


def _join(graph: Graph, names: Sequence[str]) -> None:
    if len(names) == 1:
        graph.op("Identity", names, name="logits")
    else:
        graph.op("Concat", names, name="logits", axis=1)


def _mine(graph: Graph, member: Tensor) -> str:
    if member.channels == 1:
        return member.name
    return graph.op("Gather", [member.name, graph.weight(np.array([MINE]))], axis=1)


def _words(members: Sequence[Tensor]) -> str:
    one = (
        "the sigmoid of its one output" if members[0].channels == 1
        else f"the second of its two {members[0].squash} outputs"
    )  # fmt: skip
    if len(members) == 1:
        return f"The probability of a mine is {one}."
    return (
        f"An ensemble: the probability of a mine is the mean over {len(members)} members, "
        f"each {one}."
    )
