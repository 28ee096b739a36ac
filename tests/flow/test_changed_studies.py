"""A folder that held another run, tiles that failed, scenes that lie far away."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from minetrace.errors import TilesFailedError
from minetrace.flow.status import status
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.outlines import read_table
from minetrace.store.run_folder import RunFolder
from minetrace.store.stored import stored_tiles
from minetrace.testing.results import assert_equal, rows
from minetrace.testing.world import World, world_study


def study(world: World, **changes: Any) -> Study:
    return Study.of({**world_study(world, name="changed"), "periods": [2019, 2020], **changes})


def test_another_tile_size_in_the_same_folder_is_as_in_a_new_one(
    world: World, tmp_path: Path
) -> None:
    # centred on the country, so that tiles of every size share names
    x, y = 366_000, 8_585_000
    crs = f"+proj=tmerc +lon_0=-69 +k=0.9996 +x_0={500_000 - x} +y_0={10_000_000 - y} +datum=WGS84"
    for tile in (128, 96):
        run(study(world, grid={"tile": tile, "crs": crs, "resolution_m": 10}), tmp_path / "same")
    run(study(world, grid={"tile": 96, "crs": crs, "resolution_m": 10}), tmp_path / "new")
    for name in ("footprints/2019.parquet", "footprints/2020.parquet", "panel.parquet"):
        assert rows(tmp_path / "same" / name) == rows(tmp_path / "new" / name)


def test_failed_tiles_are_not_looked_at(world: World, tmp_path: Path) -> None:
    calm = run(study(world, grid={"tile": 64}), tmp_path / "calm")
    shutil.copytree(world.scenes, tmp_path / "scenes")
    for path in (tmp_path / "scenes").glob("*2020*.tif"):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    broken = study(world, grid={"tile": 64}, sources=[{"path": str(tmp_path / "scenes")}])
    with pytest.raises(TilesFailedError, match="--allow-missing"):
        run(broken, tmp_path / "broken")
    assert status(tmp_path / "broken").verdict == "failed in part"
    summary = run(broken, tmp_path / "broken", allow_missing=True)
    failed = len({(k.period, k.tile) for k, _ in summary.failed if k.kind == "scores"})
    tiles = len(list((tmp_path / "calm" / "scores" / "2020").glob("*.tif")))
    assert failed > 0
    before, after = calm.periods[1].looked_share, summary.periods[1].looked_share
    assert after < before * (1 - 0.5 * failed / tiles)
    panel = read_table(tmp_path / "broken" / "panel.parquet")
    unseen = panel[(panel["period"] == "2020") & (panel["looked_share"] < 0.5)]
    assert (unseen.loc[unseen.geometry.isna(), "event"] == "not_looked").all()


def test_what_fails_does_not_depend_on_the_workers(world: World, tmp_path: Path) -> None:
    found = []
    run(study(world, grid={"tile": 64}), tmp_path / "whole")
    for workers in (1, 2):
        out = shutil.copytree(tmp_path / "whole", tmp_path / str(workers))
        victim = sorted((out / "composites" / "2019").glob("*.tif"))[5]
        content = bytearray(victim.read_bytes())
        content[len(content) // 2 :] = b"\0" * (len(content) - len(content) // 2)
        victim.write_bytes(content)  # as long as it was, but no longer a picture
        for path in (out / "scores" / "2019").glob("*.json"):
            path.unlink()
        with pytest.raises(TilesFailedError):
            run(study(world, grid={"tile": 64}), out, workers=workers)
        found.append([key for key, _ in status(out).failures])
    assert found[0] == found[1]


def test_a_changed_rule_stopped_half_way_is_not_complete(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(study(world), out)
    assert status(out).verdict == "complete"
    shutil.rmtree(out / "map")
    again = run(study(world), out)
    assert again.map.is_file()


def test_a_scene_on_the_other_side_of_the_earth_is_passed_over(
    world: World, tmp_path: Path
) -> None:
    shutil.copytree(world.scenes, tmp_path / "scenes")
    path = tmp_path / "scenes" / "far_20190601.tif"
    first = next(iter(sorted((tmp_path / "scenes").glob("world_*.tif"))))
    with rasterio.open(first) as source:
        profile = {**source.profile, "width": 16, "height": 16, "crs": "EPSG:32646",
                   "transform": from_origin(500_000, 8_590_000, 10, 10)}  # fmt: skip
        with rasterio.open(path, "w", **profile) as target:
            target.write(np.full((source.count, 16, 16), 1500, dtype=source.dtypes[0]))
            target.descriptions, target.scales = source.descriptions, source.scales
            target.offsets = source.offsets
    far = study(world, sources=[{"path": str(tmp_path / "scenes")}])
    run(far, tmp_path / "far")
    run(study(world), tmp_path / "near")
    assert_equal(tmp_path / "near", tmp_path / "far")


def test_what_an_earlier_study_left_is_not_read(world: World, tmp_path: Path) -> None:
    asked = {**world_study(world), "periods": [2019]}
    held = {}
    for folder, tiles in (("changed", (64, 128)), ("alone", (128,))):
        for tile in tiles:
            run(Study.of({**asked, "grid": {"tile": tile}}), tmp_path / folder, workers=1)
        held[folder] = stored_tiles(RunFolder(tmp_path / folder), "scores", "2019")
    assert held["changed"] == held["alone"]
    assert len(list((tmp_path / "changed" / "scores" / "2019").glob("*.tif"))) > len(held["alone"])
