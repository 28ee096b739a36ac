"""Artefacts: whole or not there, done when a sidecar says so."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window
from shapely.geometry import box

from minetrace.core.grid import Grid, Rect, tiles_over
from minetrace.core.period import Period
from minetrace.errors import (
    MissingFileError,
    NoPermissionError,
    ReadFailedError,
    RunError,
    RunInUseError,
)
from minetrace.store import sidecar
from minetrace.store.cog import Mosaic, read_cog, write_cog
from minetrace.store.files import PART, write_text, write_whole
from minetrace.store.ledger import Ledger
from minetrace.store.run_folder import Key, RunFolder

GRID = Grid("EPSG:32719", 10.0)
KEY = Key("scores", "2020", "32719_0_0")


def put(run: RunFolder, key: Key, text: str = "pixels", read_hash: str = "h") -> sidecar.Sidecar:
    return sidecar.publish(
        run, key, lambda part: part.write_text(text) and None, read_hash=read_hash, recipe=1,
        where=box(0, 0, 1, 1), period=Period.year(2020), facts={"looked_cells": 3},
    )  # fmt: skip


@pytest.mark.parametrize(("side", "factors"), [(200, []), (256, []), (512, [2]), (1024, [2, 4])])
def test_a_cog_is_one_and_has_its_pixels_in_smaller(
    tmp_path: Path, side: int, factors: list[int]
) -> None:
    pixels = np.arange(side * side, dtype=np.int32).reshape(1, side, side)
    path = tmp_path / "a.tif"
    write_cog(path, pixels, GRID, Rect(0, 0, side, side), names=("a",), nodata=-1,
              tags={"is": "said"}, overviews="AVERAGE")  # fmt: skip
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == factors
        assert file.tags()["is"] == "said"
        assert np.array_equal(file.read(), pixels)
    for level, factor in enumerate(factors):
        with rasterio.open(path, overview_level=level) as file:
            first = pixels[0, :factor, :factor].mean()
            assert file.read(1)[0, 0] == pytest.approx(first, abs=1)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "a.txt"
    write_text(place, "old")

    def broken(part: Path) -> None:
        part.write_text("half")
        raise KeyError("no")

    with pytest.raises(KeyError):
        write_whole(place, broken)
    assert place.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_written_is_synced_before_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, synced = tmp_path / "a.txt", []
    monkeypatch.setattr(
        "os.fsync", lambda handle: synced.append((os.fstat(handle).st_ino, place.exists()))
    )
    write_text(place, "new")
    assert synced == [(place.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_an_artefact_without_its_sidecar_does_not_exist(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    made = put(run, KEY)
    assert sidecar.read(run, KEY) == made
    run.sidecar(KEY).unlink()
    assert sidecar.read(run, KEY) is None


def test_a_failure_replaces_the_artefact_and_success_the_failure(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    put(run, KEY)
    sidecar.fail(run, KEY, read_hash="h2", reason="cut short")
    assert sidecar.read(run, KEY) is None
    assert not run.path(KEY).exists()
    assert sidecar.failure(run, KEY) == "cut short"
    put(run, KEY)
    assert sidecar.failure(run, KEY) is None


def test_the_ledger_is_made_anew_from_sidecars(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    other, third = Key("scores", "2020", "32719_0_1"), Key("scores", "2020", "32719_0_2")
    put(run, KEY)
    sidecar.fail(run, other, read_hash="h", reason="cloud server said no")
    with Ledger.open(run) as ledger:
        ledger.expect([KEY, other, third])
        (count,) = ledger.counts()
        assert (count.done, count.failed, count.missing) == (1, 1, 1)
        assert ledger.failures() == [(other, "cloud server said no")]
        put(run, third)
        ledger.update(third)
        assert [s.key for s in ledger.sidecars("scores", "2020")] == [KEY, third]
        assert not ledger.settled
        ledger.settle()
        assert ledger.settled
    run.index.write_bytes(b"not a database at all" * 100)
    with Ledger.open(run) as ledger:
        ledger.expect([KEY])
        assert ledger.sidecar(KEY) == sidecar.read(run, KEY)


def test_two_runs_cannot_share_a_folder_and_a_dead_one_frees_it(tmp_path: Path) -> None:
    holder = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from minetrace.store.run_folder import RunFolder
        with RunFolder(Path({str(tmp_path)!r})).claimed():
            print("held", flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(RunInUseError, match="another run"), RunFolder(tmp_path).claimed():
            pass
        other.kill()
    (tmp_path / f"{PART}9-x.tif").write_text("half")
    with RunFolder(tmp_path).claimed():
        assert list(tmp_path.iterdir()) == []


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        RunFolder.existing(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"no study\.yaml"):
        RunFolder.existing(tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(RunError, match="is a file"), RunFolder(file).claimed():
        pass


def test_no_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(part: Path) -> None:
        raise PermissionError(13, "Permission denied", str(part))

    with pytest.raises(NoPermissionError, match="--out"):
        write_whole(tmp_path / "a", refuse)


def test_cogs_come_back_and_read_as_one(tmp_path: Path) -> None:
    whole = Rect(-100, 30, 150, 170)
    pixels = np.arange(2 * 150 * 170, dtype=np.int16).reshape(2, 150, 170)
    places = []
    for tile in tiles_over(GRID, whole, 64):
        part = tile.rect & whole
        path = tmp_path / f"{tile.id}.tif"
        rows, cols = part.within(whole)
        write_cog(path, pixels[:, rows, cols], GRID, part, names=("a", "b"), nodata=-1)
        places.append((part, path))
    mosaic = Mosaic(tuple(places), -1)
    asked = Rect(-90, 40, 200, 60)
    found = mosaic.read(asked, (2, 1), np.int16)
    inside = asked & whole
    assert (
        found[::-1, :140, :][:, : inside.height] == pixels[(slice(None), *inside.within(whole))]
    ).all()
    assert (found[:, inside.height :] == -1).all()


def test_a_truncated_cog_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.tif"
    noise = np.random.default_rng(1).integers(0, 30_000, (1, 600, 600)).astype(np.int16)
    write_cog(path, noise, GRID, Rect(0, 0, 600, 600), names=("a",), nodata=-1)
    path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(ReadFailedError, match=r"t\.tif"):
        read_cog(path, (1,), Window(0, 0, 600, 600))
