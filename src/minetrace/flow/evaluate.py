"""``minetrace evaluate``: a model on a set of chips that it has not been trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minetrace.assess.disturbance import Disturbance, disturbances
from minetrace.assess.evaluation import (
    ChipResult,
    Evaluation,
    by_group,
    object_figures,
    patch_figures,
    pixel_figures,
)
from minetrace.assess.evaluation_page import Picture, Report, page
from minetrace.assess.histogram import count
from minetrace.assess.objects import match
from minetrace.assess.shift import BandShift, BandStatistics, Renormalised, compare
from minetrace.chips.sheet import painted, png_of
from minetrace.chips.splits import block_of
from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.core.model import Scorer
from minetrace.errors import DataSetError
from minetrace.flow.chip_scores import ChipScorer, surest
from minetrace.flow.report import Reporter, Silent
from minetrace.store.files import write_json, write_text
from minetrace.vectors.components import Runs

TOGETHER = 128  # chips that are scored at once
LOOKED_AT = 300  # chips whose bands are compared
SIZES = ((0.0, "no mine"), (1.0, "under 1 ha"), (5.0, "1 to 5 ha"), (25.0, "5 to 25 ha"),
         (np.inf, "25 ha and more"))  # fmt: skip
GROUPS: dict[str, Callable[[ChipResult], str]] = {
    "By region": lambda r: r.region, "By source": lambda r: r.source,
    "By period": lambda r: r.period,
}  # fmt: skip


@dataclass(frozen=True)
class EvaluateOptions:
    """How to evaluate.

    Attributes:
        split: which chips; empty for all.
        block_km: side of the squares that the bootstrap draws whole.
        threshold: the model's own if left out.
        disturb: at most so many chips are also scored disturbed; 0 for none.
        pictures: of the best, the worst and the typical, so many each.
        seed: of the bootstrap.
        trained_on: chips that the model was trained on, to be compared with.
    """

    split: str = "test"
    block_km: float = 20.0
    threshold: float | None = None
    disturb: int = 200
    pictures: int = 5
    seed: int = 0
    trained_on: DataSet | None = None


def evaluate(
    scorer: Scorer, data: DataSet, options: EvaluateOptions, *, audit: str = "",
    reporter: Reporter | None = None,
) -> tuple[Report, list[ChipResult]]:  # fmt: skip
    """Score chips and hold the scores against what is known of them.

    Args:
        scorer: the model.
        data: the set.
        options: which chips, and what to tell of them.
        audit: of the set's splits, as a fragment of HTML.

    Raises:
        DataSetError: the set has no chips of the split, or nothing is known of them.
        BandError: the model wants a band that the chips lack.
        ModelError: the chips are smaller than the window of a patch model.
    """
    tell = reporter or Silent()
    chosen = data.split(options.split) if options.split else data
    if not len(chosen):
        raise DataSetError(
            f"{data.name}: has no chips of split {options.split!r}, only "
            f"{', '.join(n or 'in none' for n in data.splits)}; choose with --split, or --split all"
        )
    ask = ChipScorer.over(scorer, data.bands)
    threshold = options.threshold or scorer.card.threshold
    blocks = blocks_of(chosen.chips, options.block_km)
    results = judge(ask, chosen, blocks, threshold, tell)
    patch = scorer.card.output == "patch"
    if not any(r.label is not None for r in results):
        raise DataSetError(f"{data.name}: nothing is known of these chips, all is ignore")
    evaluations, groups, counts = figures_of(results, data, options.seed, patch=patch)
    groups |= _by_class(ask, chosen, blocks, threshold, options.seed, tell)
    shifts, matched = _shift(chosen, options.trained_on)
    tried = disturbances(data.bands) if options.disturb else ()
    changes: tuple[Disturbance | Renormalised, ...] = (*tried, *matched)
    disturbed, figure = _disturbed(ask, chosen, blocks, threshold, options, tell, changes)
    report = Report(
        model=scorer.card.name, data=f"{data.name}, {options.split or 'all chips'}",
        facts=_facts(scorer, data, chosen, threshold, options), evaluations=evaluations,
        groups=groups, counts=counts, counted="chips" if patch else "pixels", threshold=threshold,
        disturbed=disturbed, disturbed_figure=figure, shifts=shifts,
        pictures=_pictures(ask, chosen, results, threshold, options), audit=audit,
        notes=_notes(scorer, data, chosen.chips, blocks),
    )  # fmt: skip
    return report, results


def judge(
    ask: ChipScorer, data: DataSet, blocks: Sequence[str], threshold: float, tell: Reporter
) -> list[ChipResult]:
    """What a model makes of every chip of a set."""
    tell.start("scoring", len(data), 0.0)
    results = list(_results(ask, data, blocks, threshold, tell))
    tell.finish()
    return results


def _by_class(
    ask: ChipScorer, data: DataSet, blocks: Sequence[str], threshold: float, seed: int,
    tell: Reporter,
) -> dict[str, dict[str, Evaluation]]:  # fmt: skip
    """Figures of each class against all others, where model and chips share several."""
    shared = [name for name in ask.scorer.card.classes if name in data.classes[1:]]
    if len(shared) < 2:
        return {}
    figures = patch_figures if ask.scorer.card.output == "patch" else pixel_figures
    found = {}
    tell.start("scoring by class", len(data) * len(shared), 0.0)
    for name in shared:
        of = data.classes.index(name)
        results = _results(replace(ask, only=name), data, blocks, threshold, tell, of=of)
        found[name] = figures(list(results), seed=seed)
    tell.finish()
    return {"By class, against all others": found}


def write_report(folder: Path, report: Report) -> tuple[Path, Path]:
    """``evaluation.html`` and ``evaluation.json``."""
    html, numbers = folder / "evaluation.html", folder / "evaluation.json"
    write_text(html, page(report))
    write_json(numbers, {
        "model": report.model, "data": report.data, "facts": dict(report.facts),
        "notes": list(report.notes),
        "figures": {k: e.to_json() for k, e in report.evaluations.items()},
        "groups": {h: {k: e.to_json() for k, e in g.items()} for h, g in report.groups.items()},
        "disturbed": {report.disturbed_figure: dict(report.disturbed)},
        "shift": [vars(shift) for shift in report.shifts],
        "matrix": {row: dict(cells) for row, cells in report.matrix.items()},
    })  # fmt: skip
    return html, numbers


def blocks_of(chips: Sequence[Chip], block_km: float) -> list[str]:
    """What the bootstrap draws whole: squares on the ground, else places, else sources."""
    if _on_earth(chips):
        return [f"{x}/{y}" for x, y in block_of(chips, block_km)]
    return [chip.place or chip.source or chip.name for chip in chips]


def _on_earth(chips: Sequence[Chip]) -> bool:
    return all(chip.bounds is not None and chip.crs for chip in chips)


def _results(
    ask: ChipScorer, data: DataSet, blocks: Sequence[str], threshold: float, tell: Reporter,
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None, of: int = 0,
) -> Iterator[ChipResult]:  # fmt: skip
    for start in range(0, len(data), TOGETHER):
        chips = data.chips[start : start + TOGETHER]
        read = [data.read(chip) for chip in chips]
        images = [change(image) if change else image for image, _ in read]
        scores = ask.many(images)
        for chip, block, (_, mask), (chance, score) in zip(
            chips, blocks[start:], read, scores, strict=False
        ):
            if of:
                chip, mask = _one_class(chip, mask, of)
            yield _result(chip, block, mask, chance, score, threshold,
                          outlines=ask.scorer.card.output == "pixels")  # fmt: skip
            tell.advance(1, 0.0, 0)


def _one_class(chip: Chip, mask: NDArray[np.uint8], of: int) -> tuple[Chip, NDArray[np.uint8]]:
    """Labels of one class against all others."""
    label = None if chip.label is None else int(chip.label == of)
    one = np.where(mask == IGNORE, IGNORE, mask == of).astype(np.uint8)
    return replace(chip, label=label), one


def _result(
    chip: Chip, block: str, mask: NDArray[np.uint8], chance: NDArray[np.float32], score: float,
    threshold: float, *, outlines: bool,
) -> ChipResult:  # fmt: skip
    known = (mask != IGNORE) & np.isfinite(chance)
    mine, said = mask[known] > 0, chance[known] >= threshold
    hits = (mine & said).sum(), (~mine & said).sum(), (mine & ~said).sum(), (~mine & ~said).sum()
    label = label_of(chip, mask)
    objects = None
    if outlines:
        if chip.label is None:  # its mask is what the chip is judged by
            score = surest(chance[known])
        mapped = known & (np.nan_to_num(chance) >= threshold)
        objects = match(numbered(known & (mask > 0)), numbered(mapped))
    return ChipResult(
        name=chip.name, region=chip.region, source=chip.source, period=chip.period, block=block,
        counts=count(mine, chance[known]), hits=(int(hits[0]), int(hits[1]), int(hits[2]),
                                                 int(hits[3])),
        label=label, score=score, threshold=threshold, objects=objects,
    )  # fmt: skip


def label_of(chip: Chip, mask: NDArray[np.uint8]) -> bool | None:
    """Whether a chip shows a mine; None if a mine might hide in what nobody knows."""
    if chip.label is not None:
        return bool(chip.label)
    if ((mask > 0) & (mask != IGNORE)).any():
        return True
    return False if (mask == IGNORE).mean() < 0.5 else None


def numbered(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Connected ground, numbered from 1; 0 where the mask is False."""
    runs = Runs.of(mask)
    out = np.zeros(mask.shape, np.int64)
    if not len(runs):
        return out
    labels, _ = runs.labels()
    rows, starts, ends = runs.row[0::2], runs.col[0::2], runs.col[1::2]
    for number, row, start, end in zip(labels, rows, starts, ends, strict=True):
        out[row, start:end] = number + 1
    return out


def figures_of(
    results: Sequence[ChipResult], data: DataSet, seed: int, *, patch: bool,
) -> tuple[dict[str, Evaluation], dict[str, dict[str, Evaluation]], NDArray[np.int64]]:  # fmt: skip
    """Figures by what was counted and by group, and counts by score for the charts."""

    def of_chips(some: Sequence[ChipResult]) -> Evaluation:
        return patch_figures(some, seed=seed)

    def of_pixels(some: Sequence[ChipResult]) -> Evaluation:
        return pixel_figures(some, seed=seed)

    figures: dict[str, Evaluation] = {}
    if not patch:
        figures["pixels"] = of_pixels(results)
        figures["outlines"] = object_figures(results, seed=seed)
    figures["chips"] = of_chips(results)
    each = of_chips if patch else of_pixels
    groups = {}
    for heading, key in GROUPS.items():
        if 1 < len({key(r) for r in results}) <= 60:
            groups[heading] = by_group(results, key, each)
    if not patch and data.resolution_m:
        pixel_ha = data.resolution_m**2 / 10_000
        groups["By mined ground in the chip"] = by_group(
            results, lambda r: size_class(r.mined_px * pixel_ha), each
        )
    if patch:
        known = [r for r in results if r.label is not None and np.isfinite(r.score)]
        counts = count(np.array([bool(r.label) for r in known]), np.array([r.score for r in known]))
    else:
        counts = np.sum([r.counts for r in results], axis=0)
    return figures, groups, counts


def size_class(hectares: float) -> str:
    """The class of a chip by its mined ground."""
    return next(name for most, name in SIZES if hectares < most or hectares == most == 0)


def _shift(
    data: DataSet, trained_on: DataSet | None
) -> tuple[list[BandShift], tuple[Renormalised, ...]]:
    """How far the chips are from those of training, and what would bring them nearer."""
    if trained_on is None:
        return [], ()
    at = trained_on.positions(data.bands)
    there = trained_on.split("train") if "train" in trained_on.splits else trained_on
    trained, _ = BandStatistics.of(data.bands, (
        trained_on.read(chip)[0][at] for chip in _spread_out(there.chips)
    ))  # fmt: skip
    new, pixels = BandStatistics.of(
        data.bands, (data.read(chip)[0] for chip in _spread_out(data.chips))
    )
    return compare(trained, new, pixels), (Renormalised(trained, new),)


def _spread_out(chips: Sequence[Chip], most: int = LOOKED_AT) -> list[Chip]:
    rows = np.unique(np.linspace(0, len(chips) - 1, min(len(chips), most)).astype(int))
    return [chips[i] for i in rows]


def _disturbed(
    ask: ChipScorer, data: DataSet, blocks: Sequence[str], threshold: float,
    options: EvaluateOptions, tell: Reporter, changes: Sequence[Disturbance | Renormalised],
) -> tuple[dict[str, float], str]:  # fmt: skip
    if not changes:
        return {}, ""
    most = options.disturb or LOOKED_AT
    rows = np.unique(np.linspace(0, len(data) - 1, min(len(data), most)).astype(int))
    some, own = data.where(data.chips[i] for i in rows), [blocks[i] for i in rows]
    patch = ask.scorer.card.output == "patch"
    figure = "ROC AUC" if patch else "IoU"
    found = {}
    tell.start("disturbing", len(rows) * (len(changes) + 1), 0.0)
    for change in (None, *changes):
        results = list(_results(ask, some, own, threshold, tell, change))
        e = patch_figures(results, draws=1) if patch else pixel_figures(results, draws=1)
        found[change.name if change else "as it is"] = e.figures[figure].value
    tell.finish()
    return found, f"{figure} of {len(rows)} chips"


def _pictures(
    ask: ChipScorer, data: DataSet, results: Sequence[ChipResult], threshold: float,
    options: EvaluateOptions,
) -> dict[str, list[Picture]]:  # fmt: skip
    """The chips on which the model is best, worst and in the middle, among those with a mine.

    Without masks, among all of known label: by how far the score is from it.
    """
    patch = ask.scorer.card.output == "patch"

    def merit(result: ChipResult) -> float:
        if patch:
            return float("nan") if result.label is None else 1 - abs(result.score - result.label)
        return result.iou

    ranked = sorted(
        (i for i, r in enumerate(results) if np.isfinite(merit(r))),
        key=lambda i: (-merit(results[i]), results[i].name),
    )
    n = min(options.pictures, len(ranked) // 3 or len(ranked))
    middle = max(0, len(ranked) // 2 - n // 2)
    named = {"The best": ranked[:n], "Typical": ranked[middle : middle + n],
             "The worst": ranked[::-1][:n]}  # fmt: skip
    return {
        heading: [_picture(ask, data, data.chips[i], results[i], threshold, merit(results[i]))
                  for i in rows]
        for heading, rows in named.items() if rows
    }  # fmt: skip


def _picture(
    ask: ChipScorer, data: DataSet, chip: Chip, result: ChipResult, threshold: float, merit: float
) -> Picture:
    image, mask = data.read(chip)
    chance, _ = ask(image)
    mapped = None if ask.scorer.card.output == "patch" else np.nan_to_num(chance) >= threshold
    told = f"IoU {merit:.2f}" if mapped is not None else (
        f"{'mine' if result.label else 'no mine'}, score {result.score:.2f}"
    )  # fmt: skip
    return Picture(png_of(painted(image, mask, data.bands, mapped)), f"{chip.name}: {told}")


def _facts(
    scorer: Scorer, data: DataSet, chosen: DataSet, threshold: float, options: EvaluateOptions
) -> list[tuple[str, str]]:
    card = scorer.card
    return [
        ("model", f"{card.name}, sha256 {card.sha256[:16] or 'none'}"),
        ("threshold", f"{threshold:g}"),
        ("data", f"{data.name}, version {data.version}"),
        ("chips", f"{len(chosen):,} of split {options.split or 'all'}"),
        ("blocks", f"{options.block_km:g} km" if _on_earth(chosen.chips) else "not on the ground"),
    ]


def _notes(
    scorer: Scorer, data: DataSet, chips: Sequence[Chip], blocks: Sequence[str]
) -> list[str]:
    card, notes = scorer.card, []
    if not _on_earth(chips):
        alone = len(set(blocks)) == len(chips)
        drawn = "each chip counts as if no other were near it" if alone else (
            "chips of one place or source are drawn together")  # fmt: skip
        notes.append(
            f"The chips do not say where on Earth they lie: {drawn}, and the intervals are too "
            "narrow where neighbours are alike."
        )
    if not card.calibrated:
        notes.append("The model's scores are not calibrated: do not read them as probabilities.")
    if data.level != "any" and card.level not in ("any", data.level):
        notes.append(
            f"The model was made for {card.level} reflectance, the chips are {data.level}."
        )
    if card.output == "patch":
        notes.append("The model judges windows, so chips are judged, not pixels.")
    return notes
