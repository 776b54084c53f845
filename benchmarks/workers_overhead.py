"""What fits and searches cost beside bare training, in two workers.

`python -m benchmarks.workers_overhead`. The bare loop of each worker trains the same net on its
own part of the same batches through the same KVStore.
"""

import sys
from typing import Any, Iterator, List

import numpy as np

from gluon_lr import Learner, LRFinder
from gluon_lr._mxnet import mx

from .baseline import ITERATIONS, LR_END, LR_START, RATES
from .finder_overhead import NETS, make_learner
from .loop import bare_loop
from .measure import Row, compared, heard, in_updates, main, ratios, say

UPDATES = 60
GOALS = {"MLP": 1.20, "CNN": 1.10}


class Trained:
    """A net that this worker trains with others: by a bare loop, by a fit and by a search."""

    def __init__(self, name: str) -> None:
        made = make_learner(name)
        optimizer = mx.optimizer.SGD(learning_rate=1e-3, momentum=0.9)
        trainer = mx.gluon.Trainer(
            made.net.collect_params(), optimizer, kvstore="dist_sync", update_on_kvstore=False
        )
        batches = list(made.data_loader)
        self.learner = Learner(made.net, batches, trainer=trainer, iterations_per_epoch=UPDATES)
        self.learner.progress = False
        self.learner.prepare()
        self.workers = self.learner.workers
        of_this = slice(self.workers.rank, None, self.workers.count)
        self._parts = [(data[of_this], label[of_this]) for data, label in batches]
        self._finder = LRFinder(self.learner)

    def bare(self, updates: int = UPDATES, moves: Any = ()) -> None:
        """Train by a loop."""
        net, loss, trainer = self.learner.net, self.learner.loss, self.learner.trainer
        count = self.workers.count
        bare_loop(net, loss, trainer, self._parts, updates, moves, workers=count)

    def bare_at_rates(self) -> None:
        """Train by a loop at the rates of the search."""
        self.bare(ITERATIONS, [(lr, 0.9) for lr in RATES])

    def fit(self) -> None:
        """Train by a fit."""
        self.learner.fit(1, 1e-3)
        mx.nd.waitall()

    def find(self) -> None:
        """Search."""
        self._finder.find(lr_start=LR_START, lr_end=LR_END, num_iter=ITERATIONS, progress=False)
        mx.nd.waitall()

    def meet(self) -> None:
        """Wait for the other workers."""
        self.workers.sum(np.zeros(1))


def measure(name: str) -> None:
    """Time one net in this worker; the first says its rows."""
    trained = Trained(name)
    beside = in_updates("bare loop", trained.bare, UPDATES)
    pairs = [("fit", trained.fit, trained.bare), ("find", trained.find, trained.bare_at_rates)]
    for what, ours, bare in pairs:
        figures = ratios(ours, bare, before=trained.meet)
        if trained.workers.is_first:
            title = f"{name}: {what} in two workers, per update"
            say([compared(title, beside, figures, GOALS[name])])


def launched(workers: int, module: str, name: str) -> List[str]:
    """Return a command that measures one net in so many workers by a module of this package."""
    launch = [sys.executable, "-m", "gluon_lr", "launch", "-n", str(workers), "--"]
    return [*launch, sys.executable, "-m", f"benchmarks.{module}", name]


def rows() -> Iterator[Row]:
    """Start two workers for each net in turn, and yield its rows."""
    for name in NETS:
        yield from heard(launched(2, "workers_overhead", name))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        sys.exit(main("workers_overhead", rows()))
