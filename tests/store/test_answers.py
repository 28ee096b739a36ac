"""Answers are kept for good: added once, never changed, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from minetrace.errors import FailedError, RunError, StudyError
from minetrace.store.answers import AnswerStore, Said, SqliteAnswers
from minetrace.store.team_answers import TeamAnswers

ONE = Said("0001", "q", "p1@2021", "ana", "answer", "mine", 2.5, "2024-05-01T10:00:00Z", "{}")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A server of its own on a socket in a folder; skips where PostgreSQL is not installed."""
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not homes and shutil.which("initdb") is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    pytest.importorskip("psycopg")
    home = homes[-1] if homes else Path(str(shutil.which("initdb"))).parent
    who: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL does not start as root
        try:
            who = {"user": pwd.getpwnam("postgres").pw_name}
        except KeyError:
            pytest.skip("PostgreSQL does not start as root, and there is no user postgres")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # short: a socket's path is limited
        if who:
            shutil.chown(folder, **who)
        data = Path(folder) / "data"
        for words in (
            ["initdb", "-D", str(data), "-A", "trust", "-U", "ana", "--no-sync"],
            ["pg_ctl", "-D", str(data), "-w", "-l", f"{folder}/log", "-o",
             f"-k {folder} -c listen_addresses= -c fsync=off", "start"],
        ):  # fmt: skip
            subprocess.run([str(home / words[0]), *words[1:]], check=True, cwd=folder,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who)  # fmt: skip
        yield f"postgresql://ana@/postgres?host={folder}"
        subprocess.run([str(home / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"],
                       check=True, cwd=folder, stdout=subprocess.DEVNULL, **who)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AnswerStore:
    if request.param == "sqlite":
        return SqliteAnswers(tmp_path / "review" / "answers.sqlite")
    found = TeamAnswers.open(request.getfixturevalue("postgres"))
    with found._open() as db:  # each test its own
        db.execute("ALTER TABLE minetrace_said DISABLE TRIGGER ALL")
        db.execute("DELETE FROM minetrace_said")
        db.execute("ALTER TABLE minetrace_said ENABLE TRIGGER ALL")
    return found


def test_what_is_said_twice_is_kept_once(store: AnswerStore) -> None:
    assert store.read("q") == []
    assert store.add([ONE]) == 1
    assert store.add([replace(ONE, value="not"), replace(ONE, id="0002", who="ben")]) == 1
    first, second = store.read("q")
    assert (first.value, first.who, first.shown) == ("mine", "ana", "{}")
    assert second.who == "ben"
    assert first.stored_at > "2024"
    assert store.read("another") == []


def test_people_who_answer_at_once_do_not_lose_any(store: AnswerStore) -> None:
    def say(number: int) -> int:
        return store.add([replace(ONE, id=f"n{number}"), replace(ONE, id="same")])

    with ThreadPoolExecutor(6) as people:
        assert sum(people.map(say, range(12))) == 13
    assert len(store.read("q")) == 13


def test_rows_are_neither_changed_nor_deleted(tmp_path: Path, postgres: str) -> None:
    import psycopg

    path = tmp_path / "a.sqlite"
    SqliteAnswers(path).add([ONE])
    team = TeamAnswers.open(postgres)
    team.add([replace(ONE, id="kept")])
    for words in ("UPDATE {} SET value = 'not'", "DELETE FROM {}"):
        with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError):
            db.execute(words.format("said"))
        with psycopg.connect(postgres) as server, pytest.raises(psycopg.errors.RaiseException):
            server.execute(words.format("minetrace_said"))  # type: ignore[arg-type]
    assert [row.value for row in SqliteAnswers(path).read("q")] == ["mine"]


def test_what_cannot_be_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.sqlite").write_text("not a database, and longer than a header of one" * 9)
    with pytest.raises(RunError, match="not a store"):
        SqliteAnswers(tmp_path / "a.sqlite").add([ONE])
    with pytest.raises(StudyError, match="postgresql://"):
        TeamAnswers.open("mysql://ana:hush-hush@host/db")
    with pytest.raises(FailedError) as told:
        TeamAnswers.open(f"postgresql://ana:hush-hush@/db?host={tmp_path}&connect_timeout=1")
    assert "hush" not in str(told.value)
    for password in (
        "hush@hush",
        "hush/hush",
        "ok:hush@hush",
    ):  # the driver takes a part for a host
        with pytest.raises((FailedError, StudyError)) as told:
            TeamAnswers.open(f"postgresql://ana:{password}@127.0.0.1:1/db")
        assert "hush" not in str(told.value)
    assert "hush" not in repr(TeamAnswers("postgresql://ana:hush-hush@host/db"))
