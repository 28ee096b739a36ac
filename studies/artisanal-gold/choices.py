"""What this study decides: which chips, which recipe, which folds, which seeds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from minetrace.models.augment import Augmentation
from minetrace.models.chip_set import ChipSet, draw_weights, read_chip_set
from minetrace.models.fit import Recipe

FOLDS = range(5)
FINAL = 5  # the number of the fit that holds nothing out
MEMBERS = (0, 1)  # networks whose logits are averaged
SEED = 20261121
FULL_SCALE = 0.3  # TOA reflectance at a chip's value of 255
FILL = (0.055, 0.075, 0.085)  # reflectance of forest from above the atmosphere: holes take it
RUNS = Path(__file__).resolve().parents[2] / "runs" / "artisanal-gold"

RECIPE = Recipe(
    augmentation=Augmentation(
        air=(0.07, 0.11, 0.21),  # what air adds over dark ground, red to blue, as a share of 0.3
        hole=tuple(value / FULL_SCALE for value in FILL),
    ),
)
SHARE_OF_MINES = 0.4
SOURCE_POWER = 0.5
CLOUDY_WEIGHT = 0.3  # cloudy chips are all negatives: shown, but seldom


def chips_folder() -> Path:
    return Path(os.environ.get("MINETRACE_DATA", "../shared/data")) / "amw-chips"


def read_chips() -> ChipSet:
    """The gallery, holes (pure black) filled as a scan would fill them."""
    held = read_chip_set(chips_folder())
    hole = (held.pixels == 0).all(axis=1, keepdims=True)
    fill = np.round(np.array(RECIPE.augmentation.hole) * 255).astype(np.uint8)
    pixels = np.where(hole, fill[None, :, None, None], held.pixels)
    return ChipSet(pixels, held.label, held.source, held.sources)


def clear(chips: ChipSet) -> np.ndarray:
    """Chips that carry the figures: clear, and not of an industrial site."""
    return chips.windowed("clear0.75") & ~chips.named("industrial")


def cloudy(chips: ChipSet) -> np.ndarray:
    """Chips of cloudy composites, all negatives: they measure false alarms only."""
    return ~chips.windowed("clear0.75") & ~chips.named("industrial")


def training(chips: ChipSet, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Which chips train the network that holds this fold out, and how often each is drawn."""
    rows = np.flatnonzero(~chips.named("industrial") & (chips.fold != fold))
    weight = draw_weights(
        chips.label[rows], chips.source[rows], share_of_ones=SHARE_OF_MINES, power=SOURCE_POWER
    )
    return rows, weight * np.where(cloudy(chips)[rows], CLOUDY_WEIGHT, 1.0)


def seed_of(fold: int, member: int) -> int:
    return SEED + 10 * member + fold
