"""Validation by compute_loss: the mean as in training, and metrics of what the net returned."""

import numpy as np
import pytest
from conftest import ONE, TWO

from gluon_lr import Learner
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn
cross_entropy = mx.gluon.loss.SoftmaxCrossEntropyLoss()


def make_batches():
    random = np.random.RandomState(0)
    return [
        (random.randn(size, 3).astype("float32"), random.randint(0, 2, size).astype("float32"))
        for size in (6, 5, 1)
    ]


def make_net(ctx, outputs=2):
    mx.random.seed(1)
    net = nn.Dense(outputs, in_units=3)
    net.initialize(mx.init.Xavier(), ctx=ctx)
    return net


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("hybrid", [False, True])
def test_metrics_are_of_what_the_net_returned_to_compute_loss(ctx, hybrid):
    net = make_net(ctx)
    net.hybridize(hybrid)
    by_rule = Learner(net, make_batches(), loss=cross_entropy)

    def compute_loss(net, batch):
        return cross_entropy(net(batch["x"][0]), batch["y"]).mean()

    batches = [{"x": [x], "y": y} for x, y in make_batches()]
    with pytest.raises(ValueError, match="whose last part is the label"):  # which metrics need
        Learner(net, batches, compute_loss=compute_loss).validate(batches, "acc")

    def of_pairs(net, batch):
        return cross_entropy(net(batch[0]), batch[1])

    by_function = Learner(net, make_batches(), compute_loss=of_pairs)
    expected = by_rule.validate(make_batches(), ["acc", "f1"])
    assert by_function.validate(make_batches(), ["acc", "f1"]) == expected
    assert by_function.validation == expected
    data = np.concatenate([x for x, _ in make_batches()])
    labels = np.concatenate([y for _, y in make_batches()])
    predicted = net(nd.array(data)).asnumpy().argmax(axis=1)
    assert expected["accuracy"] == pytest.approx((predicted == labels).mean())


def test_metrics_of_several_outputs_and_labels():
    class Two(nn.Block):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Dense(2, in_units=3), nn.Dense(2, in_units=3)

        def forward(self, x):
            return self.first(x), self.second(x)

    def loss(outputs, first, second):
        return cross_entropy(outputs[0], first) + cross_entropy(outputs[1], second)

    net = Two()
    net.initialize(mx.init.Xavier())
    batches = [(x, (y, 1 - y)) for x, y in make_batches()]
    learner = Learner(net, batches, loss=loss)
    learner.iteration(0.1)
    values = learner.validate(batches, "acc")
    right = [
        (net(nd.array(x))[n].asnumpy().argmax(axis=1) == label).mean() * len(x)
        for x, labels in batches
        for n, label in enumerate(labels)
    ]
    assert values["accuracy"] == pytest.approx(sum(right) / 24)


def test_metrics_need_one_call_of_the_net():
    def compute_loss(net, batch):
        return net(batch[0]) - net(2 * batch[0])

    learner = Learner(make_net(ONE), make_batches(), compute_loss=compute_loss)
    with pytest.raises(ValueError, match=r"`metrics` must be omitted.*in a callback"):
        learner.validate(make_batches(), "acc")
    assert learner.validate(make_batches()).keys() == {"valid_loss"}


@pytest.mark.parametrize("trained_before", [False, True])
@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
def test_weights_count_in_validation_as_in_training(ctx, trained_before):
    def weighted(net, batch):
        return net(batch[0]).sum(axis=1), batch[1] + 1

    learner = Learner(make_net(ctx), make_batches(), compute_loss=weighted)
    if trained_before:
        learner.iteration(0)
    total = [
        (learner.net(nd.array(x)).asnumpy().sum(axis=1) * (y + 1), y + 1) for x, y in make_batches()
    ]
    expected = sum(one.sum() for one, _ in total) / sum(one.sum() for _, one in total)
    assert learner.validate(make_batches())["valid_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("trained_before", [False, True])
def test_two_losses_in_a_tuple_are_two_losses(trained_before):
    def both(net, batch):
        return net(batch[0]).sum(axis=1), (net(batch[0]) ** 2).sum(axis=1)

    learner = Learner(make_net(ONE), make_batches(), compute_loss=both)
    if trained_before:
        learner.iteration(0)
    outputs = [learner.net(nd.array(x)).asnumpy() for x, _ in make_batches()]
    each = [np.concatenate([one.sum(axis=1), (one**2).sum(axis=1)]) for one in outputs]
    expected = np.concatenate(each).mean()
    assert learner.validate(make_batches())["valid_loss"] == pytest.approx(expected, rel=1e-5)
