"""Neighbouring periods can be told apart, whatever cones an eye has."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from minetrace.publish.palette import palette

# What an eye without one kind of cone sees, in linear RGB (Machado, Oliveira & Fernandes 2009).
EYES = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """CIELAB of ``#rrggbb`` as an eye sees it."""
    srgb = np.array(list(bytes.fromhex(colour[1:]))) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(eye @ linear, 0, 1) / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, two: np.ndarray) -> float:
    """Difference of two colours in CIELAB (Sharma, Wu & Dalal 2005); about 1 is just seen."""
    chroma = (np.hypot(*one[1:]) + np.hypot(*two[1:])) / 2
    grow = 1 + 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25**7)))
    (l1, a1, b1), (l2, a2, b2) = one * [1, grow, 1], two * [1, grow, 1]
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2([b1, b2], [a1, a2])) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    light, c, hue = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360
    delta_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    waves = ((0.17, 1, -30), (-0.24, 2, 0), (-0.32, 3, 6), (0.20, 4, -63))
    t = 1 - sum(k * np.cos(np.radians(n * hue + shift)) for k, n, shift in waves)
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    dl, dc, dh = (l2 - l1) / s_l, (c2 - c1) / (1 + 0.045 * c), delta_h / (1 + 0.015 * c * t)
    angle = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    cross = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(angle))
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + cross * dc * dh))


def test_the_difference_is_that_of_its_authors() -> None:
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ]
    for one, two, expected in pairs:
        assert ciede2000(np.array(one), np.array(two)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("steps", "least"), [(2, 50), (4, 15), (6, 9), (8, 7.5), (12, 4)])
def test_neighbours_stay_apart_for_every_eye(eye: str, steps: int, least: float) -> None:
    seen = [lab(colour, EYES[eye]) for colour in palette(steps)]
    apart = [ciede2000(a, b) for a, b in itertools.pairwise(seen)]
    assert min(apart) >= least


@pytest.mark.parametrize("steps", [1, 2, 6, 8, 24])
def test_colours_get_lighter_step_by_step(steps: int) -> None:
    light = [lab(colour, EYES["usual"])[0] for colour in palette(steps)]
    assert len(light) == steps
    assert light == sorted(set(light))
