"""What a person sees while a network learns: a bar with loss and IoU, a line a look."""

from __future__ import annotations

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

from minetrace.models.training import Look


class TrainBars:
    """A bar per network; where there is no terminal, a line each time that it is looked at."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._console = Console(stderr=True, highlight=False)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._title, self._iou, self._steps = "", "", 0

    def begin(self, title: str, steps: int) -> None:
        """A network begins to learn, or goes on."""
        self._title, self._iou, self._steps = title, "", steps
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description:>11}"), BarColumn(), MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"), TimeElapsedColumn(), TextColumn("left"),
                TimeRemainingColumn(), console=self._console,
            )  # fmt: skip
            self._task = self._progress.add_task(title, total=steps, figures="")
            self._progress.start()

    def step(self, step: int, loss: float) -> None:
        """A step is done."""
        if self._progress is not None:
            self._progress.update(self._task, completed=step + 1,
                                  figures=f"loss {loss:.3f}{self._iou}")  # fmt: skip

    def look(self, look: Look) -> None:
        """The validation part was looked at."""
        self._iou = f", IoU {look.val_iou:.3f}"
        if self._progress is None:
            self._console.print(
                f"{self._title:>11}  step {look.step:,} of {self._steps:,}: loss {look.loss:.3f}, "
                f"validation loss {look.val_loss:.3f}, IoU {look.val_iou:.3f}, "
                f"{look.seconds:,.0f} s"
            )

    def end(self) -> None:
        """The network is done, or was stopped."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._console.print(text)
