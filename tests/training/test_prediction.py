"""What a net returns for all samples of a pass."""

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, weights

from gluon_lr import Learner
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn
CONTEXTS = pytest.mark.parametrize("ctx", [ONE, TWO])
DATA = np.random.RandomState(0).randn(23, 5).astype(np.float32)
LABEL = np.arange(23, dtype=np.float32)


def loader(size=4, **more):
    dataset = mx.gluon.data.ArrayDataset(DATA, LABEL)
    return mx.gluon.data.DataLoader(dataset, size, **more)


def make(net=None, ctx=ONE, data_loader=None, **more):
    net = net or nn.Dense(3)
    learner = Learner(net, data_loader or loader(), ctx=ctx, **more)
    learner.progress = False
    return learner


def of_net(learner, data=DATA):
    context = learner.ctx[0] if isinstance(learner.ctx, list) else learner.ctx
    return learner.net(nd.array(data, ctx=context)).asnumpy()


@CONTEXTS
@pytest.mark.parametrize("size", [1, 4, 23, 50])
def test_all_samples_in_the_loaders_order(size, ctx):
    learner = make(ctx=ctx)
    found = learner.predict(loader(size))
    np.testing.assert_allclose(found.asnumpy(), of_net(learner), rtol=1e-5, atol=1e-6)
    assert found.context == mx.cpu()


@CONTEXTS
def test_with_their_labels(ctx):
    learner = make(ctx=ctx, valid_loader=loader(5))
    outputs, labels = learner.get_preds()
    np.testing.assert_allclose(outputs.asnumpy(), of_net(learner), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(labels.asnumpy(), LABEL)
    shuffled = loader(5, shuffle=True)
    outputs, labels = learner.get_preds(shuffled)
    order = labels.asnumpy().astype(int)
    np.testing.assert_allclose(outputs.asnumpy(), of_net(learner)[order], rtol=1e-5, atol=1e-6)


def test_data_alone_will_do():
    learner = make()
    found = learner.predict([nd.array(DATA[:10]), nd.array(DATA[10:])])
    np.testing.assert_allclose(found.asnumpy(), of_net(learner), rtol=1e-5, atol=1e-6)


class TwoOutputs(mx.gluon.Block):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Dense(2), nn.Dense(4)
        self.register_child(self.one)
        self.register_child(self.other)

    def forward(self, x):
        return self.one(x), [self.other(x)]


def test_what_a_net_returns_keeps_its_structure():
    learner = make(TwoOutputs(), loss=lambda outputs, label: outputs[0].sum(axis=1))
    one, (other,) = learner.predict(loader())
    assert (one.shape, other.shape) == ((23, 2), (23, 4))


def test_it_is_as_in_use_and_changes_nothing():
    net = nn.HybridSequential()
    net.add(nn.BatchNorm(), nn.Dropout(0.5), nn.Dense(2))
    learner = make(net, loss=lambda output, label: output.sum(axis=1))
    learner.iteration()
    before = weights(learner)
    first, second = (learner.predict(loader()).asnumpy() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert_same_arrays(weights(learner), before)


@pytest.mark.parametrize("outputs_axis", [0, 1])
def test_samples_along_the_second_axis(outputs_axis):
    class Sums(mx.gluon.Block):
        def forward(self, x):  # (time, samples, features)
            return x if outputs_axis == 1 else x.sum(axis=0)

    data = np.random.RandomState(0).randn(6, 10, 3).astype(np.float32)
    batches = [(nd.array(data[:, n : n + 4]), nd.zeros((10,))[n : n + 4]) for n in (0, 4, 8)]
    net = nn.Sequential()
    net.add(nn.Dense(3, flatten=False), Sums())
    learner = make(net, data_loader=batches, batch_axis=1, loss=lambda out, label: out.mean())
    found = learner.predict(batches).asnumpy()
    np.testing.assert_allclose(found, of_net(learner, data), rtol=1e-5, atol=1e-5)


def test_a_loss_of_ones_own_is_listened_to():
    def compute_loss(net, batch):
        return net(batch["x"]).mean(axis=1)

    batches = [{"x": nd.array(DATA[:10])}, {"x": nd.array(DATA[10:])}]
    learner = make(data_loader=batches, compute_loss=compute_loss)
    found = learner.predict(batches).asnumpy()
    np.testing.assert_allclose(found, of_net(learner), rtol=1e-5, atol=1e-6)


def test_a_loss_that_calls_the_net_twice_is_refused():
    learner = make(compute_loss=lambda net, batch: (net(batch[0]) + net(batch[0])).mean(axis=1))
    with pytest.raises(ValueError, match="predict: `compute_loss` must be a function that calls"):
        learner.predict(loader())


def test_a_net_that_returns_a_mean_is_refused():
    class Mean(mx.gluon.Block):
        def forward(self, x):
            return x.mean()

    net = nn.Sequential()
    net.add(nn.Dense(3), Mean())
    learner = make(net, loss=lambda out, label: out)
    with pytest.raises(ValueError, match="predict: `net` must be a net that returns an output for"):
        learner.predict(loader())


def test_an_axis_that_may_be_that_of_the_samples_or_another_is_asked_for():
    class Sums(mx.gluon.Block):
        def forward(self, x):  # (time, samples, features)
            return x.sum(axis=0)

    data = nd.array(np.random.RandomState(0).randn(6, 10, 3).astype(np.float32))
    net = nn.Sequential()
    net.add(nn.Dense(3, flatten=False), Sums())
    learner = make(net, data_loader=[data], batch_axis=1, loss=lambda out, label: out)
    batches = [data[:, n : n + 3] for n in (0, 3, 6)]
    with pytest.raises(ValueError, match="predict: `data_loader` must be of batches of another si"):
        learner.predict(batches)
    found = learner.predict([*batches, data[:, 9:]])
    np.testing.assert_allclose(found.asnumpy(), of_net(learner, data.asnumpy()), rtol=1e-4)


@pytest.mark.parametrize("wrong", [DATA, [nd.ones((4, 7))]])
def test_data_that_do_not_fit_are_named(wrong):
    learner = make()
    learner.predict(loader())
    with pytest.raises(ValueError, match="predict: `data_loader` must be batches that fit the net"):
        learner.predict(wrong)


def test_without_a_loader():
    with pytest.raises(ValueError, match="get_preds: `dl` must be given if the Learner has no"):
        make().get_preds()
    for bad in (3, None):
        with pytest.raises(TypeError, match="predict: `data_loader` must be an iterable"):
            make().predict(bad)
