"""Schedules that set their own bounds: a constant, single cycles, and repeated cycles."""

import bisect
import copy
import functools
import math
import sys
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import _check
from . import arrays, foreign, lengths
from .base import BoundedSchedule, Schedule
from .compose import EpochSchedule, LinearCoolDown
from .foreign import LRCallable
from .lengths import Extent
from .shapes import HalfCosine

__all__ = [
    "ConstantSchedule",
    "CosineAnnealingSchedule",
    "CyclicalSchedule",
    "OneCycleSchedule",
    "REXSchedule",
    "TriangularSchedule",
]


_LONGEST = 2**62
_Table = Tuple[List[float], List["_Run"]]
_Cycle = Tuple[float, float, Callable[[float], float], float]


class _Run(NamedTuple):
    """Consecutive cycles, each longer than the one before by `step`, which may be negative."""

    first: int
    start: float
    length: float
    step: float
    cycles: float

    @classmethod
    def begun(cls, first: int, start: float, length: float, decay: float) -> "_Run":
        """Return a run from cycle `first` on; it may stop a few cycles before the step changes."""
        whole = math.ceil(length)
        step = (whole if decay == 1 else math.ceil(min(length * decay, _LONGEST))) - length
        if step == 0:
            return cls(first, start, length, 0, math.inf)
        cycles = 1
        if isinstance(length, int) and 0.5 < decay < 2:
            # ceil(length * decay) - length is constant up to length = step / (decay - 1); the
            # last few cycles go to the next run, because the product is rounded
            growth = decay - 1
            room = (step / growth - length) / step - 2 - 4e-16 / growth**2
            cycles = max(math.floor(room), 1)
        return cls(first, start, length, step, cycles)

    @property
    def end(self) -> float:
        return math.inf if self.cycles == math.inf else self.start_of(int(self.cycles))

    def followed(self, decay: float) -> "_Run":
        """Return the cycles after these."""
        cycles = int(self.cycles)
        length = round(self.length_of(cycles))
        return self.begun(self.first + cycles, self.end, length, decay)

    def length_of(self, cycle: int) -> float:
        """Return the length of a cycle, by its number in the run, from 0."""
        return self.length + cycle * self.step

    def start_of(self, cycle: int) -> float:
        """Return the first iteration of a cycle, by its number in the run, from 0."""
        return self.start + cycle * self.length + self.step * (cycle * (cycle - 1) // 2)

    def cycle_at(self, n: float) -> int:
        """Return the number of the cycle that contains `n`."""
        late = n - self.start
        if self.cycles == 1:
            return 0
        if self.step == 0:
            return int(late // self.length)
        middle = self.length - self.step / 2
        root = math.sqrt(max(middle**2 + 2 * self.step * late, 0))
        cycle = int(2 * late / (middle + root))
        while self.start_of(cycle) > n:
            cycle -= 1
        while self.start_of(cycle + 1) <= n:
            cycle += 1
        return cycle


class ConstantSchedule(BoundedSchedule):
    """Keep one rate for all iterations, whatever the optimizer's default is.

        lr(n) = lr

    Parameters
    ----------
    lr : float
        The rate, at least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = ConstantSchedule(lr=0.5)
    >>> [schedule(n) for n in (0, 1, 5000)]
    [0.5, 0.5, 0.5]
    """

    _lengths = ()

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
    """One cycle of `cycle_length` iterations between `min_lr` and `max_lr`, then constant."""

    _lengths = ("cycle_length",)

    def __init__(self, min_lr: float, max_lr: float, cycle_length: float) -> None:
        super().__init__()
        name = type(self).__name__
        self.min_lr = _check.rate(name, "min_lr", min_lr)
        self.max_lr = _check.rate(name, "max_lr", max_lr)
        self.cycle_length = _check.length(name, "cycle_length", cycle_length)

    def _peak(self) -> float:
        return max(self.min_lr, self.max_lr)

    def _rate(self, n: float) -> float:
        if n > self.cycle_length:
            return self.min_lr
        return self.min_lr + (self.max_lr - self.min_lr) * self._shape(n / self.cycle_length)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self.cycle_length, "right", self._within, arrays.flat(self.min_lr))

    def _extent(self) -> Extent:
        return Extent(self.cycle_length, ends=True)

    def _within(self, n: np.ndarray) -> np.ndarray:
        return self.min_lr + (self.max_lr - self.min_lr) * self._shapes(n / self.cycle_length)

    def _shape(self, position: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _shape(position)")

    def _shapes(self, position: np.ndarray) -> np.ndarray:
        return self._shape(position)


class TriangularSchedule(_SingleCycle):
    """Increase linearly from `min_lr` to `max_lr`, decrease linearly back, then stay.

        lr(n) = min_lr + (max_lr - min_lr) * t / inc_fraction              t <= inc_fraction
        lr(n) = min_lr + (max_lr - min_lr) * (1 - t) / (1 - inc_fraction)  inc_fraction < t <= 1
        lr(n) = min_lr                                                     t > 1

    with ``t = n / cycle_length``. With `inc_fraction` 0 there is no increase: ``lr(0) = max_lr``.
    With 1 there is no decrease: ``lr(cycle_length) = max_lr``, and `min_lr` after that iteration.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186.

    Parameters
    ----------
    min_lr : float
        Rate at both ends, at least 0.
    max_lr : float
        Rate at the peak, at least 0; if it is below `min_lr`, the peak is a valley.
    cycle_length : float
        Length of the increase and the decrease together, in iterations, above 0; fractions are
        allowed.
    inc_fraction : float
        Share of the cycle in which the rate increases, from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

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
    """Cosine annealing from `max_lr` to `min_lr` over one cycle, then constant.

        lr(n) = min_lr + (max_lr - min_lr) * (1 + cos(pi * n / cycle_length)) / 2
        lr(n) = min_lr                                                n > cycle_length

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    min_lr : float
        Rate at the end, at least 0.
    max_lr : float
        Rate before the first iteration, at least 0; if it is below `min_lr`, the rate increases.
    cycle_length : float
        Length of the decrease, in iterations, above 0; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = CosineAnnealingSchedule(min_lr=1, max_lr=2, cycle_length=1000)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [2.0, 1.5, 1.0, 1.0]
    """


class REXSchedule(_SingleCycle):
    """Reflected exponential decay (REX) from `max_lr` to `min_lr`, faster and faster.

        lr(n) = min_lr + (max_lr - min_lr) * (1 - t) / (1 - t / 2)    t = n / cycle_length
        lr(n) = min_lr                                                n > cycle_length

    Chen et al., "REX: Revisiting Budgeted Training with an Improved Schedule", 2021,
    https://arxiv.org/abs/2107.04197.

    Parameters
    ----------
    min_lr : float
        Rate at the end, at least 0.
    max_lr : float
        Rate before the first iteration, at least 0; if it is below `min_lr`, the rate increases.
    cycle_length : float
        Length of the decrease, in iterations, above 0; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = REXSchedule(min_lr=0, max_lr=3, cycle_length=1000)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [3.0, 2.0, 0.0, 0.0]
    """

    def _shape(self, position: Any) -> Any:
        return (1 - position) / (1 - position / 2)


class OneCycleSchedule(BoundedSchedule):
    """The 1-cycle policy: from `start_lr` to `max_lr` and back, then an optional cool-down.

    A :class:`TriangularSchedule` over `cycle_length`, followed by a :class:`LinearCoolDown` to
    `finish_lr`. If `cooldown_length` is 0, the rate stays at `start_lr`.

    Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2017, https://arxiv.org/abs/1708.07120.

    Parameters
    ----------
    start_lr : float
        Rate at both ends of the cycle, at least 0.
    max_lr : float
        Rate in the middle of the cycle, at least 0; if below `start_lr`, the peak is a valley.
    cycle_length : float
        Length of the increase and the decrease together, in iterations, above 0; fractions are
        allowed.
    cooldown_length : float
        Length of the cool-down after the cycle, in iterations, at least 0; 0 for none, and
        fractions are allowed.
    finish_lr : float, optional
        Rate at the end of the cool-down, at least 0. Pass it together with a `cooldown_length`,
        not without one.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds, or if one of `cooldown_length` and `finish_lr`
        is given without the other.

    >>> schedule = OneCycleSchedule(0.1, 0.5, cycle_length=500, cooldown_length=100, finish_lr=0)
    >>> [schedule(n) for n in (0, 250, 500, 550, 600, 5000)]
    [0.1, 0.5, 0.1, 0.05, 0.0, 0.0]
    """

    _derived = ("_curve",)
    _lengths = ("cycle_length", "cooldown_length")

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
        self.cycle_length = _check.length(name, "cycle_length", cycle_length)
        self.cooldown_length = _check.iterations(name, "cooldown_length", cooldown_length, 0)
        self.finish_lr = None if finish_lr is None else _check.rate(name, "finish_lr", finish_lr)
        if self.cooldown_length > 0 and self.finish_lr is None:
            raise ValueError(
                _check.message(
                    name,
                    "finish_lr",
                    "a rate if `cooldown_length` is above 0",
                    finish_lr,
                    f"Pass the rate after the cool-down of {self.cooldown_length} iterations.",
                )
            )
        if self.cooldown_length == 0 and self.finish_lr is not None:
            raise ValueError(
                _check.message(
                    name,
                    "cooldown_length",
                    "above 0 if `finish_lr` is given",
                    cooldown_length,
                    "Pass the number of iterations of the cool-down.",
                )
            )
        self._derive()

    def _derive(self) -> None:
        triangle = TriangularSchedule(self.start_lr, self.max_lr, self.cycle_length)
        finish_lr = self.start_lr if self.finish_lr is None else self.finish_lr
        self._curve = LinearCoolDown(triangle, finish_lr, self.cycle_length, self.cooldown_length)

    def _extent(self) -> Extent:
        return self._curve._extent()

    @property
    def schedule(self) -> LinearCoolDown:
        """A copy of the inner schedule; to change it, assign the arguments of this one."""
        return copy.copy(self._curve)

    def _peak(self) -> float:
        return max(self.start_lr, self.max_lr)

    def _rate(self, n: float) -> float:
        return self._curve._rate(n)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self._curve._rates(n)


class CyclicalSchedule(BoundedSchedule):
    """Repeat a schedule in cycles; two factors change the length and the rates at each cycle.

        lr(n) = cycle_i(n - start_i) * cycle_magnitude_decay^i    start_i <= n < start_(i+1)
        cycle_i = schedule_class(cycle_length=length_i, **kwargs)
        length_0 = cycle_length,  length_(i+1) = ceil(length_i * cycle_length_decay)

    The last iteration of a cycle is iteration 0 of the next. The magnitude multiplies all rates of
    the cycle, its lower bound too. With :class:`CosineAnnealingSchedule` this is SGDR.

    Smith, "Cyclical Learning Rates for Training Neural Networks", 2015,
    https://arxiv.org/abs/1506.01186. Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent
    with Warm Restarts", 2017, https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    schedule_class : callable
        A schedule's class, called with `cycle_length` and `kwargs` for each cycle.
    cycle_length : float
        Length of the first cycle, in iterations, above 0; fractions are allowed. The lengths of
        the cycles after it are rounded up.
    cycle_length_decay : float
        Factor for the length from one cycle to the next, above 0; 2 doubles it.
    cycle_magnitude_decay : float
        Factor for the rates from one cycle to the next, above 0.
    **kwargs
        The other arguments of `schedule_class`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds, or if `schedule_class` rejects one.

    >>> from gluon_lr import CosineAnnealingSchedule
    >>> schedule = CyclicalSchedule(CosineAnnealingSchedule, cycle_length=250,
    ...     cycle_length_decay=2, cycle_magnitude_decay=0.5, min_lr=0, max_lr=2)
    >>> [schedule(n) for n in (0, 125, 250, 500, 750)]
    [2.0, 1.0, 1.0, 0.5, 0.5]
    """

    _derived = ("_table", "_cycles", "_current")
    _lengths = ("cycle_length",)
    _periods = 4

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
            constraint = "a schedule's class, not an instance"
            raise TypeError(_check.message(name, "schedule_class", constraint, schedule_class))
        _check.is_callable(name, "schedule_class", schedule_class, "a schedule's class")
        self.schedule_class = schedule_class
        self.cycle_length = _check.length(name, "cycle_length", cycle_length)
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
        """The name of `cycle_length` in the MXNet tutorials."""
        return self.cycle_length

    @length.setter
    def length(self, value: float) -> None:
        self.cycle_length = value

    @property
    def length_decay(self) -> float:
        """The name of `cycle_length_decay` in the MXNet tutorials."""
        return self.cycle_length_decay

    @length_decay.setter
    def length_decay(self, value: float) -> None:
        self.cycle_length_decay = value

    @property
    def magnitude_decay(self) -> float:
        """The name of `cycle_magnitude_decay` in the MXNet tutorials."""
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
        run = _Run.begun(0, 0, self.cycle_length, self.cycle_length_decay)
        self._table: _Table = [0], [run]  # first iterations, and the runs of cycles so far
        self._cycles: Dict[float, LRCallable] = {}
        self._current = self._cycle_at(0)

    def _cycle_at(self, n: float) -> _Cycle:
        """Return the cycle that contains `n`: first iteration, end, rate function and factor."""
        starts, runs = self._table_to(n)
        run = runs[bisect.bisect_right(starts, n) - 1]
        cycle = run.cycle_at(n)
        start, length = run.start_of(cycle), run.length_of(cycle)
        rate = foreign.asked(self._cycle(length))
        return start, start + length, rate, self._magnitude(run.first + cycle)

    def _magnitude(self, cycle: int) -> float:
        try:
            return self.cycle_magnitude_decay**cycle
        except OverflowError:
            return sys.float_info.max

    def _cycle(self, length: float) -> LRCallable:
        if length not in self._cycles:
            cycle = self.schedule_class(cycle_length=length, **self.kwargs)
            foreign.check_schedule(type(self).__name__, cycle, "schedule_class")
            self._cycles[length] = cycle
        return self._cycles[length]

    def _table_to(self, n: float) -> _Table:
        """Return the runs of cycles up to `n`."""
        table = starts, runs = self._table
        if n < runs[-1].end:
            return table
        starts, runs = [*starts], [*runs]
        while n >= runs[-1].end:
            starts.append(runs[-1].end)
            runs.append(runs[-1].followed(self.cycle_length_decay))
        table = self._table = starts, runs
        return table

    def _peak(self) -> float:
        return foreign.get_base_lr(self._cycle(self.cycle_length))

    def _lengths_inside(self) -> Dict[str, float]:
        """Return the other lengths among the `kwargs`, for example that of a cool-down."""
        names = getattr(self.schedule_class, "_lengths", None) or ()
        return {name: value for name, value in self.kwargs.items() if name in names}

    def _own_lengths(self) -> List[float]:
        is_ours = foreign.is_ours(self.schedule_class)
        others = self._lengths_inside().values() if is_ours else [lengths.UNKNOWN]
        return lengths.flattened([self.cycle_length, *others])

    def _stretched(self, factor: float) -> Schedule:
        if not foreign.is_ours(self.schedule_class):
            return EpochSchedule(self, factor)
        inside = {"cycle_length": self.cycle_length, **self._lengths_inside()}
        longer = {name: lengths.times(value, factor) for name, value in inside.items()}
        return type(self)(**{**self._given(), **longer})

    def _rate(self, n: float) -> float:
        # cache the last cycle, in one tuple so that threads can share it: a call without the cache
        # takes 2.5 times as long, and the benchmarks' nested schedule must stay within twice
        # MXNet's cosine
        start, end, rate, factor = self._current
        if not start <= n < end:
            self._current = start, end, rate, factor = self._cycle_at(n)
        return rate(n - start) * factor

    def _rates(self, n: np.ndarray) -> np.ndarray:
        starts, runs = self._table_to(n[-1])
        first = bisect.bisect_right(starts, n[0]) - 1
        last = bisect.bisect_right(starts, n[-1])
        lrs = []
        for run, part in zip(runs[first:], np.split(n, n.searchsorted(starts[first + 1 : last]))):
            if part.size:
                lrs.append(self._rates_of(run, part))
        return np.concatenate(lrs)

    def _rates_of(self, run: _Run, n: np.ndarray) -> np.ndarray:
        """Return the rates of a run of cycles."""
        if run.step:
            return np.concatenate([*self._rates_by_cycle(run, n)])
        repeats, offset = np.divmod(n - run.start, run.length)
        cycle = functools.partial(foreign.rates, self._cycle(run.length))
        with np.errstate(over="ignore"):
            factors = arrays.each_once(self._magnitudes, run.first + repeats)
            return arrays.each_once(cycle, offset) * factors

    def _rates_by_cycle(self, run: _Run, n: np.ndarray) -> Iterator[np.ndarray]:
        while n.size:
            cycle = run.cycle_at(n[0].item())
            inside, n = np.split(n, [n.searchsorted(run.start_of(cycle + 1))])
            rates = foreign.rates(self._cycle(run.length_of(cycle)), inside - run.start_of(cycle))
            with np.errstate(over="ignore"):
                yield rates * self._magnitude(run.first + cycle)

    def _magnitudes(self, cycles: np.ndarray) -> np.ndarray:
        return np.minimum(self.cycle_magnitude_decay**cycles, sys.float_info.max)

    def _arguments(self) -> Dict[str, Any]:
        return {**super()._arguments(), **self.kwargs}
