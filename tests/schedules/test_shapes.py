"""The shapes of a fall, and the schedules that papers name, against their formulas."""

import math

import numpy as np
import pytest

from gluon_lr import (
    ConstantSchedule,
    CoolDown,
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    InverseSqrtScheduler,
    InverseTimeScheduler,
    KDecaySchedule,
    LinearCoolDown,
    LinearWarmUp,
    PiecewiseSchedule,
    PolyScheduler,
    PowerLawSchedule,
    REXSchedule,
    TriangularSchedule,
    WarmupStableDecaySchedule,
    exp_range,
    linear_to_zero,
    triangular2,
)

FALLS = {
    "linear": lambda t: 1 - t,
    "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
    "1-sqrt": lambda t: 1 - math.sqrt(t),
    "square": lambda t: 1 - t * t,
    "exponential": lambda t: 2 * 0.5**t - 1,
}
COUNTS = range(320)


def assert_follows(schedule, formula, counts=COUNTS):
    expected = [formula(n) for n in counts]
    np.testing.assert_allclose([schedule(n) for n in counts], expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape", FALLS)
@pytest.mark.parametrize("warmup", [0, 20])
def test_a_warm_up_a_stable_stage_and_a_decay(shape, warmup):
    def formula(n):
        if n < warmup:
            return 0.2 + 1.8 * n / warmup
        t = (n - warmup - 100) / 50
        return 2 if t <= 0 else 0.1 + 1.9 * FALLS[shape](t) if t < 1 else 0.1

    schedule = WarmupStableDecaySchedule(2, warmup, 100, 50, shape, start_lr=0.2, finish_lr=0.1)
    assert_follows(schedule, formula)
    assert schedule.natural_length == warmup + 150
    assert schedule.base_lr == 2


def test_a_warm_up_a_stable_stage_and_a_decay_go_from_0_to_0():
    schedule = WarmupStableDecaySchedule(lr=1, warmup=10, stable=80, decay=10, shape="linear")
    assert [schedule(n) for n in (0, 5, 10, 90, 95, 100, 1000)] == [0, 0.5, 1, 1, 0.5, 0, 0]
    assert schedule == WarmupStableDecaySchedule(1, 10, 80, 10)


@pytest.mark.parametrize("shape", FALLS)
def test_a_cool_down_of_any_shape_over_any_schedule(shape):
    inner = CosineScheduler(300, base_lr=1)
    start = (1 + math.cos(math.pi / 3)) / 2

    def formula(n):
        if n <= 100:
            return (1 + math.cos(math.pi * n / 300)) / 2
        return 0.25 + (start - 0.25) * FALLS[shape]((n - 100) / 60) if n < 160 else 0.25

    schedule = CoolDown(inner, finish_lr=0.25, start_idx=100, length=60, shape=shape)
    assert_follows(schedule, formula)
    assert (schedule.start_lr, schedule.finish_idx) == (pytest.approx(start), 160)
    inner.base_lr = 2
    assert schedule(130) == pytest.approx(0.25 + (2 * start - 0.25) * FALLS[shape](0.5))


def test_a_linear_cool_down_is_one_of_them():
    inner = InverseSqrtScheduler(20, base_lr=1)
    linear = LinearCoolDown(inner, 0.1, 50, 100)
    np.testing.assert_array_equal(
        linear.values(COUNTS), CoolDown(inner, 0.1, 50, 100).values(COUNTS)
    )
    with pytest.raises(AttributeError):
        _ = linear.shape


def test_rex():
    def formula(n):
        t = min(n / 200, 1)
        return 0.1 + 1.9 * (1 - t) / (0.5 + 0.5 * (1 - t))

    assert_follows(REXSchedule(0.1, 2, 200), formula)
    restarts = CyclicalSchedule(REXSchedule, 100, 2, 0.5, min_lr=0, max_lr=1)
    assert [restarts(n) for n in (0, 100, 200)] == pytest.approx([1, 0.5, 0.5 * 2 / 3])


@pytest.mark.parametrize("exponent", [0.5, 1, 2.5])
def test_a_cosine_with_an_exponent(exponent):
    schedule = CosineScheduler(200, 2, 0.1, warmup_steps=20, exponent=exponent)
    assert_follows(
        schedule,
        lambda n: (
            n / 10
            if n < 20
            else 0.1 + 1.9 * ((1 + math.cos(math.pi * min((n - 20) / 180, 1))) / 2) ** exponent
        ),
    )


def test_inverse_time():
    schedule = InverseTimeScheduler(step=40, base_lr=2, warmup_steps=20)
    assert_follows(schedule, lambda n: n / 10 if n < 20 else 2 / (1 + (n - 20) / 40))


@pytest.mark.parametrize("power", [-0.51, -1, -3])
def test_a_power_law(power):
    schedule = PowerLawSchedule(max_lr=0.5, factor=4, power=power)
    assert_follows(schedule, lambda n: 0.5 if n == 0 else min(0.5, 4 * n**power))
    assert schedule.natural_length == math.inf


def test_a_power_law_at_its_edges():
    assert PowerLawSchedule(1, 1e-310, -400.0)(10**15) == 0
    assert PowerLawSchedule(1, 1e300, -1e-3)(10**15) == 1
    assert PowerLawSchedule(1, 1e-300, -1e-3)(1) == pytest.approx(1e-300, rel=1e-9)


@pytest.mark.parametrize("k", [0.5, 1, 1.5, 3])
def test_k_decay(k):
    schedule = KDecaySchedule(CosineAnnealingSchedule(0.1, 1, 200), 200, k)
    assert_follows(
        schedule, lambda n: 0.1 + 0.9 * (1 + math.cos(math.pi * min((n / 200) ** k, 1))) / 2
    )


@pytest.mark.parametrize("interpolation", ["constant", "linear", "cosine"])
def test_rates_at_iterations(interpolation):
    iterations, lrs = [10, 60, 61.5, 250], [0.3, 0.1, 2, 0]
    schedule = PiecewiseSchedule(iterations, lrs, interpolation)
    assert [schedule(n) for n in iterations] == lrs
    assert schedule(0) == lrs[0]
    assert schedule(10**9) == lrs[-1]
    for start, end, first, second in zip(iterations, iterations[1:], lrs, lrs[1:]):
        share = {"constant": 0, "linear": 0.25, "cosine": (1 - math.cos(math.pi / 4)) / 2}
        inside = start + (end - start) / 4
        expected = first + (second - first) * share[interpolation]
        assert schedule(inside) == pytest.approx(expected, rel=1e-12)
    if interpolation == "linear":
        np.testing.assert_allclose(schedule.values(COUNTS), np.interp(COUNTS, iterations, lrs))
    np.testing.assert_allclose(
        schedule.values(COUNTS), [schedule(n) for n in COUNTS], rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], []), ValueError, "`iterations` must be a rising, non-empty list"),
        (([5, 5], [1, 2]), ValueError, "`iterations` must be a rising, non-empty list"),
        (([-1, 5], [1, 2]), ValueError, "`iterations` must be a finite number of at least 0"),
        ((5, [1]), TypeError, "`iterations` must be a rising, non-empty list"),
        (([1, 2], [1]), ValueError, "`lrs` must be as many rates as the 2 iterations"),
        (([1, 2], 1), TypeError, "`lrs` must be a list of rates"),
        (([1, 2], [1, math.nan]), ValueError, "`lrs` must be a finite number of at least 0"),
        (([1], [1], "spline"), ValueError, "`interpolation` must be one of"),
    ],
)
def test_rates_at_iterations_refuse_others(arguments, error, message):
    with pytest.raises(error, match="PiecewiseSchedule: " + message):
        PiecewiseSchedule(*arguments)


def test_rates_at_iterations_may_be_arrays():
    given = PiecewiseSchedule(np.array([0, 10]), np.array([0.5, 1]))
    assert given == PiecewiseSchedule([0, 10], [0.5, 1.0])


def triangle(n, length):
    t = n % length / length
    return 2 * t if t <= 0.5 else 2 - 2 * t


def test_triangles_that_halve_over_a_lower_bound_that_stays():
    schedule = triangular2(0.1, 1.1, 40)
    assert_follows(schedule, lambda n: 0.1 + triangle(n, 40) / 2 ** (n // 40))
    assert schedule == CyclicalSchedule(
        TriangularSchedule, 40, 1, 0.5, min_lr=0, max_lr=1.1 - 0.1, inc_fraction=0.5
    ) + ConstantSchedule(0.1)


def test_triangles_that_decay_at_each_iteration_over_a_lower_bound_that_stays():
    assert_follows(exp_range(0.1, 1.1, 40, 0.99), lambda n: 0.1 + triangle(n, 40) * 0.99**n)


def test_a_decay_at_each_iteration_is_no_share_of_a_training():
    with pytest.raises(ValueError, match=r"exp_range: `cycle_length` must be .* of at least 1"):
        exp_range(0.1, 1, 0.25, 0.99)
    assert triangular2(0.1, 1, 0.25).scaled_to(1000) == triangular2(0.1, 1, 250)


@pytest.mark.parametrize("make", [triangular2, lambda *a: exp_range(*a, 0.9)])
def test_triangles_have_their_peak_above(make):
    with pytest.raises(ValueError, match=r"`max_lr` must be a finite number of at least 0\.5, got"):
        make(0.5, 0.1, 10)


def test_linear_to_zero():
    assert_follows(
        linear_to_zero(2, length=200, warmup=20),
        lambda n: n / 10 if n < 20 else max(2 * (200 - n) / 180, 0),
    )
    assert linear_to_zero(1, 100) == LinearWarmUp(PolyScheduler(100, base_lr=1, pwr=1), 0, 0)
    with pytest.raises(ValueError, match="linear_to_zero: `length` must be above `warmup`, 100"):
        linear_to_zero(1, 100, 100)


def test_a_decay_over_restarts():
    restarts = CyclicalSchedule(CosineAnnealingSchedule, 50, min_lr=0, max_lr=2)
    schedule = restarts * PolyScheduler(200, base_lr=1, pwr=1)
    assert_follows(
        schedule,
        lambda n: (1 + math.cos(math.pi * (n % 50) / 50)) * max(1 - n / 200, 0),
    )
    assert schedule.natural_length == 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: WarmupStableDecaySchedule(1, 1, 1, 1, "sqrt"),
            "`shape` must be one of 'linear', ",
        ),
        (lambda: WarmupStableDecaySchedule(1, -1, 1, 1), "WarmupStableDecaySchedule: `warmup`"),
        (lambda: CoolDown(ConstantSchedule(1), 0, 1, 1, None), "CoolDown: `shape` must be one of"),
        (lambda: KDecaySchedule(ConstantSchedule(1), 10, 0), "KDecaySchedule: `k` must be"),
        (lambda: PowerLawSchedule(1, 1, 0.5), "PowerLawSchedule: `power` must be .* below 0"),
        (lambda: CosineScheduler(10, exponent=0), "CosineScheduler: `exponent` must be .* above 0"),
        (lambda: ConstantSchedule(1).shifted(-1), "ShiftedSchedule: `by` must be"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()
