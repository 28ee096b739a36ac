"""Worked examples of the papers, reproduced to every digit that was printed."""

from __future__ import annotations

import numpy as np
import pytest

from minetrace.assess.accuracy import Accuracy, accuracy, one_hot
from minetrace.assess.allocation import allocate, points_for, spread_of
from minetrace.assess.intervals import wald, z_of
from minetrace.assess.stratified import Drawn, Strata


def from_counts(counts: list[list[int]], area: list[float]) -> tuple[Accuracy, Strata]:
    """Strata that are the map's classes, from an error matrix of counts; no finite correction."""
    n = np.array(counts)
    mapped, true = (np.repeat(i.ravel(), n.ravel()) for i in np.indices(n.shape))
    names = tuple("abcd"[: len(n)])
    strata, eye = Strata.of(names, area), np.eye(len(n))
    return accuracy(Drawn(strata, mapped), eye[mapped], eye[true], names), strata


@pytest.fixture(scope="module")
def stehman() -> Accuracy:
    """Stehman (2014), Table 2: 40 units in four strata that are not the map's classes."""
    classes = tuple("ABCD")
    stratum = np.repeat(np.arange(4), 10)
    mapped = np.array(list("AAAAAAABBBABBBBBBBBBBBCCCCCCBBDDDDDDDDDD"))
    true = np.array(list("AAAAACBABCABBBBBAABBCCCCCDDBBADDDDDDDCCB"))
    pixels = [40_000, 30_000, 20_000, 10_000]
    strata = Strata.of(classes, pixels, pixels)
    return accuracy(
        Drawn(strata, stratum), one_hot(mapped, classes), one_hot(true, classes), classes
    )


def test_stehman_2014_as_printed(stehman: Accuracy) -> None:
    """Pages 4932 to 4936 of the paper, doi:10.1080/01431161.2014.930207."""
    b = 1
    printed = {
        0.35: stehman.shares[0].value, 0.20: stehman.shares[2].value,
        0.63: stehman.overall.value, 0.08: stehman.matrix[b, 2],
        0.574: stehman.users[b].value, 0.794: stehman.producers[b].value,
        0.082: stehman.shares[0].standard_error, 0.064: stehman.shares[2].standard_error,
        0.085: stehman.overall.standard_error, 0.125: stehman.users[b].standard_error,
    }  # fmt: skip
    for said, found in printed.items():
        digits = len(f"{said:g}".partition(".")[2])
        assert round(found, digits) == said


def test_stehman_2014_producers_error_by_hand() -> None:
    """The paper prints 0.114 where its own eq. 28 gives 0.1166.

    Each stratum adds W^2 (s_y^2 + R^2 s_x^2 - 2 R s_xy) / n, with x true B, y true and mapped B,
    R = 0.27 / 0.34, and 10 units a stratum. In the fourth one unit is B and mapped D: s_x^2 = 0.1,
    which adds 0.00063 of 0.01571. Without it the result is the printed number, so it seems to have
    been left out there. mapaccuracy and EnMAP-Box have it, as the next two tests show.
    """
    r = 0.27 / 0.34
    terms = [
        0.4**2 * (0.1 + r**2 * 0.16 / 0.9 - 2 * r * 0.08 / 0.9),
        0.3**2 * (0.21 / 0.9) * (1 + r**2 - 2 * r),
        0.2**2 * (0.1 + r**2 * 0.16 / 0.9 - 2 * r * 0.08 / 0.9),
        0.1**2 * (r**2 * 0.1),
    ]
    assert np.sqrt(sum(terms) / 10) / 0.34 == pytest.approx(0.1165671, abs=5e-8)
    assert round(float(np.sqrt(sum(terms[:3]) / 10) / 0.34), 3) == 0.114


def test_stehman_2014_as_software_prints_it(stehman: Accuracy) -> None:
    """mapaccuracy 0.1.2 in Python (PyMapAccuracy), six digits; with the finite correction."""
    assert stehman.overall.standard_error == pytest.approx(0.084642, abs=5e-7)
    assert stehman.users[1] == pytest.approx((0.574468, 0.124782), abs=5e-7)
    assert stehman.producers[1] == pytest.approx((0.794118, 0.116548), abs=5e-7)
    assert stehman.shares[0].standard_error == pytest.approx(0.082248, abs=5e-7)
    assert stehman.shares[2].standard_error == pytest.approx(0.064280, abs=5e-7)


def test_stehman_2014_without_finite_correction(stehman: Accuracy) -> None:
    """EnMAP-Box prints the same example as if the ground were endless; seven digits."""
    classes = tuple("ABCD")
    mapped = np.array(list("AAAAAAABBBABBBBBBBBBBBCCCCCCBBDDDDDDDDDD"))
    true = np.array(list("AAAAACBABCABBBBBAABBCCCCCDDBBADDDDDDDCCB"))
    drawn = Drawn(Strata.of(classes, [4, 3, 2, 1]), np.repeat(np.arange(4), 10))
    found = accuracy(drawn, one_hot(mapped, classes), one_hot(true, classes), classes)
    assert found.overall == pytest.approx((0.63, 0.08465617), abs=5e-9)
    users = [(0.7419355, 0.1645627), (0.5744681, 0.1248023), (0.5, 0.2151657), (0.7, 0.1527525)]
    producers = [(0.6571429, 0.1477318), (0.7941176, 0.1165671), (0.3, 0.1504438),
                 (0.6363636, 0.1623242)]  # fmt: skip
    shares = [(0.35, 0.08225975), (0.34, 0.07586538), (0.20, 0.06429101), (0.11, 0.03073181)]
    assert np.allclose(found.users, users, rtol=0, atol=5.1e-8)
    assert np.allclose(found.producers, producers, rtol=0, atol=5.1e-8)
    assert np.allclose(found.shares, shares, rtol=0, atol=5.1e-9)


def test_olofsson_2014_table_8() -> None:
    """Left and right of page 54, doi:10.1016/j.rse.2014.02.015; printed with two or three digits,
    and to seven by mapaccuracy 0.1.2."""
    counts = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
    pixels = [200_000, 150_000, 3_200_000, 6_450_000]
    found, strata = from_counts(counts, [n * 0.09 for n in pixels])  # 30 m pixels, hectares
    z = z_of()
    assert found.overall.value == pytest.approx(0.9465119, abs=5e-8)
    assert found.overall.standard_error * z == pytest.approx(0.01848328, abs=5e-9)
    users = [(0.88, 0.07403962), (0.7333333, 0.10075516), (0.9272727, 0.03974464),
             (0.9630769, 0.02053312)]  # fmt: skip
    producers = [(0.7486614, 0.21330593), (0.8471564, 0.25440369), (0.9345089, 0.03432379),
                 (0.9616090, 0.01836120)]  # fmt: skip
    areas = [(21157.76, 6157.521), (11686.15, 3755.757), (285769.9, 15509.55),
             (581386.2, 16281.36)]  # fmt: skip
    for (value, half), figure in zip(users, found.users, strict=True):
        assert figure.value == pytest.approx(value, abs=5e-8)
        assert figure.standard_error * z == pytest.approx(half, abs=1e-8)
    for (value, half), figure in zip(producers, found.producers, strict=True):
        assert figure.value == pytest.approx(value, abs=5e-8)
        assert figure.standard_error * z == pytest.approx(half, abs=1e-8)
    for (value, half), figure in zip(areas, found.shares, strict=True):
        assert figure.value * strata.total == pytest.approx(value, rel=4.9e-7)
        assert figure.standard_error * strata.total * z == pytest.approx(half, rel=4.9e-7)
    # as printed, in pixels, with 1.96 for z
    whole = sum(pixels)
    assert round(found.shares[0].value * whole) == 235_086
    assert found.shares[0].standard_error * whole * 1.96 == pytest.approx(68_418, abs=1)
    assert [round(u.value, 2) for u in found.users] == [0.88, 0.73, 0.93, 0.96]
    assert [round(p.value, 2) for p in found.producers] == [0.75, 0.85, 0.93, 0.96]
    assert round(found.overall.value, 2) == 0.95


def test_olofsson_2013_example_1() -> None:
    """Equations 9 to 16 with their numbers, doi:10.1016/j.rse.2012.10.031; seven digits as
    mapaccuracy 0.1.2 prints them. The paper's own area (45,651 ha) has a rounded share in it."""
    counts = [[97, 0, 3], [3, 279, 18], [2, 1, 97]]
    found, strata = from_counts(counts, [22_353, 1_122_543, 610_228])
    share = found.shares[0]
    assert share.value == pytest.approx(0.02570326, abs=5e-9)
    assert round(share.standard_error, 5) == 0.00613
    assert share.value * strata.total == pytest.approx(45_112.4, abs=0.05)
    assert int(share.standard_error * strata.total) == 10_751
    low, high = wald(share.value * strata.total, share.standard_error * strata.total)
    assert (high - low) / 2 == pytest.approx(21_072.37, abs=0.005)
    assert found.users[0].value == pytest.approx(0.97, abs=1e-9)
    assert found.producers[0].value == pytest.approx(0.4806308, abs=5e-8)
    assert found.overall.value == pytest.approx(0.9444168, abs=5e-8)
    halves = [f.standard_error * z_of() for f in (*found.users, *found.producers)]
    assert halves == pytest.approx(
        [0.03360292, 0.02892031, 0.03360292, 0.22453045, 0.01132522, 0.04120541], abs=6e-9
    )


def test_olofsson_2014_sample_size() -> None:
    """Section 5.1.1: 641 points for a standard error of 0.01 of overall accuracy."""
    weight = np.array([0.020, 0.015, 0.320, 0.645])
    spread = spread_of([0.70, 0.60, 0.90, 0.95])
    endless = np.full(4, np.inf)
    assert points_for(0.01, "neyman", weight, spread, endless) == 641
    pixels = [200_000, 150_000, 3_200_000, 6_450_000]
    equal, shared = (
        allocate(641, method, weight, spread, pixels) for method in ("equal", "proportional")
    )
    assert equal.tolist() == [161, 160, 160, 160]
    assert shared.tolist() == [13, 10, 205, 413]
    rare = allocate(641, "rare", weight, spread, pixels, minimum=75)
    assert rare[:2].tolist() == [75, 75]
    assert abs(rare[2] - 165) <= 2  # the paper rounds to 165 and 325
    assert abs(rare[3] - 325) <= 3
