"""``minetrace exports``: what Earth Engine was asked to export, and how far it is."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    store: Path = typer.Argument(..., help="A store of 'minetrace fetch --batch'."),
    forget: bool = typer.Option(
        False, "--forget", help="Give up what is stale: stopped there, ordered anew when wanted."
    ),
    days: float = typer.Option(
        7.0, min=0, help="What has rested for so long is stale; so is what failed for good."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the list as JSON."),
) -> None:
    """List the exports of a store by state, and forget those that nobody will come for.

    An export is pending, submitted, completed (its files lie in the bucket), downloaded, or failed
    for good. The list is read from the store; only --forget speaks to Earth Engine and the bucket.

    Example:  minetrace exports stores/gold

    Example:  minetrace exports stores/gold --forget --days 0
    """
    import json
    from dataclasses import asdict

    from minetrace.faces.cli.card import facts
    from minetrace.flow import janitor
    from minetrace.store.exports import STATES

    gone = janitor.forget(store, days) if forget else []
    found = janitor.exports_of(store)
    old = janitor.stale(found, days)
    if as_json:
        told = [{**asdict(one), "stale": one in old} for one in found]
        typer.echo(json.dumps({"exports": told, "forgotten": [one.key for one in gone]}, indent=1))
        return
    counts = [(state, str(sum(one.state == state for one in found))) for state in STATES]
    hours = sum(one.eecu_seconds for one in found) / 3600
    facts([*counts, ("took", f"{hours:.3f} EECU-hours"), ("forgotten", str(len(gone)))])
    for one in old:
        typer.echo(f"stale: {one.what}: {one.state}" + (f": {one.reason}" if one.reason else ""))
    if old:
        typer.echo(f"to give these up:  minetrace exports {store} --forget --days {days:g}")
