"""fastai's policies: recorded fits against the definitions, written out one update at a time."""

import math

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, make_dataset, stated, weights
from grouped import make_net

from gluon_lr import CosineScheduler, Learner, ParamScheduler, SchedLin, flat_cos, one_cycle, sgdr
from gluon_lr._mxnet import mx
from gluon_lr.hyper.group_rates import group_rates

BATCHES, EPOCHS = 4, 5
UPDATES = BATCHES * EPOCHS
ROUND = 1e-12


def make_learner(ctx=ONE, groups=1, optimizer="sgd", momentum=0.9, lr_scheduler=None, **more):
    net = make_net(ctx)
    params = {"momentum": momentum} if optimizer == "sgd" else {}
    if lr_scheduler is not None:
        params["lr_scheduler"] = lr_scheduler
    learner = Learner(
        net,
        mx.gluon.data.DataLoader(make_dataset(), 16),
        optimizer=optimizer,
        optimizer_params=stated(optimizer, params),
        groups=list(net) if groups == 3 else None,
        **more,
    )
    learner.progress = False
    return learner


def cos(start, end, p):
    return start + (1 + math.cos(math.pi * (1 - p))) * (end - start) / 2


def up_and_down(pct, start, middle, end, p):
    return cos(start, middle, p / pct) if p < pct else cos(middle, end, (p - pct) / (1 - pct))


def one_cycle_by_hand(p, lr, pct=0.25, div=25.0):
    return (
        up_and_down(pct, lr / div, lr, lr / 1e5, p),
        up_and_down(pct, 0.95, 0.85, 0.95, p),
    )


def flat_cos_by_hand(p, lr):
    return (lr if p < 0.75 else cos(lr, lr / 1e5, (p - 0.75) / 0.25)), 0.9


def sgdr_by_hand(p, lr, lengths=(1, 4)):
    epoch, start = p * sum(lengths), 0
    for length in lengths:
        if epoch < start + length:
            return cos(lr, 0, (epoch - start) / length), 0.9
        start += length
    raise AssertionError(p)


POLICIES = {
    "one_cycle": (lambda learner, lr: learner.fit_one_cycle(EPOCHS, lr), one_cycle_by_hand),
    "flat_cos": (lambda learner, lr: learner.fit_flat_cos(EPOCHS, lr), flat_cos_by_hand),
    "sgdr": (lambda learner, lr: learner.fit_sgdr(2, 1, lr, cycle_mult=4), sgdr_by_hand),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("lr", "rates"),
    [
        (0.1, [0.1]),
        (0.1, [0.1] * 3),
        (slice(0.001, 0.1), [0.001, 0.01, 0.1]),
        (slice(0.1), [0.01, 0.01, 0.1]),
        ([0.3, 0.2, 0.1], [0.3, 0.2, 0.1]),
        (slice(0.001, 0.1), [0.1]),
    ],
)
@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_a_fit_records_what_the_definitions_say(policy, lr, rates, ctx):
    fit, by_hand = POLICIES[policy]
    learner = make_learner(ctx, groups=len(rates))
    fit(learner, lr)
    recorder = learner.recorder
    expected = [[by_hand(i / UPDATES, rate) for rate in rates] for i in range(UPDATES)]
    expected = np.array(expected)  # updates, groups, (rate, momentum)
    assert recorder.group_hps["lr"].shape == (UPDATES, len(rates))
    np.testing.assert_allclose(recorder.group_hps["lr"], expected[:, :, 0], rtol=ROUND)
    np.testing.assert_allclose(recorder.group_hps["mom"], expected[:, :, 1], rtol=ROUND)
    np.testing.assert_allclose(recorder.hps["lr"], expected[:, -1, 0], rtol=ROUND)
    np.testing.assert_array_equal(recorder.lrs, recorder.hps["lr"])
    assert len(recorder.losses) == UPDATES
    assert (learner.trainer.learning_rate, learner.trainer.optimizer.momentum) == (0.01, 0.9)


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_a_fit_trains_as_a_plain_loop_at_those_rates(ctx):
    learner, by_hand = make_learner(ctx), make_learner(ctx)
    learner.fit_one_cycle(EPOCHS, 0.1)
    for i in range(UPDATES):
        lr, momentum = one_cycle_by_hand(i / UPDATES, 0.1)
        by_hand.trainer.optimizer.momentum = momentum
        by_hand.iteration(lr)
    for left, right in zip(weights(learner), weights(by_hand)):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-7)


def test_momentum_is_that_of_the_optimizer():
    adam, plain, rmsprop = (
        make_learner(optimizer="adam"),
        make_learner(momentum=0.0),
        make_learner(optimizer="rmsprop"),
    )
    for learner in (adam, plain, rmsprop):
        learner.fit_one_cycle(EPOCHS, 0.001)
    assert adam.recorder.hps["mom"][5] == pytest.approx(0.85)
    assert (plain.recorder.hps["mom"] == 0).all()
    assert "mom" not in rmsprop.recorder.hps
    plain.fit_one_cycle(EPOCHS, 0.001, moms=(0.9, 0.8, 0.9))
    assert plain.recorder.hps["mom"][5] == pytest.approx(0.8)
    with pytest.raises(ValueError, match="of RMSProp: one of lr, wd, sqr_mom"):
        rmsprop.fit_one_cycle(EPOCHS, 0.001, moms=(0.9, 0.8, 0.9))


def test_the_rate_is_by_default_the_trainers_own():
    learner = make_learner()
    learner.trainer.set_learning_rate(0.3)
    learner.fit_one_cycle(1)
    assert learner.recorder.lrs.max() == pytest.approx(0.3)
    learner.fit_flat_cos(1)
    assert learner.recorder.lrs[0] == 0.3
    learner.fit_sgdr(1, 1)
    assert learner.recorder.lrs[0] == 0.3
    learner.fit(1)
    assert learner.recorder.lrs.tolist() == [0.3] * BATCHES


def test_a_scheduler_of_the_trainer_goes_on_or_rests():
    own = CosineScheduler(20, base_lr=0.3)
    learner = make_learner(lr_scheduler=own)
    learner.fit(1)
    np.testing.assert_allclose(learner.recorder.lrs, own.values(range(1, 5)), rtol=1e-15)
    learner.fit(1, 0.1)
    assert learner.recorder.lrs.tolist() == [0.1] * BATCHES
    assert learner.trainer.optimizer.lr_scheduler is own
    learner.fit(1)
    np.testing.assert_allclose(learner.recorder.lrs, own.values(range(9, 13)), rtol=1e-15)


def test_weight_decay_and_other_curves_come_along_and_go_again():
    learner = make_learner()
    learner.trainer.optimizer.wd = 0.25
    learner.fit_one_cycle(1, 0.1, wd=0.5)
    assert learner.recorder.hps["wd"].tolist() == [0.5] * BATCHES
    learner.fit(1, 0.1, cbs=ParamScheduler({"wd": SchedLin(0, 1), "clip_gradient": SchedLin(1, 2)}))
    assert learner.recorder.hps["wd"].tolist() == [0, 0.25, 0.5, 0.75]
    assert learner.recorder.hps["clip_gradient"].tolist() == [1, 1.25, 1.5, 1.75]
    optimizer = learner.trainer.optimizer
    assert (optimizer.wd, optimizer.clip_gradient) == (0.25, None)


@pytest.mark.parametrize("policy", ["fit", "fit_one_cycle", "fit_flat_cos"])
def test_a_later_epoch_starts_at_its_place_on_the_curves(policy):
    whole, late = make_learner(), make_learner()
    getattr(whole, policy)(EPOCHS, 0.1)
    getattr(late, policy)(EPOCHS, 0.1, start_epoch=2)
    np.testing.assert_array_equal(late.recorder.lrs, whole.recorder.lrs[2 * BATCHES :])
    assert [epoch["epoch"] for epoch in late.recorder.epochs] == [2, 3, 4]


def test_fine_tune_trains_the_head_and_then_all():
    learner = make_learner(groups=3)
    body, head = learner.net[0].weight, learner.net[2].weight
    seen = []
    step = learner.trainer.step

    def watched(*arguments):
        hps = {key: values[-1] for key, values in learner.recorder.group_hps.items() if len(values)}
        seen.append((body.grad_req, body.data().asnumpy(), head.data().asnumpy(), hps))
        step(*arguments)

    learner.trainer.step = watched
    learner.fine_tune(2, base_lr=0.1, freeze_epochs=1)
    frozen, unfrozen = seen[:BATCHES], seen[BATCHES:]
    assert [one[0] for one in seen] == ["null"] * BATCHES + ["write"] * 2 * BATCHES
    assert_same_arrays([one[1] for one in frozen], [frozen[0][1]] * BATCHES)
    assert not np.array_equal(frozen[0][2], frozen[-1][2])
    assert not np.array_equal(unfrozen[0][1], unfrozen[-1][1])
    rates = learner.recorder.group_hps["lr"]
    for group, rate in enumerate([0.0005, 0.005, 0.05]):
        by_hand = [one_cycle_by_hand(i / 8, rate, pct=0.3, div=5.0)[0] for i in range(8)]
        np.testing.assert_allclose(rates[:, group], by_hand, rtol=ROUND)
    head_rates = [one_cycle_by_hand(i / 4, 0.1, pct=0.99)[0] for i in range(4)]
    assert frozen[3][3]["lr"][2] == pytest.approx(head_rates[2], rel=ROUND)
    assert frozen[3][3]["lr"][0] == pytest.approx(head_rates[2] / 10, rel=ROUND)


def test_the_curves_are_for_any_loop():
    rate = one_cycle(1.0)["lr"]
    assert [rate(0.0), rate(0.25)] == [0.04, 1.0]
    assert set(one_cycle(1.0, moms=())) == {"lr"}
    assert flat_cos(1.0)["lr"](0.5) == 1
    every = sgdr(1.0, n_cycles=3, cycle_len=2, cycle_mult=1)["lr"]
    assert [every(p / 6) for p in (0, 2, 4)] == [1, 1, 1]
    assert every(1.0) == 0


@pytest.mark.parametrize("n_cycles", [1, 2, 5, 6])
@pytest.mark.parametrize("cycle_len", [1, 2, 3, 5])
@pytest.mark.parametrize("cycle_mult", [1, 2, 3])
@pytest.mark.parametrize("batches", [4, 7, 391])
def test_each_cycle_starts_at_the_highest_rate(n_cycles, cycle_len, cycle_mult, batches):
    lengths = [cycle_len * cycle_mult**i for i in range(n_cycles)]
    rate = sgdr(1.0, n_cycles, cycle_len, cycle_mult)["lr"]
    starts = np.cumsum([0, *lengths[:-1]]) * batches
    updates = sum(lengths) * batches
    assert [rate(start / updates) for start in starts] == pytest.approx([1] * n_cycles)
    assert all(rate((start - 1) / updates) < 0.9 for start in starts[1:])
    np.testing.assert_allclose(rate(starts / updates), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("lr", "groups", "rates"),
    [
        (0.1, 3, 0.1),
        (slice(1e-5, 1e-3), 3, [1e-5, 1e-4, 1e-3]),
        (slice(1e-3), 3, [1e-4, 1e-4, 1e-3]),
        (slice(1e-5, 1e-3), 1, 1e-3),
        (slice(1e-3), 1, 1e-3),
        (slice(1e-5, 1e-3), 2, [1e-5, 1e-3]),
        ((1, 2), 2, [1, 2]),
    ],
)
def test_rates_of_groups(lr, groups, rates):
    np.testing.assert_allclose(group_rates("fit", "lr", lr, groups), rates, rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.fit(0, 0.1), "fit: `n_epoch` must be an integer of at least 1"),
        (lambda one: one.fit(1, -0.1), "fit: `lr` must be a finite number of at least 0"),
        (lambda one: one.fit(1, slice(0, 1)), "fit: `lr` must be a finite number above 0"),
        (lambda one: one.fit(1, [1, 2]), "one number for each of 1 groups"),
        (
            lambda one: one.fit(2, 0.1, start_epoch=2),
            "`start_epoch` must be below `n_epoch`, which is 2",
        ),
        (lambda one: one.fit(1, 0.1, wd=-1), "`wd` must be a finite number of at least 0"),
        (lambda one: one.fit_one_cycle(1, 0.1, div=0), "`div` must be a finite number above 0"),
        (lambda one: one.fit_one_cycle(1, 0.1, pct_start=2), "`pct` must be a finite number from"),
        (lambda one: one.fit_one_cycle(1, 0.1, moms=(1, 2)), "`moms` must be three numbers"),
        (lambda one: one.fit_one_cycle(1, 0.1, moms=0.9), "`moms` must be three numbers, got 0.9"),
        (lambda one: one.fit_sgdr(1, 0, 0.1), "`cycle_len` must be an integer of at least 1"),
        (
            lambda one: one.fine_tune(1, freeze_epochs=-1),
            "`freeze_epochs` must be an integer",
        ),
        (lambda one: one.freeze_to(1), "`n` must be below 1, got 1"),
        (
            lambda one: one.fit(1, 0.1, cbs=ParamScheduler({"lr": SchedLin(0, 1)})),
            "`cbs` must be callbacks that do not set lr, which fit sets",
        ),
        (
            lambda one: one.fit(1, cbs=ParamScheduler({"lr": SchedLin(0, 1)}, length=3)),
            "`cbs` must be a ParamScheduler with curves only",
        ),
        (lambda one: one.fit(1, cbs=ParamScheduler({"beta2": SchedLin(0, 1)})), "of SGD: one of"),
    ],
)
def test_bad_arguments_train_nothing(call, message):
    learner = make_learner()
    before = weights(learner)
    with pytest.raises(ValueError, match=message):
        call(learner)
    assert_same_arrays(weights(learner), before)
    with pytest.raises(TypeError, match="`cbs` must be a Callback, a ParamScheduler, or a list"):
        learner.fit(1, cbs=[3])
    with pytest.raises(RuntimeError, match="there is no interrupted fit to resume"):
        learner.resume()
