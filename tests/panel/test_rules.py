"""Rules on outlines, each alone."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from minetrace.core.footprints import Footprints, geodesic_hectares
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.errors import OutlineError, PeriodError, StudyError
from minetrace.panel.rules.dissolve import dissolve
from minetrace.panel.rules.globe import groups, within
from minetrace.panel.rules.isolation import dual_threshold, stands_alone
from minetrace.panel.rules.neighbour import confirmed_by_neighbours
from minetrace.panel.rules.releases import by_year, cumulative, differences, ground_through
from minetrace.panel.rules.zones import Zone, zone_thresholds

GEOD = Geod(ellps="WGS84")
LONLAT = "EPSG:4326"


def square(lon: float, lat: float, side_m: float = 480.0) -> shapely.Polygon:
    """A square around a place, its sides measured along the ground; may pass 180 degrees."""
    up = GEOD.fwd(lon, lat, 0, side_m / 2)[1] - lat
    right = (GEOD.fwd(lon, lat, 90, side_m / 2)[0] - lon) % 360
    return shapely.box(lon - right, lat - up, lon + right, lat + up)


def outlines(*shapes: shapely.Geometry, crs: str = LONLAT, **columns: list[float]) -> Footprints:
    geometry = np.array(shapes, dtype=object)
    return Footprints(
        geometry, crs, "footprint", {name: np.array(c) for name, c in columns.items()}
    )


def moved(lon: float, lat: float, east_m: float, north_m: float = 0.0) -> tuple[float, float]:
    lon, lat, _ = GEOD.fwd(lon, lat, 90, east_m)
    lon, lat, _ = GEOD.fwd(lon, lat, 0, north_m)
    return lon, lat


def year(number: int) -> Period:
    return Period.year(number)


# --- distances


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-180, 180), st.floats(-70, 70), st.floats(0, 360), st.floats(700, 40_000),
    st.sampled_from([LONLAT, "EPSG:3857", "EPSG:6933"]),
)  # fmt: skip
def test_distances_are_those_along_the_ground(
    lon: float, lat: float, azimuth: float, apart_m: float, crs: str
) -> None:
    assume(crs == LONLAT or abs(lon) < 179)  # other projections tear what lies over the date line
    small = 0.5
    there = GEOD.fwd(lon, lat, azimuth, apart_m)
    near = np.array([square(lon, lat, small)], dtype=object)
    far = np.array([square(there[0], there[1], small)], dtype=object)
    if crs != LONLAT:  # out and back
        near, far = (project(project(g, LONLAT, crs), crs, LONLAT) for g in (near, far))
    found = within(near, far, 50_000.0)
    assert found.distance_m == pytest.approx([apart_m], abs=1 + apart_m * 1e-5)
    assert len(within(near, far, apart_m - 2).left) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
def test_groups_are_the_connected_ones(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array([p[k] for p in pairs], dtype=np.intp) for k in (0, 1))
    found = groups(31, a, b)
    sets = [{k} for k in range(31)]
    for x, y in pairs:
        one, other = (next(s for s in sets if v in s) for v in (x, y))
        if one is not other:
            one |= other
            sets.remove(other)
    assert len(set(found.tolist())) == len(sets)
    assert all(len({int(found[v]) for v in s}) == 1 for s in sets)


# --- confirmed by a neighbour


def test_a_mine_is_kept_and_a_cloud_edge_is_not() -> None:
    mine, cloud = square(-70.0, -12.8), square(-70.1, -12.8)
    found = {year(2019): outlines(mine), year(2020): outlines(mine, cloud), year(2021): outlines()}
    kept = confirmed_by_neighbours(found)
    assert [len(kept[year(y)]) for y in (2019, 2020, 2021)] == [1, 1, 0]
    assert kept[year(2020)].geometry[0] is mine
    back = confirmed_by_neighbours(dict(reversed(found.items())))
    assert list(back) == list(kept)
    assert all((back[p].geometry == kept[p].geometry).all() for p in kept)


def test_neighbours_confirm_before_anything_is_dropped() -> None:
    a, ab, b = square(-70, -12.80), square(-70, -12.802), square(-70, -12.804)
    found = {year(2019): outlines(a), year(2020): outlines(ab), year(2021): outlines(b)}
    assert all(len(kept) == 1 for kept in confirmed_by_neighbours(found).values())


def test_the_ends_are_treated_as_asked() -> None:
    here, gone = square(-70, -12.8), square(-71, -12.8)
    found = {year(2019): outlines(gone), year(2020): outlines(here), year(2021): outlines(here)}

    def left(ends: str) -> list[int]:
        kept = confirmed_by_neighbours(found, ends=ends)  # type: ignore[arg-type]
        return [len(part) for part in kept.values()]

    assert left("judge") == [0, 1, 1]
    assert left("keep") == [1, 1, 1]
    assert left("drop") == [0, 1, 0]
    with pytest.raises(StudyError, match="judge, keep or drop"):
        left("maybe")
    with pytest.raises(StudyError, match="reach_m is -1"):
        confirmed_by_neighbours(found, reach_m=-1)


def test_a_blind_period_neither_confirms_nor_refutes() -> None:
    mine = square(-70, -12.8)
    found = {year(2019): outlines(mine), year(2020): outlines(), year(2021): outlines(mine)}
    assert sum(map(len, confirmed_by_neighbours(found).values())) == 0

    def looked(period: Period, shapes: np.ndarray) -> np.ndarray:
        return np.full(len(shapes), float(period != year(2020)))

    assert sum(map(len, confirmed_by_neighbours(found, looked=looked).values())) == 2


def test_ground_unseen_in_a_year_that_saw_other_ground_neither_confirms_nor_refutes() -> None:
    hidden, seen, half = square(-70.1, -12.8), square(-70, -12.8), square(-70.05, -12.8)
    around = {year(2019): outlines(hidden, seen), year(2021): outlines(hidden, seen)}
    found = {**around, year(2020): outlines(half)}

    def looked(period: Period, shapes: np.ndarray) -> np.ndarray:
        """In 2020 the east alone."""
        east = shapely.area(shapely.intersection(shapes, shapely.box(-70.05, -20, 0, 20)))
        return east / shapely.area(shapes) if period == year(2020) else np.ones(len(shapes))

    kept = confirmed_by_neighbours(found, looked=looked)
    assert [list(kept[p].geometry) for p in kept] == [[hidden], [], [hidden]]
    told = {**around, year(2020): outlines(hidden)}  # by other years: that confirms nothing
    kept = confirmed_by_neighbours({**told, year(2021): outlines()}, looked=looked)
    assert [len(kept[p]) for p in kept] == [0, 1, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 3000), st.floats(0, 3000))
def test_more_reach_never_loses_a_mine_and_order_does_not_matter(
    seed: int, one_m: float, other_m: float
) -> None:
    rng = np.random.default_rng(seed)
    found = {
        year(2019 + k): outlines(*(
            square(179.99 + dx, 65 + dy, 200) for dx, dy in rng.uniform(-0.06, 0.06, (6, 2))
        ))
        for k in range(3)
    }  # fmt: skip
    less, more = (confirmed_by_neighbours(found, reach_m=r) for r in sorted((one_m, other_m)))
    mixed = confirmed_by_neighbours(
        {p: found[p] for p in rng.permutation(np.array(list(found), dtype=object))},
        reach_m=min(one_m, other_m),
    )
    for period in found:
        assert set(map(id, less[period].geometry)) <= set(map(id, more[period].geometry))
        assert list(map(id, less[period].geometry)) == list(map(id, mixed[period].geometry))


@pytest.mark.parametrize(("lon", "lat"), [(-72.0, -12.8), (180.0, 0.5), (180.0, 68.0), (0.0, 30.0)])
def test_reach_is_metres_on_the_ground_across_zones_and_the_date_line(
    lon: float, lat: float
) -> None:
    """200 m between the squares, each in the UTM zone of its own side."""
    west, east = moved(lon, lat, -150), moved(lon, lat, 150)
    zones = [int(((x + 180) % 360) // 6) + 1 for x in (west[0], east[0])]
    assert zones[0] != zones[1]
    crs = [f"EPSG:{(32600 if lat > 0 else 32700) + zone}" for zone in zones]
    sides = [square(*place, 100) for place in (west, east)]
    found = {
        year(2019 + k): outlines(project(side, LONLAT, zone), crs=zone)
        for k, (side, zone) in enumerate(zip(sides, crs, strict=True))
    }
    assert sum(map(len, confirmed_by_neighbours(found, reach_m=198).values())) == 0
    assert sum(map(len, confirmed_by_neighbours(found, reach_m=202).values())) == 2


# --- dual threshold


def test_one_alone_needs_more_than_one_in_a_crowd() -> None:
    crowd = [square(*moved(-70, -12, 600.0 * k)) for k in range(6)]
    found = outlines(*crowd, square(-75, -12), square(-76, -12),
                     score_mean=[0.5] * 6 + [0.6, 0.9])  # fmt: skip
    kept = dual_threshold(found)
    assert kept.columns["score_mean"].tolist() == [0.5] * 6 + [0.9]
    assert len(dual_threshold(found, k=6)) == 1  # a crowd of six has five others
    assert len(dual_threshold(found, distance_km=2.0)) == 1 + 2  # the two in the middle see five
    assert len(dual_threshold(found, t_main=0.95, t_isolated=0.95)) == 0
    assert len(dual_threshold(found.where(np.arange(0)))) == 0


def test_one_place_scored_six_times_is_no_crowd() -> None:
    here = square(-70, -12)
    assert len(dual_threshold(outlines(*[here] * 6, score_mean=[0.5] * 6))) == 0


@pytest.mark.parametrize("lat", [0.0, 45.0, 70.0])
@pytest.mark.parametrize("lon", [180.0, -72.0])
def test_a_crowd_may_lie_across_the_date_line_or_a_zone(lon: float, lat: float) -> None:
    places = [moved(lon, lat, 2999.0 * side * (k > 0)) for k, side in enumerate((1, 1, -1))]
    found = outlines(*(square(*place, 50) for place in places), score_mean=[0.5] * 3)
    alone = [stands_alone(found, distance_km=3.0, k=2), stands_alone(found, distance_km=2.99, k=1)]
    assert alone[0].tolist() == [False, True, True]
    assert alone[1].tolist() == [True, True, True]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([0.2, 1.0, 3.0]))
def test_standing_alone_agrees_with_every_geodesic_measured(
    seed: int, k: int, distance_km: float
) -> None:
    rng = np.random.default_rng(seed)
    lon, lat = (rng.uniform(-180.02, -179.98, 25), rng.uniform(60, 60.03, 25))
    found = outlines(*(square(x, y, 10) for x, y in zip(lon, lat, strict=True)))
    a, b = (v.ravel() for v in np.meshgrid(range(25), range(25), indexing="ij"))
    apart = np.asarray(GEOD.inv(lon[a], lat[a], lon[b], lat[b])[2]).reshape(25, 25)
    wanted = (np.sort(apart, axis=1)[:, k]) > distance_km * 1000
    assert (stands_alone(found, distance_km=distance_km, k=k) == wanted).all()


def test_thresholds_and_columns_that_cannot_be_meant_are_refused() -> None:
    found = outlines(square(-70, -12), pred=[0.5])
    with pytest.raises(OutlineError, match="no column 'score_mean'; they have pred"):
        dual_threshold(found)
    with pytest.raises(StudyError, match="t_main <= t_isolated"):
        dual_threshold(found, t_main=0.8, t_isolated=0.5, score="pred")
    with pytest.raises(StudyError, match="distance_km is 0"):
        dual_threshold(found, distance_km=0, score="pred")
    with pytest.raises(OutlineError, match="not a polygon"):
        dual_threshold(outlines(shapely.Point(0, 0), pred=[1.0]), score="pred")
    astray = outlines(shapely.box(500_000, 8_600_000, 500_100, 8_600_100), pred=[1.0])
    with pytest.raises(OutlineError, match="really in EPSG:4326"):
        dual_threshold(astray, score="pred")


# --- zones


def test_a_zone_has_its_own_threshold() -> None:
    inside, outside = square(-70, -12), square(-71, -12)
    found = outlines(inside, outside, score_mean=[0.4, 0.4])
    basin = outlines(project(square(-70, -12, 20_000), LONLAT, "EPSG:32719"), crs="EPSG:32719")
    zone, strict = Zone(basin, 0.3, "basin"), Zone(basin, 0.9, "strict")
    assert zone_thresholds(found, [zone], elsewhere=0.5).geometry.tolist() == [inside]
    assert zone_thresholds(found, [strict], elsewhere=0.1).geometry.tolist() == [outside]
    assert len(zone_thresholds(found, [strict, zone], elsewhere=0.5)) == 1
    with pytest.raises(StudyError, match="basin"):
        Zone(basin, 1.2, "basin")


# --- dissolving


def test_patches_become_footprints_without_seams() -> None:
    start = (-70.0, -12.0)
    row = [square(*moved(*start, 480.3 * k)) for k in range(4)]  # 0.3 m between them
    far = square(-70.5, -12)
    found = dissolve(outlines(*row, row[0], far, score_mean=[0.6, 0.6, 0.8, 0.8, 0.8, 0.9]))
    assert found.extent == "footprint"
    assert found.columns["patches"].tolist() == [4, 1]
    assert found.columns["score_mean"] == pytest.approx([(0.7 + 0.6 + 0.8 + 0.8) / 4, 0.9])
    assert found.columns["score_max"] == pytest.approx([0.8, 0.9])
    assert shapely.get_num_interior_rings(found.geometry).sum() == 0
    assert (shapely.get_type_id(found.geometry) == 3).all()
    apart = dissolve(outlines(*row, score_mean=[1.0] * 4), gap_m=0.0)
    assert len(apart) == 4
    assert found.columns["footprint_ha"][0] == pytest.approx(4 * 23.04, rel=2e-3)


def test_patches_over_the_date_line_become_one_outline() -> None:
    both = [square(-179.999, 10), square(179.999, 10)]
    found = dissolve(outlines(*both, score_mean=[0.5, 0.7]))
    assert len(found) == 1
    west, _, east, _ = found.geometry[0].bounds
    assert east - west < 0.01
    ground = 23.04 * (1 + GEOD.inv(-179.999, 10, 179.999, 10)[2] / 480)
    assert found.columns["footprint_ha"][0] == pytest.approx(ground, rel=1e-3)


@pytest.mark.parametrize("crs", [LONLAT, "EPSG:3857", "EPSG:32718", "EPSG:32719", "EPSG:32721"])
def test_hectares_do_not_depend_on_the_projection_they_came_in(crs: str) -> None:
    shapes = [project(square(-69.0, -12.0 + k), LONLAT, crs) for k in range(3)]
    found = dissolve(outlines(*shapes, crs=crs, score_mean=[1.0] * 3))
    assert found.columns["footprint_ha"] == pytest.approx([23.04] * 3, rel=1e-4)
    planar = shapely.area(np.array(shapes, dtype=object)) / 1e4
    wrong = crs in ("EPSG:3857", LONLAT, "EPSG:32721")
    assert bool((np.abs(planar / 23.04 - 1) > 0.01).any()) == wrong


# --- releases


def test_layers_pile_up_and_differences_say_what_is_new() -> None:
    a, b = square(-70, -12, 400), square(-70.1, -12, 400)  # 16 ha each
    grown = shapely.union(a, square(*moved(-70, -12, 220), 400))
    found = {
        year(2021): outlines(b), year(2019): outlines(a), year(2020): outlines(grown),
    }  # fmt: skip
    layers = cumulative(found)
    hectares = [float(layers[year(y)].columns["footprint_ha"].sum()) for y in (2019, 2020, 2021)]
    assert hectares == pytest.approx([16, 16 + 8.8, 16 + 8.8 + 16], rel=0.01)
    news = differences(found)
    assert [len(part) for part in news.values()] == [1, 0, 1]  # 8.8 ha are below 11
    all_news = differences(found, min_ha=0)
    total = sum(float(part.columns["footprint_ha"].sum()) for part in all_news.values())
    assert total == pytest.approx(hectares[-1], rel=1e-6)  # edges that are cut are geodesics anew


def test_layers_keep_the_scores_of_what_they_are_made_of() -> None:
    big, small, far = square(-70, -12, 400), square(*moved(-70, -12, 250), 200), square(-69, -12)
    found = {
        year(2019): outlines(big, score_mean=[0.9], score_max=[0.95]),
        year(2020): outlines(small, far, score_mean=[0.5, np.nan], score_max=[0.6, np.nan]),
    }
    last = cumulative(found)[year(2020)]
    joined = last.columns["footprint_ha"] < 22
    mean, highest = (last.columns[name] for name in ("score_mean", "score_max"))
    assert mean[joined] == pytest.approx([(16 * 0.9 + 4 * 0.5) / 20], rel=1e-3)
    assert highest[joined] == [0.95]
    assert np.isnan([mean[~joined], highest[~joined]]).all()
    plain = cumulative({**found, year(2021): outlines(far)})[year(2021)]
    assert "score_mean" not in plain.columns


def test_quarters_count_from_the_last_full_year_or_from_each_other() -> None:
    places = [square(-70 + 0.1 * k, -12) for k in range(3)]
    quarters = [Period.quarter(2025, 2), Period.quarter(2025, 3)]
    found = {
        year(2024): outlines(places[0]), quarters[0]: outlines(*places[:2]),
        quarters[1]: outlines(*places),
    }  # fmt: skip
    news, since_year = differences(found), differences(found, base="full-year")
    assert [len(news[q]) for q in quarters] == [1, 1]
    assert [len(since_year[q]) for q in quarters] == [1, 2]
    assert len(ground_through(found, 2024)) == 1
    assert len(ground_through(found, 2025)) == 3
    grouped = by_year(found)
    assert [period.label for period in grouped] == ["2024", "2025"]
    assert len(grouped[year(2025)]) == 3
    with pytest.raises(PeriodError, match="later year"):
        ground_through(found, 2020)
    with pytest.raises(StudyError, match="full-year"):
        differences(found, base="month")  # type: ignore[arg-type]


def test_layers_meet_over_the_date_line_and_at_greenwich() -> None:
    for lon in (180.0, 0.0, -90.0):
        sides = [square(*moved(lon, 5, s)) for s in (-230, 230)]
        found = {year(2019 + k): outlines(side) for k, side in enumerate(sides)}
        whole = cumulative(found)[year(2020)]
        assert len(whole) == 1, lon
        assert whole.columns["footprint_ha"][0] == pytest.approx(23.04 * (1 + 460 / 480), rel=1e-3)
        assert geodesic_hectares(whole.geometry, LONLAT)[0] < 60


def test_mined_ground_and_footprints_are_not_laid_over_each_other() -> None:
    shape = np.array([square(-70, -12)], dtype=object)
    mixed = {
        year(2019): Footprints(shape, LONLAT, "mined"),
        year(2020): Footprints(shape, LONLAT, "footprint"),
    }
    with pytest.raises(OutlineError, match="hectares mean different things"):
        cumulative(mixed)


def test_a_seam_is_closed_where_squares_all_but_line_up() -> None:
    """Four squares of published detections, of which a buffer inwards once left nothing."""
    rings = [
        [(-57.486396580484175, -4.746845165805042), (-57.48639987623184, -4.751549274456461),
         (-57.481710928024086, -4.751552566573616), (-57.48170766404478, -4.746848454648576)],
        [(-57.48639987623184, -4.751549274456461), (-57.48640317528121, -4.756253382465268),
         (-57.481714195273256, -4.756256677856085), (-57.481710928024086, -4.751552566573616)],
        [(-57.48405212267518, -4.746846814208729), (-57.48405540253869, -4.751550924500922),
         (-57.479366452692, -4.751554200674528), (-57.479363204596915, -4.746850087124571)],
        [(-57.48405540253869, -4.751550924500922), (-57.48405868568796, -4.756255034150524),
         (-57.47936970404104, -4.756258313581941), (-57.479366452692, -4.751554200674528)],
    ]  # fmt: skip
    shapes = np.array([shapely.Polygon(ring) for ring in rings], dtype=object)
    squares = Footprints(shapes, "EPSG:4326", "footprint", {"score_mean": np.full(4, 0.6)})
    (outline,) = dissolve(squares).geometry
    assert outline.area == pytest.approx(shapely.union_all(shapes).area, rel=1e-4)
