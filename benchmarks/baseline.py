"""What ours and the peers are measured on, the same for both.

Standard library only, as `benchmarks.measure`. The functions give rates for the iterations from 1
to `LAST`, of the shapes of the schedules that are compared with them.
"""

import math
from typing import Callable

from .measure import ROUNDS, Action

LAST = 1000  # iteration of a schedule
LR_START, LR_END, ITERATIONS = 1e-7, 1e-3, 100  # of a search
RATES = [LR_START * (LR_END / LR_START) ** (n / (ITERATIONS - 1)) for n in range(ITERATIONS)]
BATCHES = {"MLP": (64, 256), "CNN": (32, 1, 16, 16)}

Rate = Callable[[int], float]


def cosine(n: int) -> float:
    """Fall from 1 to 0 by half a cosine."""
    return (1 + math.cos(math.pi * n / LAST)) / 2


def steps(n: int) -> float:
    """Fall to nine tenths, each hundred iterations."""
    return 0.9 ** ((n - 1) // 100)


def one_cycle(n: int) -> float:
    """Climb from 0.1 to 1, fall back, and on to 0, along lines."""
    if n <= 450:
        return 0.1 + 0.9 * n / 450
    if n <= 900:
        return 1 - 0.9 * (n - 450) / 450
    return 0.1 * (1000 - n) / 100


def warm_up_and_cosine(n: int) -> float:
    """Climb from 0 to 1 along a line, then fall to 0 by half a cosine."""
    if n <= 50:
        return n / 50
    return (1 + math.cos(math.pi * (n - 50) / 950)) / 2


def in_order(make: Callable[[], Rate]) -> Action:
    """Ask new schedules, made beforehand, for each iteration of a training once."""
    counts = list(range(1, LAST + 1))
    turns = iter([[make() for _ in range(20)] for _ in range(1 + ROUNDS)])

    def run() -> None:
        for schedule in next(turns):
            for n in counts:
                schedule(n)

    return run
