"""Pictures of what the networks get wrong, and of their figures."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from choices import FOLDS, clear
from gallery import ChipSet
from PIL import Image

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLUMNS, BRIGHT = 16, 1.8
INK, PAPER = (23, 30, 34), (250, 249, 246)


def confusions(
    chips: ChipSet, raw: np.ndarray, logit: np.ndarray, threshold: float, path: Path
) -> None:
    """Sheets of chips held out: missed by most, false by most, found; two rows of each."""
    from PIL import ImageDraw, ImageFont

    plain, mine = clear(chips), chips.label
    groups = (
        (
            "Mines that it misses, the most surely missed first",
            plain & mine & (logit < threshold),
            1,
        ),
        (
            "Not mines that it takes for mines, the surest first",
            plain & ~mine & (logit >= threshold),
            -1,
        ),
        ("Mines that it finds, drawn at random", plain & mine & (logit >= threshold), 0),
    )
    side, gap, head = 72, 3, 26
    width = COLUMNS * (side + gap) + gap
    height = len(groups) * (head + 2 * (side + gap)) + gap
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    rng, top = np.random.default_rng(0), 0
    for title, rows, sign in groups:
        some = np.flatnonzero(rows)
        order = np.argsort(sign * logit[some]) if sign else rng.permutation(len(some))
        draw.text((gap + 2, top + 6), f"{title} ({len(some)} in all)", INK, font)
        for place, chip in enumerate(some[order[: 2 * COLUMNS]]):
            row, col = divmod(place, COLUMNS)
            pixels = np.clip(raw[chip].transpose(1, 2, 0) * BRIGHT, 0, 255).astype(np.uint8)
            tile = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
            sheet.paste(tile, (gap + col * (side + gap), top + head + row * (side + gap)))
        top += head + 2 * (side + gap)
    sheet.save(path, quality=82, method=6)


def curves(chips: ChipSet, logit: np.ndarray, error: dict, found: dict, path: Path) -> None:
    """ROC AUC per fold beside the others; recall against false alarms; said against seen."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    names = {
        "this": "this model",
        "published_rgb_v2.6": "published RGB network",
        "colours_only": "colours only",
    }
    for (name, label), colour, move in zip(
        names.items(), ("#0b5d7a", "#c8792b", "#9aa3a8"), (-0.2, 0, 0.2), strict=True
    ):
        auc = found[name]["roc_auc"]
        values = np.array(auc["folds"])
        bars = np.abs(np.array(auc["folds_interval"]).T - values)
        left.errorbar(np.array(FOLDS) + move, values, bars, fmt="o", color=colour,
                      label=f"{label}, mean {auc['mean']:.3f}")  # fmt: skip
    left.set(title="ROC AUC on the fold held out", xlabel="fold", ylim=(0.2, 1), xticks=list(FOLDS))
    left.legend(frameon=False, fontsize=8, loc="lower right")
    for fold in FOLDS:
        rows = clear(chips) & (chips.fold == fold)
        score, mine = logit[rows], chips.label[rows]
        order = np.argsort(-score)
        middle.plot(
            (~mine[order]).cumsum() / (~mine).sum(),
            mine[order].cumsum() / mine.sum(),
            label=f"fold {fold}",
        )
    middle.set(title="Mines found against false alarms", xlabel="false alarms", xscale="log",
               xlim=(1e-3, 1), ylim=(0, 1), ylabel="recall")  # fmt: skip
    middle.legend(frameon=False, fontsize=8)
    right.plot([0, 1], [0, 1], color="#9aa3a8", lw=1)
    right.plot(error["said"], error["seen"], "o-", color="#0b5d7a")
    right.set(title=f"Said and seen, error {error['pooled']:.3f}", xlabel="probability said",
              ylabel="share of mines", xlim=(0, 1), ylim=(0, 1))  # fmt: skip
    figure.savefig(path, dpi=110)
    plt.close(figure)
