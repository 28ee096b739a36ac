"""``minetrace compare``: what a release changed."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    old: Path = typer.Argument(..., help="A run, a panel's folder or file."),
    new: Path = typer.Argument(..., help="Likewise, the newer release."),
    out: Path = typer.Option(Path("compared"), help="The folder to write."),
    by: str | None = typer.Option(
        None, help="Polygons of territories, or natural-earth.  [default: none]"
    ),
    id: str = typer.Option("iso_a3", help="The column that names a territory."),
) -> None:
    """Say what a release changed: sites, hectares per period and territory, and a map of both.

    Sites are matched by the ground that they cover, not by name.

    Example:  minetrace compare release-1 release-2 --by countries.gpkg --id ISO3
    """
    from minetrace.flow.compare import compare
    from minetrace.panel.compare import CHANGES
    from minetrace.publish.words import INTERVAL, count

    found = compare(old, new, out, by=by, id=id)
    for word, meaning in CHANGES.items():
        sites = int((found.sites["change"] == word).sum())
        if sites:
            typer.echo(f"{count(sites, 'site'):>14}  {word:<8} {meaning}")
    typer.echo(found.periods.to_string(index=False, float_format="{:,.1f}".format))
    typer.echo(f"hectares {INTERVAL}")
    for file in found.files:
        typer.echo(str(file))
