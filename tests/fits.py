"""A learner of two groups, the same each time and in each process, and all that its fits change."""

import random

import numpy as np
from conftest import ONE, assert_same_arrays, make_dataset, stated, weights

from gluon_lr import Callback, ContinuousBatchSampler, Learner
from gluon_lr._mxnet import mx, nd

nn = mx.gluon.nn
gluon_data = mx.gluon.data
BATCHES = 4


class StopAfter(Callback):
    """Press Ctrl-C at the n-th call of an event, in all fits together, when others were told."""

    order = 100

    def __init__(self, calls, event="after_batch"):
        self.left = calls
        setattr(self, event, self._count)

    def _count(self, learner):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class Plays(Callback):
    """Gives the epochs these values, in place of those that were found."""

    order = -90

    def __init__(self, values, name="valid_loss"):
        self.values, self.name = values, name

    def after_epoch(self, learner):
        epochs = learner.recorder.fit_epochs
        epochs[-1][self.name] = self.values[len(epochs) - 1]


def make_learner(ctx=ONE, optimizer="sgd", data="shuffled", update_on_kvstore=None, **more):
    """Build the same learner each time, in another process too."""
    mx.random.seed(3)
    np.random.seed(3)
    random.seed(3)
    net = nn.HybridSequential()
    net.add(nn.Dense(16, activation="relu"), nn.BatchNorm(), nn.Dense(3))
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net.hybridize()
    net(nd.ones((1, 5), ctx=ctx[0] if isinstance(ctx, list) else ctx))
    params = stated(optimizer, {"momentum": 0.9} if optimizer in ("sgd", "nag") else {})
    trainer = mx.gluon.Trainer(
        net.collect_params(), optimizer, params, update_on_kvstore=update_on_kvstore
    )
    dataset = make_dataset()
    if data == "endless":
        sampler = ContinuousBatchSampler(gluon_data.RandomSampler(len(dataset)), 16)
        loader = gluon_data.DataLoader(dataset, batch_sampler=sampler)
        more["iterations_per_epoch"] = BATCHES
    elif data == "augmented":
        noisy = dataset.transform_first(lambda x: x + 0.1 * np.random.randn(*x.shape))
        noisy = noisy.transform_first(lambda x: (x * random.random()).astype(np.float32))
        loader = gluon_data.DataLoader(noisy, 16, shuffle=True)
    else:
        loader = gluon_data.DataLoader(dataset, 16, shuffle=True)
    valid = [(nd.array(part[:21]), nd.array(label[:21])) for part, label in [dataset[:]]]
    groups = [[net[0], net[1]], net[2]]
    learner = Learner(
        net, loader, trainer=trainer, valid_loader=valid, metrics="acc", groups=groups, **more
    )
    learner.progress = False
    return learner


def state(learner):
    """Return all that a resumed run has to have as the uninterrupted one."""
    trainer = learner.trainer
    updaters = [trainer._kvstore._updater] if trainer._update_on_kvstore else trainer._updaters
    optimizer = trainer.optimizer
    # a trainer numbers its parameters by their names, in which dense10 comes before dense9
    places = {id(parameter): place for place, parameter in enumerate(trainer._params)}
    numbers = [places[id(parameter)] for parameter in learner.net.collect_params().values()]
    states = [
        None if array is None else array.asnumpy()
        for updater in updaters
        for one in [updater.states[i] for i in numbers if i in updater.states]
        for array in (one if isinstance(one, tuple) else (one,))
    ]
    recorder = learner.recorder
    epochs = [{k: v for k, v in epoch.items() if k != "time"} for epoch in recorder.epochs]
    return (
        weights(learner) + states,
        [recorder.losses, *recorder.group_hps.values()],
        [epochs, optimizer.num_update, optimizer.lr, learner.trainer.learning_rate],
        np.random.rand(),
        random.random(),
    )


def assert_same_state(left, right):
    assert_same_arrays(left[0], right[0])
    assert_same_arrays(left[1], right[1])
    assert left[2:] == right[2:]
