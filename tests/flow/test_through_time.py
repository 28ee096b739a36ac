"""Runs that decode their scores through time, and runs whose outlines are judged by rules."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely

import minetrace as mt
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import MissingFileError, ModelError, StudyError
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.files import read_json
from minetrace.store.outlines import read_table
from minetrace.temporal.learned import learn
from minetrace.testing.results import assert_equal, rows
from minetrace.testing.world import World, world_study

YEARS = (2020, 2021, 2022, 2023)  # the third is blind
TRUSTED = {"decode": {"trust_uncalibrated": True}, "vectors": {"threshold": 0.4}}


def study(world: World, **changes: Any) -> Study:
    small = {"periods": list(YEARS), "grid": {"tile": 512}}
    return Study.of({**world_study(world, name="time"), **small, **changes})


@pytest.fixture(scope="module")
def decoded(world: World, plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All years, decoded."""
    out = tmp_path_factory.mktemp("decoded") / "run"
    shutil.copytree(plain, out)
    run(study(world, **TRUSTED), out)
    return out


@pytest.fixture(scope="module")
def plain(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "run"
    run(study(world), out)
    return out


def layers(out: Path, kind: str, band: int) -> dict[str, np.ndarray]:
    """A band of each period, its tiles in a row."""
    found: dict[str, list[np.ndarray]] = {}
    for path in sorted((out / kind).glob("*/*.tif")):
        with rasterio.open(path) as source:
            found.setdefault(path.parent.name, []).append(source.read(band))
    return {period: np.hstack(tiles) for period, tiles in found.items()}


def test_every_period_is_stored_with_its_meaning(decoded: Path, plain: Path) -> None:
    path = sorted((decoded / "decoded" / "2021").glob("*.tif"))[0]
    with rasterio.open(path) as source:
        assert source.descriptions == ("active", "first", "last", "state")
        assert source.scales == (1e-4, 1e-4, 1e-4, 1.0)
        assert set(np.unique(source.read(4))) <= {0, 1, 2, 3, NOT_LOOKED}
    item = read_json(path.with_suffix(".json"))
    assert item["collection"] == "decoded"
    looked = np.stack([v != NOT_LOOKED for v in layers(decoded, "scores", 1).values()])
    known = np.stack([v != NOT_LOOKED for v in layers(decoded, "decoded", 1).values()])
    assert (known == looked.any(axis=0)).all()
    first, last = (np.stack(list(layers(decoded, "decoded", b).values())) for b in (2, 3))
    sums = first.sum(axis=0, dtype=int)[known[0]] - last.sum(axis=0, dtype=int)[known[0]]
    assert np.abs(sums).max() <= 12  # both are the chance of ever being mined, but for rounding
    assert not (plain / "decoded").exists()
    assert "decode" not in (plain / "study.yaml").read_text()
    assert "decoded" in (decoded / "catalog.json").read_text()
    assert "weighed together" in (decoded / "datacard.md").read_text()


def test_the_library_reads_what_was_decoded(decoded: Path, plain: Path) -> None:
    opened = mt.open_run(decoded)
    found = opened.decoded("2021")
    assert set(found.data_vars) == {"active", "first", "last", "state"}
    (score, *_) = opened.scores("2021").data_vars.values()
    known = found["active"].notnull().to_numpy()
    assert known.shape == score.shape
    assert float(found["active"].max()) <= 1
    assert set(np.unique(found["state"].to_numpy()[known])) <= {0, 1, 2, 3}
    with pytest.raises(mt.UserError, match="does not decode"):
        mt.open_run(plain).decoded("2021")


def test_a_blind_year_is_told_by_those_around_it(decoded: Path, plain: Path) -> None:
    told = read_table(decoded / "panel.parquet")
    seen = read_table(plain / "panel.parquet")
    blind = "2022"
    assert seen[(seen["period"] == blind) & seen.geometry.notna()].empty
    here = told[(told["period"] == blind) & told.geometry.notna()]
    assert len(here)
    assert (here["looked_share"] < 0.1).all()  # and nobody may think that it was looked at


def test_a_site_knows_how_surely_it_began_and_ended(decoded: Path) -> None:
    panel = read_table(decoded / "panel.parquet")
    assert panel["first_p"].between(0, 1).all()
    assert panel["last_p"].between(0, 1).all()
    assert (panel.groupby("site_id")["first_p"].nunique() == 1).all()
    for band, name in ((2, "first"), (3, "last")):
        row = panel[(panel["period"] == panel[f"{name}_period"]) & panel.geometry.notna()].iloc[0]
        known = []
        for path in (decoded / "decoded" / row["period"]).glob("*.tif"):
            with rasterio.open(path) as source:
                values = source.read(band)
                shape = gpd.GeoSeries([row.geometry], crs=panel.crs).to_crs(source.crs)[0]
                inside = ~rasterio.features.geometry_mask([shape], values.shape, source.transform)
            known.append(values[inside & (values != NOT_LOOKED)])
        mean = np.concatenate(known).mean() / 1e4
        assert row[f"{name}_p"] == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("kind", ["spectral", "delineated"])
def test_tile_sizes_change_nothing(kind: str, world: World, tmp_path: Path) -> None:
    changes: dict[str, Any] = {**TRUSTED, "periods": [2019, 2021]}
    if kind != "spectral":
        from minetrace.testing.models import write_patch_net

        write_patch_net(tmp_path / "patch", call_px=112)
        changes["model"] = {"path": str(tmp_path / "patch")}
        changes["delineate"] = True
    run(study(world, grid={"tile": 512}, **changes), tmp_path / "a")
    run(study(world, grid={"tile": 150}, **changes), tmp_path / "b")
    assert_equal(tmp_path / "a", tmp_path / "b")


def test_what_is_lost_is_made_again_and_nothing_else(world: World, tmp_path: Path) -> None:
    asked = study(world, grid={"tile": 128}, periods=[2019, 2020], **TRUSTED)
    run(asked, tmp_path / "run")
    before = rows(tmp_path / "run" / "panel.parquet")
    lost = sorted((tmp_path / "run" / "decoded" / "2020").glob("*.json"))[1]
    lost.unlink()
    run(asked, tmp_path / "run")
    stages = read_json(tmp_path / "run" / "run.json")["attempts"][1]["stages"]
    did = {stage["name"]: stage["tasks"] for stage in stages}
    assert did == {"composites": 0, "scores": 0, "decoded": 2, "outlines": 0, "panel": 0,
                   "publish": 1}  # fmt: skip
    assert rows(tmp_path / "run" / "panel.parquet") == before
    softer = {**TRUSTED["decode"], "weight": 0.5}
    run(asked.model_copy(update={"decode": asked.decode.model_validate(softer)}), tmp_path / "run")
    stages = read_json(tmp_path / "run" / "run.json")["attempts"][2]["stages"]
    assert {s["name"]: bool(s["tasks"]) for s in stages} == {
        "composites": False, "scores": False, "decoded": True, "outlines": True, "panel": True,
        "publish": True}  # fmt: skip


def test_scores_that_are_no_probabilities_are_not_taken_for_any(
    world: World, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"spectral are not calibrated.*trust_uncalibrated"):
        run(study(world, decode={}), tmp_path / "run")
    with pytest.raises(StudyError, match=r"decode\.detections\.sensitivity.* is missing"):
        study(world, decode={"detections": {"false_alarm": 0.1}})
    wrong = study(world, decode={"detections": {"sensitivity": 0.1, "false_alarm": 0.2}})
    with pytest.raises(StudyError, match=r"sensitivity 0\.1 is not above"):
        run(wrong, tmp_path / "run")
    with pytest.raises(StudyError, match=r"decode\.curve needs decode\.scored_prior"):
        run(study(world, decode={"curve": [[0.1, 0.1]]}), tmp_path / "run")
    with pytest.raises(StudyError, match="did you mean 'residue'"):
        study(world, decode={"residu": 0.1})


@pytest.mark.parametrize(
    "way",
    [
        {"detections": {"sensitivity": 0.7, "false_alarm": 0.02}},
        {"curve": [[0.0, 0.002], [0.1, 0.15], [0.6, 0.45]], "scored_prior": 0.03},
    ],
    ids=["detections", "curve"],
)
def test_error_rates_or_a_curve_make_them_evidence(
    way: dict[str, Any], world: World, plain: Path, tmp_path: Path
) -> None:
    shutil.copytree(plain, tmp_path / "run")
    summary = run(study(world, decode=way), tmp_path / "run")
    assert summary.sites > 0


def test_evidence_may_be_learned_elsewhere(world: World, plain: Path, tmp_path: Path) -> None:
    with rasterio.open(world.truth_raster) as truth:
        classes, bounds = truth.read([world.years.index(y) + 1 for y in YEARS]), truth.bounds
    scores = np.full(classes.shape, NOT_LOOKED, np.uint16)
    for layer, year in zip(scores, YEARS, strict=True):
        for path in (plain / "scores" / str(year)).glob("*.tif"):
            with rasterio.open(path) as source:
                here = source.read(1, window=source.window(*bounds), boundless=True)
            np.minimum(layer, here, out=layer)  # where a tile has nothing, another may
    learned = learn(scores, (classes > 0) & (classes < 10))
    (tmp_path / "evidence.json").write_text(json.dumps(asdict(learned)))
    way = {"learned": str(tmp_path / "evidence.json"), "weight": 0.7}
    shutil.copytree(plain, tmp_path / "run")
    run(study(world, decode=way), tmp_path / "run")
    assert (tmp_path / "run" / "decoded").is_dir()
    with pytest.raises(StudyError, match="two ways"):
        run(study(world, decode={**way, "curve": [[0.1, 0.1]]}), tmp_path / "two")
    (tmp_path / "evidence.json").write_text('{"edges": [1]}')
    with pytest.raises(StudyError, match=r"evidence\.json: no learned evidence"):
        run(study(world, decode=way), tmp_path / "two")


def test_rules_drop_outlines_from_the_panel_alone(
    world: World, plain: Path, tmp_path: Path
) -> None:
    zone = tmp_path / "zone.geojson"
    west, south, east, north = read_table(plain / "panel.parquet").total_bounds
    half = shapely.box(west, south, (west + east) / 2, north)
    gpd.GeoSeries([half], crs="EPSG:4326").to_file(zone)
    rules = {
        "neighbour": {"reach_m": 30},
        "isolation": {"t_main": 0.5, "t_isolated": 0.5},
        "zones": [{"file": str(zone), "threshold": 1.0}],
    }
    kept = {}
    for name in (*rules, "all"):
        asked = rules if name == "all" else {name: rules[name]}
        shutil.copytree(plain, tmp_path / name)
        run(study(world, rules=asked), tmp_path / name)
        for path in sorted((plain / "footprints").glob("*.parquet")):
            assert rows(path) == rows(tmp_path / name / "footprints" / path.name)
        table = read_table(tmp_path / name / "panel.parquet")
        kept[name] = {(r.period, r.geometry.wkb) for r in table.itertuples() if r.geometry}
    every = {(r.period, r.geometry.wkb)
             for r in read_table(plain / "panel.parquet").itertuples() if r.geometry}  # fmt: skip
    assert kept["neighbour"] < every
    assert "2023" in {period for period, _ in kept["neighbour"]}  # 2021 is asked, past the clouds
    assert kept["isolation"] == every
    assert kept["zones"] == {(p, g) for p, g in every if not shapely.from_wkb(g).intersects(half)}
    assert kept["all"] == kept["neighbour"] & kept["isolation"] & kept["zones"]


def test_rules_that_cannot_be_applied_are_refused_before_any_work(
    world: World, tmp_path: Path
) -> None:
    gone = {"zones": [{"file": str(tmp_path / "none.geojson"), "threshold": 0.5}]}
    with pytest.raises(MissingFileError, match=r"none\.geojson"):
        run(study(world, rules=gone), tmp_path / "run")
    with pytest.raises(StudyError, match="t_main <= t_isolated"):
        run(study(world, rules={"isolation": {"t_main": 0.8}}), tmp_path / "run")
    assert not (tmp_path / "run" / "composites").exists()
