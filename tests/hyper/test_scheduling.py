"""ParamScheduler in plain Gluon loops, as its users write them."""

import copy
import math
import pickle

import numpy as np
import pytest
from conftest import ONE, TWO, Scale, assert_same_arrays
from grouped import backward, make_net, make_trainer, weights

from gluon_lr import (
    AnnealedSchedule,
    ParamScheduler,
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    combined_cos,
    one_cycle,
)
from gluon_lr._mxnet import mx, nd

LENGTH = 20


def test_a_plain_loop_follows_the_curves():
    net = make_net()
    trainer = make_trainer(net, "adam")
    scheds = {"lr": combined_cos(0.25, 0.04, 1, 1e-5), "mom": SchedLin(0.95, 0.85)}
    scheduler = ParamScheduler(scheds, trainer, length=LENGTH)
    used = []
    for n in range(1, LENGTH + 1):
        scheduler.step(n)
        backward(net, ONE, n % 4)
        trainer.step(16)
        used.append((trainer.learning_rate, trainer.optimizer.beta1))
    positions = np.arange(LENGTH) / LENGTH
    np.testing.assert_allclose([lr for lr, _ in used], scheds["lr"](positions), rtol=1e-14)
    np.testing.assert_allclose([mom for _, mom in used], 0.95 - 0.1 * positions, rtol=1e-14)


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_without_a_number_it_counts_the_updates_that_were_made(ctx):
    net = make_net(ctx)
    trainer = make_trainer(net)
    scheduler = ParamScheduler({"lr": SchedLin(0, 1)}, trainer, length=10)
    seen = []
    for skipped in (False, False, True, True, False):
        scheduler.step()
        scheduler.step()
        seen.append(trainer.learning_rate)
        backward(net, ctx, 0)
        if not skipped:
            trainer.step(16)
    assert seen == pytest.approx([0, 0.1, 0.2, 0.2, 0.2])
    assert scheduler.position == 3
    scheduler.step(8)
    assert trainer.learning_rate == pytest.approx(0.7)
    backward(net, ctx, 0)
    trainer.step(16)
    scheduler.step()
    assert trainer.learning_rate == pytest.approx(0.8)


class Overflowing:
    """A loss scaler that finds an overflow when told so."""

    def __init__(self):
        self.overflow = False
        self.loss_scale = 1.0

    def has_overflow(self, parameters):
        return self.overflow


def test_updates_that_amp_skips_do_not_count():
    net = make_net()
    trainer = make_trainer(net)
    trainer._amp_loss_scaler = Overflowing()
    trainer._amp_original_scale = 1
    scheduler = ParamScheduler({"lr": SchedLin(0, 1)}, trainer, length=10)
    seen = []
    for overflow in (False, True, True, False, False):
        trainer._amp_loss_scaler.overflow = overflow
        scheduler.step()
        seen.append(round(trainer.learning_rate, 9))
        backward(net, ONE, 0)
        trainer.step(16)
    assert seen == [0, 0.1, 0.1, 0.1, 0.2]


def test_a_list_has_a_curve_for_each_group():
    net = make_net()
    trainer = make_trainer(net, momentum=0.9)
    scheds = {
        "lr": [SchedLin(0, 1), SchedCos(1, 0), SchedExp(1e-3, 1)],
        "mom": SchedLin([0.5, 0.6, 0.7], [0.6, 0.7, 0.9]),
        "wd": SchedNo(0.1, 0.1),
    }
    scheduler = ParamScheduler(scheds, trainer, length=4, groups=list(net))
    scheduler.step(2)
    lr = trainer.learning_rate
    rates = [lr * block.weight.lr_mult for block in net]
    np.testing.assert_allclose(rates, [0.25, (1 + math.cos(math.pi / 4)) / 2, 1e-3**0.75])
    assert trainer.optimizer.wd == 0.1
    np.testing.assert_allclose(scheduler.at(2)["mom"], [0.525, 0.625, 0.75])
    assert scheduler.at(5)["lr"] == scheduler.at(500)["lr"] == [1, 0, 1]


def test_the_rate_alone_goes_into_an_optimizer():
    by_scheduler, by_hand = make_net(), make_net()
    curves = one_cycle(0.3, moms=())
    schedule = ParamScheduler(curves, length=LENGTH).as_lr_scheduler()
    trainer = make_trainer(by_scheduler, momentum=0.9, lr_scheduler=copy.deepcopy(schedule))
    manual = make_trainer(by_hand, momentum=0.9)
    scheduler = ParamScheduler(curves, manual, length=LENGTH)
    for n in range(1, LENGTH + 5):
        scheduler.step(n)
        for net, one in ((by_scheduler, trainer), (by_hand, manual)):
            backward(net, ONE, n % 4)
            one.step(16)
        assert trainer.learning_rate == manual.learning_rate
    assert_same_arrays(weights(by_scheduler), weights(by_hand))
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert schedule.base_lr == 0.3
    np.testing.assert_array_equal(schedule.values(range(30)), [schedule(n) for n in range(30)])


@pytest.mark.parametrize(
    "scheduler",
    [
        ParamScheduler(one_cycle(1.0), length=10),
        ParamScheduler({"mom": SchedLin(0, 1)}, length=10),
        ParamScheduler({"lr": [SchedLin(0, 1)]}, length=10),
        ParamScheduler({"lr": SchedLin([0, 1], [1, 2])}, length=10),
        ParamScheduler({"lr": SchedLin(0, 1)}),
    ],
)
def test_nothing_else_goes_into_an_optimizer(scheduler):
    with pytest.raises(ValueError, match="if it is used as an lr_scheduler"):
        scheduler.as_lr_scheduler()


def sgd_by_hand(weights, gradients, rates, momentum):
    """Train as PyTorch does: v = m v + g, w = w - lr v."""
    velocity = 0
    for gradient, lr in zip(gradients, rates):
        velocity = momentum * velocity + gradient
        weights = weights - lr * velocity
    return weights


@pytest.mark.parametrize("optimizer", ["sgd", "nag"])
@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("stop", [3, 6])
def test_momentum_correction_trains_as_pytorch_does(optimizer, corrected, stop):
    rates = [0.1, 0.1, 1.0, 0.05, 0.5, 0.01]
    net = mx.gluon.nn.Dense(1, in_units=3, use_bias=False)
    net.initialize(mx.init.One())
    trainer = make_trainer(net, optimizer, momentum=0.9)
    curve = {round(i / 6, 9): lr for i, lr in enumerate(rates)}
    scheds = {"lr": lambda pos: curve[round(pos, 9)]}
    gradients = np.random.RandomState(0).randn(6, 3).astype(np.float32)
    for start, end in ((0, stop), (stop, 6)):  # as a resumed run does: another scheduler
        scheduler = ParamScheduler(scheds, trainer, 6, momentum_correction=corrected)
        for n in range(start, end):
            scheduler.step(n + 1)
            with mx.autograd.record():
                loss = net(nd.array(gradients[n : n + 1]))
            loss.backward()
            trainer.step(1)
    if optimizer == "sgd":
        expected = sgd_by_hand(np.ones(3), gradients, rates, 0.9)
    else:
        velocity, expected = 0, np.ones(3)
        for gradient, lr in zip(gradients, rates):
            velocity = 0.9 * velocity + gradient
            expected = expected - lr * (gradient + 0.9 * velocity)
    close = np.allclose(net.weight.data().asnumpy()[0], expected, rtol=1e-5)
    assert close == corrected


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_momentum_correction_leaves_the_weights_of_mixed_precision_alone(momentum):
    net = Scale()
    net.initialize()
    trainer = make_trainer(net, momentum=momentum, multi_precision=True)
    rates = [0.5, 0.125, 0.25]
    curves = {"lr": lambda pos: rates[round(pos * 3)]}
    scheduler = ParamScheduler(curves, trainer, 3, momentum_correction=True)
    for n in (1, 2, 3):
        with mx.autograd.record():
            loss = net(nd.ones((1, 5))).sum()
        loss.backward()
        scheduler.step(n)
        trainer.step(1)
    expected = sgd_by_hand(np.ones(5), np.ones((3, 5)), rates, momentum)
    np.testing.assert_allclose(net.weight.data().asnumpy(), expected, rtol=1e-3)


def test_a_rate_of_zero_clears_a_corrected_momentum():
    net = make_net()
    trainer = make_trainer(net, momentum=0.9)
    curves = {"lr": lambda pos: 0.5 if pos == 0 else 0.0}
    scheduler = ParamScheduler(curves, trainer, 4, momentum_correction=True)
    for n in (1, 2):
        backward(net, ONE, 0)
        scheduler.step(n)
        trainer.step(16)
        if n == 1:
            before = weights(net)
    assert_same_arrays(weights(net), before)


def test_its_curves_are_drawn():
    scheds = {"lr": SchedLin([0, 1, 2], [1, 2, 3]), "mom": SchedLin(0.95, 0.85)}
    rates, momentum = ParamScheduler(scheds, length=10).plot()
    assert len(rates.get_lines()) == 3
    assert rates.get_ylabel() == "lr"
    np.testing.assert_allclose(momentum.get_lines()[0].get_ydata(), 0.95 - 0.01 * np.arange(10))
    (only,) = ParamScheduler(scheds, length=10).plot(keys=["mom"])
    assert only.get_ylabel() == "mom"


def test_what_the_trainer_had_comes_back():
    trainer = make_trainer(make_net(), "adam", learning_rate=0.3)
    scheduler = ParamScheduler(one_cycle(1.0), trainer, length=10)
    scheduler.put_back()
    scheduler.step(5)
    scheduler.put_back()
    assert (trainer.learning_rate, trainer.optimizer.beta1) == (0.3, 0.9)


FACTOR = mx.lr_scheduler.FactorScheduler(10, base_lr=0.1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda t: ParamScheduler(SchedNo(1, 1)), TypeError, "`scheds` must be a dict of hyper-p"),
        (
            lambda t: ParamScheduler({"lr": 0.1}),
            TypeError,
            "`scheds` must be a dict whose values are curves, for",
        ),
        (
            lambda t: ParamScheduler({"lr": [1]}),
            TypeError,
            "`scheds` must be a dict whose values are curves, for",
        ),
        (
            lambda t: ParamScheduler({"lr": SchedCos}),
            TypeError,
            r"for example SchedCos\(0\.1, 0\), ",
        ),
        (lambda t: ParamScheduler({}, length=0), ValueError, "`length` must be an integer of at"),
        (lambda t: ParamScheduler({"beta1": SchedNo(1, 1)}, t), ValueError, "of SGD: one of lr"),
        (
            lambda t: ParamScheduler({"lr": [SchedNo(1, 1)] * 2}, t, 10),
            ValueError,
            "`lr` must be one number, or one for each of 1 groups",
        ),
        (
            lambda t: ParamScheduler({"mom": SchedNo(1, 1)}, momentum_correction=True),
            ValueError,
            "a dict with a curve for 'lr' if `momentum_correction` is True",
        ),
        (lambda t: ParamScheduler({}).step(1), RuntimeError, "`trainer` is not set"),
        (lambda t: ParamScheduler({"lr": abs}, t).step(1), RuntimeError, "`length` is not set"),
        (lambda t: ParamScheduler({}, t, 3).step(0), ValueError, "`n` must be an integer of at"),
        (
            lambda t: ParamScheduler({"lr": lambda p: -p}, t, 3).step(3),
            ValueError,
            "`lr` must be finite and at least 0, got -0.6",
        ),
        (lambda t: AnnealedSchedule(3, 3), TypeError, "`curve` must be callable"),
    ],
)
def test_bad_arguments_change_nothing(make, error, message):
    trainer = make_trainer(make_net(), momentum=0.9)
    before = dict(vars(trainer.optimizer))
    with pytest.raises(error, match=message):
        make(trainer)
    assert vars(trainer.optimizer) == before


def test_momentum_correction_is_for_sgd_and_a_scheduler_of_the_trainer_stays():
    adam = make_trainer(make_net(), "adam")
    with pytest.raises(TypeError, match="`momentum_correction` must be False unless the optimizer"):
        ParamScheduler({"lr": SchedNo(1, 1)}, adam, 3, momentum_correction=True)
    scheduled = make_trainer(make_net(), lr_scheduler=FACTOR)
    with pytest.raises(ValueError, match="`trainer` must be a trainer without an lr_scheduler"):
        ParamScheduler({"lr": SchedNo(1, 1)}, scheduled, 3)
    ParamScheduler({"mom": SchedNo(0.5, 0.5)}, scheduled, 3).step(1)
    assert scheduled.optimizer.momentum == 0.5
