"""``minetrace evaluate``: how good a model is on chips that it has not seen."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    model: str = typer.Argument(..., help="A name ('minetrace models list'), folder or zip."),
    data: list[Path] = typer.Argument(
        ...,
        help="A set of chips (folder, .npz, Zarr, or a YAML file that says of one what 'data' "
        "says in a study of a training), and lists of its splits (CSV).",
    ),
    split: str = typer.Option("test", help="train, val, test, or all."),
    bands: str | None = typer.Option(None, help="Common names in the files' order: red,green,nir."),
    scale: float | None = typer.Option(None, help="Reflectance per number, such as 0.0001."),
    exclude: list[str] | None = typer.Option(None, help="A chip to leave out; repeat it."),
    threshold: float | None = typer.Option(None, help="A mine from here on.  [default: its own]"),
    block_km: float = typer.Option(20.0, help="Side of the squares that the bootstrap draws."),
    disturb: int = typer.Option(200, help="Chips to score shifted, dimmed and hazed; 0 for none."),
    trained_on: Path | None = typer.Option(
        None, help="Chips that it was trained on, read alike: are these like them?"
    ),
    out: Path = typer.Option(Path("evaluation"), help="Where evaluation.html and .json go."),
    as_json: bool = typer.Option(False, "--json", help="Print the figures as JSON."),
    quiet: bool = typer.Option(False, help="No progress, only the figures."),
) -> None:
    """Score chips with a model and hold the scores against their labels.

    Every figure comes with an interval from drawing whole blocks of ground. The page shows them by
    region and size, along the threshold, under small disturbances, and the best, the worst and the
    typical chip.

    Example:  minetrace evaluate spectral chips/gold --split all

    Example:  minetrace evaluate my-model/ SmallMinesDS/ train_test_splits_2022.csv
    """
    import json

    from minetrace.assess.evaluation_page import said
    from minetrace.assess.shift import verdict
    from minetrace.chips.audit import audit
    from minetrace.chips.audit_page import html
    from minetrace.faces.cli.progress import Bars
    from minetrace.flow.data_sets import open_set
    from minetrace.flow.evaluate import EvaluateOptions, evaluate, write_report
    from minetrace.flow.models import open_model
    from minetrace.flow.report import Silent
    from minetrace.flow.study_chips import SetStudy, SplitStudy

    path, *lists = data
    said_here = {
        "bands": tuple(b.strip() for b in bands.split(",")) if bands else (),
        "scale": {} if scale is None else {"*": scale}, "exclude": tuple(exclude or ()),
        "split": SplitStudy(kind="lists", lists=tuple(lists)) if lists else None,
    }  # fmt: skip
    study = SetStudy.read(path).model_copy(update={k: v for k, v in said_here.items() if v})
    opened = open_set(study)
    named = not Path(model).exists() and Path(model).name == model
    scorer = open_model(model if named else None, None if named else Path(model), opened.bands)
    before = open_set(study.model_copy(update={"path": trained_on, "split": None})) if (
        trained_on) else None  # fmt: skip
    options = EvaluateOptions("" if split == "all" else split, block_km, threshold, disturb,
                              trained_on=before)  # fmt: skip
    shown = html(audit(opened, contents=False)) if split != "all" else ""
    report, _ = evaluate(scorer, opened, options, audit=shown,
                         reporter=Silent() if quiet or as_json else Bars())  # fmt: skip
    page, numbers = write_report(out, report)
    if as_json:
        typer.echo(json.dumps(json.loads(numbers.read_text())["figures"], indent=1))
        return
    for counted, evaluation in report.evaluations.items():
        typer.echo(f"{counted}: {evaluation.chips} chips in {evaluation.blocks} blocks")
        for name, figure in evaluation.figures.items():
            typer.echo(f"  {name:<18} {said(figure)}")
    for note in report.notes:
        typer.echo(note)
    if report.shifts:
        typer.echo(verdict(report.shifts))
    typer.echo(f"Look: {page}")
