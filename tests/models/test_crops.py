"""Crops: drawn as a function of seed and step; and what they are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.chips.open_set import open_data_set
from minetrace.chips.options import SetOptions
from minetrace.core.data_set import IGNORE, DataSet
from minetrace.errors import DataSetError
from minetrace.models.crops import Drawer, Pool, even_odds, windows
from minetrace.models.survey import survey
from minetrace.testing.chips import write_square_chips, write_window_chips

BANDS = ("blue", "green", "red")


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    path = write_square_chips(tmp_path_factory.mktemp("chips") / "squares.npz")
    return open_data_set(path, SetOptions(bands=BANDS))


@pytest.fixture(scope="module")
def pool(squares: DataSet) -> Pool:
    train = squares.split("train")
    return Pool(train, survey(train, BANDS))


def test_a_survey_counts_what_was_seen_in_the_training_part(squares: DataSet) -> None:
    train = squares.split("train")
    found = survey(train, ("red", "blue"))
    pixels = np.stack([squares.read(chip)[0][[2, 0]] for chip in train.chips])
    assert found.mean == pytest.approx(np.nanmean(pixels, axis=(0, 2, 3)))
    assert found.std == pytest.approx(np.nanstd(pixels, axis=(0, 2, 3)), rel=1e-4)
    assert found.seen == pytest.approx(np.isfinite(pixels).all(axis=1).mean())
    assert found.shares.shape == (6, 2)
    scaled = found.scaling["red"]
    assert found.mean[0] * scaled.scale + scaled.offset == pytest.approx(0)
    assert found.fill == pytest.approx(found.mean)


def test_the_same_step_draws_the_same_and_another_another(pool: Pool) -> None:
    draw = Drawer(pool, 32, 4, 0.5, 9)
    again = Drawer(Pool(pool.data, pool.survey, room=1), 32, 4, 0.5, 9)  # reads every chip anew
    for step in (3, 0):
        for one, other in zip(draw(step), again(step), strict=True):
            assert np.array_equal(one, other)
    assert not np.array_equal(draw(1)[0], draw(2)[0])


def test_balance_is_the_share_of_crops_around_a_label(pool: Pool) -> None:
    always, _ = Drawer(pool, 16, 64, 1.0, 1), None
    assert all((mask == 1).any() for mask in always(0)[1])
    anywhere = Drawer(pool, 16, 64, 0.0, 1)(0)[1]
    assert 0 < sum((mask == 1).any() for mask in anywhere) < 64


def test_holes_are_zero_and_unknown(pool: Pool) -> None:
    image, mask = pool[0]
    assert not image[:, -8:, -8:].any()
    assert (mask[-8:, -8:] == IGNORE).all()
    assert np.isfinite(image).all()


def test_a_crop_larger_than_its_chip_is_padded_with_what_nobody_knows(pool: Pool) -> None:
    images, masks = Drawer(pool, 80, 2, 0.5, 1)(0)
    assert images.shape == (2, 3, 80, 80)
    assert not images[:, :, 64:].any()
    assert (masks[:, 64:] == IGNORE).all()


def test_windows_cover_every_pixel_once(pool: Pool) -> None:
    known = sum((mask != IGNORE).sum() for _, _, mask in windows(pool, 48))
    assert known == sum((pool[i][1] != IGNORE).sum() for i in range(len(pool)))


def test_bagging_draws_the_picked_alone(pool: Pool) -> None:
    draw = Drawer(pool, 64, 8, 0.5, 1, picked=(2, 2, 3))
    held = {pool[i][0].tobytes() for i in (2, 3)}
    assert {image.tobytes() for image in draw(0)[0]} == held


def test_chips_labelled_as_a_whole_give_one_label(tmp_path: Path) -> None:
    data = open_data_set(write_window_chips(tmp_path / "w.npz"), SetOptions(bands=BANDS))
    train = data.split("train")
    pool = Pool(train, survey(train, BANDS), whole=True)
    images, labels = Drawer(pool, 40, 32, 0.5, 3)(0)
    assert images.shape == (32, 3, 40, 40)
    assert labels.shape == (32, 1, 1)
    assert 6 < labels.sum() < 26
    with pytest.raises(DataSetError, match="smaller than a window"):
        Drawer(pool, 64, 1, 0.5, 3)(0)


def test_a_mine_that_only_a_point_names_is_drawn_as_often_as_any(pool: Pool) -> None:
    """Masks of such chips say 255 or 0 and never the class."""
    named = tuple(replace(chip, label=n % 2) for n, chip in enumerate(pool.data.chips))
    shares = np.zeros_like(pool.survey.shares)
    shares[::2, 0] = 0.01
    asked = Pool(replace(pool.data, chips=named), replace(pool.survey, shares=shares), whole=True)
    assert asked.shares.tolist() == [[1, 0], [0, 1]] * 3
    _, labels = Drawer(asked, 32, 400, 0.5, 3)(0)
    assert labels.mean() == pytest.approx(0.5, abs=0.1)


def test_a_mine_that_one_band_did_not_see_cannot_be_drawn(tmp_path: Path) -> None:
    images = np.random.default_rng(1).random((2, 3, 32, 32)).astype(np.float32)
    masks = np.zeros((2, 32, 32), np.uint8)
    masks[:, 4:9, 4:9] = 1
    images[0, 1, 4:9, 4:9] = np.nan
    np.savez(tmp_path / "gap.npz", images=images, masks=masks, split=["train"] * 2)
    data = open_data_set(tmp_path / "gap.npz", SetOptions(bands=BANDS))
    assert (survey(data, BANDS).shares[:, 1] > 0).tolist() == [False, True]
    assert (survey(data, ("blue", "red")).shares[:, 1] > 0).all()
    drawn = Drawer(Pool(data, survey(data, BANDS)), 16, 16, 1.0, 1)(0)[1]
    assert (drawn == 1).any((1, 2)).all()


def test_a_set_without_training_chips_or_with_a_flat_band_is_refused(squares: DataSet) -> None:
    with pytest.raises(DataSetError, match="split 'train'"):
        survey(squares.where([]), BANDS)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.floats(0, 1))
def test_sources_get_their_share_of_the_draws(said: list[int], power: float) -> None:
    sources = [f"list{n}" for n in said]
    odds = even_odds(sources, power)
    assert odds.sum() == pytest.approx(1)
    shares = [odds[np.array(said) == n].sum() / said.count(n) ** power for n in set(said)]
    assert max(shares) == pytest.approx(min(shares))


def test_a_small_source_is_drawn_as_often_as_a_large_one_if_asked(pool: Pool) -> None:
    chips = [replace(c, source="few" if n == 0 else "many") for n, c in enumerate(pool.data.chips)]
    uneven = Pool(pool.data.where(chips), pool.survey)
    first = uneven[0][0]
    shares = []
    for power in (0.0, 1.0):
        images = np.stack([Drawer(uneven, 64, 50, 0.5, 3, (), power)(s)[0] for s in range(4)])
        shares.append((images == first).all(axis=(2, 3, 4)).mean())
    assert shares[0] == pytest.approx(0.5, abs=0.12)
    assert shares[1] < 0.3
