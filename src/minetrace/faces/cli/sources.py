"""``minetrace sources``: where imagery can come from, and what each place wants."""

from __future__ import annotations

import typer


def command(
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """List the catalogs that are known by name, what they hold and what they need.

    Nothing is asked over the network. Files need no name: give --source a folder.

    Example:  minetrace sources
    """
    import json

    from minetrace.sources.stac_profiles import PROFILES

    if as_json:
        told = [
            {"name": one.name, "title": one.title, "url": one.url, "needs": one.needs,
             "collections": dict(one.collections), "about": one.about}
            for one in PROFILES.values()
        ]  # fmt: skip
        typer.echo(json.dumps(told, indent=1))
        return
    for one in PROFILES.values():
        typer.echo(f"{one.name}: {one.title}\n  needs {one.needs}")
        for name, what in one.collections.items():
            ways = one.ways_of(name)
            missing = "" if any(not w.missing for w in ways) else "  [its keys are not set]"
            typer.echo(f"  {name}: {what}{missing}")
    typer.echo(
        "\nOther catalogs: sources: [{kind: stac, url: ..., collection: ...}] in a study, or "
        "--source URL.\nFiles: --source with a folder, a file or a pattern."
    )
