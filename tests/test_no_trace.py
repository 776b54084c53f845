"""After a search, training goes on bit for bit as if it had never been, whatever happened in it."""

import itertools
import math
import random
import sys

import numpy as np
import pytest
from conftest import ONE, TWO, Scale, assert_same_arrays, stated

from gluon_lr import FactorScheduler, Learner, LRFinder
from gluon_lr._mxnet import MXNET_2, mx, nd

nn = mx.gluon.nn
BATCH_SIZE = 8


class Shared(nn.Block):
    """One layer in two places, under two names, with BatchNorm between, and one of its own."""

    def __init__(self):
        super().__init__()
        self.first = self.again = nn.Dense(5, activation="tanh", in_units=5)
        self.norm = nn.BatchNorm()
        self.last = nn.Dense(3, in_units=5)

    def forward(self, x):
        return self.last(self.again(self.norm(self.first(x))))


class ByRows(nn.Block):
    """An embedding whose weights are stored by rows."""

    def __init__(self):
        super().__init__()
        self.embedding = mx.gluon.contrib.nn.SparseEmbedding(20, 3)

    def forward(self, x):
        return self.embedding(x).sum(axis=1)


def sequential(*layers, hybrid=True):
    net = nn.HybridSequential()
    net.add(*layers)
    if hybrid:
        net.hybridize()
    return net


def add_gradients(net):
    for parameter in net.collect_params().values():
        parameter.grad_req = "add"
    return net


def half_frozen(net):
    for parameter in net[0].collect_params().values():
        parameter.grad_req = "null"
    return net


NETS = {
    "norm": lambda: sequential(nn.Dense(8, in_units=5), nn.BatchNorm(in_channels=8), nn.Dense(3)),
    "deferred": lambda: sequential(nn.Dense(8), nn.BatchNorm(), nn.Dense(3), hybrid=False),
    "dropout": lambda: sequential(nn.Dense(8), nn.Dropout(0.5), nn.Dense(3), hybrid=False),
    "shared": Shared,
    "embedding": lambda: sequential(nn.Embedding(20, 4, sparse_grad=True), nn.Dense(3)),
    "rows": ByRows,
    "add": lambda: add_gradients(sequential(nn.Dense(8), nn.BatchNorm(), nn.Dense(3))),
    "frozen": lambda: half_frozen(sequential(nn.Dense(8), nn.BatchNorm(), nn.Dense(3))),
    "float16": Scale,
}
OPTIMIZERS = {
    "plain": ("sgd", {"learning_rate": 0.1}),
    "momentum": ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "multi_precision": True}),
    "adam": ("adam", {"learning_rate": 0.01}),
    "schedule": ("sgd", {"lr_scheduler": FactorScheduler(3, 0.9, base_lr=0.1), "momentum": 0.9}),
}
PLACES = [(ONE, None), (ONE, False), (TWO, None), (TWO, True), (TWO, False)]


class HalfLoss(mx.gluon.loss.L2Loss):
    """The squared error of float16 outputs."""

    def forward(self, output, label):
        return (output.astype("float32").sum(axis=1) - label) ** 2


def make_data(name):
    draw = np.random.RandomState(5)
    label = draw.randint(0, 3, 40).astype(np.float32)
    if name in ("embedding", "rows"):
        return draw.randint(0, 20, (40, 6)).astype(np.float32), label
    return draw.randn(40, 5).astype(np.float32), label


def shuffled(name):
    dataset = mx.gluon.data.ArrayDataset(*make_data(name))
    return mx.gluon.data.DataLoader(dataset, BATCH_SIZE, shuffle=True, last_batch="rollover")


def make(name="norm", optimizer="momentum", ctx=ONE, update_on_kvstore=None, loader=None):
    mx.random.seed(11)
    np.random.seed(11)
    random.seed(11)
    net = NETS[name]()
    net.initialize(mx.init.Xavier() if name != "rows" else mx.init.Normal(), ctx=ctx)
    algorithm, params = OPTIMIZERS[optimizer]
    trainer = mx.gluon.Trainer(
        net.collect_params(),
        algorithm,
        stated(algorithm, params),
        update_on_kvstore=update_on_kvstore,
    )
    loss = HalfLoss() if name == "float16" else None
    return Learner(net, loader or shuffled(name), trainer=trainer, loss=loss)


def find(learner, **settings):
    settings = {"lr_start": 1e-3, "lr_end": 1, "num_iter": 12, **settings}
    return LRFinder(learner).find(progress=False, **settings)


def train(learner, iterations=11):
    return [learner.iteration() for _ in range(iterations)]


def all_state(learner):
    """Return every array of net and optimizer, by kind and place."""
    trainer = learner.trainer
    arrays = [
        array.asnumpy()
        for parameter in learner.net.collect_params().values()
        for array in parameter._data + (parameter._grad or [])
    ]
    store = trainer._kvstore
    updaters = [store._updater] if trainer._update_on_kvstore else trainer._updaters
    for updater in updaters:
        for index in sorted(updater.states):
            arrays += [array.asnumpy() for array in flat(updater.states[index])]
    return arrays


def flat(state):
    if isinstance(state, (tuple, list)):
        return [array for part in state for array in flat(part)]
    return [] if state is None else [state]


def after_training(learner):
    """Train two passes and an update; return the losses, and all there is afterwards."""
    losses = train(learner)
    optimizer = learner.trainer.optimizer
    numbers = (
        optimizer.num_update,
        dict(optimizer._index_update_count),
        optimizer.rescale_grad,
        learner.trainer.learning_rate,
        np.random.rand(),
        random.random(),
    )
    return losses, numbers, all_state(learner)


def assert_the_same(disturbed, straight):
    assert disturbed[:2] == straight[:2]
    assert_same_arrays(disturbed[2], straight[2])


def undisturbed(learner, before=0, seed=None):
    train(learner, before)
    if seed is not None:
        mx.random.seed(seed)
    return after_training(learner)


KNOWN = {}


def without(before=0, seed=None, **settings):
    """Return what comes of a training that nothing disturbs: the same each time."""
    case = repr((before, seed, settings))
    if case not in KNOWN:
        KNOWN[case] = undisturbed(make(**settings), before, seed)
    return KNOWN[case]


# each net before its first update, and after three in every second place, with one optimizer after
# the other, and one net with each of them, before and after in turn
BEFORE = [(name, optimizer, 0) for name, optimizer in zip(NETS, itertools.cycle(OPTIMIZERS))]
AMID = [(name, optimizer, 3) for name, optimizer in zip(NETS, itertools.cycle([*OPTIMIZERS][::-1]))]
EACH = [
    ("norm", optimizer, before) for optimizer, before in zip(OPTIMIZERS, itertools.cycle((0, 3)))
]
CASES = [(case, place) for case in dict.fromkeys(BEFORE + EACH) for place in PLACES]
CASES += [(case, place) for n, case in enumerate(AMID) for place in PLACES[n % 2 :: 2]]


@pytest.mark.parametrize(("case", "place"), CASES)
def test_a_search_leaves_no_trace(case, place):
    (name, optimizer, before), (ctx, update_on_kvstore) = case, place
    if MXNET_2 and name in ("embedding", "rows"):
        pytest.skip("MXNet 2.0 removed sparse gradients from Gluon")
    if name == "rows" and update_on_kvstore is False:
        pytest.skip("MXNet refuses to update weights stored by rows elsewhere than on the KVStore")
    seed = 3 if name == "dropout" else None
    settings = {
        "name": name,
        "optimizer": optimizer,
        "ctx": ctx,
        "update_on_kvstore": update_on_kvstore,
    }
    learner = make(**settings)
    train(learner, before)
    own = learner.trainer.optimizer, learner.trainer.optimizer.lr_scheduler
    find(learner, seed=seed)
    assert learner.trainer.optimizer is own[0]
    assert learner.trainer.optimizer.lr_scheduler is own[1]
    assert_the_same(after_training(learner), without(before, seed, **settings))


class Failing:
    """Fails at its n-th use, once."""

    def __init__(self, at, error):
        self.left, self.error = at, error

    def use(self):
        self.left -= 1
        if self.left == 0:
            raise self.error("on purpose")


class FailingLoss(mx.gluon.loss.SoftmaxCrossEntropyLoss):
    failing = None

    def forward(self, output, label):
        if self.failing:
            self.failing.use()
        return super().forward(output, label)


class FailingLoader:
    """Shuffled batches, by a generator of its own."""

    def __init__(self):
        self.failing, self.random = None, np.random.RandomState(2)
        self.data, self.label = make_data("norm")

    def __iter__(self):
        for indices in self.random.permutation(40).reshape(5, 8):
            if self.failing:
                self.failing.use()
            yield nd.array(self.data[indices]), nd.array(self.label[indices])


AT = [1, 7, 12]


@pytest.mark.parametrize("ctx", [ONE, TWO])
@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_an_exception_from_the_loss(at, error, ctx):
    learner = make(ctx=ctx)
    learner.loss = FailingLoss()
    train(learner, 3)
    learner.loss.failing = Failing(at, error)
    with pytest.raises(error, match="on purpose"):
        find(learner)
    learner.loss.failing = None
    assert_the_same(after_training(learner), without(3, ctx=ctx))


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("before", [0, 3])
def test_an_exception_from_the_loader(at, before):
    loader = FailingLoader()
    learner = make(loader=loader)
    train(learner, before)
    loader.failing = Failing(at, OSError)
    with pytest.raises(OSError, match="on purpose"):
        find(learner)
    loader.failing = None
    assert_the_same(after_training(learner), undisturbed(make(loader=FailingLoader()), before))


class FailsInAWorker:
    """A dataset with an item that cannot be read, after others that can."""

    def __init__(self, at):
        self.at, (self.data, self.label) = at, make_data("norm")

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        if index == self.at:
            raise OSError(f"item {index} cannot be read")
        return self.data[index], self.label[index]


@pytest.mark.parametrize("at", [0, 20, 39])
def test_an_exception_from_a_worker_process(at):
    learner = make()
    train(learner, 3)
    # MXNet ends its workers then: one that still reads ahead may keep Python waiting for ever
    loader = mx.gluon.data.DataLoader(FailsInAWorker(at), BATCH_SIZE, num_workers=1, prefetch=0)
    broken = Learner(learner.net, loader, trainer=learner.trainer)
    with pytest.raises(OSError, match=f"item {at} cannot be read"):
        find(broken)
    assert_the_same(after_training(learner), without(3))


@pytest.mark.parametrize("at", range(1, 31))
def test_a_loss_that_is_not_a_number(at):
    learner = make()
    train(learner, 3)
    loss = learner.loss
    calls = iter(range(1, 99))
    learner.loss = lambda *args: loss(*args) * (np.nan if next(calls) == at else 1)
    result = find(learner, num_iter=30)
    assert len(result) == at
    assert result.reason.name == "NOT_FINITE"
    learner.loss = loss
    assert_the_same(after_training(learner), without(3))


def interrupted(action, place, start="find"):
    """Run `action` with one KeyboardInterrupt, and return how many lines it ran.

    It comes at the `place`-th line from the first call of a function named `start` on. Python
    ignores what is raised while an object is deleted; there it comes a little later.
    """
    started, lines, raised = False, 0, False

    def trace(frame, event, argument):
        nonlocal started, lines, raised
        started = started or frame.f_code.co_name == start
        lines += started and event == "line"
        if started and lines >= place and not raised and not deleting(frame):
            raised = True
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(None)
    return lines


def deleting(frame):
    while frame:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


@pytest.mark.parametrize(("ctx", "update_on_kvstore"), [(ONE, None), (TWO, False)])
def test_ctrl_c_anywhere(ctx, update_on_kvstore):
    settings = {"ctx": ctx, "update_on_kvstore": update_on_kvstore}
    expected = without(3, **settings)
    learner = make(**settings)
    train(learner, 3)
    lines = interrupted(lambda: find(learner, num_iter=4), math.inf)
    for place in np.random.RandomState(0).randint(1, 0.8 * lines, 10):
        learner = make(**settings)
        train(learner, 3)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda learner=learner: find(learner, num_iter=4), place)
        assert_the_same(after_training(learner), expected)


@pytest.mark.parametrize("ctx", [ONE, TWO])
def test_ctrl_c_while_it_puts_back(ctx):
    expected = without(3, ctx=ctx)
    for place in range(1, 300, 13):
        learner = make(ctx=ctx)
        train(learner, 3)
        with pytest.raises(KeyboardInterrupt):
            interrupted(lambda learner=learner: find(learner, num_iter=4), place, "_end")
        assert_the_same(after_training(learner), expected)
