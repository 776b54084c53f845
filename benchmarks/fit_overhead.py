"""What a fit costs beside bare training: `python -m benchmarks.fit_overhead`.

The bare loop trains the same net on the same batches at the same rates and momentum, and never
reads its loss. Both run in turn, many times over; a figure is the median of the ratios. Frozen
layers and checkpoints stand beside.
"""

import contextlib
import io
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np

from benchmarks.finder_overhead import TASKS, make_learner, seconds
from gluon_lr import Learner, one_cycle
from gluon_lr._mxnet import mx

EPOCHS = 2
UPDATES = 60  # an epoch
ROUNDS = 15
GOALS = {"MLP": 1.15, "CNN": 1.05}

Row = Tuple[str, float, Any]


def make_fitter(name: str) -> Learner:
    """Make a learner over the batches of `finder_overhead`, with epochs of `UPDATES`."""
    made = make_learner(*TASKS[name])
    learner = Learner(
        made.net, made.data_loader, trainer=made.trainer, iterations_per_epoch=UPDATES
    )
    learner.progress = False
    return learner


def bare_loop(learner: Learner) -> None:
    """Train by the 1-cycle policy as one would by hand, without reading the loss."""
    net, trainer, loss_function = learner.net, learner.trainer, learner.loss
    batches = list(learner.data_loader)
    positions = np.arange(EPOCHS * UPDATES) / (EPOCHS * UPDATES)
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
    learner = make_fitter(name)
    update = seconds(lambda: bare_loop(learner)) / (EPOCHS * UPDATES)

    def fit() -> None:
        learner.fit_one_cycle(EPOCHS, 1e-3)

    silent = ratio(fit, lambda: bare_loop(learner))
    learner.progress = True
    with contextlib.redirect_stderr(io.StringIO()):
        shown = ratio(fit, lambda: bare_loop(learner))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        save = statistics.median(seconds(lambda: learner.save(path)) for _ in range(ROUNDS))
    return [
        (f"{name} ({1e3 * update:.1f} ms an update): fit, per update", silent, GOALS[name]),
        (f"{name}: the same with a progress bar", shown, None),
        (f"{name}: to write a checkpoint, in updates", save / update, None),
    ]


def measure_frozen() -> List[Row]:
    """Time a CNN of which all but the head is frozen, beside the whole of it."""
    whole, frozen = make_fitter("CNN"), make_fitter("CNN")
    body = list(frozen.net)[:-1]
    frozen = Learner(
        frozen.net,
        frozen.data_loader,
        trainer=frozen.trainer,
        groups=[body, frozen.net[-1]],
        iterations_per_epoch=UPDATES,
    )
    frozen.progress = False
    frozen.freeze()
    batches = list(whole.data_loader)

    def fit_whole() -> None:
        whole.fit(EPOCHS, 1e-3)

    def fit_frozen() -> None:
        frozen.fit(EPOCHS, 1e-3)

    def head_by_hand() -> None:
        for i in range(EPOCHS * UPDATES):
            features, label = batches[i % len(batches)]
            with mx.autograd.train_mode():
                for block in body:
                    features = block(features)
            with mx.autograd.record():
                loss = frozen.loss(frozen.net[-1](features), label)
            loss.backward()
            frozen.trainer.step(len(label))
        mx.nd.waitall()

    by_hand = ratio(head_by_hand, fit_whole)
    return [
        ("CNN with all but the head frozen, beside the whole", ratio(fit_frozen, fit_whole), None),
        ("CNN, the head alone trained on outputs of the rest, by hand", by_hand, None),
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
