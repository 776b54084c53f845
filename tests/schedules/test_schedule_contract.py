"""What holds for every schedule: as a function, as data, in an Optimizer."""

import copy
import json
import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import schedule_strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_strategies import HIGHEST, assert_same_rates, schedules

import gluon_lr
from gluon_lr import (
    CosineScheduler,
    FactorScheduler,
    PolyScheduler,
    Schedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx, nd
from gluon_lr.schedules.text import NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_strategy_makes_every_schedule(name):
    path = Path(schedule_strategies.__file__)
    found = re.findall(rf"\b{name}\b", path.read_text(encoding="utf-8"))
    assert len(found) > 1, f"{path.name} has no strategy for {name}: it is imported at most."


def copies_of(schedule):
    return [
        copy.copy(schedule),
        copy.deepcopy(schedule),
        *(pickle.loads(pickle.dumps(schedule, protocol)) for protocol in (0, 2, 5)),
        gluon_lr.schedule(repr(schedule)),
        Schedule.from_config(json.dumps(schedule.to_config())),
    ]


@settings(max_examples=150, deadline=None)
@given(schedules(), st.lists(st.integers(0, 2000), min_size=2, max_size=30))
def test_a_schedule_is_a_pure_function_and_a_value(schedule, counts):
    copies = copies_of(schedule)
    answers = {n: schedule(n) for n in sorted(counts)}
    expected = [answers[n] for n in counts]
    assert [schedule(n) for n in counts] == expected
    assert all(math.isfinite(rate) and 0 <= rate <= HIGHEST * (1 + 1e-12) for rate in expected)
    assert_same_rates(schedule.values(counts), expected)

    for one in copies + copies_of(schedule):
        assert one == schedule
        assert repr(one) == repr(schedule)
        assert [one(n) for n in counts] == expected


@settings(max_examples=100, deadline=None)
@given(schedules(), st.integers(0, 10**15))
def test_a_jump_of_any_size_gives_a_rate(schedule, count):
    rate = schedule(count)
    assert 0 <= rate <= HIGHEST * (1 + 1e-12)
    assert_same_rates(schedule.values([count, count]), [rate, rate])


@settings(max_examples=100, deadline=None)
@given(schedules(), st.permutations(range(200)))
def test_values_are_the_calls_in_any_order_and_shape(schedule, counts):
    shaped = np.array(counts).reshape(10, 20)
    before = shaped.copy()
    rates = schedule.values(shaped)
    assert rates.dtype == np.float64
    assert rates.shape == shaped.shape
    np.testing.assert_array_equal(shaped, before)
    assert_same_rates(rates.ravel(), [schedule(n) for n in counts])


@pytest.mark.parametrize(
    "counts", [[], np.empty((0, 3), int), 7, range(5), range(9, 0, -3), (1, 2)]
)
def test_values_take_what_numpy_takes(counts):
    schedule = CosineScheduler(10, base_lr=1)
    expected = np.vectorize(schedule, otypes=[float])(np.array(counts, dtype=int))
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("counts", "error"),
    [
        ([True], TypeError),
        (["1"], TypeError),
        ([1, -1], ValueError),
        ([-0.5], ValueError),
        ([1, math.nan], ValueError),
        ([math.inf], ValueError),
        ([2.0**63], ValueError),
    ],
)
def test_values_want_finite_numbers_from_0(counts, error):
    with pytest.raises(error, match="CosineScheduler: `iterations` must be an array of finite"):
        CosineScheduler(10).values(counts)


def test_values_of_a_million_equal_the_calls_where_numpys_cosine_is_off():
    schedule = CosineScheduler(1_000_000, base_lr=1)
    counts = range(985_000, 1_000_000)
    np.testing.assert_allclose(schedule.values(counts), [schedule(n) for n in counts], rtol=1e-12)


def test_schedules_differ_where_their_arguments_or_types_do():
    assert FactorScheduler(10) != FactorScheduler(11)
    assert PolyScheduler(10) != CosineScheduler(10)
    assert TriangularSchedule(0, 1, 10) != "TriangularSchedule(0, 1, 10)"


@pytest.mark.parametrize(
    ("count", "error"),
    [
        (-1, ValueError),
        (-0.5, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (True, TypeError),
        (np.bool_(True), TypeError),
        ("1", TypeError),
        (np.arange(2), TypeError),
        (nd.arange(2), TypeError),
    ],
)
def test_a_count_is_a_finite_number_from_0(count, error):
    with pytest.raises(error, match=r"FactorScheduler: `num_update` must be .* number of at least"):
        FactorScheduler(10)(count)


NUMBERS = [float, np.int64, np.uint8, np.float32, np.array, mx.np.array, lambda n: nd.array([n])]


@pytest.mark.parametrize("number", NUMBERS)
@settings(max_examples=15, deadline=None)
@given(schedules(), st.integers(0, 255))
def test_a_count_may_be_a_number_of_numpys_or_mxnets(number, schedule, count):
    assert schedule(number(count)) == schedule(count)


@settings(max_examples=100, deadline=None)
@given(schedules(), st.lists(st.floats(0, 2000), min_size=1, max_size=20))
def test_at_fractions_values_are_the_calls_too(schedule, counts):
    rates = [schedule(n) for n in counts]
    assert all(0 <= rate <= HIGHEST * (1 + 1e-12) for rate in rates)
    np.testing.assert_allclose(schedule.values(counts), rates, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("whole", [np.array, mx.np.array, nd.array])
def test_values_take_whole_numbers_as_floats_and_from_mxnet(whole):
    schedule = CosineScheduler(1000, base_lr=1)
    counts = [0.0, 250.0, 500.0, 1000.0]
    np.testing.assert_array_equal(
        schedule.values(whole(counts)), schedule.values([0, 250, 500, 1000])
    )


def test_a_schedule_of_ones_own_needs_only_its_rate():
    class Square(Schedule):
        def __init__(self, base_lr, length):
            super().__init__(base_lr)
            self.length = length

        def _rate(self, n):
            return self.base_lr if n % (2 * self.length) < self.length else 0.0

    schedule = Square(0.5, length=2)
    assert [schedule(n) for n in range(5)] == [0.5, 0.5, 0, 0, 0.5]
    assert repr(schedule) == "Square(base_lr=0.5, length=2)"
    assert isinstance(schedule, mx.lr_scheduler.LRScheduler)
