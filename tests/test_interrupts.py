"""Ctrl-C leaves no trace of a search or a save, and no update half made, wherever it comes."""

import contextlib
import functools
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import searching
from conftest import ONE, TWO, assert_same_arrays, stated, weights
from fits import StopAfter
from interruptions import Interrupted, pressed, raised
from test_no_trace import BATCH_SIZE, all_state, make_data, sequential

from gluon_lr import Callback, FactorScheduler, Learner, LRFinder, preserved
from gluon_lr._mxnet import mx, nd
from gluon_lr.state.generators import GlobalState

nn = mx.gluon.nn
UPDATES = 2  # of a search
EACH_WAY = [raised, pressed]
WAYS = pytest.mark.parametrize("interrupt", EACH_WAY)


class Drawn(mx.gluon.data.Sampler):
    """A random order, from a generator of its own."""

    def __init__(self):
        self.random = np.random.RandomState(4)

    def __iter__(self):
        return iter(self.random.permutation(40).tolist())

    def __len__(self):
        return 40


class Noisy:
    """Validation data that draw from NumPy."""

    def __iter__(self):
        data, label = make_data("norm")
        yield nd.array(data[:13] + np.random.randn(13, 5)), nd.array(label[:13])


def make(ctx=ONE, update_on_kvstore=None, **more):
    mx.random.seed(11)
    np.random.seed(11)
    random.seed(11)
    net = sequential(nn.Dense(4, in_units=5), nn.BatchNorm(in_channels=4), nn.Dense(3, in_units=4))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    params = {"lr_scheduler": FactorScheduler(3, 0.9, base_lr=0.1), "momentum": 0.9}
    trainer = mx.gluon.Trainer(
        net.collect_params(), "sgd", stated("sgd", params), update_on_kvstore=update_on_kvstore
    )
    dataset = mx.gluon.data.ArrayDataset(*make_data("norm"))
    loader = mx.gluon.data.DataLoader(
        dataset, BATCH_SIZE - 2, sampler=Drawn(), last_batch="rollover"
    )
    learner = Learner(net, loader, trainer=trainer, **more)
    learner.progress = False
    return learner


def in_a_fit(updates=3, **settings):
    """Return a learner with a fit that was interrupted."""
    learner = make(**settings)
    with pytest.raises(KeyboardInterrupt):
        learner.fit_one_cycle(2, 0.1, cbs=StopAfter(updates))
    return learner


def now(learner):
    """Return what a search may not change: arrays, and what can be compared."""
    optimizer = learner.trainer.optimizer
    values = (
        GlobalState.get(),
        [vars(fit) for fit in learner._fits],
        len(learner.recorder),
        optimizer.num_update,
        optimizer.wd,
        optimizer.lr_scheduler,
        signal.getsignal(signal.SIGINT),
        mx.autograd.is_training(),
    )
    return all_state(learner), values


def assert_same(left, right):
    assert left[1:] == right[1:]
    assert_same_arrays(left[0], right[0])


def end_of(learner):
    """Return what a fit has come to."""
    epochs = [{k: v for k, v in one.items() if k != "time"} for one in learner.recorder.epochs]
    hps = {name: values.tolist() for name, values in learner.recorder.hps.items()}
    losses = learner.recorder.losses.tolist()
    handler = signal.getsignal(signal.SIGINT)
    return all_state(learner), losses, hps, epochs, GlobalState.get(), handler


# -- a search -----------------------------------------------------------------------------------


def find(learner):
    LRFinder(learner).find(lr_start=1e-3, lr_end=1, num_iter=UPDATES, progress=learner.progress)


def lr_find(learner):
    learner.lr_find(1e-3, 1, num_it=UPDATES, wd=0.1, show_plot=False)


SEARCHES = [
    (ONE, None, find, False),
    (ONE, None, lr_find, True),
    (TWO, True, find, False),
    (TWO, False, lr_find, False),
]


@WAYS
@pytest.mark.parametrize("number", range(len(SEARCHES)))
def test_a_search_that_is_interrupted_leaves_no_trace(number, interrupt):
    """Each search and way at other places; together they are every fourth of a search's end."""
    ctx, update_on_kvstore, search, progress = SEARCHES[number]
    settings = {"ctx": ctx, "update_on_kvstore": update_on_kvstore}
    learner = in_a_fit(**settings)
    search(learner)
    its_end = Interrupted(lambda: search(learner), "enqueue", nth=UPDATES)
    all_of_it = Interrupted(lambda: search(learner), search.__name__)
    sample = np.random.RandomState(number).choice(all_of_it.places(), 2, replace=False)
    first, step = 8 * number + 4 * EACH_WAY.index(interrupt), 8 * len(SEARCHES)
    places = [(its_end, place) for place in its_end.places()[first::step]]
    places += [(all_of_it, place) for place in sample]

    straight = in_a_fit(**settings)
    losses = [straight.iteration() for _ in places]
    straight.resume()
    learner = in_a_fit(**settings)
    learner.progress = progress
    for loss, (part, place) in zip(losses, places):
        before = now(learner)
        part.at(place, interrupt)
        assert_same(now(learner), before)
        assert learner.iteration() == loss
    learner.progress = False
    learner.resume()
    assert_same(end_of(learner), end_of(straight))


# -- a search in other surroundings ----------------------------------------------------------------


class Searching(Callback):
    """Searches after the n-th update of a fit, and survives Ctrl-C in it."""

    def __init__(self, at, place):
        self.left, self.place, self.seen = at, place, False

    def after_batch(self, learner):
        self.left -= 1
        if self.left == 0:
            part = Interrupted(lambda: find(learner), "find")
            self.seen = part.at(self.place, pressed)


@pytest.mark.parametrize("place", [10, 700, 1500])
def test_a_search_in_a_callback_of_a_fit(place):
    straight = make()
    straight.fit_one_cycle(2, 0.1)
    learner, searching = make(), Searching(3, place)
    learner.fit_one_cycle(2, 0.1, cbs=searching)
    assert searching.seen
    assert_same(end_of(learner), end_of(straight))


def with_handler(handler, action):
    own = signal.signal(signal.SIGINT, handler)
    try:
        action()
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, own)


class StoppedError(Exception):
    """What a program's own handler raises."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoppedError])
def test_a_handler_of_the_programs_own_that_raises(error):
    def handler(number, frame):
        raise error

    learner = make()
    learner.iteration()
    its_end = Interrupted(lambda: find(learner), "enqueue", nth=UPDATES)
    places = its_end.places()[::11]

    def search_each():
        for place in places:
            before = now(learner)
            with contextlib.suppress(StoppedError):
                its_end.at(place, pressed)
            assert_same(now(learner), before)

    with_handler(handler, search_each)


def test_a_search_in_another_thread_leaves_ctrl_c_to_the_main_one():
    learner = make()
    learner.iteration()
    before = now(learner)
    thread = threading.Thread(target=lambda: find(learner))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        pressed()
    thread.join()
    assert_same(now(learner), before)


def test_preserved_that_is_interrupted_as_it_begins_has_changed_nothing():
    learner = make()
    learner.iteration()

    def preserve():
        with preserved(learner.net, learner.trainer, seed=3) as again, again:
            pass

    entering = Interrupted(preserve, "__enter__", until_it_returns=True)
    for place in entering.places():
        before = now(learner)
        assert entering.at(place, pressed)
        assert_same(now(learner), before)


# -- a fit, and the file of one ------------------------------------------------------------------


def straight_fit():
    learner = make(momentum_correction=True, valid_loader=Noisy())
    learner.fit_one_cycle(2, 0.1)
    return end_of(learner)


@pytest.mark.parametrize(
    ("function", "nth", "way"),
    [
        ("before_fit", 1, raised),
        ("_update", 4, pressed),
        ("_expect_a_pass", 2, pressed),
        ("_end_epoch", 1, pressed),
        ("_end_epoch", 2, pressed),
    ],
)
def test_a_fit_that_is_interrupted_goes_on_as_if_it_had_not_been(function, nth, way):
    def of(learner):
        fit = functools.partial(learner.fit_one_cycle, 2, 0.1, cbs=Callback())
        return Interrupted(fit, function, nth, until_it_returns=True)

    expected = straight_fit()
    settings = {"momentum_correction": True, "valid_loader": Noisy()}
    for place in of(make(**settings)).places()[::24]:
        learner = make(**settings)
        assert of(learner).at(place, way)
        learner.resume()
        assert_same(end_of(learner), expected)


@pytest.mark.parametrize("where", ["loss", "item"])
@pytest.mark.parametrize("at", [1, 30, 59])
def test_after_an_error_in_a_fit_or_in_a_search_the_same_batch_comes_again(where, at):
    """The 59th item is read in the second pass, on which batches begin that were rolled over."""
    learner = make(momentum_correction=True, valid_loader=Noisy())
    dataset, loss = learner.data_loader._dataset, learner.loss
    if where == "loss":
        at = at // (BATCH_SIZE - 2) + 1
    calls = itertools.count(1)  # which, unlike a number, no search puts back
    failing = {at, at + 2}  # in the fit, and in the search

    def fail_once():
        if next(calls) in failing:
            raise OSError("on purpose")

    def failing_loss(output, label):
        fail_once()
        return loss(output, label)

    class Failing(type(dataset)):
        def __getitem__(self, index):
            fail_once()
            return super().__getitem__(index)

    if where == "item":
        dataset.__class__ = Failing
    else:
        learner.loss = failing_loss
    with pytest.raises(OSError, match="on purpose"):
        learner.fit_one_cycle(2, 0.1)
    with pytest.raises(OSError, match="on purpose"):
        find(learner)
    learner.resume()
    assert_same(end_of(learner), straight_fit())


@WAYS
def test_a_save_that_is_interrupted_leaves_a_whole_file(interrupt):
    learner = make()
    learner.iteration()
    learner.save("old")
    learner.iteration()
    saving = Interrupted(lambda: learner.save("run"), "save")
    places = saving.places()
    read = set()
    for place in places[::50] + places[-20:]:
        shutil.copy("old", "run")
        before = now(learner)
        saving.at(place, interrupt)
        assert sorted(os.listdir()) == ["old", "run"]
        assert_same(now(learner), before)
        other = make()
        other.load("run")
        read.add(other.trainer.optimizer.num_update)
    assert read == {1, 2}


class Saving(Callback):
    """Saves after the second update, and survives Ctrl-C in that."""

    left = 2

    def __init__(self, place):
        self.place = place

    def after_batch(self, learner):
        self.left -= 1
        if self.left == 0:
            saving = Interrupted(lambda: learner.save("run"), "save", until_it_returns=True)
            self.places = saving.places() if self.place is None else saving.at(self.place, pressed)


def test_a_fit_whose_callback_survives_an_interrupted_save():
    expected = straight_fit()
    saving = Saving(None)
    make(valid_loader=Noisy()).fit_one_cycle(2, 0.1, cbs=saving)
    for place in saving.places[:: len(saving.places) // 8]:
        learner = make(momentum_correction=True, valid_loader=Noisy())
        learner.fit_one_cycle(2, 0.1, cbs=Saving(place))
        assert_same(end_of(learner), expected)


def test_a_load_that_is_interrupted_is_done_or_has_not_begun():
    saved = make()
    saved.iteration()
    saved.save("run")
    learner = make()
    loading = Interrupted(lambda: learner.load("run"), "load", until_it_returns=True)
    places = loading.places()
    done = []
    for place in places[:: len(places) // 8] + places[-20:]:
        learner = make()
        before = learner.trainer.optimizer.num_update, weights(learner)
        assert loading.at(place, pressed)
        done.append(learner.trainer.optimizer.num_update == 1)
        expected = weights(saved) if done[-1] else before[1]
        assert_same_arrays(weights(learner), expected)
        assert learner._batches.place().drawn == done[-1]
    assert any(done)
    assert not all(done)


# -- a signal from elsewhere -----------------------------------------------------------------------

INTERRUPTIONS = 15


def test_signals_from_another_process_at_random_moments():
    child = subprocess.Popen(
        [sys.executable, searching.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        with child.stdin, child.stdout:
            report = searching.interrupt(child, INTERRUPTIONS, np.random.RandomState(0))
            child.stdin.close()
            assert child.wait() == 0
    finally:
        child.kill()
    assert report == {"interrupted": INTERRUPTIONS}
