"""``minetrace watch``: what is new in the period that has come."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer


def command(
    study: Path = typer.Argument(..., help="A study file."),
    out: Path | None = typer.Option(None, help="The run folder.  [default: runs/NAME]"),
    every: str | None = typer.Option(
        None, help="Go on from the study's last period by month, quarter or year, up to today."
    ),
    by: str = typer.Option("natural-earth", help="Polygons of territories."),
    id: str = typer.Option("iso_a3", help="The column that names a territory."),
    min_ha: float = typer.Option(0.0, help="Leave out alerts that add less."),
    cloudy: float = typer.Option(0.5, help="Too cloudy to tell, if less of the region was seen."),
    mail: list[str] = typer.Option([], help="Send the digest to this address; repeat it."),
    webhook: list[str] = typer.Option([], help="Post the digest to this address; repeat it."),
    resend: bool = typer.Option(False, "--resend", help="Send mails again that were cut off."),
    today: datetime | None = typer.Option(
        None, formats=["%Y-%m-%d"], help="Only periods that are over by then count."
    ),
    workers: int = typer.Option(0, min=0, help="Processes; 0 for one per core."),
) -> None:
    """Say what is new: sites that appear, grow or are mined again, with pictures.

    Runs the study up to now, and writes alerts/PERIOD/ and alerts/feed.xml into the run folder.
    Made for cron: what is done is not done again, and nothing is sent twice.

    Example:  minetrace watch study.yaml

    Example:  minetrace watch study.yaml --every quarter --mail desk@example.org
    """
    from minetrace.faces.cli.progress import Bars
    from minetrace.flow.alerts import FOLDER, OUTBOX, Watch, watch
    from minetrace.flow.delivery import Post, hand_on
    from minetrace.flow.machine import cores
    from minetrace.flow.study import Study
    from minetrace.publish.digest import lines

    post, asked = Post.of(mail, webhook), Study.read(study)
    folder = out or Path("runs") / asked.name
    digest, files = watch(
        asked, folder, Watch(every, by, id, min_ha, cloudy), workers=workers or cores(),
        today=(today or datetime.now()).date(), reporter=Bars(),
    )  # fmt: skip
    for text in [*lines(digest), *map(str, files)]:
        typer.echo(text)
    for text in hand_on(folder / FOLDER / OUTBOX, digest, post, resend=resend):
        typer.echo(text)
