"""``minetrace status``: how far a run is, and whether it is sound."""

from __future__ import annotations

import typer


def command(
    out: str = typer.Argument(..., help="The run folder, or its s3:// address."),
    check: bool = typer.Option(False, "--check", help="Compare every file to its checksum."),
    repair: bool = typer.Option(False, "--repair", help="Check, then mend after showing what."),
    yes: bool = typer.Option(False, "--yes", help="Mend without asking."),
    price_per_hour: float | None = typer.Option(
        None, min=0, help="Of all machines that work at once: shows the cost of 1,000 km²."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """Say what of a run is done, failed or still to be done, and what each stage took.

    --check also reads every file and names what is damaged, orphaned, stale or left over; it
    changes nothing, and ends with 1 if files are damaged. --repair throws away what can be made
    again; the run's own command makes it.

    Example:  minetrace status runs/demo

    Example:  minetrace status runs/demo --check

    Example:  minetrace status runs/demo --price-per-hour 1.20
    """
    import json

    from minetrace.faces.cli.state import show_check, show_status
    from minetrace.flow.status import status

    if not (check or repair):
        found = status(out)
        if as_json:
            typer.echo(json.dumps(found.facts(price_per_hour), indent=1))
        else:
            show_status(out, found, price_per_hour)
        return
    from minetrace.flow.check import check as look
    from minetrace.flow.check import repair as mend

    seen = look(out)
    if as_json:
        typer.echo(json.dumps(seen.facts(), indent=1))
    else:
        show_check(out, seen)
    if repair and seen.mendable:
        if not yes and not typer.confirm(f"Throw away {len(seen.mendable)} of these?"):
            raise typer.Exit(1)
        typer.echo(f"{mend(seen)} files thrown away; give the run's command again", err=as_json)
    elif seen.mendable:
        raise typer.Exit(1)
