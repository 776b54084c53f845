"""What a rate costs, beside MXNet's schedules and NumPy: `python -m benchmarks.schedule_call`."""

import functools
import sys
from typing import Callable, Iterator

import numpy as np

import gluon_lr
from gluon_lr import (
    ConstantSchedule,
    ContinuedSchedule,
    CoolDown,
    CosineAnnealingSchedule,
    CosineScheduler,
    CyclicalSchedule,
    InverseTimeScheduler,
    KDecaySchedule,
    LinearCoolDown,
    LinearWarmUp,
    OneCycleSchedule,
    PiecewiseSchedule,
    PolyScheduler,
    PowerLawSchedule,
    REXSchedule,
    TriangularSchedule,
    WarmupStableDecaySchedule,
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


def _shared(n: np.ndarray) -> np.ndarray:
    return np.minimum(n, 1_000_000) / 1_000_000


FLAT, LINE = ConstantSchedule(1), PolyScheduler(1_000_000, base_lr=1.0, pwr=1)
NEW = {
    "CosineScheduler(exponent=2)": (
        lambda last: CosineScheduler(last, base_lr=1.0, exponent=2),
        lambda n: ((1 + np.cos(np.pi * _shared(n))) / 2) ** 2,
    ),
    "InverseTimeScheduler": (
        lambda last: InverseTimeScheduler(last / 10, base_lr=1.0),
        lambda n: 1 / (1 + n / 100_000),
    ),
    "PowerLawSchedule": (
        lambda last: PowerLawSchedule(1, 10, -0.51),
        lambda n: np.minimum(1, 10 * n**-0.51),
    ),
    "REXSchedule": (
        lambda last: REXSchedule(0, 1, last),
        lambda n: (1 - _shared(n)) / (1 - _shared(n) / 2),
    ),
    "PiecewiseSchedule, linear": (
        lambda last: PiecewiseSchedule([0, last / 10, last], [0, 1, 0], "linear"),
        lambda n: np.interp(n, [0, 100_000, 1_000_000], [0, 1, 0]),
    ),
    "WarmupStableDecaySchedule, 1-sqrt": (
        lambda last: WarmupStableDecaySchedule(1, last / 10, last / 2, last * 0.4, "1-sqrt"),
        lambda n: np.where(
            n < 100_000, n / 100_000, 1 - np.sqrt(np.clip((n - 600_000) / 400_000, 0, 1))
        ),
    ),
    "CoolDown, cosine": (
        lambda last: CoolDown(FLAT, 0, last / 2, last / 2, "cosine"),
        lambda n: (1 + np.cos(np.pi * np.clip(n / 500_000 - 1, 0, 1))) / 2,
    ),
}
OVER_OTHERS = {
    "KDecaySchedule": (
        lambda inner: KDecaySchedule(inner, 1_000_000, 1.5),
        lambda n: 1 - _shared(n) ** 1.5,
    ),
    "ShiftedSchedule": (lambda inner: inner.shifted(10), lambda n: 1 - _shared(n + 10)),
    "ContinuedSchedule": (
        lambda inner: ContinuedSchedule(inner, 100, 900_000, 1_000_000),
        lambda n: 1 - _shared(100 + (n - 100) * ((1e6 - 100) / (9e5 - 100))),
    ),
    "ProductSchedule": (lambda inner: inner * inner, lambda n: (1 - _shared(n)) ** 2),
    "SumSchedule": (lambda inner: inner + 0.1, lambda n: 1.1 - _shared(n)),
    "MaximumSchedule": (
        lambda inner: inner.maximum(0.1),
        lambda n: np.maximum(1 - _shared(n), 0.1),
    ),
    "MinimumSchedule": (
        lambda inner: inner.minimum(0.1),
        lambda n: np.minimum(1 - _shared(n), 0.1),
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


def of_ours() -> Iterator[Row]:
    """Compare the schedules that MXNet has not with its CosineScheduler, and with bare NumPy."""
    cosine = mx.lr_scheduler.CosineScheduler(LAST, base_lr=1.0)
    for name, (make, bare) in NEW.items():
        training = ratios(in_order(functools.partial(make, LAST)), in_order(lambda: cosine))
        yield compared(f"{name}, {IN_ORDER}", "MXNet's cosine", training, 1.3)
        beside = ratios(at_once(make(1_000_000).values), at_once(bare))
        yield compared(f"{name}.values, a million", "bare NumPy", beside, 3.0)
    for name, (over, bare) in OVER_OTHERS.items():
        training = ratios(in_order(functools.partial(over, FLAT)), in_order(lambda: cosine))
        yield compared(f"{name} of a constant, {IN_ORDER}", "MXNet's cosine", training, 1.3)
        beside = ratios(at_once(over(LINE).values), at_once(bare))
        yield compared(f"{name}.values of a line, a million", "bare NumPy", beside, 3.0)


def rows() -> Iterator[Row]:
    """Yield all rows."""
    for part in (drop_ins, like_peers, nested, cycles, values, of_ours):
        yield from part()


if __name__ == "__main__":
    sys.exit(main("schedule_call", rows()))
