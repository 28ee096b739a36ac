"""Curves from scores to probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import StudyError
from minetrace.temporal.curve import Curve, fit_curve
from minetrace.temporal.evidence import Calibrated


def test_a_curve_finds_how_often_a_score_was_right() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 10_001, 400_000).astype(np.uint16)
    active = rng.random(scores.shape) < (scores / 10_000) ** 2
    scores[::7] = NOT_LOOKED
    curve = fit_curve(scores, active)
    table = curve.table()
    assert np.abs(table[:10_001] - (np.arange(10_001) / 10_000) ** 2).max() < 0.02
    assert (np.diff(table[:10_001]) >= 0).all()
    assert curve.prior == pytest.approx(1 / 3, abs=0.01)


def test_bins_that_fall_are_pooled_and_nothing_is_certain() -> None:
    scores = np.repeat(np.array([1_000, 5_000, 9_000], np.uint16), 100)
    active = np.arange(300) % 100 < np.repeat([30, 10, 100], 100)
    curve = fit_curve(scores, active)
    assert curve.points[0] == (0.3, pytest.approx(41 / 202, abs=1e-6))
    assert curve.points[1][0] == 0.9
    assert 0.99 < curve.points[1][1] < 1


def test_evidence_by_a_curve_is_evidence_by_its_probabilities() -> None:
    curve = Curve(((0.1, 0.01), (0.9, 0.8)), prior=0.1)
    by_curve = Calibrated(curve=curve, slip=1e-4).ratios()
    as_said = Calibrated(scored_prior=0.1, slip=1e-4).ratios()
    assert by_curve[9_000] == pytest.approx(as_said[8_000])
    assert by_curve[10_000] == by_curve[9_000]
    assert by_curve[NOT_LOOKED] == 1


def test_curves_that_cannot_be_meant_are_refused() -> None:
    for points in (
        (),
        ((0.5, 0.5), (0.5, 0.6)),
        ((0.1, 0.5), (0.2, 0.4)),
        ((0.1, 0.5), (2.0, 1.0)),
    ):
        with pytest.raises(StudyError, match="decode: the"):
            Curve(points, 0.5)
    with pytest.raises(StudyError, match="prior is 0"):
        Curve(((0.0, 0.1),), 0.0)
    with pytest.raises(StudyError, match="ground that is not"):
        fit_curve(np.zeros(4, np.uint16), np.zeros(4, bool))
