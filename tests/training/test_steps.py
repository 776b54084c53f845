"""A step on batches of any structure, with losses of any shape, against a bare Gluon loop."""

import itertools
from collections import namedtuple

import numpy as np
import pytest
from conftest import ONE, TWO, assert_same_arrays, weights

from gluon_lr import Learner
from gluon_lr._mxnet import MXNET_2, mx, nd

SIZES, STEPS, FEATURES, CLASSES = (6, 5, 1, 2), 4, 3, 4  # batches of 6, 5, 1 and 2 samples

Parts = namedtuple("Parts", "x1 x2 label mask")


class Graph:
    """What is no array: it goes along whole."""

    def __init__(self, scale):
        self.scale = scale


def make_parts(samples, seed):
    random = np.random.RandomState(seed)
    x1, x2 = random.randn(2, samples, STEPS, FEATURES).astype(np.float32)
    label = random.randint(0, CLASSES, (samples, STEPS)).astype(np.float32)
    mask = (random.rand(samples, STEPS) < 0.6).astype(np.float32)
    mask[0, 0] = 1
    return Parts(x1, x2, label, mask)


def arrays(parts):
    return Parts(*(nd.array(one) for one in parts))


def ragged(parts):
    """Return as many rows for a sample as it has masked steps."""
    return [nd.ones((int(row.sum()) + 1, 4)) for row in parts.mask]


def time_major(parts):
    return tuple(nd.array(np.swapaxes(one, 0, 1)) for one in parts)


def sample_major(batch):
    return Parts(*(one.swapaxes(0, 1) for one in batch))


def dense(array):
    return array if array.stype == "default" else array.tostype("default")


def stacked(samples):
    return nd.stack(samples) if MXNET_2 else nd.stack(*samples)


# name: (from the parts to a batch, from a batch to the parts)
STRUCTURES = {
    "tuple": (lambda p: tuple(arrays(p)), lambda b: Parts(*b)),
    "list": (lambda p: list(arrays(p)), lambda b: Parts(*b)),
    "nested": (
        lambda p: ((nd.array(p[0]), nd.array(p[1])), (nd.array(p[2]), nd.array(p[3]))),
        lambda b: Parts(*b[0], *b[1]),
    ),
    "nested lists": (
        lambda p: [[nd.array(p[0]), nd.array(p[1])], [nd.array(p[2]), nd.array(p[3])]],
        lambda b: Parts(*b[0], *b[1]),
    ),
    "namedtuple": (arrays, lambda b: b),
    "dict": (lambda p: arrays(p)._asdict(), lambda b: Parts(**b)),
    "dict in a tuple": (
        lambda p: ({"a": nd.array(p[0]), "b": nd.array(p[1])}, tuple(map(nd.array, p[2:]))),
        lambda b: Parts(b[0]["a"], b[0]["b"], *b[1]),
    ),
    "DataBatch": (
        lambda p: mx.io.DataBatch(list(arrays(p)[:2]), list(arrays(p)[2:])),
        lambda b: Parts(*b.data, *b.label),
    ),
    "NumPy": (tuple, lambda b: Parts(*b)),
    "an array a sample": (
        lambda p: ([nd.array(one) for one in p.x1], ragged(p), *map(nd.array, p[1:])),
        lambda b: Parts(stacked(b[0]), *b[2:]),
    ),
    "with what is no array": (
        lambda p: (Graph(2), "name", 7, None, *arrays(p)),
        lambda b: Parts(b[4] * (b[0].scale / 2), *b[5:]),
    ),
    "time-major": (time_major, sample_major),
    "mx.np": (
        lambda p: tuple(mx.np.array(one) for one in p),
        lambda b: Parts(*(one if MXNET_2 else one.as_nd_ndarray() for one in b)),
    ),
}
if not MXNET_2:
    STRUCTURES["CSR"] = (
        lambda p: (nd.array(p.mask).tostype("csr"), *arrays(p)[:3]),
        lambda b: Parts(b[1], b[2], b[3], dense(b[0])),
    )

cross_entropy = mx.gluon.loss.SoftmaxCrossEntropyLoss()


def each(output, parts):
    """Return one loss a step of a sample."""
    flat = cross_entropy(output.reshape((-1, CLASSES)), parts.label.reshape((-1,)))
    return flat.reshape(parts.label.shape)


# name: (from an output and the parts to what is returned,
#        from that to what goes backward and what its sum is divided by)
LOSSES = {
    "vector": (
        lambda output, parts: cross_entropy(output, parts.label),
        lambda loss: ([loss], loss.shape[0]),
    ),
    "mean": (
        lambda output, parts: cross_entropy(output, parts.label).mean(),
        lambda loss: ([loss], 1),
    ),
    "per-token": (
        lambda output, parts: each(output, parts).reshape((-1,)),
        lambda loss: ([loss], loss.size),
    ),
    "masked": (
        lambda output, parts: (each(output, parts), parts.mask),
        lambda pair: ([pair[0] * pair[1]], float(pair[1].asnumpy().sum())),
    ),
    "several": (
        lambda output, parts: [cross_entropy(output, parts.label), (output**2).mean()],
        lambda several: (several, several[0].shape[0] + 1),
    ),
}


class Net(mx.gluon.HybridBlock):
    """A net of two inputs."""

    def __init__(self):
        super().__init__()
        with getattr(self, "name_scope", mx.cpu)():
            self.first = mx.gluon.nn.Dense(5, flatten=False, in_units=FEATURES)
            self.second = mx.gluon.nn.Dense(CLASSES, flatten=False, in_units=5)

    def forward(self, x1, x2):
        return self.second(self.first(x1) + self.first(x2) ** 2)


def make_net(ctx):
    mx.random.seed(1)
    np.random.seed(1)
    net = Net()
    net.initialize(mx.init.Xavier(), ctx=ctx)
    return net


def make_trainer(net):
    return mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5, "momentum": 0.9})


def split(array, contexts):
    return mx.gluon.utils.split_and_load(array, contexts, even_split=False)


def bare_loop(contexts, loss, counted):
    """Train as a Gluon user does; a context without a sample of its own has no part in it."""
    net = make_net(contexts)
    trainer = make_trainer(net)
    losses = []
    for number, samples in enumerate(SIZES):
        parts = arrays(make_parts(samples, number))
        own = contexts[:samples]
        by_context = [Parts(*one) for one in zip(*(split(array, own) for array in parts))]
        with mx.autograd.record():
            returned = [loss(net(p.x1, p.x2), p) for p in by_context]
            pairs = [counted(one) for one in returned]
        for context in contexts[samples:]:  # no gradient comes there, and none is to be left
            for parameter in net.collect_params().values():
                parameter.grad(context)[:] = 0
                parameter.data(context)._fresh_grad = True
        backward = [array for arrays_, _ in pairs for array in arrays_]
        mx.autograd.backward(backward)
        divisor = sum(number for _, number in pairs)
        trainer.step(divisor)
        losses.append(sum(float(array.asnumpy().sum()) for array in backward) / divisor)
    return losses, [p.data(c).asnumpy() for p in net.collect_params().values() for c in contexts]


@pytest.mark.parametrize(("structure", "kind"), itertools.product(STRUCTURES, LOSSES))
def test_trains_as_a_bare_loop_bit_for_bit(structure, kind):
    number = [*STRUCTURES].index(structure) + [*LOSSES].index(kind)
    contexts = TWO if number % 2 else [ONE]
    pack, unpack = STRUCTURES[structure]
    loss, counted = LOSSES[kind]

    def compute_loss(net, batch):
        parts = unpack(batch)
        return loss(net(parts.x1, parts.x2), parts)

    net = make_net(contexts)
    learner = Learner(
        net,
        [pack(make_parts(samples, number)) for number, samples in enumerate(SIZES)],
        trainer=make_trainer(net),
        compute_loss=compute_loss,
        batch_axis=int(structure == "time-major"),
    )
    losses, expected = bare_loop(contexts, loss, counted)
    found = [learner.iteration() for _ in SIZES]
    np.testing.assert_allclose(found, losses, rtol=1e-5)
    assert_same_arrays(weights(learner), expected)
