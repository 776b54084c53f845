"""What a rate for each parameter group brings a tuned net: `python -m benchmarks.group_rates`.

A net is trained on the digits 0 to 4, given a new head, and tuned to 5 to 9 on a few samples: at
one rate for all groups, at rates by group of a search and of a tune, and as fastai does.
"""

import statistics
import sys
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
from sklearn import datasets
from tqdm import tqdm

from gluon_lr import Learner, LRFinder, preserved
from gluon_lr._mxnet import mx

from .measure import Row

nn = mx.gluon.nn

SEEDS = range(5)
ORDERS = range(2)  # of the batches, in which each way is trained
TRAINED_ON, HELD_OUT = 150, 100  # samples of the digits 5 to 9; the others judge
BATCH_SIZE = 25
EPOCHS = 12
UPDATES = EPOCHS * TRAINED_ON // BATCH_SIZE
PARTS = {"sgd": {"momentum": 0.9}, "adam": {}}
RATES_BEFORE = {"sgd": 0.05, "adam": 0.005}  # on the digits 0 to 4
Judged = Tuple[float, float]  # loss and error
Way = Callable[[Learner], None]


class Task(NamedTuple):
    """A net to tune; `scale` is that of its pixels."""

    name: str
    body: Callable[[], List[mx.gluon.Block]]
    optimizer: str
    scale: float = 1 / 16


def dense() -> List[mx.gluon.Block]:
    """Make two dense layers."""
    return [nn.Dense(64, activation="relu") for _ in range(2)]


def convolutions() -> List[mx.gluon.Block]:
    """Make two convolutions, the second with its pooling."""
    second = nn.HybridSequential()
    second.add(nn.Conv2D(32, 3, padding=1, activation="relu"), nn.MaxPool2D(2), nn.Flatten())
    return [nn.Conv2D(16, 3, padding=1, activation="relu"), second]


TASKS = [
    Task("MLP, momentum", dense, "sgd"),
    Task("CNN, momentum", convolutions, "sgd"),
    Task("MLP, Adam", dense, "adam"),
    Task("CNN, Adam", convolutions, "adam"),
    Task("MLP, momentum, pixels to 16", dense, "sgd", scale=1),
]


class Tuned(NamedTuple):
    """A learner whose net has been trained on other digits, and what judges it."""

    learner: Learner
    test: mx.gluon.data.DataLoader

    def trained(self, way: Way) -> Judged:
        """Return loss and error after a training, in the mean of the orders; put all back."""
        found = []
        for order in ORDERS:
            with preserved(self.learner.net, self.learner.trainer), self.learner.place_kept():
                np.random.seed(order)
                mx.random.seed(order)
                way(self.learner)
                values = self.learner.validate(self.test, ["accuracy"])
                found.append((values["valid_loss"], 1 - values["accuracy"]))
        losses, errors = zip(*found)
        return statistics.geometric_mean(losses), statistics.mean(errors)


def stacked(layers: List[mx.gluon.Block]) -> mx.gluon.Block:
    """Make a net of layers, some of which may be trained."""
    net = nn.HybridSequential()
    net.add(*layers)
    net.hybridize()
    return net


def make(task: Task, groups: int, seed: int) -> Tuned:
    """Train a net on the first digits, and give it a head for the others."""
    np.random.seed(seed)
    mx.random.seed(seed)
    bunch = datasets.load_digits()
    images = (bunch.images[:, np.newaxis] * task.scale).astype("float32")
    labels = bunch.target.astype("float32")
    first, second = (
        np.random.permutation(np.flatnonzero(one)) for one in (labels < 5, labels >= 5)
    )

    def loader(samples: np.ndarray, batch_size: int, **more: bool) -> mx.gluon.data.DataLoader:
        dataset = mx.gluon.data.ArrayDataset(images[samples], labels[samples] % 5)
        return mx.gluon.data.DataLoader(dataset, batch_size, **more)

    body = task.body()
    before = stacked([*body, nn.Dense(5)])
    before.initialize(mx.init.Xavier())
    parts = {"optimizer": task.optimizer, "optimizer_params": PARTS[task.optimizer]}
    learner = Learner(before, loader(first, 50, shuffle=True), **parts)
    learner.progress = False
    learner.fit_one_cycle(8, RATES_BEFORE[task.optimizer] * (1 / 16 / task.scale))

    head = nn.Dense(5)
    head.initialize(mx.init.Xavier())
    net = stacked([*body, head])
    net(mx.nd.array(images[:1]))
    held = loader(second[TRAINED_ON:][:HELD_OUT], HELD_OUT)
    learner = Learner(
        net,
        loader(second[:TRAINED_ON], BATCH_SIZE, shuffle=True),
        groups=[body, head] if groups == 2 else [*body, head],
        valid_loader=held,
        **parts,
    )
    learner.progress = False
    return Tuned(learner, loader(second[TRAINED_ON + HELD_OUT :], 1000))


def ways(learner: Learner) -> Iterator[Tuple[str, Way]]:
    """Yield the ways to train, by name: the first is one rate for all."""
    finder = LRFinder(learner)

    def at(rate: object) -> Way:
        return lambda learner: learner.fit_one_cycle(EPOCHS, rate)

    tuned = finder.tune(UPDATES, by_group=True, progress=False, seed=0)
    found = finder.find(length=UPDATES, by_group=True, progress=False, seed=0)
    one = tuned.suggestion
    yield "one rate, of tune", at(one)
    yield "by_group of tune", at(tuned.by_group)
    more = finder.tune(UPDATES, tuned.budget, progress=False, seed=0)
    yield "one rate, of tune with the budget of by_group", at(more.suggestion)
    yield "one rate, of find", at(found.suggestion)
    yield "by_group of find", at(found.by_group)
    yield "slice(rate), of tune", at(slice(one))
    yield "slice(rate / 100, rate), of tune", at(slice(one / 100, one))
    yield "fine_tune, of tune", lambda learner: learner.fine_tune(EPOCHS - 1, one)


def outcomes(groups: int, tasks: List[Task] = TASKS) -> Iterator[Tuple[str, str, Judged]]:
    """Yield the name of a task, that of a way, and what the way came to, of each seed."""
    for task in tasks:
        for seed in tqdm(SEEDS, task.name, leave=False):
            tuned = make(task, groups, seed)
            for name, way in ways(tuned.learner):
                yield task.name, name, tuned.trained(way)


def means(found: List[Judged]) -> Judged:
    """Return the geometric mean of losses, and the mean of errors."""
    losses, errors = zip(*found)
    return statistics.geometric_mean(losses), statistics.mean(errors)


def lines(groups: int) -> Iterator[str]:
    """Yield the lines of a table: loss and error of each way on each task."""
    found: Dict[str, Dict[str, List[Judged]]] = {}
    for task, way, judged in outcomes(groups):
        found.setdefault(way, {}).setdefault(task, []).append(judged)
    yield f"| {groups} groups | {' | '.join(task.name for task in TASKS)} | beside the first |"
    yield f"|---|{'---:|' * (len(TASKS) + 1)}"
    first = next(iter(found.values()))
    for way, by_task in found.items():
        own = {task: means(judged) for task, judged in by_task.items()}
        ratio = statistics.geometric_mean(own[task][0] / means(first[task])[0] for task in own)
        cells = [f"{loss:.3f}, {error:.1%}" for loss, error in own.values()]
        yield f"| {way} | {' | '.join(cells)} | {ratio:.2f} |"


def rows() -> Iterator[Row]:
    """Yield the loss of each way beside that of one rate, in the geometric mean of the tasks."""
    for groups in (2, 3):
        found: Dict[str, List[float]] = {}
        for _, way, (loss, _) in outcomes(groups):
            found.setdefault(way, []).append(loss)
        first, *others = found
        beside = statistics.geometric_mean(found[first])
        for way in others:
            ratio = statistics.geometric_mean(found[way]) / beside
            yield Row(f"{groups} groups: {way}", first, ratio)


if __name__ == "__main__":
    for groups in (2, 3):
        print("\n".join(lines(groups)), flush=True)
    sys.exit(0)
