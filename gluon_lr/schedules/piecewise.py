"""The schedule through given rates at given iterations."""

from bisect import bisect_right
from typing import List, Sequence, Tuple

import numpy as np

from .. import _check
from .base import BoundedSchedule
from .lengths import Extent
from .shapes import FALLS

__all__ = [
    "PiecewiseSchedule",
]

INTERPOLATIONS = ["constant", "linear", "cosine"]


class PiecewiseSchedule(BoundedSchedule):
    """Take given rates at given iterations; between them stay constant or interpolate.

        lr(iterations[i]) = lrs[i]
        lr(n) = lrs[i] + (lrs[i + 1] - lrs[i]) * f(t)    iterations[i] < n < iterations[i + 1]
        t = (n - iterations[i]) / (iterations[i + 1] - iterations[i])

    with ``f(t) = 0`` ('constant'), ``t`` ('linear'), or ``(1 - cos(pi * t)) / 2`` ('cosine').
    Before the first iteration the rate is the first of `lrs`, after the last iteration the last.

    Parameters
    ----------
    iterations : sequence of float
        A list, a tuple or an array, not empty, in rising order, each at least 0. Fractions are
        allowed.
    lrs : sequence of float
        The rates at the iterations, as many as these, each at least 0.
    interpolation : {'constant', 'linear', 'cosine'}
        How the rate moves between two of the iterations.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = PiecewiseSchedule([0, 100, 1000], [0, 1, 0.1], interpolation="linear")
    >>> [schedule(n) for n in (0, 50, 100, 1000, 5000)]
    [0.0, 0.5, 1.0, 0.1, 0.1]
    >>> steps = PiecewiseSchedule([0, 100, 1000], [0.5, 1, 0.1])
    >>> [steps(n) for n in (0, 99, 100, 999, 1000, 5000)]
    [0.5, 0.5, 1.0, 1.0, 0.1, 0.1]
    """

    _derived = ("_fall", "_pieces")
    _lengths = ("iterations",)
    _periods = 1

    def __init__(
        self,
        iterations: Sequence[float],
        lrs: Sequence[float],
        interpolation: str = "constant",
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.iterations = _check.rising(name, "iterations", iterations, 0)
        given = _check.sequence(name, "lrs", lrs, "a list of rates")
        self.lrs: List[float] = [_check.rate(name, "lrs", one) for one in given]
        if len(self.lrs) != len(self.iterations):
            constraint = f"as many rates as the {len(self.iterations)} iterations"
            raise ValueError(_check.message(name, "lrs", constraint, lrs))
        self.interpolation = _check.one_of(name, "interpolation", interpolation, INTERPOLATIONS)
        self._derive()

    def _derive(self) -> None:
        moves = self.interpolation != "constant"
        self._fall = FALLS[self.interpolation if moves else "linear"]
        n, lrs = self.iterations, self.lrs
        flat = 0, 1, lrs[0], 0.0
        between = zip(n, n[1:], lrs, lrs[1:])
        pieces = [(a, b - a, lr, (next_lr - lr) * moves) for a, b, lr, next_lr in between]
        # of each piece: its start, its length, its first rate and how much the rate rises
        self._pieces = [flat, *pieces, (n[-1], 1, lrs[-1], 0.0)]

    def _peak(self) -> float:
        return max(self.lrs)

    def _extent(self) -> Extent:
        return Extent(self.iterations[-1], ends=self.interpolation != "constant")

    def _rate(self, n: float) -> float:
        start, length, lr, rise = self._pieces[bisect_right(self.iterations, n)]
        return lr + rise * (1 - self._fall.of((n - start) / length)) if rise else lr

    def _rates(self, n: np.ndarray) -> np.ndarray:
        parts = np.split(n, n.searchsorted(self.iterations))
        pairs = zip(self._pieces, parts)
        return np.concatenate([self._rates_of(*pair) for pair in pairs if pair[1].size])

    def _rates_of(self, piece: Tuple[float, float, float, float], n: np.ndarray) -> np.ndarray:
        start, length, lr, rise = piece
        if not rise:
            return np.full(n.shape, lr)
        return lr + rise * (1 - self._fall.of_each((n - start) / length))
