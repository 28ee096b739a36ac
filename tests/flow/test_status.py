"""What ``minetrace status`` says of a run, and how it looks after one."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from minetrace.errors import RunError
from minetrace.flow.check import Check, check, kinds_of, repair
from minetrace.flow.status import StageTotal, status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.ledger import Ledger
from minetrace.store.outlines import read_table
from minetrace.store.run_folder import RunFolder
from minetrace.testing.results import assert_equal
from minetrace.testing.world import World, world_study
from terminal import minetrace


def study(world: World, **changes: object) -> Study:
    base = {**world_study(world, name="state"), "periods": [2019], "grid": {"tile": 128}}
    return Study.of({**base, **changes})


@pytest.fixture(scope="module")
def calm(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("calm") / "run"
    run(study(world), out)
    return out


def snapshot(root: Path) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*") if p.is_file()}


def faults(found: Check) -> dict[str, int]:
    return {str(fault): count for fault, count in kinds_of(found.findings).items()}


def test_stages_and_their_cost(calm: Path) -> None:
    done = minetrace("status", calm, "--price-per-hour", "3.6", "--json")
    stages = {stage["name"]: stage for stage in json.loads(done.stdout)["stages"]}
    made = stages["composites"]
    assert made["tiles"] > 1
    assert made["bytes_read"] > 0
    expected = 1000 / made["km2_per_s"] / 1000
    assert made["cost_per_1000_km2"] == pytest.approx(expected)
    assert stages["outlines"]["km2_per_s"] is None
    shown = minetrace("status", calm, "--price-per-hour", "3.6").stdout
    assert "km²/s" in shown
    assert "cost of 1,000 km²" in shown


def test_totals_add_up_over_attempts() -> None:
    parts = [{"tasks": 1, "km2": 2.0, "bytes_read": 3, "seconds": 0.5},
             {"tasks": 1, "km2": 2.0, "bytes_read": 3, "requests": 7, "seconds": 1.5}]  # fmt: skip
    total = StageTotal.of("composites", parts)
    assert total == StageTotal("composites", 2, 4.0, 6, 7, 2.0)
    assert total.cost(price_per_hour=3600) == 500


def test_a_sound_run_is_found_sound_and_left_alone(calm: Path) -> None:
    before = snapshot(calm)
    done = minetrace("status", calm, "--check")
    assert "all as their sidecars say" in done.stdout
    assert done.returncode == 0
    assert snapshot(calm) == before


def test_every_fault_is_named_and_mended(world: World, calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(study(world), out)
    tiles = sorted((out / "composites/2019").glob("*.tif"))
    scores = sorted((out / "scores/2019").glob("*.tif"))
    tiles[0].write_bytes(tiles[0].read_bytes()[:-1] + b"?")  # same size, other bytes
    tiles[1].with_suffix(".json").unlink()
    tiles[2].unlink()
    scores[0].with_suffix(".json").write_text("{")
    scores[1].with_suffix(".json").write_text("{}")
    (out / "scores/2019" / ".part-1-x.tif").write_bytes(b"half")
    before = snapshot(out)
    found = check(out)
    assert minetrace("status", out, "--check").returncode == 1
    assert faults(found)["damaged"] == 3
    assert faults(found)["orphan"] == 2
    assert faults(found)["half-written"] == 1
    assert snapshot(out) == before
    asked = minetrace("status", out, "--repair", "--yes")
    assert asked.returncode == 0, asked.stderr
    assert "damaged" in asked.stdout
    assert {"damaged", "orphan", "half-written"}.isdisjoint(faults(check(out)))
    run(study(world), out)
    assert faults(check(out)) == {}
    assert_equal(calm, out)


def test_mending_keeps_the_names_of_sites(world: World, tmp_path: Path) -> None:
    """A panel that began in a later year has other names than one made anew would have."""
    out, longer = tmp_path / "run", study(world, periods=[2019, 2020])
    run(study(world, periods=[2020]), out)
    run(longer, out)
    panel = out / "panel.parquet"
    names = set(read_table(panel)["site_id"])
    panel.with_name("panel.parquet.json").unlink()  # as a kill between the two leaves it
    assert faults(check(out)) == {"stale": 1}
    assert repair(check(out)) == 0
    run(longer, out)
    assert set(read_table(panel)["site_id"]) == names
    read_table(panel).assign(remark="by hand").to_parquet(panel)
    assert faults(check(out)) == {"damaged": 1}
    assert repair(check(out)) == 1
    run(longer, out)
    assert set(read_table(panel)["site_id"]) == names
    panel.write_bytes(panel.read_bytes()[:200])
    with pytest.raises(RunError, match="names of sites"):
        run(longer, out)
    assert repair(check(out)) == 2


def test_what_the_study_no_longer_says_is_stale(world: World, calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(study(world), out)
    (out / "study.yaml").write_text(study(world, vectors={"min_ha": 1.0}).dump())
    assert faults(check(out)) == {"stale": 1}  # what follows is stale once that is made anew
    (out / "study.yaml").write_text(study(world, periods=[2021]).dump())
    assert faults(check(out))["stray"] == len(list((out / "composites").rglob("*.tif"))) + len(
        list((out / "scores").rglob("*.tif"))) + 1  # fmt: skip
    assert repair(check(out)) == 0
    next((out / "composites").rglob("*.tif")).with_suffix(".json").unlink()  # told of once
    paths = [found.path for found in check(out).findings]
    assert len(set(paths)) == len(paths)
    assert faults(check(out))["orphan"] == 1


def test_a_run_whose_imagery_is_elsewhere_is_still_checked(calm: Path, tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "run"
    shutil.copytree(calm, out)
    text = (out / "study.yaml").read_text()
    (out / "study.yaml").write_text(text.replace("/scenes", "/nowhere"))
    found = check(out)
    assert faults(found) == {}
    assert "nowhere" in found.unknown


def test_a_hundred_thousand_tasks_are_counted_at_once(calm: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text((calm / "study.yaml").read_text())
    folder = RunFolder(tmp_path)
    with Ledger.open(folder) as ledger:
        ledger.settle()
        ledger.finish(done=False)
    rows = (
        ("scores", str(2015 + n % 10), f"t{n}", "failed" if n % 9999 == 0 else "done", "", "", "",
         "{}") for n in range(100_000)
    )  # fmt: skip
    with sqlite3.connect(folder.index) as db:
        db.executemany("INSERT INTO artefacts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.close()
    began = time.process_time()
    found = status(tmp_path)
    assert time.process_time() - began < 0.5
    assert sum(count.done + count.failed for count in found.counts) == 100_000
    assert len(found.failures) == 11
