"""Evidence learned from ground whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from minetrace.core.period import Period
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import StudyError
from minetrace.temporal.course import Course
from minetrace.temporal.decode import decode
from minetrace.temporal.evidence import Calibrated
from minetrace.temporal.learned import learn

YEARS = [Period.year(2018 + k) for k in range(6)]


def country(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Six years: mines that last, fields that are bright in half of the years, quiet forest."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, 40_000, p=[0.92, 0.05, 0.03])
    begins = np.where(kind == 2, rng.integers(-4, 6, kind.shape), 99)
    mined = np.arange(6)[:, None] >= begins
    bright = np.where(mined, 0.95, np.where(kind == 1, 0.5, 0.003)) > rng.random(mined.shape)
    scores = np.where(bright, rng.integers(6_000, 10_001, mined.shape),
                      rng.integers(0, 2_000, mined.shape)).astype(np.uint16)  # fmt: skip
    scores[rng.random(mined.shape) < 0.25] = NOT_LOOKED
    return scores, mined


def test_what_looks_alike_is_found_without_being_told() -> None:
    found = learn(*country(1))
    assert found.lookalike_share == pytest.approx(0.05, rel=0.1)
    ratios, lookalikes = found.ratios(), found.lookalikes()
    assert ratios[8_000] == pytest.approx(0.95 / 0.003, rel=0.3)
    assert lookalikes[8_000] == pytest.approx(0.5 / 0.003, rel=0.3)
    assert lookalikes[1_000] == pytest.approx(0.5, rel=0.1)
    assert ratios[NOT_LOOKED] == lookalikes[NOT_LOOKED] == 1


def test_it_decodes_another_country_better_than_a_threshold_or_one_curve() -> None:
    scores, mined = country(2)
    learned = learn(*country(1))
    course = Course(active_share=0.012, lookalike_share=learned.lookalike_share, begin_years=300)
    prior = float(country(1)[1].mean())
    answers = {
        "learned": decode(scores, YEARS, course=course, evidence=learned).active >= 5_000,
        "pooled": decode(scores, YEARS, course=Course(lookalike_share=0),
                         evidence=Calibrated(scored_prior=prior)).active >= 5_000,
        "threshold": (scores >= 5_000) & (scores != NOT_LOOKED),
    }  # fmt: skip
    wrong = {name: (answer != mined).sum() for name, answer in answers.items()}
    assert wrong["learned"] < 0.5 * min(wrong["pooled"], wrong["threshold"])


def test_what_cannot_be_learned_from_is_refused() -> None:
    scores, mined = country(3)
    with pytest.raises(StudyError, match="truth is"):
        learn(scores, mined[:3])
    with pytest.raises(StudyError, match="never is"):
        learn(scores, np.zeros_like(mined))
    with pytest.raises(StudyError, match="rising edges"):
        type(learn(scores, mined))((0.5, 0.4), (1.0, 1.0), (1.0, 1.0), 0.1, 0.1)
