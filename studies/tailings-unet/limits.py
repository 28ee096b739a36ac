"""What limits the networks: how well they fit what they saw, and which ground they miss or make up.

MINETRACE_DATA=.../data python studies/tailings-unet/limits.py
"""

from __future__ import annotations

import numpy as np
from score import judged
from scoring import FOLDS, RUNS, counts, crops, image, iou, masks, parts

from minetrace.predict.onnx import OnnxScorer

DARK, BRIGHT = 0.07, 0.12  # red reflectance: below, forest and deep water; above, bare ground


def ground(pixels: np.ndarray) -> dict[str, np.ndarray]:
    red = pixels[2]
    return {"dark": red < DARK, "middling": (red >= DARK) & (red < BRIGHT), "bright": red >= BRIGHT}


def main() -> None:
    fit = {"train": np.zeros(3), "test": np.zeros(3)}
    kinds = {name: np.zeros(3) for name in ("dark", "middling", "bright")}
    for fold in FOLDS:
        scorer = OnnxScorer.open(RUNS / f"fold{fold}/model")
        for part, total in fit.items():
            for tile in parts(fold)[part]:
                pixels, truth = image(tile), masks(tile)["united"]
                crop = crops(tile, pixels.shape[1:])[0]
                seen, true = crop.of(pixels), crop.of(truth)
                said = judged(scorer, seen) >= scorer.card.threshold
                total += counts(said, true)
                if part == "test":
                    for name, here in ground(seen).items():
                        kinds[name] += counts(said & here, true & here)
    for part, total in fit.items():
        print(f"{part:9} IoU {iou(total):.3f}")
    labelled = sum(count[0] + count[2] for count in kinds.values())
    false = sum(count[1] for count in kinds.values())
    for name, (tp, fp, fn) in kinds.items():
        print(f"{name:9} holds {(tp + fn) / labelled:.0%} of what is labelled, "
              f"{tp / (tp + fn):.0%} of it found; {fp / false:.0%} of the false alarms")  # fmt: skip


if __name__ == "__main__":
    main()
