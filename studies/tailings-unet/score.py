"""Score the networks of the folds that are done on the same crops as the baselines, side by side.

    MINETRACE_DATA=.../data python studies/tailings-unet/score.py

Prints IoU over all crops with intervals over groups of tiles, and writes scores.json and
crops.png to runs/tailings-unet.
"""

from __future__ import annotations

import csv
import json

import matplotlib as mpl
import numpy as np
from scoring import DATA, FOLDS, RUNS, counts, crops, image, iou, masks, parts

from minetrace.predict.onnx import OnnxScorer

mpl.use("Agg")
import matplotlib.pyplot as plt

DRAWS = 2000
NETWORK = "U-Net"


def judged(scorer: OnnxScorer, pixels: np.ndarray) -> np.ndarray:
    """Probability of one crop (3, side, side) of reflectance."""
    card = scorer.card
    scaled = [layer * card.scaling[band].scale + card.scaling[band].offset
              for band, layer in zip(card.bands, pixels, strict=True)]  # fmt: skip
    return scorer(np.stack(scaled)[None].astype(np.float32))[0, 0]


def groups() -> dict[str, str]:
    with (DATA / "tiles.csv").open(newline="") as file:
        return {row["tile"]: row["group"] for row in csv.DictReader(file)}


def table(found: dict, truth: str, folds: list[int]) -> dict[str, np.ndarray]:
    """By method, counts of every group, (groups, 3), over crops of these folds."""
    tested = {tile for fold in folds for tile in parts(fold)["test"]}
    group_of = groups()
    names = sorted({group_of[tile] for tile in tested})
    out = {}
    for method, truths in found.items():
        rows = np.zeros((len(names), 3))
        for key, count in truths[truth].items():
            tile = key.split()[0]
            if tile in tested:
                rows[names.index(group_of[tile])] += count
        out[method] = rows
    return out


def interval(rows: np.ndarray, other: np.ndarray | None = None) -> tuple[float, float]:
    """95 % over groups drawn anew, of an IoU or of a difference of two."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        pick = rng.integers(len(rows), size=len(rows))
        value = iou(rows[pick].sum(0))
        drawn.append(value if other is None else value - iou(other[pick].sum(0)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)


def main() -> None:
    found = json.loads((RUNS / "baselines.json").read_text())
    done = [fold for fold in FOLDS if (RUNS / f"fold{fold}/model/model.json").exists()]
    shown = []
    for fold in done:
        scorer = OnnxScorer.open(RUNS / f"fold{fold}/model")
        for tile in parts(fold)["test"]:
            pixels, truths = image(tile), masks(tile)
            for number, crop in enumerate(crops(tile, pixels.shape[1:])):
                said = judged(scorer, crop.of(pixels))
                answer = said >= scorer.card.threshold
                for truth, mask in truths.items():
                    key = f"{crop.tile} {crop.row} {crop.col}"
                    found.setdefault(NETWORK, {}).setdefault(truth, {})[key] = [
                        int(n) for n in counts(answer, crop.of(mask))
                    ]
                if number == 0:
                    shown.append((tile, crop.of(pixels), crop.of(truths["united"]), said))
    print(f"folds {done}")
    for truth in ("own", "united"):
        rows = table(found, truth, done)
        print(f"labels: {truth}")
        for method, count in rows.items():
            print(f"  {method:26} IoU {iou(count.sum(0)):.3f}  {interval(count)}")
        best = max((m for m in rows if m != NETWORK), key=lambda m: iou(rows[m].sum(0)))
        gain = iou(rows[NETWORK].sum(0)) - iou(rows[best].sum(0))
        print(f"  U-Net over {best}: {gain:+.3f} {interval(rows[NETWORK], rows[best])}")
    (RUNS / "scores.json").write_text(json.dumps(found))
    draw(shown[:: max(1, len(shown) // 24)][:24])


def draw(shown: list) -> None:
    figure, axes = plt.subplots(4, 18, figsize=(27, 6.2))
    for axis in axes.flat:
        axis.axis("off")
    for number, (tile, pixels, true, said) in enumerate(shown):
        row, col = divmod(number, 6)
        one, two, three = axes[row, 3 * col : 3 * col + 3]
        one.imshow(np.clip(pixels[[2, 1, 0]].transpose(1, 2, 0) / 0.25, 0, 1))
        one.set_title(tile, fontsize=8)
        two.imshow(true, vmin=0, vmax=1)
        three.imshow(said, vmin=0, vmax=1)
    figure.tight_layout(pad=0.2)
    figure.savefig(RUNS / "crops.png", dpi=60)


if __name__ == "__main__":
    main()
