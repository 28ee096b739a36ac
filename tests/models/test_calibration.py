"""Two numbers that make scores into probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from minetrace.core.metrics import reliability, roc_auc
from minetrace.models.calibration import Calibration, calibrate


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
