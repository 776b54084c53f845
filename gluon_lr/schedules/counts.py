"""Modifiers of the iteration count: shifted, warped, or moved to a new end."""

import numpy as np

from .. import _check
from . import arrays
from .compose import Modifier
from .foreign import LRCallable
from .lengths import Extent

__all__ = [
    "ContinuedSchedule",
    "KDecaySchedule",
    "ShiftedSchedule",
]

_LED_IN = 0.1  # share of the iterations from `at` to `to`


class ShiftedSchedule(Modifier):
    """Skip the first `by` iterations of a schedule; ``schedule.shifted(by)`` makes one.

        lr(n) = schedule(n + by)

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    by : float
        Iterations, at least 0; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> schedule = CosineScheduler(max_update=1000, base_lr=1).shifted(by=500)
    >>> [schedule(n) for n in (0, 500, 5000)]
    [0.5, 0.0, 0.0]
    """

    _lengths = ("by",)

    def __init__(self, schedule: LRCallable, by: float) -> None:
        super().__init__(schedule)
        self.by = _check.iterations(type(self).__name__, "by", by, 0)

    def _extent(self) -> Extent:
        length, ends = super()._extent()
        return Extent(max(length - self.by, 0), ends)

    def _rate(self, n: float) -> float:
        return self._inner(n + self.by)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self._inner_rates(n + float(self.by))


class KDecaySchedule(Modifier):
    """Warp the iterations of a schedule by a power, so that it falls later.

        lr(n) = schedule(length * (n / length)^k)    n <= length
        lr(n) = schedule(n)                          n > length

    Zhang and Li, "k-decay: A New Method for Learning Rate Schedule", 2020,
    https://arxiv.org/abs/2004.05909.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    length : float
        Length of the decay, which is warped, in iterations, above 0. Fractions are allowed.
    k : float
        Power, above 0. Above 1 the schedule falls later, below 1 earlier.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import PolyScheduler
    >>> line = PolyScheduler(max_update=1000, base_lr=1, pwr=1)
    >>> schedule = KDecaySchedule(line, length=1000, k=2)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [1.0, 0.75, 0.0, 0.0]
    """

    _lengths = ("length",)

    def __init__(self, schedule: LRCallable, length: float, k: float) -> None:
        super().__init__(schedule)
        name = type(self).__name__
        self.length = _check.length(name, "length", length)
        self.k = _check.real(name, "k", k, above=0)

    def _extent(self) -> Extent:
        end, ends = super()._extent()
        if end >= self.length:
            return Extent(end, ends)
        return Extent(self.length * (end / self.length) ** (1 / self.k), ends)

    def _rate(self, n: float) -> float:
        length = self.length
        return self._inner(n if n >= length else length * (n / length) ** self.k)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self.length, "left", self._warped, self._inner_rates)

    def _warped(self, n: np.ndarray) -> np.ndarray:
        return self._inner_rates(self.length * (n / self.length) ** self.k)


class ContinuedSchedule(Modifier):
    """Move the end of a schedule during training; ``schedule.continued(at=, to=)`` makes one.

    Up to `at` the schedule is unchanged. If the new end is earlier, the rest is compressed:

        lr(n) = schedule(at + (n - at) * (end - at) / (to - at))        to <= end

    If the new end is later, the rate moves to that of a schedule planned with this end from the
    start. It moves there gradually, over the first tenth of the remaining iterations. If the
    schedule has already ended, this warms the rate up again:

        lr(n) = (1 - w) * schedule(n * end / to) + w * schedule(at)     to > end
        w = max(1 - (n - at) / (0.1 * (to - at)), 0)

    ``learner.finish`` and ``learner.extend`` move the end of a fit by these rules. On the second
    warm-up, see Ibrahim et al., "Simple and Scalable Strategies to Continually Pre-train Large
    Language Models", 2024, https://arxiv.org/abs/2403.08763.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    at : float
        Last iteration of the unchanged part, at least 0; fractions are allowed.
    to : float
        The new end, in iterations, above `at`.
    end : float
        The old end, in iterations, above 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> schedule = CosineScheduler(max_update=1000, base_lr=1).continued(at=1000, to=2000)
    >>> [round(schedule(n), 6) for n in (500, 1000, 1100, 1500, 2000, 5000)]
    [0.5, 0.0, 0.421783, 0.146447, 0.0, 0.0]
    """

    _derived = ("_inner", "_is_nearer", "_pace", "_share", "_leading")
    _lengths = ("at", "to", "end")

    def __init__(self, schedule: LRCallable, at: float, to: float, end: float) -> None:
        name = type(self).__name__
        self.at = _check.iterations(name, "at", at, 0)
        self.to = _check.length(name, "to", to)
        self.end = _check.length(name, "end", end)
        if self.to <= self.at:
            raise ValueError(_check.message(name, "to", f"above `at`, {self.at}", to))
        super().__init__(schedule)

    def _derive(self) -> None:
        super()._derive()
        self._is_nearer = self.to <= self.end
        self._pace = (self.end - self.at) / (self.to - self.at)
        self._share = self.end / self.to
        self._leading = _LED_IN * (self.to - self.at)

    def _extent(self) -> Extent:
        return Extent(self.to, ends=True)

    def _rate(self, n: float) -> float:
        if n <= self.at:
            return self._inner(n)
        if self._is_nearer:
            pressed = self.end - (self.to - n) * self._pace
            return self._inner(pressed if pressed > self.at else self.at)
        led = 1 - (n - self.at) / self._leading
        planned = self._inner(self.end - (self.to - n) * self._share)
        return planned if led <= 0 else (1 - led) * planned + led * self._inner(self.at)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self.at, "right", self._inner_rates, self._later_rates)

    def _later_rates(self, n: np.ndarray) -> np.ndarray:
        if self._is_nearer:
            return self._inner_rates(np.maximum(self.end - (self.to - n) * self._pace, self.at))
        led = np.maximum(1 - (n - self.at) / self._leading, 0)
        planned = self._inner_rates(self.end - (self.to - n) * self._share)
        return (1 - led) * planned + led * self._inner(self.at)
