"""What a rate costs, beside MXNet's schedules and NumPy: `python -m benchmarks.schedule_call`."""

import functools
import sys
from typing import Callable, Iterator

import numpy as np

import gluon_lr
from gluon_lr import (
    CosineAnnealingSchedule,
    CyclicalSchedule,
    LinearCoolDown,
    LinearWarmUp,
    OneCycleSchedule,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx

from . import baseline
from .baseline import LAST, Rate, in_order
from .measure import Action, Row, compared, main, ratios

MILLION = np.arange(1, 1_000_001)
REPEATS = 10
IN_ORDER = f"n = 1 to {LAST}"

DROP_INS = {
    "FactorScheduler": lambda module: module.FactorScheduler(100, 0.9, base_lr=1.0),
    "MultiFactorScheduler": lambda module: module.MultiFactorScheduler(
        [250, 500, 750], 0.1, base_lr=1.0
    ),
    "PolyScheduler": lambda module: module.PolyScheduler(LAST, base_lr=1.0),
    "CosineScheduler": lambda module: module.CosineScheduler(LAST, base_lr=1.0),
}
LIKE_PEERS = {
    "CosineScheduler": (lambda: DROP_INS["CosineScheduler"](gluon_lr), baseline.cosine),
    "OneCycleSchedule": (lambda: OneCycleSchedule(0.1, 1, 900, 100, 0), baseline.one_cycle),
    "FactorScheduler": (lambda: DROP_INS["FactorScheduler"](gluon_lr), baseline.steps),
    "LinearWarmUp, cosine": (
        lambda: LinearWarmUp(CosineAnnealingSchedule(0, 1, LAST - 50), 0, length=50),
        baseline.warm_up_and_cosine,
    ),
}
LONG = {
    "FactorScheduler": (
        lambda module: module.FactorScheduler(1000, 0.9, base_lr=1.0),
        lambda n: np.maximum(0.9 ** ((n - 1) // 1000), 1e-8),
    ),
    "MultiFactorScheduler": (
        lambda module: module.MultiFactorScheduler([250_000, 500_000], 0.1, base_lr=1.0),
        lambda n: 0.1 ** np.searchsorted([250_000, 500_000], n),
    ),
    "PolyScheduler": (
        lambda module: module.PolyScheduler(1_000_000, base_lr=1.0),
        lambda n: (1 - np.minimum(n, 1_000_000) / 1_000_000) ** 2,
    ),
    "CosineScheduler": (
        lambda module: module.CosineScheduler(1_000_000, base_lr=1.0),
        lambda n: (1 + np.cos(np.pi * np.minimum(n, 1_000_000) / 1_000_000)) / 2,
    ),
}


def at(schedule: Rate, n: int) -> Action:
    """Ask a schedule 20,000 times for iteration `n`."""

    def run() -> None:
        for _ in range(20_000):
            schedule(n)

    return run


def loop(make: Callable[[], Rate]) -> Action:
    """Ask a new schedule for a million iterations, ten times."""
    counts = MILLION.tolist()

    def run() -> None:
        for schedule in [make() for _ in range(REPEATS)]:
            [schedule(n) for n in counts]

    return run


def at_once(rates: Callable[[np.ndarray], np.ndarray]) -> Action:
    """Ask for a million iterations at once, ten times."""

    def run() -> None:
        for _ in range(REPEATS):
            rates(MILLION)

    return run


def drop_ins() -> Iterator[Row]:
    """Compare one call of each drop-in with MXNet's own."""
    for name, make in DROP_INS.items():
        ours, theirs = (functools.partial(make, module) for module in (gluon_lr, mx.lr_scheduler))
        training = ratios(in_order(ours), in_order(theirs))
        yield compared(f"{name}, {IN_ORDER}", "MXNet's", training, 1.0)
        again = ratios(at(ours(), 500), at(theirs(), 500))
        yield compared(f"{name}, n = 500", "MXNet's", again, 1.0)


def like_peers() -> Iterator[Row]:
    """Compare one call with a pure function of the same shape, as `peers` does with torch's."""
    for name, (make, bare) in LIKE_PEERS.items():
        training = ratios(in_order(make), in_order(lambda bare=bare: bare))
        yield compared(f"{name}, {IN_ORDER}", "bare Python function", training)


def nested() -> Iterator[Row]:
    """Compare warm-up over SGDR over cool-down with MXNet's CosineScheduler."""
    sgdr = CyclicalSchedule(CosineAnnealingSchedule, 100, 2, 0.5, min_lr=0.01, max_lr=1)
    schedule = LinearWarmUp(LinearCoolDown(sgdr, 0, start_idx=5000, length=500), 0, length=50)
    cosine = mx.lr_scheduler.CosineScheduler(LAST, base_lr=1.0)
    for n in (20, 500, 5300):
        figures = ratios(at(schedule, n), at(cosine, 500))
        yield compared(f"warm-up, SGDR, cool-down, n = {n}", "MXNet's cosine", figures, 2.0)


def cycles() -> Iterator[Row]:
    """Compare a cyclical schedule far out with itself at its start."""
    for decay in (0.5, 0.9, 1, 1.01, 1.1, 2):
        for cls in (CosineAnnealingSchedule, TriangularSchedule):
            schedule = CyclicalSchedule(cls, 100, decay, 0.9, min_lr=0.01, max_lr=1)
            far = ratios(at(schedule, 1_000_000), at(schedule, 10))
            what = f"cycles of {cls.__name__}, lengths x {decay}, n = 1,000,000"
            yield compared(what, "n = 10", far, 1.3)


def values() -> Iterator[Row]:
    """Compare `values` over a million iterations with a loop over MXNet's, and bare NumPy."""
    for name, (make, bare) in LONG.items():
        ours = at_once(make(gluon_lr).values)
        theirs = loop(functools.partial(make, mx.lr_scheduler))
        what = f"{name}.values, a million"
        yield compared(what, "loop over MXNet's", ratios(ours, theirs, rounds=3), 1 / 50)
        yield compared(what, "bare NumPy", ratios(ours, at_once(bare)), 3.0)


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for part in (drop_ins, like_peers, nested, cycles, values):
        yield from part()


if __name__ == "__main__":
    sys.exit(main("schedule_call", rows()))
