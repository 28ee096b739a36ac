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
  minetrace plan study.yaml   what it would take: scenes, blind ground, time
  minetrace run study.yaml    walk the whole way
  minetrace status runs/NAME  how far a run is, and what failed

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


_IN_A_LINE = {  # in the order of the work
    demo: "Map the mines of a made-up country, offline.",
    init: "Write a study to edit: region, years, imagery.",
    plan: "What a study would take: scenes, blind ground, time.",
    fetch: "Bring its pixels once, to work offline from then on.",
    exports: "What Earth Engine exports for a store, by state.",
    run: "Make the map of a study, or go on with it.",
    status: "How far a run is, what failed, and whether its files are whole.",
    plot: "Draw figures for a paper.",
    panel: "Follow anybody's outlines of mines through time.",
    tally: "Count hectares by country, or by any territory.",
    compare: "Say what a release changed.",
    chips: "Cut training data around labels.",
    audit: "See whether the test of chips sees what was trained on.",
    train: "Make a model from labelled chips.",
    embed: "Compute what a foundation model says of each patch.",
    evaluate: "Say how good a model is on chips it has not seen.",
    crossval: "Train and judge a recipe without each region in turn.",
    sample: "Draw a probability sample of points to check the map at.",
    review: "Open a page at which people look and answer.",
    serve: "Serve map, features, tiles and figures of polygons over HTTP.",
    estimate: "Estimate hectares with an interval, from what people saw.",
    watch: "Say what is new in the period that has come; made for cron.",
}
for command, line in _IN_A_LINE.items():
    app.command(command.__name__.rpartition(".")[2], short_help=line)(command.command)
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
    except SystemExit as left:
        if left.code == 130:  # typer ends so, and says nothing
            typer.echo("minetrace: stopped", err=True)
        raise
