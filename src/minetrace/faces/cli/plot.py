"""``minetrace plot``: figures for print."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    run: Path = typer.Argument(..., help="The run folder."),
    figure: list[str] | None = typer.Option(
        None, help="map, series, multiples, thumbnails or timelines; repeat it.  [default: all]"
    ),
    period: str | None = typer.Option(None, help="Of the map.  [default: the last looked at]"),
    sites: int = typer.Option(12, help="How many sites in thumbnails and timelines."),
    site: list[str] | None = typer.Option(None, help="This site and no other; repeat it."),
    by: str = typer.Option("area", help="Which sites come first: area, score or random."),
    seed: int = typer.Option(0, help="Of a random choice of sites."),
    chips: str = typer.Option("auto", help="Chips of a site: periods, before-after or auto."),
    out: Path | None = typer.Option(None, help="Where they go.  [default: RUN/figures]"),
    formats: list[str] | None = typer.Option(
        None, "--format", help="png, svg or pdf; repeat it.  [default: png and svg]"
    ),
    dpi: int = typer.Option(300, help="Of PNG, and of pictures inside SVG and PDF."),
    width_mm: str = typer.Option(
        "double", help="single (85, a column), double (180, a page) or millimetres."
    ),
) -> None:
    """Draw the figures that go into a paper: map, time series, small multiples, chips of sites.

    What a run lacks for a figure is said in one line, and the rest is drawn. Needs matplotlib:
    pip install 'minetrace[plot]'.

    Example:  minetrace plot out/

    Example:  minetrace plot out/ --figure map --period 2021 --width-mm single --format pdf

    Example:  minetrace plot out/ --figure thumbnails --by random --seed 4 --sites 20
    """
    from minetrace.faces.cli.progress import Bars
    from minetrace.flow.figures import FIGURES, WRITTEN, Choice, plot, width_from

    choice = Choice(
        figures=tuple(figure or FIGURES), period=period, sites=sites, site_ids=tuple(site or ()),
        by=by, seed=seed, chips=chips, formats=tuple(formats or WRITTEN), dpi=dpi,
        width_mm=width_from(width_mm),
    )  # fmt: skip
    for path in plot(run, choice, out=out, reporter=Bars()):
        typer.echo(str(path))
