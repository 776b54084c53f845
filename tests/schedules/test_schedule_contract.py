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
from schedule_strategies import HIGHEST, schedules

import gluon_lr
from gluon_lr import (
    CosineScheduler,
    FactorScheduler,
    PolyScheduler,
    Schedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx
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


@settings(max_examples=400, deadline=None)
@given(schedules(), st.lists(st.integers(0, 2000), min_size=2, max_size=30))
def test_a_schedule_is_a_pure_function_and_a_value(schedule, counts):
    copies = copies_of(schedule)
    answers = {n: schedule(n) for n in sorted(counts)}
    expected = [answers[n] for n in counts]
    assert [schedule(n) for n in counts] == expected
    assert all(math.isfinite(rate) and 0 <= rate <= HIGHEST * (1 + 1e-12) for rate in expected)
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12)

    for one in copies + copies_of(schedule):
        assert one == schedule
        assert repr(one) == repr(schedule)
        assert [one(n) for n in counts] == expected


@settings(max_examples=100, deadline=None)
@given(schedules(), st.integers(0, 10**15))
def test_a_jump_of_any_size_gives_a_rate(schedule, count):
    rate = schedule(count)
    assert 0 <= rate <= HIGHEST * (1 + 1e-12)
    np.testing.assert_allclose(schedule.values([count, count]), [rate, rate], rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(schedules(), st.permutations(range(200)))
def test_values_are_the_calls_in_any_order_and_shape(schedule, counts):
    shaped = np.array(counts).reshape(10, 20)
    before = shaped.copy()
    rates = schedule.values(shaped)
    assert rates.dtype == np.float64
    assert rates.shape == shaped.shape
    np.testing.assert_array_equal(shaped, before)
    np.testing.assert_allclose(rates.ravel(), [schedule(n) for n in counts], rtol=1e-12)


@pytest.mark.parametrize(
    "counts", [[], np.empty((0, 3), int), 7, range(5), range(9, 0, -3), (1, 2)]
)
def test_values_take_what_numpy_takes(counts):
    schedule = CosineScheduler(10, base_lr=1)
    expected = np.vectorize(schedule, otypes=[float])(np.array(counts, dtype=int))
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("counts", "error"),
    [([1.5], TypeError), ([True], TypeError), (["1"], TypeError), ([1, -1], ValueError)],
)
def test_values_want_whole_numbers_from_0(counts, error):
    with pytest.raises(error, match="CosineScheduler: `iterations` must be an array of whole"):
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
    ("count", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_a_count_is_a_whole_number_from_0(count, error):
    with pytest.raises(
        error, match="FactorScheduler: `num_update` must be an integer of at least 0"
    ):
        FactorScheduler(10)(count)


def test_a_count_may_be_numpys():
    assert FactorScheduler(10, 0.5, base_lr=1)(np.int64(11)) == 0.5


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
