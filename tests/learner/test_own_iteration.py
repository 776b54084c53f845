"""Learners with an iteration of their own: what a fit and a search make of it."""

import numpy as np
import pytest
from conftest import ONE, assert_same_arrays, make_dataset, weights

from gluon_lr import Learner, LRFinder, one_cycle
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn
gluon_data = mx.gluon.data
BATCHES, EPOCHS = 4, 2


class Noting(Learner):
    """Notes each call of its iteration: the rate it was given, and the one that was used."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = []

    def note(self, lr):
        self.calls.append((lr, self.trainer.learning_rate))


class DoesMore(Noting):
    """Halves the bias after each update."""

    def iteration(self, lr=None, take_step=True):
        loss = super().iteration(lr, take_step)
        self.note(lr)
        bias = self.net.bias.data()
        bias[:] = bias / 2
        return loss


class StepsItself(Noting):
    """Makes the update itself."""

    def iteration(self, lr=None, take_step=True):
        loss = super().iteration(lr, take_step=False)
        if lr is not None:
            self.trainer.set_learning_rate(lr)
        self.note(lr)
        self.trainer.step(self.batch[0].shape[0])
        return loss


class DoesAllItself(Noting):
    """Trains on data that it reads itself."""

    passes = None

    def iteration(self, lr=None, take_step=True):
        if self.passes is None:
            self.passes = endless(self.data_loader)
        data, label = next(self.passes)
        with mx.autograd.record():
            loss = self.loss(self.net(data), label)
        loss.backward()
        if lr is not None:
            self.trainer.set_learning_rate(lr)
        self.note(lr)
        self.trainer.step(len(data))
        return loss.mean()


def endless(loader):
    while True:
        yield from loader


def make(kind, **more):
    """Build the same learner each time."""
    mx.random.seed(3)
    net = nn.Dense(3, in_units=5)
    net.initialize(mx.init.Xavier(), ctx=ONE)
    params = {"learning_rate": 0.1, "momentum": 0.9}
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", params)
    loader = gluon_data.DataLoader(make_dataset(), 16)
    learner = kind(net, loader, trainer=trainer, **more)
    learner.progress = False
    return learner


def attribute():
    """Return a learner whose iteration is an attribute of the instance."""
    learner = make(Noting)
    own = learner.iteration

    def iteration(lr=None, take_step=True):
        loss = own(lr, take_step)
        learner.note(lr)
        bias = learner.net.bias.data()
        bias[:] = bias / 2
        return loss

    learner.iteration = iteration
    return learner


MAKERS = {
    "does more": lambda: make(DoesMore),
    "steps itself": lambda: make(StepsItself),
    "does all itself": lambda: make(DoesAllItself, iterations_per_epoch=BATCHES),
    "an attribute": attribute,
}
FITS = {
    "fit": lambda learner, n: learner.fit(n, 0.05),
    "fit_one_cycle": lambda learner, n: learner.fit_one_cycle(n, 0.05),
    "fit_flat_cos": lambda learner, n: learner.fit_flat_cos(n, 0.05),
    "fit_sgdr": lambda learner, n: learner.fit_sgdr(n, 1, 0.05, cycle_mult=1),
}


def straight(name, rates, moms):
    """Train as the learner of a name does, by a loop written down here; return losses and net."""
    learner = make(Learner)
    net, trainer, losses = learner.net, learner.trainer, []
    batches = endless(learner.data_loader)
    for lr, mom in zip(rates, moms):
        data, label = next(batches)
        with mx.autograd.record():
            loss = learner.loss(net(data), label)
        loss.backward()
        trainer.set_learning_rate(lr)
        trainer.optimizer.momentum = mom
        trainer.step(len(data))
        losses.append(float(loss.mean().asnumpy()))
        if name in ("does more", "an attribute"):
            bias = net.bias.data()
            bias[:] = bias / 2
    return losses, weights(learner)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", MAKERS)
def test_each_fit_calls_it_at_the_rates_of_its_curves(name, fit):
    learner = MAKERS[name]()
    FITS[fit](learner, EPOCHS)
    recorder = learner.recorder
    assert len(recorder) == len(learner.calls) == EPOCHS * BATCHES
    np.testing.assert_array_equal([used for _, used in learner.calls], recorder.lrs)
    if fit == "fit_one_cycle":
        positions = np.arange(EPOCHS * BATCHES) / (EPOCHS * BATCHES)
        np.testing.assert_allclose(recorder.lrs, one_cycle(0.05)["lr"](positions), rtol=1e-12)
    losses, ended = straight(name, recorder.lrs, recorder.hps["mom"])
    np.testing.assert_allclose(recorder.losses, losses, rtol=1e-6)
    for one, other in zip(weights(learner), ended):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert len(recorder.epochs) == EPOCHS
    assert learner.trainer.learning_rate == 0.1


@pytest.mark.parametrize("name", MAKERS)
def test_searches_call_it_and_leave_no_trace(name):
    learner, untouched = MAKERS[name](), MAKERS[name]()
    before = weights(learner)
    result = LRFinder(learner).find(lr_start=1e-3, lr_end=1, num_iter=8, progress=False)
    assert [given for given, _ in learner.calls] == [used for _, used in learner.calls]
    np.testing.assert_array_equal([used for _, used in learner.calls], result.lrs)
    learner.calls.clear()
    found = learner.lr_find(start_lr=1e-3, end_lr=0.1, num_it=8, show_plot=False).result
    np.testing.assert_array_equal([used for _, used in learner.calls], found.lrs)
    losses = straight(name, found.lrs, [0.9] * 8)[0]
    np.testing.assert_allclose(found.losses, losses, rtol=1e-6)
    assert_same_arrays(weights(learner), before)
    if name != "does all itself":  # whose place in the data is its own
        assert [learner.iteration() for _ in range(5)] == [untouched.iteration() for _ in range(5)]


@pytest.mark.parametrize("name", MAKERS)
def test_a_fit_with_it_is_resumed(name):
    class StoppedError(Exception):
        pass

    learner, whole = MAKERS[name](), MAKERS[name]()
    own, calls = learner.iteration, []

    def iteration(*args):
        if len(calls) == 5:
            calls.append("interrupted")
            raise StoppedError
        calls.append("done")
        return own(*args)

    learner.iteration = iteration
    whole.fit_one_cycle(EPOCHS, 0.05)
    with pytest.raises(StoppedError):
        learner.fit_one_cycle(EPOCHS, 0.05)
    assert len(learner.recorder) == 5
    learner.resume()
    np.testing.assert_array_equal(learner.recorder.lrs, whole.recorder.lrs)
    np.testing.assert_array_equal(learner.recorder.losses, whole.recorder.losses)
    assert_same_arrays(weights(learner), weights(whole))


def test_one_that_reads_its_own_data_is_refused_where_epochs_are_passes():
    learner = make(DoesAllItself)
    with pytest.raises(RuntimeError, match=r"must call super\(\)\.iteration\(\).* to the Learner"):
        learner.fit(1, 0.05)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (2.0, 2.0),
        (np.float32(2), 2.0),
        (np.array([1.0, 3.0]), 2.0),
        (np.ones(4, "float16"), 1.0),
        (nd.array([[1.0, 3.0]]), 2.0),
    ],
    ids=str,
)
def test_the_recorder_has_the_loss_it_returns(loss, expected):
    learner = make(StepsItself)
    own = learner.iteration
    learner.iteration = lambda *args: own(*args) and loss
    learner.fit(1, 0.05)
    assert learner.recorder.losses.tolist() == [expected] * BATCHES
