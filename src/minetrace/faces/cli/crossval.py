"""``minetrace crossval``: a recipe, trained and judged several times."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    study: Path = typer.Argument(..., help="A study of a training, as 'minetrace train' takes it."),
    by: str = typer.Option("blocks", help="blocks of ground, regions, or a list; each left out."),
    listed: Path | None = typer.Option(None, "--list", help="CSV with name and fold, for a list."),
    val: bool = typer.Option(True, help="Of a list: the part after the tested one calibrates."),
    folds: int = typer.Option(5, min=3, help="How many divisions by blocks."),
    block_km: float = typer.Option(20.0, help="Side of a block."),
    buffer_km: float = typer.Option(0.0, help="Trained chips nearer than this are left out."),
    seed: int = typer.Option(0, help="Another number is another division."),
    out: Path | None = typer.Option(None, help="Its folder.  [default: runs/NAME-crossval]"),
    threads: int = typer.Option(0, min=0, help="Of the arithmetic; 0 for torch's own choice."),
    device: str = typer.Option("auto", help="cpu, cuda, or auto."),
    quiet: bool = typer.Option(False, help="No progress, only what came of it."),
) -> None:
    """Train a recipe once for every fold, and judge each model on the ground that it never saw.

    A command that was stopped goes on where it was.

    Example:  minetrace crossval study.yaml --folds 5 --block-km 50

    Example:  minetrace crossval study.yaml --by regions

    Example:  minetrace crossval study.yaml --by list --list folds.csv
    """
    from minetrace.assess.evaluation_page import said
    from minetrace.errors import StudyError
    from minetrace.faces.cli.progress import Bars
    from minetrace.faces.cli.train_bars import TrainBars
    from minetrace.flow.cross_validate import CrossOptions, cross_validate
    from minetrace.flow.evaluate import write_report
    from minetrace.flow.report import Silent
    from minetrace.flow.train import Quiet, train
    from minetrace.flow.train_study import TrainStudy
    from minetrace.models.machine import need_torch, use_threads

    if by not in ("blocks", "regions", "list"):
        raise StudyError(f"--by {by}: there is no such division; choose blocks, regions or list")
    if (by == "list") != (listed is not None):
        raise StudyError("--by list and --list FILE.csv go together; give both")
    asked = TrainStudy.read(study)
    need_torch()
    use_threads(threads)
    watch = Quiet() if quiet else TrainBars()
    folder = out or Path("runs") / f"{asked.name}-crossval"
    report = cross_validate(
        asked, folder, CrossOptions(by, folds, block_km, buffer_km, seed, listed, val),
        lambda each, place: train(each, place, watch=watch, device=device).model,
        reporter=Silent() if quiet else Bars(),
    )  # fmt: skip
    page, _ = write_report(folder, report)
    for counted, evaluation in report.evaluations.items():
        typer.echo(f"{counted}: {evaluation.chips} chips in {evaluation.blocks} blocks")
        for name, figure in evaluation.figures.items():
            typer.echo(f"  {name:<18} {said(figure)}")
    typer.echo(f"Look: {page}")
