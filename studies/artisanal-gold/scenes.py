"""Scan whole scenes of industrial mines with the shipped model, at its own threshold.

    python studies/artisanal-gold/scenes.py

The tiles (hand-drawn tailings facilities in Brazil) are a benchmark only: nothing was trained or
chosen on them. Writes scenes.json and a picture of ten tiles beside this file.
"""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import rasterio
from choices import FILL, chips_folder
from evaluate import NAME, rounded

from minetrace.core.metrics import roc_auc
from minetrace.models.registry import SHIPPED
from minetrace.predict.onnx import OnnxScorer

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).resolve().parent
DRAWS, SEED, TEN = 1000, 20261121, 10


def read(folder: Path, tile: str) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (3, h, w), red first, and the facility (h, w)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(folder / f"{tile}_image.tif") as image:
            values = image.read([3, 2, 1]).astype(np.float32)
        with rasterio.open(folder / f"{tile}_mask.tif") as mask:
            drawn = mask.read(1) > 0
    hole = (values == 0).all(axis=0)
    return np.where(hole, np.array(FILL, np.float32)[:, None, None], values / 1e4), drawn


def windows(scorer: OnnxScorer, image: np.ndarray) -> np.ndarray:
    """Probabilities (rows, cols) of every window that lies inside the scene."""
    card = scorer.card
    scaled = np.stack([
        np.clip(band, *card.scaling[name].clip) * card.scaling[name].scale
        for name, band in zip(card.bands, image, strict=True)
    ]).astype(np.float32)  # fmt: skip
    room = [(side - card.window) // card.stride + 1 for side in image.shape[1:]]
    wide = np.zeros((1, 3, card.call_px, card.call_px), np.float32)
    wide[0, :, : image.shape[1], : image.shape[2]] = scaled[:, : card.call_px, : card.call_px]
    return scorer(wide)[0, 0, : room[0], : room[1]]


def covered(hits: np.ndarray, card, shape: tuple[int, int]) -> np.ndarray:
    """Ground (h, w) under the windows that detect."""
    ground = np.zeros(shape, bool)
    for row, col in np.argwhere(hits):
        top, left = row * card.stride, col * card.stride
        ground[top : top + card.window, left : left + card.window] = True
    return ground


def touching(drawn: np.ndarray, card, shape: tuple[int, int]) -> np.ndarray:
    """Which windows (rows, cols) hold a pixel of the facility."""
    sums = np.zeros((drawn.shape[0] + 1, drawn.shape[1] + 1), np.int64)
    sums[1:, 1:] = drawn.cumsum(0).cumsum(1)
    top, left = (np.arange(n) * card.stride for n in shape)
    low, right = top + card.window, left + card.window
    return (sums[low][:, right] - sums[top][:, right] - sums[low][:, left] + sums[top][:, left]) > 0


def picture(rows: list[dict], card, path: Path) -> None:
    figure, axes = plt.subplots(2, 5, figsize=(15, 6.4), layout="constrained")
    for axis, row in zip(axes.flat, rows, strict=True):
        axis.imshow(np.clip(row["image"].transpose(1, 2, 0) / 0.25, 0, 1))
        axis.contour(row["drawn"], [0.5], colors="white", linewidths=1.2)
        if row["ground"].any():
            axis.contour(row["ground"], [0.5], colors="#ffb000", linewidths=1.5)
        axis.set_title(f"tile {row['tile']}: highest {row['probability'].max():.2f}", fontsize=9)
        axis.axis("off")
    figure.suptitle("White: the facility as drawn. Yellow: windows at or above the threshold "
                    f"({card.threshold:.2f}).", fontsize=10)  # fmt: skip
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    folder = chips_folder().parent / "tailings"
    scorer = OnnxScorer.open(SHIPPED / NAME)
    card, rows = scorer.card, []
    with (folder / "tiles.csv").open(newline="") as file:
        for tile in csv.DictReader(file):
            image, drawn = read(folder, tile["tile"])
            if drawn.shape != image.shape[1:]:
                continue  # a true error of the source
            probability = windows(scorer, image)
            rows.append({
                "tile": tile["tile"], "image": image, "drawn": drawn, "probability": probability,
                "ground": covered(probability >= card.threshold, card, drawn.shape),
                "inside": touching(drawn, card, probability.shape),
            })  # fmt: skip
    hits = [row["probability"] >= card.threshold for row in rows]
    inside = np.concatenate([row["inside"].ravel() for row in rows])
    owner = np.repeat(np.arange(len(rows)), [row["inside"].size for row in rows])
    count, rng = sum(int(h.sum()) for h in hits), np.random.default_rng(SEED)
    chance = np.mean([
        len(np.unique(owner[(picked := rng.choice(len(owner), count, replace=False))][inside[picked]]))
        for _ in range(DRAWS)
    ]) / len(rows)  # fmt: skip
    touched = float(np.mean([(h & r["inside"]).any() for h, r in zip(hits, rows, strict=True)]))
    scores = np.concatenate([row["probability"].ravel() for row in rows])
    figures = {
        "tiles": len(rows), "threshold": card.threshold, "windows": len(scores),
        "detecting_windows": count, "facilities_touched": touched,
        "ground_mapped": float(np.mean(np.concatenate([r["ground"].ravel() for r in rows]))),
        "touched_by_as_many_at_random": float(chance),
        "lift": touched / chance if chance else None,
        "roc_auc_inside_over_outside": roc_auc(inside, scores),
        "median_roc_auc_within_tiles": float(np.nanmedian(
            [roc_auc(r["inside"].ravel(), r["probability"].ravel()) for r in rows])),
    }  # fmt: skip
    (HERE / "scenes.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    picture(rows[:: len(rows) // TEN][:TEN], card, HERE / "scenes.png")
    print(json.dumps(rounded(figures), indent=1))


if __name__ == "__main__":
    main()
