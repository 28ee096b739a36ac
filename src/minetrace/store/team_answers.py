"""Answers of a team in PostgreSQL: the same rows, and the same promise that none is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from minetrace.errors import FailedError, MissingExtraError, StudyError
from minetrace.store.answers import COLUMNS, Said, stamped

if TYPE_CHECKING:
    from psycopg import Connection

_MAKE = """
SELECT pg_advisory_xact_lock(76205311);
CREATE TABLE IF NOT EXISTS minetrace_said (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE, queue TEXT NOT NULL, item TEXT NOT NULL, who TEXT NOT NULL,
    kind TEXT NOT NULL, value TEXT NOT NULL, seconds DOUBLE PRECISION NOT NULL,
    said_at TEXT NOT NULL, shown TEXT NOT NULL, stored_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS minetrace_said_of ON minetrace_said (queue, number);
CREATE OR REPLACE FUNCTION minetrace_said_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'what was said is neither changed nor deleted'; END $$;
CREATE OR REPLACE TRIGGER minetrace_said_stays BEFORE UPDATE OR DELETE OR TRUNCATE
    ON minetrace_said EXECUTE FUNCTION minetrace_said_stays();
"""


@dataclass(frozen=True)
class TeamAnswers:
    """Answers in a table that a team shares.

    Attributes:
        url: ``postgresql://…``, with whatever secret it takes; never shown.
    """

    url: str = field(repr=False)

    @classmethod
    def open(cls, url: str) -> TeamAnswers:
        """Connect once, and make the table if it is not there.

        Raises:
            MissingExtraError: psycopg is not installed.
            StudyError: it is no URL of PostgreSQL.
            FailedError: the server does not answer, or says no.
        """
        if not url.startswith(("postgresql://", "postgres://")):
            raise StudyError(
                "MINETRACE_ANSWERS: give postgresql://USER@HOST/DATABASE, or unset it to keep "
                "answers in a file beside the run"
            )
        found = cls(url)
        with found._open() as db:
            db.execute(_MAKE)
        return found

    def add(self, said: Sequence[Said]) -> int:
        """Keep what is not yet known by its id; all of it or nothing. How many were new.

        Raises:
            FailedError: the server does not answer, or says no.
        """
        marks = ", ".join(["%s"] * len(fields(Said)))
        sql = f"INSERT INTO minetrace_said ({COLUMNS}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING"
        with self._open() as db:
            return sum(db.execute(sql, astuple(row)).rowcount for row in stamped(said))

    def read(self, queue: str) -> list[Said]:
        """All that was said of a queue, in the order in which it came.

        Raises:
            FailedError: the server does not answer, or says no.
        """
        sql = f"SELECT {COLUMNS} FROM minetrace_said WHERE queue = %s ORDER BY number"
        with self._open() as db:
            return [Said(*row) for row in db.execute(sql, (queue,)).fetchall()]

    @contextmanager
    def _open(self) -> Iterator[Connection[Any]]:
        """A connection whose work is one transaction."""
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtraError(
                "answers in PostgreSQL need psycopg: pip install 'minetrace[team]'"
            ) from error
        try:
            with psycopg.connect(self.url, connect_timeout=10) as db:
                yield db
        except psycopg.ProgrammingError as error:  # its words may repeat the URL, secret and all
            raise StudyError(
                f"MINETRACE_ANSWERS: PostgreSQL does not take it ({type(error).__name__}); a "
                "password with : / ? # or @ in it has to be written with %-signs in a URL"
            ) from error
        except psycopg.Error as error:
            said = _without_secret(" ".join(str(error).split()), self.url)[:200]
            raise FailedError(
                f"MINETRACE_ANSWERS: PostgreSQL does not do it ({said}); is the server up, and may "
                "this user make and fill a table?"
            ) from error


def _without_secret(said: str, url: str) -> str:
    """Words of the server or the driver, which may take a part of the password for a host."""
    known, _, _ = url.partition("://")[2].rpartition("@")
    pieces = re.split(r"[:/?#@&=%]", known.partition(":")[2])
    for piece in sorted(pieces, key=len, reverse=True):
        said = said.replace(piece, "…") if piece else said
    return said
