"""How long schedules are, in shares of a training, stretched, and with a new end."""

import functools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from schedule_strategies import schedules

import gluon_lr
from gluon_lr import (
    AnnealedSchedule,
    ConstantSchedule,
    CoolDown,
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    EpochSchedule,
    ExponentialScheduler,
    FactorScheduler,
    InverseSqrtScheduler,
    KDecaySchedule,
    LinearWarmUp,
    MultiFactorScheduler,
    OneCycleSchedule,
    PiecewiseSchedule,
    PlateauScheduler,
    PolyScheduler,
    SchedLin,
    Schedule,
    ScheduledCurve,
    TriangularSchedule,
    WarmupStableDecaySchedule,
    plot_schedule,
)
from gluon_lr._mxnet import mx, nd

FLAT = ConstantSchedule(1)


class Sawtooth(Schedule):
    def __init__(self, length, base_lr=0.01):
        super().__init__(base_lr)
        self.length = length

    def _rate(self, n):
        return self.base_lr * (1 - n % self.length / self.length)


@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (CosineScheduler(100), 100),
        (LinearWarmUp(CosineScheduler(100), 0, 20), 120),
        (LinearWarmUp(mx.lr_scheduler.CosineScheduler(100), 0, 20), 120),
        (0.5 * TriangularSchedule(0, 1, 30), 30),
        (TriangularSchedule(0, 1, 30).in_epochs(10), 300),
        (OneCycleSchedule(0, 1, 30, 10, 0), 40),
        (FLAT.then(CosineScheduler(100), 50), 150),
        (CosineScheduler(100) * TriangularSchedule(0.1, 1, 30), 100),
        (CosineScheduler(100) + 0.1, 100),
        (CosineScheduler(100).shifted(30), 70),
        (CosineScheduler(100).shifted(130), 0),
        (CoolDown(InverseSqrtScheduler(10), 0, 80, 20), 100),
        (PiecewiseSchedule([0, 10, 90], [0, 1, 0], "linear"), 90),
        (AnnealedSchedule(SchedLin(1, 0), 60), 60),
        (CosineScheduler(100).continued(50, 200), 200),
        *(
            (one, math.inf)
            for one in (
                FLAT,
                FactorScheduler(10, 0.5),
                MultiFactorScheduler([10, 20], 0.5),
                InverseSqrtScheduler(10),
                ExponentialScheduler(10, 0.5),
                PlateauScheduler(),
                CyclicalSchedule(TriangularSchedule, 10, min_lr=0, max_lr=1),
                CosineScheduler(100).then(FLAT, 100),
                LinearWarmUp(FLAT, 0, 10),
                LinearWarmUp(abs, 0, 10),
                PiecewiseSchedule([0, 10], [1, 0.1]),
                Sawtooth(10),
            )
        ),
    ],
)
def test_natural_lengths(schedule, length):
    assert schedule.natural_length == length


STRETCHED = {
    "a decay": (CosineScheduler(0.9, 1, warmup_steps=0.1), CosineScheduler(900, 1, 0, 100)),
    "a warm-up over a decay": (
        LinearWarmUp(CosineScheduler(0.9), 0, 0.1),
        LinearWarmUp(CosineScheduler(900), 0, 100),
    ),
    "steps": (MultiFactorScheduler([0.5, 0.75], 0.1), MultiFactorScheduler([500, 750], 0.1)),
    "a step": (FactorScheduler(0.25, 0.1), FactorScheduler(250, 0.1)),
    "one cycle": (
        OneCycleSchedule(0.1, 1, 0.9, 0.1, 0),
        OneCycleSchedule(0.1, 1, 900, 100, 0),
    ),
    "cycles": (
        CyclicalSchedule(CosineAnnealingSchedule, 0.125, 2, 0.5, min_lr=0, max_lr=1),
        CyclicalSchedule(CosineAnnealingSchedule, 125, 2, 0.5, min_lr=0, max_lr=1),
    ),
    "cycles with a cool-down": (
        CyclicalSchedule(
            OneCycleSchedule, 0.3, start_lr=0, max_lr=1, cooldown_length=0.1, finish_lr=0
        ),
        CyclicalSchedule(
            OneCycleSchedule, 300, start_lr=0, max_lr=1, cooldown_length=100, finish_lr=0
        ),
    ),
    "stages": (
        WarmupStableDecaySchedule(1, 0.1, 0.7, 0.2),
        WarmupStableDecaySchedule(1, 100, 700, 200),
    ),
    "a sequence": (
        CosineScheduler(0.5).then(InverseSqrtScheduler(0.1), 0.5),
        CosineScheduler(500).then(InverseSqrtScheduler(100), 500),
    ),
    "MXNet's own inside": (
        LinearWarmUp(mx.lr_scheduler.CosineScheduler(80), 0, 20),
        LinearWarmUp(CosineScheduler(800), 0, 200),
    ),
    "the whole": (PolyScheduler(1), PolyScheduler(1000)),
    "an annealer": (AnnealedSchedule(SchedLin(1, 0), 1), AnnealedSchedule(SchedLin(1, 0), 1000)),
    "no length": (ConstantSchedule(1), ConstantSchedule(1)),
    "a sum": (
        0.5 * (CosineScheduler(0.5) + 0.1),
        0.5 * (CosineScheduler(500) + 0.1),
    ),
}


@pytest.mark.parametrize(("shares", "whole"), STRETCHED.values(), ids=STRETCHED)
def test_shares_are_scaled_to_a_training(shares, whole):
    assert shares.scaled_to(1000) == whole
    assert repr(shares.scaled_to(1000)) == repr(whole)


def test_shares_are_scaled_from_text():
    text = "LinearWarmUp(CosineScheduler(0.9), 0, 0.1)"
    schedule = gluon_lr.schedule(text).scaled_to(2000)
    assert schedule == gluon_lr.schedule("LinearWarmUp(CosineScheduler(1800), 0, 200)")
    assert schedule.natural_length == 2000


@pytest.mark.parametrize("shares", [one for one, _ in [*STRETCHED.values()][:9]])
def test_shares_have_no_rates(shares):
    before = repr(shares)
    for ask in (
        lambda: shares(1),
        lambda: shares(0),
        lambda: shares(0.5),
        lambda: shares.values([1, 2]),
        lambda: shares.continued(at=0.5, to=2),
    ):
        with pytest.raises(ValueError, match=r"Use schedule\.scaled_to\(iterations\)"):
            ask()
    assert repr(shares) == before
    assert shares.scaled_to(100)(50) >= 0


def test_an_optimizer_with_shares_raises_at_its_first_update():
    net = mx.gluon.nn.Dense(1, in_units=1)
    net.initialize()
    shares = LinearWarmUp(CosineScheduler(0.9, base_lr=0.1), 0, 0.1)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": shares})
    before = net.weight.data().asnumpy()
    with mx.autograd.record():
        loss = net(nd.ones((1, 1)))
    loss.backward()
    with pytest.raises(ValueError, match="LinearWarmUp: `schedule` must be in iterations"):
        trainer.step(1)
    np.testing.assert_array_equal(net.weight.data().asnumpy(), before)


def test_a_schedule_may_come_to_be_in_iterations_and_leave_them():
    schedule = CosineScheduler(0.5, base_lr=1)
    schedule.max_update = 100
    assert schedule(50) == 0.5
    schedule.max_update = 0.5
    with pytest.raises(ValueError, match="scaled_to"):
        schedule(50)


def test_half_an_epoch_is_no_share():
    schedule = LinearWarmUp(CosineScheduler(0.5, base_lr=1), 0, 0.5).in_epochs(100)
    assert [schedule(n) for n in (0, 25, 50, 75, 100)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert LinearWarmUp(abs, 0, 0.5)(3) == 2.5  # the function's lengths are not known


@settings(max_examples=60, deadline=None)
@given(schedules(), st.integers(2, 50))
def test_what_ends_is_stretched_as_a_whole(schedule, factor):
    length = schedule.natural_length
    assume(0 < length < math.inf and min(schedule._all_lengths(), default=1) >= 1)
    assume("Cyclical" not in repr(schedule) and "PowerLaw" not in repr(schedule))
    longer = schedule.scaled_to(factor * length)
    assert longer.natural_length == pytest.approx(factor * length)
    counts = np.linspace(0, length, 23) * 0.99 + 0.004  # between the steps
    np.testing.assert_allclose(
        longer.values(factor * counts), schedule.values(counts), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            FactorScheduler(30, 0.5),
            "FactorScheduler: `scaled_to` must be called on a schedule that",
        ),
        (MultiFactorScheduler([30, 60], 0.5), "that ends: its end is the length of its training"),
        (LinearWarmUp(FLAT, 0, 100), "Write all its lengths as shares of the training, wi"),
        (
            LinearWarmUp(abs, 0, 0.5),
            "LinearWarmUp: `scaled_to` must be called on a schedule with a",
        ),
        (LinearWarmUp(CosineScheduler(900), 0, 0.1), "in iterations, or all as shares"),
        (LinearWarmUp(CosineScheduler(1), 0, 0.1), "shares of the training, with a sum of at"),
        (Sawtooth(100), "Sawtooth: `scaled_to` must be called on a schedule that ends"),
    ],
)
def test_what_cannot_be_stretched_says_so(schedule, message):
    with pytest.raises(ValueError, match=message):
        schedule.scaled_to(1000)


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, "100", None, True])
def test_a_training_has_a_length(wrong):
    with pytest.raises((TypeError, ValueError), match="CosineScheduler: `iterations` must be"):
        CosineScheduler(0.5).scaled_to(wrong)


def test_another_schedule_is_asked_earlier():
    inner = Sawtooth(10, base_lr=1)
    schedule = CoolDown(inner, 0, 80, 20).scaled_to(1000)
    assert schedule == CoolDown(EpochSchedule(inner, 10), 0, 800, 200)
    assert schedule(155) == pytest.approx(inner(15.5))
    shorter = CoolDown(inner, 0, 80, 20).scaled_to(20)
    assert shorter(3) == pytest.approx(inner(15))
    assert CosineScheduler(1000, base_lr=1).in_epochs(0.5)(250) == pytest.approx(0.5)


@pytest.mark.parametrize("make", [lambda: CosineScheduler(1000, base_lr=1)])
def test_a_nearer_end_presses_what_is_left_together(make):
    schedule, before = make().continued(at=400, to=700), make()
    assert schedule.values(range(401)).tolist() == before.values(range(401)).tolist()
    assert schedule(550) == pytest.approx(before(700))
    assert schedule(700) == schedule(10**6) == 0
    assert schedule.natural_length == 700


def test_a_farther_end_is_gone_to_as_if_planned_so():
    before, planned = CosineScheduler(1000, base_lr=1), CosineScheduler(2000, base_lr=1)
    schedule = before.continued(at=500, to=2000)
    counts = range(650, 2100)
    np.testing.assert_allclose(schedule.values(counts), planned.values(counts), atol=1e-12)
    assert schedule(500) == before(500) == 0.5
    assert schedule(575) == pytest.approx((planned(575) + 0.5) / 2)


def test_what_has_ended_is_warmed_up_again():
    schedule = WarmupStableDecaySchedule(1, 0, 800, 200).continued(at=1000, to=5000)
    assert [schedule(n) for n in (800, 1000, 1200, 1400, 4000, 4500, 5000)] == pytest.approx(
        [1, 0, 0.5, 1, 1, 0.5, 0]
    )


@settings(max_examples=50, deadline=None)
@given(schedules(), st.floats(0.05, 1.5), st.floats(1.01, 3))
def test_a_moved_end_is_reached_without_a_jump(schedule, share, more):
    length = schedule.natural_length
    assume(10 < length < math.inf and "ContinuedSchedule" not in repr(schedule))
    at = share * length
    assume(more * at >= 1)  # else it is a share of a training
    moved = schedule.continued(at=at, to=more * at)
    assert moved(at) == pytest.approx(schedule(at))
    assert moved(at + 1e-9) == pytest.approx(schedule(at + 1e-9), rel=1e-3, abs=1e-3)
    near = [schedule(length - 1e-6), schedule(length + 1e-6)]
    if near == pytest.approx([schedule(length)] * 2, abs=1e-3):
        assert moved(more * at) == pytest.approx(schedule(length), abs=1e-3)
    assert gluon_lr.schedule(repr(moved)) == moved


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FLAT.continued(at=1, to=2), "ConstantSchedule: `continued` must be called on a s"),
        (lambda: CosineScheduler(10).continued(at=5, to=5), "`to` must be above `at`, 5, got 5"),
        (lambda: CosineScheduler(10).continued(at=-1, to=5), "ContinuedSchedule: `at` must be"),
        (lambda: CosineScheduler(10).continued(at=1, to=math.inf), "ContinuedSchedule: `to` must"),
    ],
)
def test_an_end_that_cannot_be_moved_says_so(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (CosineScheduler(120), 120),
        (CosineScheduler(120.5), 121),
        (FLAT, 1500),
        (abs, 1500),
        (MultiFactorScheduler([100, 400], 0.1), 500),
        (FactorScheduler(100, 0.1), 1000),
        (CyclicalSchedule(TriangularSchedule, 100, min_lr=0, max_lr=1), 500),
        (LinearWarmUp(CosineScheduler(0.9), 0, 0.1), 1000),
        ([CosineScheduler(120), CosineScheduler(300), FactorScheduler(1000, 0.1)], 300),
        (mx.lr_scheduler.CosineScheduler(120), 120),
    ],
)
def test_a_picture_shows_as_much_as_the_schedule_lasts(schedule, last):
    for line in plot_schedule(schedule).get_lines():
        assert (line.get_xdata()[0], line.get_xdata()[-1]) == (1, last)


def test_a_picture_of_shares_is_of_a_training():
    shares = LinearWarmUp(CosineScheduler(0.9, base_lr=1), 0, 0.1)
    (line,) = shares.plot(500).get_lines()
    np.testing.assert_allclose(line.get_ydata(), shares.scaled_to(500).values(range(1, 501)))


def test_a_picture_of_a_long_schedule_has_points_enough():
    (line,) = CosineScheduler(10**12, base_lr=1).plot().get_lines()
    assert len(line.get_xdata()) == 100_000
    assert line.get_xdata()[-1] == 10**12


@pytest.mark.parametrize(
    "mixed",
    [
        LinearWarmUp(CosineScheduler(0.9, base_lr=1), 0, 10),
        CosineScheduler(0.9, base_lr=1) * (lambda n: 1.0),
        CosineScheduler(0.9, base_lr=1) * CosineScheduler(100, base_lr=1),
        CyclicalSchedule(functools.partial(TriangularSchedule), 0.25, min_lr=0, max_lr=1),
        LinearWarmUp(mx.lr_scheduler.FactorScheduler(10, 0.5, base_lr=1), 0, 10)
        + FactorScheduler(0.5, 0.5),
    ],
)
def test_shares_beside_iterations_have_no_rates_either(mixed):
    for ask in (lambda: mixed(5), lambda: mixed.values([5]), lambda: ScheduledCurve(mixed, 100)):
        with pytest.raises(ValueError, match="shares of a training"):
            ask()
    with pytest.raises(ValueError, match="in iterations, or all as shares of a training"):
        mixed.scaled_to(100)


def test_a_warm_up_of_less_than_an_iteration_is_one():
    shorter = LinearWarmUp(CosineScheduler(1000, base_lr=1), 0, 10).scaled_to(50)
    assert shorter.length < 1
    assert shorter(25) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (CosineScheduler(1000) + FactorScheduler(300, 0.5), math.inf),
        (CosineScheduler(1000).maximum(InverseSqrtScheduler(40)), math.inf),
        (PolyScheduler(100, 1, 1, 0.1) * FactorScheduler(50, 0.5), math.inf),
        (PolyScheduler(100, 1, 1, 0) * FactorScheduler(50, 0.5), 100),
        (FactorScheduler(50, 0.5).minimum(PolyScheduler(100, 1, 1, 0)), 100),
        (CosineScheduler(100) * CosineScheduler(300), 100),
        (CosineScheduler(100, 1, 0.1) * CosineScheduler(300, 1, 0.1), 300),
        (CosineScheduler(100) + abs, math.inf),
        (ConstantSchedule(0) * FLAT, math.inf),
        (KDecaySchedule(PolyScheduler(500, 1, 1), 1000, 2), 1000 * 0.5**0.5),
        (KDecaySchedule(PolyScheduler(1000, 1, 1), 1000, 2), 1000),
        (KDecaySchedule(PolyScheduler(1500, 1, 1), 1000, 2), 1500),
    ],
)
def test_natural_lengths_of_what_goes_on_and_of_what_is_warped(schedule, length):
    assert schedule.natural_length == pytest.approx(length)
    if length < math.inf:
        assert schedule(length) == pytest.approx(schedule(10**6), abs=1e-12)


def test_what_has_ended_before_it_begins_cannot_be_stretched():
    with pytest.raises(ValueError, match="called on a schedule that ends"):
        CosineScheduler(100).shifted(200).scaled_to(50)


@pytest.mark.parametrize(
    "schedule",
    [FactorScheduler(1, 0.9), CyclicalSchedule(TriangularSchedule, 1, min_lr=0, max_lr=1)],
)
def test_one_iteration_is_no_share_where_there_is_no_end(schedule):
    with pytest.raises(ValueError, match="called on a schedule that ends"):
        schedule.scaled_to(100)
    assert not ScheduledCurve(schedule).needs_length


def test_an_end_of_1_that_lengths_do_not_have_is_no_whole_training():
    assert not ScheduledCurve(CosineScheduler(1000).shifted(999)).needs_length


class Doubled(CosineScheduler):
    def __call__(self, num_update):
        return 2 * super().__call__(num_update)


class Halved(CosineScheduler):
    def _rate(self, n):
        return super()._rate(n) / 2


def test_a_users_own_class_is_stretched_and_asked_as_it_says():
    assert Doubled(0.5, base_lr=1).scaled_to(200)(50) == pytest.approx(1)
    assert Halved(100, base_lr=1)(50) == Halved(100, base_lr=1).values([50]) == 0.25
    assert (2 * Halved(100, base_lr=1)).values([50]) == 0.5
    assert Halved(0.5, base_lr=1).scaled_to(200)(50) == 0.25


@pytest.mark.parametrize("far", [2**53 - 1, 2**60, 2**62])
@pytest.mark.parametrize(
    "schedule",
    [
        CosineScheduler(1000, 1, 0.1).continued(500, 3000),
        CosineScheduler(1000, 1, 0.1).continued(500, 800),
        CosineScheduler(1000, 1, 0.1).shifted(2**62),
        KDecaySchedule(CosineScheduler(1000, 1, 0.1), 1000, 2),
        CyclicalSchedule(TriangularSchedule, 2**53 + 1, min_lr=0.1, max_lr=1),
    ],
)
def test_far_out_values_are_the_calls(schedule, far):
    np.testing.assert_allclose(schedule.values([5, far]), [schedule(5), schedule(far)], rtol=1e-6)


def test_a_jump_at_the_end_stays_there():
    base = gluon_lr.LinearCoolDown(FLAT, 0, 3598, 0)
    for at, to in ((994, 3581), (1, 3597), (17, 9999), (3000, 12345)):
        moved = base.continued(at, to)
        assert (moved(to), moved(to + 1)) == (1, 0)


def test_very_long_schedules_are_shown():
    for schedule in (CosineScheduler(2**63 - 1), FactorScheduler(2**62, 0.5)):
        (line,) = schedule.plot().get_lines()
        assert line.get_xdata().min() == 1
        assert line.get_xdata()[-1] == 2**53
    (line,) = CosineScheduler(100).plot(2**63 - 1).get_lines()
    assert (line.get_xdata().min(), line.get_xdata().max()) == (1, 2**63 - 1)
