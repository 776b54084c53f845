"""How well a fit keeps to its seconds: `python -m benchmarks.time_budget`."""

import statistics
import sys
import time
from typing import Any, Iterator, List, Tuple

from gluon_lr import Callback
from gluon_lr._mxnet import mx

from .fit_overhead import make_fitter
from .measure import Row, main

BUDGETS = [2, 4, 8, 16, 32]  # seconds
RUNS = 3
UNCOUNTED = 2  # batches, in which MXNet compiles
LR_MAX = 1e-3


class Watch(Callback):
    """Takes the time from the first batch that counts to the last one."""

    order = 99
    start = end = 0.0

    def after_batch(self, learner: Any) -> None:
        """Note the time."""
        self.end = time.perf_counter()
        if len(learner.recorder) == UNCOUNTED:
            self.start = self.end


class SlowDown(Callback):
    """From the middle of the fit on, makes each batch take twice as long."""

    order = -99

    def __init__(self) -> None:
        self._begun = 0.0

    def before_batch(self, learner: Any) -> None:
        """Note the time."""
        self._begun = time.perf_counter()

    def before_step(self, learner: Any) -> None:
        """Take as long again as the batch has until now."""
        if learner.pct_train > 0.5:
            mx.nd.waitall()
            until = 2 * time.perf_counter() - self._begun
            while time.perf_counter() < until:
                continue


def run(name: str, seconds: float, slows: bool) -> Tuple[float, float, int]:
    """Return a fit's share of its seconds, its last rate's of the highest, and its updates."""
    learner, watch = make_fitter(name), Watch()
    cbs = [watch, SlowDown()] if slows else [watch]
    learner.fit_one_cycle(seconds=seconds, lr_max=LR_MAX, cbs=cbs)
    mx.nd.waitall()
    used = max(time.perf_counter(), watch.end) - watch.start
    return used / seconds, learner.recorder.lrs[-1] / LR_MAX, len(learner.recorder)


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for slows in (False, True):
        for seconds in BUDGETS:
            runs: List[Tuple[float, float, int]] = [run("MLP", seconds, slows) for _ in range(RUNS)]
            used, last, updates = zip(*runs)
            how = ", half as fast from the middle on" if slows else ""
            beside = f"{seconds} s, {min(updates)} to {max(updates)} updates"
            what = f"MLP: time of a fit{how}"
            yield Row(what, beside, statistics.median(used), 1.01, min(used), max(used))
            yield Row(
                f"MLP: its last rate{how}", "the highest", max(last), 1e-3, min(last), max(last)
            )


if __name__ == "__main__":
    sys.exit(main("time_budget", rows()))
