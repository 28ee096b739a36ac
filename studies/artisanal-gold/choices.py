"""What this study decides beside study.yaml: which chips carry the figures, folds, seeds, paths."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from gallery import ChipSet, read_chip_set

from minetrace.flow.train_study import TrainStudy

HERE = Path(__file__).resolve().parent
FOLDS = range(5)
FINAL = 5  # the number of the training that holds nothing out
SEED = 20261121
FULL_SCALE = 0.3  # TOA reflectance at a chip's value of 255
FILL = (0.055, 0.075, 0.085)  # reflectance of forest from above the atmosphere: holes take it
RUNS = HERE.parents[1] / "runs" / "artisanal-gold"


def study() -> TrainStudy:
    return TrainStudy.read(HERE / "study.yaml")


def training_folder(fold: int) -> Path:
    """Where ``minetrace crossval`` and ``minetrace train`` left the networks of a fold."""
    return RUNS / "final" if fold == FINAL else RUNS / "folds" / f"fold{fold}"


def chips_folder() -> Path:
    return Path(os.environ.get("MINETRACE_DATA", "../shared/data")) / "amw-chips"


def read_chips() -> ChipSet:
    """The gallery, holes (pure black) filled as a scan would fill them."""
    held = read_chip_set(chips_folder())
    hole = (held.pixels == 0).all(axis=1, keepdims=True)
    fill = np.round(np.array(FILL) / FULL_SCALE * 255).astype(np.uint8)
    return replace(held, pixels=np.where(hole, fill[None, :, None, None], held.pixels))


def clear(chips: ChipSet) -> np.ndarray:
    """Chips that carry the figures: clear, and not of an industrial site."""
    return chips.windowed("clear0.75") & ~chips.named("industrial")


def cloudy(chips: ChipSet) -> np.ndarray:
    """Chips of cloudy composites, all negatives: they measure false alarms only."""
    return ~chips.windowed("clear0.75") & ~chips.named("industrial")
