"""How a forecast looks in the terminal."""

from __future__ import annotations

import typer

from minetrace.faces.cli.progress import share, table
from minetrace.flow.forecast import Forecast


def show(name: str, ahead: Forecast) -> None:
    """Print a forecast: a line per period, then what the whole would take."""
    many = "zone" if len(ahead.zones) == 1 else "zones"
    table(
        f"{name}: {ahead.region_km2:,.1f} km² in {ahead.tiles} tiles, "
        f"{len(ahead.zones)} {many} ({', '.join(ahead.zones)})",
        ("period", "scenes", "tiles", "no scene over", "", "to read"),
        [(p.label, p.scenes, p.tiles, f"{p.blind_km2:,.1f} km²", share(p.blind_share),
          _bytes(p.read_bytes)) for p in ahead.periods],
    )  # fmt: skip
    typer.echo(
        f"Pixels to read: {_bytes(ahead.read_bytes)} uncompressed. "
        f"To store: at most {_bytes(ahead.stored_bytes)}."
    )
    typer.echo(
        f"Time: about {_seconds(ahead.seconds)} with {ahead.workers} workers (reading "
        f"{_seconds(ahead.read_seconds)}, scoring {_seconds(ahead.score_seconds)} of one core; "
        f"extrapolated from {ahead.sampled} blocks). Clouds are not known before they are read."
    )
    if ahead.cost:
        parts = ", ".join(f"{what} {_money(value)}" for what, value in ahead.cost.items())
        typer.echo(f"Cost: {_money(sum(ahead.cost.values()))} ({parts}).")


def _bytes(count: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


def _money(value: float) -> str:
    return "under 0.01" if 0 < value < 0.01 else f"{value:,.2f}"


def _seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
