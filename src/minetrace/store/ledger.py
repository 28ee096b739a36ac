"""The ledger: what is done, failed and still missing in a run.

Sidecars are the truth. The ledger is an index over them in SQLite, made anew from them whenever
it is absent or a run did not end by itself, so that asking is quick however large the run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Literal

from minetrace.errors import DiskFullError, FailedError, NoPermissionError
from minetrace.store import sidecar
from minetrace.store.files import write_whole
from minetrace.store.run_folder import KINDS, Key, RunFolder
from minetrace.store.sidecar import Sidecar

_COLUMNS = ("kind", "period", "tile", "state", "reason", "read_hash", "checksum", "facts")
State = Literal["done", "failed", "missing"]
_TABLE = """
CREATE TABLE IF NOT EXISTS artefacts (
    kind TEXT, period TEXT, tile TEXT, state TEXT, reason TEXT,
    read_hash TEXT, checksum TEXT, facts TEXT,
    PRIMARY KEY (kind, period, tile)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_state ON artefacts (kind, period, state);
CREATE INDEX IF NOT EXISTS failed ON artefacts (kind, period, tile) WHERE state = 'failed';
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT);
"""


@dataclass(frozen=True)
class Count:
    """How many artefacts of a kind and period are in which state."""

    kind: str
    period: str
    done: int
    failed: int
    missing: int


class Ledger:
    """The index of one run; made by ``Ledger.open``, used by one process."""

    def __init__(self, run: RunFolder, connection: sqlite3.Connection) -> None:
        self.run = run
        self._db = connection

    @classmethod
    @contextmanager
    def open(cls, run: RunFolder) -> Iterator[Ledger]:
        """Open the index, made if it is absent."""
        with _told(run), closing(_connect(run)) as db:
            yield cls(run, db)

    @classmethod
    @contextmanager
    def reading(cls, run: RunFolder) -> Iterator[Ledger]:
        """Open the index without writing to it; empty if there is none."""
        where = f"{run.index.absolute().as_uri()}?mode=ro" if run.index.is_file() else ":memory:"
        with _told(run), closing(sqlite3.connect(where, timeout=30, uri=True)) as db:
            if where == ":memory:":
                db.executescript(_TABLE)
            yield cls(run, db)

    @classmethod
    @contextmanager
    def afresh(cls, run: RunFolder, keys: Iterable[Key]) -> Iterator[Ledger]:
        """What the sidecars say now, in memory: no index is read or written."""
        with closing(sqlite3.connect(":memory:")) as db:
            db.executescript(_TABLE)
            ledger = cls(run, db)
            ledger.expect(keys)
            yield ledger

    def expect(self, keys: Iterable[Key]) -> None:
        """Set what the run consists of and read every sidecar again."""
        rows = [self._row(key) for key in keys]  # before the transaction, which locks others out
        with self._db:
            self._db.execute("DELETE FROM artefacts")
            self._db.executemany(
                "INSERT OR REPLACE INTO artefacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
        self._mark("settled", "no")

    def refresh(self) -> None:
        """Read every sidecar again, for the artefacts that are expected."""
        self.expect(self.keys())

    def settle(self) -> None:
        """Say that the index agrees with the sidecars."""
        self._mark("settled", "yes")

    @property
    def settled(self) -> bool:
        """False if a run was cut off, so that the index may lag behind the sidecars."""
        return self._marked("settled") == "yes"

    def finish(self, *, done: bool) -> None:
        """Say whether the run as it is asked for now has come to its end."""
        self._mark("finished", "yes" if done else "no")

    @property
    def finished(self) -> bool | None:
        """True if the run came to its end, None if the index does not know."""
        return {"yes": True, "no": False}.get(self._marked("finished"))

    def _mark(self, name: str, value: str) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", (name, value))

    def _marked(self, name: str) -> str:
        row = self._db.execute("SELECT value FROM marks WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def save(self) -> None:
        """Write the index as a table, for a run that lives at an address."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = self._db.execute(f"SELECT {', '.join(_COLUMNS)} FROM artefacts").fetchall()
        columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
        table = pa.table({
            name: pa.array(values, pa.string())
            for name, values in zip(_COLUMNS, columns, strict=True)
        })  # fmt: skip
        marks = dict(self._db.execute("SELECT name, value FROM marks").fetchall())
        write_whole(
            self.run.table, lambda part: pq.write_table(table.replace_schema_metadata(marks), part)
        )

    @classmethod
    @contextmanager
    def saved(cls, run: RunFolder) -> Iterator[Ledger]:
        """The index that a run at an address was left with, in memory."""
        import pyarrow.parquet as pq

        table = pq.read_table(run.table)
        marks = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        with closing(sqlite3.connect(":memory:")) as db:
            db.executescript(_TABLE)
            columns = (table[name].to_pylist() for name in _COLUMNS)
            with db:
                db.executemany(
                    "INSERT INTO artefacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    zip(*columns, strict=True),
                )
                db.executemany("INSERT INTO marks VALUES (?, ?)", marks.items())
            yield cls(run, db)

    def __len__(self) -> int:
        """How many artefacts the run consists of."""
        return int(self._db.execute("SELECT COUNT(*) FROM artefacts").fetchone()[0])

    def keys(self) -> list[Key]:
        """Every artefact that the run consists of."""
        rows = self._db.execute("SELECT kind, period, tile FROM artefacts")
        return [Key(*row) for row in rows]

    def update(self, key: Key) -> None:
        """Read one artefact's sidecar again."""
        self.run.tell(key)
        with self._db:
            self._db.execute(
                "INSERT OR REPLACE INTO artefacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._row(key)
            )

    def sidecar(self, key: Key) -> Sidecar | None:
        """The sidecar of an artefact that is done, else None."""
        row = self._db.execute(
            "SELECT read_hash, checksum, facts FROM artefacts"
            " WHERE kind = ? AND period = ? AND tile = ? AND state = 'done'",
            (key.kind, key.period, key.tile),
        ).fetchone()
        return Sidecar(key, row[0], row[1], json.loads(row[2])) if row else None

    def sidecars(self, kind: str, period: str) -> list[Sidecar]:
        """Sidecars of all artefacts of a kind and period that are done, by tile."""
        rows = self._db.execute(
            "SELECT tile, read_hash, checksum, facts FROM artefacts"
            " WHERE kind = ? AND period = ? AND state = 'done' ORDER BY tile",
            (kind, period),
        )
        return [Sidecar(Key(kind, period, t), h, c, json.loads(f)) for t, h, c, f in rows]

    def failures(self) -> list[tuple[Key, str]]:
        """What failed, with the reason."""
        rows = self._db.execute(
            "SELECT kind, period, tile, reason FROM artefacts WHERE state = 'failed'"
            " ORDER BY kind, period, tile"
        )
        return [(Key(*row[:3]), row[3]) for row in rows]

    def counts(self) -> list[Count]:
        """How far the run is, by kind and period."""
        rows = self._db.execute(
            "SELECT kind, period, SUM(state = 'done'), SUM(state = 'failed'),"
            " SUM(state = 'missing') FROM artefacts GROUP BY kind, period ORDER BY kind, period"
        )
        counts = [Count(*row) for row in rows]
        order = {kind: number for number, kind in enumerate(KINDS)}
        return sorted(counts, key=lambda count: order.get(count.kind, len(order)))

    def _row(self, key: Key) -> tuple[str, ...]:
        found = sidecar.read(self.run, key)
        name = (key.kind, key.period, key.tile)
        if found is not None:
            facts = json.dumps(dict(found.facts))
            return (*name, "done", "", found.read_hash, found.checksum, facts)
        reason = sidecar.failure(self.run, key)
        return (*name, "missing" if reason is None else "failed", reason or "", "", "", "{}")


def _connect(run: RunFolder) -> sqlite3.Connection:
    """A connection to a sound index; a broken one is thrown away, since it can be made anew."""
    try:
        return _prepared(run)
    except sqlite3.OperationalError:  # busy, or no room: the index itself is sound
        raise
    except sqlite3.DatabaseError:
        run.index.unlink(missing_ok=True)
        return _prepared(run)


def _prepared(run: RunFolder) -> sqlite3.Connection:
    db = sqlite3.connect(run.index, timeout=30)
    try:
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(_TABLE)
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextmanager
def _told(run: RunFolder) -> Iterator[None]:
    """Say what SQLite says in our own words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        words = str(error)
        if "full" in words or "disk I/O" in words:
            raise DiskFullError(
                f"{run.index}: the disk is full; free some room and run the same command again, "
                "finished tiles are kept"
            ) from error
        if "readonly" in words or "unable to open" in words:
            raise NoPermissionError(f"{run.index}: no permission to write there") from error
        raise FailedError(f"{run.index}: {words}; try again") from error
