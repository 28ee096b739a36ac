"""Distortions: pixels and mask stay together, and the same seed does the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch

from minetrace.core.data_set import IGNORE
from minetrace.models.distort import aired, distorted, dropped, holed, recoloured, veiled
from minetrace.models.distortion import NONE, Distortion
from minetrace.models.survey import Survey

SURVEY = Survey(("red", "nir", "vv"), np.array([0.1, 0.2, -12.0]), np.array([0.05, 0.1, 3.0]),
                np.ones((1, 2)), 1.0)  # fmt: skip


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.zeros(12, 3, 40, 40)
    mask = torch.zeros(12, 40, 40, dtype=torch.uint8)
    x[:, :, 4:18, 22:36], mask[:, 4:18, 22:36] = 1.0, 1
    return x, mask


def at(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "how",
    [replace(NONE, turns=True), replace(NONE, turned_freely=1.0, zoom=1.5),
     replace(NONE, shift_px=9), replace(NONE, turns=True, turned_freely=0.5, shift_px=4)],
)  # fmt: skip
def test_the_mask_goes_where_the_pixels_go(how: Distortion) -> None:
    x, mask = batch()
    moved, known = distorted(x, mask, how, SURVEY, at(1))
    assert not torch.equal(moved, x)
    bright = (moved[:, 0] > 0.5).to(torch.uint8)
    assert (bright != known).float().mean() < 0.01
    assert set(known.unique().tolist()) == {0, 1}


def test_nothing_asked_for_is_nothing_done() -> None:
    x, mask = batch()
    same, known = distorted(x, mask, NONE, SURVEY, at(1))
    assert torch.equal(same, x)
    assert torch.equal(known, mask)


def test_the_same_seed_does_the_same_and_labels_of_whole_chips_stay() -> None:
    x, _ = batch()
    label = torch.ones(12, 1, 1, dtype=torch.uint8)
    one, other = (distorted(x, label, Distortion(), SURVEY, at(5)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], label)
    assert torch.isfinite(one[0]).all()


def test_cloud_brightens_what_is_optical_and_leaves_radar_alone() -> None:
    x, _ = batch()
    under = veiled(x, replace(NONE, cloud=1.0, haze=1.0), SURVEY, at(2))
    assert (under[:, :2] > x[:, :2]).float().mean() > 0.9
    assert torch.equal(under[:, 2], x[:, 2])


def test_a_dropped_band_says_its_mean() -> None:
    x = torch.ones(50, 3, 2, 2)
    gone = (dropped(x, 0.5, at(3), torch.zeros(3, 1, 1)) == 0).flatten(2).all(-1)
    assert set(gone.sum(1).tolist()) == {0, 1}


def test_colour_and_air_change_reflectance_alone() -> None:
    x = torch.rand(20, 3, 8, 8, generator=at(4))
    other = recoloured(x, replace(NONE, saturation=0.5, gamma=0.3), SURVEY, at(2))
    assert not torch.equal(other[:, :2], x[:, :2])
    assert torch.equal(other[:, 2], x[:, 2])
    grey = torch.tensor(SURVEY.mean[:2] * 0 + 0.2) - torch.tensor(SURVEY.mean[:2])
    flat = torch.zeros(5, 3, 2, 2)
    flat[:, :2] = (grey / torch.tensor(SURVEY.std[:2]))[:, None, None]
    paler = recoloured(flat, replace(NONE, saturation=0.5), SURVEY, at(2))
    assert paler == pytest.approx(flat, abs=1e-5)  # what has no colour has none to lose
    added = (aired(x, 1.0, SURVEY, at(3)) - x) * torch.tensor(SURVEY.std)[:, None, None]
    red, nir = added[:, 0].flatten(1), added[:, 1].flatten(1)
    assert red / 0.021 == pytest.approx(nir / 0.009, abs=1e-4)  # one amount for all bands
    assert -0.0211 < red.min() < red.max() < 0.0106
    assert not added[:, 2].any()


def test_what_nobody_saw_stays_what_a_run_fills_it_with() -> None:
    x, mask = torch.ones(8, 3, 40, 40), torch.ones(8, 40, 40, dtype=torch.uint8)
    x[:, :, 10:20, 10:20], mask[:, 10:20, 10:20] = torch.from_numpy(SURVEY.rest), IGNORE
    strong = Distortion(turned_freely=0.0, brightness=1.0, noise=1.0, cloud=1.0, haze=1.0, air=1.0)
    out, known = distorted(x, mask, strong, SURVEY, at(7))
    hole = (known == IGNORE)[:, None].expand_as(out)
    assert hole.float().mean() == pytest.approx(0.0625)
    rest = torch.from_numpy(SURVEY.rest).expand_as(out)
    assert torch.equal(out[hole], rest[hole])
    assert (out[~hole] != rest[~hole]).float().mean() > 0.9


def test_a_hole_is_filled_and_nobody_knows_what_is_in_it() -> None:
    x, mask = batch()
    rest = torch.tensor([7.0, 8.0, 9.0])[:, None, None]
    cut, known = holed(x, mask, 1.0, rest, at(6))
    hole = (cut == rest).all(1)
    assert hole.any()
    assert torch.equal(known == IGNORE, hole)
    label = torch.ones(12, 1, 1, dtype=torch.uint8)
    assert torch.equal(holed(x, label, 1.0, rest, at(6))[1], label)


def test_what_a_network_takes_as_reflectance_stays_within_its_scale() -> None:
    full = replace(SURVEY, bands=("red", "green", "blue"), mean=np.full(3, 0.06), full=0.3)
    x = torch.rand(30, 3, 16, 16, generator=at(1))
    strong = Distortion(saturation=0.5, gamma=0.3, air=1.0, hole=0.5, band_dropout=0.5)
    out, _ = distorted(x, torch.ones(30, 1, 1, dtype=torch.uint8), strong, full, at(2))
    assert 0 <= out.min() < out.max() <= 1
    image = np.array([0.06, 0.5, np.nan], np.float32).reshape(3, 1, 1)
    assert full.standard(np.repeat(image, 2, 1)) == pytest.approx(0.2)  # a hole is the mean
    assert full.scaling["red"].clip == (0.0, 0.3)
    assert full.standard(np.array([[[0.5]], [[0.15]], [[0.0]]], np.float32)).ravel().tolist() == (
        pytest.approx([1, 0.5, 0])
    )
