"""From a run to points, from answers to hectares, on the made-up country."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import minetrace as mt
from minetrace.assess.stratified import Drawn, mean
from minetrace.core.footprints import geodesic_hectares
from minetrace.errors import (
    LabelError,
    MissingFileError,
    NoImageryError,
    OutlineError,
    PeriodError,
    RunError,
    StudyError,
)
from minetrace.flow.answers import Answers, number_of
from minetrace.flow.estimated import estimated
from minetrace.flow.estimates import estimate, tell
from minetrace.flow.ground import Block, open_ground
from minetrace.flow.sample_design import Design, SampleRequest, as_hectares, as_shares
from minetrace.flow.sampling import Planned, draw, drawn_from, plan
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.tallies import TallyRequest, count
from minetrace.store.run_folder import RunFolder
from minetrace.testing.interpreter import answer, mined_at, shares_at
from minetrace.testing.world import World, world_study
from terminal import minetrace


@dataclass(frozen=True)
class Mapped:
    """A country and a run over two of its years."""

    world: World
    run: Path


@pytest.fixture(scope="module")
def mapped(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapped:
    study = Study.of({**world_study(world, name="sampled"), "periods": [2019, 2021]})
    return Mapped(world, run(study, tmp_path_factory.mktemp("sampled") / "run").out)


ASKED = SampleRequest(("2021",), 400)


def places(folder: Path) -> set[tuple[str, int, int, str]]:
    table = pd.read_csv(folder / "sample.csv")
    return set(zip(table["crs"], table["row"], table["col"], table["stratum"], strict=True))


def test_the_strata_are_the_ground_that_was_looked_at(mapped: Mapped, tmp_path: Path) -> None:
    facts = draw(mapped.run, ASKED, tmp_path / "s").facts
    region = gpd.read_file(mapped.world.region).geometry.to_numpy()
    whole = geodesic_hectares(region, "EPSG:4326").sum()
    assert facts["frame_ha"] + facts["not_looked_ha"] == pytest.approx(whole, rel=2e-3)
    assert sum(row["area_ha"] for row in facts["strata"]) == pytest.approx(facts["frame_ha"])
    mine = next(row for row in facts["strata"] if row["name"] == "mine")
    on_looked = facts["mapped_ha"]["2021"] - facts["mapped_not_looked_ha"]
    assert mine["area_ha"] == pytest.approx(on_looked, rel=0.02)
    assert sum(row["n"] for row in facts["strata"]) == 400
    card = json.loads((mapped.run / "datacard.json").read_text())
    looked = next(r["looked_share"] for r in card["periods"] if r["period"] == "2021")
    assert facts["frame_ha"] / (facts["frame_ha"] + facts["not_looked_ha"]) == pytest.approx(
        looked, abs=1e-3
    )


def test_points_do_not_depend_on_the_cut_and_follow_the_seed(
    mapped: Mapped, tmp_path: Path
) -> None:
    asked = {**world_study(mapped.world, name="sampled"), "periods": [2021]}
    other = run(Study.of({**asked, "grid": {"tile": 100}}), tmp_path / "run").out
    draw(mapped.run, ASKED, tmp_path / "one")
    draw(other, ASKED, tmp_path / "cut")
    draw(mapped.run, replace(ASKED, seed=2), tmp_path / "two")
    assert (tmp_path / "one" / "sample.csv").read_text() == (
        tmp_path / "cut" / "sample.csv"
    ).read_text()
    assert places(tmp_path / "one") == places(tmp_path / "cut")
    assert len(places(tmp_path / "one") & places(tmp_path / "two")) < 100


def test_a_point_lies_where_its_stratum_is(mapped: Mapped, tmp_path: Path) -> None:
    draw(mapped.run, ASKED, tmp_path / "s")
    points = gpd.read_file(tmp_path / "s" / "sample.gpkg")
    panel = mt.open_run(mapped.run).panel()
    mines = shapely.union_all(panel[panel["period"] == "2021"].geometry.dropna().to_numpy())
    inside = shapely.within(points.geometry.to_numpy(), mines)
    assert (inside == (points["stratum"] == "mine").to_numpy()).mean() > 0.99  # but for edges
    region = gpd.read_file(mapped.world.region).geometry.iloc[0]
    assert points.within(region).all()
    assert points["id"].is_monotonic_increasing
    assert points["stratum"].ne(points["stratum"].shift()).sum() > 50  # well mixed
    assert points.groupby("stratum")["stands_for_ha"].sum().sum() == pytest.approx(
        Design.read(tmp_path / "s").facts["frame_ha"]
    )


def test_a_hundred_samples_of_the_country_hold_its_truth(mapped: Mapped, tmp_path: Path) -> None:
    """Estimates centre on the truth, their errors are told rightly, intervals hold it."""
    panel = mt.open_run(mapped.run).panel()
    ground = open_ground(RunFolder(mapped.run), panel, ["2021"])
    blocks = list(ground.blocks(buffer_m=ASKED.buffer_m))
    truth = truth_ha(mapped, blocks, "2021")
    rows = []
    for seed in range(100):
        facts, table = drawn_from(ground, blocks, replace(ASKED, seed=seed))
        lon, lat = table["lon"].to_numpy(), table["lat"].to_numpy()
        told = mined_at(mapped.world, lon, lat, "2021").astype(float)[:, None]
        facts["run"]["path"] = ""
        design = Design(tmp_path, facts)
        rows.append(tell(design, Answers(None, told, told * np.nan), draws=2)["periods"][0])
    found = pd.DataFrame([row["estimated_ha"] for row in rows])
    spread = found["value"].std()
    assert found["value"].mean() == pytest.approx(truth, abs=3 * spread / 10)
    told = np.sqrt((found["standard_error"] ** 2).mean())
    nearer = np.sqrt(np.mean([row["spread_standard_error_ha"] ** 2 for row in rows]))
    assert spread / 1.1 < nearer < told  # points are spread: errors are told too large, not small
    assert ((found["low"] <= truth) & (truth <= found["high"])).sum() >= 93


def test_blocks_are_squares_of_the_map(mapped: Mapped, tmp_path: Path) -> None:
    """Of one pixel they are the points; of more they hold the truth at each seed but for chance."""
    one = draw(mapped.run, replace(ASKED, block_m=10.0), tmp_path / "one")
    points = draw(mapped.run, ASKED, tmp_path / "points")
    assert [row | {"n": 0} for row in one.facts["strata"]] == [
        row | {"n": 0} for row in points.facts["strata"]
    ]
    assert places(one.folder) == places(points.folder)
    asked = replace(ASKED, points=250, block_m=50.0)
    folder = draw(mapped.run, asked, tmp_path / "s").folder
    shapes = gpd.read_file(folder / "sample.gpkg")
    assert shapes["id"].str.startswith("b").all()
    hectares = geodesic_hectares(shapes.geometry.to_numpy(), "EPSG:4326")
    assert hectares == pytest.approx(shapes["size_ha"].to_numpy(), abs=0.03)  # edges by the pixel
    assert (hectares > 0.2499).mean() > 0.8
    answer(folder, mapped.world)
    facts = mt.estimate(folder).facts
    row = facts["periods"][0]
    assert row["users"]["value"] is None
    assert "Mined share" not in (folder / "estimates.html").read_text()
    assert "blocks of 50 by 50 m" in (folder / "estimates.html").read_text()
    panel = mt.open_run(mapped.run).panel()
    ground = open_ground(RunFolder(mapped.run), panel, ["2021"])
    blocks = list(ground.blocks(buffer_m=asked.buffer_m, side_px=5))
    whole = drawn_from(ground, blocks, replace(asked, points=4_000, allocation="equal"))
    found = [shares_of(mapped, *whole)]
    assert found[0]["standard_error"] == pytest.approx(0, abs=1e-6)  # everything was drawn
    truth = found[0]["value"]
    found = [shares_of(mapped, *drawn_from(ground, blocks, replace(asked, seed=seed)))
             for seed in range(20)]  # fmt: skip
    held = [told["low"] <= truth <= told["high"] for told in found]
    assert sum(held) >= 18
    values = np.array([told["value"] for told in found])
    assert values.mean() == pytest.approx(truth, abs=3 * values.std() / np.sqrt(20))


def shares_of(mapped: Mapped, facts: dict[str, Any], table: gpd.GeoDataFrame) -> dict[str, Any]:
    """Hectares of 2021 from blocks that the truth answered."""
    told = shares_at(mapped.world, table.geometry, "2021")[:, None]
    design = Design(mapped.run, {**facts, "run": {**facts["run"], "path": ""}})
    row = tell(design, Answers(None, told, told * np.nan), draws=2)["periods"][0]
    found: dict[str, Any] = row["estimated_ha"]
    return found


def test_blocks_that_cannot_be_had(mapped: Mapped, tmp_path: Path) -> None:
    for wrong, match in (
        (replace(ASKED, block_m=25.0), "multiple"),
        (replace(ASKED, block_m=50.0, periods=("2019", "2021")), "two periods"),
    ):
        with pytest.raises(StudyError, match=match):
            draw(mapped.run, wrong, tmp_path / "s")
    said = {"30%": 0.3, "7/25": 0.28, "mine": 1.0, "Not": 0.0, "5 %": 0.05}
    for word, share in said.items():
        assert number_of(word, shares=True) == pytest.approx(share)
    for word in ("130%", "3/0", "9/8", "some"):
        assert number_of(word, shares=True) is None
    assert number_of("30%", shares=False) is None


def truth_ha(mapped: Mapped, blocks: list[Block], year: str) -> float:
    """Truly mined hectares of the ground that was looked at: every pixel of it asked."""
    total = 0.0
    for block in blocks:
        rows, cols = np.nonzero(block.wanted & block.looked)
        side, grid = block.grid.resolution_m, block.grid
        x = (cols + block.rect.col + 0.5) * side - grid.offset_m
        y = grid.offset_m - (rows + block.rect.row + 0.5) * side
        points = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=grid.crs).to_crs(4326)
        mined = mined_at(mapped.world, points.x.to_numpy(), points.y.to_numpy(), year)
        total += float(mined.sum()) * block.pixel_ha
    return total


def test_change_between_two_periods(mapped: Mapped, tmp_path: Path) -> None:
    draw(mapped.run, SampleRequest(("2021", "2019"), 900, allocation="neyman"), tmp_path / "s")
    answer(tmp_path / "s", mapped.world)
    facts = mt.estimate(tmp_path / "s").facts
    before, now = (row["estimated_ha"]["value"] for row in facts["periods"])
    change = facts["change"]
    assert (change["from"], change["to"]) == ("2019", "2021")
    assert change["net_ha"]["value"] == pytest.approx(now - before, abs=1e-5)
    gained, lost = change["gained_ha"]["value"], change["lost_ha"]["value"]
    assert gained - lost == pytest.approx(change["net_ha"]["value"], abs=1e-5)
    apart = np.hypot(*(row["estimated_ha"]["standard_error"] for row in facts["periods"]))
    assert change["net_ha"]["standard_error"] < apart  # what pairs are for
    kinds = {row["kind"]: row for row in change["kinds"]}
    assert list(kinds) == ["stays", "gained", "lost", "never"]
    areas = {kind: row["estimated_ha"]["value"] for kind, row in kinds.items()}
    assert areas["gained"] == pytest.approx(gained)
    assert areas["lost"] == pytest.approx(lost)
    assert areas["stays"] + areas["gained"] == pytest.approx(now, abs=1e-5)
    assert sum(areas.values()) == pytest.approx(facts["frame_ha"], rel=1e-6)
    assert sum(row["mapped_ha"] for row in kinds.values()) == pytest.approx(facts["frame_ha"])
    shares = np.array(change["matrix"]["shares"])
    assert shares.sum() == pytest.approx(1)
    assert np.trace(shares) == pytest.approx(change["overall"]["value"], abs=1e-6)
    users = kinds["gained"]["users"]
    assert users["value"] == pytest.approx(shares[1, 1] / shares[1].sum(), abs=1e-5)
    assert users["low"] <= users["value"] <= users["high"]
    shown = (tmp_path / "s" / "estimates.html").read_text()
    assert "Change matrix" in shown
    assert "mined no more" in shown
    table = pd.read_csv(tmp_path / "s" / "estimates.csv")
    assert not table.duplicated(["period", "what", "territory"]).any()
    assert change["net_ha"]["low"] <= change["net_ha"]["value"] <= change["net_ha"]["high"]


def test_two_interpreters_missing_answers_and_territories(mapped: Mapped, tmp_path: Path) -> None:
    west, south, east, north = gpd.read_file(mapped.world.region).total_bounds
    middle = (west + east) / 2
    halves = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    gpd.GeoDataFrame({"code": ["w", "e"]}, geometry=halves, crs=4326).to_file(tmp_path / "t.gpkg")
    asked = replace(ASKED, territories=tmp_path / "t.gpkg", territory_id="code")
    folder = draw(mapped.run, asked, tmp_path / "s").folder
    answer(folder, mapped.world, unsure=0.1)
    table = pd.read_csv(folder / "sample.csv", dtype=str, keep_default_na=False)
    told = table["answer_2021"].isin(["mine", "not"])
    table.loc[told, "second_2021"] = table.loc[told, "answer_2021"]
    flipped = table.index[told][:7]
    swap = {"mine": "not", "not": "mine"}
    table.loc[flipped, "second_2021"] = table.loc[flipped, "answer_2021"].map(swap)
    table.iloc[::-1].to_csv(folder / "sample.csv", index=False)  # a spreadsheet sorted it
    facts = estimate(folder).facts
    row = facts["periods"][0]
    assert row["without_answer"] == (~told).sum()
    assert row["if_all_unanswered_are_ha"]["not"] < row["estimated_ha"]["value"]
    assert row["if_all_unanswered_are_ha"]["mine"] > row["estimated_ha"]["value"]
    assert any("no answer" in warning for warning in facts["warnings"])
    assert row["interpreters"]["both"] == told.sum()
    assert row["interpreters"]["agreed"] == pytest.approx(1 - 7 / told.sum(), abs=1e-6)
    parts = [part["estimated_ha"]["value"] for part in row["territories"]]
    assert sum(parts) == pytest.approx(row["estimated_ha"]["value"], rel=1e-6)
    shown = (folder / "estimates.html").read_text()
    assert "Two people answered" in shown
    assert "Territories" in shown
    assert "<script" not in shown
    found = pd.read_csv(folder / "estimates.csv")
    assert set(found["mapped_is"].dropna()) == {"mapped, no interval"}


def test_a_run_shows_estimated_beside_mapped_until_its_map_changes(
    mapped: Mapped, tmp_path: Path
) -> None:
    asked = {**world_study(mapped.world, name="shown"), "periods": [2021]}
    out = run(Study.of(asked), tmp_path / "run").out
    folder = draw(out, ASKED).folder
    assert folder == out / "samples" / "2021"
    answer(folder, mapped.world)
    told = estimate(folder).facts["periods"][0]["estimated_ha"]
    assert "estimated" not in (out / "datacard.md").read_text()
    summary = run(Study.of(asked), out)
    assert summary.periods[0].estimated is not None
    assert summary.periods[0].estimated["value"] == told["value"]
    card = (out / "datacard.md").read_text()
    assert "mapped, no interval" in card
    assert "estimated from a sample, 95 % interval" in card
    facts = json.loads((out / "datacard.json").read_text())
    assert facts["periods"][0]["estimated_ha"]["low"] == told["low"]
    assert "estimated from a sample" in (out / "map" / "data.js").read_text()
    assert "| 2021 |" in card.split("estimated from a sample")[1]  # by the sample's name
    other = draw(out, replace(ASKED, seed=2, points=200), tmp_path / "second").folder
    answer(other, mapped.world)
    newest = estimate(other).facts["periods"][0]["estimated_ha"]
    assert len(list((out / "estimates").glob("2021-*.json"))) == 2  # neither overwrote the other
    shown = estimated(RunFolder(out))["2021"]
    assert (shown["sample"], shown["value"]) == ("second", newest["value"])
    estimate(folder)  # estimated again, and so the newest
    shown = estimated(RunFolder(out))["2021"]
    assert (shown["sample"], shown["value"]) == ("2021", told["value"])
    west, south, east, north = gpd.read_file(mapped.world.region).total_bounds
    layer = tmp_path / "t.gpkg"
    halves = [shapely.box(west, south, east, (south + north) / 2),
              shapely.box(west, (south + north) / 2, east, north)]  # fmt: skip
    gpd.GeoDataFrame({"code": ["s", "n"]}, geometry=halves, crs=4326).to_file(layer)
    by = replace(ASKED, points=800, territories=layer, territory_id="code")
    answer(draw(out, by, tmp_path / "by").folder, mapped.world)
    parts = {part["territory"]: part["estimated_ha"]
             for part in estimate(tmp_path / "by").facts["periods"][0]["territories"]}  # fmt: skip
    table = count(TallyRequest([out], by=layer, id="code"))[0].set_index(["part", "territory"])
    assert table.loc[("territory", "s"), "estimated_ha"].item() == parts["s"]["value"]
    assert table.loc[("territory", "n"), "estimated_high_ha"].item() == parts["n"]["high"]
    both = (table["estimated_ha"].notna(), table["estimate"] != "")
    assert both[0].equals(both[1])
    assert "estimated_ha" not in count(TallyRequest([out], by=layer, id="code", classes=layer,
                                                    class_column="code"))[0].columns  # fmt: skip
    run(Study.of({**asked, "vectors": {"min_ha": 2.0}}), out)
    assert "estimated_ha" not in count(TallyRequest([out], by=layer, id="code"))[0].columns
    assert "estimated" not in (out / "datacard.md").read_text()
    assert any("made anew" in w for w in estimate(folder, write=False).facts["warnings"])


def test_a_weak_design_is_told_before_it_is_drawn(mapped: Mapped, tmp_path: Path) -> None:
    told: list[Planned] = []

    def listen(planned: Planned) -> None:
        assert not (tmp_path / "s").exists()
        told.append(planned)

    weak = replace(ASKED, points=30, expected={"rest": 0.05})
    facts = draw(mapped.run, weak, tmp_path / "s", tell=listen).facts
    (planned,) = told
    assert any("stands for" in warning for warning in planned.warnings)
    assert facts["warnings"] == list(planned.warnings)
    assert planned.points.sum() == 30
    again = minetrace("sample", mapped.run, "--period", "2021", "--n", "30", "--expect",
                      "rest=0.05", "--out", tmp_path / "none", "--dry-run")  # fmt: skip
    assert again.returncode == 0
    assert "stands for" in again.stderr
    assert f"{planned.standard_error_ha:,.1f}" in again.stdout
    assert not (tmp_path / "none").exists()
    assert plan(mapped.run, weak).standard_error_ha == planned.standard_error_ha


def test_what_cannot_be_drawn(mapped: Mapped, tmp_path: Path) -> None:
    out = tmp_path / "s"
    with pytest.raises(PeriodError, match="2019, 2021"):
        draw(mapped.run, SampleRequest(("2018",), 100), out)
    ground = open_ground(RunFolder(mapped.run), mt.open_run(mapped.run).panel(), ["2021"])
    with pytest.raises(NoImageryError, match="--period"):
        drawn_from(ground, [], ASKED)
    with pytest.raises(StudyError, match="standard-error"):
        draw(mapped.run, SampleRequest(("2021",)), out)
    with pytest.raises(StudyError, match="too few"):
        draw(mapped.run, SampleRequest(("2021",), 3), out)
    with pytest.raises(StudyError, match="gained"):
        draw(mapped.run, replace(ASKED, expected={"mines": 0.5}), out)
    gpd.read_file(mapped.world.region).to_file(tmp_path / "t.gpkg")
    asked = replace(ASKED, territories=tmp_path / "t.gpkg", territory_id="code")
    with pytest.raises(OutlineError, match="code"):
        draw(mapped.run, asked, out)
    assert as_hectares("20ha") == as_hectares("0.2 km2") == 20
    with pytest.raises(StudyError, match="20ha"):
        as_hectares("twenty")
    assert as_shares(["rest=0.001"]) == {"rest": 0.001}
    with pytest.raises(StudyError, match=r"rest=0\.001"):
        as_shares(["rest"])
    draw(mapped.run, ASKED, out)
    with pytest.raises(RunError, match="--out"):
        draw(mapped.run, ASKED, out)


def test_what_cannot_be_estimated(mapped: Mapped, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="minetrace sample"):
        estimate(tmp_path)
    folder = draw(mapped.run, ASKED, tmp_path / "s").folder
    with pytest.raises(LabelError, match="answer_2021"):
        estimate(folder)
    answer(folder, mapped.world)
    whole = pd.read_csv(folder / "sample.csv", dtype=str, keep_default_na=False)

    def told(table: pd.DataFrame, match: str) -> None:
        table.to_csv(tmp_path / "a.csv", index=False)
        with pytest.raises(LabelError, match=match):
            estimate(folder, answers=tmp_path / "a.csv")

    told(whole.assign(answer_2021="perhaps"), "perhaps")
    told(pd.concat([whole, whole.iloc[:1]]), "twice")
    told(whole.assign(id=whole["id"] + "x"), "not one of")
    told(whole.drop(columns="answer_2021"), "answer_2021")
    told(whole[whole["stratum"] != "rest"], "rest")
    package = gpd.read_file(folder / "sample.gpkg")
    package["answer_2021"] = "mine"
    package.to_file(folder / "sample.gpkg", layer="sample")
    with pytest.raises(LabelError, match="--answers"):
        estimate(folder)
    chosen = estimate(folder, answers=folder / "sample.gpkg", write=False)
    assert chosen.facts["periods"][0]["estimated_ha"]["value"] == pytest.approx(
        chosen.facts["frame_ha"], rel=1e-6
    )


def test_the_frame_weighs_as_the_design_says(mapped: Mapped, tmp_path: Path) -> None:
    design = draw(mapped.run, ASKED, tmp_path / "s")
    place = {name: i for i, name in enumerate(design.strata.names)}
    drawn = Drawn(design.strata, np.array([place[s] for s in design.column("stratum")]))
    assert mean(drawn, np.ones(400)).value == pytest.approx(1)
    table = pd.read_csv(design.folder / "sample.csv")
    units = {row["name"]: row["units"] for row in design.facts["strata"]}
    rows = table.groupby("stratum")["probability"]
    assert all(rows.first()[n] == pytest.approx(rows.size()[n] / units[n], rel=1e-6) for n in units)
