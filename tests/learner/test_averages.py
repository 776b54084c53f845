"""Averages of weights in a fit."""

import numpy as np
import pytest
from conftest import ONE, TWO, Scale, assert_same_arrays, weights
from fits import StopAfter, assert_same_state, make_learner, state

from gluon_lr import EMA, SWA, Callback, CheckpointCallback, Learner, SaveModelCallback
from gluon_lr._mxnet import MXNET_2, mx, nd

CONTEXTS = pytest.mark.parametrize("ctx", [ONE, TWO])


class Sees(Callback):
    """Keeps the weights that are trained, after each update, and those that are validated."""

    order = -5

    def __init__(self):
        self.updates, self.epochs, self.validated = [], [], []

    def after_step(self, learner):
        self.updates.append(weights(learner))

    def after_train(self, learner):
        self.epochs.append(weights(learner))

    def before_validate(self, learner):
        self.validated.append(weights(learner))


def averaged(several, shares):
    return [np.average(arrays, axis=0, weights=shares) for arrays in zip(*several)]


def assert_close(left, right):
    for one, other in zip(left, right):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@CONTEXTS
@pytest.mark.parametrize("decay", [0.5, 0.9, 0.9999])
def test_ema_is_the_average_whose_last_weights_count_most(decay, ctx):
    learner, sees = make_learner(ctx), Sees()
    learner.fit_one_cycle(3, 0.1, cbs=[EMA(decay), sees])
    for epoch in range(3):
        count = 4 * (epoch + 1)
        shares = decay ** np.arange(count)[::-1]
        assert_close(sees.validated[epoch], averaged(sees.updates[:count], shares))
    assert_same_arrays(weights(learner), sees.validated[-1])


@CONTEXTS
@pytest.mark.parametrize(("start", "first"), [(2, 2), (0, 0), (0.5, 2), (0.75, 3), (0.0, 0)])
def test_swa_is_the_mean_of_the_ends_of_epochs(start, first, ctx):
    learner, sees = make_learner(ctx), Sees()
    learner.fit(4, 0.1, cbs=[sees, SWA(start)])
    for epoch in range(4):
        several = sees.epochs[first : epoch + 1] or [sees.epochs[epoch]]
        assert_close(sees.validated[epoch], averaged(several, None))
    assert_same_arrays(weights(learner), sees.validated[-1])


@CONTEXTS
@pytest.mark.parametrize("make", [lambda: EMA(0.9), lambda: SWA(1)])
def test_the_training_is_that_without_averages(make, ctx):
    plain, sees_plain = make_learner(ctx), Sees()
    plain.fit_one_cycle(3, 0.1, cbs=sees_plain)
    losses = plain.recorder.losses
    averaging, sees = make_learner(ctx), Sees()
    averaging.fit_one_cycle(3, 0.1, cbs=[make(), sees])
    np.testing.assert_array_equal(averaging.recorder.losses, losses)
    for one, other in zip(sees.updates, sees_plain.updates):
        assert_same_arrays(one, other)


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_after_an_error_of_a_validation_the_trained_weights_are_back(error):
    class Breaks(Callback):
        def after_validate(self, learner):
            self.last = weights(learner)
            raise error

    learner, sees, breaks = make_learner(), Sees(), Breaks()
    with pytest.raises(error):
        learner.fit(2, 0.1, cbs=[EMA(0.9), sees, breaks])
    assert_same_arrays(breaks.last, sees.validated[0])
    assert_same_arrays(weights(learner), sees.updates[-1])


@pytest.mark.parametrize("make", [lambda: EMA(0.9), lambda: SWA(1)])
@pytest.mark.parametrize(
    ("event", "at"),
    [("after_batch", 1), ("after_train", 2), ("before_validate", 1), ("after_epoch", 2)],
)
def test_a_resumed_fit_goes_on_with_its_averages(event, at, make):
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=make())
    expected = state(straight)

    class Saves(Callback):
        order = 90

    def save(learner):
        learner.save("run")

    stop, saves = StopAfter(at * (5 if event == "after_batch" else 1), event), Saves()
    setattr(saves, "after_train" if event == "before_validate" else event, save)
    stopped = make_learner()
    with pytest.raises(KeyboardInterrupt):
        stopped.fit_one_cycle(3, 0.1, cbs=[make(), saves, stop])
    stopped.resume(cbs=make())
    assert_same_state(state(stopped), expected)
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=make())
    assert_same_state(state(loaded), expected)


def test_the_best_weights_are_those_that_were_validated():
    learner, sees = make_learner(), Sees()
    learner.fit_one_cycle(4, 0.1, cbs=[sees, SaveModelCallback(), EMA(0.9)])
    losses = [epoch["valid_loss"] for epoch in learner.recorder.epochs]
    assert_same_arrays(weights(learner), sees.validated[int(np.argmin(losses))])
    assert learner.validate()["valid_loss"] == pytest.approx(min(losses))


def test_a_checkpoint_has_the_weights_that_are_trained():
    learner, sees = make_learner(), Sees()
    cbs = [EMA(0.9), sees, CheckpointCallback("run"), StopAfter(1, "after_epoch")]
    with pytest.raises(KeyboardInterrupt):
        learner.fit(2, 0.1, cbs=cbs)
    loaded = make_learner()
    loaded.load("run")
    assert_same_arrays(weights(loaded), sees.updates[-1])


def test_each_fit_begins_anew_and_a_search_does_not_count():
    learner = make_learner()
    learner.cbs = [EMA(0.5)]
    learner.fit(1, 0.1)
    start = weights(learner)
    learner.lr_find(num_it=10, show_plot=False)
    assert_same_arrays(weights(learner), start)
    assert learner.validate() == learner.validate()
    sees = Sees()
    learner.fit(1, 0.1, cbs=sees)
    assert_close(weights(learner), averaged(sees.updates, 0.5 ** np.arange(4)[::-1]))


def test_a_search_in_the_middle_of_a_fit_leaves_them():
    class Searches(Callback):
        def after_batch(self, learner):
            if len(learner.recorder) == 6:
                learner.lr_find(num_it=5, show_plot=False)

    straight = make_learner(cbs=EMA(0.9))
    straight.fit(3, 0.1)
    expected = weights(straight)
    searching = make_learner(cbs=EMA(0.9))
    searching.fit(3, 0.1, cbs=Searches())
    assert_same_arrays(weights(searching), expected)


def test_float16_is_averaged_in_float32():
    net = Scale()
    net.initialize()
    batches = [(nd.ones((2, 5)), nd.zeros((2,)))]
    learner = Learner(net, batches, loss=lambda out, label: out.sum(axis=1))
    learner.progress = False
    ema, kinds = EMA(0.9999), []

    class Looks(Callback):
        order = 60

        def after_step(self, learner):
            kinds.append(ema.as_data()["averages"]["weight"][0].dtype)

    learner.fit(2, 0.1, cbs=[ema, Looks()])
    assert kinds == [np.float32] * 2
    assert net.weight.data().dtype == np.float16


@pytest.mark.skipif(MXNET_2, reason="MXNet 2.0 removed sparse weights from Gluon")
def test_weights_by_rows_are_refused():
    net = mx.gluon.contrib.nn.SparseEmbedding(5, 2)
    net.initialize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
    learner = Learner(net, [(nd.arange(4), nd.zeros((4,)))], trainer=trainer)
    with pytest.raises(ValueError, match="EMA: `net` must be a net without sparse weights"):
        learner.fit(1, 0.1, cbs=EMA(0.9))


@pytest.mark.parametrize("decay", [0, 1, -1, float("nan"), 2])
def test_bad_decays(decay):
    with pytest.raises(ValueError, match="EMA: `decay` must be"):
        EMA(decay)


@pytest.mark.parametrize("start", [-1, 1.5, -0.1, float("nan")])
def test_bad_starts(start):
    with pytest.raises((TypeError, ValueError), match="SWA: `start` must be"):
        SWA(start)
