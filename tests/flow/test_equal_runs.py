"""The map does not depend on how it was cut, on the workers, or on being killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.testing.results import assert_equal, leftovers
from minetrace.testing.world import World, world_study

Models = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """One scorer of each kind: colours, a dense patch net, a U-Net with overlapping windows."""
    from minetrace.testing.models import write_patch_net, write_unet

    folder = tmp_path_factory.mktemp("models")
    write_patch_net(folder / "patch", call_px=112)
    write_unet(folder / "unet", window=64, stride=48)
    return {
        "spectral": {"model": {"name": "spectral"}},
        "clearest": {"model": {"name": "spectral"}, "composite": {"method": "clearest"}},
        "best": {
            "model": {"name": "spectral"},
            "composite": {"method": "best-pixel", "best": {"day": 200}},
        },
        "patch": {"model": {"path": str(folder / "patch"), "statistics": ["std"]}},
        "delineated": {"model": {"path": str(folder / "patch")}, "delineate": True},
        "unet": {"model": {"path": str(folder / "unet")}},
    }


def study(world: World, **changes: Any) -> Study:
    """Two periods of the world; cleaning rules on, since they must not see tiles either."""
    rules = {"sieve_px": 4, "min_ha": 0.05, "fill_holes_ha": 0.2}
    base = {**world_study(world, name="equal"), "periods": [2019, 2021], "vectors": rules}
    return Study.of({**base, **changes})


@pytest.mark.parametrize("kind", ["spectral", "clearest", "best", "patch", "delineated", "unet"])
def test_tile_sizes_and_workers_change_nothing(
    kind: str, world: World, models: Models, tmp_path: Path
) -> None:
    large, small = (2048, 64) if kind == "spectral" else (512, 100)  # 100 is no stride's multiple
    for name, tile, workers in (("a", large, 1), ("b", small, 1), ("c", 256, 2)):
        run(study(world, grid={"tile": tile}, **models[kind]), tmp_path / name, workers=workers)
        assert_equal(tmp_path / "a", tmp_path / name)


def test_the_order_of_scenes_and_tiles_changes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study(world, grid={"tile": 128}), tmp_path / "a")
    from minetrace.flow.engine import Engine

    each: Callable[..., None] = Engine.each
    monkeypatch.setattr(
        Engine, "each", lambda self, tasks, *rest, **more: each(self, tasks[::-1], *rest, **more)
    )
    run(study(world, grid={"tile": 128}), tmp_path / "b")
    assert_equal(tmp_path / "a", tmp_path / "b")


def test_killed_five_times_it_ends_as_if_nothing_had_happened(world: World, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(study(world, grid={"tile": 64}).dump())
    run(Study.read(file), tmp_path / "calm")
    moments = random.Random(5)
    command = [sys.executable, "-m", "minetrace", "run", str(file), "--out",
               str(tmp_path / "killed"), "--workers", "2", "--quiet"]  # fmt: skip
    kills = 0
    while kills < 5:
        with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL) as process:  # fmt: skip
            time.sleep(moments.uniform(1.0, 4.0))
            if process.poll() is not None:
                shutil.rmtree(tmp_path / "killed")  # it was quicker than the kill: once more
                continue
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_equal(tmp_path / "calm", tmp_path / "killed")
    assert leftovers(tmp_path / "killed") == []


def test_a_run_again_does_nothing_and_a_changed_rule_only_what_follows_from_it(
    world: World, tmp_path: Path
) -> None:
    from minetrace.store.files import read_json

    run(study(world), tmp_path / "run")
    run(study(world), tmp_path / "run")
    again = read_json(tmp_path / "run" / "run.json")["attempts"][1]["stages"]
    assert all(stage["tasks"] == 0 for stage in again if stage["name"] != "publish")
    run(study(world, vectors={"min_ha": 1.0}), tmp_path / "run")
    third = read_json(tmp_path / "run" / "run.json")["attempts"][2]["stages"]
    assert {s["name"]: s["tasks"] for s in third} == {
        "composites": 0, "scores": 0, "outlines": 2, "panel": 1, "publish": 1}  # fmt: skip
