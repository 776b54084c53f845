"""`transfer` beside the paper's double sums, and beside a search of their minimum."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from schedule_strategies import schedules

from gluon_lr import (
    ConstantSchedule,
    CosineScheduler,
    FactorScheduler,
    LinearWarmUp,
    OneCycleSchedule,
    PlateauScheduler,
    PolyScheduler,
    transfer,
)
from gluon_lr._mxnet import mx

FLAT = ConstantSchedule(1)
counts = st.integers(1, 40)


def listed(rates):
    """Make a schedule of these rates, from iteration 1 on."""
    return lambda n: rates[int(n) - 1]


def terms(rates):
    """Return T1 and T2 + T3 of the paper's bound T1 / gamma + gamma * (T2 + T3), for D = G = 1."""
    eta = list(rates)
    last = len(eta) - 1
    total = sum(eta)
    third = sum(
        eta[k] / sum(eta[k + 1 :]) * sum(one**2 for one in eta[k:]) / sum(eta[k:])
        for k in range(last)
    )
    return 1 / (2 * total), sum(one**2 for one in eta) / (2 * total) + third / 2


def best(rates):
    first, others = terms(rates)
    return math.sqrt(first / others)


def shares(schedule, count):
    """Return what trains of a schedule, as shares of its highest rate; None where nothing does."""
    rates = [float(schedule(n)) for n in range(1, count + 1)]
    highest = max(rates)
    return [rate / highest for rate in rates if rate / highest >= 1e-6] if highest > 1e-30 else None


def test_the_papers_sums_by_hand():
    # T1 = 1 / 6; T2 = 5 / 6; T3 = 2 / 1 * 5 / 3 / 2
    assert terms([Fraction(2), Fraction(1)]) == (Fraction(1, 6), Fraction(5, 6) + Fraction(5, 3))
    assert transfer(1, listed([1.0]), listed([1, 0.5]), 1, 2) == pytest.approx(2 * best([2, 1]))


@settings(max_examples=30, deadline=None)
@given(schedules(), schedules(), counts, counts)
def test_it_is_the_ratio_of_what_the_papers_double_sums_give(from_, to, before, after):
    parts = shares(from_, before), shares(to, after)
    assume(all(part is not None for part in parts))
    assume(not any("Plateau" in repr(one) for one in (from_, to)))
    assume(all(one.natural_length != 1 for one in (from_, to)))  # which is all of a training
    expected = 0.1 * best(parts[1]) / best(parts[0])
    assert transfer(0.1, from_, to, before, after) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("to", [FLAT, CosineScheduler(30, 1), OneCycleSchedule(0.1, 1, 27, 3, 0)])
def test_the_bound_is_lowest_there(to):
    first, others = terms(shares(to, 30))
    scale = transfer(best([1.0]), FLAT, to, 1, 30)
    gammas = scale * np.linspace(0.5, 2, 3001)
    lowest = gammas[np.argmin(first / gammas + gammas * others)]
    assert scale == pytest.approx(lowest, rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(schedules(), schedules(), counts, counts)
def test_there_and_back_and_what_does_not_count(from_, to, before, after):
    assume(all(shares(*pair) is not None for pair in ((from_, before), (to, after))))
    assume(not any("Plateau" in repr(one) for one in (from_, to)))
    assume(all(one.natural_length != 1 for one in (from_, to)))  # which is all of a training
    assert transfer(0.1, from_, from_, before, before) == 0.1
    there = transfer(0.1, from_, to, before, after)
    assert there > 0
    assert transfer(there, to, from_, after, before) == pytest.approx(0.1)
    assert transfer(0.1, 0.5 * from_, to, before, after) == there
    assert transfer(0.1, from_, 2 * to, before, after) == there
    assert transfer(0.2, from_, to, before, after) == 2 * there


@pytest.mark.parametrize("before, after", [(1, 4), (250, 1000), (1000, 60)])
def test_a_constant_rate_falls_with_the_root_of_the_length_and_its_logarithm(before, after):
    def harmonic(n):
        return sum(1 / k for k in range(1, n + 1))

    expected = math.sqrt(before * (1 + harmonic(before - 1)) / after / (1 + harmonic(after - 1)))
    assert transfer(1, FLAT, FLAT, before, after) == pytest.approx(expected)


def test_a_linear_decay_of_any_length_falls_with_the_root_of_the_length_alone():
    short, long = PolyScheduler(1000, 1, pwr=1), PolyScheduler(4000, 1, pwr=1)
    assert transfer(1, short, long, 1000, 4000) == pytest.approx(0.5, rel=1e-2)


def test_rates_of_0_are_as_if_they_were_not_there():
    plain = [0.3, 1.0, 0.5, 0.2]
    expected = transfer(1, FLAT, listed(plain), 1, 4)
    for padded in ([0, 0, *plain], [*plain, 0, 0, 0], [0.3, 1, 0, 0.5, 0, 0.2], [*plain, 1e-17]):
        assert transfer(1, FLAT, listed(padded), 1, len(padded)) == expected
    assert transfer(1, FLAT, CosineScheduler(10, 1), 1, 10**4) == pytest.approx(
        transfer(1, FLAT, CosineScheduler(10, 1), 1, 9)
    )


def test_very_small_rates_and_very_many():
    tiny = [1e-300 * rate for rate in (1.0, 0.5, 0.25)]
    expected = transfer(1, FLAT, listed([1.0, 0.5, 0.25]), 1, 3)
    assert transfer(1, FLAT, listed(tiny), 1, 3) == pytest.approx(expected)
    million = transfer(1, FLAT, CosineScheduler(10**6, 1), 10**6, 10**6)
    assert million == pytest.approx(transfer(1, FLAT, CosineScheduler(10**5, 1), 10**5, 10**5), 0.1)


def test_mxnets_own_and_functions():
    ours = FactorScheduler(10, 0.5, base_lr=1)
    expected = transfer(1, FLAT, ours, 30, 30)
    own = mx.lr_scheduler.FactorScheduler(10, 0.5, base_lr=1)
    assert transfer(1, FLAT, own, 30, 30) == expected
    assert own.base_lr == 1
    assert transfer(1, FLAT, lambda n: ours(n), 30, 30) == expected


@pytest.mark.parametrize(
    "arguments, error, said",
    [
        ((0, FLAT, FLAT, 5, 5), ValueError, "`lr` must be a finite number above 0, got 0"),
        (("0.1", FLAT, FLAT, 5, 5), TypeError, "`lr` must be"),
        ((1, 0.1, FLAT, 5, 5), TypeError, "`from_` must be a schedule: a call"),
        ((1, FLAT, ConstantSchedule, 5, 5), TypeError, "Instantiate it"),
        ((1, FLAT, FLAT, 0, 5), ValueError, "`from_iterations` must be an integer of at least 1"),
        ((1, FLAT, FLAT, 5, 2.5), TypeError, "`to_iterations` must be an integer"),
        (
            (1, FLAT, ConstantSchedule(0), 5, 5),
            ValueError,
            "`to` must be a schedule with finite ra",
        ),
        ((1, lambda n: -1.0, FLAT, 5, 5), ValueError, "`from_` must be a schedule with finite rat"),
        ((1, FLAT, lambda n: math.nan, 5, 5), ValueError, "and not all 0, in its first 5 it"),
        ((1, FLAT, lambda n: math.inf, 5, 5), ValueError, "`to` must be a schedule with fini"),
        ((1, FLAT, PlateauScheduler(), 5, 5), TypeError, "`to` must be a schedule that does not"),
        (
            (1, LinearWarmUp(0.5 * PlateauScheduler(), 0, 2), FLAT, 5, 5),
            TypeError,
            "follow a metric",
        ),
    ],
)
def test_what_cannot_be_transferred(arguments, error, said):
    with pytest.raises(error, match=r"^transfer: `") as raised:
        transfer(*arguments)
    assert said in str(raised.value)
