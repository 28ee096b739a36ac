"""What ``minetrace status`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from minetrace.faces.cli.progress import table

if TYPE_CHECKING:
    from minetrace.flow.check import Check
    from minetrace.flow.status import StageTotal, Status

SHOWN = 20  # findings of a kind that are named


def show_status(out: str, found: Status, price_per_hour: float | None) -> None:
    """Counts, what each stage took, and what failed."""
    table(
        f"{out}: {found.verdict}",
        ("stage", "period", "done", "failed", "to do"),
        [(c.kind, c.period, c.done, c.failed, c.missing) for c in found.counts],
    )
    if any(stage.tiles for stage in found.stages):
        heads = ["took", "tiles", "km²", "read", "requests", "seconds", "km²/s"]
        heads += [] if price_per_hour is None else ["cost of 1,000 km²"]
        table("", heads, [_row(stage, price_per_hour) for stage in found.stages])
    for key, reason in found.failures:
        typer.echo(f"failed  {key}: {reason}")


def _row(stage: StageTotal, price: float | None) -> list[object]:
    speed, cost = stage.km2_per_s, None if price is None else stage.cost(price)
    row: list[object] = [
        stage.name, stage.tiles, f"{stage.km2:,.0f}" if stage.km2 else "",
        _size(stage.bytes_read), stage.requests or "", f"{stage.seconds:,.1f}",
        f"{speed:,.1f}" if speed else "",
    ]  # fmt: skip
    return row if price is None else [*row, f"{cost:,.4f}" if cost is not None else ""]


def _size(count: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return ""


def show_check(out: str, seen: Check) -> None:
    """What is not as it should be."""
    from minetrace.flow.check import MENDED, kinds_of

    for fault in kinds_of(seen.findings):
        here = [found for found in seen.findings if found.fault == fault]
        for found in here[:SHOWN]:
            typer.echo(f"{fault:<12}  {found.path.relative_to(seen.run.root)}: {found.detail}")
        if len(here) > SHOWN:
            typer.echo(f"{fault:<12}  and {len(here) - SHOWN} more; --json lists all")
    if seen.unknown:
        typer.echo(f"what is stale is not known: {seen.unknown}")
    if not seen.findings:
        typer.echo(f"{out}: {seen.looked_at} artefacts, all as their sidecars say")
        return
    said = ", ".join(f"{count} {fault}" for fault, count in kinds_of(seen.findings).items())
    typer.echo(f"{out}: {seen.looked_at} artefacts looked at; {said}")
    if seen.mendable:
        typer.echo(f"--repair throws away what is {', '.join(MENDED)}; a run makes it again")
