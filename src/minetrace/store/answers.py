"""What people said of what they were shown, kept for good: rows are added, never changed.

An answer that is taken back stays where it is, with a row behind it that says so, so that who said
what, when, and of which picture can be read from the file alone years later. One row is one
transaction, on disk before the one who said it is told that it is. SQLite by default;
``minetrace.store.team_answers`` is the same in PostgreSQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, get_args

from minetrace.errors import DiskFullError, FailedError, NoPermissionError, RunError

Kind = Literal["answer", "undo", "note", "outline", "settle"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_TABLE = """
CREATE TABLE IF NOT EXISTS said (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, queue TEXT NOT NULL, item TEXT NOT NULL, who TEXT NOT NULL,
    kind TEXT NOT NULL, value TEXT NOT NULL, seconds REAL NOT NULL, said_at TEXT NOT NULL,
    shown TEXT NOT NULL, stored_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS said_of ON said (queue, number);
CREATE TRIGGER IF NOT EXISTS said_stays BEFORE UPDATE ON said
    BEGIN SELECT RAISE(ABORT, 'what was said is not changed; say it anew'); END;
CREATE TRIGGER IF NOT EXISTS said_is_kept BEFORE DELETE ON said
    BEGIN SELECT RAISE(ABORT, 'what was said is not deleted; take it back with an undo'); END;
"""


@dataclass(frozen=True)
class Said:
    """One thing that one person said of one item.

    Attributes:
        id: minted by whoever said it, so that saying it twice is saying it once.
        queue: of which list of items.
        item: its id there.
        who: said it.
        kind: ``answer`` or ``settle`` (a verdict in a dispute), whose value is mine, not or
            unsure; ``undo``, which takes back all that this person said of the item; ``note``,
            whose value is the text; ``outline``, GeoJSON in longitude and latitude.
        value: as the kind has it.
        seconds: spent looking.
        said_at: ISO 8601, by the clock of whoever said it.
        shown: JSON: the pictures by checksum, and the settings.
        stored_at: ISO 8601, by the clock of the store; empty before.
    """

    id: str
    queue: str
    item: str
    who: str
    kind: Kind
    value: str
    seconds: float
    said_at: str
    shown: str
    stored_at: str = ""


COLUMNS = ", ".join(field.name for field in fields(Said))


class AnswerStore(Protocol):
    """Where answers go."""

    def add(self, said: Sequence[Said]) -> int:
        """Keep what is not yet known by its id; all of it or nothing. How many were new."""

    def read(self, queue: str) -> list[Said]:
        """All that was said of a queue, in the order in which it came."""


@dataclass(frozen=True)
class SqliteAnswers:
    """Answers in one file, which several processes may write to at once.

    Attributes:
        path: of the file; made when first needed.
    """

    path: Path

    def add(self, said: Sequence[Said]) -> int:
        """Keep what is not yet known by its id; all of it or nothing. How many were new.

        Raises:
            DiskFullError, NoPermissionError, RunError: it cannot be kept.
        """
        marks = ", ".join("?" * len(fields(Said)))
        sql = f"INSERT INTO said ({COLUMNS}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"
        with self._open() as db, db:
            before = db.total_changes
            db.executemany(sql, [astuple(row) for row in stamped(said)])
            return db.total_changes - before

    def read(self, queue: str) -> list[Said]:
        """All that was said of a queue, in the order in which it came.

        Raises:
            RunError: the file is no store of answers.
        """
        if not self.path.is_file():
            return []
        with self._open() as db:
            rows = db.execute(
                f"SELECT {COLUMNS} FROM said WHERE queue = ? ORDER BY number", (queue,)
            )
            return [Said(*row) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=30)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.executescript(_TABLE)
                yield db
        except sqlite3.OperationalError as error:
            raise _as_ours(self.path, error) from error
        except sqlite3.DatabaseError as error:
            raise RunError(
                f"{self.path}: not a store of answers ({error}); put it away, and another is made"
            ) from error


def stamped(said: Sequence[Said]) -> list[Said]:
    """With the time of now as the time of storing."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [replace(row, stored_at=now) for row in said]


def _as_ours(path: Path, error: sqlite3.OperationalError) -> Exception:
    text = str(error)
    if "full" in text:
        return DiskFullError(f"{path}: the disk is full; free some room, the page sends it again")
    if "readonly" in text or "unable to open" in text:
        return NoPermissionError(f"{path}: cannot be written ({text}); name another with --answers")
    return FailedError(f"{path}: cannot be used now ({text}); try again")
