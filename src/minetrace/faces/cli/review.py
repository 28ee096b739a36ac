"""``minetrace review``: a page at which people say what they see."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    run: Path = typer.Argument(..., help="The run folder."),
    sample: Path | None = typer.Option(
        None, help="Points of this sample.  [default: the run's own, if it has one]"
    ),
    detections: bool = typer.Option(False, help="The run's outlines of a period."),
    alerts: Path | None = typer.Option(None, help="Polygons or points of a file."),
    period: str | None = typer.Option(None, help="Of detections or alerts."),
    twice: float = typer.Option(0.0, help="Share of the items that two people look at."),
    settler: list[str] | None = typer.Option(None, help="Who may settle any dispute; repeat it."),
    host: str = typer.Option("127.0.0.1", help="Address to listen at; others need tokens."),
    name: list[str] | None = typer.Option(None, help="Host name that a proxy passes on."),
    port: int = typer.Option(8700, help="Port to listen at."),
    take: Path | None = typer.Option(
        None, "--import", help="Answers to take in: Collect Earth Online CSV, or GeoJSON."
    ),
    export: list[Path] | None = typer.Option(
        None, help="Write the answers: .csv for Collect Earth Online, or .geojson; repeat it."
    ),
    page: bool = typer.Option(True, help="Start the page."),
) -> None:
    """Look at a sample, a run's detections or alerts, and say what is there.

    Starts a page on this machine: pictures before and after, an answer by a single key. Answers are
    kept at once in RUN/review/answers.sqlite, or in PostgreSQL if MINETRACE_ANSWERS holds a URL. On
    any other address people need tokens: MINETRACE_TOKENS="ana:write:SECRET ben:write:SECRET".
    Ctrl-C ends it and hands the answers on: to 'minetrace estimate', to the panel, to new labels.

    Example:  minetrace review out/

    Example:  minetrace review out/ --detections --period 2021 --twice 0.2

    Example:  minetrace review out/ --no-page --export answers.csv
    """
    from minetrace.faces.api.listening import listen, refuse_without_extra
    from minetrace.faces.api.safety import Safety
    from minetrace.faces.api.tokens import Tokens
    from minetrace.flow.review_handing_on import export_to, hand_on, import_from, refuse_other_files
    from minetrace.flow.review_open import ReviewRequest, open_desk

    refuse_other_files([*(export or ()), *([take] if take else ())])
    desk = open_desk(ReviewRequest(run, sample, alerts, detections, period, twice,
                                   tuple(settler or ())))  # fmt: skip
    if take is not None:
        typer.echo(f"{take}: {import_from(desk, take)} answers taken in")
    if page:
        refuse_without_extra()
        from minetrace.faces.api.review import application

        safety = Safety(host, tuple(name or ()), Tokens.from_environment())
        typer.echo(f"{len(desk.queue.items)} to look at: http://{host}:{port}/  (Ctrl-C ends)")
        try:
            listen(application(desk), safety, port, audit=not safety.local)
        except KeyboardInterrupt:
            typer.echo("")
    for line in hand_on(desk):
        typer.echo(line)
    for path in export or ():
        typer.echo(f"{path}: {export_to(desk, path)} answers")
