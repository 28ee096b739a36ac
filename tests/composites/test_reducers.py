"""What the ways of compositing make of looks, and that it does not depend on the cut."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.composites.best_pixel import BestPixel, Preferences, far_from
from minetrace.composites.methods import METHODS, begin
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster

GRID = Grid("EPSG:32719", 10.0)
BANDS = ("blue", "red", "vv")
REDUCERS = ("medoid", "percentile", "geometric-median", "mean")
start = partial(begin, percent=30.0, preferences=Preferences(40.0, 25.0))


def looks(seed: int, count: int, rect: Rect, share: float = 0.6) -> list[Raster]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        valid = rng.random(rect.shape) < share
        pixels = rng.integers(-3000, 3000, (len(BANDS), *rect.shape)).astype(np.int16)
        pixels[:, ~valid] = NODATA
        made.append(Raster(BANDS, pixels, valid, GRID.geobox(rect)))
    return made


def cut(raster: Raster, rect: Rect, part: Rect) -> Raster:
    rows, cols = part.within(rect)
    return Raster(BANDS, raster.pixels[:, rows, cols], raster.valid[rows, cols],
                  GRID.geobox(part))  # fmt: skip


def clear(made: list[Raster], band: int, row: int, col: int) -> np.ndarray:
    return np.array([one.pixels[band, row, col] for one in made if one.valid[row, col]], float)


@given(
    method=st.sampled_from(METHODS), seed=st.integers(0, 99), count=st.integers(1, 9),
    top=st.integers(0, 20), high=st.integers(1, 20), left=st.integers(0, 20),
)  # fmt: skip
@settings(max_examples=60)
def test_a_pixel_does_not_depend_on_how_the_looks_are_cut(
    method: str, seed: int, count: int, top: int, high: int, left: int
) -> None:
    asked = Rect(0, 0, 40, 40)
    margin = start(method).margin_px
    held = asked.expand(margin)
    made = looks(seed, count, held, 0.9)
    part = asked if method == "clearest" else Rect(top, left, high, 40 - left)
    results = []
    for rect in (asked, part):
        composer = start(method, 2)
        for number, one in enumerate(made):
            composer.feed(9 * number, cut(one, held, rect.expand(margin)))
        results.append(composer.result(BANDS, GRID.geobox(rect)))
    rows, cols = part.within(asked)
    whole, piece = results
    assert np.array_equal(whole.pixels[:, rows, cols], piece.pixels)
    assert np.array_equal(whole.median_day[rows, cols], piece.median_day)
    assert np.array_equal(whole.clear_looks[rows, cols], piece.clear_looks)
    assert np.array_equal(whole.valid[rows, cols], piece.valid)
    assert (piece.pixels[:, ~piece.valid] == NODATA).all()


@given(method=st.sampled_from(METHODS), order=st.permutations(range(5)), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_the_order_of_feeding_does_not_matter(method: str, order: list[int], seed: int) -> None:
    rect = Rect(0, 0, 12, 17)
    made = looks(seed, 5, rect)
    first, second = start(method), start(method)
    for number in range(5):
        first.feed(10 * number, made[number])
        second.feed(10 * order[number], made[order[number]])
    one, other = (c.result(BANDS, GRID.geobox(rect)) for c in (first, second))
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.median_day, other.median_day)


@pytest.mark.parametrize("method", METHODS)
def test_no_look_at_all_is_not_looked(method: str) -> None:
    rect = Rect(0, 0, 3, 4)
    composer = start(method)
    for one in looks(1, 2, rect, 0.0):
        composer.feed(5, one)
    made = composer.result(BANDS, GRID.geobox(rect))
    assert not made.valid.any()
    assert (made.pixels == NODATA).all()
    assert (made.median_day == NODATA).all()
    assert (made.clear_looks == 0).all()


@given(seed=st.integers(0, 999), count=st.integers(1, 12), percent=st.floats(0, 100))
@settings(max_examples=40)
def test_a_percentile_is_numpy_s(seed: int, count: int, percent: float) -> None:
    rect = Rect(0, 0, 4, 6)
    made = looks(seed, count, rect)
    composer = begin("percentile", percent=percent)
    for day, one in enumerate(made):
        composer.feed(day, one)
    found = composer.result(BANDS, GRID.geobox(rect))
    for row, col in np.argwhere(found.valid):
        expected = np.percentile(clear(made, 0, row, col), percent)
        assert abs(found.pixels[0, row, col] - expected) <= 0.5 + 1e-6


@given(seed=st.integers(0, 999), count=st.integers(1, 9))
@settings(max_examples=40)
def test_a_medoid_is_the_look_nearest_to_all_others(seed: int, count: int) -> None:
    rect = Rect(0, 0, 4, 5)
    made = looks(seed, count, rect)
    composer = begin("medoid")
    for day, one in enumerate(made):
        composer.feed(day, one)
    found = composer.result(BANDS, GRID.geobox(rect))
    for row, col in np.argwhere(found.valid):
        seen = [d for d in range(count) if made[d].valid[row, col]]
        values = np.array([made[d].pixels[:, row, col] for d in seen], float)
        apart = np.sqrt(((values[:, None] - values[None]) ** 2).sum(axis=2)).sum(axis=1)
        best = seen[int(np.argmin(np.round(apart, 6)))]
        assert found.median_day[row, col] == best
        assert np.array_equal(found.pixels[:, row, col], made[best].pixels[:, row, col])


@given(seed=st.integers(0, 999), count=st.integers(1, 12))
@settings(max_examples=30)
def test_no_point_nearby_is_nearer_than_the_geometric_median(seed: int, count: int) -> None:
    rect = Rect(0, 0, 3, 5)
    made = looks(seed, count, rect)
    composer = begin("geometric-median")
    for day, one in enumerate(made):
        composer.feed(day, one)
    found = composer.result(BANDS, GRID.geobox(rect))
    for row, col in np.argwhere(found.valid):
        values = np.stack([clear(made, band, row, col) for band in range(3)], axis=1)
        here = found.pixels[:, row, col].astype(float)

        def total(point: np.ndarray, values: np.ndarray = values) -> float:
            return float(np.sqrt(((values - point) ** 2).sum(axis=1)).sum())

        for step in np.vstack([np.eye(3), -np.eye(3)]) * 25:
            assert total(here) <= total(here + step) + 2.0 * len(values)
        assert total(here) <= min(total(one) for one in values) + 2.0 * len(values)


def test_radar_is_averaged_as_power_and_reflectance_as_it_is() -> None:
    rect = Rect(0, 0, 1, 1)
    composer = begin("mean")
    for day, decibels in enumerate((-1000, -2000)):
        pixels = np.array([[[100 * day]], [[7]], [[decibels]]], np.int16)
        composer.feed(day, Raster(BANDS, pixels, np.ones((1, 1), bool), GRID.geobox(rect)))
    made = composer.result(BANDS, GRID.geobox(rect))
    power = (10**-1.0 + 10**-2.0) / 2
    assert made.pixels[:, 0, 0].tolist() == [50, 7, round(1000 * np.log10(power))]


@given(seed=st.integers(0, 999), count=st.integers(1, 8))
@settings(max_examples=30)
def test_mean_power_is_what_logarithms_say(seed: int, count: int) -> None:
    rect = Rect(0, 0, 3, 4)
    made = looks(seed, count, rect)
    composer = begin("mean")
    for day, one in enumerate(made):
        composer.feed(day, one)
    found = composer.result(BANDS, GRID.geobox(rect))
    for row, col in np.argwhere(found.valid):
        power = (10 ** (clear(made, 2, row, col) / 1000)).mean()
        assert abs(found.pixels[2, row, col] - 1000 * np.log10(power)) <= 0.5 + 1e-6


def test_the_best_pixel_is_in_season_far_from_cloud_and_without_haze() -> None:
    rect = Rect(0, 0, 1, 120)
    valid = np.ones(rect.shape, bool)

    def look(blue: int, mask: np.ndarray = valid) -> Raster:
        pixels = np.full((3, *rect.shape), 500, np.int16)
        pixels[0] = blue
        return Raster(BANDS, pixels, mask, GRID.geobox(rect))

    def chosen(preferences: Preferences, *fed: tuple[int, Raster]) -> list[int]:
        composer = BestPixel(preferences)
        for day, one in fed:
            composer.feed(day, one)
        return composer.result(BANDS, GRID.geobox(rect)).median_day[0].tolist()

    by_day = Preferences(100.0, 30.0, cloud_weight=0, haze_weight=0)
    assert set(chosen(by_day, (20, look(300)), (90, look(300)), (200, look(300)))) == {90}
    by_haze = Preferences(0.0, day_weight=0, cloud_weight=0)
    assert set(chosen(by_haze, (0, look(1600)), (50, look(600)))) == {50}
    by_cloud = Preferences(0.0, day_weight=0, haze_weight=0)
    left, right = valid.copy(), valid.copy()
    left[:, 0], right[:, -1] = False, False
    days = chosen(by_cloud, (0, look(300, left)), (50, look(300, right)))
    assert days[:50] == [50] * 50
    assert days[-50:] == [0] * 50


@given(seed=st.integers(0, 99), share=st.floats(0, 0.3), reach=st.integers(1, 9))
@settings(max_examples=30)
def test_the_distance_is_that_of_the_nearest(seed: int, share: float, reach: int) -> None:
    mask = np.random.default_rng(seed).random((9, 11)) < share
    marked = np.argwhere(mask)
    found = far_from(mask, reach)
    for row, col in np.ndindex(mask.shape):
        steps = np.abs(marked - (row, col)).sum(axis=1).min() if len(marked) else reach
        assert found[row, col] == min(steps, reach)
