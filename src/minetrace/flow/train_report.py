"""The page about a training: its course, its figures, its audit, and pictures of what it says."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.chips.sheet import picture
from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.core.metrics import iou
from minetrace.core.model import ModelCard
from minetrace.flow.data_sets import AuditedSet
from minetrace.models.training import Look
from minetrace.predict.onnx import OnnxScorer
from minetrace.publish.picture import webp
from minetrace.store.files import write_text

PICTURES = 24
TRUE, FALSE, MISSED = (64, 190, 90), (230, 70, 60), (60, 120, 240)
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;text-align:left;
border-bottom:1px solid #ddd}td{font-variant-numeric:tabular-nums}.leak{color:#b00}
.sheet{display:flex;flex-wrap:wrap;gap:.8rem}.sheet figure{margin:0}.sheet img{height:150px}
figcaption{font-size:.85rem;color:#555}svg{max-width:100%;height:auto}
"""


def write_report(
    path: Path, card: ModelCard, chips: AuditedSet, looks: Sequence[Sequence[Look]], model: Path,
    doubts: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write the page; it opens by double click and needs nothing else.

    Args:
        path: of the page.
        card: of the finished model.
        chips: with their parts and the audit of those.
        looks: of each network.
        model: the model folder, which judges the pictures as a run would.
        doubts: why its probabilities may be far off.
    """
    body = [
        f"<h1>{escape(card.name)}</h1><p>{escape(card.description)}</p>",
        _figures(card), *(f"<p class=leak>{escape(doubt)}</p>" for doubt in doubts),
        "<h2>Course</h2>", _course(looks),
        "<h2>Pictures</h2>", _pictures(card, chips.data, model),
        chips.page,
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(card.name)}: training</title>'
    write_text(path, f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head>"
                     f"<body>{''.join(body)}</body></html>\n")  # fmt: skip


def _figures(card: ModelCard) -> str:
    rows = []
    for part in ("validation", "test"):
        for name, value in card.metrics.get(part, {}).items():
            shown = f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
            rows.append(f"<tr><td>{part}</td><td>{escape(name)}</td><td>{shown}</td></tr>")
    sure = "calibrated" if card.calibrated else "not calibrated"
    several = len([name for name in card.classes if name != "spread"]) > 1
    which = "<p>A figure without a class is of any of them against the rest.</p>" if several else ""
    return (
        f"<p>At the threshold {card.threshold:g}; the probability is {sure}. The exported network "
        f"differs from the trained one by {card.metrics['export']['parity']:.1e} at most.</p>"
        f"{which}<table><tr><th>part</th><th>figure</th><th>value</th></tr>{''.join(rows)}</table>"
    )


def _course(looks: Sequence[Sequence[Look]]) -> str:
    """Loss of training and validation, and IoU, along the steps of the first network."""
    course = looks[0] if looks else ()
    if len(course) < 2:
        return "<p>Too short to draw.</p>"
    every = {
        "training loss": ([look.loss for look in course], "#888"),
        "validation loss": ([look.val_loss for look in course], "#c60"),
        "validation IoU": ([look.val_iou for look in course], "#067"),
    }
    lines = {name: line for name, line in every.items() if np.isfinite(line[0]).any()}
    top = max((max(map(_number, values)) for values, _ in lines.values()), default=0.0) or 1.0
    last = course[-1].step
    drawn = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="'
        + " ".join(f"{20 + 560 * look.step / last:.1f},{200 - 180 * _number(value) / top:.1f}"
                   for look, value in zip(course, values, strict=True)) + '"/>'
        for values, colour in lines.values()
    )  # fmt: skip
    key = " ".join(f'<span style="color:{colour}">&#9632; {name}</span>'
                   for name, (_, colour) in lines.items())  # fmt: skip
    return (
        f'<p>{key}; from 0 to {top:.3g}, {last:,} steps</p><svg viewBox="0 0 600 220" width="600" '
        'role="img" aria-label="losses and IoU along the steps">'
        f'<path d="M20 20V200H580" fill="none" stroke="#aaa"/>{drawn}</svg>'
    )


def _number(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _pictures(card: ModelCard, data: DataSet, model: Path) -> str:
    """Chips held out, the worst and the best among them: picture, and what is said against it."""
    chips = data.split("test").chips or data.split("val").chips
    if not chips:
        return "<p>No chips were held out.</p>"
    scorer = OnnxScorer.open(model)
    every = [_judged(scorer, data, chip) for chip in chips[:: max(1, len(chips) // 200)]]
    every.sort(key=lambda one: one[0])
    shown = every if len(every) <= PICTURES else every[: PICTURES // 2] + every[-PICTURES // 2 :]
    figures = "".join(
        f'<figure><img alt="{escape(caption)}" src="data:image/webp;base64,{image}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>" for _, caption, image in shown
    )  # fmt: skip
    return (
        f"<p>{len(shown)} of {len(every)} windows held out, from the worst to the best. Beside "
        "each: found and true green, found and not true red, missed blue, unknown pale.</p>"
        f'<div class="sheet">{figures}</div>'
    )


def _judged(scorer: OnnxScorer, data: DataSet, chip: Chip) -> tuple[float, str, str]:
    """How well a window in the middle of a chip is judged, in a number, words and a picture."""
    card = scorer.card
    image, mask = data.read(chip)
    image, mask = (_middle(layer, card.window) for layer in (image, mask))
    image = image[data.positions(card.bands)]
    scaled = np.stack([
        np.nan_to_num(layer * card.scaling[band].scale + card.scaling[band].offset)
        for band, layer in zip(card.bands, image, strict=True)
    ]).astype(np.float32)  # fmt: skip
    probability = scorer(scaled[None])[0]
    probability = probability[: len(data.classes) - 1].max(axis=0)
    rgb = picture(image, card.bands)
    if card.output == "patch":
        said, label = float(probability[0, 0]), chip.label
        worth = 1 - abs(said - bool(label)) if label is not None else 0.5
        named = "unknown" if label is None else data.classes[label]
        caption = f"{chip.name}: {said:.2f}, label {named}"
        return worth, caption, _webp(rgb)
    found, true, known = probability >= card.threshold, mask > 0, mask != IGNORE
    counts = (found & true, found & ~true, ~found & true)
    tp, fp, fn = (int((here & known).sum()) for here in counts)
    share = iou(tp, fp, fn)
    worth = 1.0 if np.isnan(share) else share
    caption = f"{chip.name}: IoU {share:.2f}" if tp + fn else f"{chip.name}: nothing there"
    return worth, caption, _webp(np.concatenate([rgb, _compared(rgb, found, true, known)], axis=1))


def _middle(layer: NDArray[Any], side: int) -> NDArray[Any]:
    """The middle of a chip, or all of it with what is missing as nobody knows."""
    height, width = layer.shape[-2:]
    row, col = max(0, (height - side) // 2), max(0, (width - side) // 2)
    cut = layer[..., row : row + side, col : col + side]
    if cut.shape[-2:] == (side, side):
        return cut
    empty = np.nan if np.issubdtype(layer.dtype, np.floating) else IGNORE
    out = np.full((*layer.shape[:-2], side, side), empty, layer.dtype)
    out[..., : cut.shape[-2], : cut.shape[-1]] = cut
    return out


def _compared(
    rgb: NDArray[np.uint8], found: NDArray[np.bool_], true: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> NDArray[np.uint8]:  # fmt: skip
    grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
    out = np.where(known[..., None], grey, 0.4 * grey + 150)
    for here, colour in ((found & true, TRUE), (found & ~true, FALSE), (~found & true, MISSED)):
        mixed = 0.45 * grey + 0.55 * np.array(colour)
        out = np.where((here & known)[..., None], mixed, out)
    return out.astype(np.uint8)


def _webp(rgb: NDArray[np.uint8]) -> str:
    colours = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    return base64.b64encode(webp(colours, np.ones(rgb.shape[:2], bool))).decode()
