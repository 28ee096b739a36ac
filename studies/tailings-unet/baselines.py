"""What needs no network: disks, and gradient boosting of single pixels, on the crops of every fold.

    MINETRACE_DATA=.../data python studies/tailings-unet/baselines.py

Writes runs/tailings-unet/baselines.json: counts by method, truth and crop.
"""

from __future__ import annotations

import json

import numpy as np
from scoring import FOLDS, RUNS, SIDE, counts, crops, disk, image, iou, masks, parts
from sklearn.ensemble import HistGradientBoostingClassifier

from minetrace.models.operating_point import choose_threshold

PIXELS = 3000  # of each class, per tile


def sample(tiles: list[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = [], []
    for tile in tiles:
        pixels, truth = image(tile).reshape(3, -1).T, masks(tile)["united"].ravel()
        rows = rng.integers(len(truth), size=PIXELS)
        x.append(pixels[rows])
        y.append(truth[rows])
    return np.concatenate(x), np.concatenate(y)


def main() -> None:
    found: dict[str, dict[str, dict[str, list[int]]]] = {}
    for fold in FOLDS:
        part = parts(fold)
        x, y = sample(part["train"], fold)
        trees = HistGradientBoostingClassifier(random_state=fold).fit(x, y)
        x, y = sample(part["val"], 100 + fold)
        threshold = choose_threshold(y, trees.predict_proba(x)[:, 1], "f1")
        for tile in part["test"]:
            pixels, truths = image(tile), masks(tile)
            height, width = pixels.shape[1:]
            middle = disk((height, width), (height - 1) / 2, (width - 1) / 2)
            said = trees.predict_proba(pixels.reshape(3, -1).T)[:, 1].reshape(height, width)
            for crop in crops(tile, (height, width)):
                methods = {
                    "disk in the crop's middle": disk((SIDE, SIDE), SIDE / 2, SIDE / 2),
                    "disk in the tile's middle": crop.of(middle),
                    "boosted pixels": crop.of(said) >= threshold,
                }
                for name, answer in methods.items():
                    for truth, mask in truths.items():
                        key = f"{crop.tile} {crop.row} {crop.col}"
                        found.setdefault(name, {}).setdefault(truth, {})[key] = [
                            int(n) for n in counts(answer, crop.of(mask))
                        ]
        print(f"fold {fold}: threshold {threshold}", flush=True)
    (RUNS / "baselines.json").write_text(json.dumps(found))
    for name, truths in found.items():
        shown = {truth: iou(np.sum(list(rows.values()), axis=0)) for truth, rows in truths.items()}
        print(name, {truth: round(value, 3) for truth, value in shown.items()})


if __name__ == "__main__":
    main()
