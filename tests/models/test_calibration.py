"""Two numbers that make scores into probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.metrics import reliability, roc_auc
from minetrace.models.calibration import Calibration, calibrate, doubts


def test_what_was_bent_is_bent_back() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(-1, 2, 20_000)
    label = rng.random(20_000) < 1 / (1 + np.exp(-true))
    found = calibrate(label, 3 * true + 2)
    assert found.slope == pytest.approx(1 / 3, rel=0.05)
    assert found.shift == pytest.approx(-2 / 3, abs=0.1)
    assert reliability(label, found.probability(3 * true + 2)).error < 0.02


def test_scores_that_part_the_classes_stay_finite_and_in_order() -> None:
    label, logit = [0, 0, 1, 1], [-3.0, -2.0, 2.0, 3.0]
    found = calibrate(label, logit)
    assert np.isfinite([found.slope, found.shift]).all()
    assert roc_auc(label, found.probability(logit)) == 1


def test_far_logits_do_not_overflow() -> None:
    assert Calibration(1.0, 0.0).probability([-1e9, 1e9]).tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize(
    ("slope", "chips", "mined", "said"),
    [
        (1.0, 100, 20, []),
        (1.0, 60, 30, ["60 validation chips, 30"]),
        (1.0, 900, 3, ["900 validation chips, 3"]),
        (0.05, 900, 90, ["slope 0.05"]),
    ],
)
def test_few_chips_and_a_flat_answer_are_doubted(
    slope: float, chips: int, mined: int, said: list[str]
) -> None:
    found = list(doubts(Calibration(slope, 0.0), chips, mined))
    assert len(found) == len(said)
    assert all(words in line for words, line in zip(said, found, strict=True))


def crooked(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits of which the upper ones say less than they seem to, and labels."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 3, n)
    true = 1 / (1 + np.exp(-np.where(logit > 0, 0.2 * logit, logit)))
    return (rng.random(n) < true).astype(np.int64), logit


def test_a_curve_mends_what_two_numbers_cannot() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is absent: install minetrace[train]")
    from minetrace.models.isotonic import KNOTS, isotonic

    label, logit = crooked(20_000, 0)
    fresh, again = crooked(20_000, 1)
    error = [reliability(fresh, how.probability(again)).error
             for how in (isotonic(label, logit), calibrate(label, logit))]  # fmt: skip
    assert error[0] < 0.015 < 0.03 < error[1]
    assert len(isotonic(label, logit).knots) <= KNOTS


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-30, 30)), min_size=2, max_size=60))
def test_a_curve_never_falls_and_never_is_certain(rows: list[tuple[int, float]]) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is absent: install minetrace[train]")
    from minetrace.models.isotonic import isotonic

    label, logit = np.array([y for y, _ in rows]), np.array([z for _, z in rows])
    if len(set(label)) < 2:
        return
    found = isotonic(label, logit).probability(np.linspace(-40, 40, 300))
    assert (np.diff(found) >= 0).all()
    assert 0 < found.min() <= found.max() < 1
