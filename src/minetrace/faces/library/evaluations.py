"""``minetrace.evaluate``: how good a model is on chips that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from minetrace.faces.library.models import load_model
from minetrace.flow.data_sets import open_set
from minetrace.flow.evaluate import EvaluateOptions, write_report
from minetrace.flow.evaluate import evaluate as judge
from minetrace.flow.study_chips import SetStudy


def evaluate(
    model: str | Path, chips: str | Path, *, split: str | None = "test", bands: Sequence[str] = (),
    scale: float | None = None, threshold: float | None = None, block_km: float = 20.0,
    out: str | Path | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Score chips and hold the scores against their labels.

    Args:
        model: a name, such as ``spectral``, or a model folder or zip.
        chips: a folder of ``minetrace chips``, of images and masks, a ``.npz`` or a Zarr group.
        split: ``train``, ``val`` or ``test``; None for all chips.
        bands: common names in the files' order, where they do not say them.
        scale: reflectance per number, likewise.
        threshold: a mine from here on; the model's own if left out.
        block_km: side of the squares of ground that the bootstrap draws whole.
        out: folder for ``evaluation.html`` and ``evaluation.json``; neither if left out.

    Returns:
        One row per figure: ``of`` (pixels, outlines, chips), ``figure``, ``value``, and ``low`` and
        ``high``, the middle 95 % of the draws; ``chips`` and ``blocks`` that it is of.

    Raises:
        DataSetError: it is no set of chips, or has none of that split.
        BandError: the model wants a band that the chips lack.
        ModelError: nothing has that name, or the chips are too small for the model.
    """
    given = {} if scale is None else {"*": scale}
    data = open_set(SetStudy(path=Path(chips), bands=tuple(bands), scale=given))
    scorer = load_model(model).scorer(data.bands)
    options = EvaluateOptions(split or "", block_km, threshold, disturb=0 if out is None else 200)
    report, _ = judge(scorer, data, options)
    if out is not None:
        write_report(Path(out), report)
    return pd.DataFrame([
        {"of": counted, "figure": name, **vars(figure), "chips": e.chips, "blocks": e.blocks}
        for counted, e in report.evaluations.items() for name, figure in e.figures.items()
    ])  # fmt: skip
