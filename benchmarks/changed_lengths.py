"""What it costs that a fit's end is moved on its way: `python -m benchmarks.changed_lengths`.

Each task is trained for the same number of updates: planned so from the start; planned to be
longer, and finished early; planned to be shorter, and extended. All from the same weights, on the
same batches, at the rate that a search suggests.
"""

import statistics
import sys
from typing import Any, Iterator, List, NamedTuple, Optional

from gluon_lr import Callback, Learner, LRFinder

from .measure import Row, main
from .tasks import REPORTED_ON, Problem, Task, make_problem

UPDATES = 400
PER_EPOCH = 20
SEEDS = range(3)
POLICIES = ["fit_one_cycle", "fit_flat_cos"]


class Change(NamedTuple):
    """A fit whose end is moved to `UPDATES` when `at` of them are made."""

    name: str
    planned: int
    at: int

    def callback(self) -> Callback:
        """Return what moves the end."""
        return Moves(self)


CHANGES = [
    *(Change("finished", 2 * UPDATES, at) for at in (UPDATES // 4, UPDATES // 2, UPDATES * 3 // 4)),
    *(
        Change("extended", UPDATES // 2, at)
        for at in (UPDATES // 8, UPDATES // 4, UPDATES * 3 // 8)
    ),
]


class Moves(Callback):
    """Moves the end of a fit."""

    def __init__(self, change: Change) -> None:
        self._change = change

    def after_batch(self, learner: Any) -> None:
        """Move it at its time."""
        if len(learner.recorder) != self._change.at:
            return
        if self._change.name == "finished":
            learner.finish(UPDATES - self._change.at)
        else:
            learner.extend((UPDATES - self._change.planned) // PER_EPOCH)


def suggested(task: Task) -> float:
    """Return the rate that a search of the task suggests."""
    return float(LRFinder(make_problem(task, 0).learner).find(progress=False).suggestion or 1e-2)


def validation_loss(
    task: Task, rate: float, seed: int, policy: str, change: Optional[Change] = None
) -> float:
    """Train, and return the loss on the validation samples."""
    problem = make_problem(task, seed)
    made = problem.learner
    learner = Learner(
        made.net,
        made.data_loader,
        loss=made.loss,
        trainer=made.trainer,
        iterations_per_epoch=PER_EPOCH,
    )
    learner.progress = False
    planned = UPDATES if change is None else change.planned
    cbs: List[Callback] = [] if change is None else [change.callback()]
    getattr(learner, policy)(planned // PER_EPOCH, rate, cbs=cbs)
    if len(learner.recorder) != UPDATES:
        raise RuntimeError(f"{len(learner.recorder)} updates in place of {UPDATES}")
    return Problem(learner, problem.validation).validation_loss()


def rows() -> Iterator[Row]:
    """Yield all rows: the loss beside the planned fit's, in the median of the tasks."""
    rates = [suggested(task) for task in REPORTED_ON]

    def losses(policy: str, change: Optional[Change] = None) -> List[float]:
        return [
            statistics.mean(validation_loss(task, rate, seed, policy, change) for seed in SEEDS)
            for task, rate in zip(REPORTED_ON, rates)
        ]

    for policy in POLICIES:
        planned = losses(policy)
        for change in CHANGES:
            ratios = [own / other for own, other in zip(losses(policy, change), planned)]
            what = f"{policy}: planned for {change.planned}, {change.name} at {change.at}"
            beside = f"planned for {UPDATES}, {len(ratios)} tasks"
            yield Row(what, beside, statistics.median(ratios), 1.02, min(ratios), max(ratios))


if __name__ == "__main__":
    sys.exit(main("changed_lengths", rows()))
