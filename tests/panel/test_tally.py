"""Hectares by territory: what a tally promises of any outlines and any borders."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period
from minetrace.errors import OutlineError, UnreconciledError
from minetrace.panel import tally as tallying
from minetrace.panel.build import build_panel
from minetrace.panel.increments import build_new
from minetrace.panel.ledger import Ledger
from minetrace.panel.searched import Searched, say_searched
from minetrace.panel.tally import latest_state, tally
from minetrace.panel.territories import Territories
from minetrace.publish.tally_words import lines

X, Y, HA = -6_700_000, -1_500_000, 100  # EPSG:6933, in units of a hectare
EQUAL_AREA = "EPSG:6933"
Box = tuple[float, float, float, float]
NEAR = 1e-4  # to degrees and back moves a vertex by a millimetre
MEASURES = ["present_ha", "new_ha", "lost_ha", "cumulative_ha", "ever_ha", "unseen_ha"]


def ground(*boxes: Box) -> list[shapely.Polygon]:
    return [shapely.box(X + HA * w, Y + HA * s, X + HA * e, Y + HA * n) for w, s, e, n in boxes]


def outlines(*boxes: Box) -> Footprints:
    return Footprints(np.array(ground(*boxes), dtype=object), EQUAL_AREA, "mined")


def years(*parts: list[Box]) -> dict[Period, Footprints]:
    return {Period.year(2018 + i): outlines(*boxes) for i, boxes in enumerate(parts)}


def layer(**boxes: Box) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"id": list(boxes)}, geometry=ground(*boxes.values()), crs=EQUAL_AREA)


def territories(**boxes: Box) -> Territories:
    return Territories.of(layer(**boxes), id="id")


def counted(plan: dict[Period, Footprints], by: Territories, looked=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    return tally(Ledger.of(build_panel(plan, looked=looked)), by)


def cell(table: pd.DataFrame, who: str, period: str) -> pd.Series:
    hit = (table["territory"] == who) | ((table["part"] == who) & table["territory"].isna())
    return table[hit & (table["period"] == period)].iloc[0]


def test_a_site_across_a_border_is_counted_on_both_sides() -> None:
    table = counted(years([(0, 0, 4, 1)]), territories(west=(-9, -9, 1, 9), east=(1, -9, 9, 9)))
    assert cell(table, "west", "2018").present_ha == pytest.approx(1, rel=NEAR)
    assert cell(table, "east", "2018").present_ha == pytest.approx(3, rel=NEAR)
    assert cell(table, "west", "2018").sites == cell(table, "east", "2018").sites == 1
    assert cell(table, "together", "2018").sites == 1
    assert cell(table, "outside", "2018").present_ha == 0


def test_ground_that_comes_goes_and_returns() -> None:
    plan = years([(0, 0, 2, 1)], [(0, 0, 1, 1)], [], [(0, 0, 3, 1)])
    table = counted(plan, territories(all=(-9, -9, 9, 9)))
    rows = table[table["territory"] == "all"]
    assert rows.present_ha.tolist() == pytest.approx([2, 1, 0, 3], rel=NEAR)
    assert rows.new_ha.tolist() == pytest.approx([np.nan, 0, 0, 1], rel=NEAR, abs=1e-9, nan_ok=True)
    assert rows.lost_ha.tolist() == pytest.approx([0, 1, 1, 0], rel=NEAR, abs=1e-9)
    assert rows.cumulative_ha.tolist() == pytest.approx([2, 2, 2, 3], rel=NEAR)
    assert rows.ever_ha.tolist() == pytest.approx([3, 3, 3, 3], rel=NEAR)
    assert rows.latest.tolist() == [False, False, False, True]


def test_what_nobody_looked_at_is_neither_present_nor_lost() -> None:
    def looked(period: Period, shapes: np.ndarray) -> np.ndarray:
        return np.full(len(shapes), 0.0 if period.label == "2019" else 1.0)

    table = counted(
        years([(0, 0, 2, 1)], [], []), territories(a=(-9, -9, 1, 9), b=(1, -9, 9, 9)), looked
    )
    blind = cell(table, "a", "2019")
    assert (blind.present_ha, blind.lost_ha, blind.looked_share) == (0, 0, 0)
    assert blind.unseen_ha == pytest.approx(1, rel=NEAR)
    after = cell(table, "a", "2020")
    assert after.lost_ha == pytest.approx(1, rel=NEAR)
    assert (after.unseen_ha, after.looked_share) == (0, 1)


def test_ground_that_nobody_looked_at_inside_a_site_is_not_lost() -> None:
    def half(period: Period, shapes: np.ndarray) -> np.ndarray:
        return np.full(len(shapes), 0.55 if period.label == "2019" else 1.0)

    plan = years([(0, 0, 1, 1)], [(0, 0, 0.55, 1)], [(0, 0, 0.5, 1)])
    table = counted(plan, territories(all=(-9, -9, 9, 9)), half)
    hidden, after = cell(table, "all", "2019"), cell(table, "all", "2020")
    assert (hidden.lost_ha, hidden.unseen_ha) == pytest.approx((0, 0.45), rel=NEAR, abs=1e-6)
    assert after.lost_ha == pytest.approx(0.05, rel=1e-3)


def said(reach: Box | None, **by: Box) -> pd.DataFrame:
    """A mine in ``mine`` and none elsewhere; in 2019 the search was blind."""
    looked = {"2018": 1.0, "2019": 0.0}
    searched = None if reach is None else Searched(ground(reach)[0], looked)
    units = territories(**by)
    return say_searched(counted(years([(0, 0, 1, 1)], []), units), units, searched)


def test_no_mine_is_said_only_of_ground_that_was_looked_at() -> None:
    by = {"mine": (0.0, 0.0, 2.0, 2.0), "near": (2.0, 0.0, 4.0, 2.0), "far": (5.0, 0.0, 9.0, 2.0)}
    table = said((0, 0, 3, 2), **by)
    states = table[table["part"] == "territory"].set_index(["territory", "period"])["state"]
    assert states.loc[:, "2018"].to_dict() == {
        "mine": "sites", "near": "none found", "far": "not looked"
    }  # fmt: skip
    assert states["near", "2019"] == "not looked"
    assert cell(table, "near", "2018").present_ha == 0 == cell(table, "near", "2018").sites
    empty = ["sites", *MEASURES, "overlap_ha"]
    assert cell(table, "far", "2018")[empty].isna().all()
    assert cell(table, "together", "2018").present_ha == pytest.approx(1, rel=NEAR)

    table = said(None, **by)
    assert cell(table, "near", "2018").state == "no site given"
    assert cell(table, "far", "2018")[empty].isna().all()
    shown = "\n".join(lines(table))
    assert "2 rows with no site given: nobody told" in shown
    assert "period 2019, the last of 2" in shown
    assert "nan" not in shown


def test_a_blind_period_of_a_mine_is_not_zero() -> None:
    def blind(period: Period, shapes: np.ndarray) -> np.ndarray:
        return np.full(len(shapes), float(period.label != "2019"))

    units = territories(mine=(0, 0, 2, 2))
    table = say_searched(counted(years([(0, 0, 1, 1)], []), units, blind), units, None)
    unseen = cell(table, "mine", "2019")
    assert unseen.state == "not looked"
    assert unseen[["sites", "present_ha", "new_ha", "lost_ha"]].isna().all()
    assert unseen[["unseen_ha", "cumulative_ha"]].tolist() == pytest.approx([1, 1], rel=NEAR)
    assert np.isnan(cell(table, "total", "2019").present_ha)
    assert "1 row with not looked" in "\n".join(lines(table))


def test_overlapping_territories_are_marked_and_counted_once_together() -> None:
    by = territories(country=(0, 0, 9, 9), park=(0, 0, 2, 9), reserve=(1, 0, 3, 9))
    table = counted(years([(-1, 0, 4, 1)]), by)
    found = {who: cell(table, who, "2018") for who in ("country", "park", "reserve")}
    assert [found[w].present_ha for w in found] == pytest.approx([4, 2, 2], rel=NEAR)
    assert [found[w].overlap_ha for w in found] == pytest.approx([3, 2, 2], rel=NEAR)
    assert cell(table, "together", "2018").present_ha == pytest.approx(4, rel=NEAR)
    assert cell(table, "outside", "2018").present_ha == pytest.approx(1, rel=NEAR)
    assert cell(table, "total", "2018").present_ha == pytest.approx(5, rel=NEAR)


def test_two_class_schemes_in_different_periods_are_not_counted_twice() -> None:
    """The sum over a unit's latest state is its hectares, whatever the classes were called."""
    units = territories(unit=(0, 0, 6, 1), other=(6, 0, 9, 1))
    boxes = [(0, 0, 6, 1), (0, 0, 2, 1), (2, 0, 5, 1)]
    schemes = gpd.GeoDataFrame(
        {"status": ["unassessed", "legal", "illegal"], "year": [2018, 2020, 2020]},
        geometry=ground(*boxes), crs=EQUAL_AREA,
    )  # fmt: skip
    days = np.array([f"{year}-01-01" for year in schemes["year"]], dtype="datetime64[D]")
    classed = units.classed_by(schemes, kind="status", days=days)
    mines = [(1, 0, 7, 1)]
    table = counted(years(mines, mines, mines), classed)
    state = latest_state(table)
    mine = state[state["territory"] == "unit"].set_index("class")["present_ha"]
    assert "unassessed" not in mine.index
    assert mine["legal"] == pytest.approx(1, rel=NEAR)
    assert mine["illegal"] == pytest.approx(3, rel=NEAR)
    assert mine.sum() == pytest.approx(5, rel=NEAR)  # not 10, as the sum over both schemes
    early = table[(table["territory"] == "unit") & (table["period"] == "2019")]
    assert early["class"].tolist() == ["unassessed"]
    for period in ("2018", "2019", "2020"):
        here = table[(table["period"] == period) & (table["part"] == "territory")]
        assert here.present_ha.sum() == pytest.approx(6, rel=NEAR)
        assert here.cumulative_ha.sum() == pytest.approx(6, rel=NEAR)


def test_newly_mined_ground_adds_up_and_keeps_its_hectares() -> None:
    told = replace(outlines((0, 0, 2, 1)), columns={"area_ha": np.array([0.5])})
    later = replace(outlines((2, 0, 4, 1)), columns={"area_ha": np.array([0.25])})
    panel, parts = build_new({Period.year(2018): told, Period.year(2019): later})
    assert panel.site_id.nunique() == 1
    assert panel.event.tolist() == ["appears", "grows"]
    by = territories(west=(0, 0, 1, 1), east=(1, 0, 9, 1))
    table = tally(Ledger.of(panel, parts), by)
    west = table[table["territory"] == "west"]
    assert west.new_ha.tolist() == pytest.approx([0.25, 0], rel=NEAR)
    assert cell(table, "total", "2019").cumulative_ha == pytest.approx(0.75, rel=NEAR)
    assert west.present_ha.isna().all()


def test_outlines_over_each_other_are_refused_by_name() -> None:
    panel = build_panel(years([(0, 0, 2, 1), (3, 0, 4, 1)]))
    panel.loc[1, "geometry"] = panel.geometry[0]
    with pytest.raises(OutlineError, match="2018 lie over each other"):
        Ledger.of(panel)


def test_sums_that_do_not_add_up_are_never_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = tallying.cut

    def forgetful(*given: np.ndarray) -> object:
        pieces = honest(*given)
        return replace(pieces, outside_m2=pieces.outside_m2 * 0)

    monkeypatch.setattr(tallying, "cut", forgetful)
    with pytest.raises(UnreconciledError, match="do not add up"):
        counted(years([(0, 0, 2, 1)]), territories(a=(0, 0, 1, 1)))


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        (layer(a=(0, 0, 1, 1)), "ISO3", "no column 'ISO3'; there are id"),
        (layer(a=(0, 0, 1, 1)).iloc[:0], "id", "holds no polygon to count by"),
        (layer(a=(0, 0, 1, 1)).assign(id=[None]), "id", "1 rows have no id"),
        (layer(a=(0, 0, 1, 1)).set_geometry([shapely.Point(0, 0)], crs=4326), "id", "no polygon"),
    ],
)
def test_a_layer_that_cannot_be_used_is_named(table, key: str, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OutlineError, match=words):
        Territories.of(table, id=key)


# --- of any outlines and borders -----------------------------------------------------------------

spots = st.integers(0, 7)
boxes = st.lists(
    st.tuples(spots, st.integers(0, 3), st.integers(1, 3), st.floats(0.2, 1.0)), max_size=5
).map(lambda found: [(x, y, x + w, y + h) for x, y, w, h in found])
plans = st.lists(boxes, min_size=2, max_size=4).filter(any).map(lambda parts: years(*parts))
cuts = st.lists(st.floats(0.5, 9.5), min_size=1, max_size=3, unique=True).map(sorted)
blind = st.sets(st.integers(2018, 2021)).map(
    lambda which: lambda period, shapes: np.full(len(shapes), float(period.start.year not in which))
)
quick = settings(max_examples=15, deadline=None)


@quick
@given(plans, cuts, blind)
def test_a_partition_of_a_territory_counts_as_the_whole(plan, borders, looked) -> None:  # type: ignore[no-untyped-def]
    edges = [0.1, *borders, 9.9]
    parts = {f"p{i}": (w, 0, e, 3) for i, (w, e) in enumerate(pairwise(edges))}
    ledger = Ledger.of(build_panel(plan, looked=looked))
    whole = tally(ledger, territories(whole=(0.1, 0, 9.9, 3)))
    split = tally(ledger, territories(**parts))
    sums = split[split["part"] == "territory"].groupby("period")[MEASURES].sum(min_count=1)
    one = whole[whole["part"] == "territory"].set_index("period")[MEASURES]
    np.testing.assert_allclose(sums.loc[one.index], one, rtol=1e-9, atol=1e-8)
    for part in ("outside", "total", "together"):
        left, right = (t[t["part"] == part][MEASURES].to_numpy() for t in (whole, split))
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-8)


@quick
@given(plans, cuts)
def test_the_tally_is_that_of_the_ground_itself(plan, borders) -> None:  # type: ignore[no-untyped-def]
    """Against unions and differences of all ground at once."""
    frame = (0.0, 0.0, borders[0], 3.0)
    panel = build_panel(plan)
    table = tally(Ledger.of(panel), territories(a=frame))
    (border,) = ground(frame)
    before = ever = shapely.Polygon()
    first = next(iter(plan))
    for period in plan:
        here = panel[(panel.period == period.label) & panel.geometry.notna()]
        now = shapely.union_all(here.geometry.to_crs(EQUAL_AREA).to_numpy())
        row = cell(table, "a", period.label)

        def ha(shape: shapely.Geometry) -> float:
            return float(shapely.area(shapely.intersection(shape, border)) / 1e4)

        new = np.nan if period == first else ha(now - ever)
        expected = [ha(now), new, ha(before - now), ha(ever | now)]
        found = row[["present_ha", "new_ha", "lost_ha", "cumulative_ha"]].tolist()
        np.testing.assert_allclose(found, expected, rtol=NEAR, atol=1e-4)
        before, ever = now, ever | now


@quick
@given(plans, st.randoms())
def test_the_order_of_periods_and_territories_does_not_matter(plan, rnd) -> None:  # type: ignore[no-untyped-def]
    by = layer(a=(0, 0, 3, 2), b=(3, 0, 9, 2), c=(2, 1, 5, 3))
    expected = tally(Ledger.of(build_panel(plan)), Territories.of(by, id="id"))
    shuffled = list(plan)
    rnd.shuffle(shuffled)
    again = Territories.of(by.iloc[::-1], id="id")
    found = tally(Ledger.of(build_panel({period: plan[period] for period in shuffled})), again)
    keys = ["part", "territory", "period"]
    pd.testing.assert_frame_equal(
        found.sort_values(keys, ignore_index=True), expected.sort_values(keys, ignore_index=True)
    )
