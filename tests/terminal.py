"""The command line without a process of its own: what it prints and how it ends."""

from __future__ import annotations

import io
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from minetrace.faces.cli import main


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    args: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


def minetrace(*words: object, cwd: Path | None = None) -> Done:
    """Give a command as a terminal would."""
    args = tuple(map(str, words))
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["minetrace", *args]), chdir(cwd or Path.cwd()),
        redirect_stdout(out), redirect_stderr(err),
    ):  # fmt: skip
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
    return Done(args, code, out.getvalue(), err.getvalue())
