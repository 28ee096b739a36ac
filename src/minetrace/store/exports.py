"""Exports that were ordered elsewhere, and how far each is; a file that outlives every kill.

An export is *pending* (to be ordered), *submitted*, *completed* (its files lie in the bucket),
*downloaded* or *failed* (for good). What it is called is written down before it is ordered, so that
a process that died in between orders the same again and not another.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from minetrace.errors import MissingFileError, RunError
from minetrace.store.files import disk_errors

FILE = "exports.sqlite"
STATES = ("pending", "submitted", "completed", "downloaded", "failed")
State = Literal["pending", "submitted", "completed", "downloaded", "failed"]
_TABLE = """
CREATE TABLE IF NOT EXISTS exports (
    key TEXT PRIMARY KEY, what TEXT NOT NULL, project TEXT NOT NULL, url TEXT NOT NULL,
    bucket TEXT NOT NULL, storage TEXT NOT NULL, prefix TEXT NOT NULL, state TEXT NOT NULL,
    submission INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0,
    operation TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    eecu_seconds REAL NOT NULL DEFAULT 0, changed REAL NOT NULL DEFAULT 0,
    forgotten INTEGER NOT NULL DEFAULT 0, mark TEXT NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Export:
    """One rectangle of one scene, computed elsewhere.

    Attributes:
        key: a hash of all that its pixels depend on.
        what: in words.
        project, url: who computes it and where.
        bucket, storage, prefix: where its files go.
        submission: counts every order of it, for ever: part of its name.
        tries: orders of it that failed, since it was forgotten last.
        operation: the service's name for it; empty unless it is submitted or further.
        reason: why it failed last.
        eecu_seconds: of all its orders.
        changed: when its state last changed, seconds since 1970.
        forgotten: given up; wanted again, it starts anew.
        mark: drawn by chance, so that stores that want the same pixels order their own.
    """

    key: str
    what: str
    project: str
    url: str
    bucket: str
    storage: str
    prefix: str
    state: State = "pending"
    submission: int = 1
    tries: int = 0
    operation: str = ""
    reason: str = ""
    eecu_seconds: float = 0.0
    changed: float = 0.0
    forgotten: bool = False
    mark: str = ""

    @property
    def name(self) -> str:
        """What its present order is called: unlike any other's, at most 60 letters."""
        return f"minetrace-{self.key[:32]}-{self.mark}-{self.submission}"

    @property
    def folder(self) -> str:
        """Where its files lie in the bucket."""
        return f"{self.prefix}/{self.name}"

    def stale(self, days: float, now: float) -> bool:
        """Whether it has failed for good, or nothing has happened to it for some days."""
        resting = self.state in ("pending", "submitted", "completed")
        return self.state == "failed" or (resting and now - self.changed >= days * 86_400)


_NAMES = tuple(field.name for field in fields(Export))


class Exports:
    """The exports of one store, in SQLite; every change is on disk before the call returns."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *, make: bool = True) -> Iterator[Exports]:
        """Open those of a store.

        Raises:
            MissingFileError: there are none, and ``make`` is False.
            RunError: the file is something else.
        """
        path = folder / FILE
        if not make and not path.is_file():
            raise MissingFileError(
                f"{path}: not there, so nothing was exported; 'minetrace fetch --batch' does"
            )
        with disk_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = FULL")
                db.execute(_TABLE)
                yield cls(db)
        except sqlite3.Error as error:
            raise RunError(f"{path}: cannot be used ({error}); move it away") from error

    def all(self, *states: State) -> list[Export]:
        """Those in any of these states, in all of them if none is named, without the forgotten."""
        rows = self._db.execute(
            f"SELECT {', '.join(_NAMES)} FROM exports WHERE NOT forgotten ORDER BY key"
        )
        found = (Export(*row) for row in rows)
        return [one for one in found if one.state in states or not states]

    def want(self, export: Export) -> Export:
        """Write down that it is wanted; what was downloaded or forgotten is ordered anew."""
        marks = ", ".join("?" * len(_NAMES))
        new = replace(export, changed=time.time(), mark=secrets.token_hex(4))
        values = [getattr(new, name) for name in _NAMES]
        self._db.execute(
            f"INSERT INTO exports ({', '.join(_NAMES)}) VALUES ({marks})"
            " ON CONFLICT (key) DO UPDATE SET state = 'pending', submission = submission + 1,"
            " tries = 0, operation = '', reason = '', forgotten = 0, changed = excluded.changed,"
            " project = excluded.project, url = excluded.url, bucket = excluded.bucket,"
            " storage = excluded.storage, prefix = excluded.prefix"
            " WHERE forgotten OR state = 'downloaded'",
            values,
        )
        return self._one(export.key)

    def submitted(self, key: str, operation: str) -> None:
        """It was ordered."""
        self._db.execute("UPDATE exports SET state = 'submitted', operation = ?, changed = ?"
                         " WHERE key = ?", (operation, time.time(), key))  # fmt: skip

    def completed(self, key: str, eecu_seconds: float) -> None:
        """Its files lie in the bucket; counts what computing them took."""
        self._db.execute(
            "UPDATE exports SET state = 'completed', eecu_seconds = eecu_seconds + ?, changed = ?"
            " WHERE key = ?", (eecu_seconds, time.time(), key),
        )  # fmt: skip

    def downloaded(self, key: str) -> None:
        """Its pixels are here."""
        self._db.execute("UPDATE exports SET state = 'downloaded', changed = ? WHERE key = ?",
                         (time.time(), key))  # fmt: skip

    def failed(self, key: str, reason: str, eecu_seconds: float, tries: int) -> None:
        """An order failed: it will be ordered again, unless it has been so often enough."""
        self._db.execute(
            "UPDATE exports SET tries = tries + 1, reason = ?, operation = '', changed = ?,"
            " eecu_seconds = eecu_seconds + ?,"
            " submission = submission + (tries + 1 < ?),"
            " state = CASE WHEN tries + 1 < ? THEN 'pending' ELSE 'failed' END WHERE key = ?",
            (reason, time.time(), eecu_seconds, tries, tries, key),
        )

    def forget(self, key: str) -> None:
        """Give it up; what it took still counts."""
        self._db.execute("UPDATE exports SET forgotten = 1, changed = ? WHERE key = ?",
                         (time.time(), key))  # fmt: skip

    def eecu_seconds(self) -> float:
        """That all of them took, the forgotten ones included."""
        (found,) = self._db.execute("SELECT total(eecu_seconds) FROM exports").fetchone()
        return float(found)

    def _one(self, key: str) -> Export:
        row = self._db.execute(f"SELECT {', '.join(_NAMES)} FROM exports WHERE key = ?", (key,))
        return Export(*row.fetchone())
