"""What a search costs beside bare training: `python -m benchmarks.finder_overhead`.

The bare loop trains the same net on the same batches at the same rates, and never reads its
loss.
"""

import sys
from itertools import cycle
from typing import Iterator

import numpy as np

from gluon_lr import Learner, LRFinder, preserved
from gluon_lr._mxnet import mx

from .baseline import BATCHES, ITERATIONS, LR_END, LR_START, RATES
from .loop import bare_loop
from .measure import Row, compared, in_updates, main, ratios

GOALS = {"MLP": 1.15, "CNN": 1.05}  # of training beside a bare loop
LENGTH, BUDGET = 250, 1000  # updates of the training that is tuned, and of the tune
nn = mx.gluon.nn


def mlp() -> mx.gluon.Block:
    """Make a net of which one update takes about 1.5 ms."""
    net = nn.HybridSequential()
    net.add(nn.Dense(256, activation="relu"), nn.Dense(256, activation="relu"), nn.Dense(10))
    return net


def cnn() -> mx.gluon.Block:
    """Make a small convolutional net with BatchNorm."""
    net = nn.HybridSequential()
    for channels in (16, 32):
        net.add(nn.Conv2D(channels, 3, padding=1), nn.BatchNorm(), nn.Activation("relu"))
    net.add(nn.MaxPool2D(), nn.Dense(10))
    return net


NETS = {"MLP": mlp, "CNN": cnn}


def make_learner(name: str) -> Learner:
    """Make a learner over four batches that lie in memory, its net trained for a moment."""
    random = np.random.RandomState(0)
    shape = BATCHES[name]
    batches = [
        (mx.nd.array(random.rand(*shape)), mx.nd.array(random.randint(0, 10, shape[0])))
        for _ in range(4)
    ]
    net = NETS[name]()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    learner = Learner(net, batches, optimizer="sgd", optimizer_params={"momentum": 0.9})
    for _ in range(10):
        learner.iteration(lr=1e-6)
    return learner


def measure(name: str) -> Iterator[Row]:
    """Time the search and the snapshot beside the bare loop."""
    learner = make_learner(name)
    finder = LRFinder(learner)

    batches = list(learner.data_loader)
    moves = [(lr, 0.9) for lr in RATES]

    def bare() -> None:
        bare_loop(learner.net, learner.loss, learner.trainer, batches, ITERATIONS, moves)

    def search() -> None:
        finder.find(lr_start=LR_START, lr_end=LR_END, num_iter=ITERATIONS, progress=False)
        mx.nd.waitall()

    def snapshot() -> None:
        with preserved(learner.net, learner.trainer):
            pass
        mx.nd.waitall()

    def tune() -> None:
        finder.tune(LENGTH, BUDGET, validation=batches[:1], progress=False)
        mx.nd.waitall()

    def bare_trials() -> None:
        for one in tried.trials:
            steps = cycle(moves)
            bare_loop(learner.net, learner.loss, learner.trainer, batches, one.length, steps)

    beside = in_updates("bare loop", bare, ITERATIONS)
    yield compared(f"{name}: find, per update", beside, ratios(search, bare), GOALS[name])
    tried = finder.tune(LENGTH, BUDGET, validation=batches[:1], progress=False)
    trials = ratios(tune, bare_trials, 5)
    yield compared(f"{name}: tune, per update of its trials", "bare loop", trials, GOALS[name])
    snapshots = [ITERATIONS * ratio for ratio in ratios(snapshot, bare)]
    yield compared(f"{name}: snapshot and restore", "bare update", snapshots, 3.0)


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for name in NETS:
        yield from measure(name)


if __name__ == "__main__":
    sys.exit(main("finder_overhead", rows()))
