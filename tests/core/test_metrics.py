"""Metrics of labels beside scores, against what they must be by hand and by symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.core.metrics import (
    average_precision,
    interval,
    recall_at,
    reliability,
    resampled,
    roc_auc,
    threshold_at,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(y for y, _ in rows) < len(rows)
)


def test_by_hand() -> None:
    label, score = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert roc_auc(label, score) == 0.75
    assert average_precision(label, score) == pytest.approx(1 / 2 + 2 / 3 / 2)
    assert recall_at(0.0, label, score) == 0.5
    assert recall_at(0.5, label, score) == 1.0


@given(PAIRS)
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[bool, int]]) -> None:
    ones = [s for y, s in rows if y]
    zeros = [s for y, s in rows if not y]
    won = [(a > b) + 0.5 * (a == b) for a in ones for b in zeros]
    label, score = zip(*rows, strict=True)
    assert roc_auc(label, score) == pytest.approx(np.mean(won))
    assert roc_auc(label, [-s for s in score]) == pytest.approx(1 - np.mean(won))


@given(PAIRS)
def test_what_keeps_the_order_keeps_the_figures(rows: list[tuple[bool, int]]) -> None:
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    bent = np.exp(score / 3.0)
    assert roc_auc(label, bent) == roc_auc(label, score)
    assert average_precision(label, bent) == pytest.approx(average_precision(label, score))
    assert recall_at(0.1, label, bent) == recall_at(0.1, label, score)


@given(PAIRS, st.floats(0, 1))
def test_a_threshold_keeps_its_promise(rows: list[tuple[bool, int]], share: float) -> None:
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    zeros = score[~label]
    assert np.mean(zeros >= threshold_at(share, label, score)) <= share + 1e-9


def test_average_precision_of_one_score_for_all_is_the_share_of_ones() -> None:
    assert average_precision([1, 0, 0, 0], [0.5] * 4) == 0.25


def test_honest_probabilities_are_reliable_and_boasts_are_not() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    label = rng.random(20_000) < p
    assert reliability(label, p).error < 0.02
    assert reliability(label, np.round(p)).error > 0.2
    assert reliability(label, p).count.sum() == 20_000


def test_a_bootstrap_interval_holds_the_figure_and_groups_widen_it() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(10), 40)
    label = rng.random(400) < 0.3
    score = label + rng.normal(size=400) + 2 * rng.normal(size=10)[group]
    alone = interval(resampled(roc_auc, label, score, draws=200))
    whole = interval(resampled(roc_auc, label, score, group=group, draws=200))
    assert alone[0] < roc_auc(label, score) < alone[1]
    assert whole[1] - whole[0] > alone[1] - alone[0]
    assert interval(resampled(roc_auc, label, score, draws=200)) == alone


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        roc_auc([0, 1], [0.5])
