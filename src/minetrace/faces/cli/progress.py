"""What a person sees in the terminal: bars while it works, tables when it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from minetrace.publish.words import ESTIMATED, INTERVAL, estimated

if TYPE_CHECKING:
    from minetrace.flow.summary import Summary

LINE_S = 20.0  # between plain lines


class Bars:
    """A progress bar per stage; a plain line now and then where there is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._stage, self._km2, self._failed = "", 0.0, 0
        self._tasks, self._done, self._said = 0, 0, 0.0

    def start(self, stage: str, tasks: int, km2: float) -> None:
        """A stage begins; nothing is shown if nothing is left of it."""
        self._stage, self._km2, self._failed = stage, 0.0, 0
        self._tasks, self._done, self._said = tasks, 0, time.monotonic()
        if not tasks:
            self._console.print(f"{stage:>11}  already done")
            return
        if not self._console.is_terminal:
            self._console.print(f"{stage:>11}  {tasks} to do")
            return
        self._progress = Progress(
            TextColumn("{task.description:>11}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"), TimeElapsedColumn(), TextColumn("left"),
            TimeRemainingColumn(), console=self._console,
        )  # fmt: skip
        self._task = self._progress.add_task(stage, total=tasks, speed="")
        self._progress.start()

    def advance(self, tasks: int, km2: float, failed: int) -> None:
        """Some of it is done."""
        self._km2 += km2
        self._failed += failed
        self._done += tasks
        if self._progress is None:
            self._line()
            return
        seconds = self._progress.tasks[0].elapsed or 0.0
        speed = f"{self._km2 / seconds:,.1f} km²/s" if self._km2 and seconds > 0.2 else ""
        if self._failed:
            speed += f" [red]{self._failed} failed[/red]"
        self._progress.update(self._task, advance=tasks, speed=speed)

    def _line(self) -> None:
        now = time.monotonic()
        if now - self._said >= LINE_S:
            self._said = now
            failed = f", {self._failed} failed" if self._failed else ""
            self._console.print(f"{self._stage:>11}  {self._done} of {self._tasks} done{failed}")

    def finish(self) -> None:
        """The stage is over."""
        if self._progress is not None:
            task = self._progress.tasks[0]
            if not task.finished and task.total == 1:
                self._progress.update(self._task, completed=1)
            self._progress.stop()
            self._progress = None

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._console.print(text)

    def warn(self, text: str) -> None:
        """Something that the user should look at."""
        self._console.print(f"[yellow]warning:[/yellow] {text}")


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table; numbers stand to the right."""
    typer.echo(title)
    shown = Table(box=None, pad_edge=False, header_style="bold")
    lines = [list(row) for row in rows]
    for i, head in enumerate(heads):
        right = i > 0 and any(str(line[i])[:1].isdigit() for line in lines)
        shown.add_column(head, justify="right" if right else "left")
    for line in lines:
        shown.add_row(*(str(cell) for cell in line))
    Console(highlight=False).print(shown)


def share(share: float) -> str:
    """A percentage that does not round to all or nothing."""
    if 0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= share < 1 else f"{share:.0%}"


def show(
    summary: Summary, *, as_json: bool = False, truth: Mapping[str, float] | None = None
) -> None:
    """Print what a run found and where to look, beside the truth where that is known."""
    if as_json:
        typer.echo(json.dumps(summary.facts(), indent=1))
        return
    kind = "mined" if summary.extent == "mined" else "footprint"
    rows: list[tuple[Any, ...]] = [
        (p.label, p.sites, f"{p.hectares:,.1f}" if isfinite(p.hectares) else "not looked",
         share(p.looked_share)) for p in summary.periods
    ]  # fmt: skip
    heads = ["period", "sites", f"{kind} ha", "looked at"]
    if truth:
        heads.append("true ha")
        rows = [(*row, f"{truth[row[0]]:,.1f}") for row in rows]
    table(f"{summary.name}: {summary.sites} sites", heads, rows)
    typer.echo(f"Geodesic hectares of {kind} ground: {INTERVAL}; model {summary.model}.")
    for period in summary.periods:
        if period.estimated:
            typer.echo(
                f"{period.label}: {estimated(period.estimated)} ha {ESTIMATED}: "
                f"{period.estimated['sample']}."
            )
    if summary.failed:
        tiles = {(key.period, key.tile) for key, _ in summary.failed}
        typer.echo(f"{len(tiles)} tiles failed and count as not looked at.")
    typer.echo(f"Done in {summary.seconds:.1f} s. Open the map: {summary.map}")
