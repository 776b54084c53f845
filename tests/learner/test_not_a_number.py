"""A loss that is not a number is noticed."""

import warnings

import numpy as np
import pytest
from fits import make_learner

from gluon_lr import Callback, TerminateOnNaN


def spoiled(at, value=np.nan, **more):
    """Return a learner whose loss of the n-th update is not finite, and its weights afterwards."""
    learner = make_learner(**more)
    loss = learner.loss
    calls = iter(range(1, 10**6))

    def spoil(output, label):
        return loss(output, label) * (value if next(calls) == at else 1)

    learner.loss = spoil
    learner.valid_loader = learner.metrics = None
    return learner


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("at", [1, 2, 4, 5, 12])
def test_every_fit_warns_once_and_names_the_update(at, value):
    learner = spoiled(at, value)
    says = rf"^fit: the loss of update {at} is .* pass cbs=TerminateOnNaN\(\)"
    with pytest.warns(UserWarning, match=says) as caught:
        learner.fit(3, 0.1)
    assert [one.filename for one in caught if one.category is UserWarning] == [__file__]
    assert len(learner.recorder) == 12


@pytest.mark.parametrize("at", [1, 4, 6, 12])
def test_it_may_raise(at):
    learner = spoiled(at)
    with pytest.raises(FloatingPointError, match=f"TerminateOnNaN: the loss of update {at} is nan"):
        learner.fit(3, 0.1, cbs=TerminateOnNaN("raise"))
    assert len(learner.recorder) <= at + 2


@pytest.mark.parametrize("where", ["fit", "learner"])
def test_it_may_be_ignored(where):
    own = TerminateOnNaN(nan="ignore")
    learner = spoiled(3, cbs=own if where == "learner" else None)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        learner.fit(3, 0.1, cbs=own if where == "fit" else None)


def test_a_search_is_not_warned_of():
    learner = spoiled(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        learner.lr_find(num_it=10, show_plot=False, suggestions=False)


def test_losses_are_not_waited_for():
    learner = make_learner()
    known = []

    class Looks(Callback):
        order = 99

        def after_batch(self, learner):
            known.append(len(learner.recorder) - len(learner.recorder.known_losses(0)))

    learner.fit(1, 0.1, cbs=Looks())
    assert min(known[2:]) == 2


@pytest.mark.parametrize("nan", ["stop", None, True])
def test_bad_choices(nan):
    with pytest.raises((TypeError, ValueError), match="TerminateOnNaN: `nan` must be"):
        TerminateOnNaN(nan)
