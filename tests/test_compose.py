"""Modifiers over every kind of schedule: ours, MXNet's own, a function, an object."""

import numpy as np
import pytest

from gluon_lr import (
    CosineScheduler,
    FactorScheduler,
    LinearCoolDown,
    LinearWarmUp,
    MultiFactorScheduler,
    PolyScheduler,
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
    with pytest.raises(ValueError, match="must be unused, or not yet decayed to its end"):
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
    ("make", "error", "message"),
    [
        (lambda: LinearWarmUp(0.1, 0, 10), TypeError, "`schedule` must be a schedule: callable"),
        (lambda: LinearWarmUp(TriangularSchedule, 0, 10), TypeError, "Instantiate it"),
        (lambda: LinearWarmUp(lambda n: 1, 0, 0), ValueError, "LinearWarmUp: `length`"),
        (lambda: LinearWarmUp(lambda n: 1, -1, 10), ValueError, "`start_lr`"),
        (lambda: LinearCoolDown(lambda n: 1, 0, -1, 10), ValueError, "`start_idx`"),
        (lambda: LinearCoolDown(lambda n: 1, 0, 1, 0), ValueError, "LinearCoolDown: `length`"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, error, message):
    with pytest.raises(error, match=message):
        make()
