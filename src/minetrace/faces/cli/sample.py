"""``minetrace sample``: points or blocks to check a map at."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    run: Path = typer.Argument(..., help="The run folder."),
    period: list[str] = typer.Option(
        ..., help="Which period; repeat it for what changed between two."
    ),
    n: int | None = typer.Option(None, "--n", help="How many points or blocks."),
    standard_error: str | None = typer.Option(
        None, help="Or how sure the mined hectares are to be, such as 20ha."
    ),
    seed: int = typer.Option(1, help="Another seed draws other points."),
    allocation: str = typer.Option(
        "rare", help="Points among strata: rare, neyman, proportional or equal."
    ),
    minimum: int = typer.Option(50, help="Points in a small stratum, with rare."),
    buffer_m: float = typer.Option(100.0, help="How far the buffer reaches around mapped mines."),
    uncertain: float | None = typer.Option(
        None, help="Score from which unmapped ground is uncertain.  [default: half the threshold]"
    ),
    expect: list[str] | None = typer.Option(
        None, help="Share of mines expected in a stratum, such as rest=0.001; repeat it."
    ),
    by: Path | None = typer.Option(None, help="Polygons of territories to estimate by."),
    id: str | None = typer.Option(None, help="The column that names a territory."),
    block_m: float | None = typer.Option(
        None, help="Draw squares of this side, such as 100, instead of points; one --period."
    ),
    out: Path | None = typer.Option(None, help="The folder.  [default: RUN/samples/PERIOD]"),
    dry_run: bool = typer.Option(False, help="Say what it would be, and draw nothing."),
) -> None:
    """Draw a probability sample of a run's ground, for people to say what is there.

    Strata are drawn from the map: mine, the buffer around mines, uncertain, and the rest; with two
    periods also what was gained and lost. What the design cannot carry is said before anything is
    drawn; --dry-run stops there. Answer with 'minetrace review', or fill the columns answer_PERIOD
    of sample.csv or sample.gpkg with mine, not or unsure; then: minetrace estimate FOLDER. Of
    blocks people say how much is mined, such as 30%.

    Example:  minetrace sample out/ --period 2021 --n 600 --dry-run

    Example:  minetrace sample out/ --period 2019 --period 2021 --standard-error 20ha

    Example:  minetrace sample out/ --period 2021 --n 300 --block-m 100
    """
    from minetrace.flow.sample_design import (
        SampleRequest,
        as_allocation,
        as_hectares,
        as_shares,
    )
    from minetrace.flow.sampling import Planned, draw, plan

    request = SampleRequest(
        tuple(period), n, as_hectares(standard_error), seed, as_allocation(allocation), minimum,
        buffer_m, uncertain, as_shares(expect or ()), by, id, block_m,
    )  # fmt: skip

    def tell(planned: Planned) -> None:
        for line in planned.lines():
            typer.echo(line)
        for warning in planned.warnings:
            typer.echo(f"note: {warning}", err=True)

    if dry_run:
        return tell(plan(run, request))
    design = draw(run, request, out, tell=tell)
    typer.echo(
        f"{design.folder}: answer with 'minetrace review {run} --sample {design.folder}' or fill "
        f"sample.csv, then 'minetrace estimate {design.folder}'"
    )
    return None
