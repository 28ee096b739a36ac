"""Batch exports: killed anywhere, nothing is ordered twice; failures, a ceiling, the janitor."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from minetrace.errors import (
    MissingFileError,
    NoPermissionError,
    ReadFailedError,
    StudyError,
    TilesFailedError,
)
from minetrace.flow import janitor
from minetrace.flow.fetch import fetch
from minetrace.flow.study import Study
from minetrace.sources import earthengine_exports
from minetrace.store.exports import Exports
from minetrace.store.pixel_store import findings, read_manifest
from minetrace.testing.earthengine_server import TOKEN, EarthEngineServer, Served
from terminal import minetrace

S2 = "COPERNICUS/S2_SR_HARMONIZED"
WIDE = (-71.0, -13.0, -70.0, -12.0)
IMAGES = [
    Served(f"{S2}/20210704T1_T19LCF", "2021-07-04", WIDE, 0, (0.0, 0.2)),
    Served(f"{S2}/20210709T1_T19LCF", "2021-07-09", WIDE, 500, (0.7, 1.0)),
]
PLACE = [-70.404, -12.804, -70.4, -12.8]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EarthEngineServer]:
    monkeypatch.setenv("EARTHENGINE_TOKEN", TOKEN)
    with EarthEngineServer(IMAGES) as served:
        yield served


def asked(url: str, **said: Any) -> dict[str, Any]:
    """A study of two days; ``export`` and ``ceiling`` may be given."""
    export = {"bucket": "gold", "url": url, "poll_s": 0.01, "longest_poll_s": 0.02}
    source = {
        "kind": "earthengine", "product": "sentinel-2-l2a", "url": url, "project": "my-project",
        "bands": ["blue", "green", "red", "nir"],
        "requests": {"attempts": 2, "backoff_s": 0.01, "longest_wait_s": 0.02},
        **said, "export": {**export, **said.get("export", {})},
    }  # fmt: skip
    return {"name": "batch", "region": {"bbox": PLACE}, "periods": [2021], "grid": {"tile": 1024},
            "sources": [source]}  # fmt: skip


def checksums(store: Path) -> list[tuple[str, str]]:
    return sorted((piece.path, piece.sha256) for piece in read_manifest(store)[1])


def life(study: dict[str, Any], store: str) -> None:
    """What a process does that may be killed."""
    os.environ["EARTHENGINE_TOKEN"] = TOKEN
    fetch(Study.of(study), Path(store), batch=True)


def test_a_killed_fetch_orders_nothing_twice(server: EarthEngineServer, tmp_path: Path) -> None:
    study, store = asked(server.url, export={"at_once": 1}), tmp_path / "store"
    fetch(Study.of(study), tmp_path / "waited-for")
    assert not server.seen.exports
    pixels = len(server.seen.pixels)
    context = mp.get_context("forkserver")
    context.set_forkserver_preload(["minetrace.flow.fetch"])
    moments = [  # of the first and of the second export
        ("pending", "before", lambda method, path: path.endswith("image:export")),
        ("ordered, not answered", "after", lambda method, path: path.endswith("image:export")),
        ("submitted", "before", lambda method, path: "/operations?" in path),
        ("completed", "before", lambda method, path: "alt=media" in path),
        ("kept", "before", lambda method, path: method == "DELETE"),
        ("deleted", "after", lambda method, path: method == "DELETE"),
    ]
    for name, when, here in moments:
        process = context.Process(target=life, args=(study, str(store)))
        setattr(server, when, killer(process, here))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL, name
        server.before, server.after = (lambda *_: False), (lambda *_: False)
    done = fetch(Study.of(study), store, batch=True)
    assert (done.pieces, len(server.seen.exports)) == (4, 2)
    assert len(server.seen.pixels) == pixels  # what is read comes from exports alone
    assert checksums(store) == checksums(tmp_path / "waited-for")
    assert not findings(store)
    with Exports.open(store) as ledger:
        assert [(one.state, one.submission) for one in ledger.all()] == [("downloaded", 1)] * 2
    meter = json.loads((store / "items" / "earthengine-meter.json").read_text())
    assert meter["eecu_seconds"] == 25.0
    assert len(server.seen.deleted) == 2
    assert TOKEN.encode() not in b"".join(p.read_bytes() for p in store.rglob("*") if p.is_file())


def killer(process: Any, here: Callable[[str, str], bool]) -> Callable[[str, str], bool]:
    def look(method: str, path: str) -> bool:
        if not here(method, path):
            return False
        os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.05)  # it dies before it could see that nobody answers
        return True

    return look


def test_a_jealous_service_and_a_lost_answer(server: EarthEngineServer, tmp_path: Path) -> None:
    server.jealous = True
    with Exports.open(tmp_path) as ledger:
        assert not ledger.all()
    study = Study.of(asked(server.url))
    lost = iter((True, True, False, False))
    server.before = lambda method, path: path.endswith("image:export") and next(lost)
    with pytest.raises(ReadFailedError, match="broke the connection"):
        fetch(study, tmp_path, batch=True)
    server.before = lambda method, path: False
    assert fetch(study, tmp_path, batch=True).pieces == 4
    assert len(server.seen.exports) == 2


def test_what_fails_is_tried_again_and_then_named(
    server: EarthEngineServer, tmp_path: Path
) -> None:
    study = Study.of(asked(server.url, export={"tries": 2}))
    server.broken = 1
    assert fetch(study, tmp_path / "one", batch=True).pieces == 4
    assert len(server.seen.exports) == 3
    names = [one["requestId"] for one in server.seen.exports.values()]
    assert len(set(names)) == 3
    assert all(len(name) <= 60 for name in names)

    server.broken = 4
    with pytest.raises(TilesFailedError, match=r"User memory limit exceeded\. \(2 tries\)"):
        fetch(study, tmp_path / "all", batch=True)
    asked_for = len(server.seen.exports)
    with pytest.raises(TilesFailedError, match="4 of 4 pieces"):
        fetch(study, tmp_path / "all", batch=True)
    assert len(server.seen.exports) == asked_for
    done = minetrace("exports", tmp_path / "all")
    assert (done.returncode, "User memory limit exceeded" in done.stdout) == (0, True)
    assert "failed" in done.stdout
    assert "0.014 EECU-hours" in done.stdout  # four that failed took 12.5 seconds each
    done = minetrace("exports", tmp_path / "all", "--forget", "--json")
    told = json.loads(done.stdout)
    assert (len(told["forgotten"]), told["exports"]) == (2, [])
    assert fetch(study, tmp_path / "all", batch=True).pieces == 4
    assert len(server.seen.exports) == asked_for + 2


def test_units_have_a_ceiling(server: EarthEngineServer, tmp_path: Path) -> None:
    few = {"eecu_hours": 12.5 / 3600}
    study = asked(server.url, export={"at_once": 1}, ceiling=few)
    with pytest.raises(ReadFailedError, match="EECU-hours, which is the ceiling"):
        fetch(Study.of(study), tmp_path, batch=True)
    assert [one.state for one in janitor.exports_of(tmp_path)].count("downloaded") == 1
    assert len(server.seen.exports) == 1
    more = asked(server.url, ceiling={"eecu_hours": 1.0})
    assert fetch(Study.of(more), tmp_path, batch=True).pieces == 4
    assert len(server.seen.exports) == 2


def test_the_janitor_stops_what_nobody_waits_for(
    server: EarthEngineServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.before = lambda method, path: path.endswith("/operations") or "/operations?" in path
    with pytest.raises(ReadFailedError):
        fetch(Study.of(asked(server.url)), tmp_path, batch=True)
    server.before = lambda method, path: False
    found = janitor.exports_of(tmp_path)
    assert [one.state for one in found] == ["submitted"] * 2
    assert not janitor.stale(found)
    assert len(janitor.forget(tmp_path, days=0)) == 2
    assert all(one["cancelled"] for one in server.seen.exports.values())
    assert janitor.exports_of(tmp_path) == []
    with pytest.raises(MissingFileError, match="nothing was exported"):
        janitor.exports_of(tmp_path / "elsewhere")
    monkeypatch.setenv("EARTHENGINE_TOKEN", "ya29.wrong")
    with pytest.raises(NoPermissionError, match="does not let project"):
        fetch(Study.of(asked(server.url)), tmp_path / "other", batch=True)


def test_a_study_without_a_bucket(server: EarthEngineServer, tmp_path: Path) -> None:
    study = asked(server.url)
    del study["sources"][0]["export"]
    with pytest.raises(StudyError, match=r"export: \{bucket: NAME\}"):
        fetch(Study.of(study), tmp_path, batch=True)
    assert earthengine_exports.STORAGE in str(Study.model_json_schema())
