"""Ending a worker whose task takes too long.

A task may hang in a library that never comes back to Python, so the timer is one that needs no
Python either: it ends the process, and whoever gave the task sees a worker die.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def watched(limit_s: float | None) -> Iterator[None]:
    """End this process if the block takes longer; for a process that does one task at a time."""
    if limit_s is None:
        yield
        return
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(limit_s, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
