"""What happens between the events of a fit: their order, and what is left where one raises."""

import contextlib
import math

import numpy as np
import pytest
from conftest import assert_same_arrays, weights
from fits import assert_same_state, state
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import (
    BATCH,
    BATCH_SIZE,
    BATCHES,
    EVENTS,
    STEP,
    VALIDATION,
    Log,
    Raise,
    make_batches,
    make_learner,
    make_net,
    make_trainer,
)

from gluon_lr import (
    Callback,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelValidateException,
    EarlyStoppingCallback,
    Learner,
    LRFinder,
    ParamScheduler,
    SchedLin,
)
from gluon_lr._mxnet import mx

EPOCHS = 3
UPDATES = EPOCHS * BATCHES


def counting():
    """Return curves whose rate is the number of the update, from 0, in thousandths."""
    return ParamScheduler({"lr": SchedLin(0, UPDATES / 1000)})


def fit(cbs, **more):
    """Fit by the rate :func:`counting` with a Log before `cbs`; return the learner and the log."""
    learner, log = make_learner(**{"valid_loader": make_batches(2), **more}), Log()
    learner.fit(EPOCHS, cbs=[log, *cbs, counting()])
    return learner, log


def places(learner):
    return np.rint(learner.recorder.lrs * 1000).astype(int).tolist()


# -- the order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("validation", [[], VALIDATION], ids=["without", "with"])
def test_the_order_of_events(validation):
    valid_loader = make_batches(2) if validation else None
    _, log = fit([], valid_loader=valid_loader)
    epoch = ["before_epoch", *BATCH * BATCHES, "after_train", *validation, "after_epoch"]
    assert log.events == ["before_fit", *epoch * EPOCHS, "after_fit"]
    assert log.batches == [0, 1, 2, 3] * EPOCHS


def test_callbacks_of_the_learner_come_before_those_of_the_fit():
    own, of_fit = Log(), Log()
    of_fit.events = own.events
    make_learner(cbs=own).fit(1, cbs=of_fit)
    assert own.events[::2] == own.events[1::2]
    first = Raise("before_batch", CancelBatchException)
    log = Log()
    make_learner(cbs=first).fit(1, cbs=log)
    assert log.events[:3] == ["before_fit", "before_epoch", "after_batch"]


def test_an_iteration_has_the_events_of_its_step():
    log = Log()
    learner = make_learner(cbs=log, valid_loader=make_batches(2))
    learner.iteration()
    assert log.events == STEP
    learner.iteration(take_step=False)
    assert log.events == [*STEP, "before_loss", "after_loss"]
    learner.validate()
    assert log.events[-2:] == VALIDATION


def test_a_search_has_the_events_of_its_steps():
    log = Log()
    learner = make_learner(cbs=log)
    LRFinder(learner).find(num_iter=3, progress=False)
    assert log.events == STEP * 3
    LRFinder(learner).find(num_iter=2, validation=make_batches(2), progress=False)
    assert log.events == [*STEP * 3, *[*STEP, *VALIDATION] * 2]


def test_a_search_in_a_fit_has_no_events_of_the_fits_callbacks():
    class Search(Callback):
        def after_train(self, learner):
            LRFinder(learner).find(num_iter=3, progress=False)

    searched, log = fit([Search()])
    found = state(searched)
    straight, expected = fit([])
    assert log.events == expected.events
    assert_same_state(found, state(straight))


# -- a batch is called off ---------------------------------------------------------------------


def without(number):
    """Return the weights after a bare loop that leaves out one of its updates."""
    net = make_net()
    trainer = make_trainer(net)
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    for update, (data, label) in enumerate(make_batches() * EPOCHS):
        if update == number:
            continue
        with mx.autograd.record():
            losses = loss(net(data), label)
        losses.backward()
        trainer.set_learning_rate(update / 1000)
        trainer.step(BATCH_SIZE)
    return [one.data().asnumpy() for one in net.collect_params().values()]


@pytest.mark.parametrize("at", [1, 6, UPDATES])
@pytest.mark.parametrize("event", BATCH[:4])
def test_a_batch_that_is_called_off_is_passed_over(event, at):
    learner, log = fit([Raise(event, CancelBatchException, at)])
    done = [*BATCH[: BATCH.index(event) + 1], "after_batch"]
    expected = [event for n in range(UPDATES) for event in (done if n == at - 1 else BATCH)]
    assert [event for event in log.events if event in BATCH] == expected
    assert log.batches == [0, 1, 2, 3] * EPOCHS
    assert places(learner) == [n for n in range(UPDATES) if n != at - 1]
    assert_same_arrays(weights(learner), without(at - 1))


@pytest.mark.parametrize("event", BATCH[4:])
def test_what_is_called_off_after_its_update_keeps_it(event):
    later = Log()
    learner, log = fit([Raise(event, CancelBatchException, 2), later])
    found = state(learner)
    straight, expected = fit([])
    assert log.events == expected.events
    assert later.events.count(event) == UPDATES  # all are told of what is over
    assert_same_state(found, state(straight))


class Never(Callback):
    def before_step(self, learner):
        raise CancelBatchException


def test_all_updates_may_be_called_off():
    learner, log = fit([Never()])
    assert log.batches == [0, 1, 2, 3] * EPOCHS
    assert len(learner.recorder) == 0
    assert all(math.isnan(epoch["train_loss"]) for epoch in learner.recorder.epochs)
    assert_same_arrays(weights(learner), weights(make_learner()))


@pytest.mark.parametrize("event", STEP)
def test_an_iteration_and_a_search_may_be_called_off_too(event):
    learner = make_learner(cbs=Raise(event, CancelBatchException, 2))
    for _ in range(3):
        learner.iteration(0.1)
    assert len(learner.recorder) == (3 if event == "after_step" else 2)
    searching = make_learner(cbs=Raise(event, CancelBatchException, 2))
    assert len(LRFinder(searching).find(num_iter=4, progress=False)) == 4


class ItsOwnStep(Learner):
    def iteration(self, lr=None):
        loss = super().iteration(lr, take_step=False)
        self.trainer.set_learning_rate(lr)
        self.trainer.step(BATCH_SIZE)
        for parameter in self.net.collect_params().values():
            parameter.grad()[:] = 0
        return loss


@pytest.mark.parametrize("grad_req", ["write", "add"])
def test_a_search_ends_where_no_update_is_ours(grad_req):
    assert len(LRFinder(make_learner(cbs=Never())).find(num_iter=4, progress=False)) == 4
    net = make_net()
    for parameter in net.collect_params().values():
        parameter.grad_req = grad_req
    own = ItsOwnStep(net, make_batches(), trainer=make_trainer(net))
    ours = LRFinder(make_learner()).find(num_iter=4, lr_end=1, progress=False)
    found = LRFinder(own).find(num_iter=4, lr_end=1, progress=False)
    np.testing.assert_allclose(found.losses, ours.losses, rtol=1e-6)


# -- an epoch is called off --------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS[1:-1])
def test_an_epoch_that_is_called_off_ends_and_the_next_is_a_new_pass(event):
    at = BATCHES + 2 if event in BATCH else 2
    learner, log = fit([Raise(event, CancelEpochException, at)])
    _, usual = fit([])
    starts = [n for n, one in enumerate(usual.events) if one == "before_epoch"]
    raised = [n for n, one in enumerate(usual.events) if one == event][at - 1]
    of_second = usual.events[starts[1] : raised + 1]
    ends = [one for one in ("after_train", "after_epoch") if one not in of_second]
    first, third = usual.events[: starts[1]], usual.events[starts[2] :]
    assert log.events == [*first, *of_second, *ends, *third]
    assert log.batches[-4:] == [0, 1, 2, 3]
    assert [n for n in places(learner) if not 4 <= n < 8] == [0, 1, 2, 3, 8, 9, 10, 11]
    assert len(learner.recorder.epochs) == EPOCHS
    assert ("valid_loss" in learner.recorder.epochs[1]) == (event == "after_epoch")
    assert {"valid_loss"} <= learner.recorder.epochs[0].keys() & learner.recorder.epochs[2].keys()


def test_epochs_of_a_given_length_go_on_in_the_data():
    cancel = Raise("after_batch", CancelEpochException, 2)
    _, log = fit([cancel], iterations_per_epoch=3)
    assert log.batches == [0, 1, 2, 3, 0, 1, 2, 3]


# -- a validation is called off ----------------------------------------------------------------


def test_what_a_validation_has_seen_counts():
    seen = []

    def one(label, output):
        seen.append(label)
        if len(seen) == 3:  # the first batch of the second validation
            raise CancelValidateException
        return 1.0

    learner = make_learner(metrics=one)
    first, second = make_batches(2)
    assert learner.validate([first, second])["one"] == 1
    stopped = learner.validate([first, second])
    assert stopped["valid_loss"] == learner.validate([first])["valid_loss"]


@pytest.mark.parametrize("event", VALIDATION)
def test_a_validation_that_is_called_off_is_over(event):
    learner, log = fit([Raise(event, CancelValidateException, 2)])
    straight, usual = fit([])
    assert log.events == usual.events
    losses = [epoch.get("valid_loss") for epoch in learner.recorder.epochs]
    expected = [epoch["valid_loss"] for epoch in straight.recorder.epochs]
    if event == "before_validate":
        expected[1] = None
        assert len(learner.recorder.values[1]) == 1
    assert losses == expected
    tables = [repr(one.recorder).splitlines() for one in (learner, straight)]
    assert tables[0][1] == tables[1][1]


def test_an_epoch_whose_validation_was_called_off_is_not_counted():
    stop = EarlyStoppingCallback("valid_loss", patience=1)
    learner, _ = fit([Raise("before_validate", CancelValidateException, 2), stop])
    assert len(learner.recorder.epochs) == EPOCHS


# -- the fit is called off, or breaks ----------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_a_fit_that_is_called_off_is_done(event):
    at = 6 if event in BATCH else 1
    learner, log = fit([Raise(event, CancelFitException, at)])
    assert log.events[-1] == "after_fit"
    assert log.events.count("after_fit") == 1
    raised = [n for n, one in enumerate(log.events) if one == event][at - 1]
    assert log.events[raised + 1 :] == ([] if event == "after_fit" else ["after_fit"])
    assert learner.trainer.learning_rate == 0.1
    with pytest.raises(RuntimeError, match="there is no interrupted fit to resume"):
        learner.resume()
    again = Log()
    learner.fit(1, cbs=again)
    assert again.batches == [0, 1, 2, 3]


class BrokenError(Exception):
    """What a user's callback raises by mistake."""


@pytest.mark.parametrize("event", EVENTS)
def test_what_breaks_in_an_event_is_resumed_as_if_it_had_not(event):
    settings = [{"momentum_correction": True}]
    if event in BATCH:
        settings.append({"iterations_per_epoch": 3})
    for setting in settings:
        setting = {"valid_loader": make_batches(2), **setting}
        straight, broken = make_learner(**setting), make_learner(**setting)
        straight.fit_one_cycle(EPOCHS, 0.1)
        expected = state(straight)
        broken = make_learner(**setting)
        with pytest.raises(BrokenError):
            broken.fit_one_cycle(
                EPOCHS, 0.1, cbs=Raise(event, BrokenError, 6 if event in BATCH else 1)
            )
        assert broken.trainer.learning_rate == 0.1
        assert broken.trainer.optimizer.momentum == 0.9
        broken.resume()
        assert_same_state(state(broken), expected)


# -- anything may be called off anywhere --------------------------------------------------------

CALLED_OFF = {
    CancelBatchException: BATCH,
    CancelEpochException: EVENTS[1:-1],
    CancelValidateException: VALIDATION,
    CancelFitException: EVENTS,
}


class Script(Log):
    """Raise what `script` says, by the number of the event."""

    def __init__(self, script):
        self.script = script
        super().__init__()

    def _noting(self, event):
        note = super()._noting(event)

        def note_and_raise(learner):
            note(learner)
            error = self.script.get(len(self.events))
            if error is not None and event in CALLED_OFF[error]:
                raise error

        return note_and_raise


def as_documented(script):
    """Return the events, and the places of the updates: nested loops, and what ends each."""
    events, updates = [], []

    def tell(event):
        events.append(event)
        error = script.get(len(events))
        if error is not None and event in CALLED_OFF[error]:
            raise error

    def batch(place):
        with contextlib.suppress(CancelBatchException):
            tell("before_batch")
            tell("before_loss")
            tell("after_loss")
            tell("before_step")
            updates.append(place)
            tell("after_step")
        with contextlib.suppress(CancelBatchException):
            tell("after_batch")

    def epoch(number):
        cancelled = True
        with contextlib.suppress(CancelEpochException):
            tell("before_epoch")
            for place in range(number * BATCHES, (number + 1) * BATCHES):
                batch(place)
            cancelled = False
        with contextlib.suppress(CancelEpochException):
            tell("after_train")
            if not cancelled:
                for event in VALIDATION:
                    with contextlib.suppress(CancelValidateException):
                        tell(event)
        with contextlib.suppress(CancelEpochException):
            tell("after_epoch")

    with contextlib.suppress(CancelFitException):
        tell("before_fit")
        for number in range(EPOCHS):
            epoch(number)
    with contextlib.suppress(CancelFitException):
        tell("after_fit")
    return events, updates


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(2, 70), st.sampled_from(list(CALLED_OFF)[:3]), max_size=8),
    st.one_of(st.none(), st.integers(1, 90)),
)
def test_what_is_called_off_ends_as_documented(script, end):
    script = {**script, **({} if end is None else {end: CancelFitException})}
    learner, log = make_learner(valid_loader=make_batches(1)), Script(script)
    learner.fit(EPOCHS, cbs=[log, counting()])
    assert (log.events, places(learner)) == as_documented(script)
