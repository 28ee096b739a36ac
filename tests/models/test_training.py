"""The pace of a training, when it ends, and which look is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.errors import ModelError
from minetrace.models.training import Look, Training, best, finished, rate_at

HOW = Training(steps=100, every=10, rate=1e-2, warm_up=0.1)


def looks(*values: float) -> tuple[Look, ...]:
    return tuple(Look(10 * (i + 1), 1.0, 1.0, 1.0, iou, 1.0) for i, iou in enumerate(values))


@settings(deadline=None)
@given(st.integers(1, 300), st.floats(0, 1), st.sampled_from(["cosine", "plateau", "constant"]))
def test_the_rate_stays_between_nothing_and_its_highest(steps: int, warm: float, pace: str) -> None:
    how = Training(steps=steps, warm_up=warm, pace=pace, rate=0.5)
    rates = [rate_at(step, how, ()) for step in range(steps)]
    assert all(0 < rate <= 0.5 for rate in rates)


def test_cosine_rises_then_falls_to_nothing() -> None:
    rates = [rate_at(step, HOW, ()) for step in range(100)]
    top = rates.index(max(rates))
    assert 8 <= top <= 11
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 1e-5


def test_a_plateau_divides_the_rate() -> None:
    how = replace(HOW, pace="plateau")
    assert rate_at(60, how, looks(0.1, 0.2, 0.3)) == how.rate
    assert rate_at(60, how, looks(0.1, 0.3, 0.3)) == how.rate
    assert rate_at(60, how, looks(0.1, 0.3, 0.3, 0.2)) == pytest.approx(how.rate / 5)


def test_patience_ends_and_the_best_is_kept() -> None:
    how = replace(HOW, patience=2)
    assert not finished(looks(0.1, 0.3, 0.2), how)
    assert finished(looks(0.1, 0.3, 0.2, 0.3), how)
    assert not finished(looks(0.3, 0.2, 0.2, 0.2), HOW)
    kept = best(looks(0.1, 0.3, 0.2, 0.3))
    assert kept is not None
    assert kept.step == 20


def test_without_a_validation_part_the_last_is_kept_and_nothing_ends_early() -> None:
    blind = looks(*[float("nan")] * 4)
    assert best(blind) == blind[-1]
    assert not finished(blind, replace(HOW, patience=1))
    assert best(()) is None


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"balance": 2.0}, {"memory": 1.0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ModelError, match="must"):
        Training(**wrong)
