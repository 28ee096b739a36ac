"""Crops to score on, and counts of agreement; the same for the networks and for the baselines."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

DATA = Path(os.environ["MINETRACE_DATA"]) / "tailings"
RUNS = Path("runs/tailings-unet")
FOLDS = range(5)
SIDE, CROPS, SEED = 256, 4, 2021
RADIUS = 80


@dataclass(frozen=True)
class Crop:
    """Where a crop lies in a tile."""

    tile: str
    row: int
    col: int

    def of(self, layer: np.ndarray) -> np.ndarray:
        return layer[..., self.row : self.row + SIDE, self.col : self.col + SIDE]


def parts(fold: int) -> dict[str, list[str]]:
    """Tiles of train, val and test."""
    found: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    with (RUNS / f"fold{fold}.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["split"]].append(row["name"].removesuffix("_image"))
    return found


def image(tile: str) -> np.ndarray:
    """Reflectance (3, h, w): blue, green, red."""
    with rasterio.open(DATA / f"{tile}_image.tif") as file:
        return file.read().astype(np.float32) * np.float32(1e-4)


def masks(tile: str) -> dict[str, np.ndarray]:
    """What the tile outlines, and with it what its neighbours outline in it."""
    with rasterio.open(DATA / f"{tile}_mask.tif") as own, \
            rasterio.open(RUNS / f"chips/{tile}_mask.tif") as united:  # fmt: skip
        return {"own": own.read(1) > 0, "united": united.read(1) > 0}


def crops(tile: str, shape: tuple[int, int]) -> list[Crop]:
    """Anywhere in the tile; the same for everybody."""
    rng = np.random.default_rng([SEED, int(tile)])
    return [Crop(tile, *(int(rng.integers(0, n - SIDE + 1)) for n in shape)) for _ in range(CROPS)]


def disk(shape: tuple[int, int], row: float, col: float) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - row) ** 2 + (x - col) ** 2 <= RADIUS**2


def counts(said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """tp, fp, fn."""
    return np.array([(said & true).sum(), (said & ~true).sum(), (~said & true).sum()])


def iou(count: np.ndarray) -> float:
    return float(count[0] / max(1, count.sum()))
