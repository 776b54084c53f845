"""An epoch is one pass of the loader, however long the passes are."""

import functools
import re

import numpy as np
import pytest
from conftest import assert_same_arrays, make_dataset, weights
from fits import make_learner
from loaders import OwnLoader

from gluon_lr import Callback, Learner, ParamScheduler, SchedLin
from gluon_lr._mxnet import mx
from gluon_lr.learner.callbacks import progress

LENGTHS = [2, 3, 3, 3, 3, 2]  # of passes through 90 samples by 32, what is left rolled over


def rolling():
    loader = mx.gluon.data.DataLoader(make_dataset(90), 32, shuffle=True, last_batch="rollover")
    return on(loader)


def on(loader):
    """Return the learner of the other tests on a loader, without validation."""
    other = make_learner()
    learner = Learner(other.net, loader, trainer=other.trainer, groups=other.groups)
    learner.progress = False
    return learner


class Scaler:
    """As AMP's, for two updates that overflow."""

    loss_scale = 1.0

    def __init__(self):
        self.steps = 0

    def has_overflow(self, parameters):
        self.steps += 1
        return self.steps in (2, 3)


class Epochs(Callback):
    """Notes how many updates each epoch had."""

    def __init__(self):
        self.lengths, self.updates = [], 0

    def after_batch(self, learner):
        self.updates += 1

    def after_epoch(self, learner):
        self.lengths.append(self.updates)
        self.updates = 0


def test_a_fit_makes_the_updates_of_a_bare_loop():
    by_hand = rolling()
    lengths = [0] * 6
    for epoch in range(6):
        for data, label in by_hand.data_loader:
            with mx.autograd.record():
                loss = by_hand.loss(by_hand.net(data), label)
            loss.backward()
            by_hand.trainer.set_learning_rate(0.1)
            by_hand.trainer.step(len(data))
            lengths[epoch] += 1
    learner, epochs = rolling(), Epochs()
    learner.fit(6, 0.1, cbs=epochs)
    assert epochs.lengths == lengths == LENGTHS
    assert_same_arrays(weights(learner), weights(by_hand))


def test_each_epoch_has_the_losses_of_its_own_pass():
    learner = rolling()
    learner.fit(6, 0.1)
    ends = np.cumsum(LENGTHS)
    parts = np.split(learner.recorder.losses, ends[:-1])
    assert [one["train_loss"] for one in learner.recorder.epochs] == [np.mean(p) for p in parts]
    assert learner.recorder._ends == ends.tolist()


def positions(learner, fit, cbs=(), **more):
    """Return where on the curves each update of a fit was."""
    fit(cbs=[ParamScheduler({"wd": SchedLin(0, 1)}), *cbs], **more)
    return learner.recorder.hps["wd"]


FITS = {
    "fit": lambda learner: (learner.fit, {"n_epoch": 6}),
    "one_cycle": lambda learner: (learner.fit_one_cycle, {"n_epoch": 6}),
    "sgdr": lambda learner: (learner.fit_sgdr, {"n_cycles": 2, "cycle_len": 2}),
}


@pytest.mark.parametrize("name", FITS)
def test_each_epoch_has_its_share_of_the_curves(name):
    learner = rolling()
    fit, more = FITS[name](learner)
    shares = [(e + i / length) / 6 for e, length in enumerate(LENGTHS) for i in range(length)]
    np.testing.assert_allclose(positions(learner, fit, **more), shares, atol=1e-12)


def test_the_curves_start_at_the_place_of_the_first_epoch():
    learner = rolling()
    found = positions(learner, learner.fit, n_epoch=6, start_epoch=4)
    np.testing.assert_allclose(found, [4 / 6, 4.5 / 6, 5 / 6, (5 + 1 / 3) / 6, (5 + 2 / 3) / 6])


def test_both_fits_of_a_tuning_make_passes():
    learner, epochs = rolling(), Epochs()
    learner.fine_tune(4, 0.1, freeze_epochs=2, cbs=epochs)
    assert epochs.lengths == LENGTHS
    rates = learner.recorder.lrs  # of the second fit
    assert len(rates) == sum(LENGTHS[2:])
    assert rates[0] == pytest.approx(0.05 / 5)


WRONG = {
    "much too short": ((5,), -4),
    "too short": ((5,), -1),
    "too long": ((5,), 1),
    "much too long": ((5,), 20),
    "too long for one": ((4, 1, 6), 2),
    "too short for one": ((4, 2, 6), -1),
}


@pytest.mark.parametrize("name", WRONG)
def test_where_the_length_is_wrong_the_curves_never_go_back_and_epochs_start_at_theirs(name):
    lengths, error = WRONG[name]
    learner, epochs = on(OwnLoader(lengths, error)), Epochs()
    found = positions(learner, learner.fit, [epochs], n_epoch=3)
    assert epochs.lengths == [lengths[epoch % len(lengths)] for epoch in range(3)]
    assert (np.diff(found) >= 0).all()
    starts = np.cumsum([0, *epochs.lengths[:-1]])
    np.testing.assert_allclose(found[starts], [0, 1 / 3, 2 / 3])
    assert found[-1] < 1


@pytest.mark.parametrize("error", [-2, 0, 3])
def test_the_bar_ends_full(error, capsys, monkeypatch):
    at_each_batch = functools.partial(progress._Bar, mininterval=0, miniters=0)
    monkeypatch.setattr(progress, "_Bar", at_each_batch)
    learner = on(OwnLoader((4, 6, 5), error))
    learner.progress = True
    learner.fit(3, 0.1)
    done, total = re.findall(r"100%.* (\d+)/(\d+) \[", capsys.readouterr().err)[-1]
    assert done == total


def test_what_amp_skips_lags_in_passes_of_any_length():
    learner = on(OwnLoader((4, 6, 5)))
    learner.trainer._amp_loss_scaler = Scaler()
    learner.trainer._amp_original_scale = learner.trainer._scale
    found = positions(learner, learner.fit, n_epoch=3)
    shares = [(e + i / n) / 3 - 2 / (3 * n) for e, n in enumerate((4, 6, 5)) for i in range(n)]
    np.testing.assert_allclose(found[3:], shares[3:])
    np.testing.assert_allclose(found[:3], [0, 1 / 12, 1 / 12])
