"""A review without its page: who is asked what, what stands, and what becomes of it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

import minetrace as mt
from minetrace.assess.agreement import agreement, pairwise
from minetrace.errors import LabelError, OutlineError, PeriodError, StudyError
from minetrace.flow.answers import REVIEWED, read_answers, word_of
from minetrace.flow.review import Desk, read_drawn
from minetrace.flow.review_files import read_answers_of, write_answers
from minetrace.flow.review_handing_on import estimate_table, hand_on, label_features, labels_of
from minetrace.flow.review_open import FILE, ReviewRequest, open_desk, open_queue
from minetrace.flow.review_queue import Item, Queue, alerts_queue, hectares_of
from minetrace.flow.review_standing import Standing, dispute_for, looks, next_for
from minetrace.flow.sample_design import Design, SampleRequest
from minetrace.flow.sampling import draw
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.verified import VERIFIED, map_checksum, outdated, with_verified
from minetrace.publish.tables import quoted, unquoted
from minetrace.store.answers import Said, SqliteAnswers
from minetrace.testing.interpreter import answer, mined_at, shares_at
from minetrace.testing.world import World, world_study
from terminal import minetrace

NOW = "2024-05-01T10:00:00Z"
SHOWN = {"pictures": [], "outlines": False, "screen": ""}


@dataclass(frozen=True)
class Mapped:
    world: World
    run: Path
    sample: Path


@pytest.fixture(scope="module")
def mapped(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapped:
    study = Study.of({**world_study(world, name="reviewed"), "periods": [2019, 2021]})
    out = run(study, tmp_path_factory.mktemp("reviewed") / "run").out
    sample = draw(out, SampleRequest(("2021",), 40, minimum=8)).folder
    return Mapped(world, out, sample)


@pytest.fixture
def desk(mapped: Mapped, tmp_path: Path) -> Desk:
    whole = open_desk(ReviewRequest(mapped.run, sample=mapped.sample, twice=1.0))
    return replace(whole, store=SqliteAnswers(tmp_path / "answers.sqlite"))


def say(desk: Desk, who: str, item: str, value: str, kind: str = "answer", **more: Any) -> Any:
    number = len(desk.store.read(desk.queue.id))
    row = {"id": f"{who}-{number:06d}", "item": item, "kind": kind, "value": value,
           "seconds": 2.0, "said_at": NOW, "shown": SHOWN, **more}  # fmt: skip
    return desk.take(who, [row])


def toy(n: int) -> Queue:
    square = shapely.box(0, 0, 1e-4, 1e-4)
    items = [Item(f"p{i}@2021", "2021", None, square, "EPSG:32631", f"p{i}", False)
             for i in range(n)]  # fmt: skip
    return Queue.of("sample", items, Path("run"), Path("sample"))


def said(number: int, who: str, item: str, kind: str, value: str) -> Said:
    return Said(str(number), "q", item, who, kind, value, 1.0, NOW, "{}")  # type: ignore[arg-type]


WORDS = st.tuples(
    st.sampled_from(["ana", "ben"]), st.sampled_from(["p0@2021", "p1@2021"]),
    st.sampled_from([("answer", "mine"), ("answer", "not"), ("answer", "unsure"), ("undo", "")]),
)  # fmt: skip


@given(st.lists(WORDS, max_size=12))
def test_what_one_says_does_not_depend_on_another(words: list[Any]) -> None:
    rows = [said(i, who, item, *what) for i, (who, item, what) in enumerate(words)]
    whole = Standing.of(rows)
    for who in ("ana", "ben"):
        alone = Standing.of([row for row in rows if row.who == who])
        for item in ("p0@2021", "p1@2021"):
            assert whole.verdict(item, who) == alone.verdict(item, who)
            last = [r for r in rows if r.who == who and r.item == item]
            stands = whole.verdict(item, who)
            told = last[-1].value if last and last[-1].kind == "answer" else None
            assert (stands.verdict if stands else None) == told


@given(st.integers(1, 30), st.sampled_from([0.0, 0.3, 1.0]))
def test_everybody_together_looks_at_all_and_nobody_twice(n: int, twice: float) -> None:
    queue, rows = toy(n), list[Said]()
    people = ("ana", "ben", "cem")
    idle = 0
    while idle < len(people):
        who = people[len(rows) % 3]
        item = next_for(queue, Standing.of(rows), who, twice=twice)
        for other in people:
            item = item or next_for(queue, Standing.of(rows), who := other, twice=twice)
        if item is None:
            break
        assert Standing.of(rows).verdict(item.id, who) is None
        rows.append(said(len(rows), who, item.id, "answer", "not"))
    standing = Standing.of(rows)
    assert all(len(standing.given(i.id)) == looks(queue, i, twice) for i in queue.items)


def test_a_share_is_looked_at_twice_whoever_asks() -> None:
    queue = toy(400)
    share = np.mean([looks(queue, item, 0.25) == 2 for item in queue.items])
    assert 0.18 < share < 0.32
    more = {i.id for i in queue.items if looks(queue, i, 0.5) == 2}
    assert {i.id for i in queue.items if looks(queue, i, 0.25) == 2} <= more


def test_disputes_are_settled_by_who_did_not_answer_or_is_named() -> None:
    queue = toy(2)
    rows = [said(0, "ana", "p0@2021", "answer", "mine"), said(1, "ben", "p0@2021", "answer", "not"),
            said(2, "ana", "p1@2021", "answer", "mine"),
            said(3, "ben", "p1@2021", "answer", "unsure")]  # fmt: skip
    standing = Standing.of(rows)
    assert not standing.disputed("p1@2021")
    assert dispute_for(queue, standing, "ana", settlers=()) is None
    for who, settlers in (("ana", ("ana",)), ("cem", ())):
        found = dispute_for(queue, standing, who, settlers=settlers)
        assert found is not None
        assert found.id == "p0@2021"
    table = estimate_table(queue, standing)
    assert table.loc[0, ["answer_2021", "second_2021"]].tolist() == ["mine", "not"]
    settled = Standing.of([*rows, said(4, "cem", "p0@2021", "settle", "not")])
    assert not settled.disputed("p0@2021")
    assert estimate_table(queue, settled).loc[0].tolist() == ["p0", "not", ""]
    again = Standing.of([*rows, said(4, "cem", "p0@2021", "settle", "not"),
                         said(5, "cem", "p0@2021", "undo", "settle")])  # fmt: skip
    assert again.disputed("p0@2021")


def test_nobody_settles_what_is_not_disputed(desk: Desk) -> None:
    """One person with the right to answer cannot outvote all others beforehand."""
    item = desk.queue.items[0].id
    assert "nothing to settle" in str(say(desk, "eve", item, "not", "settle")["refused"])
    say(desk, "ana", item, "mine")
    assert "nothing to settle" in str(say(desk, "eve", item, "not", "settle")["refused"])
    assert estimate_table(desk.queue, desk._standing()).loc[0, "answer_2021"] == "mine"
    say(desk, "ben", item, "not")
    assert say(desk, "eve", item, "mine", "settle")["refused"] == {}
    assert say(desk, "eve", item, "not", "settle")["refused"] == {}  # eve thought again


def test_an_edited_outline_outlives_agreement_and_dispute() -> None:
    queue, item = toy(1), "p0@2021"
    small = shapely.box(0, 0, 5e-5, 5e-5)
    rows = [said(0, "ana", item, "outline", shapely.to_geojson(small)),
            said(1, "ana", item, "answer", "mine")]  # fmt: skip
    agreed = [*rows, replace(said(2, "ben", item, "answer", "mine"), said_at="2025-01-01T00:00Z")]
    settled = [*rows, said(2, "ben", item, "answer", "not"), said(3, "cem", item, "settle", "mine")]
    for told in (rows, agreed, settled):
        (label,) = label_features(queue, Standing.of(told))["features"]  # type: ignore[misc]
        assert shapely.geometry.shape(label["geometry"]).equals(small)
    by_who_settled = [said(0, "ana", item, "answer", "mine"), said(1, "ben", item, "answer", "not"),
                      said(2, "cem", item, "outline", shapely.to_geojson(small)),
                      said(3, "cem", item, "settle", "mine")]  # fmt: skip
    assert Standing.of(by_who_settled).outline(item)
    assert not Standing.of(by_who_settled[:3]).outline(item)  # cem said nothing else yet
    undone = Standing.of([*rows, said(2, "ana", item, "undo", "")])
    assert not undone.outline(item)


def test_what_was_settled_holds_as_long_as_people_differ() -> None:
    queue, item = toy(1), "p0@2021"
    rows = [said(0, "ana", item, "answer", "mine"), said(1, "ben", item, "answer", "not"),
            said(2, "cem", item, "settle", "not"),
            said(3, "ben", item, "answer", "mine")]  # fmt: skip
    assert Standing.of(rows[:3]).settled[item].verdict == "not"
    assert estimate_table(queue, Standing.of(rows)).loc[0].tolist() == ["p0", "mine", "mine"]


@given(st.lists(st.sampled_from(["mine", "not", "unsure"]), min_size=1, max_size=5))
def test_the_estimate_hears_of_every_dispute(words: list[str]) -> None:
    """However many people answered, and in whichever order."""
    queue = toy(1)
    rows = [said(n, f"w{n}", "p0@2021", "answer", word) for n, word in enumerate(words)]
    standing = Standing.of(rows)
    told = set(estimate_table(queue, standing).loc[0, ["answer_2021", "second_2021"]])
    assert standing.disputed("p0@2021") == ({"mine", "not"} <= told)
    assert (set(words) <= {"unsure"}) == told.isdisjoint({"mine", "not"})


def test_kappa_of_cohen() -> None:
    """45 of 100 both yes, 25 both no, 15 and 15 apart: p0 0.70, pe 0.52, kappa 0.375."""
    one = np.repeat([1, 1, 0, 0], [45, 15, 15, 25])
    two = np.repeat([1, 0, 1, 0], [45, 15, 15, 25])
    assert agreement(one, two).kappa == pytest.approx((0.70 - 0.52) / 0.48)
    alone = np.full(100, np.nan)
    assert list(pairwise({"a": one, "b": two, "c": alone})) == [("a", "b")]


def test_a_sample_is_asked_without_its_stratum_and_answers_reach_the_estimate(
    mapped: Mapped, desk: Desk
) -> None:
    first = desk.ask("ana")
    assert first is not None
    told = json.dumps(first)
    assert not any(word in told for word in ("stratum", "probability", "buffer", "rest", "score"))
    design = Design.read(mapped.sample)
    table = pd.read_csv(mapped.sample / "sample.csv").set_index("id")
    while (asked := desk.ask("ana")) is not None:
        place = table.loc[asked["name"]]
        mined = mined_at(mapped.world, np.array([place.lon]), np.array([place.lat]), "2021")[0]
        assert say(desk, "ana", asked["item"], "mine" if mined else "not")["refused"] == {}
    assert desk.progress("ana")["mine"] == 40
    assert any("minetrace estimate" in line for line in hand_on(desk))
    reviewed = mt.estimate(mapped.sample, draws=10, write=False).facts["periods"][0]
    filled = answer(mapped.sample, mapped.world)
    truth = mt.estimate(mapped.sample, draws=10, write=False, answers=filled).facts["periods"][0]
    assert reviewed["estimated_ha"] == truth["estimated_ha"]
    assert read_answers(design, mapped.sample / REVIEWED).first.shape == (40, 1)
    (mapped.sample / REVIEWED).unlink()
    labels = json.loads(labels_of(desk.queue).read_text())["features"]
    assert len(labels) == 40
    pixel = shapely.geometry.shape(labels[0]["geometry"])
    assert hectares_of(pixel) == pytest.approx(0.01, rel=0.01)


def test_nobody_is_told_what_another_said(desk: Desk) -> None:
    item = desk.queue.items[3].id
    say(desk, "ana", item, "mine")
    say(desk, "ana", item, "secret words", "note")
    for told in (desk.described(desk.queue.items[3], desk._standing(), "ben"),
                 desk.ask("ben"), desk.back("ben"), desk.progress("ben")):  # fmt: skip
        assert "secret" not in json.dumps(told)
        assert "ana" not in json.dumps(told)
    own = desk.described(desk.queue.items[3], desk._standing(), "ana")
    assert own["mine"] == {"verdict": "mine", "note": "secret words"}


def test_agreement_does_not_give_another_away(desk: Desk) -> None:
    for number in (0, 1):
        say(desk, "ana", desk.queue.items[number].id, "mine")
        say(desk, "ben", desk.queue.items[number].id, "not" if number else "mine")
    told = desk.agreement("ben")
    assert (told["pairs"], told["disputes"], told["own"]) == ([], None, False)
    assert desk.progress("ben")["disputes"] == 0
    assert desk.progress("cem")["disputes"] == 1
    assert [pair["both"] for pair in desk.agreement("cem")["pairs"]] == [2]
    assert replace(desk, settlers=("ben",)).agreement("ben")["disputes"] == 1
    assert desk.agreement()["pairs"][0]["agreed"] == 0.5


def test_what_is_refused_is_said_and_the_rest_is_kept(desk: Desk) -> None:
    item = desk.queue.items[0].id
    assert "not of this review" in str(say(desk, "ana", "p999@2021", "mine")["refused"])
    assert "none of mine" in str(say(desk, "ana", item, "yes")["refused"])
    assert "crosses itself" in str(
        say(desk, "ana", item, "[[[[0,0],[9,9],[9,0],[0,9]]]]", "outline")["refused"]
    )
    far = "[[[[0,0],[9,0],[9,9]]]]"
    assert "far beyond" in str(say(desk, "ana", item, far, "outline")["refused"])
    say(desk, "ana", item, "mine")
    assert "does not settle" in str(say(desk, "ana", item, "not", "settle")["refused"])
    assert len(desk.store.read(desk.queue.id)) == 1
    for bad in ("", "[]", "[[[[0,0],[1,1]]]]", "[[[[0,0],[1,NaN],[2,2]]]]", '{"a":1}', "[[1]]",
                "[" * 100_000):  # fmt: skip
        with pytest.raises(LabelError):
            read_drawn(bad)


def test_answers_travel_as_collect_earth_online_and_as_geojson(desk: Desk, tmp_path: Path) -> None:
    for number, (who, word) in enumerate([("ana", "mine"), ("ben", "not"), ("ana", "unsure")]):
        say(desk, who, desk.queue.items[number].id, word)
    say(desk, "ana", desk.queue.items[0].id, 'near, the "river"', "note")
    standing = desk._standing()
    for name in ("a.csv", "a.geojson"):
        assert write_answers(tmp_path / name, desk.queue, standing) == 3
        other = SqliteAnswers(tmp_path / f"{name}.sqlite")
        rows = read_answers_of(tmp_path / name, desk.queue)
        assert other.add(rows) > 0
        assert other.add(read_answers_of(tmp_path / name, desk.queue)) == 0  # taken once
        again = Standing.of(other.read(desk.queue.id))
        for item in desk.queue.items[:3]:
            for who in ("ana", "ben"):
                one, two = standing.verdict(item.id, who), again.verdict(item.id, who)
                assert (one and one.verdict) == (two and two.verdict)
    table = pd.read_csv(tmp_path / "a.csv", encoding="utf-8-sig")
    assert list(table.columns[:6]) == ["plotid", "sampleid", "lon", "lat", "email", "flagged"]
    assert table["analysis_duration"].tolist() == ["2.0 secs"] * 3
    theirs = table.rename(columns={"plotid": "pl_id", "Mine in 2021?": "Is there a mine (2021)"})
    theirs["flagged"] = ["TRUE", "FALSE", "FALSE"]
    theirs.insert(0, "plotid", [71, 72, 73])
    theirs.drop(columns=["sampleid", "Note"]).to_csv(tmp_path / "b.csv", index=False)
    told = [row.value for row in read_answers_of(tmp_path / "b.csv", desk.queue)]
    assert sorted(told) == ["not", "unsure", "unsure"]
    table.assign(**{"Mine in 2021?": "perhaps"}).to_csv(tmp_path / "c.csv", index=False)
    with pytest.raises(LabelError, match="line 2, mine in 2021"):
        read_answers_of(tmp_path / "c.csv", desk.queue)
    table.assign(plotid="x", sampleid="y").to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(LabelError, match="another sample"):
        read_answers_of(tmp_path / "d.csv", desk.queue)


def test_detections_verify_the_panel_and_label_the_ground(mapped: Mapped, tmp_path: Path) -> None:
    desk = replace(
        open_desk(ReviewRequest(mapped.run, detections=True, period="2021")),
        store=SqliteAnswers(tmp_path / "answers.sqlite"),
    )
    sure = map_checksum(mapped.run)
    one, two = desk.queue.items[:2]
    frame, _ = desk.pictures.frame(one, 1)
    x, y = (frame.left + frame.right) / 2, (frame.bottom + frame.top) / 2
    drawn = [[[[x, y], [x + 50, y], [x + 50, y + 50], [x, y + 50]]]]
    say(desk, "ana", one.id, json.dumps(drawn), "outline")
    say(desk, "ana", one.id, "mine")
    say(desk, "ana", two.id, "not")
    hand_on(desk)
    features = label_features(desk.queue, desk._standing())["features"]
    assert [f["properties"]["class"] for f in features] == ["mine", "other"]  # type: ignore[attr-defined]
    edited = shapely.geometry.shape(features[0]["geometry"])  # type: ignore[index]
    assert hectares_of(edited) == pytest.approx(0.25, rel=0.01)
    asked = {**world_study(mapped.world, name="reviewed"), "periods": [2019, 2021]}
    run(Study.of(asked), mapped.run)
    panel = mt.open_run(mapped.run).panel().set_index(["site_id", "period"])["verified"]
    assert panel[one.name, "2021"] is True or bool(panel[one.name, "2021"]) is True
    assert bool(panel[two.name, "2021"]) is False
    assert panel.notna().sum() == 2
    assert map_checksum(mapped.run) == sure  # a sample drawn before is still of this map
    grown = mt.open_run(mapped.run).panel()
    changed = (grown["site_id"] == one.name) & (grown["period"] == one.period)
    shapes = grown.geometry.to_numpy()
    grown["geometry"] = np.where(changed, shapely.buffer(shapes, 1e-4), shapes)
    assert outdated(mapped.run, grown) == 1  # the map changed under the verdict
    told = with_verified(mapped.run, grown).set_index(["site_id", "period"])["verified"]
    assert pd.isna(told[one.name, "2021"])
    assert bool(told[two.name, "2021"]) is False
    hand_on(desk)
    assert outdated(mapped.run, grown) == 1  # and handing on again does not bind it anew
    old = pd.read_csv(mapped.run / VERIFIED).drop(columns=["outline", "said_at"])
    old.to_csv(mapped.run / VERIFIED, index=False)
    assert outdated(mapped.run, grown) == 2  # nobody knows what those were of
    assert with_verified(mapped.run, grown)["verified"].isna().all()
    (mapped.run / VERIFIED).unlink()


def test_blocks_are_answered_by_their_share(mapped: Mapped, tmp_path: Path) -> None:
    asked = SampleRequest(("2021",), 24, minimum=4, block_m=50.0)
    folder = draw(mapped.run, asked, tmp_path / "s").folder
    desk = replace(
        open_desk(ReviewRequest(mapped.run, sample=folder, twice=1.0)),
        store=SqliteAnswers(tmp_path / "answers.sqlite"),
    )
    first = desk.ask("ana")
    assert first is not None
    assert first["shares"] is True
    assert first["unit"]
    assert "none of mine" in str(say(desk, "ana", first["item"], "130%")["refused"])
    truth = shares_at(mapped.world, gpd.read_file(folder / "sample.gpkg").geometry, "2021")
    for item, share in zip(desk.queue.items, truth, strict=True):
        assert say(desk, "ana", item.id, word_of(round(share, 1)))["refused"] == {}
    part = next(item for item, share in zip(desk.queue.items, truth, strict=True)
                if 0.1 < share < 0.9)  # fmt: skip
    number = desk.queue.place[part.id]
    say(desk, "ben", part.id, word_of(round(truth[number] / 2 + 0.25, 1)))
    assert not desk._standing().disputed(part.id)  # near enough: their mean will do
    assert desk._standing().given(part.id)[0].verdict.endswith("%")
    labels = json.dumps(label_features(desk.queue, desk._standing()))
    assert part.id not in labels  # a share does not say where
    hand_on(desk)
    told = read_answers(Design.read(folder), folder / REVIEWED)
    alone = np.isnan(told.second[:, 0])
    assert told.agreed[alone, 0] == pytest.approx(truth[alone].round(1))
    assert mt.estimate(folder, draws=10).facts["unit"] == "block"
    write_answers(tmp_path / "a.csv", desk.queue, desk._standing())
    assert "Mined share in 2021?" in (tmp_path / "a.csv").read_text("utf-8-sig")
    again = {row.value for row in read_answers_of(tmp_path / "a.csv", desk.queue)}
    assert word_of(round(truth[number], 1)) in again
    say(desk, "cem", desk.queue.items[0].id, "not" if truth[0] > 0.5 else "mine")
    assert desk._standing().disputed(desk.queue.items[0].id)


@given(st.lists(st.text(st.sampled_from("'=+-@\t\ra1 "), max_size=5), max_size=8))
def test_no_text_runs_as_a_formula(cells: list[str]) -> None:
    table = pd.DataFrame({"note": cells, "lon": [-70.1] * len(cells)})
    safe = quoted(table)
    assert not any(cell[:1] in set("=+-@\t\r") for cell in safe["note"] if cell)
    assert unquoted(safe).equals(table)
    assert safe["lon"].equals(table["lon"])


def test_an_export_runs_nothing_and_comes_back(desk: Desk, tmp_path: Path) -> None:
    item = desk.queue.items[0].id
    say(desk, "=ana", item, "mine")
    say(desk, "=ana", item, '=HYPERLINK("http://x","y")', "note")
    write_answers(tmp_path / "a.csv", desk.queue, desk._standing())
    told = pd.read_csv(tmp_path / "a.csv", encoding="utf-8-sig").iloc[0]
    assert (told["email"], told["Note"][:2]) == ("'=ana", "'=")
    assert [row.who for row in read_answers_of(tmp_path / "a.csv", desk.queue)] == ["=ana"]


def test_alerts_of_any_file(mapped: Mapped, tmp_path: Path) -> None:
    panel = mt.open_run(mapped.run).panel()
    rows = panel[(panel["period"] == "2021") & panel.geometry.notna()].iloc[:3]
    table = gpd.GeoDataFrame({"id": ["<b>", "b", "c"]}, geometry=rows.geometry.to_numpy(), crs=4326)
    table.to_file(tmp_path / "alerts.geojson")
    whole = mt.open_run(mapped.run)
    queue = alerts_queue(whole, tmp_path / "alerts.geojson", "2021")
    assert [item.name for item in queue.items] == ["<b>", "b", "c"]
    assert queue.items[0].before == "2019"
    with pytest.raises(OutlineError, match="--period"):
        alerts_queue(whole, tmp_path / "alerts.geojson")
    with pytest.raises(PeriodError, match="2019, 2021"):
        alerts_queue(whole, tmp_path / "alerts.geojson", "1999")
    table.assign(id="same", period="2021").to_file(tmp_path / "alerts.geojson")
    with pytest.raises(OutlineError, match="comes twice"):
        alerts_queue(whole, tmp_path / "alerts.geojson")
    with pytest.raises(StudyError, match="one of"):
        open_queue(ReviewRequest(mapped.run, detections=True, alerts=tmp_path / "x"))


def test_the_command_without_its_page(mapped: Mapped, tmp_path: Path) -> None:
    desk = open_desk(ReviewRequest(mapped.run, sample=mapped.sample))
    say(desk, "ana", desk.queue.items[0].id, "mine")
    done = minetrace("review", mapped.run, "--no-page", "--export", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    assert "1 of 40 answered" in done.stdout
    (mapped.run / FILE).unlink()
    done = minetrace("review", mapped.run, "--no-page", "--import", tmp_path / "a.csv")
    assert "1 answers taken in" in done.stdout
    done = minetrace("review", mapped.run, "--no-page", "--export", tmp_path / "a.xlsx")
    assert (done.returncode, "geojson" in done.stderr) == (2, True)
    (mapped.run / FILE).unlink()
    (mapped.sample / REVIEWED).unlink()


def test_without_the_extra_it_says_so(mapped: Mapped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    done = minetrace("review", mapped.run)
    assert (done.returncode, "minetrace[serve]" in done.stderr) == (2, True)
