"""Small learners whose batches have numbers, and callbacks that note events and raise at them."""

import random

import numpy as np
from conftest import ONE

from gluon_lr import Callback, Learner
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn

STEP = ["before_loss", "after_loss", "before_step", "after_step"]
BATCH = ["before_batch", *STEP, "after_batch"]
VALIDATION = ["before_validate", "after_validate"]
EVENTS = [
    "before_fit",
    "before_epoch",
    *BATCH,
    "after_train",
    *VALIDATION,
    "after_epoch",
    "after_fit",
]
BATCHES, BATCH_SIZE = 4, 6


class Log(Callback):
    """Note each event, and the number of each batch at its end."""

    def __init__(self):
        self.events = []
        self.batches = []
        for event in EVENTS:
            setattr(self, event, self._noting(event))

    def _noting(self, event):
        def note(learner):
            self.events.append(event)
            if event == "after_batch":
                self.batches.append(number_of(learner.batch))

        return note


class Raise(Callback):
    """Raise at the n-th call of an event, in all fits together."""

    def __init__(self, event, error, at=1):
        self.error = error
        self.left = at
        setattr(self, event, self._count)

    def _count(self, learner):
        self.left -= 1
        if self.left == 0:
            raise self.error


def number_of(batch):
    """Return the number of a batch in the pass: its label."""
    return int(batch[1].asnumpy()[0])


def make_batches(batches=BATCHES, batch_size=BATCH_SIZE, last=None):
    """Return batches of random data, each with its number as the label; `last` is shorter."""
    draw = np.random.RandomState(5)
    sizes = [batch_size] * (batches - 1) + [last or batch_size]
    return [
        (nd.array(draw.randn(size, 5).astype("float32")), nd.full((size,), number % 4))
        for number, size in enumerate(sizes)
    ]


def joined(batches, group):
    """Return the batches with each `group` of them as one."""
    return [
        tuple(nd.array(np.concatenate([one.asnumpy() for one in parts])) for parts in zip(*several))
        for several in (batches[n : n + group] for n in range(0, len(batches), group))
    ]


def make_net(ctx=ONE, hybrid=True):
    """Build the same net each time, without what a batch that is taken twice would change."""
    mx.random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Dense(8, activation="tanh"), nn.Dense(4))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net(nd.ones((1, 5), ctx=ctx[0] if isinstance(ctx, list) else ctx))
    if hybrid:
        net.hybridize()
    return net


def make_trainer(net, **more):
    params = {"learning_rate": 0.1, "momentum": 0.9, **more.pop("params", {})}
    return mx.gluon.Trainer(net.collect_params(), "sgd", params, **more)


def make_learner(ctx=ONE, batches=None, hybrid=True, trainer=make_trainer, **more):
    """Build the same learner each time."""
    np.random.seed(3)
    random.seed(3)
    net = make_net(ctx, hybrid)
    batches = make_batches() if batches is None else batches
    groups = [[net[0]], [net[1]]]
    learner = Learner(net, batches, trainer=trainer(net), groups=groups, **more)
    learner.progress = False
    return learner
