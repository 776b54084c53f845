"""Validation by compute_loss: the mean as in training, and metrics of what the net returned."""

import numpy as np
import pytest
from conftest import ONE, TWO

from gluon_lr import Learner
from gluon_lr._mxnet import MXNET_2, metric, mx, nd

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


@pytest.mark.parametrize("ctx", [ONE, TWO], ids=["one", "two"])
@pytest.mark.parametrize("several", [False, True])
def test_a_mean_counts_by_its_samples(ctx, several):
    def compute_loss(net, batch):
        loss = cross_entropy(net(batch[0]), batch[1]).mean()
        return [loss, loss] if several else loss

    net = make_net(ctx)
    expected = Learner(net, make_batches(), loss=cross_entropy).validate(make_batches())
    learner = Learner(net, make_batches(), compute_loss=compute_loss)
    assert learner.validate(make_batches()) == pytest.approx(expected, rel=1e-6)


def test_losses_of_which_a_batch_has_several_count_alike():
    def of_steps(net, batch):  # three losses a sample
        loss = cross_entropy(net(batch[0]), batch[1])
        return nd.stack([loss] * 3) if MXNET_2 else nd.stack(*[loss] * 3)

    net = make_net(ONE)
    expected = Learner(net, make_batches(), loss=cross_entropy).validate(make_batches())
    learner = Learner(net, make_batches(), compute_loss=of_steps)
    assert learner.validate(make_batches()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_accuracy_is_not_for_one_output_of_two_classes(shape):
    data = [(x, y.reshape(shape)) for x, y in make_batches()]
    loss = mx.gluon.loss.SigmoidBCELoss()
    learner = Learner(make_net(ONE, 1), data, loss=loss, valid_loader=data, metrics=["mse", "acc"])
    says = r"Accuracy is for one output per class, got 'outputs of shape \(6, 1\)'\. Pass a func"
    with pytest.raises(ValueError, match=says):
        learner.validate()

    def accuracy(label, output):  # as the message says
        return ((output.reshape(-1) > 0) == label.reshape(-1)).mean()

    learner.metrics = accuracy
    each = [accuracy(y, learner.predict([(x, y)]).asnumpy()) for x, y in data]
    _, value = learner.validate().values()
    assert value == pytest.approx(np.mean(each))  # MXNet's, for a function


@pytest.mark.parametrize(
    ("metrics", "error", "says"),
    [
        (metric.Accuracy, TypeError, r"Make one of this class: Accuracy\(\.\.\.\)"),
        (["acc", cross_entropy], TypeError, "loss of the Learner is always computed"),
        ({"a": "acc"}, ValueError, "`metrics` must be an argument of mx.metric.create"),
    ],
)
def test_what_is_no_metric(metrics, error, says):
    with pytest.raises(error, match=says):
        Learner(make_net(ONE), make_batches(), metrics=metrics)


def test_a_fit_says_that_metrics_need_a_valid_loader():
    learner = Learner(make_net(ONE), make_batches(), metrics="acc")
    with pytest.warns(UserWarning, match="`metrics` are not computed") as warned:
        learner.fit(1)
    assert {one.filename for one in warned if one.category is UserWarning} == {__file__}


def test_a_misfit_names_the_valid_loader():
    other = [(np.ones((2, 5), "float32"), np.zeros(2, "float32"))]
    learner = Learner(make_net(ONE), make_batches(), valid_loader=other)
    with pytest.raises(ValueError, match=r"`valid_loader` must be of batches that fit .* \(2, 5\)"):
        learner.validate()
