"""Fits of the Learner: epochs, callbacks, interruption and resumption, frozen groups."""

import functools
import itertools
import os
import random
import signal
import sys
import time

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_dataset, weights
from fits import BATCHES, StopAfter, assert_same_state, make_learner, state

from gluon_lr import (
    Callback,
    CancelFitException,
    CheckpointCallback,
    EarlyStoppingCallback,
    Learner,
    LRFinder,
    ParamScheduler,
    SchedLin,
)
from gluon_lr._mxnet import metric, mx, nd

nn = mx.gluon.nn
gluon_data = mx.gluon.data

FITS = {
    "one_cycle": lambda learner, cbs=None: learner.fit_one_cycle(3, slice(0.01, 0.1), cbs=cbs),
    "flat_cos": lambda learner, cbs=None: learner.fit_flat_cos(3, 0.1, cbs=cbs),
    "sgdr": lambda learner, cbs=None: learner.fit_sgdr(2, 1, 0.1, cbs=cbs),
    "fit": lambda learner, cbs=None: learner.fit(3, cbs=cbs),
    "fine_tune": lambda learner, cbs=None: learner.fine_tune(2, 0.1, cbs=cbs),
}


class Interrupt(Callback):
    """Raise at one of the fit's events."""

    def __init__(self, at, error=KeyboardInterrupt):
        self.left = at
        self.error = error

    def count(self, learner):
        if self.left == 0:
            raise self.error
        self.left -= 1

    before_fit = before_epoch = before_batch = after_batch = after_epoch = count


@functools.lru_cache(maxsize=None)
def straight_state(fit, setting="one"):
    """Return the state after a fit that nothing has disturbed, and the trainer's rate."""
    straight = make_learner(**SETTINGS[setting])
    FITS[fit](straight)
    return state(straight), straight.trainer.learning_rate


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("at", [0, 1, 2, 3, 7, 9, 10, 11, 17, 23])
def test_interrupted_and_resumed_it_ends_as_if_it_had_not_been(fit, at):
    expected, _ = straight_state(fit)
    interrupted = make_learner()
    with pytest.raises(KeyboardInterrupt):
        FITS[fit](interrupted, Interrupt(at))
    assert interrupted.trainer.learning_rate == 0.01
    assert interrupted.trainer.optimizer.momentum == 0.9
    interrupted.resume()
    assert_same_state(state(interrupted), expected)


SETTINGS = {
    "one": {},
    "two": {"ctx": TWO},
    "two without": {"ctx": TWO, "update_on_kvstore": False},
    "adam": {"optimizer": "adam"},
    "nadam, two": {"optimizer": "nadam", "ctx": TWO},
    "endless": {"data": "endless"},
    "augmented": {"data": "augmented"},
    "corrected": {"momentum_correction": True},
    "nag, corrected, two": {"optimizer": "nag", "ctx": TWO, "momentum_correction": True},
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(("fit", "places"), [("one_cycle", (1, 8)), ("fine_tune", (11,))])
def test_a_saved_fit_goes_on_in_another_process_as_if_it_had_not_ended(fit, places, setting):
    expected, rate = straight_state(fit, setting)
    for at in places:
        saved = make_learner(**SETTINGS[setting])
        with pytest.raises(KeyboardInterrupt):
            FITS[fit](saved, [CheckpointCallback("run", iterations=1), StopAfter(at)])
        loaded = make_learner(**SETTINGS[setting])
        loaded.load("run")
        assert loaded.trainer.learning_rate == rate
        np.random.rand(5)  # what comes before the next batch has no say in it
        loaded.resume()
        assert_same_state(state(loaded), expected)


class Seed(Callback):
    """Seed MXNet's generators for each update, as the README says."""

    def before_batch(self, learner):
        mx.random.seed(len(learner.recorder))


def test_a_net_with_dropout_repeats_where_each_update_is_seeded():
    def make():
        learner = make_learner()
        learner.net.add(nn.Dropout(0.5))
        return learner

    straight = make()
    straight.fit_one_cycle(3, 0.1, cbs=Seed())
    saved = make()
    with pytest.raises(KeyboardInterrupt):
        saved.fit_one_cycle(3, 0.1, cbs=[Seed(), CheckpointCallback("run", 1), StopAfter(6)])
    loaded = make()
    loaded.load("run")
    loaded.resume(cbs=Seed())
    assert_same_arrays(weights(loaded), weights(straight))


def test_a_save_between_epochs_and_one_before_any_step():
    expected = make_learner(TWO)
    expected.fit_one_cycle(3, 0.1)
    expected = state(expected)
    between = make_learner(TWO)
    with pytest.raises(KeyboardInterrupt):
        between.fit_one_cycle(3, 0.1, cbs=[CheckpointCallback("run"), StopAfter(8)])
    loaded = make_learner(TWO)
    loaded.load("run")
    loaded.resume()
    assert_same_state(state(loaded), expected)
    fresh, again = make_learner(TWO), make_learner(TWO)
    fresh.save("fresh")
    again.fit(1, 0.5)
    again.load("fresh")
    again.fit_one_cycle(3, 0.1)
    assert_same_arrays(weights(again), expected[0][: len(weights(again))])


def test_iterations_go_on_from_a_checkpoint_too():
    straight = make_learner()
    losses = [straight.iteration(0.1) for _ in range(11)]
    saved = make_learner()
    for _ in range(6):
        saved.iteration(0.1)
    saved.save("run")
    loaded = make_learner()
    loaded.load("run")
    assert [loaded.iteration(0.1) for _ in range(5)] == losses[6:]
    assert_same_arrays(weights(loaded), weights(straight))


def lines_of(call, press_at=None):
    """Call it, counting the lines of the package's training that run; press Ctrl-C at one."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if not frame.f_globals.get("__name__", "").startswith("gluon_lr."):
            return None
        if event == "line":
            count += 1
            if count == press_at:
                signal.raise_signal(signal.SIGINT)
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return count


def fine_tuned(learner):
    """Tune it on data, validation too, that is drawn by the global generators."""
    learner.valid_loader = gluon_data.DataLoader(make_dataset(), 16, shuffle=True)
    learner.fine_tune(2, 0.1)


@pytest.mark.parametrize("seed", range(10))
def test_ctrl_c_on_any_line_leaves_a_fit_that_resumes(seed):
    straight = make_learner()
    lines = lines_of(lambda: fine_tuned(straight))
    expected = state(straight)
    pressed = make_learner()
    line = random.Random(seed).randrange(1000, lines)
    with pytest.raises(KeyboardInterrupt):
        lines_of(lambda: fine_tuned(pressed), press_at=line)
    assert pressed.trainer.learning_rate == 0.01
    assert pressed.trainer.optimizer.momentum == 0.9
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    pressed.resume()
    assert_same_state(state(pressed), expected)


def test_ctrl_c_waits_for_the_update_and_counts_after_it():
    class PressInLoss:
        def __init__(self):
            self.calls = 0

        def __call__(self, output, label):
            self.calls += 1
            if self.calls == 6:
                os.kill(os.getpid(), signal.SIGINT)
            return mx.gluon.loss.SoftmaxCrossEntropyLoss()(output, label)

    straight = make_learner()
    straight.fit_one_cycle(3, 0.1)
    pressed = make_learner()
    pressed.loss = PressInLoss()
    with pytest.raises(KeyboardInterrupt):
        pressed.fit_one_cycle(3, 0.1)
    assert len(pressed.recorder) in (5, 6)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    pressed.resume()
    assert_same_arrays(weights(pressed), weights(straight))


def test_ctrl_c_twice_ends_what_hangs():
    class Hanging:
        def __len__(self):
            return 4

        def __iter__(self):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                pass
            yield

    learner = Learner(nn.Dense(3), Hanging())
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), learner.no_bar():
        learner.fit(1, 0.1)
    assert time.monotonic() - start < 20


class Log(Callback):
    def __init__(self):
        self.events = []

    def note(event):  # noqa: N805 - makes the methods below
        return lambda self, learner: self.events.append(event)

    before_fit, after_fit = note("before_fit"), note("after_fit")
    before_epoch, after_epoch = note("before_epoch"), note("after_epoch")
    before_batch, after_batch = note("before_batch"), note("after_batch")


EPOCH = ["before_epoch", *["before_batch", "after_batch"] * BATCHES, "after_epoch"]


def test_callbacks_are_called_in_order():
    log = Log()
    make_learner().fit(2, 0.1, cbs=log)
    assert log.events == ["before_fit", *EPOCH, *EPOCH, "after_fit"]


def test_a_callback_may_end_the_fit():
    learner, log = make_learner(), Log()
    learner.fit_one_cycle(3, 0.1, cbs=[log, Interrupt(5, CancelFitException)])
    assert log.events[-1] == "after_fit"
    assert len(learner.recorder) == 2
    with pytest.raises(RuntimeError, match="there is no interrupted fit to resume"):
        learner.resume()


def test_a_fit_stops_early_when_nothing_improves():
    def constant_error(label, output):
        return 1.0

    learner = make_learner()
    learner.metrics = constant_error
    learner.fit(20, 0.1, cbs=EarlyStoppingCallback("constant_error", patience=3))
    assert len(learner.recorder.epochs) == 4
    improving = make_learner()
    improving.fit(4, 0.05, cbs=EarlyStoppingCallback(patience=4))
    assert len(improving.recorder.epochs) == 4
    with pytest.raises(ValueError, match="`monitor` must be one of 'train_loss', 'valid"):
        make_learner().fit(2, 0.1, cbs=EarlyStoppingCallback("f1"))


def test_one_that_was_killed_before_it_stopped_stops_when_it_is_resumed():
    stopping = EarlyStoppingCallback("valid_loss", min_delta=10, patience=2)
    straight = make_learner()
    straight.fit(9, 0.1, cbs=stopping)
    assert len(straight.recorder.epochs) == 3
    killed = make_learner()
    with pytest.raises(KeyboardInterrupt):
        killed.fit(9, 0.1, cbs=[CheckpointCallback("run"), StopAfter(3, "after_epoch"), stopping])
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=stopping)
    assert len(loaded.recorder.epochs) == 3
    assert_same_arrays(weights(loaded), weights(straight))


@pytest.mark.parametrize(
    ("values", "mode", "patience", "expected"),
    [
        ([3, 2, 2, 2], "min", 2, 4),
        ([3, 2, 1.95, 1.9], "min", 2, 4),
        ([1, 2, 3, 2, 4, 3, 3], "max", 2, 7),
        ([1, float("nan"), float("nan")], "max", 2, 3),
    ],
)
def test_improvements_are_told_from_others(values, mode, patience, expected):
    learner = make_learner()
    callback = EarlyStoppingCallback("score", min_delta=0.2, patience=patience, mode=mode)
    for count, value in enumerate(values, start=1):
        learner.recorder.end_epoch(score=value)
        try:
            callback.after_epoch(learner)
        except CancelFitException:
            assert count == expected
            return
    raise AssertionError("it did not stop")


def test_epochs_have_the_losses_and_metrics_of_their_time():
    learner = make_learner()
    learner.fit(2, 0.1)
    first, second = learner.recorder.epochs
    assert list(first) == ["fit", "epoch", "train_loss", "valid_loss", "accuracy", "time"]
    assert first["train_loss"] == learner.recorder.losses[:BATCHES].mean()
    assert second["train_loss"] == learner.recorder.losses[BATCHES:].mean()
    now = learner.validate()
    assert (second["valid_loss"], second["accuracy"]) == (now["valid_loss"], now["accuracy"])
    data, label = learner.valid_loader[0]
    accuracy = (learner.net(data).argmax(axis=1) == label).asnumpy().mean()
    assert now["accuracy"] == pytest.approx(accuracy)


def test_metrics_come_as_mxnet_takes_them():
    learner = make_learner(TWO)

    def misses(label, output):
        return float((output.argmax(axis=1) != label).mean())

    values = learner.validate(metrics=["acc", misses, metric.TopKAccuracy(2)])
    assert list(values) == ["valid_loss", "accuracy", "misses", "top_k_accuracy_2"]
    assert learner.validate(metrics=[]) == {"valid_loss": values["valid_loss"]}
    with pytest.raises(ValueError, match="given if the Learner has no `valid_loader`"):
        Learner(nn.Dense(3), [(nd.ones((2, 5)), nd.ones(2))]).validate()


def test_an_epoch_is_a_pass_or_as_long_as_was_said():
    learner = make_learner()
    learner.iteration(0)  # a fit begins with a pass of its own
    seen = []

    class See(Callback):
        def after_batch(self, learner):
            seen.append(learner.batch[0].asnumpy())

    learner.valid_loader = None
    learner.fit(1, 0, cbs=See())
    rows = np.concatenate(seen)
    assert sorted(rows[:, 0]) == sorted(np.asarray(make_dataset()[:][0])[:, 0])
    assert make_learner(data="endless").iterations_per_epoch == BATCHES
    endless = Learner(nn.Dense(3), itertools.repeat((nd.ones((2, 5)), nd.ones(2))))
    with pytest.raises(ValueError, match="`iterations_per_epoch` must be given for a data loader"):
        endless.fit(1, 0.1)
    with pytest.raises(ValueError, match="yields a batch in every pass"):
        Learner(nn.Dense(3), []).fit(1, 0.1)


def test_a_search_in_the_middle_of_a_fit_leaves_no_trace():
    class Search(Callback):
        def after_epoch(self, learner):
            LRFinder(learner).find(num_iter=25, progress=False)

    scheds = ParamScheduler({"clip_gradient": [SchedLin(1, 2), SchedLin(3, 4)]})
    straight = make_learner()
    straight.fit_one_cycle(3, slice(0.01, 0.1), cbs=scheds)
    expected = state(straight)
    searching = make_learner()
    searching.fit_one_cycle(3, slice(0.01, 0.1), cbs=[Search(), scheds])
    assert_same_state(state(searching), expected)


def test_what_is_frozen_stays_and_thaws_again():
    learner = make_learner()
    body, head = learner.net[0].weight, learner.net[2].weight
    body.grad_req = "add"
    learner.net[0].bias.grad_req = "null"
    before = body.data().asnumpy()
    learner.freeze()
    assert (body.grad_req, head.grad_req) == ("null", "write")
    learner.fit(1, 0.1)
    np.testing.assert_array_equal(body.data().asnumpy(), before)
    learner.unfreeze()
    assert (body.grad_req, learner.net[0].bias.grad_req) == ("add", "null")
    learner.freeze_to(1)
    learner.freeze_to(0)
    learner.fit(1, 0.1)
    assert np.abs(body.data().asnumpy() - before).max() > 0
    with pytest.raises(ValueError, match="`n` must be below 2"):
        learner.freeze_to(2)
    with pytest.raises(ValueError, match="`n` must be an integer of at least -2"):
        learner.freeze_to(-3)


@pytest.mark.parametrize("hybridize", [{}, {"static_alloc": True, "static_shape": True}, None])
@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_a_frozen_net_trains_as_a_head_alone(hybridize, ctx):
    learner = make_learner(ctx)
    if hybridize is None:
        learner.net.hybridize(False)
    else:
        learner.net.hybridize(**hybridize)
    learner.freeze()
    learner.fit(2, 0.1)
    by_hand = make_learner(ctx)
    trainer = mx.gluon.Trainer(by_hand.net[2].collect_params(), "sgd", {"momentum": 0.9})
    for _ in range(2):
        for batch in by_hand.data_loader:
            contexts = by_hand.ctx if isinstance(by_hand.ctx, list) else [by_hand.ctx]
            data, label = (mx.gluon.utils.split_and_load(a, contexts) for a in batch)
            with mx.autograd.record():
                losses = [by_hand.loss(by_hand.net(x), y) for x, y in zip(data, label)]
            mx.autograd.backward(losses)
            trainer.set_learning_rate(0.1)
            trainer.step(16)
    assert (learner.net[1].running_mean.data(mx.cpu(0)).asnumpy() == 0).all()
    pairs = zip(learner.net.collect_params().values(), by_hand.net.collect_params().values())
    for left, right in pairs:
        if "running" not in left.name:
            left, right = (one.data(mx.cpu(0)).asnumpy() for one in (left, right))
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_a_fit_of_curves_that_are_functions_resumes_here_and_not_from_a_file():
    scheds = ParamScheduler({"lr": lambda pos: 0.1 * (1 - pos)})
    straight = make_learner()
    straight.fit(2, cbs=scheds)
    expected = state(straight)
    saved = make_learner()
    with pytest.raises(KeyboardInterrupt):
        saved.fit(2, cbs=[scheds, CheckpointCallback("run", iterations=1), StopAfter(3)])
    saved.resume()
    assert_same_state(state(saved), expected)
    loaded = make_learner()
    loaded.load("run")
    with pytest.raises(RuntimeError, match="has not kept its curves for lr"):
        loaded.resume()


def test_what_fastai_calls_lr_find():
    learner = make_learner()
    learner.progress = False
    before = weights(learner)
    lr_min, lr_steep = found = learner.lr_find(wd=0.5)
    assert_same_arrays(weights(learner), before)
    assert learner.trainer.optimizer.wd == 0
    result = found.result
    np.testing.assert_allclose(result.lrs, 1e-7 * 1e8 ** (np.arange(len(result)) / 100))
    suggestions = result.suggestions
    assert (lr_min, lr_steep) == (suggestions["minimum"], suggestions["steep"])
    assert (found.lr_min, found.lr_steep, found.suggestion) == (
        lr_min,
        lr_steep,
        result.suggestion,
    )
    assert repr(found).startswith("SuggestedLRs(lr_min=")
    assert learner.recorder.search is result
    assert learner.recorder.min_grad_lr == suggestions["min_grad"]
    assert len(learner.lr_find(1e-6, 1, 30, stop_div=False, show_plot=False).result) == 30
    short = learner.lr_find(num_it=10, show_plot=False)
    refused = "suggestion=None, the curve has fewer than 20 points"
    assert repr(short).endswith(f"{refused}; the usual rate is {short.usual:.3g})")
    assert learner.lr_find(num_it=30, show_plot=False, suggestions=False) is None
    with pytest.raises(ValueError, match="lr_find: `end_lr` must be a finite number above 1"):
        learner.lr_find(1, 0.1)


def test_fastais_stop_is_at_four_times_the_best():
    from gluon_lr import SearchState
    from gluon_lr.finder.stopping import AboveBest

    def stops(losses):
        state, stop = SearchState(), AboveBest()
        for count, loss in enumerate(losses, start=1):
            state.append(0.1, loss)
            if stop(state):
                return count
        return None

    def fastai(losses):
        mean, best = 0.0, None
        for count, loss in enumerate(losses, start=1):
            mean = 0.98 * mean + 0.02 * loss
            smoothed = mean / (1 - 0.98**count)
            best = smoothed if best is None else min(best, smoothed)
            if smoothed > 4 * best:
                return count
        return None

    for losses in ([1, 0.5, 3, 9, 20], [1] * 10, [1, 2, 4, 8, 16, 32, 64, 128], [5, 1, 900]):
        assert stops(losses) == fastai(losses)
    assert stops([-1, -2, -1.5]) is None
