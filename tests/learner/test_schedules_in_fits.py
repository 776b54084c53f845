"""Schedules as curves of a fit's hyper-parameters: at their iterations, stretched, moved."""

import math

import numpy as np
import pytest
from fits import StopAfter, assert_same_state, make_learner, state
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from schedule_strategies import assert_same_rates, schedules

from gluon_lr import (
    AnnealedSchedule,
    Callback,
    CheckpointCallback,
    ConstantSchedule,
    CosineScheduler,
    CyclicalSchedule,
    FactorScheduler,
    GradientAccumulation,
    Learner,
    LinearWarmUp,
    LRFinder,
    MultiFactorScheduler,
    ParamScheduler,
    PiecewiseSchedule,
    PlateauScheduler,
    PolyScheduler,
    ScaledSchedule,
    SchedLin,
    Schedule,
    ScheduledCurve,
    TriangularSchedule,
    combine_scheds,
    combined_cos,
)
from gluon_lr._mxnet import mx
from gluon_lr.hyper import annealing

STEPS = MultiFactorScheduler([3, 8], 0.5, base_lr=0.08)
SHARES = LinearWarmUp(CosineScheduler(0.75, base_lr=0.1), 0, 0.25)
WHOLE = LinearWarmUp(CosineScheduler(9, base_lr=0.1), 0, 3)


class Own(ParamScheduler):
    """Acts by its events."""

    def before_batch(self, learner):
        super().before_batch(learner)


class Sawtooth(Schedule):
    def __init__(self, length, base_lr=0.01):
        super().__init__(base_lr)
        self.length = length

    def _rate(self, n):
        return self.base_lr * (1 - n % self.length / self.length)


@pytest.mark.parametrize(
    "schedule",
    [
        STEPS,
        WHOLE,
        CosineScheduler(100, base_lr=0.1),
        CyclicalSchedule(TriangularSchedule, 5, min_lr=0, max_lr=0.1),
        Sawtooth(5, 0.1),
        0.5 * STEPS + 0.01,
        AnnealedSchedule(SchedLin(0.1, 0.2), 7),
    ],
)
def test_a_fit_trains_at_the_schedules_rates(schedule):
    expected = schedule.values(range(1, 13))
    learner = make_learner()
    learner.fit(3, schedule)
    np.testing.assert_allclose(learner.recorder.lrs, expected, rtol=1e-12)
    again = make_learner()
    again.fit(3, cbs=ParamScheduler({"lr": schedule}))
    np.testing.assert_array_equal(again.recorder.lrs, learner.recorder.lrs)
    acting = make_learner()
    acting.fit(3, cbs=Own({"lr": schedule}))
    np.testing.assert_allclose(acting.recorder.lrs, expected, rtol=1e-12)
    assert learner.trainer.learning_rate == again.trainer.learning_rate == 0.01


def test_it_trains_as_with_the_schedule_in_the_optimizer():
    along = make_learner(optimizer="adam")
    along.fit(3, lr=STEPS)
    inside = make_learner(optimizer="adam")
    inside.trainer.optimizer.lr_scheduler = STEPS
    inside.fit(3)
    np.testing.assert_allclose(along.recorder.losses, inside.recorder.losses, rtol=1e-5)


def test_mxnets_own_is_a_schedule_too_and_remembers_nothing():
    learner, own = make_learner(), mx.lr_scheduler.MultiFactorScheduler([3, 8], 0.5, 0.08)
    for _ in range(2):
        learner.fit(3, own)
        np.testing.assert_allclose(learner.recorder.lrs, STEPS.values(range(1, 13)), rtol=1e-12)
    assert own.base_lr == 0.08


@pytest.mark.parametrize(
    ("epochs", "more", "updates"), [(3, {}, 12), (5, {}, 20), (3, {"accumulates": 2}, 6)]
)
@pytest.mark.parametrize("kind", [ParamScheduler, Own])
def test_one_in_shares_is_stretched_to_the_fit(epochs, more, updates, kind):
    learner = make_learner()
    cbs = [GradientAccumulation(n_acc=16 * more["accumulates"])] if more else []
    learner.fit(epochs, cbs=[*cbs, kind({"lr": SHARES})])
    expected = SHARES.scaled_to(updates).values(range(1, updates + 1))
    used = learner.recorder.lrs
    used = used[1::2] if len(used) == 2 * updates else used
    np.testing.assert_allclose(used, expected, rtol=1e-12)


def test_the_whole_of_a_fit_is_1():
    learner = make_learner()
    learner.fit(3, CosineScheduler(1, base_lr=0.1))
    expected = CosineScheduler(12, base_lr=0.1).values(range(1, 13))
    np.testing.assert_allclose(learner.recorder.lrs, expected, rtol=1e-12)


def test_other_hyper_parameters_follow_schedules_too():
    learner = make_learner()
    scheds = {
        "mom": PiecewiseSchedule([1, 7, 12], [0.95, 0.85, 0.95], "linear"),
        "wd": [FactorScheduler(4, 0.1, base_lr=1e-2), ConstantSchedule(1e-3)],
        "lr": combined_cos(0.25, 0.01, 0.1, 0),
    }
    learner.fit(3, cbs=ParamScheduler(scheds))
    hps = learner.recorder.group_hps
    n = np.arange(1, 13)
    np.testing.assert_allclose(hps["mom"][:, -1], scheds["mom"].values(n), rtol=1e-12)
    np.testing.assert_allclose(hps["wd"][:, 0], scheds["wd"][0].values(n), rtol=1e-12)
    np.testing.assert_allclose(hps["wd"][:, 1], 1e-3)
    np.testing.assert_allclose(hps["lr"][:, -1], scheds["lr"]((n - 1) / 12), rtol=1e-12)


class Move(Callback):
    def __init__(self, at, method, *arguments):
        self.at, self.method, self.arguments = at, method, arguments

    def after_batch(self, learner):
        if len(learner.recorder) == self.at:
            getattr(learner, self.method)(*self.arguments)


def test_an_end_that_is_moved_moves_the_schedule_with_it():
    line = PolyScheduler(13, base_lr=0.13, pwr=1)  # 0.12 at the first update, 0.01 at the last
    nearer, farther = make_learner(), make_learner()
    nearer.fit(3, line, cbs=Move(4, "finish", 4))
    np.testing.assert_allclose(nearer.recorder.lrs[3:], [0.09, 0.08, 0.06, 0.04, 0.02])
    farther.fit(3, line, cbs=Move(4, "extend", 3))
    planned = line(1) - np.arange(24) * 0.12 / 24
    np.testing.assert_allclose(farther.recorder.lrs[7:], planned[7:])


@pytest.mark.parametrize("schedule", [STEPS, SHARES, ScheduledCurve(SHARES).schedule])
def test_an_interrupted_fit_goes_on_along_the_schedule(schedule):
    straight = make_learner()
    straight.fit(3, schedule)
    expected = state(straight)
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(3, schedule, cbs=[CheckpointCallback("run", 1), StopAfter(9)])
    loaded = make_learner()
    loaded.load("run")
    loaded.resume()
    assert_same_state(state(loaded), expected)


def test_a_fit_of_seconds_takes_shares_alone(monkeypatch):
    learner = make_learner()
    message = "fit: `seconds` must be omitted if a schedule counts updates, got Multi"
    with pytest.raises(ValueError, match=message):
        learner.fit(lr=STEPS, seconds=5)
    with pytest.raises(
        ValueError, match="Or write all lengths of the schedule as shares of the fit"
    ):
        learner.fit(cbs=ParamScheduler({"mom": [STEPS, STEPS]}), seconds=5)
    assert len(learner.recorder) == 0
    learner.fit(lr=SHARES, seconds=0.3)
    lrs = learner.recorder.lrs
    assert lrs[0] < 0.02
    assert lrs.max() > 0.05
    assert lrs[-1] < 0.03
    learner.fit(lr=ConstantSchedule(0.05), seconds=0.05)
    np.testing.assert_allclose(learner.recorder.lrs, 0.05)


def test_rates_below_0_and_other_fits_are_refused():
    learner = make_learner()
    with pytest.raises(
        TypeError, match=r"`lr_max` .* Pass a schedule to fit\(n_epoch, lr=schedule\)"
    ):
        learner.fit_one_cycle(1, STEPS)
    with pytest.raises(TypeError, match="lr"):
        learner.fit(1, lambda n: 0.1)
    with pytest.raises(TypeError, match="CosineScheduler"):
        learner.fit(1, CosineScheduler)
    assert len(learner.recorder) == 0


def test_rates_that_a_fit_cannot_read_are_refused_with_the_remedy():
    learner = make_learner()
    with pytest.raises(ValueError, match=r"fit: `lr` must be a rate, or 'tune' .*, got '0.1'"):
        learner.fit(1, "0.1")
    with pytest.raises(ValueError, match=r"that changes, pass a schedule to fit\(n_epoch, lr="):
        learner.fit(3, [0.1, 0.01, 0.001])
    net = mx.gluon.nn.Dense(1)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": STEPS})
    with pytest.raises(ValueError, match=r"'lr', MultiFactor.*learning_rate\(schedule\(iteration"):
        Learner(net, [0], trainer=trainer)


COUNTED = CosineScheduler(3, base_lr=0.1)
IN_EPOCHS = r"is 3 iterations, and .* 3 epochs of 4 iterations.* EpochSchedule\(schedule, 4"


@pytest.mark.parametrize(
    "fit",
    [
        lambda one: one.fit(3, lr=COUNTED),
        lambda one: one.fit(3, lr=mx.lr_scheduler.MultiFactorScheduler([2, 3], 0.1)),
        lambda one: one.fit(3, cbs=ParamScheduler({"lr": COUNTED})),
    ],
)
def test_lengths_that_seem_to_be_epochs_bring_a_warning(fit):
    learner = make_learner()
    with pytest.warns(UserWarning, match=IN_EPOCHS) as warned:
        fit(learner)
    assert {one.filename for one in warned if "epochs" in str(one.message)} == {__file__}


def test_the_trainers_own_schedule_too():
    learner = make_learner()
    learner.trainer.optimizer.lr_scheduler = COUNTED
    with pytest.warns(UserWarning, match=IN_EPOCHS):
        learner.fit(3)


@pytest.mark.parametrize(
    "lr",
    [
        COUNTED.in_epochs(4),
        CosineScheduler(4, base_lr=0.1),  # longer than the number of epochs
        CosineScheduler(0.9, base_lr=0.1),
        ConstantSchedule(0.1),
        0.1,
    ],
)
def test_other_lengths_bring_none(lr, recwarn):
    make_learner().fit(3, lr=lr)
    assert not [one for one in recwarn if "epochs" in str(one.message)]


# -- in a loop of one's own -----------------------------------------------------------------------


def make_trainer():
    net = mx.gluon.nn.Dense(1, in_units=1)
    net.initialize()
    return mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9})


def test_without_a_length_a_schedule_has_its_iterations():
    trainer = make_trainer()
    scheduler = ParamScheduler({"lr": WHOLE, "mom": PolyScheduler(20, 0.95, 1, 0.85)}, trainer)
    for n in (1, 3, 12, 100):
        scheduler.step(n)
        assert trainer.learning_rate == WHOLE(n)
        assert trainer.optimizer.momentum == pytest.approx(max(0.95 - 0.1 * n / 20, 0.85))
    lines = [axes.get_lines()[0] for axes in scheduler.plot()]
    assert {len(line.get_xdata()) for line in lines} == {20}
    beside = ParamScheduler({"lr": WHOLE, "mom": SchedLin(0.95, 0.85)}, trainer)
    with pytest.raises(RuntimeError, match="`length` is not set"):
        beside.step(1)
    with pytest.raises(RuntimeError, match="`length` is not set"):
        ParamScheduler({"lr": SHARES}, trainer).step(1)
    with_length = ParamScheduler({"lr": SHARES}, trainer, length=12)
    assert [with_length.at(n)["lr"] for n in range(1, 20)] == [WHOLE(n) for n in range(1, 14)] + [
        WHOLE(13)
    ] * 6


def test_a_curve_that_has_a_length_is_stretched_to_that_of_the_scheduler():
    curve = ScheduledCurve(PolyScheduler(11, base_lr=1, pwr=1), length=10)
    scheduler = ParamScheduler({"lr": curve}, length=5)
    assert [scheduler.at(n)["lr"] for n in range(1, 6)] == [curve(n / 5) for n in range(5)]


@pytest.mark.parametrize("schedule", [STEPS, SHARES])
def test_it_is_an_lr_scheduler_again(schedule):
    scheduler = ParamScheduler({"lr": schedule}, length=12)
    again = scheduler.as_lr_scheduler()
    np.testing.assert_allclose(
        again.values(range(1, 13)), [scheduler.at(n)["lr"] for n in range(1, 13)]
    )


# -- there and back -------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(schedules(), st.integers(1, 500))
def test_a_schedule_is_a_curve_and_a_schedule_again(schedule, length):
    assume(schedule.natural_length != 1)  # which is all of a training
    curve = ScheduledCurve(schedule, length)
    n = np.arange(1, length + 1)
    assert_same_rates(AnnealedSchedule(curve, length).values(n), [schedule(i) for i in n.tolist()])
    assert_same_rates(curve((n - 1) / length), [schedule(i) for i in n.tolist()])
    config = annealing.to_config(curve)
    assert annealing.from_config(config) == curve
    assert annealing.to_config(annealing.from_config(config)) == config


@pytest.mark.parametrize("curve", [SchedLin(0.1, 1), combined_cos(0.3, 0.1, 1, 0)])
def test_a_curve_is_a_schedule_and_a_curve_again(curve):
    again = ScheduledCurve(AnnealedSchedule(curve, 100), 100)
    positions = np.linspace(0, 1, 37)
    np.testing.assert_allclose(again(positions), curve(positions), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ScheduledCurve(CosineScheduler), TypeError, "Instantiate it"),
        (lambda: ScheduledCurve(0.1), TypeError, "ScheduledCurve: `schedule` must be a schedule"),
        (lambda: ScheduledCurve(STEPS, 0), ValueError, "ScheduledCurve: `length` must be"),
        (lambda: ScheduledCurve(STEPS, math.inf), ValueError, "ScheduledCurve: `length` must be"),
        (lambda: ScheduledCurve(STEPS)(0.5), RuntimeError, "`length` is not set"),
        (lambda: annealing.to_config(ScheduledCurve(abs, 3)), ValueError, "a schedule of gluon_lr"),
    ],
)
def test_what_is_no_such_curve_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# -- wherever there are curves ----------------------------------------------------------------


@pytest.mark.parametrize("schedule", [STEPS, SHARES, mx.lr_scheduler.PolyScheduler(12, 0.1)])
def test_in_fit_curves_they_are_schedules_too(schedule):
    learner, other = make_learner(), make_learner()
    learner.fit_curves({"lr": schedule}, length=12)
    other.fit(3, schedule)
    np.testing.assert_array_equal(learner.recorder.lrs, other.recorder.lrs)
    with pytest.raises(ValueError, match="fit_curves: `seconds` must be omitted if a schedule"):
        learner.fit_curves({"lr": STEPS}, seconds=3)


def test_curves_one_after_another_may_be_schedules():
    warm, down = SchedLin(0.01, 0.1), CosineScheduler(1, base_lr=0.1)
    learner = make_learner()
    learner.fit_curves({"lr": combine_scheds([0.25, 0.75], [warm, down])}, length=12)
    expected = [0.01, 0.04, 0.07, *CosineScheduler(9, base_lr=0.1).values(range(1, 10))]
    np.testing.assert_allclose(learner.recorder.lrs, expected, rtol=1e-12)
    along = AnnealedSchedule(STEPS, 12)
    assert along.values(range(1, 13)).tolist() == STEPS.values(range(1, 13)).tolist()


@pytest.mark.parametrize("schedule", [STEPS, SHARES])
@pytest.mark.parametrize("kind", [ParamScheduler, Own])
def test_a_fit_may_start_at_a_later_epoch(schedule, kind):
    learner = make_learner()
    learner.fit(3, cbs=kind({"lr": schedule}), start_epoch=1)
    whole = schedule.scaled_to(12) if schedule is SHARES else schedule
    np.testing.assert_allclose(learner.recorder.lrs, whole.values(range(5, 13)), rtol=1e-12)


def test_a_schedule_that_no_file_can_hold_is_given_again():
    schedule = ScaledSchedule(lambda n: 1 / n, 0.1)
    straight = make_learner()
    straight.fit(3, schedule)
    expected = straight.recorder.lrs
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(3, schedule, cbs=[CheckpointCallback("run", 1), StopAfter(9)])
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=ParamScheduler({"lr": schedule}))
    np.testing.assert_array_equal(loaded.recorder.lrs, expected)


def test_a_mixture_of_shares_and_iterations_trains_nothing():
    learner = make_learner()
    with pytest.raises(ValueError, match="shares of a training"):
        learner.fit(3, LinearWarmUp(CosineScheduler(0.9, base_lr=0.1), 0, 10))
    with pytest.raises(TypeError, match="a schedule that does not follow a metric"):
        LRFinder(learner).tune(8, policy=0.5 * PlateauScheduler(), progress=False)
    assert len(learner.recorder) == 0


def test_a_picture_of_shares_needs_no_length():
    (axes,) = ParamScheduler({"lr": SHARES}).plot()
    np.testing.assert_allclose(
        axes.get_lines()[0].get_ydata(), SHARES.scaled_to(1000).values(range(1, 1001))
    )


def test_beside_a_scheduler_without_a_learning_rate_a_fit_shows_its_own():
    learner = make_learner()
    optimizer = mx.optimizer.SGD(lr_scheduler=CosineScheduler(100, base_lr=0.1))
    trainer = mx.gluon.Trainer(learner.net.collect_params(), optimizer)
    own = Learner(learner.net, learner.data_loader, trainer=trainer)
    own.fit(1, 0.05)
    own.fit(1, STEPS)
    np.testing.assert_allclose(own.recorder.lrs[0], STEPS(1))
