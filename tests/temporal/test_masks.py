"""Unions and additions of masks, and copies that are noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minetrace.core.period import Period
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import PeriodError
from minetrace.temporal.masks import added_through_time, union_through_time
from minetrace.temporal.repeats import repeats

MASKS = hnp.arrays(np.uint16, (4, 5), elements=st.sampled_from([0, 1, NOT_LOOKED]))
YEARS = [Period.year(2019 + k) for k in range(4)]


@given(MASKS, st.permutations(range(4)))
def test_what_was_mined_stays_and_each_pixel_is_added_once(
    masks: np.ndarray, order: list[int]
) -> None:
    union, added = union_through_time(masks, YEARS), added_through_time(masks, YEARS)
    assert ((union == 1) == np.logical_or.accumulate(masks == 1, axis=0)).all()
    assert ((union == NOT_LOOKED) <= (masks == NOT_LOOKED)).all()
    assert ((added == 1).sum(axis=0) == (masks == 1).any(axis=0)).all()
    mixed = union_through_time(masks[order], [YEARS[k] for k in order])
    assert (mixed == union[order]).all()


def test_not_looked_is_never_no_mine() -> None:
    masks = np.array([[0], [NOT_LOOKED], [1], [NOT_LOOKED]], np.uint16)
    assert union_through_time(masks, YEARS)[:, 0].tolist() == [0, NOT_LOOKED, 1, 1]


def test_masks_are_checked() -> None:
    with pytest.raises(ValueError, match="threshold scores first"):
        union_through_time(np.full((4, 1), 7, np.uint16), YEARS)
    with pytest.raises(PeriodError, match="one each"):
        union_through_time(np.zeros((3, 1), np.uint16), YEARS)


def test_a_copied_year_is_noticed_and_blind_years_are_not() -> None:
    rng = np.random.default_rng(1)
    layers = [rng.random((6, 6)) for _ in range(4)]
    layers[1][2] = np.nan
    layers[3] = layers[1].copy()
    assert repeats(layers, YEARS) == [(YEARS[1], YEARS[3])]
    assert repeats(layers[::-1], YEARS[::-1]) == [(YEARS[1], YEARS[3])]
    blind = np.full((6, 6), NOT_LOOKED, np.uint16)
    assert repeats([blind, blind.copy()], YEARS[:2]) == []
