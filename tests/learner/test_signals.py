"""Signals that a fit answers: SIGTERM, and Ctrl-C that has it finish."""

import functools
import itertools
import os
import signal
import threading

import numpy as np
import pytest
from conftest import ONE, TWO
from fits import assert_same_state, make_learner, state

from gluon_lr import Callback, CheckpointCallback, FinishOnInterrupt, GradientAccumulation
from gluon_lr.learner.callbacks.signals import Hearing


class Sends(Callback):
    """Sends this process a signal at the n-th call of an event."""

    order = -99

    def __init__(self, number, n, event="before_step"):
        self.number, self.left = number, n
        setattr(self, event, self._send)

    def _send(self, learner):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


EVENTS = ["before_batch", "before_loss", "after_loss", "before_step", "after_step", "after_batch"]
CONTEXTS = {1: ONE, 2: TWO}
SENT = [(event, at) for event in EVENTS for at in (1, 4, 7)]
SENT += [(event, 2) for event in ("after_train", "before_validate", "after_validate")]


@functools.lru_cache(maxsize=None)
def straight_state(contexts):
    straight = make_learner(CONTEXTS[contexts])
    straight.fit_one_cycle(3, 0.1)
    return state(straight)


@pytest.mark.parametrize(  # every event on one context and on two, at other places
    ("event", "at", "contexts"),
    [(*sent, number % 2 + 1) for number, sent in enumerate(SENT)],
)
def test_at_sigterm_it_saves_exits_with_143_and_goes_on_bit_for_bit(event, at, contexts):
    ctx, expected = CONTEXTS[contexts], straight_state(contexts)
    own = signal.getsignal(signal.SIGTERM)
    stopped = make_learner(ctx)
    cbs = [CheckpointCallback("run", on_sigterm=True), Sends(signal.SIGTERM, at, event)]
    with pytest.raises(SystemExit) as exited:
        stopped.fit_one_cycle(3, 0.1, cbs=cbs)
    assert exited.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is own
    loaded = make_learner(ctx)
    loaded.load("run")
    updates = len(loaded.recorder)
    if event in EVENTS:
        assert updates == at
    loaded.resume(cbs=CheckpointCallback("run", on_sigterm=True))
    assert_same_state(state(loaded), expected)


def test_it_comes_in_a_group_of_gradients_too():
    straight = make_learner()
    straight.fit_one_cycle(3, 0.1, cbs=GradientAccumulation(3))
    expected = state(straight)
    stopped = make_learner()
    cbs = [
        GradientAccumulation(3),
        CheckpointCallback("run", on_sigterm=True),
        Sends(signal.SIGTERM, 5, "before_loss"),
    ]
    with pytest.raises(SystemExit):
        stopped.fit_one_cycle(3, 0.1, cbs=cbs)
    loaded = make_learner()
    loaded.load("run")
    loaded.resume(cbs=GradientAccumulation(3))
    assert_same_state(state(loaded), expected)


def test_it_comes_at_the_end_of_a_fit_too():
    straight = make_learner()
    straight.fit(1, 0.1)
    straight.fit(1, 0.1)
    expected = state(straight)
    stopped = make_learner()
    with pytest.raises(SystemExit, match="143"):
        cbs = [CheckpointCallback("run", on_sigterm=True), Sends(signal.SIGTERM, 1, "after_fit")]
        stopped.fit(1, 0.1, cbs=cbs)
    loaded = make_learner()
    loaded.load("run")
    loaded.resume()
    loaded.fit(1, 0.1)
    assert_same_state(state(loaded), expected)


def test_without_being_asked_sigterm_is_the_programs(monkeypatch):
    heard = []
    own = signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
    try:
        learner = make_learner()
        learner.fit(1, 0.1, cbs=[CheckpointCallback("run"), Sends(signal.SIGTERM, 2)])
    finally:
        signal.signal(signal.SIGTERM, own)
    assert heard == [1]
    assert len(learner.recorder) == 4


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_after_an_error_the_signal_is_the_programs_again(error):
    class Breaks(Callback):
        def after_step(self, learner):
            raise error

    own = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    learner = make_learner()
    cbs = [CheckpointCallback("run", on_sigterm=True), FinishOnInterrupt(2), Breaks()]
    with pytest.raises(error):
        learner.fit(1, 0.1, cbs=cbs)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == own


def test_processes_that_are_forked_end_by_it():
    ours, theirs = os.pipe()
    with Hearing(signal.SIGTERM):
        child = os.fork()
        if child == 0:
            os.write(theirs, b"!")  # Python drops what comes before
            for _ in itertools.count():
                pass
        os.read(ours, 1)
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
    os.close(ours)
    os.close(theirs)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGTERM


def test_in_another_thread_it_says_that_no_signal_comes_there():
    errors = []

    def train():
        try:
            make_learner().fit(1, 0.1, cbs=CheckpointCallback("run", on_sigterm=True))
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    (text,) = errors
    assert text.startswith("CheckpointCallback: only the main thread gets signals")


def test_a_bad_on_sigterm():
    with pytest.raises(TypeError, match="CheckpointCallback: `on_sigterm` must be True or False"):
        CheckpointCallback("run", on_sigterm=1)


# -- Ctrl-C ------------------------------------------------------------------------------------


def test_ctrl_c_finishes_the_fit():
    planned = make_learner()

    class Finishes(Callback):
        order = 80

        def after_batch(self, learner):
            if len(learner.recorder) == 5:
                learner.finish(4)

    planned.fit_one_cycle(5, 0.1, cbs=Finishes())
    expected = state(planned)
    learner = make_learner()
    own = signal.getsignal(signal.SIGINT)
    learner.fit_one_cycle(5, 0.1, cbs=[FinishOnInterrupt(4), Sends(signal.SIGINT, 5)])
    assert_same_state(state(learner), expected)
    assert len(learner.recorder) == 9
    assert signal.getsignal(signal.SIGINT) is own


def test_pressed_twice_it_interrupts():
    learner = make_learner()
    cbs = [FinishOnInterrupt(6), Sends(signal.SIGINT, 3), Sends(signal.SIGINT, 6)]
    with pytest.raises(KeyboardInterrupt):
        learner.fit_one_cycle(5, 0.1, cbs=cbs)
    learner.resume()
    assert len(learner.recorder) == 9
    np.testing.assert_array_less(learner.recorder.lrs[-1], 0.01)


@pytest.mark.parametrize("iterations", [0, -3, 1.5, None])
def test_bad_numbers_of_updates(iterations):
    with pytest.raises((TypeError, ValueError), match="FinishOnInterrupt: `iterations` must be"):
        FinishOnInterrupt(iterations)
