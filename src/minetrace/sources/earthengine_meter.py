"""How much was asked of Earth Engine, and a ceiling above which nothing more is.

Earth Engine bills compute units (EECU). It says how many a batch export took, but not an
interactive request; of these the requests and bytes are counted, and each carries a workload tag
by which the project's own monitoring shows the units.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from minetrace.errors import ReadFailedError
from minetrace.store.files import disk_errors


@dataclass(frozen=True)
class Ceiling:
    """What may be asked for in all; None for no limit."""

    requests: int | None = 50_000
    eecu_hours: float | None = None


CEILING = Ceiling()


@dataclass(frozen=True)
class Spent:
    """What was asked for so far.

    Attributes:
        requests: for lists, pixels and exports.
        received_bytes: of pixels.
        eecu_seconds: of batch exports, as the service said.
    """

    requests: int = 0
    received_bytes: int = 0
    eecu_seconds: float = 0.0


@dataclass(frozen=True)
class Meter:
    """Counts in a file that all processes of a run share, and that outlives them."""

    path: Path
    ceiling: Ceiling

    def ask(self, *, computes: bool = True) -> None:
        """Count a request that is about to be made.

        Args:
            computes: False for a look at what was ordered before, which takes no compute units:
                what they were spent on is brought home even above their ceiling.

        Raises:
            ReadFailedError: it would be one too many.
        """
        with self._held() as spent:
            most, hours = self.ceiling.requests, self.ceiling.eecu_hours
            if most is not None and spent.requests >= most:
                raise ReadFailedError(
                    f"Earth Engine was asked {spent.requests} times, which is the ceiling: raise "
                    "sources.ceiling.requests and run the same command again"
                )
            if computes and hours is not None and spent.eecu_seconds >= hours * 3600:
                raise ReadFailedError(
                    f"Earth Engine computed for {spent.eecu_seconds / 3600:.2f} EECU-hours, which "
                    "is the ceiling: raise sources.ceiling.eecu_hours and run the same command "
                    "again"
                )
            self._write(replace(spent, requests=spent.requests + 1))

    def count(self, *, received_bytes: int) -> None:
        """Count what came back."""
        with self._held() as spent:
            self._write(replace(spent, received_bytes=spent.received_bytes + received_bytes))

    def settle(self, eecu_seconds: float) -> None:
        """Say what all exports took so far: a sum, which no kill can make count twice."""
        with self._held() as spent:
            self._write(replace(spent, eecu_seconds=eecu_seconds))

    def read(self) -> Spent:
        """What it shows."""
        with self._held() as spent:
            return spent

    @contextmanager
    def _held(self) -> Iterator[Spent]:
        """The count, while nobody else changes it."""
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            text = os.pread(handle, 1 << 12, 0)
            yield Spent(**json.loads(text)) if text.strip() else Spent()
        finally:
            os.close(handle)

    def _write(self, spent: Spent) -> None:
        """Overwrite in place, filled up with blanks: the lock is on this very file."""
        text = json.dumps(asdict(spent)).ljust(200)
        handle = os.open(self.path, os.O_RDWR)
        try:
            os.pwrite(handle, text.encode(), 0)
        finally:
            os.close(handle)
