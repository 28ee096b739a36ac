"""The command line: Ctrl-C, status, JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from minetrace.testing.world import World, world_study
from terminal import minetrace


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "minetrace", *map(str, words)]


def ask(world: World, folder: Path) -> Path:
    file = folder / "study.yaml"
    settings = {**world_study(world, name="cli"), "grid": {"tile": 64}}
    file.write_text(yaml.safe_dump(json.loads(json.dumps(settings, default=str))))
    return file


def hear_ctrl_c() -> None:
    """A shell in the background hands down deaf ears; a person's terminal does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(world: World, tmp_path: Path) -> None:
    file, out = ask(world, tmp_path), tmp_path / "out"
    words = command("run", file, "--out", out, "--workers", 2)
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                          start_new_session=True, preexec_fn=hear_ctrl_c) as process:  # fmt: skip
        until = time.monotonic() + 120
        while time.monotonic() < until and not list(out.glob("composites/*/*.tif")):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "goes on from there" in told
    assert "Traceback" not in told
    before = json.loads(minetrace("status", out, "--json").stdout)
    assert "goes on" in before["verdict"]
    done = minetrace("run", file, "--out", out, "--workers", 2)
    assert "looked at" in done.stdout, done.stderr
    after = json.loads(minetrace("status", out, "--json").stdout)
    assert after["verdict"] == "complete"
    assert all(count["missing"] == count["failed"] == 0 for count in after["counts"])


def test_flags_alone_and_json(world: World, tmp_path: Path) -> None:
    done = subprocess.run(
        command("run", "--region", world.region, "--years", "2019", "--source", world.scenes,
                "--model", "spectral", "--out", "first", "--json"),
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["extent"] == "mined"
    assert told["interval"] == "mapped, no interval"
    assert (tmp_path / told["map"]).is_file()


def test_a_lost_index_is_made_anew(world: World, tmp_path: Path) -> None:
    file, out = ask(world, tmp_path), tmp_path / "out"
    assert minetrace("run", file, "--out", out, "--quiet").returncode == 0
    (out / "index.sqlite").unlink()
    assert "complete" in minetrace("status", out).stdout


def test_ctrl_c_anywhere_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(name: str) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("minetrace.flow.named_models.place_of", stopped)
    done = minetrace("models", "show", "artisanal-gold-rgb")
    assert (done.returncode, done.stderr) == (130, "minetrace: stopped\n")
