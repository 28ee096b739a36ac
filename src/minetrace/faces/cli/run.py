"""``minetrace run``: the whole way."""

from __future__ import annotations

from pathlib import Path

import typer

from minetrace.faces.cli import flags


def command(
    study: Path | None = flags.STUDY,
    region: Path | None = flags.REGION,
    years: str | None = flags.YEARS,
    source: str | None = flags.SOURCE,
    model: str | None = flags.MODEL,
    device: str | None = typer.Option(
        None, help="What the model runs on: cpu, cuda, or auto.  [default: cpu]"
    ),
    delineate: bool | None = flags.DELINEATE,
    out: str | None = flags.OUT,
    workers: int = typer.Option(0, min=0, help="Processes; 0 for one per core. No result changes."),
    engine: str | None = typer.Option(
        None, help="Who does the work: local, dask or slurm (extra: dask).  [default: local]"
    ),
    scheduler: str | None = typer.Option(
        None, help="A Dask scheduler's address, such as tcp://10.0.0.1:8786; implies dask."
    ),
    task_limit: float | None = typer.Option(
        None, help="Seconds after which a task is stopped and tried again.  [default: 3 hours]"
    ),
    allow_missing: bool = typer.Option(False, help="Publish even if tiles failed."),
    quiet: bool = typer.Option(False, help="No progress, only the summary."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Make the map of a study, or go on with it.

    A run that was stopped goes on where it was; nothing that is done is done again.

    Example:  minetrace run study.yaml

    Example:  minetrace run --region roi.geojson --years 2019-2024 --source scenes/ --out out/

    Example:  minetrace run --region roi.geojson --years 2018-2025 --source earth-search
    --model artisanal-gold-rgb --delineate

    Example:  minetrace run study.yaml --scheduler tcp://10.0.0.1:8786
    """
    from minetrace.faces.cli.progress import Bars, show
    from minetrace.flow.machine import cores
    from minetrace.flow.report import Silent
    from minetrace.flow.steps import run

    kind = engine or ("dask" if scheduler else None)
    said = {"kind": kind, "scheduler": scheduler, "task_limit_s": task_limit}
    chosen = {key: value for key, value in said.items() if value is not None}
    asked = flags.study_of(
        study, region=region, years=years, source=source, model=model, delineate=delineate,
        out=out, device=device, engine=chosen or None,
    )  # fmt: skip
    reporter = Silent() if quiet or as_json else Bars()
    summary = run(
        asked, out or Path("runs") / asked.name, workers=workers or cores(), reporter=reporter,
        allow_missing=allow_missing,
    )  # fmt: skip
    show(summary, as_json=as_json)
