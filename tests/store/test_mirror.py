"""A run that lives at an address: a real S3 server on loopback, written by one or by two."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box

from cluster import dask_cluster
from minetrace.core.period import Period
from minetrace.errors import MissingFileError, NoPermissionError, ReadFailedError, StudyError
from minetrace.flow.open_run import Run
from minetrace.flow.status import status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store import sidecar
from minetrace.store.mirror import Mirror, _filesystem
from minetrace.store.run_folder import Key, RunFolder
from minetrace.testing.results import assert_equal
from minetrace.testing.world import World, world_study
from terminal import minetrace

SECRET = "not-to-be-seen"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A server that speaks S3, and a bucket on it."""
    pytest.importorskip("s3fs", reason="pip install 'minetrace[s3]'")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as env:
        env.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        env.setenv("AWS_ACCESS_KEY_ID", "who")
        env.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        env.setenv("AWS_DEFAULT_REGION", "us-east-1")
        _filesystem.cache_clear()
        _filesystem("s3://runs").mkdir("runs")
        yield "s3://runs"
    server.stop()
    _filesystem.cache_clear()


def study(world: World, **changes: Any) -> Study:
    base = {**world_study(world, name="far"), "periods": [2021], "grid": {"tile": 128}}
    return Study.of({**base, **changes})


def whole(url: str) -> Path:
    """Everything that lies at an address, fetched."""
    mirror = Mirror.of(url)
    mirror.pull(lambda _: True)
    return mirror.root


@pytest.fixture(scope="module")
def here(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("here") / "run"
    run(study(world), out)
    return out


def test_a_run_at_an_address_equals_one_in_a_folder(
    world: World, here: Path, bucket: str, tmp_path: Path
) -> None:
    file, url = tmp_path / "study.yaml", f"{bucket}/one"
    file.write_text(study(world).dump())
    done = minetrace("run", file, "--out", url, "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["map"] == f"{url}/map/index.html"
    found = whole(url)
    assert_equal(here, found)
    assert (found / "map/index.html").is_file()
    assert not (found / "index.sqlite").exists()
    assert not any(SECRET in p.read_text(errors="ignore") for p in found.rglob("*") if p.is_file())

    said = status(url)
    assert said.verdict == "complete"
    assert said.counts == status(here).counts
    assert "complete" in minetrace("status", url).stdout
    assert "all as their sidecars say" in minetrace("status", url, "--check").stdout

    opened = Run.open(url)
    assert opened.map.is_file()
    assert len(opened.panel()) == len(Run.open(here).panel())
    assert opened.scores(2021).equals(Run.open(here).scores(2021))

    again = minetrace("run", file, "--out", url, "--workers", "1", "--quiet")
    assert again.returncode == 0, again.stderr
    stages = {s.name: s.tiles for s in status(url).stages}
    assert stages["composites"] == sum(c.done for c in said.counts if c.kind == "composites")


def test_two_may_write_one_run_and_one_of_them_a_cluster(
    world: World, here: Path, bucket: str, tmp_path: Path
) -> None:
    """Workers of a scheduler put what they make; another writer is at the same run meanwhile."""
    file, url = tmp_path / "study.yaml", f"{bucket}/shared"
    file.write_text(study(world).dump())
    words = [sys.executable, "-m", "minetrace", "run", str(file), "--out", url,
             "--workers", "1", "--quiet"]  # fmt: skip
    with dask_cluster() as scheduler:
        other = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        done = minetrace("run", file, "--out", url, "--scheduler", scheduler, "--json")
        told = other.communicate(timeout=600)[1]
    assert (done.returncode, other.returncode) == (0, 0), done.stderr + told
    assert_equal(here, whole(url))
    assert "all as their sidecars say" in minetrace("status", url, "--check").stdout


def test_without_its_sidecar_nothing_is_there_and_other_bytes_are_refused(
    here: Path, bucket: str
) -> None:
    mirror = Mirror.of(f"{bucket}/parts")
    run_there = RunFolder(mirror.root, mirror)
    tile = next((here / "scores/2021").glob("*.tif"))
    key = Key("scores", "2021", tile.stem)
    store = _filesystem(mirror.url)
    store.put_file(str(tile), f"runs/parts/{key}.tif")
    assert not run_there.bring(key)
    store.put_file(str(tile.with_suffix(".json")), f"runs/parts/{key}.json")
    assert run_there.bring(key)
    run_there.path(key).unlink()
    store.pipe_file(f"runs/parts/{key}.tif", b"something else")
    with pytest.raises(ReadFailedError, match="not what its sidecar says"):
        run_there.bring(key)
    run_there.drop(run_there.sidecar(key))
    run_there.drop(run_there.sidecar(key))
    assert not run_there.bring(key)


def test_a_kill_between_two_puts_leaves_nothing_under_an_old_sidecar(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Mirror.of(f"{bucket}/killed")
    run_there, key = RunFolder(mirror.root, mirror), Key("scores", "2021", "t")

    def made(text: str) -> None:
        sidecar.publish(
            run_there, key, lambda part: part.write_text(text) and None, read_hash=text, recipe=1,
            where=box(0, 0, 1, 1), period=Period.year(2021),
        )  # fmt: skip

    def killed(path: Path) -> None:
        if path.suffix == ".json":
            raise KeyboardInterrupt
        mirror.put(path)

    made("one")
    monkeypatch.setattr(RunFolder, "put", lambda _, path: killed(path))
    for text, left in (("one", True), ("two", False)):
        with pytest.raises(KeyboardInterrupt):
            made(text)
        other = Mirror.of(mirror.url)
        assert RunFolder(other.root, other).bring(key) is left


def test_what_cannot_be_is_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingFileError, match="not a run"):
        status(f"{bucket}/nothing")
    with pytest.raises(StudyError, match="keys do not belong") as refused:
        Mirror.of(f"s3://who:{SECRET}@runs/x")
    assert SECRET not in str(refused.value)
    with pytest.raises(StudyError, match="not an address that can hold"):
        Mirror.of("nonsense://x/y")
    _filesystem.cache_clear()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NoPermissionError, match="signed in"):
        status(f"{bucket}/one")
    _filesystem.cache_clear()
