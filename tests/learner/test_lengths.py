"""Fits of a time, and fits that end earlier or later than was planned."""

import time

import numpy as np
import pytest
from fits import StopAfter, assert_same_state, make_learner, state
from hypothesis import given, settings
from hypothesis import strategies as st
from loaders import OwnLoader

from gluon_lr import (
    Callback,
    CheckpointCallback,
    GradientAccumulation,
    Learner,
    ParamScheduler,
    SchedLin,
    one_cycle,
)
from gluon_lr.learner.fit import Fit

PER_EPOCH = 4  # updates of fits.make_learner


class Call(Callback):
    """Call a method of the learner, once, after the n-th update of the fit."""

    def __init__(self, n, method, *arguments, event="after_batch"):
        self.n, self.method, self.arguments = n, method, arguments
        setattr(self, event, self._call)

    def _call(self, learner):
        if len(learner.recorder) == self.n:
            self.n = None
            getattr(learner, self.method)(*self.arguments)


def rates_of(learner):
    return learner.recorder.lrs


# -- finish ------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["after_batch", "after_step", "before_batch"])
@pytest.mark.parametrize(("at", "iterations"), [(1, 1), (2, 9), (5, 3), (4, 4), (11, 1)])
def test_a_fit_finishes_in_so_many_updates(at, iterations, event):
    learner = make_learner()
    learner.fit_one_cycle(3, 0.1, cbs=Call(at, "finish", iterations, event=event))
    lrs, curve = rates_of(learner), one_cycle(0.1)["lr"]
    assert len(lrs) == at + iterations
    np.testing.assert_allclose(lrs[:at], curve(np.arange(at) / 12), rtol=1e-12)
    left = at / 12 + (1 - at / 12) * np.arange(iterations) / iterations
    np.testing.assert_allclose(lrs[at:], curve(left), rtol=1e-12)
    assert learner.n_epoch == -(-(at + iterations) // PER_EPOCH) == len(learner.recorder.epochs)
    assert "valid_loss" in learner.recorder.epochs[-1]
    assert learner.trainer.learning_rate == 0.01


def test_what_acts_by_events_finishes_with_it():
    class Own(ParamScheduler):
        def before_batch(self, learner):
            super().before_batch(learner)

    learner = make_learner()
    learner.fit(3, cbs=[Own({"lr": SchedLin(0.0, 1.2)}), Call(6, "finish", 3)])
    np.testing.assert_allclose(rates_of(learner)[5:], [0.5, 0.6, 0.8, 1.0])


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])  # batches, of which three make an update
def test_in_a_group_of_gradients_it_is_the_first_of_them(at):
    learner = make_learner()

    class Finishes(Callback):
        batches = 0

        def after_batch(self, learner):
            self.batches += 1
            if self.batches == at:
                learner.finish(2)

    learner.fit_one_cycle(6, 0.1, cbs=[GradientAccumulation(3), Finishes()])
    made = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}[at]  # four batches are an epoch, and two updates
    lrs, curve = rates_of(learner), one_cycle(0.1)["lr"]
    assert len(lrs) == made + 2
    left = made / 12 + (1 - made / 12) * np.array([0, 0.5])
    np.testing.assert_allclose(lrs[made:], curve(left), rtol=1e-9)


def test_in_passes_of_any_length_it_is_so_many_updates():
    other = make_learner()
    learner = Learner(other.net, OwnLoader((8, 8, 3, 3)), trainer=other.trainer)
    learner.progress = False
    learner.fit(20, 0.1, cbs=Call(19, "finish", 10))
    assert len(learner.recorder) == 29


def test_fine_tune_finishes_whole():
    learner = make_learner()
    learner.fine_tune(3, 0.1, cbs=Call(2, "finish", 2))
    assert len(rates_of(learner)) == 4


# -- extend ------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 4, 5, 11])
def test_a_fit_goes_on_longer_as_if_it_had_been_planned_so(at):
    learner = make_learner()
    learner.fit_one_cycle(3, 0.1, cbs=Call(at, "extend", 22))
    lrs, curve = rates_of(learner), one_cycle(0.1)["lr"]
    assert len(lrs) == 25 * PER_EPOCH
    planned = curve(np.arange(100) / 100)
    np.testing.assert_allclose(lrs[:at], curve(np.arange(at) / 12), rtol=1e-12)
    leaving = -(-(100 - at) // 10)
    share = np.maximum(1 - np.arange(100 - at) / leaving, 0)
    expected = share * curve(at / 12) + (1 - share) * planned[at:]
    np.testing.assert_allclose(lrs[at:], expected, rtol=1e-12)
    np.testing.assert_allclose(lrs[at + leaving :], planned[at + leaving :], rtol=1e-12)
    assert learner.n_epoch == 25


def test_in_each_group_and_each_hyper_parameter():
    learner = make_learner()
    learner.fit_one_cycle(3, slice(0.01, 0.1), cbs=Call(6, "extend", 7))
    rates, moms = learner.recorder.group_hps["lr"], learner.recorder.hps["mom"]
    np.testing.assert_allclose(rates[:, 0], rates[:, 1] / 10, rtol=1e-9)
    np.testing.assert_allclose(moms[6], one_cycle(0.1)["mom"](0.5), rtol=1e-12)
    np.testing.assert_allclose(moms[20:], one_cycle(0.1)["mom"](np.arange(20, 40) / 40), rtol=1e-12)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 3),
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["finish", "extend"]), st.integers(0, 12)),
        max_size=5,
    ),
)
def test_however_often_its_end_is_moved_no_value_jumps(n_epoch, batches, accumulated, changes):
    def value():
        return sum(w * curve(p) for p, w in fit.positions_of(fit.place(accumulated)[0]))

    curve = one_cycle(0.1)["lr"]
    fit = Fit(n_epoch, batches, False, {})
    fit.batches_per_update = accumulated
    while not fit.is_over:
        for at, method, number in changes:
            if at == fit.updates:
                before = value()
                getattr(fit, method)(max(number, method == "extend"), accumulated)
                assert fit.is_over or value() == pytest.approx(before, rel=1e-9)
        left = min(accumulated, batches - fit.in_epoch)
        fit.in_epoch += left
        fit.count_update(was_made=True)
        if fit.in_epoch >= batches:
            fit.end_epoch()
    assert fit.n_epoch >= fit.epochs_ended
    last = [number + at for at, method, number in changes if method == "finish"]
    assert not last or fit.updates <= max(last) + 12 * 5 * batches


def test_it_may_be_extended_again_and_again():
    learner = make_learner()
    cbs = [Call(n, "extend", 1) for n in (2, 5, 13)]
    learner.fit_flat_cos(2, 0.1, cbs=cbs)
    assert len(rates_of(learner)) == 5 * PER_EPOCH
    assert np.abs(np.diff(rates_of(learner))).max() < 0.1 / 3


@pytest.mark.parametrize(("method", "argument"), [("finish", 5), ("extend", 2)])
def test_an_interrupted_fit_is_changed_before_it_is_resumed(method, argument):
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=Call(6, method, argument))
    expected = state(straight)
    here = make_learner()
    with pytest.raises(KeyboardInterrupt):
        here.fit_one_cycle(3, 0.1, cbs=[CheckpointCallback("run", 1), StopAfter(6)])
    getattr(here, method)(argument)
    here.resume()
    assert_same_state(state(here), expected)
    loaded = make_learner()
    loaded.load("run")
    getattr(loaded, method)(argument)
    loaded.resume()
    assert_same_state(state(loaded), expected)


@pytest.mark.parametrize(("method", "argument"), [("finish", 5), ("extend", 2)])
@pytest.mark.parametrize("at", [7, 8, 9])
def test_a_changed_fit_is_resumed_as_it_was_changed(method, argument, at):
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=Call(6, method, argument))
    expected = state(straight)
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        cbs = [Call(6, method, argument), CheckpointCallback("run", 1), StopAfter(at)]
        stopped.fit_one_cycle(3, 0.1, cbs=cbs)
    loaded = make_learner()
    loaded.load("run")
    loaded.resume()
    assert_same_state(state(loaded), expected)


@pytest.mark.parametrize("method", ["finish", "extend"])
def test_where_there_is_no_fit_it_says_so(method):
    learner = make_learner()
    with pytest.raises(RuntimeError, match=f"no running or interrupted fit to {method}"):
        getattr(learner, method)(1)
    learner.fit(1, 0.1)
    with pytest.raises(RuntimeError, match=f"no running or interrupted fit to {method}"):
        getattr(learner, method)(1)
    with pytest.raises(
        ValueError, match=f"{method}: `.*` must be an integer of at least [01], got"
    ):
        getattr(learner, method)(-1)


@pytest.mark.parametrize("iterations", [4, 30])
def test_where_no_more_are_left_it_ends_as_it_would_have(iterations):
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1)
    expected = state(straight)
    learner = make_learner()
    learner.fit_one_cycle(3, 0.1, cbs=Call(8, "finish", iterations))
    assert_same_state(state(learner), expected)


def test_asked_to_finish_again_and_again_it_ends():
    class Enough(Callback):
        def after_epoch(self, learner):
            learner.finish(6)

    learner = make_learner()
    learner.fit(9, 0.1, cbs=Enough())
    assert len(rates_of(learner)) == 10


def test_it_may_end_at_once():
    learner = make_learner()
    learner.fit_one_cycle(3, 0.1, cbs=Call(6, "finish", 0))
    assert len(rates_of(learner)) == 6
    assert "valid_loss" in learner.recorder.epochs[-1]


# -- seconds -----------------------------------------------------------------------------------


class Clock:
    """A clock that a batch moves on, and a validation."""

    def __init__(self, monkeypatch, *durations):
        self.now, self.durations = 0.0, durations
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


class Takes(Callback):
    """Let batches take so many seconds each, others from the n-th on, and validations others."""

    def __init__(self, clock, seconds=1.0, later=None, n=None, validation=0.0):
        self.clock, self.seconds, self.later, self.n = clock, seconds, later, n
        self.validation = validation

    def before_step(self, learner):
        slow = self.n is not None and len(learner.recorder) >= self.n
        self.clock.now += self.later if slow else self.seconds

    def after_validate(self, learner):
        self.clock.now += self.validation


FITS = {
    "fit": lambda learner, **more: learner.fit(lr=0.1, **more),
    "fit_one_cycle": lambda learner, **more: learner.fit_one_cycle(lr_max=0.1, **more),
    "fit_flat_cos": lambda learner, **more: learner.fit_flat_cos(lr=0.1, **more),
    "fit_sgdr": lambda learner, **more: learner.fit_sgdr(2, 1, 0.1, **more),
    "fine_tune": lambda learner, **more: learner.fine_tune(freeze_epochs=0, **more),
    "fit_curves": lambda learner, **more: learner.fit_curves({"lr": SchedLin(0.1, 0)}, **more),
}


@pytest.mark.parametrize("fit", FITS)
def test_each_fit_takes_seconds_and_ends_with_them(fit, monkeypatch):
    clock = Clock(monkeypatch)
    learner = make_learner()
    FITS[fit](learner, seconds=100, cbs=Takes(clock))
    assert len(learner.recorder) == 102  # of which two are not counted
    assert clock.now == 102
    assert learner.n_epoch == len(learner.recorder.epochs) == 26


@pytest.mark.parametrize(("later", "n"), [(2.0, 50), (0.5, 50), (1.0, None)])
def test_the_curves_go_by_the_time_that_is_used(later, n, monkeypatch):
    clock = Clock(monkeypatch)
    learner = make_learner()
    learner.fit_one_cycle(seconds=200, lr_max=0.1, cbs=Takes(clock, 1.0, later, n, validation=0.5))
    assert 200 <= clock.now - 2 <= 200 + max(1, later)
    assert learner.recorder.lrs[-1] < 1e-4
    assert learner.recorder.lrs.max() == pytest.approx(0.1, rel=1e-3)
    early = learner.recorder.lrs[3:40]  # at 1, 2, ... s, and half a second a validation
    used = np.array([n + 1 + 0.5 * ((n + 3) // PER_EPOCH) for n in range(len(early))])
    np.testing.assert_allclose(early, one_cycle(0.1)["lr"](used / 200), rtol=1e-9)
