"""``minetrace train``: a model from labelled chips."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    study: Path = typer.Argument(..., help="A study of a training: chips, network, how it learns."),
    out: Path | None = typer.Option(None, help="Its folder.  [default: runs/NAME]"),
    start: Path | None = typer.Option(
        None, "--from", help="A training whose weights this one begins with: few chips suffice."
    ),
    renormalise: bool = typer.Option(False, help="With --from: the new chips' band statistics."),
    threads: int = typer.Option(0, min=0, help="Of the arithmetic; 0 for torch's own choice."),
    device: str = typer.Option("auto", help="cpu, cuda, or auto."),
    processes: int = typer.Option(
        1, min=1, help="That share the work, a GPU each; each takes fit.batch crops a step."
    ),
    quiet: bool = typer.Option(False, help="No progress, only what came of it."),
) -> None:
    """Train a network on chips and make a model of it that `minetrace run` takes.

    The split is audited first. A training that was stopped goes on where its state was last kept,
    to the same weights (on one machine, CPU and number of threads).

    Example:  minetrace train study.yaml

    Example:  minetrace train new-region.yaml --from runs/my-pits --renormalise
    """
    from minetrace.faces.cli.card import card_facts, facts
    from minetrace.faces.cli.train_bars import TrainBars
    from minetrace.flow.train import Quiet, train
    from minetrace.flow.train_study import StartStudy, TrainStudy
    from minetrace.models.machine import need_torch, use_threads

    asked = TrainStudy.read(study)
    if start is not None:
        begun = StartStudy(path=start.resolve(), renormalise=renormalise)
        asked = asked.model_copy(update={"start": begun})
    need_torch()
    use_threads(threads)
    watch = Quiet() if quiet else TrainBars()
    done = train(asked, out or Path("runs") / asked.name, watch=watch, device=device,
                 processes=processes)  # fmt: skip
    typer.echo(f"{done.model} written")
    facts(card_facts(done.card))
    for doubt in done.doubts:
        typer.echo(f"warning: {doubt}", err=True)
    typer.echo(f"Report: {done.report}. Use it: minetrace run --model {done.model}")
