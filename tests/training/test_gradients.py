"""The gradient that an update goes along, against a plain Gluon loop."""

import numpy as np
import pytest
from conftest import TWO, make_dataset, make_net, weights

from gluon_lr import GradientAccumulation, Learner
from gluon_lr._mxnet import mx, nd

RATE = 0.1


def make_learner(**more):
    mx.random.seed(1)
    net = make_net()
    net.initialize(mx.init.Xavier())
    net(nd.ones((1, 5)))
    loader = mx.gluon.data.DataLoader(make_dataset(32), 8)
    return Learner(net, loader, optimizer_params={"learning_rate": RATE}, **more)


def assert_near(learner, other):
    for one, expected in zip(weights(learner), weights(other)):
        np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-7)


def test_the_first_update_is_of_all_batches_that_are_added_up():
    learner, by_hand = make_learner(cbs=GradientAccumulation(batches=2)), make_learner()
    learner.update()
    for parameter in by_hand.net.collect_params().values():
        if parameter.grad_req == "write":
            parameter.grad_req = "add"
    for number, (x, y) in enumerate(by_hand.data_loader):
        if number < 2:
            with mx.autograd.record():
                losses = by_hand.loss(by_hand.net(x), y)
            losses.backward()
    by_hand.trainer.step(16)
    assert_near(learner, by_hand)


def test_weights_may_be_computed_of_what_the_losses_were_computed_of():
    def weighted(net, batch):
        losses = loss(net(batch[0]), batch[1])
        return losses, batch[1] > 0

    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    learner, by_hand = make_learner(compute_loss=weighted), make_learner()
    learner.update()
    x, y = next(iter(by_hand.data_loader))
    with mx.autograd.record():
        losses = loss(by_hand.net(x), y) * (y > 0)
    losses.backward()
    by_hand.trainer.step(float((y > 0).asnumpy().sum()))
    assert_near(learner, by_hand)


@pytest.mark.parametrize(
    "second, warns",
    [
        (lambda losses: (losses, nd.ones_like(losses)), True),
        (lambda losses: (losses, nd.ones_like(losses).detach()), False),
        (lambda losses: [losses, losses], False),
        (lambda losses: (losses, losses.mean()), False),
    ],
)
def test_a_tuple_of_losses_that_may_be_weights_warns_once(second, warns, recwarn):
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    learner = make_learner(
        compute_loss=lambda net, batch: second(loss(net(batch[0]), batch[1])),
    )
    for _ in range(3):
        learner.update()
    said = [str(one.message) for one in recwarn.list if "weights.detach()" in str(one.message)]
    assert len(said) == warns


def test_a_batch_of_fewer_samples_than_contexts_may_be_of_mx_np():
    with mx.util.np_shape(True), mx.util.np_array(True):
        net = mx.gluon.nn.Dense(2, in_units=5)
        net.initialize(ctx=TWO)
        learner = Learner(net, [(mx.np.ones((1, 5)), mx.np.zeros(1))])
        learner.iteration(RATE)
        on_each = [array.asnumpy() for array in net.weight.list_data()]
    np.testing.assert_array_equal(*on_each)


def test_adamax_says_why_it_is_about_to_make_nan(recwarn):
    data = np.random.RandomState(0).randn(32, 5).astype("float32")
    data[:, 2] = 0
    loader = [(nd.array(data), nd.array(data[:, 0] > 0))]
    for optimizer in ("adam", "adamax"):
        learner = Learner(mx.gluon.nn.Dense(2), loader, optimizer=optimizer)
        losses = [learner.iteration() for _ in range(3)]
        said = [str(one.message) for one in recwarn.list if "divides 0 by 0" in str(one.message)]
        becomes_nan = optimizer == "adamax" and not hasattr(learner.trainer.optimizer, "epsilon")
        assert np.isnan(losses[-1]) == becomes_nan
        assert len(said) == becomes_nan
