"""The schedules of MXNet's tutorials, against values measured from those."""

import math
from threading import Event, Thread

import numpy as np
import pytest

from gluon_lr import (
    ConstantSchedule,
    CosineAnnealingSchedule,
    CyclicalSchedule,
    OneCycleSchedule,
    TriangularSchedule,
)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (
            TriangularSchedule(1, 2, 1000, inc_fraction=0.2),
            {0: 1, 1: 1.005, 200: 2, 201: 1.99875, 600: 1.5, 1000: 1, 1001: 1, 10**9: 1},
        ),
        (
            CosineAnnealingSchedule(1, 2, 1000),
            {0: 2, 1: 1.9999975326009292, 500: 1.5, 1000: 1, 1001: 1, 10**9: 1},
        ),
        (
            OneCycleSchedule(0.1, 0.5, 500, 750, 0.001),
            {1: 0.1016, 250: 0.5, 500: 0.1, 501: 0.099868, 875: 0.0505, 1250: 0.001, 10**9: 0.001},
        ),
        (OneCycleSchedule(0.1, 0.5, 500), {250: 0.5, 500: 0.1, 501: 0.1, 9999: 0.1}),
        (
            CyclicalSchedule(TriangularSchedule, 500, min_lr=0.5, max_lr=2),
            {1: 0.506, 250: 2, 499: 0.506, 500: 0.5, 501: 0.506, 750: 2},
        ),
        (
            CyclicalSchedule(
                CosineAnnealingSchedule,
                cycle_length=250,
                cycle_length_decay=2,
                cycle_magnitude_decay=0.5,
                min_lr=0.01,
                max_lr=2,
            ),
            {1: 1.999921438982797, 125: 1.005, 250: 1.0, 500: 0.5025, 750: 0.5, 1750: 0.25},
        ),
    ],
)
def test_measured_values(schedule, expected):
    actual = [schedule(n) for n in expected]
    np.testing.assert_allclose(actual, list(expected.values()), rtol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "boundary", "expected"),
    [
        (ConstantSchedule(0.5), 1, [0.5, 0.5, 0.5]),
        (TriangularSchedule(1, 2, 10, 0.2), 2, [1.5, 2, 1.875]),
        (TriangularSchedule(1, 2, 10, 0.2), 10, [1.125, 1, 1]),
        (TriangularSchedule(1, 2, 10, 1), 10, [1.9, 2, 1]),
        (CosineAnnealingSchedule(1, 3, 2), 2, [2, 1, 1]),
        (OneCycleSchedule(1, 2, 4, 2, 0), 4, [1.5, 1, 0.5]),
        (OneCycleSchedule(1, 2, 4, 2, 0), 6, [0.5, 0, 0]),
        (CyclicalSchedule(TriangularSchedule, 4, min_lr=1, max_lr=3), 4, [2, 1, 2]),
        (CyclicalSchedule(TriangularSchedule, 4, 0.5, 0.5, min_lr=1, max_lr=3), 4, [2, 0.5, 1.5]),
        (
            CyclicalSchedule(TriangularSchedule, 4, 0.5, 0.5, min_lr=1, max_lr=3),
            6,
            [1.5, 0.25, 0.125],
        ),
    ],
)
def test_before_at_and_after_each_boundary(schedule, boundary, expected):
    counts = [boundary - 1, boundary, boundary + 1]
    np.testing.assert_allclose([schedule(n) for n in counts], expected, rtol=1e-12)
    np.testing.assert_allclose(schedule.values(counts), expected, rtol=1e-12)


def test_a_triangle_without_a_climb_or_without_a_descent():
    falling = TriangularSchedule(1, 2, 10, inc_fraction=0)
    rising = TriangularSchedule(1, 2, 10, inc_fraction=1)
    assert [falling(n) for n in (0, 5, 10, 11)] == [2, 1.5, 1, 1]
    assert [rising(n) for n in (0, 5, 10, 11)] == [1, 1.5, 2, 1]


@pytest.mark.parametrize("decay", [0.3, 0.9, 1, 1.01, 1.5, 2])
@pytest.mark.parametrize("length", [1, 7, 100])
def test_cycles_lie_where_counting_them_one_by_one_puts_them(length, decay):
    schedule = CyclicalSchedule(
        CosineAnnealingSchedule, length, decay, cycle_magnitude_decay=0.9, min_lr=1, max_lr=2
    )
    index, start, current = 0, 0, length
    for n in range(1500):
        if n == start + current:
            index, start, current = index + 1, start + current, math.ceil(current * decay)
        height = (1 + math.cos(math.pi * (n - start) / current)) / 2
        assert schedule(n) == pytest.approx((1 + height) * 0.9**index, rel=1e-12)


@pytest.mark.parametrize("decay", [0.5, 1, 1.0001, 3, 1e300])
def test_cycles_far_out_are_found_in_any_order(decay):
    schedule = CyclicalSchedule(TriangularSchedule, 10, decay, min_lr=1, max_lr=2)
    counts = [10**9, 3, 10**6, 2**62, 10**9 + 1, 0]
    assert [schedule(n) for n in counts] == [schedule(n) for n in counts]
    np.testing.assert_allclose(schedule.values(counts), [schedule(n) for n in counts], rtol=1e-12)


@pytest.mark.parametrize("given", [CosineAnnealingSchedule(0, 1, 10), "cosine"])
def test_cycles_take_a_class_and_nothing_else(given):
    with pytest.raises(TypeError, match="CyclicalSchedule: `schedule_class` must be a schedule's"):
        CyclicalSchedule(given, 10, min_lr=0, max_lr=1)


def test_cycles_take_any_class_with_a_cycle_length():
    class Falling:
        def __init__(self, top, cycle_length):
            self.top, self.cycle_length = top, cycle_length

        def __call__(self, iteration):
            return self.top * (1 - iteration / self.cycle_length)

    schedule = CyclicalSchedule(Falling, 10, top=3)
    assert [schedule(n) for n in (0, 5, 10, 15)] == [3, 1.5, 3, 1.5]
    assert schedule.base_lr == 3


@pytest.mark.parametrize(
    "schedule",
    [
        ConstantSchedule(2),
        TriangularSchedule(0.1, 2, 100),
        CosineAnnealingSchedule(0.1, 2, 100),
        OneCycleSchedule(0.1, 2, 100, 50, 0.01),
        CyclicalSchedule(TriangularSchedule, 100, 1, 0.5, min_lr=0.1, max_lr=2),
    ],
)
def test_stated_bounds_are_kept_with_one_warning(schedule):
    assert schedule.base_lr == 2
    before = [schedule(n) for n in range(300)]
    with pytest.warns(UserWarning, match=r"`base_lr` stays 2, .* 0\.001 is not used") as caught:
        schedule.base_lr = 0.001
        schedule.base_lr = 0.002
        schedule.base_lr = 2
    assert [one.filename for one in caught] == [__file__]
    assert [schedule(n) for n in range(300)] == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TriangularSchedule(-1, 1, 10), "TriangularSchedule: `min_lr`"),
        (lambda: TriangularSchedule(0, 1, 0), "`cycle_length` must be .* above 0, got 0"),
        (
            lambda: TriangularSchedule(0, 1, 10, 1.5),
            "`inc_fraction` must be .* from 0 to 1, got 1.5",
        ),
        (lambda: CosineAnnealingSchedule(0, math.inf, 10), "`max_lr`"),
        (lambda: OneCycleSchedule(-2, 1, 10), "OneCycleSchedule: `start_lr`"),
        (lambda: OneCycleSchedule(0, 1, 10, 5), "`finish_lr` must be a rate if `cooldown_length`"),
        (lambda: OneCycleSchedule(0, 1, 10, 0, 0.1), "`cooldown_length` must be above 0 if"),
        (lambda: OneCycleSchedule(0, 1, 10, -1), "`cooldown_length`"),
        (lambda: CyclicalSchedule(TriangularSchedule, 10, 0), "`cycle_length_decay` .* above 0"),
        (lambda: CyclicalSchedule(TriangularSchedule, 10, 1, -1), "`cycle_magnitude_decay`"),
        (lambda: CyclicalSchedule(TriangularSchedule, 0, min_lr=0, max_lr=1), "`cycle_length`"),
        (
            lambda: CyclicalSchedule(TriangularSchedule, 10, min_lr=-2, max_lr=1),
            "TriangularSchedule: `min_lr`",
        ),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


class Waiting(float):
    """A factor that one thread, where it first uses it, waits with for its turn."""

    def __rmul__(self, length):
        if not self.reached.is_set():
            self.reached.set()
            assert self.turn.wait(60)
        return length * float(self)


def test_values_keep_to_their_cycles_while_another_thread_finds_fewer():
    done = Event()

    def cycle(cycle_length, **bounds):
        if cycle_length == 40 and not factor.turn.is_set():  # made by `values`, in its middle
            factor.turn.set()
            assert done.wait(60)
        return TriangularSchedule(cycle_length=cycle_length, **bounds)

    schedule = CyclicalSchedule(cycle, 10, 2, min_lr=0, max_lr=1)
    expected = CyclicalSchedule(TriangularSchedule, 10, 2, min_lr=0, max_lr=1).values(range(300))
    factor = vars(schedule)["cycle_length_decay"] = Waiting(2)
    factor.reached, factor.turn = Event(), Event()

    def ask():
        schedule(15)
        done.set()

    thread = Thread(target=ask, daemon=True)
    thread.start()
    assert factor.reached.wait(60)
    np.testing.assert_array_equal(schedule.values(range(300)), expected)
    thread.join(60)
    assert [schedule(n) for n in (15, 100, 299)] == [expected[n] for n in (15, 100, 299)]


def test_a_cycle_asked_while_another_is_made_leaves_both_their_rates():
    seen = []

    def cycle(cycle_length, **bounds):
        if cycle_length == 20:
            seen.append(schedule(5))
        return TriangularSchedule(cycle_length=cycle_length, **bounds)

    schedule = CyclicalSchedule(cycle, 10, 2, min_lr=0, max_lr=1)
    assert [schedule(n) for n in (20, 5, 20)] == [1, 1, 1]
    assert seen == [1]
