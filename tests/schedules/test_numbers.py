"""Numbers as MXNet's tutorials take them: fractions, no length, bounds the other way round."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gluon_lr import (
    ConstantSchedule,
    ConstantWarmUp,
    CosineAnnealingSchedule,
    CosineScheduler,
    CosineWarmUp,
    CyclicalSchedule,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PolyScheduler,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx, nd

FLAT = ConstantSchedule(1)
TAKERS = {
    "step of a factor": lambda n: FactorScheduler(n, 0.5, base_lr=1),
    "steps": lambda n: MultiFactorScheduler((n, 500), 0.5, base_lr=1),
    "step of an exponential": lambda n: ExponentialScheduler(n, 0.5, base_lr=1),
    "max_update": lambda n: PolyScheduler(n, base_lr=1),
    "warmup_steps": lambda n: CosineScheduler(100, base_lr=1, warmup_steps=n),
    "warmup_steps that set the pace": lambda n: InverseSqrtScheduler(n, base_lr=1),
    "cycle_length": lambda n: TriangularSchedule(0, 1, n),
    "cycle_length of a cosine": lambda n: CosineAnnealingSchedule(0, 1, n),
    "cycle_length and cooldown_length": lambda n: OneCycleSchedule(0.1, 1, n, n, 0),
    "cycle_length repeated": lambda n: CyclicalSchedule(TriangularSchedule, n, min_lr=0, max_lr=1),
    "length of a warm-up": lambda n: LinearWarmUp(FLAT, 0, n),
    "start_idx and length of a cool-down": lambda n: LinearCoolDown(FLAT, 0, n, n),
    "after": lambda n: FLAT.then(ConstantSchedule(2), n),
    "iterations_per_epoch": lambda n: TriangularSchedule(0, 1, 4).in_epochs(n),
}
takers = pytest.mark.parametrize("make", TAKERS.values(), ids=TAKERS)
KINDS = [np.int32, np.float64, np.array, mx.np.array, lambda n: nd.array([n]), Fraction]


@takers
def test_a_whole_number_is_kept_as_int_whatever_it_came_as(make):
    for kind in KINDS:
        assert repr(make(kind(20))) == repr(make(20))


@takers
def test_a_fraction_is_taken(make):
    for kind in (np.float64, np.array, Fraction):
        assert make(kind(20.75)) == make(20.75) != make(20)
    curve = make(20.75)
    assert curve.values(range(200)).tolist() == pytest.approx([curve(n) for n in range(200)])


@takers
@pytest.mark.parametrize("wrong", [True, np.bool_(True), math.nan, math.inf, "20", None, -1])
def test_what_is_no_number_of_iterations_is_refused(make, wrong):
    with pytest.raises(
        (TypeError, ValueError), match=r"` must be a finite number (above|of at least) 0"
    ):
        make(wrong)


def test_steps_may_be_an_array():
    expected = MultiFactorScheduler([250, 750.5], 0.5)
    for steps in (np.array([250, 750.5]), mx.np.array([250, 750.5]), (250.0, 750.5)):
        assert MultiFactorScheduler(steps, 0.5) == expected
    for wrong in (np.array([[250, 750]]), np.array(250), 250.0, "250"):
        with pytest.raises(TypeError, match="`step` must be a rising, non-empty list"):
            MultiFactorScheduler(wrong)


@pytest.mark.parametrize(
    "rate", [np.float32(0.5), np.array(0.5), mx.np.array(0.5), nd.array([0.5])]
)
def test_a_rate_may_be_a_number_of_numpys_or_mxnets(rate):
    assert TriangularSchedule(rate, 1, 10) == TriangularSchedule(0.5, 1, 10)
    schedule = FactorScheduler(10, rate)
    schedule.base_lr = rate
    assert (schedule.factor, schedule.base_lr) == (0.5, 0.5)


def walk_through_cycles(length, decay, count):
    """Return (cycle, its length, offset in it) at `count`, found cycle by cycle."""
    cycle, end = 0, length
    while count >= end:
        length = math.ceil(length * decay)
        cycle, end = cycle + 1, end + length
    return cycle, length, count - (end - length)


@pytest.mark.parametrize("decay", [0.5, 0.9, 1, 1.3, 2])
@pytest.mark.parametrize("length", [2.5 * 60000 / 64 / 100, 1.5, 10.25, 7])
def test_cycles_of_a_fractional_length_are_those_of_a_walk(length, decay):
    schedule = CyclicalSchedule(CosineAnnealingSchedule, length, decay, 0.9, min_lr=1, max_lr=3)
    counts = [*range(300), 0.5, 23.4375, 57.25]
    expected = []
    for count in counts:
        cycle, its_length, offset = walk_through_cycles(length, decay, count)
        height = (1 + math.cos(math.pi * offset / its_length)) / 2
        expected.append((1 + 2 * height) * 0.9**cycle)
    np.testing.assert_allclose([schedule(n) for n in counts], expected, rtol=1e-9)
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-9)


@pytest.mark.parametrize("step", [1.1, 2.5, 3.3, 10.7])
def test_fractional_steps_are_counted_as_mxnet_counts_them(step):
    own = mx.lr_scheduler.MultiFactorScheduler([4], 0.5, base_lr=1)
    own.step = [step * k for k in range(1, 40)]
    ours = FactorScheduler(step, 0.5, stop_factor_lr=0, base_lr=1)
    counts = range(1, 40)
    expected = [own(n) for n in counts]
    assert [ours(n) for n in counts] == expected
    assert [ours(n) for n in reversed(counts)] == expected[::-1]
    np.testing.assert_array_equal(ours.values(counts), expected)


@pytest.mark.parametrize("warm_up", [LinearWarmUp, ConstantWarmUp, CosineWarmUp])
def test_without_a_length_there_is_no_warm_up(warm_up):
    inner = CosineScheduler(9, base_lr=1)
    schedule = warm_up(inner, 0.5, length=0)
    assert [schedule(n) for n in range(12)] == [inner(n) for n in range(12)]
    np.testing.assert_array_equal(schedule.values(range(12)), inner.values(range(12)))


def test_without_a_length_a_cool_down_is_a_jump():
    schedule = LinearCoolDown(FLAT, 0.25, start_idx=5, length=0)
    assert [schedule(n) for n in (0, 5, 6, 100)] == [1, 1, 0.25, 0.25]
    np.testing.assert_array_equal(schedule.values([0, 5, 6, 100]), [1, 1, 0.25, 0.25])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (TriangularSchedule(2, 1, 100), {0: 2, 25: 1.5, 50: 1, 100: 2, 101: 2}),
        (CosineAnnealingSchedule(2, 1, 100), {0: 1, 50: 1.5, 100: 2, 101: 2}),
        (OneCycleSchedule(2, 1, 100, 10, 0), {0: 2, 50: 1, 100: 2, 105: 1, 110: 0}),
        (CyclicalSchedule(TriangularSchedule, 10, min_lr=2, max_lr=1), {0: 2, 5: 1, 10: 2}),
    ],
)
def test_bounds_the_other_way_round_follow_the_formula(schedule, expected):
    assert [schedule(n) for n in expected] == pytest.approx(list(expected.values()))
    assert schedule.base_lr == 2


def test_what_mxnet_refuses_is_refused():
    with pytest.raises(ValueError, match=r"`warmup_begin_lr` must be .* from 0 to 1"):
        CosineScheduler(10, base_lr=1, warmup_steps=5, warmup_begin_lr=2)


@pytest.mark.parametrize("decay", [1.0003, 1.001, 1.0234, 0.9997, 0.99, 0.9, 1.5, 1.7, 0.51])
@pytest.mark.parametrize("length", [1, 7, 150, 150.5, 1000, 4321])
def test_cycles_that_hardly_change_are_those_of_a_walk(length, decay):
    schedule = CyclicalSchedule(TriangularSchedule, length, decay, 0.999, min_lr=1, max_lr=3)
    last = 200_000 if decay > 1 else 50_000
    counts = [*range(0, last, 997), *range(40), last]
    cycles = [walk_through_cycles(length, decay, count) for count in counts]
    expected = [
        (3 - 4 * abs(offset / its_length - 0.5)) * 0.999**cycle
        for cycle, its_length, offset in cycles
    ]
    np.testing.assert_allclose([schedule(n) for n in counts], expected, rtol=1e-9)
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**6), st.floats(0.5, 2), st.integers(1, 3000))
def test_the_lengths_of_cycles_are_those_of_a_walk(length, decay, cycles):
    schedule = CyclicalSchedule(TriangularSchedule, length, decay, min_lr=1, max_lr=3)
    start, walked = 0, length
    for _ in range(cycles):
        start, walked = start + walked, math.ceil(walked * decay)
        if start > 10**15:
            break
    begin, end, _, _ = schedule._cycle_at(start)
    assert (begin, end - begin) == (start, walked)


@pytest.mark.parametrize("decay", [1 + 1e-15, 1 + 1e-9, 1 + 1e-6, 1.0001, 1 - 1e-6, 1 - 1e-9])
def test_a_far_cycle_is_found_without_a_walk_over_all(decay):
    schedule = CyclicalSchedule(CosineAnnealingSchedule, 10, decay, min_lr=0, max_lr=1)
    assert 0 <= schedule(10**15) <= 1
    assert schedule.values([10**15, 10**15 + 1])[0] == pytest.approx(schedule(10**15), abs=1e-9)
    assert len(schedule._table[1]) < 200_000


@pytest.mark.parametrize("growth", [1.5, 2, 1e300])
def test_rates_that_grow_beyond_all_numbers_are_the_same_asked_singly(growth):
    schedule = CyclicalSchedule(TriangularSchedule, 4, 1, growth, min_lr=0.5, max_lr=2)
    counts = [0, 2, 4, 6, 4000, 4002, 10**12, 10**12 + 2]
    rates = [schedule(n) for n in counts]
    with np.errstate(all="raise"):
        np.testing.assert_allclose(schedule.values(counts), rates, rtol=1e-12)
    assert rates[-1] == math.inf
    assert not any(map(math.isnan, rates))
    longer = CyclicalSchedule(TriangularSchedule, 4, 1.1, growth, min_lr=0.5, max_lr=2)
    np.testing.assert_allclose(longer.values(counts), [longer(n) for n in counts], rtol=1e-12)


@pytest.mark.parametrize("shortest", [1e-9, 1e-8, 0.3])
def test_the_shortest_lengths_work_in_epochs(shortest):
    for make in TAKERS.values():
        schedule = make(shortest).in_epochs(100)
        assert all(0 <= schedule(n) <= 2 for n in (0, 1, 10**15))


def test_a_length_has_a_lowest_bound():
    with pytest.raises(ValueError, match="`step` must be a number of at least 1e-09, got 1e-10"):
        FactorScheduler(1e-10)
