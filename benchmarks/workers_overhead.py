"""What a fit costs beside bare training, in two workers: `python -m benchmarks.workers_overhead`.

The bare loop of each worker trains the same net on its own half of the same batches through the
same KVStore. Both run in turn, many times over; a figure is the median of the ratios.
"""

import statistics
import sys

import numpy as np

from benchmarks.finder_overhead import TASKS, make_learner, seconds
from gluon_lr import Learner
from gluon_lr._mxnet import mx
from gluon_lr.launch import launch

UPDATES, ROUNDS = 60, 15


def measure(name: str) -> None:
    """Time one net in this worker; the first prints its row of the table."""
    made = make_learner(*TASKS[name])
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

    def bare_loop() -> None:
        for i in range(UPDATES):
            data, label = halves[i % len(halves)]
            with mx.autograd.record():
                loss = learner.loss(learner.net(data), label)
            loss.backward()
            trainer.step(2 * len(data))
        mx.nd.waitall()

    def fit() -> None:
        learner.fit(1, 1e-3)
        mx.nd.waitall()

    def together(action) -> float:
        workers.sum(np.zeros(1))
        return seconds(action)

    bare, ratios = [], []
    for _ in range(ROUNDS):
        bare.append(together(bare_loop))
        ratios.append(together(fit) / bare[-1])
    if workers.is_first:
        update = 1e3 * statistics.median(bare) / UPDATES
        print(f"| {name} ({update:.1f} ms an update) | {statistics.median(ratios):.3f} |")


def main() -> int:
    """Measure in this worker, or start two workers that do, for each net in turn."""
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return 0
    print("| fit beside a bare loop, two workers, per update | ratio |\n|---|---:|", flush=True)
    command = [sys.executable, "-m", "benchmarks.workers_overhead"]
    return max(launch([*command, name]) for name in TASKS)


if __name__ == "__main__":
    sys.exit(main())
