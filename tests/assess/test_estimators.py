"""Estimators, intervals and the drawing of points, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.assess.agreement import agreement
from minetrace.assess.allocation import ALLOCATIONS, allocate, points_for, spread_of, variance
from minetrace.assess.blocks import RAREST, gather
from minetrace.assess.change import kind_of, kinds_of
from minetrace.assess.intervals import (
    Interval,
    effective_n,
    mover_share,
    mover_sum,
    score_limits,
    wald,
    wilson,
)
from minetrace.assess.mining import difference, mining
from minetrace.assess.model_assisted import by_ratio, by_regression
from minetrace.assess.resampling import bootstrap_error
from minetrace.assess.selection import Pixels, hilbert, numbered, spread
from minetrace.assess.strata import NOWHERE, STRATA, expected_shares, mapped_in, stratify
from minetrace.assess.stratified import Drawn, Strata, mean, ratio, spread_error
from minetrace.assess.warnings import after, before
from minetrace.errors import LabelError, StudyError


def a_sample(seed: int, n: tuple[int, ...] = (40, 60, 100)) -> tuple[Drawn, np.ndarray]:
    rng = np.random.default_rng(seed)
    strata = Strata.of(("mine", "buffer", "rest"), [20, 80, 900], [2_000, 8_000, 90_000])
    y = np.concatenate([rng.random(k) < p for k, p in zip(n, (0.7, 0.2, 0.05), strict=True)])
    return Drawn(strata, np.repeat(np.arange(3), n)), y.astype(float)


@given(st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_formulas_agree_with_each_other(seed: int) -> None:
    drawn, y = a_sample(seed)
    value, error = mean(drawn, y)
    assert ratio(drawn, y, np.ones(200)) == pytest.approx((value, error))
    low, high = mover_sum(drawn, y)
    assert 0 <= low <= value <= high <= 1
    found = mining(drawn, np.array([True, False, False]), y)
    assert found.matrix.sum() == pytest.approx(1)
    assert found.matrix[:, 0].sum() * 1000 == pytest.approx(found.area_ha.value)
    for told in (found.users, found.producers, found.overall):
        assert 0 <= told.interval.low <= told.value <= told.interval.high <= 1
    net = difference(drawn, y, np.roll(y, 1))
    assert net.interval.low <= net.value <= net.interval.high


def test_the_bootstrap_finds_the_formulas() -> None:
    drawn, y = a_sample(3, (400, 600, 900))
    drawn = Drawn(Strata.of(drawn.strata.names, drawn.strata.area), drawn.stratum)
    x = (drawn.stratum == 0).astype(float)
    assert bootstrap_error(drawn, y, draws=4000) == pytest.approx(mean(drawn, y)[1], rel=0.05)
    told = ratio(drawn, y * x, y)[1]
    assert bootstrap_error(drawn, y * x, y, draws=4000) == pytest.approx(told, rel=0.06)


def test_a_census_is_certain() -> None:
    strata = Strata.of(("mine", "rest"), [3, 7], [30, 70])
    drawn, y = Drawn(strata, np.repeat([0, 1], [30, 70])), np.arange(100) % 2.0
    value, error = mean(drawn, y)
    assert (value, error) == (pytest.approx(0.5), 0)
    assert mover_sum(drawn, y) == pytest.approx((0.5, 0.5), abs=1e-6)


@given(st.integers(1, 2000), st.data())
@settings(max_examples=60, deadline=None)
def test_score_limits_hold_the_share(n: int, data: st.DataObject) -> None:
    finds = data.draw(st.integers(0, n))
    low, high = score_limits(finds / n, n)
    plain_low, plain_high = wilson(finds / n, n)
    assert 0 <= low <= plain_low <= finds / n <= plain_high == high <= 1
    if finds == 0:
        assert low == 0 < high
    more_low, more_high = score_limits(finds / n, 4 * n)
    assert high - low >= more_high - more_low


@given(st.integers(1, 6), st.integers(0, 300))
@settings(max_examples=30, deadline=None)
def test_blocks_are_of_the_rarest_ground_in_them(side: int, seed: int) -> None:
    """Of one pixel they are the pixels; of any side no ground is lost, none counted that was not
    seen, and each is of the first kind of `RAREST` that lies in it."""
    rng = np.random.default_rng(seed)
    shape = (4 * side, 5 * side)
    codes = rng.choice([*range(len(STRATA)), NOWHERE], shape, p=[0.02] * 4 + [0.1, 0.72, 0.1])
    wanted = (codes != NOWHERE) | (rng.random(shape) < 0.1)
    score = rng.random(shape).astype(np.float32)
    found = gather(codes.astype(np.uint8), wanted, [score], side)
    if side == 1:
        assert (found.code == codes).all()
        assert (found.inside == np.diag(np.bincount(codes.ravel(), minlength=256)[:6])).all()
    for row, col in np.ndindex(found.code.shape):
        here = slice(row * side, (row + 1) * side), slice(col * side, (col + 1) * side)
        seen = codes[here] != NOWHERE
        if (wanted[here] & ~seen).any() or not seen.any():
            assert found.code[row, col] == NOWHERE
            continue
        kinds = {STRATA[code] for code in codes[here][seen]}
        assert STRATA[found.code[row, col]] == next(name for name in RAREST if name in kinds)
        assert found.pixels[row, col] == seen.sum()
        assert found.facts[row, col, 0] == pytest.approx(score[here][seen].mean(), rel=1e-5)
    assert found.inside.sum() == found.pixels[found.code != NOWHERE].sum()


@given(st.integers(0, 500))
@settings(max_examples=20, deadline=None)
def test_shares_of_blocks(seed: int) -> None:
    """Alike in size they are means of shares; a census of any sizes is certain; the names of the
    strata have no say; and shares are surer than 0 and 1 of the same mean."""
    rng = np.random.default_rng(seed)
    drawn, whole = a_sample(seed)
    y, size = whole * rng.beta(2, 3, 200), rng.uniform(0.2, 1, 200)
    alike = Drawn(drawn.strata, drawn.stratum, np.full(200, 0.25))
    assert mean(alike, y) == pytest.approx(mean(drawn, y))
    assert mover_sum(alike, whole) == pytest.approx(mover_sum(drawn, whole))
    assert effective_n(drawn, whole) * drawn.unsampled == pytest.approx(drawn.counts)
    assert (effective_n(drawn, y) >= effective_n(drawn, whole) * (1 - 1e-9)).all()
    apart = Drawn(drawn.strata, drawn.stratum, size)
    low, high = mover_sum(apart, y)
    assert 0 <= low <= mean(apart, y).value <= high <= 1
    names = Drawn(Strata.of("cba", drawn.strata.area[::-1], drawn.strata.units[::-1]),
                  2 - drawn.stratum, size)  # fmt: skip
    assert mean(names, y) == pytest.approx(mean(apart, y))
    ground = apart.sums(size)
    census = Drawn(Strata.of(drawn.strata.names, ground, drawn.counts), drawn.stratum, size)
    assert mean(census, y) == pytest.approx((float((y * size).sum() / ground.sum()), 0), abs=1e-12)


def test_wilson_as_printed() -> None:
    """Newcombe (1998), table I: 81 of 263 and 0 of 20, methods 3; 15 of 148."""
    for finds, n, printed in ((81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)),
                              (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))):  # fmt: skip
        assert wilson(finds / n, n) == pytest.approx(printed, abs=5e-5)


def test_shares_of_two_amounts() -> None:
    sure = mover_share((3.0, Interval(3, 3)), (1.0, Interval(1, 1)))
    assert sure == pytest.approx((0.75, 0.75))
    nothing_omitted = mover_share((3.0, Interval(2.5, 3.5)), (0.0, Interval(0, 1)))
    assert nothing_omitted.high == 1
    assert 0.7 < nothing_omitted.low < 0.8
    assert np.isnan(mover_share((0.0, Interval(0, 0)), (0.0, Interval(0, 0))).low)
    assert mover_share((0.0, Interval(0, 1)), (2.0, Interval(1, 3))).low == 0
    assert mover_share((0.0, Interval(0, 0)), (2.0, Interval(1, 3))) == (0, 0)  # nothing mapped


def test_leaning_on_scores_is_right_on_average_and_surer() -> None:
    rng = np.random.default_rng(0)
    units = np.array([500, 1500, 8000])
    population = np.repeat(np.arange(3), units)
    score = np.clip(rng.normal([0.8, 0.4, 0.1], 0.15, (10_000, 3))[np.arange(10_000), population],
                    0, 1)  # fmt: skip
    y = (rng.random(10_000) < score**2).astype(float)
    known = [score[population == h].mean() for h in range(3)]
    strata = Strata.of(("a", "b", "c"), units, units)
    plain, leaned, shared = [], [], []
    for _ in range(200):
        take = np.concatenate(
            [rng.choice(np.flatnonzero(population == h), 100, replace=False) for h in range(3)]
        )
        drawn = Drawn(strata, population[take])
        plain.append(mean(drawn, y[take]))
        leaned.append(by_regression(drawn, y[take], score[take], known))
        shared.append(by_ratio(drawn, y[take], score[take], known))
    for found in (plain, leaned, shared):
        values, errors = np.array(found).T
        assert values.mean() == pytest.approx(y.mean(), abs=0.004)
        assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.2)
    assert np.array(leaned)[:, 1].mean() < np.array(plain)[:, 1].mean()
    flat = by_regression(drawn, y[take], np.ones(300), [1, 1, 1])
    assert flat == pytest.approx(mean(drawn, y[take]))


def test_thin_strata_are_refused_unless_wholly_drawn() -> None:
    strata = Strata.of(("mine", "rest"), [1, 9], [1, 900])
    Drawn(strata, np.array([0, 1, 1])).refuse_thin()
    with pytest.raises(LabelError, match="rest"):
        Drawn(strata, np.array([0, 1])).refuse_thin()


@given(st.sampled_from(ALLOCATIONS), st.integers(8, 3000), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_every_point_is_given_away(method: str, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = rng.integers(2, 3000, 4)
    weight, width = units / units.sum(), spread_of(rng.uniform(0.01, 0.9, 4))
    given_ = allocate(n, method, weight, width, units)  # type: ignore[arg-type]
    assert given_.sum() == min(n, units.sum())
    assert (given_ >= 2).all()
    assert (given_ <= units).all()


def test_as_many_points_as_the_error_takes() -> None:
    weight, width = np.array([0.01, 0.09, 0.9]), spread_of([0.7, 0.2, 0.001])
    units = (weight * 1_000_000).astype(int)
    for method in ALLOCATIONS:
        n = points_for(0.002, method, weight, width, units)
        enough = allocate(n + 3, method, weight, width, units)
        assert variance(weight, width, enough, units).sum() <= 0.002**2 * 1.01
    fewest = points_for(0.002, "neyman", weight, width, units)
    assert fewest <= min(points_for(0.002, m, weight, width, units) for m in ALLOCATIONS)
    with pytest.raises(StudyError, match="above 0"):
        points_for(0, "rare", weight, width, units)


def every_pixel(side: int) -> Pixels:
    row, col = (a.ravel().astype(np.int64) for a in np.indices((side, side)))
    number = numbered(5, "32719", row, col)
    return Pixels(number, np.zeros(side**2, np.int64), row, col, np.zeros((side**2, 1)))


def test_the_curve_visits_neighbours_and_meets_every_pixel_once() -> None:
    pixels = every_pixel(32)
    order = np.argsort(hilbert(pixels.row, pixels.col))
    steps = np.abs(np.diff(pixels.row[order])) + np.abs(np.diff(pixels.col[order]))
    assert (steps == 1).all()


def test_each_pixel_has_the_same_chance_and_points_keep_apart() -> None:
    pixels = every_pixel(20)
    met = np.zeros((20, 20))
    apart, at_random = [], []
    for seed in range(400):
        number = numbered(seed, "32719", pixels.row, pixels.col)
        fresh = Pixels(number, pixels.zone, pixels.row, pixels.col, pixels.facts)
        pool = fresh.lowest(200)
        picked = spread(pool, 25, seed=seed, name="rest")
        met[picked.row, picked.col] += 1
        apart.append(_nearest(picked))
        at_random.append(_nearest(fresh.lowest(25)))
    assert met.sum() == 400 * 25
    assert met.var() == pytest.approx(25 * (1 - 25 / 400), rel=0.25)  # binomial, no favourites
    assert np.mean(apart) > 1.15 * np.mean(at_random)


def _nearest(points: Pixels) -> float:
    far = np.hypot(*(np.subtract.outer(a, a) for a in (points.row, points.col)))
    np.fill_diagonal(far, np.inf)
    return float(far.min(axis=1).mean())


def test_neighbours_tell_less_error_where_the_land_is_smooth() -> None:
    drawn = Drawn(Strata.of(("a",), [1], [1e6]), np.zeros(200, dtype=np.intp))
    smooth = (np.arange(200) >= 100).astype(float)
    mixed = np.random.default_rng(1).permutation(smooth)
    along = np.arange(200)
    assert spread_error(drawn, smooth, along) < 0.2 * mean(drawn, smooth).standard_error
    told = mean(drawn, mixed).standard_error
    assert spread_error(drawn, mixed, along) == pytest.approx(told, rel=0.15)


def test_strata_of_one_period_and_of_two() -> None:
    frame = np.array([[True, True, True, True, False]])
    first = np.array([[True, True, False, False, True]])
    last = np.array([[True, False, True, False, True]])
    near, likely = np.ones_like(frame), np.ones_like(frame)
    both = stratify(frame, (first, last), near, likely)[0]
    assert [STRATA[c] for c in both[:4]] == ["mine", "lost", "gained", "buffer"]
    assert both[4] == NOWHERE
    one = stratify(frame, (first,), ~near, likely)[0]
    assert [STRATA[c] for c in one[:4]] == ["mine", "mine", "uncertain", "uncertain"]
    assert [mapped_in("lost", p, 2) for p in (0, 1)] == [True, False]
    assert [mapped_in("gained", p, 2) for p in (0, 1)] == [False, True]
    shares = expected_shares(("mine", "rest"), np.array([10.0, 1000.0]))
    assert shares[1] == pytest.approx(0.001)  # a tenth of what is mapped


def test_designs_that_cannot_carry_it_say_so() -> None:
    names, area = ("mine", "rest"), np.array([1e3, 1e6])
    points = np.array([500, 10])
    told = list(before(names, area, points, np.array([1e-9, 1e-5])))
    assert "100,000 ha" in told[0]
    assert "'rest' gets 10 points" in told[1]
    strata = Strata.of(names, area, [1e5, 1e8])
    drawn = Drawn(strata, np.repeat([0, 1], [500, 500]))
    y = np.repeat([1.0, 0.0], [400, 600])
    (warning,) = after(drawn, y)
    assert "'rest': 0 of 500" in warning
    assert mover_sum(drawn, y).high * strata.total > 5 * 800  # the interval knows it
    assert wald(*mean(drawn, y)).high * strata.total < 900  # the usual one does not


def test_two_interpreters() -> None:
    """Cohen's kappa of the table 20, 5, 10, 15: 0.40."""
    first = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]).astype(float)
    second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15]).astype(float)
    found = agreement(first, second)
    assert (found.both, found.agreed) == (50, 0.7)
    assert found.kappa == pytest.approx(0.4)
    assert np.isnan(agreement([1, 1], [1, 1]).kappa)
    assert agreement([np.nan, 1], [1, np.nan]).both == 0


HALVES = st.sampled_from([0.0, 0.5, 1.0])


@given(st.lists(st.tuples(HALVES, HALVES), min_size=1))
def test_kinds_of_change_share_each_unit_out(pairs: list[tuple[float, float]]) -> None:
    before, after = np.array(pairs).T
    stays, gained, lost, never = kinds_of(before, after).T
    assert np.allclose(stays + gained + lost + never, 1)
    assert np.allclose(stays + lost, before)
    assert np.allclose(stays + gained, after)
    assert (np.stack([stays, gained, lost, never]) >= 0).all()
    assert [kind_of(a > 0.5, b > 0.5) for a, b in ((1, 1), (0, 1), (1, 0), (0, 0))] == [0, 1, 2, 3]
