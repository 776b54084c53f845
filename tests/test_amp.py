"""Mixed precision: what AMP's loss scaler does to updates, losses, searches and checkpoints.

float16 arithmetic needs a GPU, so the scaler is a scripted one: it says which updates overflow.
In bfloat16 some is done on every CPU: by `amp_training.py`, with MXNet's own scaler.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_learner, weights
from processes import run

from gluon_lr import (
    AnnealedSchedule,
    FactorScheduler,
    LRFinder,
    LRScheduleHandler,
    ParamScheduler,
    SchedLin,
)
from gluon_lr._mxnet import MXNET_2, mx

STEP = 1024.0  # powers of two, which rounding does not touch


class ScriptedScaler:
    """As MXNet's LossScaler: scales the loss, skips what overflows, and halves its scale then."""

    def __init__(self, overflows):
        self.loss_scale = STEP
        self.overflows = overflows
        self.steps = 0

    def has_overflow(self, parameters):
        self.steps += 1
        if self.steps in self.overflows:
            self.loss_scale /= 2
            return True
        return False


def use_amp(learner, overflows=()):
    """Do what `amp.init_trainer` does, which asks for `amp.init` and that for a GPU."""
    learner.trainer._amp_loss_scaler = ScriptedScaler(overflows)
    learner.trainer._amp_original_scale = learner.trainer._scale
    return learner


def make(ctx=ONE, overflows=(), **params):
    def trainer(net):
        # updates on the KVStore cannot be skipped, and AMP refuses those
        params_ = {"learning_rate": 0.1, "momentum": 0.9, **params}
        return mx.gluon.Trainer(net.collect_params(), "sgd", params_, update_on_kvstore=False)

    learner = make_learner(ctx, trainer=trainer)
    learner.progress = False
    return use_amp(learner, overflows)


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_losses_are_recorded_and_gradients_applied_without_the_scale(ctx):
    scaled, plain = make(ctx), make(ctx)
    del plain.trainer._amp_loss_scaler
    losses = [[one.iteration() for _ in range(8)] for one in (scaled, plain)]
    assert losses[0] == losses[1]
    assert_same_arrays(weights(scaled), weights(plain))
    gradient = scaled.net[0].weight.grad(mx.cpu(0)).asnumpy()
    np.testing.assert_array_equal(gradient, STEP * plain.net[0].weight.grad(mx.cpu(0)).asnumpy())


def test_what_is_skipped_moves_neither_weights_nor_curves():
    learner = make(overflows=(2, 3))
    learner._iterations_per_epoch = 4
    learner.fit(3, cbs=ParamScheduler({"lr": SchedLin(0, 12)}))
    np.testing.assert_allclose(learner.recorder.lrs, [0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert len(learner.recorder.epochs) == 3


def test_what_is_skipped_does_not_advance_the_optimizers_schedule():
    learner = make(overflows=(2, 3, 5))
    schedule = FactorScheduler(step=1, factor=0.5, base_lr=0.1)
    learner.trainer.optimizer.lr_scheduler = schedule
    before = []
    for _ in range(6):
        before.append(weights(learner)[0])
        learner.iteration()
    moved = [bool((one != other).any()) for one, other in zip(before, before[1:])]
    assert moved == [True, False, False, True, False]
    assert learner.trainer.optimizer.num_update == 3
    assert learner.trainer.learning_rate == schedule(3)


def test_what_is_skipped_does_not_advance_an_estimators_handler():
    class Estimator:
        trainer = make(overflows=(1, 4)).trainer

    learner = make(overflows=(2, 3))
    Estimator.trainer = learner.trainer
    handler = LRScheduleHandler(AnnealedSchedule(SchedLin(0, 10), length=10))
    handler.train_begin(Estimator)
    rates = []
    for _ in range(6):
        handler.batch_begin(Estimator)
        rates.append(learner.trainer.learning_rate)
        learner.iteration()
    np.testing.assert_allclose(rates, [0, 1, 1, 1, 2, 3])


def test_a_search_puts_the_scaler_back():
    learner, untouched = make(overflows=(3, 30)), make(overflows=(3, 30))
    for one in (learner, untouched):
        for _ in range(4):
            one.iteration()
    scaler = learner.trainer._amp_loss_scaler
    result = LRFinder(learner).find(progress=False)
    assert len(result) > 30  # beyond the second overflow
    assert learner.trainer._amp_loss_scaler is scaler
    assert vars(scaler) == vars(untouched.trainer._amp_loss_scaler)
    assert learner.trainer._scale == untouched.trainer._scale
    assert [learner.iteration() for _ in range(30)] == [untouched.iteration() for _ in range(30)]
    assert_same_arrays(weights(learner), weights(untouched))


def test_a_checkpoint_holds_the_scale():
    straight, saved, loaded = (make(overflows=(2,)) for _ in range(3))
    for one in (straight, saved):
        for _ in range(4):
            one.iteration()
    saved.save("run.checkpoint")
    loaded.load("run.checkpoint")
    assert vars(loaded.trainer._amp_loss_scaler) == vars(straight.trainer._amp_loss_scaler)
    assert [loaded.iteration() for _ in range(6)] == [straight.iteration() for _ in range(6)]
    assert_same_arrays(weights(loaded), weights(straight))


@pytest.mark.skipif(MXNET_2, reason="the amp.init of 2.0 takes no name of a product")
def test_a_search_and_a_fit_in_bfloat16():
    code, output = run([sys.executable, str(Path(__file__).parent / "amp_training.py")])
    assert code == 0, output
