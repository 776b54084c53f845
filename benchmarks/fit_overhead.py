"""What a fit costs beside bare training: `python -m benchmarks.fit_overhead`.

The bare loop trains the same net on the same batches at the same rates and momentum, and never
reads its loss. Both run in turn, many times over; a figure is the median of the ratios. Frozen
layers and checkpoints stand beside.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np

from benchmarks.finder_overhead import TASKS, make_learner, seconds
from gluon_lr import Learner, one_cycle
from gluon_lr._mxnet import mx

EPOCHS = 30
ROUNDS = 15
GOALS = {"MLP": 1.15, "CNN": 1.05}

Row = Tuple[str, float, Any]


def bare_loop(learner: Learner, epochs: int) -> None:
    """Train by the 1-cycle policy as one would by hand, without reading the loss."""
    net, trainer, loss_function = learner.net, learner.trainer, learner.loss
    batches = list(learner.data_loader)
    positions = np.arange(epochs * len(batches)) / (epochs * len(batches))
    curves = one_cycle(1e-3)
    rates, momentum = curves["lr"](positions).tolist(), curves["mom"](positions).tolist()
    for i, (lr, mom) in enumerate(zip(rates, momentum)):
        data, label = batches[i % len(batches)]
        with mx.autograd.record():
            loss = loss_function(net(data), label)
        loss.backward()
        trainer.set_learning_rate(lr)
        trainer.optimizer.momentum = mom
        trainer.step(len(data))
    mx.nd.waitall()


def ratio(action: Callable[[], Any], beside: Callable[[], Any]) -> float:
    """Time both in turn and return the median of the ratios."""
    return statistics.median(seconds(action) / seconds(beside) for _ in range(ROUNDS))


def measure(name: str) -> List[Row]:
    """Time fits of one net beside the bare loop."""
    learner = make_learner(*TASKS[name])
    learner.progress = False
    update = seconds(lambda: bare_loop(learner, EPOCHS)) / (EPOCHS * 4)
    fit = ratio(lambda: learner.fit_one_cycle(EPOCHS, 1e-3), lambda: bare_loop(learner, EPOCHS))
    learner.progress = True
    shown = ratio(lambda: learner.fit_one_cycle(EPOCHS, 1e-3), lambda: bare_loop(learner, EPOCHS))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        save = statistics.median(seconds(lambda: learner.save(path)) for _ in range(ROUNDS))
    return [
        (f"{name} ({1e3 * update:.1f} ms an update): fit_one_cycle, per update", fit, GOALS[name]),
        (f"{name}: the same with a progress bar", shown, GOALS[name]),
        (f"{name}: a checkpoint, in updates", save / update, None),
    ]


def measure_frozen() -> List[Row]:
    """Time a CNN of which all but the head is frozen, beside the whole of it."""
    make_net, shape = TASKS["CNN"]
    whole, frozen, forward = (make_learner(make_net, shape) for _ in range(3))
    for learner in (whole, frozen):
        learner.progress = False
    body = [
        parameter
        for block in list(frozen.net)[:-1]
        for parameter in block.collect_params().values()
    ]
    grouped = Learner(
        frozen.net, frozen.data_loader, trainer=frozen.trainer, groups=[body, frozen.net[-1]]
    )
    grouped.progress = False
    grouped.freeze()

    def forward_alone() -> None:
        for _ in range(EPOCHS):
            for data, _ in forward.data_loader:
                with mx.autograd.train_mode():
                    forward.net(data)
        mx.nd.waitall()

    share = ratio(lambda: grouped.fit(EPOCHS, 1e-3), lambda: whole.fit(EPOCHS, 1e-3))
    least = ratio(forward_alone, lambda: whole.fit(EPOCHS, 1e-3))
    return [
        ("CNN, all but the head frozen, beside the whole", share, None),
        ("CNN, the forward pass alone, beside the whole", least, None),
    ]


def main() -> int:
    """Print the table; return 1 where a figure is above its goal."""
    rows = [row for name in TASKS for row in measure(name)] + measure_frozen()
    print("| what | ratio | goal |\n|---|---:|---:|")
    for what, figure, goal in rows:
        print(f"| {what} | {figure:.3f} | {'' if goal is None else f'{goal:g}'} |")
    return int(any(goal is not None and figure > goal for _, figure, goal in rows))


if __name__ == "__main__":
    sys.exit(main())
