"""``minetrace plan``: what a study would take."""

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
    delineate: bool | None = flags.DELINEATE,
    out: str | None = flags.OUT,
    workers: int = typer.Option(0, min=0, help="Processes; 0 for one per core."),
    per_gb_read: float | None = typer.Option(None, min=0, help="Price of a gigabyte of imagery."),
    per_core_hour: float | None = typer.Option(None, min=0, help="Price of an hour of one core."),
    per_gb_month: float | None = typer.Option(None, min=0, help="Price of a stored gigabyte."),
    blind: Path | None = typer.Option(None, help="Write ground without any scene as GeoJSON."),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """Say what a study would take, before anything starts.

    Tiles, scenes and blind ground per period, bytes, time and, given prices, cost. A few
    blocks are read and one batch is scored to know how fast this machine is. Nothing is kept but
    what a catalog answered, for the run.

    Example:  minetrace plan study.yaml

    Example:  minetrace plan --region roi.geojson --years 2018-2025 --source earth-search

    Example:  minetrace plan study.yaml --per-core-hour 0.05 --blind blind.geojson
    """
    import json

    from minetrace.faces.cli.forecast import show
    from minetrace.flow.forecast import Prices, blind_ground, forecast
    from minetrace.flow.machine import cores
    from minetrace.flow.plan import plan
    from minetrace.store.files import write_json
    from minetrace.store.run_folder import RunFolder

    asked = flags.study_of(study, region=region, years=years, source=source, model=model,
                     delineate=delineate, out=out)  # fmt: skip
    job = plan(asked, RunFolder.at(out or Path("runs") / asked.name))
    prices = Prices(per_gb_read, per_core_hour, per_gb_month)
    ahead = forecast(job, workers=workers or cores(), prices=prices)
    if blind:
        write_json(blind, blind_ground(ahead))
    if as_json:
        typer.echo(json.dumps(ahead.facts(), indent=1))
        return
    show(asked.name, ahead)
