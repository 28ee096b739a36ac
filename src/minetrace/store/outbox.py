"""The outbox: what is to be handed on, and what was, so that nothing is sent twice.

A delivery is written down before it is tried, marked while it is under way, and marked when it has
arrived. A process that dies in between leaves the middle mark: such a delivery may have arrived.
Whether it may be tried again depends on whether the other side knows it by its key, which only the
sender can say.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minetrace.errors import RunError
from minetrace.store.files import disk_errors

State = Literal["waiting", "under way", "sent"]
_TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (
    key TEXT PRIMARY KEY, channel TEXT NOT NULL, target TEXT NOT NULL, period TEXT NOT NULL,
    payload BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '', changed REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Delivery:
    """One message to one target.

    Attributes:
        key: the same for the same content to the same target, whenever it is made.
        channel: ``mail`` or ``webhook``.
        target: to whom; without secrets.
        period: what it tells of.
        payload: what is sent, byte for byte at every try.
        state: see the module.
        attempts: tries so far.
        problem: what went wrong last.
    """

    key: str
    channel: str
    target: str
    period: str
    payload: bytes
    state: State = "waiting"
    attempts: int = 0
    problem: str = ""


class Outbox:
    """Deliveries of one run, in SQLite; made by ``Outbox.open``, used by one process."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Outbox]:
        """Open it, made if it is not there; every change is on disk before the call returns.

        Whoever comes second waits until the first is done, and then sees what was sent.

        Raises:
            RunError: the file is something else.
        """
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go of by the system, however the process ends
            with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.execute(_TABLE)
                yield cls(db)
        except sqlite3.Error as error:
            raise RunError(
                f"{path}: cannot be used as an outbox ({error}); move it away"
            ) from error
        finally:
            os.close(lock)

    def put(self, delivery: Delivery) -> None:
        """Write a delivery down, unless its key is known."""
        self._db.execute(
            "INSERT OR IGNORE INTO deliveries"
            " (key, channel, target, period, payload, state, changed)"
            " VALUES (?, ?, ?, ?, ?, 'waiting', ?)",
            (delivery.key, delivery.channel, delivery.target, delivery.period, delivery.payload,
             time.time()),
        )  # fmt: skip

    def mark(self, key: str, state: State, problem: str = "") -> None:
        """Say what has become of a delivery; ``under way`` counts as a try."""
        self._db.execute(
            "UPDATE deliveries SET state = ?, problem = ?, attempts = attempts + ?, changed = ?"
            " WHERE key = ?",
            (state, problem, int(state == "under way"), time.time(), key),
        )

    def all(self, *states: State) -> list[Delivery]:
        """Deliveries in any of these states, in all of them if none is named; oldest first."""
        rows = self._db.execute(
            "SELECT key, channel, target, period, payload, state, attempts, problem FROM deliveries"
            " ORDER BY changed, key"
        )
        return [found for row in rows if (found := Delivery(*row)).state in states or not states]
