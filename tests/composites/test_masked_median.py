"""The sorting network gives numpy's median, whatever the number of dates and holes."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.composites.median import masked_median, masked_median_of
from minetrace.composites.network import median_network
from minetrace.core.raster import NODATA


def by_numpy(stack: np.ndarray, valid: np.ndarray) -> np.ndarray:
    values = np.where(valid[:, None], stack.astype(np.float64), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.rint(np.nanmedian(values, axis=0))
    return np.nan_to_num(middle, nan=NODATA).astype(np.int16)


@given(
    dates=st.integers(1, 45),
    spread=st.sampled_from([1, 7, 3000, 32767]),
    cloudiness=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_equals_numpy(dates: int, spread: int, cloudiness: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stack = rng.integers(-spread, spread + 1, (dates, 2, 9, 11)).astype(np.int16)
    valid = rng.random((dates, 9, 11)) >= cloudiness
    assert np.array_equal(masked_median(stack, valid), by_numpy(stack, valid))


@pytest.mark.parametrize("dates", [100, 200])
def test_hundreds_of_dates(dates: int) -> None:
    rng = np.random.default_rng(dates)
    stack = rng.integers(-32767, 32768, (dates, 1, 20, 20)).astype(np.int16)
    valid = rng.random((dates, 20, 20)) > rng.random((20, 20))
    assert np.array_equal(masked_median(stack, valid), by_numpy(stack, valid))


@pytest.mark.parametrize("dates", range(1, 9))
def test_every_pattern_of_holes(dates: int) -> None:
    valid = np.array(list(product([False, True], repeat=dates))).T.reshape(dates, 1, -1)
    rng = np.random.default_rng(dates)
    stack = rng.integers(-5, 6, (dates, 3, *valid.shape[1:])).astype(np.int16)
    stack[:, 2] = np.where(rng.random(stack[:, 2].shape) < 0.5, -32767, 32767)
    assert np.array_equal(masked_median(stack, valid), by_numpy(stack, valid))


def test_more_pixels_than_one_block() -> None:
    rng = np.random.default_rng(1)
    stack = rng.integers(0, 9, (3, 1, 130, 129)).astype(np.int16)
    valid = rng.random((3, 130, 129)) > 0.3
    assert np.array_equal(masked_median(stack, valid), by_numpy(stack, valid))


def test_halves_round_to_even() -> None:
    stack = np.array([[-3, -2, 0, 1, 32766], [-2, -1, 1, 2, 32767]], dtype=np.int16)
    found = masked_median(stack.reshape(2, 1, 1, 5), np.ones((2, 1, 5), dtype=bool))
    assert found.ravel().tolist() == [-2, -2, 0, 2, 32766]


def test_a_list_of_looks_is_as_good_as_a_stack() -> None:
    rng = np.random.default_rng(2)
    stack = rng.integers(0, 9, (5, 2, 4, 4)).astype(np.int16)
    valid = rng.random((5, 4, 4)) > 0.3
    assert np.array_equal(masked_median(list(stack), list(valid)), masked_median(stack, valid))


def test_one_number_per_date() -> None:
    valid = np.array([[[True, True, False]], [[True, False, False]], [[True, True, False]]])
    assert masked_median_of([10, 20, 40], valid).tolist() == [[20, 25, NODATA]]


def test_only_what_the_middle_needs_is_compared() -> None:
    assert median_network(1).steps == ()
    assert len(median_network(12).steps) < 41  # all of Batcher's network for 12
    assert median_network(12).middle == (5, 6)
    assert median_network(13).middle == (5, 6)


@pytest.mark.parametrize(
    ("stack", "valid"),
    [
        (np.zeros((0, 1, 2, 2), np.int16), np.zeros((0, 2, 2), bool)),
        (np.zeros((2, 1, 2, 2), np.int16), np.zeros((3, 2, 2), bool)),
        (np.zeros((2, 1, 2, 2), np.int16), np.zeros((2, 2, 3), bool)),
        (np.zeros((2, 1, 2, 2), np.float32), np.zeros((2, 2, 2), bool)),
    ],
)
def test_what_does_not_fit_is_refused(stack: np.ndarray, valid: np.ndarray) -> None:
    with pytest.raises(ValueError, match="masked_median"):
        masked_median(stack, valid)
