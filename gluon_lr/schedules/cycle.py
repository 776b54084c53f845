"""Schedules that state their own bounds: a constant, one cycle up and down, cycles repeated."""

import bisect
import copy
import functools
import math
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from .. import _check
from . import arrays, foreign
from .base import BoundedSchedule, Schedule
from .compose import LinearCoolDown
from .foreign import LRCallable
from .shapes import HalfCosine

__all__ = [
    "ConstantSchedule",
    "CosineAnnealingSchedule",
    "CyclicalSchedule",
    "OneCycleSchedule",
    "TriangularSchedule",
]


_LONGEST = 2**62
_Table = Tuple[List[float], List[float], float]
_Cycle = Tuple[float, float, Callable[[float], float], float]


class ConstantSchedule(BoundedSchedule):
    """One rate throughout, whatever an optimizer has for a default.

        lr(n) = lr

    Parameters
    ----------
    lr : float
        At least 0.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = ConstantSchedule(lr=0.5)
    >>> [schedule(n) for n in (0, 1, 5000)]
    [0.5, 0.5, 0.5]
    """

    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = _check.rate(type(self).__name__, "lr", lr)

    def _peak(self) -> float:
        return self.lr

    def _rate(self, n: float) -> float:
        return self.lr

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return np.full(n.shape, self.lr)


class _SingleCycle(BoundedSchedule):
    """One cycle of `cycle_length` iterations between `min_lr` and `max_lr`, then flat."""

    def __init__(self, min_lr: float, max_lr: float, cycle_length: float) -> None:
        super().__init__()
        name = type(self).__name__
        self.min_lr = _check.rate(name, "min_lr", min_lr)
        self.max_lr = _check.rate(name, "max_lr", max_lr)
        self.cycle_length = _check.iterations(name, "cycle_length", cycle_length, 1)

    def _peak(self) -> float:
        return max(self.min_lr, self.max_lr)

    def _rate(self, n: float) -> float:
        if n > self.cycle_length:
            return self.min_lr
        return self.min_lr + (self.max_lr - self.min_lr) * self._shape(n / self.cycle_length)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self.cycle_length, "right", self._within, arrays.flat(self.min_lr))

    def _within(self, n: np.ndarray) -> np.ndarray:
        return self.min_lr + (self.max_lr - self.min_lr) * self._shapes(n / self.cycle_length)

    def _shape(self, position: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _shape(position)")

    def _shapes(self, position: np.ndarray) -> np.ndarray:
        return self._shape(position)


class TriangularSchedule(_SingleCycle):
    """Climb evenly from `min_lr` to `max_lr`, fall evenly back over the rest, then stay.

        lr(n) = min_lr + (max_lr - min_lr) * t / inc_fraction              t <= inc_fraction
        lr(n) = min_lr + (max_lr - min_lr) * (1 - t) / (1 - inc_fraction)  inc_fraction < t <= 1
        lr(n) = min_lr                                                     t > 1

    with ``t = n / cycle_length``. With `inc_fraction` 0 there is no climb: ``lr(0) = max_lr``.
    With 1 there is no descent: ``lr(cycle_length) = max_lr``, and `min_lr` from the next one on.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186.

    Parameters
    ----------
    min_lr : float
        Rate at both ends, at least 0.
    max_lr : float
        Rate at the peak, at least 0; below `min_lr` the peak is a valley.
    cycle_length : float
        Length of the climb and the descent together, in iterations, at least 1; fractions are
        taken.
    inc_fraction : float
        Share of the cycle that climbs, from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = TriangularSchedule(min_lr=1, max_lr=2, cycle_length=1000, inc_fraction=0.2)
    >>> [schedule(n) for n in (0, 200, 600, 1000, 5000)]
    [1.0, 2.0, 1.5, 1.0, 1.0]
    """

    def __init__(
        self, min_lr: float, max_lr: float, cycle_length: float, inc_fraction: float = 0.5
    ) -> None:
        super().__init__(min_lr, max_lr, cycle_length)
        self.inc_fraction = _check.real(
            type(self).__name__, "inc_fraction", inc_fraction, minimum=0, maximum=1
        )

    def _shape(self, position: float) -> float:
        if position <= self.inc_fraction and self.inc_fraction > 0:
            return self._climb(position)
        return self._descent(position)

    def _shapes(self, position: np.ndarray) -> np.ndarray:
        side = "right" if self.inc_fraction > 0 else "left"
        return arrays.join(position, self.inc_fraction, side, self._climb, self._descent)

    def _climb(self, position: Any) -> Any:
        return position / self.inc_fraction

    def _descent(self, position: Any) -> Any:
        return (1 - position) / (1 - self.inc_fraction)


class CosineAnnealingSchedule(HalfCosine, _SingleCycle):
    """Cosine annealing from `max_lr` down to `min_lr` over one cycle, then flat.

        lr(n) = min_lr + (max_lr - min_lr) * (1 + cos(pi * n / cycle_length)) / 2
        lr(n) = min_lr                                                n > cycle_length

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    min_lr : float
        Rate at the end, at least 0.
    max_lr : float
        Rate before the first iteration, at least 0; below `min_lr` the descent is a climb.
    cycle_length : float
        Length of the descent, in iterations, at least 1; fractions are taken.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = CosineAnnealingSchedule(min_lr=1, max_lr=2, cycle_length=1000)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [2.0, 1.5, 1.0, 1.0]
    """


class OneCycleSchedule(BoundedSchedule):
    """The 1-cycle policy: up from `start_lr` to `max_lr`, back, and an optional cool-down.

    A :class:`TriangularSchedule` over `cycle_length`, followed by a :class:`LinearCoolDown` to
    `finish_lr`; where `cooldown_length` is 0, the rate stays at `start_lr`.

    Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2017, https://arxiv.org/abs/1708.07120.

    Parameters
    ----------
    start_lr : float
        Rate at both ends of the cycle, at least 0.
    max_lr : float
        Rate in the middle of the cycle, at least 0; below `start_lr` the peak is a valley.
    cycle_length : float
        Length of the climb and the descent together, in iterations, at least 1; fractions are
        taken.
    cooldown_length : float
        Length of the cool-down after the cycle, in iterations, at least 0; 0 for none, and
        fractions are taken.
    finish_lr : float, optional
        Rate at the end of the cool-down, at least 0; given with a `cooldown_length`, and not
        without one.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds, and where one of `cooldown_length` and `finish_lr`
        is given without the other.

    >>> schedule = OneCycleSchedule(0.1, 0.5, cycle_length=500, cooldown_length=100, finish_lr=0)
    >>> [schedule(n) for n in (0, 250, 500, 550, 600, 5000)]
    [0.1, 0.5, 0.1, 0.05, 0.0, 0.0]
    """

    _derived = ("_curve",)

    def __init__(
        self,
        start_lr: float,
        max_lr: float,
        cycle_length: float,
        cooldown_length: float = 0,
        finish_lr: Optional[float] = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.start_lr = _check.rate(name, "start_lr", start_lr)
        self.max_lr = _check.rate(name, "max_lr", max_lr)
        self.cycle_length = _check.iterations(name, "cycle_length", cycle_length, 1)
        self.cooldown_length = _check.iterations(name, "cooldown_length", cooldown_length, 0)
        self.finish_lr = None if finish_lr is None else _check.rate(name, "finish_lr", finish_lr)
        if self.cooldown_length > 0 and self.finish_lr is None:
            raise ValueError(
                _check.message(
                    name,
                    "finish_lr",
                    "given with a cooldown_length above 0",
                    finish_lr,
                    f"Say at which rate the {self.cooldown_length} iterations of cool-down end.",
                )
            )
        if self.cooldown_length == 0 and self.finish_lr is not None:
            raise ValueError(
                _check.message(
                    name,
                    "cooldown_length",
                    "above 0 when finish_lr is given",
                    cooldown_length,
                    "Say how many iterations the cool-down takes.",
                )
            )
        self._derive()

    def _derive(self) -> None:
        triangle = TriangularSchedule(self.start_lr, self.max_lr, self.cycle_length)
        finish_lr = self.start_lr if self.finish_lr is None else self.finish_lr
        self._curve = LinearCoolDown(triangle, finish_lr, self.cycle_length, self.cooldown_length)

    @property
    def schedule(self) -> LinearCoolDown:
        """A copy of the schedule this one is made of; assign the arguments here instead."""
        return copy.copy(self._curve)

    def _peak(self) -> float:
        return max(self.start_lr, self.max_lr)

    def _rate(self, n: float) -> float:
        return self._curve._rate(n)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self._curve._rates(n)


class CyclicalSchedule(BoundedSchedule):
    """Repeat a schedule cycle after cycle, each longer or shorter and lower than the one before.

        lr(n) = cycle_i(n - start_i) * cycle_magnitude_decay^i    start_i <= n < start_(i+1)
        cycle_i = schedule_class(cycle_length=length_i, **kwargs)
        length_0 = cycle_length,  length_(i+1) = ceil(length_i * cycle_length_decay)

    The iteration that ends a cycle is number 0 of the next. The magnitude multiplies the whole
    cycle, its lower bound included. Over :class:`CosineAnnealingSchedule` this is SGDR.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186. Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent
    with Warm Restarts", 2017, https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    schedule_class : callable
        A schedule's class, called with `cycle_length` and `kwargs` for each cycle.
    cycle_length : float
        Length of the first cycle, in iterations, at least 1; fractions are taken, and the cycles
        after it are whole.
    cycle_length_decay : float
        Factor on the length from one cycle to the next, above 0; 2 doubles it.
    cycle_magnitude_decay : float
        Factor on the rates from one cycle to the next, above 0.
    **kwargs
        The other arguments of `schedule_class`.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds, or one that `schedule_class` rejects.

    >>> from gluon_lr import CosineAnnealingSchedule
    >>> schedule = CyclicalSchedule(CosineAnnealingSchedule, cycle_length=250,
    ...     cycle_length_decay=2, cycle_magnitude_decay=0.5, min_lr=0, max_lr=2)
    >>> [schedule(n) for n in (0, 125, 250, 500, 750)]
    [2.0, 1.0, 1.0, 0.5, 0.5]
    """

    _derived = ("_table", "_cycles", "_current")

    def __init__(
        self,
        schedule_class: Callable[..., LRCallable],
        cycle_length: float,
        cycle_length_decay: float = 1,
        cycle_magnitude_decay: float = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if isinstance(schedule_class, Schedule):
            constraint = "a schedule's class, not one of its instances"
            raise TypeError(_check.message(name, "schedule_class", constraint, schedule_class))
        _check.is_callable(name, "schedule_class", schedule_class, "a schedule's class")
        self.schedule_class = schedule_class
        self.cycle_length = _check.iterations(name, "cycle_length", cycle_length, 1)
        self.cycle_length_decay = _check.real(
            name, "cycle_length_decay", cycle_length_decay, above=0
        )
        self.cycle_magnitude_decay = _check.real(
            name, "cycle_magnitude_decay", cycle_magnitude_decay, above=0
        )
        self.kwargs = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in kwargs.items()
        }
        self._derive()

    @property
    def length(self) -> float:
        """The tutorials' name of `cycle_length`."""
        return self.cycle_length

    @length.setter
    def length(self, value: float) -> None:
        self.cycle_length = value

    @property
    def length_decay(self) -> float:
        """The tutorials' name of `cycle_length_decay`."""
        return self.cycle_length_decay

    @length_decay.setter
    def length_decay(self, value: float) -> None:
        self.cycle_length_decay = value

    @property
    def magnitude_decay(self) -> float:
        """The tutorials' name of `cycle_magnitude_decay`."""
        return self.cycle_magnitude_decay

    @magnitude_decay.setter
    def magnitude_decay(self, value: float) -> None:
        self.cycle_magnitude_decay = value

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "kwargs" and hasattr(self, name):
            self._become({**super()._given(), **value})
        elif name in vars(self).get("kwargs", {}):
            self._become({**self._given(), name: value})
        else:
            super().__setattr__(name, value)

    def _given(self) -> Dict[str, Any]:
        return {**super()._given(), **self.kwargs}

    def _derive(self) -> None:
        # of the cycles so far: their first iterations, their lengths, and the end of the last
        self._table: _Table = [0], [self.cycle_length], self.cycle_length
        self._cycles: Dict[float, LRCallable] = {}
        self._current = self._cycle_at(0)

    def _cycle_at(self, n: float) -> _Cycle:
        """Return the cycle that `n` falls in: its first iteration, its end, rates and factor."""
        starts, lengths, _ = self._table_to(n)
        index = bisect.bisect_right(starts, n) - 1
        length = lengths[index]
        repeats = int((n - starts[index]) // length)
        start = starts[index] + repeats * length
        factor = self.cycle_magnitude_decay ** (index + repeats)
        return start, start + length, foreign.asked(self._cycle(length)), factor

    def _cycle(self, length: float) -> LRCallable:
        if length not in self._cycles:
            cycle = self.schedule_class(cycle_length=length, **self.kwargs)
            foreign.check_schedule(type(self).__name__, cycle, "schedule_class")
            self._cycles[length] = cycle
        return self._cycles[length]

    def _table_to(self, n: float) -> _Table:
        """Return the starts and lengths of the cycles up to `n`, but for repeats of the last."""
        table = starts, lengths, end = self._table
        if n < end:
            return table
        starts, lengths = list(starts), list(lengths)
        while n >= end:
            following = math.ceil(min(lengths[-1] * self.cycle_length_decay, _LONGEST))
            if following == lengths[-1]:
                end = math.inf
            else:
                starts.append(end)
                lengths.append(following)
                end += following
        table = self._table = starts, lengths, end
        return table

    def _peak(self) -> float:
        return foreign.get_base_lr(self._cycle(self.cycle_length))

    def _rate(self, n: float) -> float:
        # the cycle asked last, in one tuple for all threads: a call without it takes 2.5 times
        # as long, and the nested schedule of the benchmarks is to stay within twice MXNet's cosine
        start, end, rate, factor = self._current
        if not start <= n < end:
            self._current = start, end, rate, factor = self._cycle_at(n)
        return rate(n - start) * factor

    def _rates(self, n: np.ndarray) -> np.ndarray:
        starts, lengths, _ = self._table_to(n[-1])
        first = bisect.bisect_right(starts, n[0]) - 1
        last = bisect.bisect_right(starts, n[-1])
        lrs = []
        for index, part in enumerate(np.split(n, n.searchsorted(starts[first + 1 : last])), first):
            if part.size:
                lrs.append(self._rates_from(index, starts[index], lengths[index], part))
        return np.concatenate(lrs)

    def _rates_from(self, index: int, start: float, length: float, n: np.ndarray) -> np.ndarray:
        """Return the rates of cycle number `index` and of its repeats, which begin at `start`."""
        repeats, offset = np.divmod(n - start, length)
        cycle = functools.partial(foreign.rates, self._cycle(length))
        factors = arrays.each_once(lambda i: self.cycle_magnitude_decay**i, index + repeats)
        return arrays.each_once(cycle, offset) * factors

    def _arguments(self) -> Dict[str, Any]:
        return {**super()._arguments(), **self.kwargs}
