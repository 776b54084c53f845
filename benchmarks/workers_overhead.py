"""What a fit costs beside bare training, in two workers: `python -m benchmarks.workers_overhead`.

The bare loop of each worker trains the same net on its own half of the same batches through the
same KVStore.
"""

import sys
from typing import Iterator

import numpy as np

from gluon_lr import Learner
from gluon_lr._mxnet import mx

from .finder_overhead import NETS, make_learner
from .loop import bare_loop
from .measure import Row, compared, heard, in_updates, main, ratios, say

UPDATES = 60
LAUNCH = (sys.executable, "-m", "gluon_lr", "launch", "-n", "2", "--")


def measure(name: str) -> None:
    """Time one net in this worker; the first says its row."""
    made = make_learner(name)
    optimizer = mx.optimizer.SGD(learning_rate=1e-3, momentum=0.9)
    trainer = mx.gluon.Trainer(
        made.net.collect_params(), optimizer, kvstore="dist_sync", update_on_kvstore=False
    )
    batches = list(made.data_loader)
    learner = Learner(made.net, batches, trainer=trainer, iterations_per_epoch=UPDATES)
    learner.progress = False
    learner.prepare()
    workers = learner.workers
    halves = [(data[workers.rank :: 2], label[workers.rank :: 2]) for data, label in batches]

    def bare() -> None:
        bare_loop(learner.net, learner.loss, trainer, halves, UPDATES, workers=2)

    def fit() -> None:
        learner.fit(1, 1e-3)
        mx.nd.waitall()

    def together() -> None:
        workers.sum(np.zeros(1))

    beside = in_updates("bare loop", bare, UPDATES)
    figures = ratios(fit, bare, before=together)
    if workers.is_first:
        say([compared(f"{name}: fit in two workers, per update", beside, figures)])


def rows() -> Iterator[Row]:
    """Start two workers for each net in turn, and yield its row."""
    for name in NETS:
        yield from heard([*LAUNCH, sys.executable, "-m", "benchmarks.workers_overhead", name])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        sys.exit(main("workers_overhead", rows()))
