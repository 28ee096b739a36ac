"""``minetrace clouds``: what cloud masks do to mines."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(help="Judge cloud masks.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _options() -> None:
    """Judge cloud masks."""


@app.command()
def compare(
    study: Path = typer.Argument(..., help="A study file; its first source is read."),
    targets: Path = typer.Option(..., help="Polygons of ground that is always bright."),
    mask: list[str] = typer.Option(
        [], help="scl, qa_pixel, s2cloudless, ukis-csmask ...; give it again for more."
        "  [default: the study's own]",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:  # fmt: skip
    """Say how often each mask rejects known bright targets (tailings, bare pits) over time.

    What a mask rejects of the targets on days on which the ground around them is clear is no
    weather. Targets that it rejects on nearly all such days are erased from every map.

    Example:  minetrace clouds compare study.yaml --targets pits.geojson --mask scl
    """
    import json
    from dataclasses import asdict

    from minetrace.flow.clouds import compare as judged
    from minetrace.flow.study import Study

    found = judged(Study.read(study), targets, mask)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    for one in found:
        typer.echo(
            f"{one.mask}: {one.days} days, {one.clear_days} with clear ground around the targets\n"
            f"  rejects {one.rejected:.1%} of the targets and {one.around:.1%} of the ground around"
        )
        if one.rejected_clear is not None and one.erased is not None:
            typer.echo(f"  on clear days {one.rejected_clear:.1%} of the targets; "
                       f"{one.erased:.1%} of their pixels nearly always: erased")  # fmt: skip
        for year, share in one.by_year.items():
            typer.echo(f"  {year}: {share:.1%}")
