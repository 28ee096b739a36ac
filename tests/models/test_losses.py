"""Losses: what nobody knows pulls at nothing, what is right costs least."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.core.data_set import IGNORE
from minetrace.errors import ModelError
from minetrace.models.losses import TERMS, Loss


def made(classes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (2, 1 if classes == 2 else classes, 6, 5)).astype(np.float32)
    target = rng.choice([*range(classes), IGNORE], (2, 6, 5)).astype(np.uint8)
    return torch.from_numpy(logits), torch.from_numpy(target)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(TERMS)), st.sampled_from([2, 4]), st.integers(0, 99))
def test_what_nobody_knows_pulls_at_nothing(term: str, classes: int, seed: int) -> None:
    logits, target = made(classes, seed)
    logits.requires_grad_()
    loss = Loss({term: 1.0})
    value = loss(logits, target)
    value.backward()
    assert torch.isfinite(value)
    unknown = (target == IGNORE)[:, None].expand_as(logits)
    assert not logits.grad[unknown].any()
    other = torch.where(unknown, torch.full_like(logits, 7.0), logits.detach())
    assert torch.equal(loss(other, target), value.detach())


@pytest.mark.parametrize("term", list(TERMS))
@pytest.mark.parametrize("classes", [2, 3])
def test_being_right_costs_next_to_nothing(term: str, classes: int) -> None:
    _, target = made(classes, 4)
    known = torch.where(target == IGNORE, 0, target).long()
    right = 20.0 * torch.nn.functional.one_hot(known, classes).movedim(-1, 1).float() - 10
    if classes == 2:
        right = right[:, 1:]
    loss = Loss({term: 1.0})
    assert loss(right, target) < 0.03
    assert loss(-right, target) > 0.3


def test_a_batch_of_nothing_known_has_loss_zero() -> None:
    logits, target = made(2, 0)
    assert float(Loss()(logits, torch.full_like(target, IGNORE))) == 0


def test_terms_add_up_and_weights_tell() -> None:
    logits, target = made(2, 1)
    one, two = (Loss({term: 1.0})(logits, target) for term in ("dice", "focal"))
    both = Loss({"dice": 0.5, "focal": 2.0})(logits, target)
    assert torch.isclose(both, 0.5 * one + 2 * two)
    missed = torch.full_like(logits, -3.0)
    plain = Loss({"cross_entropy": 1.0})
    heavy = Loss({"cross_entropy": 1.0}, positive_weight=5.0)
    assert heavy(missed, target) > plain(missed, target)
    logits, target = made(3, 2)
    flat = Loss({"cross_entropy": 1.0}, class_weight=(1, 1, 1))(logits, target)
    assert torch.isclose(flat, plain(logits, target))


def test_without_focus_the_focal_loss_is_the_cross_entropy() -> None:
    logits, target = made(4, 3)
    assert torch.isclose(
        Loss({"focal": 1.0}, focus=0.0)(logits, target),
        Loss({"cross_entropy": 1.0})(logits, target),
    )


@pytest.mark.parametrize(
    ("terms", "said"),
    [({"dise": 1.0}, "did you mean 'dice'"), ({"dice": -1.0}, "above 0"), ({}, "at least one")],
)
def test_losses_that_make_no_sense_are_refused(terms: dict[str, float], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        Loss(terms)


def test_class_weights_must_fit_the_classes() -> None:
    logits, target = made(3, 2)
    with pytest.raises(ModelError, match="2 numbers for 3 classes"):
        Loss({"cross_entropy": 1.0}, class_weight=(1, 2))(logits, target)


@pytest.mark.parametrize("classes", [2, 3])
def test_smoothed_labels_never_want_an_answer_that_is_sure(classes: int) -> None:
    _, target = made(classes, 4)
    known = torch.where(target == IGNORE, 0, target).long()
    sure = torch.nn.functional.one_hot(known, classes).movedim(-1, 1).float()
    loss = Loss({"cross_entropy": 1.0}, smoothing=0.1)
    worth = [float(loss(k * (sure[:, 1:] * 2 - 1 if classes == 2 else sure), target))
             for k in (0.1, 2.9, 30.0)]  # fmt: skip
    assert worth[1] < min(worth[0], worth[2])
