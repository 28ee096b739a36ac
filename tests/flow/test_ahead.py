"""Reading ahead: results in their order, no more under way or in memory than allowed."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.flow.ahead import Ahead, in_order


@pytest.mark.parametrize("ahead", [Ahead(), Ahead(3, 3), Ahead(2, 6)])
def test_results_come_in_order_and_no_more_are_held_than_allowed(ahead: Ahead) -> None:
    under_way, most, lock = 0, 0, threading.Lock()
    begun = used = furthest = 0

    def job(number: int) -> int:
        nonlocal under_way, most, begun, furthest
        with lock:
            under_way, begun = under_way + 1, begun + 1
            most, furthest = max(most, under_way), max(furthest, begun - used)
        time.sleep(0.002 * (number % 3))
        with lock:
            under_way -= 1
        return number

    found = []
    for result in in_order((partial(job, number) for number in range(20)), ahead):
        found.append(result)
        with lock:
            used += 1
    assert found == list(range(20))
    assert most <= ahead.at_once
    assert furthest <= ahead.held + 1  # and the one that is asked for


def test_a_failure_comes_in_its_turn_and_later_jobs_are_let_go() -> None:
    done = []

    def job(number: int) -> int:
        if number == 2:
            raise OSError("no")
        time.sleep(0.2 if number > 2 else 0)
        done.append(number)
        return number

    results = in_order((partial(job, number) for number in range(100)), Ahead(2, 50))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="no"):
        next(results)
    assert len(done) < 20


@given(st.integers(1, 1 << 30), st.integers(1, 16), st.integers(1, 1 << 28), st.integers(1, 8))
def test_what_is_held_fits_the_budget(budget: int, wanted: int, result: int, times: int) -> None:
    ahead = Ahead.within(budget, wanted=wanted, job_bytes=times * result, result_bytes=result)
    assert 1 <= ahead.at_once <= wanted
    assert ahead.held >= ahead.at_once
    taken = ahead.at_once * times * result + (ahead.held - ahead.at_once) * result
    assert taken <= max(budget, times * result)
