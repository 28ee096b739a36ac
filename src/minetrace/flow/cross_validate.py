"""``minetrace crossval``: how good a recipe is, every chip tested by a model that never saw it.

One split gives one figure and a doubt about its luck. Here the recipe is trained several times,
each time without some ground, and what those models say of the ground that they did not see is put
together.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minetrace.assess.evaluation import ChipResult, patch_figures, pixel_figures
from minetrace.assess.evaluation_page import Report
from minetrace.chips.audit import audit, refuse_leaks
from minetrace.chips.folds import Fold, block_folds, listed_folds, region_folds
from minetrace.chips.lists import read_folds
from minetrace.core.data_set import DataSet
from minetrace.core.model import ModelCard
from minetrace.flow.chip_scores import ChipScorer
from minetrace.flow.data_sets import open_set
from minetrace.flow.evaluate import blocks_of, figures_of, judge
from minetrace.flow.report import Reporter, Silent
from minetrace.flow.study_chips import SplitStudy
from minetrace.flow.train_study import TrainStudy
from minetrace.predict.onnx import OnnxScorer
from minetrace.store.files import write_text

Train = Callable[[TrainStudy, Path], Path]
"""Trains a study in a folder, or goes on with it, and says where the model is."""


@dataclass(frozen=True)
class CrossOptions:
    """How to divide.

    Attributes:
        by: ``blocks`` of ground, ``regions``, or parts that a ``list`` says, each left out once.
        folds: how many divisions by blocks.
        block_km: side of a block; the bootstrap draws the same.
        buffer_km: chips of training nearer to tested ones than this are left out.
        seed: of the division.
        listed: CSV with the columns name and fold, where a list says the parts.
        validate: whether the part of the list after the tested one is kept for calibration.
    """

    by: str = "blocks"
    folds: int = 5
    block_km: float = 20.0
    buffer_km: float = 0.0
    seed: int = 0
    listed: Path | None = None
    validate: bool = True


def cross_validate(
    study: TrainStudy, out: Path, options: CrossOptions, train: Train, *,
    reporter: Reporter | None = None,
) -> Report:  # fmt: skip
    """Train and judge a recipe once for every fold.

    Args:
        study: the recipe; its own split is not used.
        out: a folder a fold is made in it; what was trained there is not trained again.
        options: how to divide.
        train: does the training.

    Raises:
        LeakageError: a fold leaks, and the study does not say why it is meant.
        UserError: the set cannot be divided so, or something else that was given cannot be used.
    """
    tell = reporter or Silent()
    data = open_set(study.data.model_copy(update={"split": None}))
    folds = _folds(data, options)
    for fold in folds:  # all of them before the first hour of training
        refuse_leaks(audit(fold.data, contents=False), study.data.allow_leakage)
    results: list[ChipResult] = []
    matrix: dict[str, dict[str, float]] = {}
    cards: list[ModelCard] = []
    for fold in folds:
        model = train(_study_of(study, fold, out), out / fold.name)
        scorer = OnnxScorer.open(model)
        cards.append(scorer.card)
        ask = ChipScorer.over(scorer, data.bands)
        tested = fold.data if options.by == "regions" else fold.data.split("test")
        judged = judge(ask, tested, blocks_of(tested.chips, options.block_km),
                       scorer.card.threshold, tell)  # fmt: skip
        held = {chip.name for chip in fold.data.split("test").chips}
        results += [r for r in judged if r.name in held]
        if options.by == "regions":
            matrix[fold.name] = _row(judged, folds, scorer.card.output == "patch")
    return _report(study, data, results, cards, matrix, options)


def _folds(data: DataSet, options: CrossOptions) -> list[Fold]:
    if options.by == "regions":
        return region_folds(data, seed=options.seed)
    if options.listed is not None:
        return listed_folds(data, read_folds(options.listed), validate=options.validate)
    return block_folds(
        data, options.folds, block_km=options.block_km, buffer_km=options.buffer_km,
        seed=options.seed,
    )  # fmt: skip


def _study_of(study: TrainStudy, fold: Fold, out: Path) -> TrainStudy:
    """The recipe on one division, which is written as a list beside it."""
    path = out / f"{fold.name}.csv"
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["name", "split"])
    table.writerows((c.name, c.split) for c in fold.data.chips if c.split)
    write_text(path, text.getvalue())
    split = SplitStudy(kind="lists", lists=(path.resolve(),))
    data = study.data.model_copy(update={"split": split})
    return study.model_copy(update={"data": data})


def _row(results: Sequence[ChipResult], folds: Sequence[Fold], patch: bool) -> dict[str, float]:
    """The figure of one model on the chips of each region."""
    found = {}
    for fold in folds:
        some = [r for r in results if r.region == fold.name]
        if patch:
            found[fold.name] = patch_figures(some, draws=1).figures["ROC AUC"].value
        else:
            found[fold.name] = pixel_figures(some, draws=1).figures["IoU"].value
    return found


def _report(
    study: TrainStudy, data: DataSet, results: Sequence[ChipResult], cards: Sequence[ModelCard],
    matrix: dict[str, dict[str, float]], options: CrossOptions,
) -> Report:  # fmt: skip
    patch = cards[0].output == "patch"
    evaluations, groups, counts = figures_of(results, data, options.seed, patch=patch)
    thresholds = [card.threshold for card in cards]
    how = f"{len(cards)} folds by {options.by}" + (
        f" of {options.block_km:g} km, {options.buffer_km:g} km apart" if options.by == "blocks"
        else ""
    )  # fmt: skip
    return Report(
        model=study.name, data=f"{data.name}, cross-validated",
        facts=[("recipe", study.name), ("folds", how),
               ("data", f"{data.name}, version {data.version}"),
               ("thresholds", ", ".join(f"{t:g}" for t in thresholds))],
        evaluations=evaluations, groups=groups, counts=counts,
        counted="chips" if patch else "pixels", threshold=sum(thresholds) / len(thresholds),
        matrix=matrix,
        notes=["Every chip was judged by a model that was trained without it and its ground, each "
               "at its own threshold."],
    )  # fmt: skip
