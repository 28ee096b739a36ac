"""Fine-tuning the decoder of a SAM 2 on detections whose ground is known.

It is told what it will be told in a map: the box and the surest point of a detection. Labels are
what its answer is held against, and never part of the question. The encoder of pictures and that of
prompts stay as they are. Needs torch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from minetrace.core.grid import Rect
from minetrace.core.raster import Raster
from minetrace.errors import ModelError
from minetrace.models.sam2 import Sam2, Site, load

OnStep = Callable[[int, float], None]


@dataclass(frozen=True)
class Lesson:
    """One detection and what is known of its ground.

    Attributes:
        picture: of the frame.
        frame: the pixels seen.
        site: the detection.
        mined: (height, width) of the frame, bool.
        counts: likewise, pixels of the detection whose class is known.
    """

    picture: Raster
    frame: Rect
    site: Site
    mined: NDArray[np.bool_]
    counts: NDArray[np.bool_]


@dataclass(frozen=True)
class Tuning:
    """How the decoder learns.

    Attributes:
        steps: lessons taken, drawn anew in every round.
        rate: learning rate of AdamW.
        seed: of the order.
    """

    steps: int = 500
    rate: float = 1e-4
    seed: int = 0


def tune(
    delineator: Sam2, lessons: Sequence[Lesson], out: Path, how: Tuning,
    *, on_step: OnStep | None = None,
) -> Sam2:  # fmt: skip
    """Let a decoder learn, and write the whole network as a folder of its own.

    Args:
        delineator: the network to begin with, left as it is.
        lessons: to learn from.
        out: the folder to write.
        how: it learns.
        on_step: told the number of each step and its loss.

    Returns:
        The tuned network, told what the other was told.

    Raises:
        ModelError: there is no lesson, or the loss is not finite.
    """
    if not lessons:
        raise ModelError("no detection lies on ground whose class is known: nothing to learn from")
    net = load(delineator.path)
    net.requires_grad_(False)
    net.mask_decoder.requires_grad_(True)
    optimiser = torch.optim.AdamW(net.mask_decoder.parameters(), how.rate)
    rng = np.random.default_rng(how.seed)
    order: list[int] = []
    for step in range(how.steps):
        order = order or rng.permutation(len(lessons)).tolist()
        loss = _loss(delineator, net, lessons[order.pop()])
        if not torch.isfinite(loss):
            raise ModelError(f"the loss is {loss.item()} at step {step}; lower the rate")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if on_step:
            on_step(step, loss.item())
    net.save_pretrained(out)
    return Sam2.open(out, prompts=delineator.prompts, white=delineator.white)


def agreement(delineator: Sam2, lessons: Sequence[Lesson]) -> float:
    """Intersection over union of all lessons together; NaN where nothing is mined or found."""
    both = either = 0
    for lesson in lessons:
        said = delineator(lesson.picture, lesson.frame, lesson.site) & lesson.counts
        true = lesson.mined & lesson.counts
        both, either = both + int((said & true).sum()), either + int((said | true).sum())
    return both / either if either else float("nan")


def _loss(delineator: Sam2, net: Any, lesson: Lesson) -> Tensor:
    """Cross-entropy and Dice over the pixels that count."""
    counts = torch.from_numpy(lesson.counts)
    said = delineator.logits(net, lesson.picture, lesson.frame, lesson.site)[counts]
    true = torch.from_numpy(lesson.mined)[counts].float()
    sure = torch.sigmoid(said)
    overlap = (2 * (sure * true).sum() + 1) / (sure.sum() + true.sum() + 1)
    return F.binary_cross_entropy_with_logits(said, true) + 1 - overlap
