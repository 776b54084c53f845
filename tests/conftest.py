"""What the tests share: a small task, seeded, on the contexts and trainer asked for."""

import collections
import gc
import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before MXNet: the tests run side by side

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from gluon_lr import ContinuousBatchSampler, Learner
from gluon_lr._mxnet import mx, nd

matplotlib.use("Agg")
collect_ignore_glob = ["pages/fastai*.py"]  # statements that a test runs

ONE = mx.cpu(0)
TWO = [mx.cpu(0), mx.cpu(1)]
SAMPLES, BATCH_SIZE = 64, 16


def make_dataset(samples=SAMPLES):
    random = np.random.RandomState(7)
    data = random.randn(samples, 5).astype(np.float32)
    label = (data[:, 0] > 0).astype(np.float32) + (data[:, 1] > 0).astype(np.float32)
    return mx.gluon.data.ArrayDataset(data, label)


def make_net():
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.Dense(16, activation="relu"), mx.gluon.nn.BatchNorm())
    net.add(mx.gluon.nn.Dense(3))
    net.hybridize()
    return net


class Scale(mx.gluon.Block):
    """A product with its weight, which MXNet computes in float16 on the CPU too."""

    def __init__(self):
        super().__init__()
        one = mx.init.One()
        self.weight = mx.gluon.Parameter("weight", shape=(5,), dtype="float16", init=one)
        self.params.update({"weight": self.weight})

    def forward(self, x):
        return x.astype("float16") * self.weight.data(x.context)


def stated(optimizer, params):
    """Add a rate where MXNet 1.9 has .01 and 2.0 another one, which a scheduler would get too."""
    rate = None if "lr_scheduler" in params else 0.01
    return {"learning_rate": rate, **params} if optimizer in ("sgd", "nag") else params


def make_learner(ctx=ONE, optimizer="sgd", trainer=None, finite=False, **optimizer_params):
    """Build the same learner each time; `trainer` makes one from the initialised net."""
    mx.random.seed(3)
    np.random.seed(3)
    net = make_net()
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net(nd.ones((1, 5), ctx=ctx[0] if isinstance(ctx, list) else ctx))
    dataset = make_dataset()
    if finite:
        loader = mx.gluon.data.DataLoader(dataset, BATCH_SIZE)
    else:
        sampler = mx.gluon.data.SequentialSampler(len(dataset))
        batches = ContinuousBatchSampler(sampler, BATCH_SIZE)
        loader = mx.gluon.data.DataLoader(dataset, batch_sampler=batches)
    if trainer is not None:
        return Learner(net, loader, trainer=trainer(net))
    return Learner(
        net, loader, optimizer=optimizer, optimizer_params=stated(optimizer, optimizer_params)
    )


def weights(learner):
    """Return every array of the net, on every context, running statistics included."""
    return [
        array.asnumpy()
        for parameter in learner.net.collect_params().values()
        for array in parameter.list_data()
    ]


def assert_same_arrays(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right):
        np.testing.assert_array_equal(one, other)


def let_workers_finish(loader):
    """Wait for what workers still read ahead: Python may hang when a pool at work is deleted."""
    pool = getattr(loader, "_worker_pool", None)
    if pool is not None:
        pool.close()
        pool.join()


def pytest_configure():
    """Hear Ctrl-C, which a shell has its background jobs ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    help = "run only every N-th case of each test that has more than N"
    parser.addoption("--every", type=int, default=1, metavar="N", help=help)


@pytest.hookimpl(trylast=True)  # after -k and --deselect
def pytest_collection_modifyitems(config, items):
    """Keep the first case of each test and every N-th after it, and begin with the long ones."""
    items.sort(key=lambda item: "test_workers" not in item.nodeid)  # at the end one would run alone
    every = config.getoption("every")
    tests = [item.nodeid.split("[")[0] for item in items]
    cases, seen = collections.Counter(tests), collections.Counter()
    kept, left = [], []
    for test, item in zip(tests, items):
        is_kept = cases[test] <= every or seen[test] % every == 0
        (kept if is_kept else left).append(item)
        seen[test] += 1
    if left:
        items[:] = kept
        config.hook.pytest_deselected(items=left)


def pytest_collection_finish():
    """Keep what imports brought out of the collections that MXNet asks for at each DataLoader."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _without_the_objects_of_others():
    """Keep what other files have left, results above all, out of these collections too."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _with_random_numbers_of_its_own():
    """Draw from the start of a stream, whichever tests have drawn before."""
    mx.random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _with_names_of_its_own():
    """Number the layers of each test from 0: a Trainer sorts by names, dense10 before dense9."""
    with mx.name.NameManager():
        yield


@pytest.fixture(autouse=True)
def _without_the_figures_of_others():
    """Close figures, as matplotlib warns of more than 20 open ones."""
    yield
    plt.close("all")
