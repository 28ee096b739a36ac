"""``minetrace demo``: the main job on a made-up country."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    out: Path = typer.Option(Path("demo"), help="Where the country and its map are written."),
    seed: int = typer.Option(7, help="Another seed, another country."),
    size: int = typer.Option(1024, min=256, help="Side of the country in 10 m pixels."),
    workers: int = typer.Option(0, min=0, help="Processes; 0 for one per core."),
) -> None:
    """Map the mines of a made-up country, offline, with the shipped model, which never saw it.

    It has rivers, towns, mines that come and go, clouds, and a year that nobody saw.

    Example:  minetrace demo
    """
    from minetrace.faces.cli.progress import Bars, show
    from minetrace.flow.machine import cores
    from minetrace.flow.steps import run
    from minetrace.flow.study import Study
    from minetrace.testing.world import find_or_make_world, world_study

    bars = Bars()
    bars.note(f"making the country in {out / 'world'} ...")
    world = find_or_make_world(out / "world", seed=seed, size_px=size)
    found_and_outlined = {"model": {"name": "artisanal-gold-rgb"}, "delineate": True}
    study = Study.of(world_study(world, name="demo") | found_and_outlined, base=out.resolve())
    summary = run(study, out / "run", workers=workers or cores(), reporter=bars)
    show(summary, truth=world.mined_ha())
