"""Splits and the audit: what goes together stays together, and what leaks is found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from minetrace.chips.audit import audit, refuse_leaks
from minetrace.chips.audit_page import html, markdown
from minetrace.chips.duplicates import look, looks, twins
from minetrace.chips.ground import nearest
from minetrace.chips.open_set import open_data_set
from minetrace.chips.splits import SplitRule, divide
from minetrace.core.data_set import Chip, DataSet
from minetrace.core.region import project
from minetrace.errors import DataSetError, LeakageError


class Pictures:
    """A reader of pictures in memory, one for each name."""

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.own = seed, dict[str, NDArray[np.float32]]()

    @property
    def meaning(self) -> Mapping[str, Any]:
        return {}

    def image(self, chip: Chip) -> NDArray[np.float32]:
        if chip.image in self.own:
            return self.own[chip.image]
        rng = np.random.default_rng([self.seed, *chip.image.encode()])
        coarse = rng.uniform(0, 0.4, (3, 6, 6)).repeat(8, axis=1).repeat(8, axis=2)
        return coarse.astype(np.float32)

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        return np.eye(48, dtype=np.uint8)


def frame(x: float, y: float = 700_000, side: float = 480) -> tuple[float, float, float, float]:
    return (x, y, x + side, y + side)


def chips(count: int, *, step_m: float = 480, years: tuple[str, ...] = ("2019",)) -> DataSet:
    made = tuple(
        Chip(
            name=f"{n}_{year}", image=f"{n}_{year}", mask="m", place=str(n), period=year,
            source=f"s{n % 5}", region="GHA" if n % 3 else "CIV", crs="EPSG:32630",
            bounds=frame(400_000 + n * step_m), shares={0: 0.9, 1: 0.1} if n % 2 else {0: 1.0},
        )
        for n in range(count) for year in years
    )  # fmt: skip
    return DataSet("line", made, ("red", "green", "blue"), ("other", "mine"), Pictures())


def with_splits(data: DataSet, *splits: str) -> DataSet:
    return data.where(replace(c, split=s) for c, s in zip(data.chips, splits, strict=True))


@pytest.mark.parametrize("rule", [
    SplitRule("random"), SplitRule("stratified"), SplitRule("source"),
    SplitRule("blocks", block_km=2, buffer_km=0.5),
    SplitRule("regions", regions={"test": ("CIV",)}),
])  # fmt: skip
def test_every_split_keeps_places_together_and_hangs_on_names_alone(rule: SplitRule) -> None:
    data = chips(60, years=("2019", "2020"))
    made = divide(data, rule)
    for place in {c.place for c in made.chips}:
        assert len({c.split for c in made.chips if c.place == place}) == 1
    backwards = divide(data.where(reversed(data.chips)), rule)
    assert {c.name: c.split for c in backwards.chips} == {c.name: c.split for c in made.chips}
    assert not [f for f in audit(made, contents=False).findings if f.leaks]


def test_a_place_is_of_one_stratum_whatever_chip_of_it_comes_first() -> None:
    data = chips(60, years=("2016", "2022"))
    mined = {"2016": {0: 1.0}, "2022": {0: 0.7, 1: 0.3}}
    data = data.where(
        replace(c, shares=mined[c.period if int(c.place) % 2 else "2016"]) for c in data.chips
    )
    made, backwards = (divide(data.where(order), SplitRule("stratified"))
                       for order in (data.chips, data.chips[::-1]))  # fmt: skip
    assert {c.name: c.split for c in backwards.chips} == {c.name: c.split for c in made.chips}


@settings(max_examples=25, deadline=None)
@given(count=st.integers(30, 120), seed=st.integers(0, 99), test=st.floats(0.1, 0.6))
def test_shares_come_out_as_asked(count: int, seed: int, test: float) -> None:
    rule = SplitRule("random", {"train": 1 - test, "test": test}, seed)
    assert divide(chips(count), rule).splits.get("test", 0) == pytest.approx(test * count, abs=2)


def test_a_buffer_keeps_trained_chips_away() -> None:
    made = divide(chips(80), SplitRule("blocks", {"train": 0.5, "test": 0.5}, block_km=5,
                                       buffer_km=1.0))  # fmt: skip
    train, test = (made.split(name).chips for name in ("train", "test"))
    assert nearest(test, train).gap_m.min() >= 1000
    assert made.splits[""] > 0


def test_regions_that_are_not_there_are_named() -> None:
    with pytest.raises(DataSetError, match="no chip is of region 'GAH'"):
        divide(chips(9), SplitRule("regions", regions={"test": ("GAH",)}))


def test_the_published_lists_leak(shared_data: Path) -> None:
    folder = shared_data / "smallminesds"
    data = open_data_set(folder / "train_test_splits_2016.csv",
                         lists=[folder / "train_test_splits_2022.csv"])  # fmt: skip
    found = audit(data, contents=False)
    (leak,) = found.leaks
    assert leak.detail == {"2016 in 2022": 451, "2022 in 2016": 452}
    assert "452 of the 644 of 2022" in leak.text
    with pytest.raises(LeakageError, match="allow_leakage"):
        refuse_leaks(found)


def test_a_leak_is_allowed_in_words_only() -> None:
    data = with_splits(chips(1, years=("2019", "2020")), "train", "test")
    found = audit(data, contents=False)
    assert [f.what for f in found.leaks] == ["other period", "ground"]
    for word in ("", "true", "yes please"):
        with pytest.raises(LeakageError):
            refuse_leaks(found, word)
    said = "only the change between the two years is judged"
    allowed = refuse_leaks(found, said)
    assert allowed.allowed == said
    assert said in markdown(allowed)


def test_ground_that_overlaps_is_found_and_neighbours_are_not() -> None:
    data = with_splits(chips(3, step_m=480), "train", "test", "test")
    assert not audit(data, contents=False).leaks
    assert audit(data, contents=False).distances["test to train"]["0%"] == 0
    assert [f.count for f in audit(data, contents=False, near_m=1).leaks] == [1]
    moved = with_splits(chips(3, step_m=470), "train", "test", "test")
    (leak,) = audit(moved, contents=False).leaks
    assert (leak.what, leak.count, leak.total) == ("ground", 1, 2)


def test_distances_reach_over_the_meridian() -> None:
    west = Chip(name="w", image="w", crs="EPSG:32630", bounds=frame(833_000, 600_000))
    east = Chip(name="e", image="e", crs="EPSG:32631", bounds=frame(167_500, 600_000))
    gap = nearest([west], [east]).gap_m[0]
    assert gap == pytest.approx(nearest([east], [west]).gap_m[0], rel=1e-3)
    assert 0 < gap < 2000


@pytest.mark.parametrize(("crs", "step", "metres"), [
    ("EPSG:3857", 10_000, 5_000), ("EPSG:4269", 0.1, 5_560), ("OGC:CRS84", 0.1, 5_560),
    ("EPSG:4326", 0.1, 5_560), ("EPSG:32636", 5_000, 5_000),
])  # fmt: skip
def test_distances_are_metres_on_the_ground(crs: str, step: float, metres: float) -> None:
    corner, side = project(shapely.Point(33, 60), "EPSG:4326", crs), step / 10
    here, there = (
        Chip(name=str(x), image="", crs=crs, bounds=(x, corner.y, x + side, corner.y + side))
        for x in (corner.x, corner.x + step + side)
    )
    assert nearest([here], [there]).gap_m[0] == pytest.approx(metres, rel=0.01)


def test_the_date_line_is_no_edge_of_the_world() -> None:
    line = project(shapely.Point(180, -17), "EPSG:4326", "EPSG:32760").x

    def at(x: float) -> Chip:
        return Chip(name=str(x), image="", crs="EPSG:32760", bounds=frame(line + x, 8_100_000))

    over, beside = at(-240), at(-720)
    crowd = [at(-50_000 - 1_000 * n) for n in range(30)]
    assert nearest([over], [*crowd, beside]).gap_m[0] == pytest.approx(0, abs=1e-6)
    assert nearest([beside], [*crowd, over]).gap_m[0] == pytest.approx(0, abs=1e-6)
    beyond = Chip(name="", image="", crs="EPSG:4326", bounds=(-179.999, -17.3, -179.99, -17.1))
    assert nearest([over], [beyond]).gap_m[0] < 20_000


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.25])
def test_copies_are_found_through_noise(noise: float) -> None:
    data = with_splits(chips(40), *(["train"] * 20 + ["test"] * 20))
    reader, rng = Pictures(), np.random.default_rng(3)
    for n in range(5):
        original = reader.image(data.chips[n])
        grain = rng.normal(0, noise * original.std(), original.shape)
        reader.own[f"{20 + n}_2019"] = (original + grain).astype(np.float32)
    found = audit(replace(data, reader=reader))
    (leak,) = found.leaks
    assert (leak.what, leak.count) == ("copies", 5)
    assert ("all but" in leak.text) == (noise > 0)


def test_pictures_of_one_value_are_nobody_s_copy() -> None:
    plain = looks([look(np.full((3, 32, 32), v, np.float32)) for v in (0.1, 0.1, np.nan)])
    assert len(twins(plain, plain).pairs) == 0
    data, reader = with_splits(chips(3), "train", "test", "test"), Pictures()
    reader.own |= {c.image: np.full((3, 48, 48), 0.2, np.float32) for c in data.chips[:2]}
    found = audit(replace(data, reader=reader))
    assert not found.leaks
    assert "not looked for: copies of 2 chips that are of one value" in found.verdict


def test_a_lacking_class_is_told() -> None:
    data = with_splits(chips(4), "train", "train", "test", "train")
    told = [f.text for f in audit(data, contents=False).findings]
    assert "test has nothing of class mine" in told


def test_the_page_and_the_json_say_the_same() -> None:
    found = audit(with_splits(chips(2, step_m=100), "train", "test"), contents=False)
    assert json.loads(json.dumps(found.to_json()))["leaks"] is True
    for page in (markdown(found), html(replace(found, name="<b>"))):
        assert "1 of 1 chips of test overlap the ground" in page
    assert "<b>" not in html(replace(found, name="<b>"))


def test_real_tiles_that_overlap(shared_data: Path) -> None:
    from minetrace.chips.options import SetOptions

    data = open_data_set(shared_data / "tailings", SetOptions(exclude=("23_image",)))
    random = audit(divide(data, SplitRule("random")), contents=False)
    assert any(f.what == "ground" for f in random.leaks)
    blocks = audit(divide(data, SplitRule("blocks", block_km=20, buffer_km=1)), contents=False)
    assert not blocks.leaks
    assert blocks.distances["test to train"]["0%"] >= 1000
