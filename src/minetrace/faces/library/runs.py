"""``minetrace.run`` and ``minetrace.open_run``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minetrace.flow.machine import cores
from minetrace.flow.open_run import Run
from minetrace.flow.report import Silent
from minetrace.flow.steps import run as walk
from minetrace.flow.study import Study


def run(
    study: Study | Path | str | Mapping[str, Any],
    out: Path | str | None = None,
    *,
    workers: int | None = None,
    allow_missing: bool = False,
    progress: bool | None = None,
) -> Run:
    """Make the map of a study, or go on with it where it stopped.

    Args:
        study: a `Study`, a study file, or what such a file holds.
        out: the run folder, or an address such as ``s3://bucket/gold``; ``runs/NAME`` if left out.
        workers: processes, one per core if left out. No result depends on it.
        allow_missing: publish even if tiles failed; they count as not looked at.
        progress: show bars; if left out, where somebody can see them.

    Returns:
        The run, to work with.

    Raises:
        UserError: something given cannot be used; its message says what to do.
        TilesFailedError: tiles failed; the same call tries them again.
        InterruptedRunError: Ctrl-C; what is done is kept.
    """
    from minetrace.faces.cli.progress import Bars

    asked = _study(study)
    folder = out if out is not None else Path("runs") / asked.name
    shown = sys.stderr.isatty() if progress is None else progress
    walk(asked, folder, workers=workers or cores(), reporter=Bars() if shown else Silent(),
         allow_missing=allow_missing)  # fmt: skip
    return Run.open(folder)


def open_run(path: Path | str) -> Run:
    """A run folder to work with, whether its run is complete or not.

    Raises:
        MissingFileError: there is no such folder.
        RunError: it holds no run.
    """
    return Run.open(path)


def _study(study: Study | Path | str | Mapping[str, Any]) -> Study:
    if isinstance(study, Study):
        return study
    return Study.of(study) if isinstance(study, Mapping) else Study.read(study)
