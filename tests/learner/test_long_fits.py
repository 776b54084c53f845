"""Callbacks of long fits where something disturbs them: breaks, other fits, trials, each other."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ONE, TWO, Scale, assert_same_arrays, weights
from fits import Plays, assert_same_state, make_learner, state
from logs import points, rows

from gluon_lr import (
    EMA,
    SWA,
    Callback,
    CheckpointCallback,
    CSVLogger,
    EarlyStoppingCallback,
    FinishOnInterrupt,
    GradientAccumulation,
    GradientClip,
    Learner,
    LRFinder,
    OptunaPruningCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TensorBoardCallback,
)
from gluon_lr._mxnet import mx, nd
from gluon_lr.learner.callbacks import save_model


class At(Callback):
    """Calls a function with the learner at the n-th call of an event."""

    def __init__(self, event, n, function, order=0):
        self.left, self.function, self.order = n, function, order
        setattr(self, event, self._call)

    def _call(self, learner):
        self.left -= 1
        if self.left == 0:
            self.function(learner)


def raises(error):
    def function(learner):
        raise error

    return function


class Keeps(Callback):
    """Keeps the weights after each epoch's batches."""

    def __init__(self):
        self.weights = []

    def after_train(self, learner):
        self.weights.append(weights(learner))


# -- breaks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("disk")])
@pytest.mark.parametrize("order", [-99, 0, 99])
@pytest.mark.parametrize("at", [1, 2, 4])
def test_an_epoch_that_one_breaks_at_all_have_heard_of(error, order, at):
    learner, keeps, log = make_learner(), Keeps(), CSVLogger("log.csv")
    kept = [Plays([3.0, 1.0, 2.0, 4.0]), keeps, log, SaveModelCallback(path="best.params")]
    with pytest.raises(type(error)):
        learner.fit(4, 0.1, cbs=[*kept, At("after_epoch", at, raises(error), order)])
    learner.resume(cbs=kept)
    assert [row["epoch"] for row in rows()] == ["0", "1", "2", "3"]
    assert_same_arrays(weights(learner), keeps.weights[1])
    other = make_learner()
    other.load_params("best.params")
    assert_same_arrays(weights(other), keeps.weights[1])


def test_a_file_that_could_not_be_written_is_later(monkeypatch):
    learner, keeps = make_learner(), Keeps()
    cbs = [Plays([1.0, 2.0, 3.0]), keeps, SaveModelCallback(path="best.params")]
    write, errors = save_model.write_params, [OSError("disk")]

    def write_params(path, parameters):
        if errors:
            raise errors.pop()
        write(path, parameters)

    monkeypatch.setattr(save_model, "write_params", write_params)
    with pytest.raises(OSError, match="disk"):
        learner.fit(3, 0.1, cbs=cbs)
    learner.resume(cbs=cbs)
    other = make_learner()
    other.load_params("best.params")
    assert_same_arrays(weights(other), keeps.weights[0])


def test_a_fit_that_is_refused_leaves_the_interrupted_one():
    straight = make_learner()
    straight.fit(3, 0.1)
    expected = state(straight)
    learner = make_learner()
    with pytest.raises(OSError, match="disk"):
        learner.fit(3, 0.1, cbs=At("after_batch", 6, raises(OSError("disk"))))
    for bad in (SaveModelCallback("f1"), CSVLogger("nowhere/log.csv")):
        with pytest.raises((ValueError, FileNotFoundError)):
            learner.fit(1, 0.1, cbs=bad)
        with pytest.raises((ValueError, FileNotFoundError)):
            learner.resume(cbs=bad)
    learner.resume()
    assert_same_state(state(learner), expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CSVLogger("nowhere/log.csv"),
        lambda: SaveModelCallback(path="nowhere/best"),
        lambda: CheckpointCallback("nowhere/run"),
    ],
)
def test_a_directory_that_is_missing_is_told_before_the_first_epoch(make):
    learner = make_learner()
    with pytest.raises(FileNotFoundError, match="`path` must be in an existing directory"):
        learner.fit(1, 0.1, cbs=make())
    assert len(learner.recorder) == 0


def test_a_file_of_something_else_is_left_alone():
    Path("log.csv").write_text("a,b\n1,2\n")
    learner = make_learner()
    with pytest.raises(ValueError, match="CSVLogger: `path` must be a file of a CSVLogger, or"):
        learner.fit(1, 0.1, cbs=CSVLogger("log.csv"))
    assert Path("log.csv").read_text() == "a,b\n1,2\n"


# -- a time, and other ends --------------------------------------------------------------------


def test_seconds_that_a_validation_uses_up_are_no_epoch(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def take(seconds):
        now[0] += seconds

    learner = make_learner()
    batches = At("before_step", 0, None)
    batches._call = lambda learner: take(1)
    batches.before_step = batches._call
    validates = At("after_validate", 1, lambda learner: take(100))
    learner.fit(lr=0.1, seconds=20, cbs=[batches, validates])
    assert len(learner.recorder) == 4
    assert len(learner.recorder.epochs) == 1


def one_batch():
    other = make_learner()
    batches = [(nd.ones((4, 5)), nd.zeros((4,)))]
    learner = Learner(other.net, batches, trainer=other.trainer)
    learner.progress = False
    return learner


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_a_checkpoint_of_more_epochs_than_were_expected_is_read(at):
    learner = one_batch()
    cbs = [CheckpointCallback("run"), At("after_epoch", at, raises(OSError("disk")), 99)]
    with pytest.raises(OSError, match="disk"):
        learner.fit(lr=0.1, seconds=1000, cbs=cbs)
    loaded = one_batch()
    loaded.load("run")
    assert len(loaded.recorder.epochs) == at


def test_a_fit_that_finishes_in_groups_is_read_from_its_checkpoint():
    def cbs(*more):
        return [GradientAccumulation(4), At("before_fit", 1, lambda one: one.finish(8)), *more]

    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=cbs())
    expected = state(straight)
    stopped = make_learner()
    with pytest.raises(OSError, match="disk"):
        disk = At("after_epoch", 5, raises(OSError("disk")), 99)
        stopped.fit_one_cycle(3, 0.1, cbs=cbs(CheckpointCallback("run"), disk))
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=GradientAccumulation(4))
    assert len(loaded.recorder) == 8
    assert_same_state(state(loaded), expected)


def test_a_fit_that_finishes_without_updates_ends():
    learner = make_learner()
    cbs = [At("before_fit", 1, lambda one: one.finish(8)), GradientAccumulation(10**6)]
    cbs[1].after_train = lambda learner: learner.forget_gradients()
    learner.fit(3, 0.1, cbs=cbs)
    assert len(learner.recorder.epochs) == 1


@pytest.mark.parametrize("event", ["before_batch", "before_loss", "before_step", "after_batch"])
def test_to_ask_for_the_place_changes_nothing(event):
    straight, asked = make_learner(), make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=GradientAccumulation(3))

    class Asks(Callback):
        pass

    setattr(Asks, event, lambda self, learner: (learner.pct_train, learner.place_in_fit))
    asked.fit_one_cycle(3, 0.1, cbs=[GradientAccumulation(3), Asks()])
    assert asked.recorder.lrs.tolist() == straight.recorder.lrs.tolist()


@pytest.mark.parametrize("method", ["finish", "extend"])
def test_at_the_end_there_is_nothing_to_change(method):
    learner = make_learner()
    with pytest.raises(RuntimeError, match=f"no running or interrupted fit to {method}"):
        learner.fit(1, 0.1, cbs=At("after_fit", 1, lambda one: getattr(one, method)(3)))


# -- Ctrl-C ------------------------------------------------------------------------------------


def press(times):
    def function(learner):
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)

    return function


def test_pressed_twice_in_a_validation_it_interrupts_that():
    learner = make_learner()
    cbs = [FinishOnInterrupt(5), At("before_validate", 1, press(2))]
    with pytest.raises(KeyboardInterrupt):
        learner.fit(3, 0.1, cbs=cbs)
    assert len(learner.recorder) == 4


def test_pressed_twice_in_an_update_it_waits_for_its_end():
    straight = make_learner()
    straight.fit(3, 0.1)
    expected = state(straight)
    learner = make_learner()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(3, 0.1, cbs=[FinishOnInterrupt(5), At("after_loss", 6, press(2))])
    assert len(learner.recorder) == 6
    learner.resume()
    assert_same_state(state(learner), expected)


def test_it_makes_no_fit_longer_and_ends_those_that_follow():
    learner = make_learner()
    learner.fit(3, 0.1, cbs=[FinishOnInterrupt(50), At("after_batch", 10, press(1), -1)])
    assert len(learner.recorder) == 12
    learner.fine_tune(3, 0.1, cbs=[FinishOnInterrupt(50), At("after_validate", 1, press(1))])
    assert len(learner.recorder.epochs) == 4


# -- other fits, and trials --------------------------------------------------------------------


def test_a_trial_has_the_length_that_it_is_compared_at():
    learner = make_learner()
    with pytest.raises(RuntimeError, match=r"only if learner\.in_trial is False"):
        learner.fit_one_cycle(2, "tune", cbs=At("before_fit", 1, lambda one: one.finish(2)))


def test_within_a_fit_rates_are_searched_and_not_tried():
    learner = make_learner()
    learner.fit(2, 0.1, cbs=At("after_epoch", 1, lambda one: one.lr_find(show_plot=False)))
    with pytest.raises(RuntimeError, match="while a fit is running"):
        learner.fit(2, 0.1, cbs=At("after_epoch", 1, lambda one: LRFinder(one).tune(length=8)))


def test_a_boards_curve_goes_on_through_fits_and_tunes():
    learner = make_learner(cbs=TensorBoardCallback("tb", iterations=1))
    learner.fit(1, 0.1)
    learner.fit_one_cycle(2, "tune")
    tuned = learner.recorder.losses
    learner.fit(1, 0.1)
    found = points()["loss"]
    assert list(found) == list(range(1, 17))
    np.testing.assert_allclose(list(found.values())[4:12], tuned, rtol=1e-6)


def test_averages_count_the_number_of_the_epoch():
    learner, keeps = make_learner(), Keeps()
    learner.fit(5, 0.1, start_epoch=2, cbs=[SWA(3), keeps])
    expected = [np.mean(arrays, axis=0) for arrays in zip(*keeps.weights[1:])]
    for one, other in zip(weights(learner), expected):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_averages_of_no_epoch_are_warned_of():
    with pytest.warns(UserWarning, match="SWA: no weights were averaged, because start=7 is after"):
        make_learner().fit(2, 0.1, cbs=SWA(7))


def test_the_same_callback_is_told_once():
    once = make_learner()
    once.fit(2, 0.1, cbs=EMA(0.9))
    ema, log = EMA(0.9), CSVLogger("log.csv")
    twice = make_learner(cbs=ema)
    twice.fit(2, 0.1, cbs=[ema, log, log])
    assert_same_arrays(weights(once), weights(twice))
    assert len(rows()) == 2


def test_optuna_hears_of_the_epochs_of_all_fits_by_number():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    learner, trial = make_learner(), optuna.create_study().ask()
    learner.fine_tune(2, 0.1, cbs=OptunaPruningCallback(trial))
    reported = trial.study.trials[0].intermediate_values
    losses = [epoch["valid_loss"] for epoch in learner.recorder.epochs]
    assert reported == dict(enumerate(losses))
    fixed = optuna.trial.FixedTrial({})
    make_learner().fit(1, 0.1, cbs=OptunaPruningCallback(fixed))


# -- each other --------------------------------------------------------------------------------


def all_together(name):
    return [
        SaveModelCallback("accuracy"),
        EMA(0.9),
        SWA(1),
        GradientAccumulation(2),
        GradientClip(1.0),
        ReduceLROnPlateau(patience=0, factor=0.5),
        TensorBoardCallback(f"{name}.tb", iterations=3),
        CSVLogger(f"{name}.csv"),
    ]


@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize(("event", "at"), [("before_step", 5), ("after_validate", 2)])
def test_all_together_go_on_bit_for_bit_after_sigterm(event, at, ctx):
    straight = make_learner(ctx)
    straight.fit_one_cycle(4, 0.1, cbs=all_together("straight"))
    expected = state(straight)
    stopped = make_learner(ctx)
    ends = At(event, at, lambda learner: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(SystemExit, match="143"):
        save = CheckpointCallback("run", on_sigterm=True)
        stopped.fit_one_cycle(4, 0.1, cbs=[*all_together("stopped"), save, ends])
    loaded = make_learner(ctx)
    loaded.load("run")
    assert 0 < len(loaded.recorder) < 8
    loaded.resume(cbs=all_together("stopped"))
    assert_same_state(state(loaded), expected)
    assert points("stopped.tb") == points("straight.tb")
    without_time = [
        [{**row, "time": None} for row in rows(f"{name}.csv")] for name in ("stopped", "straight")
    ]
    assert without_time[0] == without_time[1]


@pytest.mark.parametrize("make", [SaveModelCallback, EMA])
@pytest.mark.parametrize(("ctx", "on_kvstore"), [(ONE, None), (TWO, True), (TWO, False)])
def test_in_half_precision_training_goes_on_from_what_is_put_into_the_net(make, ctx, on_kvstore):
    net = Scale()
    net.initialize(ctx=ctx)
    params = {"multi_precision": True}
    trainer = mx.gluon.Trainer(
        net.collect_params(), "sgd", params, kvstore="device", update_on_kvstore=on_kvstore
    )
    batches = [(nd.ones((2, 5)), nd.zeros((2,)))]
    learner = Learner(
        net,
        batches,
        loss=lambda out, label: out.sum(axis=1),
        trainer=trainer,
        valid_loader=batches,
    )
    learner.progress = False
    learner.fit(3, 0.5, cbs=[Plays([1.0, 2.0, 3.0]), make()])
    best = weights(learner)
    learner.iteration(lr=1e-6)
    np.testing.assert_allclose(weights(learner), best, atol=1e-3)
    learner.save_params("now.params")
    learner.fit(3, 0.5)
    learner.load_params("now.params")
    learner.iteration(lr=1e-6)
    np.testing.assert_allclose(weights(learner), best, atol=1e-3)


def test_weights_that_are_exchanged_are_not_saved():
    learner = make_learner()
    with pytest.raises(RuntimeError, match="the net has averages of its weights"):
        learner.fit(2, 0.1, cbs=[EMA(0.9), At("after_validate", 1, lambda one: one.save("run"))])
    learner.resume(cbs=EMA(0.9))
    learner.save("run")


def test_other_validations_are_not_those_of_the_epoch():
    learner, keeps = make_learner(), Keeps()
    other = At("after_batch", 2, lambda one: one.validate())
    learner.valid_loader, loader = None, learner.valid_loader
    other.function = lambda one: one.validate(loader)
    learner.fit(1, 0.1, cbs=[SaveModelCallback("train_loss"), other, keeps])
    assert_same_arrays(weights(learner), keeps.weights[0])


def test_epochs_without_a_value_are_none_without_an_improvement():
    class EverySecond(Callback):
        def after_train(self, learner):
            learner.valid_loader = None if learner.epoch % 2 else loader

    learner = make_learner()
    loader = learner.valid_loader
    cbs = [EarlyStoppingCallback(patience=1), ReduceLROnPlateau(patience=0), SaveModelCallback()]
    learner.fit(4, 0.01, cbs=[EverySecond(), *cbs])
    assert len(learner.recorder.epochs) == 4
    assert set(learner.recorder.lrs) == {0.01}
