"""``minetrace estimate``: hectares with an interval, from an answered sample."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    sample: Path = typer.Argument(..., help="The folder that 'minetrace sample' wrote."),
    answers: Path | None = typer.Option(
        None, help="The filled table, if it is not the folder's own: CSV, GeoPackage, GeoJSON."
    ),
    draws: int = typer.Option(1000, min=10, help="Of the bootstrap that checks standard errors."),
    json: bool = typer.Option(False, "--json", help="All figures as JSON."),
) -> None:
    """Estimate mined hectares and the map's accuracy, with intervals that hold for rare mines.

    Writes estimates.json, estimates.csv and the page estimates.html into the folder. Points
    without an answer, or with unsure, count as not drawn.

    Example:  minetrace estimate out/samples/2021
    """
    from json import dumps

    from minetrace.flow.estimates import estimate, lines

    found = estimate(sample, answers=answers, draws=draws)
    for warning in found.facts["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    if json:
        typer.echo(dumps(found.facts, indent=1, ensure_ascii=False))
        return
    for line in lines(found.facts):
        typer.echo(line)
    typer.echo(str(found.files[-1]))
