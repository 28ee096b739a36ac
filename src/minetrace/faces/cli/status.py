"""``minetrace status``: how far a run is."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    out: Path = typer.Argument(..., help="The run folder."),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """Say what of a run is done, failed or still to be done.

    Example:  minetrace status runs/demo
    """
    import json

    from minetrace.faces.cli.progress import table
    from minetrace.flow.status import status

    found = status(out)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=1))
        return
    table(
        f"{out}: {found.verdict}",
        ("stage", "period", "done", "failed", "to do"),
        [(c.kind, c.period, c.done, c.failed, c.missing) for c in found.counts],
    )
    for key, reason in found.failures:
        typer.echo(f"failed  {key}: {reason}")
