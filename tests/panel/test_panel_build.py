"""Identity through time: what a panel promises of any outlines, and the courses mines take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.footprints import Extent, Footprints
from minetrace.core.period import Period
from minetrace.errors import OutlineError, PeriodError
from minetrace.panel.build import IdentityRules, build_panel
from minetrace.panel.events import EVENTS, WITHOUT_OUTLINE
from minetrace.panel.summary import summary

X, Y, HA = 500_000, 8_600_000, 100  # in units of a hectare
Box = tuple[float, float, float, float]


def outlines(*boxes: Box, extent: Extent = "mined") -> Footprints:
    """Boxes (west, south, east, north) in units of 100 m."""
    shapes = np.empty(len(boxes), dtype=object)
    for i, (w, s, e, n) in enumerate(boxes):
        shapes[i] = shapely.box(X + HA * w, Y + HA * s, X + HA * e, Y + HA * n)
    return Footprints(shapes, "EPSG:32719", extent, {"score_mean": np.full(len(boxes), 0.8)})


def years(*parts: Sequence[Box]) -> dict[Period, Footprints]:
    return {Period.year(2018 + i): outlines(*boxes) for i, boxes in enumerate(parts)}


def blind_in(*labels: str):  # type: ignore[no-untyped-def]
    return lambda period, shapes: np.full(len(shapes), 0.0 if period.label in labels else 1.0)


def course(panel: gpd.GeoDataFrame, site: str) -> list[str | None]:
    words = panel[panel.site_id == site].event
    return [None if pd.isna(word) else word for word in words]


def at(panel: gpd.GeoDataFrame, label: str, x: float, y: float) -> str:
    """The site whose outline holds a point in a period."""
    spot = gpd.GeoSeries([shapely.Point(X + HA * x, Y + HA * y)], crs="EPSG:32719").to_crs(4326)[0]
    here = panel[(panel.period == label) & panel.geometry.notna()]
    (found,) = here[here.intersects(spot)].site_id
    return str(found)


def test_a_site_that_grows_pauses_returns_and_ends() -> None:
    plan = years([(0, 0, 1, 1)], [(0, 0, 2, 1)], [], [], [(0, 0, 2, 1)], [(0, 0, 1, 1)], [], [])
    panel = build_panel(plan, looked=blind_in())
    (site,) = set(panel.site_id)
    assert course(panel, site) == [
        "appears", "grows", "pauses", "absent", "returns", "shrinks", "ends", "absent",
    ]  # fmt: skip
    assert panel.area_ha.tolist() == pytest.approx([1, 2, 0, 0, 2, 1, 0, 0], rel=2e-3)
    assert set(panel.first_period) == {"2018"}
    assert set(panel.last_period) == {"2023"}


def test_a_blind_period_is_neither_a_pause_nor_an_end() -> None:
    plan = years([], [(0, 0, 1, 1)], [], [(0, 0, 1, 1)], [])
    panel = build_panel(plan, looked=blind_in("2018", "2020", "2022"))
    assert course(panel, panel.site_id[0]) == [
        "not_looked", "appears", "not_looked", "stays", "not_looked",
    ]  # fmt: skip
    assert panel.area_ha.isna().tolist() == [True, False, True, False, True]
    assert panel.looked_share.tolist() == [0, 1, 0, 1, 0]


def test_looked_at_before_it_appears_is_null_and_zero_hectares() -> None:
    panel = build_panel(years([], [(0, 0, 1, 1)]), looked=blind_in())
    assert course(panel, panel.site_id[0]) == [None, "appears"]
    assert panel.area_ha[0] == 0.0
    assert panel.geometry[0] is None


def test_a_merge_keeps_the_oldest_name() -> None:
    plan = years([(0, 0, 1, 1)], [(0, 0, 1, 1), (2, 0, 5, 3)], [(0, 0, 5, 3)], [(0, 0, 5, 3)])
    panel = build_panel(plan, looked=blind_in())
    old, young = at(panel, "2018", 0.5, 0.5), at(panel, "2019", 4, 1)
    assert at(panel, "2020", 4, 2) == old
    assert course(panel, old) == ["appears", "stays", "merges", "stays"]
    assert course(panel, young) == [None, "appears", "merged", "absent"]
    assert panel[(panel.site_id == old) & (panel.period == "2020")].parents.item() == young


def test_a_merge_of_equals_in_age_keeps_the_largest() -> None:
    panel = build_panel(years([(0, 0, 1, 1), (2, 0, 5, 3)], [(0, 0, 5, 3)]))
    assert at(panel, "2019", 0.5, 0.5) == at(panel, "2018", 4, 1)


def test_a_split_leaves_the_name_with_the_largest_part() -> None:
    panel = build_panel(years([(0, 0, 5, 1)], [(0, 0, 1, 1), (2, 0, 5, 1)]))
    stem = at(panel, "2018", 1, 0.5)
    part = at(panel, "2019", 0.5, 0.5)
    assert at(panel, "2019", 4, 0.5) == stem != part
    assert course(panel, stem) == ["appears", "splits"]
    assert course(panel, part) == [None, "appears"]
    assert panel[(panel.site_id == part) & (panel.period == "2019")].parents.item() == stem


def test_a_dead_site_does_not_take_the_name_of_a_living_one() -> None:
    plan = years([(0, 0, 1, 1)], [], [(2, 0, 3, 1)], [(0, 0, 3, 1)])
    panel = build_panel(plan, looked=blind_in())
    dead, living = at(panel, "2018", 0.5, 0.5), at(panel, "2020", 2.5, 0.5)
    assert at(panel, "2021", 0.5, 0.5) == living != dead
    unseen = build_panel(plan, looked=blind_in("2019", "2020"))
    assert at(unseen, "2021", 0.5, 0.5) == at(unseen, "2018", 0.5, 0.5)


def test_a_site_comes_back_under_its_name_when_a_merger_falls_apart() -> None:
    two, one = [(0, 0, 1, 1), (2, 0, 4, 1)], [(0, 0, 4, 1)]
    panel = build_panel(years(two, one, one, two))
    assert at(panel, "2021", 0.5, 0.5) == at(panel, "2018", 0.5, 0.5)
    assert panel.site_id.nunique() == 2


def test_outlines_that_merely_touch_are_strangers() -> None:
    panel = build_panel(years([(0, 0, 1, 1)], [(1, 0, 2, 1)]))
    assert panel.site_id.nunique() == 2


def test_footprints_never_become_mined_hectares() -> None:
    panel = build_panel({Period.year(2020): outlines((0, 0, 1, 1), extent="footprint")})
    assert "area_ha" not in panel.columns
    assert panel.footprint_ha[0] == pytest.approx(1, rel=2e-3)
    mixed = {
        Period.year(2020): outlines((0, 0, 1, 1), extent="footprint"),
        Period.year(2021): outlines((0, 0, 1, 1)),
    }
    with pytest.raises(OutlineError, match="cannot share a panel"):
        build_panel(mixed)


def test_no_outline_anywhere_is_an_empty_panel_with_all_columns() -> None:
    panel = build_panel(years([], []), looked=blind_in())
    full = build_panel(years([(0, 0, 1, 1)], []))
    assert len(panel) == 0
    assert list(panel.columns) == list(full.columns)
    assert panel.crs == "EPSG:4326"


def test_bad_input_is_refused_with_its_period() -> None:
    bow = shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])
    bad = replace(outlines((0, 0, 1, 1)), geometry=np.array([bow], dtype=object))
    with pytest.raises(OutlineError, match=r"period 2020: 1 of 1 .* Self-intersection"):
        build_panel({Period.year(2020): bad})
    with pytest.raises(PeriodError):
        build_panel({})


def test_stored_names_outlive_small_changes_and_earlier_periods() -> None:
    before = build_panel(years([], [(0, 0, 2, 2), (5, 5, 6, 6)], [(0, 0, 2, 3), (5, 5, 6, 6)]))
    after = build_panel(
        years([(0, 0, 1, 1)], [(0.1, 0, 2.1, 2), (5, 5, 6, 6.2)], [(0, 0, 2.2, 3), (5, 5, 6, 6)]),
        previous=before,
    )
    assert set(after.site_id) == set(before.site_id)
    for place in ((1, 1), (5.5, 5.5)):
        assert at(after, "2020", *place) == at(before, "2020", *place)
    fresh = build_panel(years([(0, 0, 1, 1)], [(0.1, 0, 2.1, 2)]))
    assert at(fresh, "2018", 0.5, 0.5) not in set(before.site_id)  # so the stored panel did it


def test_summary_counts_what_is_there_and_what_nobody_saw() -> None:
    plan = years([(0, 0, 1, 1), (3, 0, 5, 1)], [], [(0, 0, 1, 1)])
    panel = build_panel(plan, looked=blind_in("2019"))
    table = summary(panel, list(plan))
    assert table.sites.tolist() == [2, 0, 1]
    assert table.not_looked.tolist() == [0, 2, 0]
    assert table.area_ha.tolist() == pytest.approx([3, np.nan, 1], rel=2e-3, nan_ok=True)
    assert table.looked_share.tolist() == pytest.approx([1, 0, 1])
    told = summary(panel, list(plan), {"2018": 0.9, "2019": 0.1, "2020": 1.0})
    assert told.looked_share.tolist() == [0.9, 0.1, 1.0]
    assert told.area_ha[1] == 0.0  # a tenth was looked at, and nothing was found in it


@pytest.mark.parametrize("year", [2019, 2021])
def test_on_published_outlines_every_one_is_one_row(shared_data, year) -> None:  # type: ignore[no-untyped-def]
    folder = shared_data / "amw-tallies"
    plan = {}
    for when in (year, year + 1):
        table = gpd.read_file(folder / f"mining_{when}00_simplified.geojson", rows=400)
        parts = table.geometry.make_valid().explode()
        parts = parts[parts.geom_type == "Polygon"]
        plan[Period.year(when)] = Footprints(parts.to_numpy(), "EPSG:4326", "footprint")
    panel = build_panel(plan)
    assert panel.geometry.notna().sum() == sum(len(f) for f in plan.values())
    assert not panel.duplicated(["site_id", "period"]).any()


# --- of any outlines --------------------------------------------------------------------------


@st.composite
def courses(draw: st.DrawFn) -> dict[Period, Footprints]:
    """Two to five years of boxes that share no ground with a box of the same year."""
    plan = []
    for _ in range(draw(st.integers(2, 5))):
        cells = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), unique=True,
                              max_size=5))  # fmt: skip
        boxes = []
        for col, row in cells:
            w, s = 2 * col + draw(st.integers(0, 1)), 2 * row + draw(st.integers(0, 1))
            boxes.append((w, s, 2 * col + 2 + 0.0, 2 * row + 2 + 0.0))
        if draw(st.booleans()):  # one long outline over a whole row: merges and splits
            row = draw(st.integers(0, 2))
            boxes = [b for b in boxes if b[1] // 2 != row] + [(0, 2 * row, 8, 2 * row + 2)]
        plan.append(boxes)
    return years(*plan)


blind = st.sets(st.integers(2018, 2022)).map(lambda which: blind_in(*map(str, which)))
quick = settings(max_examples=40, deadline=None)


@quick
@given(courses(), blind, st.randoms())
def test_order_of_periods_and_rows_does_not_matter(plan, looked, rnd) -> None:  # type: ignore[no-untyped-def]
    expected = build_panel(plan, looked=looked)
    shuffled = list(plan)
    rnd.shuffle(shuffled)
    other = {}
    for period in shuffled:
        order = list(range(len(plan[period])))
        rnd.shuffle(order)
        other[period] = plan[period].where(np.array(order, dtype=int))
    pd.testing.assert_frame_equal(build_panel(other, looked=looked), expected)


@quick
@given(courses(), blind, st.booleans())
def test_appending_a_period_renames_nobody(plan, looked, stored) -> None:  # type: ignore[no-untyped-def]
    shorter = dict(list(plan.items())[:-1])
    before = build_panel(shorter, looked=looked)
    after = build_panel(plan, looked=looked, previous=before if stored else None)
    old = before[before.geometry.notna()].set_index(["period", "site_id"]).geometry
    new = after[after.geometry.notna()].set_index(["period", "site_id"]).geometry
    assert old.index.isin(new.index).all()
    assert (old == new.reindex(old.index)).all()


@quick
@given(courses(), blind)
def test_every_outline_is_there_once_and_hectares_add_up(plan, looked) -> None:  # type: ignore[no-untyped-def]
    panel = build_panel(plan, looked=looked)
    assert not panel.duplicated(["site_id", "period"]).any()
    assert len(panel) == panel.site_id.nunique() * len(plan)
    for period, given_outlines in plan.items():
        here = panel[(panel.period == period.label) & panel.geometry.notna()]
        expected = given_outlines.to_crs("EPSG:4326").geometry
        assert sorted(shapely.to_wkb(shapely.normalize(here.geometry.to_numpy()))) == sorted(
            shapely.to_wkb(shapely.normalize(expected))
        )
        total = panel[panel.period == period.label].area_ha.sum()
        assert total == pytest.approx(given_outlines.hectares.sum())


@quick
@given(courses(), blind)
def test_absence_is_never_ambiguous(plan, looked) -> None:  # type: ignore[no-untyped-def]
    panel = build_panel(plan, looked=looked)
    outlined = panel.geometry.notna()
    words = panel.event.where(panel.event.notna(), "")
    assert set(words) <= {*EVENTS, ""}
    assert (words.isin(["", *WITHOUT_OUTLINE]) == ~outlined).all()
    assert (panel.area_ha.isna() == (words == "not_looked")).all()
    assert (panel.area_ha[~outlined].fillna(0) == 0).all()
    assert (panel.looked_share[words == "not_looked"] < IdentityRules().min_looked_share).all()
    for _, site in panel.groupby("site_id"):
        story = [word for word in site.event if isinstance(word, str)]
        assert story.count("appears") == 1
        assert story.count("ends") <= 1
        if "ends" in story:
            assert set(story[story.index("ends") + 1 :]) <= {"absent", "not_looked"}
        assert story.count("returns") <= story.count("pauses") + story.count("merged")


@quick
@given(courses())
def test_a_panel_built_again_on_itself_is_the_same(plan) -> None:  # type: ignore[no-untyped-def]
    once = build_panel(plan)
    pd.testing.assert_frame_equal(build_panel(plan, previous=once), once)
