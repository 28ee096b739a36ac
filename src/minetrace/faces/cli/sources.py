"""``minetrace sources``: where imagery can come from, and what each place wants."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="List catalogs and providers, and check that they let us in.", rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def listing(
    context: typer.Context,
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """List the catalogs that are known by name, what they hold and what they need.

    Nothing is asked over the network. Files need no name: give --source a folder.

    Example:  minetrace sources
    """
    import json

    from minetrace.sources.earthengine_products import PRODUCTS
    from minetrace.sources.stac_profiles import PROFILES

    if context.invoked_subcommand:
        return
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
        "planet: Planet basemaps, kind: planet in a study\n  needs PL_API_KEY and a plan with "
        "basemaps\nearthengine: Google Earth Engine, kind: earthengine in a study\n  needs a "
        "registered project in EARTHENGINE_PROJECT, and signing in"
    )
    for name, product in PRODUCTS.items():
        typer.echo(f"  {name}: {product.title}")
    typer.echo(
        "\nOther catalogs: sources: [{kind: stac, url: ..., collection: ...}] in a study, or "
        "--source URL.\nFiles: --source with a folder, a file or a pattern."
    )


@app.command()
def check(
    names: list[str] = typer.Argument(
        None, help="Names, or study files whose sources are meant.  [default: all names]"
    ),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """Ask providers whether they can be reached and let us in; no secret is printed.

    Ends with 0 if nothing is out of order, 1 if one cannot be reached or refuses what is set, and
    2 if one that was named has no keys.

    Example:  minetrace sources check

    Example:  minetrace sources check planet study.yaml
    """
    import json
    from dataclasses import asdict

    from minetrace.flow.reach import standings

    found = standings(names or [])
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1))
    else:
        for one in found:
            typer.echo(f"{one.name}: {one.state}\n  {one.words}")
    if any(one.wrong for one in found):
        raise typer.Exit(1)
    if names and not all(one.usable for one in found):
        raise typer.Exit(2)
