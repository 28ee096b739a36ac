"""``minetrace serve``: maps, features, tiles and statistics of published folders over HTTP."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    folders: list[Path] = typer.Argument(..., help="Folders of runs or panels."),
    host: str = typer.Option("127.0.0.1", help="Address to listen at."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port to listen at."),
    name: list[str] | None = typer.Option(
        None, help="Host name by which a proxy passes it on; repeat it."
    ),
    audit: bool = typer.Option(True, help="Write a line for each request."),
    check: bool = typer.Option(False, "--check", help="Open everything, say what, and leave."),
) -> None:
    """Serve maps, OGC API Features, STAC, tiles and statistics of published folders.

    Read-only, and for this machine alone unless another address or a name is given; then whatever
    runs a model needs a token of MINETRACE_TOKENS. Needs: pip install 'minetrace[serve]'.

    Example:  minetrace serve runs/demo

    Example:  minetrace serve runs/* --name maps.example.org --port 8080
    """
    from minetrace.faces.api.listening import listen, refuse_without_extra

    refuse_without_extra()
    from minetrace.faces.api.safety import Safety
    from minetrace.faces.api.service import make_service
    from minetrace.faces.api.tokens import Tokens

    safety = Safety(host, tuple(name or ()), Tokens.from_environment())
    app = make_service(folders)
    for run in app.state.service.runs.values():
        typer.echo(f"{run.id}: {len(run.panel):,} rows, {len(run.periods)} periods")
    if check:
        app.state.service.close()
        return
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"http://{shown}:{port}/  API: /api  STAC: /stac  (Ctrl-C stops)", err=True)
    listen(app, safety, port, audit=audit)
