"""Which pixels are clear, and how far a mask grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.errors import StudyError
from minetrace.sources.masks import MaskOptions, classify, dilate


def test_scene_classes() -> None:
    values = np.arange(12, dtype=np.uint8)[None]
    clear, spread = classify(values, MaskOptions("scl"), None)
    assert np.flatnonzero(clear).tolist() == [2, 4, 5, 6, 7]
    assert np.flatnonzero(spread).tolist() == [3, 8, 9, 10]
    clear, spread = classify(values, MaskOptions("scl", keep=(4, 11)), None)
    assert np.flatnonzero(clear).tolist() == [4, 11]
    clear, _ = classify(values, MaskOptions("scl", drop=(3, 8, 9, 10)), None)
    assert np.flatnonzero(clear).tolist() == [1, 2, 4, 5, 6, 7, 11]


def test_quality_bits() -> None:
    clear_land, water, cloud, dilated, shadow, cirrus, snow, fill = (
        21824, 21952, 22280, 21826, 23888, 54596, 30048, 1,
    )  # fmt: skip
    values = np.array([[clear_land, water, cloud, dilated, shadow, cirrus, snow, fill]], np.uint16)
    clear, spread = classify(values, MaskOptions("qa_pixel"), None)
    assert clear.tolist() == [[True, True, False, False, False, False, True, False]]
    assert spread.tolist() == [[False, False, True, True, True, True, False, False]]
    clear, spread = classify(values, MaskOptions("qa_pixel", drop=(3, 5)), None)
    assert clear.tolist() == [[True, True, False, True, True, True, False, False]]
    assert not spread[0, 6]


def test_a_band_of_the_users_own() -> None:
    values = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    clear, spread = classify(values, MaskOptions("band", band="clouds", keep=(0,)), 255.0)
    assert clear.tolist() == [[True, False, False, False]]
    assert spread.tolist() == [[False, True, True, False]]


@given(
    seed=st.integers(0, 999), radius=st.floats(0, 9), height=st.integers(1, 25),
    width=st.integers(1, 25), density=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_dilation_is_a_disk(
    seed: int, radius: float, height: int, width: int, density: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < density
    y, x = np.mgrid[0:height, 0:width]
    expected = mask.copy()
    for row, col in np.argwhere(mask):
        expected |= (y - row) ** 2 + (x - col) ** 2 <= radius**2 + 1e-6
    assert np.array_equal(dilate(mask, radius), expected)


@pytest.mark.parametrize(
    "settings_",
    [
        {"kind": "scl", "keep": (4,), "drop": (3,)},
        {"kind": "qa_pixel", "keep": (1,)},
        {"kind": "band", "band": "x"},
        {"kind": "band", "keep": (1,)},
        {"kind": "none", "keep": (1,)},
        {"kind": "scl", "dilate_m": -1.0},
        {"kind": "scl", "dilate_m": float("nan")},
    ],
)
def test_options_without_a_meaning(settings_: dict[str, object]) -> None:
    with pytest.raises(StudyError, match=r"sources\.mask"):
        MaskOptions(**settings_)  # type: ignore[arg-type]
