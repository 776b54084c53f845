"""What a search costs beside bare training: `python -m benchmarks.finder_overhead`.

The bare loop trains the same net on the same batches at the same rates, and never reads its
loss. Both run in turn, many times over; a figure is the median of the ratios.
"""

import statistics
import sys
import time
from typing import Any, Callable, List, Tuple

import numpy as np

from gluon_lr import Learner, LRFinder, preserved
from gluon_lr._mxnet import mx

ITERATIONS = 100
ROUNDS = 15
nn = mx.gluon.nn

Row = Tuple[str, float, float]


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


TASKS = {"MLP": (mlp, (64, 256)), "CNN": (cnn, (32, 1, 16, 16))}


def make_learner(make_net: Callable[[], mx.gluon.Block], shape: Tuple[int, ...]) -> Learner:
    """Make a learner over four batches that lie in memory, its net trained for a moment."""
    random = np.random.RandomState(0)
    batches = [
        (mx.nd.array(random.rand(*shape)), mx.nd.array(random.randint(0, 10, shape[0])))
        for _ in range(4)
    ]
    net = make_net()
    net.initialize(mx.init.Xavier())
    net.hybridize()
    learner = Learner(net, batches, optimizer="sgd", optimizer_params={"momentum": 0.9})
    for _ in range(10):
        learner.iteration(lr=1e-6)
    return learner


def bare_loop(learner: Learner, rates: np.ndarray) -> None:
    """Train as one would by hand, without reading the loss."""
    net, trainer, loss_function, batches = (
        learner.net,
        learner.trainer,
        learner.loss,
        list(learner.data_loader),
    )
    for i, lr in enumerate(rates):
        data, label = batches[i % len(batches)]
        with mx.autograd.record():
            loss = loss_function(net(data), label)
        loss.backward()
        trainer.set_learning_rate(lr)
        trainer.step(len(data))
    mx.nd.waitall()


def seconds(action: Callable[[], Any]) -> float:
    """Time an action until MXNet's engine is idle."""
    mx.nd.waitall()
    start = time.perf_counter()
    action()
    mx.nd.waitall()
    return time.perf_counter() - start


def measure(name: str, learner: Learner) -> List[Row]:
    """Time the search and the snapshot beside the bare loop."""
    rates = np.geomspace(1e-7, 1e-3, ITERATIONS)
    finder = LRFinder(learner)

    def search() -> None:
        finder.find(lr_start=1e-7, lr_end=1e-3, num_iter=ITERATIONS, progress=False)

    def snapshot() -> None:
        with preserved(learner.net, learner.trainer):
            pass

    updates, searches, snapshots = [], [], []
    for _ in range(ROUNDS):
        update = seconds(lambda: bare_loop(learner, rates)) / ITERATIONS
        updates.append(update)
        searches.append(seconds(search) / ITERATIONS / update)
        snapshots.append(seconds(snapshot) / update)
    goal = {"MLP": 1.15, "CNN": 1.05}[name]
    milliseconds = 1e3 * statistics.median(updates)
    return [
        (
            f"{name} ({milliseconds:.1f} ms an update): find, per update",
            statistics.median(searches),
            goal,
        ),
        (f"{name}: snapshot and restore, in updates", statistics.median(snapshots), 3.0),
    ]


def main() -> int:
    """Print the table; return 1 where a figure is above its goal."""
    rows = [row for name, task in TASKS.items() for row in measure(name, make_learner(*task))]
    print("| what | beside a bare loop | goal |\n|---|---:|---:|")
    for what, ratio, goal in rows:
        print(f"| {what} | {ratio:.3f} | {goal:g} |")
    return int(any(ratio > goal for _, ratio, goal in rows))


if __name__ == "__main__":
    sys.exit(main())
