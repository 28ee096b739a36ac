"""Feeding looks to the two composers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.composites.methods import ClearestDate, MedianComposite, begin
from minetrace.core.grid import Anchor, Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import StudyError

GRID = Grid("EPSG:32719", 10.0)
BANDS = ("red", "nir")


def look(
    valid: np.ndarray, value: int = 100, rect: Rect | None = None, grid: Grid = GRID
) -> Raster:
    where = rect or Rect(0, 0, *valid.shape)
    pixels = np.where(valid, np.int16(value), np.int16(NODATA))
    return Raster(BANDS, np.stack([pixels, pixels]), valid, grid.geobox(where))


def looks(rng: np.random.Generator, count: int, rect: Rect, grid: Grid = GRID) -> list[Raster]:
    made = []
    across = np.linspace(0.0, 1.0, rect.width)
    for number in range(count):
        clear = across if number % 2 else 1 - across  # no date is clearest everywhere
        valid = rng.random(rect.shape) < 0.9 * clear
        pixels = rng.integers(-50, 900, (2, *rect.shape)).astype(np.int16)
        pixels[:, ~valid] = NODATA
        made.append(Raster(BANDS, pixels, valid, grid.geobox(rect)))
    return made


def cut(raster: Raster, rect: Rect, part: Rect, grid: Grid = GRID) -> Raster:
    rows, cols = part.within(rect)
    return Raster(
        raster.bands, raster.pixels[:, rows, cols], raster.valid[rows, cols], grid.geobox(part)
    )


def test_median_counts_looks_and_days() -> None:
    composer = begin("median", min_looks=2)
    composer.feed(3, look(np.array([[True, True, False, True]]), 100))
    composer.feed(10, look(np.array([[True, False, False, True]]), 200))
    composer.feed(30, look(np.array([[True, False, False, False]]), -400))
    made = composer.result(BANDS, GRID.geobox(Rect(0, 0, 1, 4)))
    assert made.clear_looks.tolist() == [[3, 1, 0, 2]]
    assert made.clear_looks.dtype == np.uint16
    assert made.median_day.tolist() == [[10, 3, NODATA, 6]]
    assert made.valid.tolist() == [[True, False, False, True]]
    assert made.pixels[0].tolist() == [[100, NODATA, NODATA, 150]]


def test_negatives_are_kept() -> None:
    composer = MedianComposite()
    composer.feed(0, look(np.ones((2, 2), dtype=bool), -30))
    assert (composer.result(BANDS, GRID.geobox(Rect(0, 0, 2, 2))).pixels == -30).all()


@pytest.mark.parametrize("method", ["median", "clearest"])
def test_no_look_at_all_is_not_looked(method: str) -> None:
    composer = begin(method, 1)
    composer.feed(5, look(np.zeros((3, 4), dtype=bool)))
    made = composer.result(BANDS, GRID.geobox(Rect(0, 0, 3, 4)))
    assert not made.valid.any()
    assert (made.pixels == NODATA).all()
    assert (made.median_day == NODATA).all()
    assert (made.clear_looks == 0).all()


@given(order=st.permutations(range(5)), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_feeding_does_not_matter(order: list[int], seed: int) -> None:
    rect = Rect(-300, 200, 70, 130)
    made = looks(np.random.default_rng(seed), 5, rect)
    for method in ("median", "clearest"):
        results = []
        for sequence in (range(5), order):
            composer = begin(method, 2)
            for number in sequence:
                composer.feed(number * 10, made[number])
            results.append(composer.result(BANDS, GRID.geobox(rect)))
        assert np.array_equal(results[0].pixels, results[1].pixels)
        assert np.array_equal(results[0].median_day, results[1].median_day)
        assert np.array_equal(results[0].clear_looks, results[1].clear_looks)


@pytest.mark.parametrize("anchor", ["edge", "center"])
def test_the_clearest_date_does_not_depend_on_the_cut(anchor: Anchor) -> None:
    grid = Grid("EPSG:32719", 30.0, anchor)
    rect = Rect(-512, 256, 512, 768)
    made = looks(np.random.default_rng(4), 3, rect, grid)
    whole = ClearestDate()
    for day, raster in enumerate(made):
        whole.feed(day, raster)
    expected = whole.result(BANDS, grid.geobox(rect))
    assert len(np.unique(expected.median_day[expected.valid])) > 1  # not one date everywhere
    for part in rect.blocks(256):
        composer = ClearestDate()
        for day, raster in enumerate(made):
            composer.feed(day, cut(raster, rect, part, grid))
        rows, cols = part.within(rect)
        found = composer.result(BANDS, grid.geobox(part))
        assert np.array_equal(found.pixels, expected.pixels[:, rows, cols])
        assert np.array_equal(found.median_day, expected.median_day[rows, cols])


def test_the_clearest_date_is_one_date_and_ties_go_to_the_earlier() -> None:
    composer = ClearestDate()
    left, right = np.array([[True, True, False]]), np.array([[False, True, True]])
    composer.feed(20, look(right, 2))
    composer.feed(10, look(left, 1))
    composer.feed(30, look(np.array([[False, False, True]]), 3))
    made = composer.result(BANDS, GRID.geobox(Rect(0, 0, 1, 3)))
    assert made.pixels[0].tolist() == [[1, 1, NODATA]]
    assert made.median_day.tolist() == [[10, 10, NODATA]]
    assert made.clear_looks.tolist() == [[1, 2, 2]]


def test_min_looks_holds_for_the_clearest_date_too() -> None:
    composer = ClearestDate(min_looks=2)
    composer.feed(1, look(np.array([[True, True]]), 7))
    composer.feed(2, look(np.array([[False, True]]), 8))
    made = composer.result(BANDS, GRID.geobox(Rect(0, 0, 1, 2)))
    assert made.valid.tolist() == [[False, True]]
    assert made.pixels[1].tolist() == [[NODATA, 7]]


def test_looks_that_do_not_fit_are_refused() -> None:
    valid = np.ones((2, 2), dtype=bool)
    for method in ("median", "clearest"):
        composer = begin(method, 1)
        composer.feed(0, look(valid))
        with pytest.raises(ValueError, match="look"):
            composer.feed(1, look(valid, rect=Rect(5, 5, 2, 2)))
        with pytest.raises(ValueError, match="composite"):
            composer.result(BANDS, GRID.geobox(Rect(5, 5, 2, 2)))


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean median"):
        begin("medain", 1)
