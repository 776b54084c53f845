"""Products, sums, maxima and minima of schedules, with numbers and with others' schedules."""

import copy
import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from schedule_strategies import assert_same_rates, rates, schedules

import gluon_lr
from gluon_lr import (
    ClippedSchedule,
    ConstantSchedule,
    CosineScheduler,
    InverseSqrtScheduler,
    LinearWarmUp,
    MaximumSchedule,
    MinimumSchedule,
    PolyScheduler,
    ProductSchedule,
    ScaledSchedule,
    SumSchedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx, nd

COUNTS = range(0, 400, 3)
COSINE = CosineScheduler(300, base_lr=2, final_lr=0.1)
WARM = LinearWarmUp(InverseSqrtScheduler(20, base_lr=1), 0.3, 40)


@pytest.mark.parametrize("second", [WARM, mx.lr_scheduler.PolyScheduler(100, 0.5), math.sqrt])
def test_they_are_what_numpy_makes_of_the_rates(second):
    first = COSINE.values(COUNTS)
    walked = copy.deepcopy(second)
    other = np.array([walked(n) for n in range(COUNTS.stop)])[COUNTS.start :: COUNTS.step]
    for schedule, expected in (
        (COSINE * second, first * other),
        (COSINE + second, first + other),
        (COSINE.maximum(second), np.maximum(first, other)),
        (COSINE.minimum(second), np.minimum(first, other)),
    ):
        np.testing.assert_allclose(schedule.values(COUNTS), expected, rtol=1e-12)
        np.testing.assert_allclose([schedule(n) for n in COUNTS], expected, rtol=1e-12)
        np.testing.assert_allclose([schedule(n) for n in reversed(COUNTS)], expected[::-1])


@pytest.mark.parametrize(
    "number",
    [3, 0.25, np.float32(0.5), np.array(0.5), np.int64(2), mx.np.array(0.5), nd.array([2])],
)
def test_numbers_are_taken(number):
    value = float(number.asnumpy() if hasattr(number, "asnumpy") else number)
    expected = COSINE.values(COUNTS)
    for schedule, rates_ in (
        (COSINE * number, expected * value),
        (COSINE / number, expected / value),
        (COSINE + number, expected + value),
        (COSINE.maximum(number), np.maximum(expected, value)),
        (COSINE.minimum(number), np.minimum(expected, value)),
    ):
        np.testing.assert_allclose(schedule.values(COUNTS), rates_, rtol=1e-12)
    assert type(COSINE * number) is type(COSINE / number) is ScaledSchedule
    assert (COSINE + number).second == ConstantSchedule(value)


def test_from_the_left_they_are_the_same():
    assert 0.5 * COSINE == COSINE * 0.5 == COSINE / 2
    assert np.float64(0.5) * COSINE == 0.5 * COSINE
    assert 0.5 + COSINE == COSINE + 0.5 == np.float64(0.5) + COSINE
    own = mx.lr_scheduler.PolyScheduler(100, 0.5)
    assert type(own * COSINE) is ProductSchedule
    assert type(math.sqrt + COSINE) is SumSchedule
    assert sum([COSINE, WARM])(50) == pytest.approx(COSINE(50) + WARM(50))
    for wrong in (lambda: 2 / COSINE, lambda: COSINE / COSINE, lambda: COSINE - 1, lambda: -COSINE):
        with pytest.raises(TypeError):
            wrong()


@settings(max_examples=50, deadline=None)
@given(schedules(), schedules(), rates)
def test_the_laws_of_arithmetic_hold(a, b, number):
    n = np.arange(0, 600, 7)

    def same(one, other):
        np.testing.assert_allclose(one.values(n), other.values(n), rtol=1e-9, atol=1e-300)

    same(a * b, b * a)
    same(a + b, b + a)
    same(number * (a + b), number * a + number * b)
    same((a + b) * b, a * b + b * b)
    same(a.maximum(b) + a.minimum(b), a + b)
    same(a.maximum(b), b.maximum(a))
    same(a.maximum(number), ClippedSchedule(a, low=number))
    same(a.minimum(number), ClippedSchedule(a, high=number))
    same(a / 4, 0.25 * a)
    for one in (a * b, a + b, a.maximum(b), a.minimum(b)):
        again = [gluon_lr.schedule(repr(one)), type(one).from_config(one.to_config())]
        for copied in (*again, copy.copy(one), pickle.loads(pickle.dumps(one))):
            assert copied == one
            assert_same_rates(copied.values(n), one.values(n))


def test_the_order_stays_and_a_number_takes_no_rate():
    own = mx.lr_scheduler.PolyScheduler(100, 0.5)
    for pair in (own * COSINE, own + COSINE):
        assert pair.first is own
    scaled = mx.lr_scheduler.PolyScheduler(100, 0.5) * LinearWarmUp(ConstantSchedule(1), 0, 10)
    scaled.base_lr = 0.2
    assert scaled(10) == pytest.approx(0.2 * 0.9**2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for schedule in (CosineScheduler(100) + 0.5, CosineScheduler(100).maximum(1e-4)):
            schedule.base_lr = 0.1
            assert schedule.base_lr == 0.1


def test_an_assigned_base_lr_reaches_the_rate_of_a_product_and_both_of_the_others():
    decay = PolyScheduler(100, base_lr=1, pwr=1)
    product = CosineScheduler(100, base_lr=0.1) * decay
    product.base_lr = 0.5
    assert (product.base_lr, product(0), decay.base_lr) == (0.5, 0.5, 1)
    for kind, start in ((SumSchedule, 1.0), (MaximumSchedule, 0.5), (MinimumSchedule, 0.5)):
        pair = kind(CosineScheduler(100, base_lr=0.1), PolyScheduler(100, base_lr=0.2))
        assert pair.base_lr == 0.1
        pair.base_lr = 0.5
        assert (pair.base_lr, pair(0)) == (0.5, start)
    bounded = TriangularSchedule(0, 1, 10) * decay
    with pytest.warns(UserWarning, match="TriangularSchedule: `base_lr` stays 1"):
        bounded.base_lr = 0.5
    assert bounded.base_lr == 1


def test_adam_assigns_its_default_to_a_product_at_the_users_line():
    schedule = CosineScheduler(100, base_lr=0.1) * PolyScheduler(100, base_lr=1)
    with pytest.warns(UserWarning, match=r"`base_lr` changes from 0\.1 to 0\.001") as warned:
        mx.optimizer.Adam(lr_scheduler=schedule)
    assert warned[0].filename == __file__
