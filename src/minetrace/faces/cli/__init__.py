"""The command line: one file a command."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version

import typer

from minetrace.errors import MinetraceError
from minetrace.faces.cli import (
    audit,
    chips,
    clouds,
    compare,
    crossval,
    demo,
    embed,
    estimate,
    evaluate,
    exports,
    fetch,
    init,
    models,
    panel,
    plan,
    plot,
    review,
    run,
    sample,
    serve,
    sources,
    status,
    tally,
    train,
    watch,
)

MANUAL = """\
Maps of mining through time: point it at a region and some years, and get mine outlines that keep
their identity from year to year, hectares, and a map to look at and hand on.

The way of the data: imagery becomes one clear picture per period (composites), a model says where
mining is (scores), scores become outlines, outlines become sites with an identity (the panel),
and the panel is published as GeoPackage, GeoParquet, COGs, a STAC catalog and a map that opens
by double click. A run that was stopped, however it was, goes on when the same command is given
again.

First steps:

\b
  minetrace demo              see it work on a made-up country, offline
  minetrace init study.yaml   write a study to edit: region, years, imagery
  minetrace sources           catalogs of imagery that are known by name
  minetrace plan study.yaml   what it would take: scenes, blind ground, time
  minetrace fetch study.yaml  bring its pixels once, to work offline from then on
  minetrace exports stores/NAME        what Earth Engine exports for a store
  minetrace run study.yaml    walk the whole way
  minetrace status runs/NAME  how far a run is, and what failed
  minetrace plot runs/NAME    figures for a paper
  minetrace chips study.yaml  training data around labels
  minetrace audit chips/NAME  does its test see what was trained on?
  minetrace evaluate MODEL chips/NAME  how good a model is on chips it has not seen
  minetrace crossval study.yaml        a recipe, trained and judged without each region in turn
  minetrace train study.yaml  a model from labelled chips
  minetrace embed runs/NAME   what a foundation model says of each patch
  minetrace panel FILES       anybody's outlines of mines, followed through time
  minetrace tally PANEL       hectares by country, or by any territory
  minetrace compare OLD NEW   what a release changed
  minetrace sample runs/NAME  points to check the map at
  minetrace review runs/NAME  a page at which people look and answer
  minetrace serve runs/NAME   map, features, tiles and figures of polygons over HTTP
  minetrace estimate SAMPLE   hectares with an interval, from what people saw there
  minetrace watch study.yaml  what is new in the period that has come; made for cron

Exit codes: 0 done, 1 the run failed (what is done is kept), 2 something given cannot be used,
130 stopped by you.
"""

app = typer.Typer(
    help=MANUAL,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(
    show_version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if show_version:
        typer.echo(f"minetrace {version('minetrace')}")
        raise typer.Exit


for command in (
    demo,
    init,
    plan,
    fetch,
    exports,
    run,
    status,
    plot,
    panel,
    tally,
    compare,
    chips,
    audit,
    train,
    embed,
    evaluate,
    crossval,
    sample,
    review,
    serve,
    estimate,
    watch,
):
    app.command(command.__name__.rpartition(".")[2])(command.command)
app.add_typer(sources.app, name="sources")
app.add_typer(clouds.app, name="clouds")
app.add_typer(models.app, name="models")


def main() -> None:
    """Run the command line; every error of ours becomes one line and an exit code."""
    try:
        app()
    except MinetraceError as error:
        typer.echo(f"minetrace: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # a mistake of ours: still one line, and the trace on request
        if os.environ.get("MINETRACE_DEBUG"):
            raise
        typer.echo(
            f"minetrace: this should not have happened ({type(error).__name__}: {error}); what is "
            "done is kept. MINETRACE_DEBUG=1 shows where it was: please report that",
            err=True,
        )
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("minetrace: stopped", err=True)
        sys.exit(130)
