"""What a study would take, against what the small country is known to hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from shapely.geometry import box, shape

from minetrace.core.footprints import geodesic_hectares
from minetrace.flow.forecast import Prices, blind_ground, forecast
from minetrace.flow.plan import plan
from minetrace.flow.study import Study
from minetrace.store.run_folder import RunFolder
from minetrace.testing.world import World, world_study
from terminal import minetrace


def ahead(settings: dict[str, Any], tmp_path: Path, **prices: float) -> Any:
    job = plan(Study.of(settings), RunFolder(tmp_path / "run"))
    return forecast(job, workers=2, prices=Prices(**prices))


def test_scenes_tiles_and_bytes_are_counted(world: World, tmp_path: Path) -> None:
    found = ahead(world_study(world), tmp_path)
    assert [p.scenes for p in found.periods] == [3] * len(world.years)
    assert all(p.tiles == found.tiles for p in found.periods)
    assert all(p.blind_share == 0 for p in found.periods)
    region = Study.of(world_study(world)).region
    assert region.file is not None
    # each look holds the region at least once, 100 m² and six 16-bit bands a pixel
    least = found.region_km2 * 1e4 * 6 * 2 * 3 * len(world.years)
    assert least < found.read_bytes < 2 * least
    assert found.seconds > 0
    assert not (tmp_path / "run").exists()


def test_what_a_study_decodes_is_stored_too(world: World, tmp_path: Path) -> None:
    settings = world_study(world) | {"periods": [2019, 2021]}
    plain = ahead(settings, tmp_path)
    decodes = ahead(settings | {"decode": {"trust_uncalibrated": True}}, tmp_path)
    # four 16-bit bands, 100 m² a pixel
    least = plain.region_km2 * 1e4 * 4 * 2 * 2
    assert decodes.stored_bytes - plain.stored_bytes == pytest.approx(least, rel=0.02)


def test_a_year_without_scenes_and_ground_outside_them_are_blind(
    world: World, tmp_path: Path
) -> None:
    settings = world_study(world) | {"periods": [2018, 2019]}
    west, south, east, north = shape(
        json.loads(world.region.read_text())["features"][0]["geometry"]
    ).bounds
    settings["region"] = {"bbox": [west, south, east + (east - west), north]}
    found = ahead(settings, tmp_path)
    assert found.periods[0].blind_share == 1
    assert 0.3 < found.periods[1].blind_share < 0.7
    features = blind_ground(found)["features"]
    assert [f["properties"]["period"] for f in features] == ["2018", "2019"]
    hectares = geodesic_hectares([shape(features[0]["geometry"])], "EPSG:4326")  # type: ignore[arg-type]
    whole = geodesic_hectares([box(*settings["region"]["bbox"])], "EPSG:4326")  # type: ignore[arg-type]
    assert hectares[0] == pytest.approx(whole[0], rel=1e-6)


def test_only_what_has_a_price_is_counted(world: World, tmp_path: Path) -> None:
    settings = world_study(world) | {"periods": [2019]}
    assert ahead(settings, tmp_path).cost == {}
    found = ahead(settings, tmp_path, per_gb_read=2.0, per_core_hour=3.0)
    assert found.cost["reading"] == pytest.approx(2 * found.read_bytes / 1e9)
    seconds = found.read_seconds + found.score_seconds
    assert found.cost["computing"] == pytest.approx(3 * seconds / 3600)


def test_the_command_prints_and_writes_what_is_blind(world: World, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(world_study(world) | {"periods": [2018, 2019]}))
    words = ("plan", study, "--per-core-hour", "1")
    done = minetrace(*words, "--blind", tmp_path / "blind.geojson", cwd=tmp_path)
    assert "100%" in done.stdout
    assert "Cost" in done.stdout
    assert (tmp_path / "blind.geojson").is_file()
    facts = json.loads(minetrace(*words, "--json", cwd=tmp_path).stdout)
    assert [p["label"] for p in facts["periods"]] == ["2018", "2019"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["blind.geojson", "study.yaml"]


def test_what_flags_alone_would_take(world: World, tmp_path: Path) -> None:
    flags = ("--region", world.region, "--years", "2019", "--source", world.scenes)
    done = minetrace("plan", *flags, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["periods"]) == 1
    alone = minetrace("plan", *flags[:2], cwd=tmp_path)
    assert alone.returncode == 2
    assert "no --years, --source" in alone.stderr
