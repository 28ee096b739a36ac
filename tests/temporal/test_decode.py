"""Decoding, against every path there is."""

from __future__ import annotations

from datetime import date
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.period import Period
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import PeriodError, StudyError
from minetrace.temporal.course import (
    ABANDONED,
    ACTIVE,
    LOOKALIKE,
    NOT_YET,
    Course,
    gaps_years,
    transition,
)
from minetrace.temporal.decode import BLOCK_PX, UNKNOWN, decode
from minetrace.temporal.evidence import Calibrated, Detections
from minetrace.temporal.posterior import posterior
from minetrace.temporal.viterbi import FORBIDDEN, best_path, gains

SCORES = st.one_of(st.integers(0, 10_000), st.just(NOT_LOOKED))
COURSES = st.builds(
    Course,
    active_share=st.floats(1e-4, 0.3), abandoned_share=st.floats(1e-4, 0.3),
    lookalike_share=st.one_of(st.just(0.0), st.floats(1e-4, 0.3)),
    begin_years=st.floats(2, 500), active_years=st.floats(0.5, 30), idle_years=st.floats(1, 200),
)  # fmt: skip
EVIDENCE = st.one_of(
    st.builds(Calibrated, scored_prior=st.floats(0.01, 0.9), slip=st.floats(1e-3, 0.2),
              weight=st.floats(0.2, 1), residue=st.floats(0, 0.5), guise=st.floats(0, 0.95)),
    st.builds(Detections, sensitivity=st.floats(0.5, 0.99), false_alarm=st.floats(0.001, 0.4),
              residue=st.floats(0, 0.5), guise=st.floats(0, 0.95)),
)  # fmt: skip
LINES = st.lists(st.integers(20, 900), min_size=1, max_size=4)


def line_of(days: list[int]) -> list[Period]:
    """Periods of uneven length, every other one followed by a hole as long as itself."""
    periods, start = [], date(2015, 1, 1).toordinal()
    for number, length in enumerate(days):
        stop = start + length
        periods.append(Period(date.fromordinal(start), date.fromordinal(stop), f"p{number}"))
        start = stop + (length if number % 2 else 0)
    return periods


def years(count: int) -> list[Period]:
    return [Period.year(2000 + k) for k in range(count)]


def all_paths(count: int) -> np.ndarray:
    return np.array(list(product(range(4), repeat=count)))


def four(steps: np.ndarray, same: float, never: float) -> np.ndarray:
    """Steps with the lookalike, which it neither enters nor leaves."""
    whole = np.full((len(steps), 4, 4), never, dtype=steps.dtype)
    whole[:, :3, :3], whole[:, 3, 3] = steps, same
    return whole


@settings(max_examples=60, deadline=None)
@given(COURSES, EVIDENCE, LINES, st.data())
def test_sums_over_paths_equal_those_over_every_path_written_out(
    course: Course, evidence: Calibrated | Detections, days: list[int], data: st.DataObject
) -> None:
    line = line_of(days)
    scores = np.array(data.draw(st.lists(SCORES, min_size=len(line), max_size=len(line))))
    ratios, steps = evidence.ratios()[scores].astype(float), course.steps(gaps_years(line))
    whole = four(steps, 1.0, 0.0)
    likelihood = np.stack([chance * ratios + 1 - chance for chance in
                           (0.0, 1.0, evidence.residue, evidence.guise)], axis=1)  # fmt: skip
    paths = all_paths(len(line))
    weight = course.initial[paths[:, 0]] * likelihood[np.arange(len(line)), paths].prod(axis=1)
    for t in range(1, len(line)):
        weight *= whole[t - 1][paths[:, t - 1], paths[:, t]]
    weight /= weight.sum()
    mined = paths == ACTIVE
    ever = mined.any(axis=1)
    first = np.where(ever, mined.argmax(axis=1), -1)
    last = np.where(ever, len(line) - 1 - mined[:, ::-1].argmax(axis=1), -1)
    found = posterior(evidence.ratios()[scores][:, None], course.initial, steps,
                      evidence.residue, evidence.lookalikes()[scores][:, None])  # fmt: skip
    for t in range(len(line)):
        assert found.active[t, 0] == pytest.approx(weight[mined[:, t]].sum(), abs=2e-5)
        assert found.first[t, 0] == pytest.approx(weight[first == t].sum(), abs=2e-5)
        assert found.last[t, 0] == pytest.approx(weight[last == t].sum(), abs=2e-5)


@settings(max_examples=50, deadline=None)
@given(COURSES, EVIDENCE, LINES, st.data())
def test_the_best_path_is_the_best_of_all_paths_to_the_last_unit(
    course: Course, evidence: Calibrated | Detections, days: list[int], data: st.DataObject
) -> None:
    line = line_of(days)
    coarse = st.sampled_from([0, 5000, 10_000, NOT_LOOKED])  # many ties
    scores = np.array(data.draw(st.lists(coarse, min_size=len(line), max_size=len(line))))
    ratios = evidence.ratios()[scores].astype(float)
    active, faded, guise = (gains(chance * ratios + 1 - chance)
                            for chance in (1.0, evidence.residue, evidence.guise))  # fmt: skip
    start, steps = gains(course.initial), gains(course.steps(gaps_years(line)))
    look = np.stack([np.zeros_like(active), active, faded, guise], axis=1)
    whole = four(steps, 0, FORBIDDEN)
    paths = [
        path
        for path in all_paths(len(line)).tolist()
        if not any(now == NOT_YET and was != NOT_YET for was, now in pairwise(path))
        and (LOOKALIKE not in path or set(path) == {LOOKALIKE})
    ]

    def total(path: list[int]) -> int:
        moves = sum(int(whole[t][path[t], path[t + 1]]) for t in range(len(path) - 1))
        return int(start[path[0]]) + moves + sum(int(look[t, s]) for t, s in enumerate(path))

    highest = max(map(total, paths))
    wanted = min(path[::-1] for path in paths if total(path) == highest)[::-1]
    found = best_path(active[:, None], faded[:, None], guise.sum(keepdims=True), start, steps)[:, 0]
    assert found.tolist() == wanted


@settings(max_examples=30, deadline=None)
@given(COURSES, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_order_in_which_periods_are_given_does_not_matter(
    course: Course, count: int, random: object
) -> None:
    line = years(count)
    scores = np.random.default_rng(count).integers(0, 10_001, (count, 7, 3)).astype(np.uint16)
    shuffled = list(range(count))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    straight = decode(scores, line, course=course, evidence=Calibrated())
    mixed = decode(
        scores[shuffled], [line[k] for k in shuffled], course=course, evidence=Calibrated()
    )
    for name in ("active", "first", "last", "state"):
        assert (getattr(straight, name)[shuffled] == getattr(mixed, name)).all()


def test_a_pixel_does_not_know_its_block_its_neighbours_or_the_threads() -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 10_001, (4, 2 * BLOCK_PX + 77)).astype(np.uint16)
    whole = decode(scores, years(4), evidence=Calibrated(), threads=2)
    cut = rng.permutation(scores.shape[1])[:5000]
    part = decode(scores[:, cut], years(4), evidence=Calibrated(), threads=1)
    for name in ("active", "first", "last", "state"):
        assert (getattr(whole, name)[:, cut] == getattr(part, name)).all()


def test_a_blind_period_says_nothing_and_is_told_by_those_around_it() -> None:
    seen = np.array([[500], [9500], [9500], [9500]], np.uint16)
    blind = np.insert(seen, 2, NOT_LOOKED, axis=0)
    plain = Course(lookalike_share=0)
    found = decode(blind, years(5), course=plain, evidence=Calibrated())
    assert found.active[2, 0] > 8_000  # mined before and after, so mined meanwhile
    assert found.state[:, 0].tolist() == [NOT_YET, ACTIVE, ACTIVE, ACTIVE, ACTIVE]
    gap = [p for k, p in enumerate(years(5)) if k != 2]
    without = decode(seen, gap, course=plain, evidence=Calibrated())
    keep = [0, 1, 3, 4]
    assert np.abs(found.active[keep].astype(int) - without.active).max() <= 1


def test_an_answer_for_some_periods_is_part_of_the_answer_for_all() -> None:
    scores = np.random.default_rng(1).integers(0, 10_001, (5, 40)).astype(np.uint16)
    whole = decode(scores, years(5), evidence=Calibrated())
    part = decode(scores, years(5), evidence=Calibrated(), wanted=[years(5)[3], years(5)[1]])
    for name in ("active", "first", "last", "state"):
        assert (getattr(part, name) == getattr(whole, name)[[3, 1]]).all()


def test_ground_that_nobody_looked_at_stays_unknown() -> None:
    scores = np.full((3, 2), NOT_LOOKED, np.uint16)
    scores[1, 1] = 100
    found = decode(scores, years(3), evidence=Calibrated())
    assert (found.active[:, 0] == NOT_LOOKED).all()
    assert (found.first[:, 0] == NOT_LOOKED).all()
    assert (found.state[:, 0] == UNKNOWN).all()
    assert (found.active[:, 1] < 500).all()


def test_one_bright_year_is_a_cloud_and_three_are_a_mine() -> None:
    once = np.array([300, 300, 9_900, 300, 300, 300], np.uint16)[:, None]
    thrice = np.array([300, 300, 9_900, 9_900, 9_900, 300], np.uint16)[:, None]
    assert not (decode(once, years(6), evidence=Calibrated()).state == ACTIVE).any()
    plain = Course(lookalike_share=0)
    found = decode(thrice, years(6), course=plain, evidence=Calibrated()).state[:, 0]
    assert found.tolist() == [NOT_YET] * 2 + [ACTIVE] * 3 + [ABANDONED]


def test_what_is_bright_every_other_year_is_a_field() -> None:
    flickers = np.array([9_900, 300] * 3, np.uint16)[:, None]
    found = decode(flickers, years(6), evidence=Calibrated())
    assert (found.state == LOOKALIKE).all()
    assert (found.active < 1_000).all()
    fields_unheard_of = decode(
        flickers, years(6), course=Course(lookalike_share=0), evidence=Calibrated()
    )
    assert (fields_unheard_of.active > found.active).all()


def test_floats_and_counts_are_the_same_scores() -> None:
    floats = np.array([[0.1, np.nan], [0.93, 0.4]])
    counts = np.array([[1_000, NOT_LOOKED], [9_300, 4_000]], np.uint16)
    one, other = (decode(s, years(2), evidence=Calibrated()) for s in (floats, counts))
    assert (one.active == other.active).all()
    with pytest.raises(TypeError, match="uint16"):
        decode(np.zeros((2, 2), np.int32), years(2), evidence=Calibrated())


def test_long_series_of_extreme_scores_stay_probabilities() -> None:
    rng = np.random.default_rng(2)
    scores = np.where(rng.random((80, 500)) < 0.5, 0, 10_000).astype(np.uint16)
    scores[:40, :100], scores[40:, :100] = 10_000, 0
    quarters = [Period.quarter(2000 + k // 4, k % 4 + 1) for k in range(80)]
    hard = Calibrated(scored_prior=0.001, slip=1e-4, residue=0.5)
    tables = hard.ratios()[scores]
    steps = Course().steps(gaps_years(quarters))
    lookalikes = hard.lookalikes()[scores]
    sums = posterior(tables, Course().initial, steps, hard.residue, lookalikes)
    for part in (sums.active, sums.first, sums.last):
        assert np.isfinite(part).all()
        assert (part >= 0).all()
        assert (part <= 1 + 1e-4).all()
    ever = sums.first.sum(axis=0)
    assert np.allclose(ever, sums.last.sum(axis=0), atol=1e-3)
    assert (ever <= 1 + 1e-3).all()


@settings(max_examples=50, deadline=None)
@given(COURSES, st.floats(0.05, 20), st.floats(0.05, 20))
def test_time_may_be_cut_anywhere(course: Course, some: float, more: float) -> None:
    whole = transition(course.generator, some + more)
    steps = transition(course.generator, some) @ transition(course.generator, more)
    assert np.allclose(whole, steps, atol=1e-12)
    assert np.allclose(whole.sum(axis=1), 1)
    assert (whole[1:, NOT_YET] == 0).all()


def test_dividing_the_prior_out_undoes_bayes() -> None:
    ratio, prior = 7.0, 0.03
    posterior_p = ratio * prior / (ratio * prior + 1 - prior)
    table = Calibrated(scored_prior=prior, slip=1e-4, weight=1.0).ratios()
    assert table[round(posterior_p * 10_000)] == pytest.approx(ratio, rel=0.01)
    assert table[NOT_LOOKED] == 1
    assert (np.diff(table[:10_001]) >= 0).all()


def test_what_cannot_be_meant_is_refused_with_the_remedy() -> None:
    with pytest.raises(StudyError, match="active_years is 0"):
        Course(active_years=0)
    with pytest.raises(StudyError, match="no chance"):
        Course(active_share=0)
    with pytest.raises(StudyError, match="leave no untouched"):
        Course(active_share=0.6, abandoned_share=0.5)
    with pytest.raises(StudyError, match="slip is 0"):
        Calibrated(slip=0)
    with pytest.raises(StudyError, match="speak against"):
        Detections(sensitivity=0.1, false_alarm=0.2)
    with pytest.raises(PeriodError, match="3 layers of scores for 2"):
        decode(np.zeros((3, 1), np.uint16), years(2), evidence=Calibrated())
    twice = [Period.year(2000), Period(date(2000, 6, 1), date(2001, 6, 1), "x")]
    with pytest.raises(PeriodError, match="overlap"):
        decode(np.zeros((2, 1), np.uint16), twice, evidence=Calibrated())
    assert FORBIDDEN < 0
