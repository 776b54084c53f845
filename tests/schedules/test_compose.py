"""Modifiers over every kind of schedule: ours, MXNet's own, a function, an object."""

import numpy as np
import pytest

from gluon_lr import (
    ClippedSchedule,
    ConstantSchedule,
    ConstantWarmUp,
    CosineScheduler,
    CosineWarmUp,
    EpochSchedule,
    FactorScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    PolyScheduler,
    ScaledSchedule,
    Schedule,
    SequentialSchedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx

STEPS = [250, 750, 900]


class Counting:
    """A schedule that moves on at each call, as MXNet's do."""

    def __init__(self):
        self.highest = 0

    def __call__(self, iteration):
        self.highest = max(self.highest, iteration)
        return 1 / (1 + self.highest)


@pytest.mark.parametrize("package", ["gluon_lr", "mxnet"])
def test_measured_values(package):
    cls = {
        "gluon_lr": MultiFactorScheduler,
        "mxnet": mx.lr_scheduler.MultiFactorScheduler,
    }[package]
    warm_up = LinearWarmUp(cls(STEPS, 0.5, base_lr=1), start_lr=0, length=250)
    cool_down = LinearCoolDown(cls(STEPS, 0.5, base_lr=1), 0.001, start_idx=1000, length=500)
    for schedule, expected in [
        (warm_up, {1: 0.004, 125: 0.5, 500: 1, 501: 0.5, 1001: 0.25, 1151: 0.125}),
        (cool_down, {1: 1, 1000: 0.125, 1001: 0.124752, 1250: 0.063, 1500: 0.001, 10**6: 0.001}),
    ]:
        actual = [schedule(n) for n in expected]
        np.testing.assert_allclose(actual, list(expected.values()), rtol=1e-12)


def test_a_nested_probe_leaves_no_trace_in_mxnets_own():
    inner = mx.lr_scheduler.MultiFactorScheduler(STEPS, 0.5, base_lr=1)
    schedule = LinearCoolDown(LinearWarmUp(inner, 0, 250), 0.001, 1200, 500)
    assert schedule(1500) < 1
    assert schedule(251) == 1
    assert (inner.base_lr, inner.count, inner.cur_step_ind) == (1, 0, 0)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            lambda: mx.lr_scheduler.FactorScheduler(10, 0.5, base_lr=1, warmup_steps=5),
            FactorScheduler(10, 0.5, base_lr=1, warmup_steps=5),
        ),
        (
            lambda: mx.lr_scheduler.MultiFactorScheduler([10, 30], 0.1, base_lr=1),
            MultiFactorScheduler([10, 30], 0.1, base_lr=1),
        ),
        (lambda: mx.lr_scheduler.PolyScheduler(50, 1, 3), PolyScheduler(50, 1, 3)),
        (
            lambda: mx.lr_scheduler.CosineScheduler(50, 1, 0.1, 5, 0.5, "constant"),
            CosineScheduler(50, 1, 0.1, 5, 0.5, "constant"),
        ),
    ],
)
@pytest.mark.parametrize("walked_to", [0, 25])
def test_mxnets_own_inside_is_as_order_free_as_ours(theirs, ours, walked_to):
    inner = theirs()
    for n in range(walked_to):
        inner(n)
    schedule = LinearWarmUp(inner, 0, 10)
    expected = LinearWarmUp(ours, 0, 10)
    for n in np.random.RandomState(0).permutation(200):
        assert schedule(int(n)) == pytest.approx(expected(int(n)), rel=1e-12)


def test_mxnets_own_that_forgot_where_it_started_is_refused():
    inner = mx.lr_scheduler.FactorScheduler(1, 0.1, base_lr=1)
    inner(100)
    with pytest.raises(ValueError, match="must be one that has not yet decayed to its end"):
        LinearWarmUp(inner, 0, 10)


def test_an_object_with_a_memory_is_asked_on_a_copy():
    inner = Counting()
    schedule = LinearWarmUp(inner, 0, 10)
    assert [schedule(n) for n in (100, 11, 10)] == [1 / 91, 1 / 2, 1.0]
    assert inner.highest == 0


@pytest.mark.parametrize("inner", [lambda n: 0.1, TriangularSchedule(0.1, 0.1, 10)])
def test_a_warm_up_ends_at_the_inner_schedules_rate_at_0(inner):
    schedule = LinearWarmUp(inner, 0.2, 4)
    np.testing.assert_allclose([schedule(n) for n in range(6)], [0.2, 0.175, 0.15, 0.125, 0.1, 0.1])


def test_boundaries_of_a_cool_down():
    schedule = LinearCoolDown(lambda n: 1.0, finish_lr=0, start_idx=10, length=4)
    assert [schedule(n) for n in (9, 10, 11, 13, 14, 15)] == [1, 1, 0.75, 0.25, 0, 0]


def test_base_lr_is_the_inner_schedules_and_is_asked_for_each_time():
    inner = FactorScheduler(100, 0.5, base_lr=1)
    schedule = LinearCoolDown(LinearWarmUp(inner, 0, 10), 0, 50, 10)
    schedule.base_lr = 3
    assert (inner.base_lr, schedule(10), schedule(11)) == (3, 3, 3)
    inner.base_lr = 5
    assert (schedule.base_lr, schedule(10), schedule(55)) == (5, 5, 2.5)


@pytest.mark.parametrize(
    "inner", [mx.lr_scheduler.FactorScheduler(100), mx.lr_scheduler.PolyScheduler(1000, pwr=0)]
)
def test_base_lr_reaches_mxnets_own_inside(inner):
    schedule = LinearWarmUp(inner, 0, 10)
    schedule.base_lr = 3
    assert (schedule.base_lr, schedule(5), schedule(11)) == (3, 1.5, 3)


def test_a_function_inside_states_its_own_rates():
    schedule = LinearWarmUp(lambda n: 0.5, 0, 10)
    assert schedule.base_lr == 0.5
    with pytest.warns(UserWarning, match="LinearWarmUp: `base_lr` stays 0.5"):
        schedule.base_lr = 0.1
    assert schedule(11) == 0.5


@pytest.mark.parametrize(
    ("cls", "climb"),
    [
        (LinearWarmUp, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (ConstantWarmUp, [0.2, 0.2, 0.2, 0.2, 0.2]),
        (CosineWarmUp, [0.2, 0.6 - 0.4 * 0.5**0.5, 0.6, 0.6 + 0.4 * 0.5**0.5, 1.0]),
    ],
)
def test_boundaries_of_a_warm_up_of_any_shape(cls, climb):
    schedule = cls(MultiFactorScheduler([1], 0.5, base_lr=1), start_lr=0.2, length=4)
    expected = [*climb, 1.0, 0.5, 0.5]
    np.testing.assert_allclose([schedule(n) for n in range(8)], expected, rtol=1e-12)
    np.testing.assert_allclose(schedule.values(range(8)), expected, rtol=1e-12)


def test_boundaries_of_a_sequence():
    first, second = MultiFactorScheduler([3], 0.5, base_lr=1), TriangularSchedule(0, 4, 4)
    schedule = first.then(second, after=4)
    assert schedule == SequentialSchedule(first, second, after=4)
    assert [schedule(n) for n in range(10)] == [1, 1, 1, 1, 0.5, 2, 4, 2, 0, 0]
    assert [first.then(second, after=0)(n) for n in (0, 1, 2)] == [1, 2, 4]
    third = schedule.then(lambda n: n, after=6)
    assert [third(n) for n in range(4, 10)] == [0.5, 2, 4, 1, 2, 3]


def test_warm_up_then_stable_then_decay_is_a_composition():
    stable = LinearCoolDown(ConstantSchedule(0.5), finish_lr=0, start_idx=8, length=4)
    schedule = LinearWarmUp(stable, start_lr=0, length=2)
    assert [schedule(n) for n in (0, 1, 2, 3, 10, 12, 14, 99)] == [
        0,
        0.25,
        0.5,
        0.5,
        0.5,
        0.25,
        0,
        0,
    ]


def test_an_assigned_base_lr_reaches_both_parts_of_a_sequence():
    schedule = FactorScheduler(100, base_lr=1).then(PolyScheduler(10, base_lr=2, pwr=1), after=5)
    assert schedule.base_lr == 1
    schedule.base_lr = 4
    assert [schedule(n) for n in (1, 5, 10, 15)] == [4, 4, 2, 0]


def test_a_sequence_of_functions_states_its_own_rates():
    schedule = SequentialSchedule(lambda n: 0.5, lambda n: 0.25, after=5)
    with pytest.warns(UserWarning, match="SequentialSchedule: `base_lr` stays 0.5"):
        schedule.base_lr = 0.1
    assert [schedule(n) for n in (5, 6)] == [0.5, 0.25]


@pytest.mark.parametrize("half", [0.5, np.float64(0.5), np.float32(0.5)])
def test_multiplying_scales_the_rates_and_not_base_lr(half):
    inner = FactorScheduler(1, 0.5, base_lr=1)
    for schedule in (half * inner, inner * half):
        assert schedule == ScaledSchedule(inner, 0.5)
        assert [schedule(n) for n in (1, 2, 3)] == [0.5, 0.25, 0.125]
        assert schedule.base_lr == 1
    assert (2 * 0 * inner)(1) == 0
    assert (2 * (0.5 * inner))(1) == 1


def test_clipping_bounds_the_rates():
    inner = FactorScheduler(1, 0.5, base_lr=1)
    assert [inner.clip(0.2, 0.6)(n) for n in (1, 2, 3, 4)] == [0.6, 0.5, 0.25, 0.2]
    assert [inner.clip(low=0.3)(n) for n in (1, 2, 3)] == [1, 0.5, 0.3]
    assert [inner.clip(high=0.3)(n) for n in (1, 2, 3)] == [0.3, 0.3, 0.25]
    assert inner.clip(0.2, 0.6) == ClippedSchedule(inner, 0.2, 0.6)


def test_boundaries_in_epochs():
    steps = MultiFactorScheduler([2, 3], 0.5, base_lr=1).in_epochs(iterations_per_epoch=10)
    assert [steps(n) for n in (19, 20, 21, 29, 30, 31)] == [1, 1, 0.5, 0.5, 0.5, 0.25]
    assert steps == EpochSchedule(MultiFactorScheduler([2, 3], 0.5, base_lr=1), 10)


@pytest.mark.parametrize(
    ("in_epochs", "in_iterations"),
    [
        (CosineScheduler(10, 1, warmup_steps=2), CosineScheduler(1000, 1, warmup_steps=200)),
        (FactorScheduler(3, 0.5, base_lr=1), FactorScheduler(300, 0.5, base_lr=1)),
        (TriangularSchedule(0, 1, 7, 0.3), TriangularSchedule(0, 1, 700, 0.3)),
        (
            LinearWarmUp(PolyScheduler(5, base_lr=1), 0, 2).then(lambda n: n / 100, 6),
            LinearWarmUp(PolyScheduler(500, base_lr=1), 0, 200).then(lambda n: n / 1e4, 600),
        ),
    ],
)
def test_numbers_in_epochs_are_those_times_the_iterations_of_one(in_epochs, in_iterations):
    schedule = in_epochs.in_epochs(100)
    counts = range(0, 1500, 7)
    np.testing.assert_allclose(
        schedule.values(counts), in_iterations.values(counts), rtol=1e-9, atol=1e-15
    )


@pytest.mark.parametrize(
    "inner", [lambda n: 1 / (1 + n), Counting(), mx.lr_scheduler.PolyScheduler(20, 1)]
)
def test_the_algebra_takes_any_callable_and_leaves_it_as_it_is(inner):
    before = dict(vars(inner))
    schedules = [
        CosineWarmUp(inner, 0, 5),
        LinearCoolDown(inner, 0, 5, 5),
        SequentialSchedule(inner, inner, 4),
        ScaledSchedule(inner, 0.5),
        ClippedSchedule(inner, 0.2, 0.6),
        EpochSchedule(inner, 3),
    ]
    for schedule in schedules:
        counts = [9, 0, 3, 6, 1, 30, 5]
        expected = [schedule(n) for n in counts]
        np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12)
        assert [schedule(n) for n in counts] == expected
    assert vars(inner) == before


def test_a_users_call_is_what_counts():
    class Doubled(PolyScheduler):
        def __call__(self, num_update):
            return 2 * super().__call__(num_update)

    inner = Doubled(10, base_lr=1, pwr=1)
    assert [inner(n) for n in (0, 5, 10)] == [2, 1, 0]
    np.testing.assert_allclose(inner.values([5, 0, 10]), [1, 2, 0])
    schedule = LinearWarmUp(inner, 0, 4)
    assert [schedule(n) for n in (2, 4, 9)] == [1, 2, 1]
    np.testing.assert_allclose(schedule.values([2, 4, 9]), [1, 2, 1])


def test_values_ask_a_function_of_ones_own_schedule_too():
    class Halves(Schedule):
        def __init__(self, lr):
            super().__init__(lr)
            self.lr = lr

        def _rate(self, n):
            return self.base_lr / 2 if n > 3 else self.base_lr

    np.testing.assert_array_equal(Halves(1).values([5, 1, 3, 4]), [0.5, 1, 1, 0.5])
    np.testing.assert_array_equal((2 * Halves(1)).values([[5], [1]]), [[1], [2]])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LinearWarmUp(0.1, 0, 10), TypeError, "`schedule` must be a schedule: a call"),
        (lambda: LinearWarmUp(TriangularSchedule, 0, 10), TypeError, "Instantiate it"),
        (lambda: LinearWarmUp(lambda n: 1, 0, -1), ValueError, "LinearWarmUp: `length`"),
        (lambda: LinearWarmUp(lambda n: 1, -1, 10), ValueError, "`start_lr`"),
        (lambda: LinearCoolDown(lambda n: 1, 0, -1, 10), ValueError, "`start_idx`"),
        (lambda: LinearCoolDown(lambda n: 1, 0, 1, -1), ValueError, "LinearCoolDown: `length`"),
        (lambda: ConstantWarmUp(lambda n: 1, 0, -1), ValueError, "ConstantWarmUp: `length`"),
        (lambda: ConstantSchedule(1).then(3, 1), TypeError, "SequentialSchedule: `second`"),
        (lambda: SequentialSchedule(3, abs, 1), TypeError, "SequentialSchedule: `first`"),
        (
            lambda: ConstantSchedule(1).then(abs, -1),
            ValueError,
            "`after` must be a finite number of",
        ),
        (lambda: ConstantSchedule(1) * -1, ValueError, "ScaledSchedule: `factor`"),
        (lambda: ConstantSchedule(1) * "1", TypeError, "ScaledSchedule: `factor` must be a finite"),
        (lambda: ConstantSchedule(1) * ConstantSchedule, TypeError, "ProductSchedule: `second`"),
        (lambda: ConstantSchedule(1) + "1", TypeError, "SumSchedule: `second` must be a schedule"),
        (lambda: ConstantSchedule(1) + -1, ValueError, "ConstantSchedule: `lr` must be"),
        (lambda: ConstantSchedule(1) / 0, ValueError, "ConstantSchedule: `divisor` must be"),
        (lambda: ConstantSchedule(1).maximum(None), TypeError, "MaximumSchedule: `second`"),
        (lambda: ConstantSchedule(1).clip(-1, 1), ValueError, "ClippedSchedule: `low`"),
        (lambda: ConstantSchedule(1).clip(2, 1), ValueError, "`high` must be .* of at least 2"),
        (lambda: ConstantSchedule(1).in_epochs(0), ValueError, "`iterations_per_epoch`"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()
