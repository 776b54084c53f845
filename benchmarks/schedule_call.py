"""What a rate costs, beside MXNet's schedules and NumPy: `python -m benchmarks.schedule_call`.

Two things are timed in turn, many times over; a figure is the median of the ratios.
"""

import functools
import platform
import statistics
import sys
import time
from typing import Any, Callable, List, Tuple

import numpy as np

import gluon_lr
from gluon_lr import (
    CosineAnnealingSchedule,
    CyclicalSchedule,
    LinearCoolDown,
    LinearWarmUp,
    TriangularSchedule,
)
from gluon_lr._mxnet import mx

LAST = 1000
MILLION = np.arange(1, 1_000_001)
ROUNDS = 15
REPEATS = 10

Row = Tuple[str, str, float, float]
Thunk = Callable[[], Any]

DROP_INS = {
    "FactorScheduler": lambda module: module.FactorScheduler(100, 0.9, base_lr=1.0),
    "MultiFactorScheduler": lambda module: module.MultiFactorScheduler(
        [250, 500, 750], 0.1, base_lr=1.0
    ),
    "PolyScheduler": lambda module: module.PolyScheduler(LAST, base_lr=1.0),
    "CosineScheduler": lambda module: module.CosineScheduler(LAST, base_lr=1.0),
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


def seconds(prepare: Callable[[], Thunk]) -> float:
    """Time one run of what `prepare` returns, and not the preparation."""
    work = prepare()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(
    prepare: Callable[[], Thunk], prepare_other: Callable[[], Thunk], rounds: int = ROUNDS
) -> float:
    """Return the median ratio of two times, taken in turn."""
    seconds(prepare), seconds(prepare_other)
    return statistics.median(seconds(prepare) / seconds(prepare_other) for _ in range(rounds))


def in_order(make: Callable[[], Callable[[int], float]]) -> Callable[[], Thunk]:
    """Ask new schedules for each iteration of a training once."""
    counts = list(range(1, LAST + 1))

    def prepare() -> Thunk:
        schedules = [make() for _ in range(20)]

        def run() -> None:
            for schedule in schedules:
                for n in counts:
                    schedule(n)

        return run

    return prepare


def at(schedule: Callable[[int], float], n: int) -> Callable[[], Thunk]:
    """Ask a schedule 20,000 times for iteration `n`."""

    def run() -> None:
        for _ in range(20_000):
            schedule(n)

    return lambda: run


def loop(make: Callable[[], Callable[[int], float]]) -> Callable[[], Thunk]:
    """Ask a new schedule for a million iterations, ten times."""
    counts = MILLION.tolist()

    def run() -> None:
        for schedule in [make() for _ in range(REPEATS)]:
            [schedule(n) for n in counts]

    return lambda: run


def at_once(rates: Callable[[np.ndarray], np.ndarray]) -> Callable[[], Thunk]:
    """Ask for a million iterations at once, ten times."""

    def run() -> None:
        for _ in range(REPEATS):
            rates(MILLION)

    return lambda: run


def drop_ins() -> List[Row]:
    """Compare one call of each drop-in with MXNet's own."""
    rows = []
    for name, make in DROP_INS.items():
        ours, theirs = (functools.partial(make, module) for module in (gluon_lr, mx.lr_scheduler))
        training = ratio(in_order(ours), in_order(theirs))
        rows.append((f"{name}, n = 1 to {LAST}", "MXNet's", training, 1.0))
        rows.append((f"{name}, n = 500", "MXNet's", ratio(at(ours(), 500), at(theirs(), 500)), 1.0))
    return rows


def nested() -> List[Row]:
    """Compare warm-up over SGDR over cool-down with MXNet's CosineScheduler."""
    sgdr = CyclicalSchedule(CosineAnnealingSchedule, 100, 2, 0.5, min_lr=0.01, max_lr=1)
    schedule = LinearWarmUp(LinearCoolDown(sgdr, 0, start_idx=5000, length=500), 0, length=50)
    cosine = mx.lr_scheduler.CosineScheduler(LAST, base_lr=1.0)
    rows = []
    for n in (20, 500, 5300):
        figure = ratio(at(schedule, n), at(cosine, 500))
        rows.append((f"warm-up, SGDR, cool-down, n = {n}", "MXNet's cosine", figure, 2.0))
    return rows


def cycles() -> List[Row]:
    """Compare a cyclical schedule far out with itself at its start."""
    rows = []
    for decay in (0.5, 0.9, 1, 1.01, 1.1, 2):
        for cls in (CosineAnnealingSchedule, TriangularSchedule):
            schedule = CyclicalSchedule(cls, 100, decay, 0.9, min_lr=0.01, max_lr=1)
            far = ratio(at(schedule, 1_000_000), at(schedule, 10))
            what = f"cycles of {cls.__name__}, lengths x {decay}, n = 1,000,000"
            rows.append((what, "n = 10", far, 1.3))
    return rows


def values() -> List[Row]:
    """Compare `values` over a million iterations with a loop over MXNet's, and bare NumPy."""
    rows = []
    for name, (make, bare) in LONG.items():
        ours = at_once(make(gluon_lr).values)
        theirs = loop(functools.partial(make, mx.lr_scheduler))
        what = f"{name}.values, a million"
        rows.append((what, "loop over MXNet's", ratio(ours, theirs, rounds=3), 1 / 50))
        rows.append((what, "bare NumPy", ratio(ours, at_once(bare)), 3.0))
    return rows


def main() -> int:
    """Print the table, and return 1 if a figure misses its goal."""
    print(f"Python {platform.python_version()}, MXNet {mx.__version__}, NumPy {np.__version__}\n")
    print(f"| {'what':66} | {'beside':17} | {'ratio':>7} | {'goal':>7} |")
    print(f"|{'-' * 68}|{'-' * 19}|{'-' * 8}:|{'-' * 8}:|")
    missed = 0
    for part in (drop_ins, nested, cycles, values):
        for what, beside, figure, goal in part():
            missed += figure > goal
            print(f"| {what:66} | {beside:17} | {figure:7.3f} | {goal:7.3g} |", flush=True)
    print(f"\n{missed} above the goal" if missed else "\nall within the goal")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
