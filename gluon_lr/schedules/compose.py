"""Modifiers: schedules made from other schedules, also from those of other libraries."""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from .. import _check
from . import arrays, foreign
from .base import Schedule
from .foreign import LRCallable
from .lengths import Extent
from .shapes import FALLS, Fall, HalfCosine

__all__ = [
    "ClippedSchedule",
    "ConstantWarmUp",
    "CoolDown",
    "CosineWarmUp",
    "EpochSchedule",
    "LinearCoolDown",
    "LinearWarmUp",
    "ScaledSchedule",
    "SequentialSchedule",
]


class Compound(Schedule):
    """A schedule made from others. In its repr and config, our classes replace MXNet's."""

    def _arguments(self) -> Dict[str, Any]:
        return {name: foreign.as_ours(value) for name, value in super()._arguments().items()}


class Modifier(Compound):
    """A schedule around an inner one. Its `base_lr` is the inner one's, to read and to assign.

    The inner schedule is any callable from an iteration to a rate. Calls do not change it, even
    if it keeps state between calls. If it has no `base_lr`, it sets its own bounds: `base_lr`
    reads as its rate at 0, and an assignment warns once.
    """

    _derived: Tuple[str, ...] = ("_inner",)
    _lengths: Tuple[str, ...] = ()
    _parts: Tuple[str, ...] = ("schedule",)

    def __init__(self, schedule: LRCallable) -> None:
        self.schedule = foreign.check_schedule(type(self).__name__, schedule)
        self._derive()

    def _derive(self) -> None:
        self._inner = foreign.asked(self.schedule)

    @property
    def base_lr(self) -> float:
        """The current `base_lr` of the inner schedule."""
        return foreign.get_base_lr(self.schedule)

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        if not foreign.set_base_lr(self.schedule, value):
            self._decline_base_lr(value)

    def _inner_rates(self, n: np.ndarray) -> np.ndarray:
        return foreign.rates(self.schedule, n)

    def _extent(self) -> Extent:
        return foreign.extent_of(self.schedule)


class WarmUp(Modifier):
    """Move from `start_lr` to the inner schedule's rate at 0, then follow it from its iteration 1.

    lr(n) = start_lr + (schedule(0) - start_lr) * climbed(n / length)    0 <= n <= length
    lr(n) = schedule(n - length)                                         n > length
    """

    _lengths = ("length",)

    def __init__(self, schedule: LRCallable, start_lr: float, length: float) -> None:
        super().__init__(schedule)
        self.start_lr = _check.rate(type(self).__name__, "start_lr", start_lr)
        self.length = _check.iterations(type(self).__name__, "length", length, 0)

    @property
    def finish_lr(self) -> float:
        """Rate at the end of the warm-up, the inner schedule's current rate at 0."""
        return self._inner(0)

    def _rate(self, n: float) -> float:
        if n > self.length or self.length == 0:
            return self._inner(n - self.length)
        start_lr = self.start_lr
        return start_lr + (self._inner(0) - start_lr) * self._climbed(n / self.length)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(
            n,
            self.length,
            "right" if self.length > 0 else "left",
            self._climb,
            lambda late: self._inner_rates(late - self.length),
        )

    def _extent(self) -> Extent:
        return super()._extent().after(self.length)

    def _climb(self, n: np.ndarray) -> np.ndarray:
        shares = self._climbed_each(n / self.length)
        return self.start_lr + (self._inner(0) - self.start_lr) * shares

    def _climbed(self, position: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _climbed(position)")

    def _climbed_each(self, position: np.ndarray) -> np.ndarray:
        return self._climbed(position)


class LinearWarmUp(WarmUp):
    """Warm up linearly from `start_lr` to the inner schedule's rate at 0, then follow it.

        lr(n) = start_lr + (schedule(0) - start_lr) * n / length    0 <= n <= length
        lr(n) = schedule(n - length)                                n > length

    Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", 2017,
    https://arxiv.org/abs/1706.02677.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    start_lr : float
        Rate before the first iteration, at least 0.
    length : float
        Length of the warm-up, in iterations, at least 0; 0 for none; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import MultiFactorScheduler
    >>> steps = MultiFactorScheduler([250, 750], factor=0.5, base_lr=1)
    >>> schedule = LinearWarmUp(steps, start_lr=0, length=100)
    >>> [schedule(n) for n in (0, 50, 100, 350, 351, 5000)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.25]
    """

    def _climbed(self, position: Any) -> Any:
        return position


class ConstantWarmUp(WarmUp):
    """Stay at `start_lr` for `length` iterations, then follow the inner schedule from the start.

        lr(n) = start_lr                 0 <= n <= length
        lr(n) = schedule(n - length)     n > length

    He et al., "Deep Residual Learning for Image Recognition", 2015,
    https://arxiv.org/abs/1512.03385, section 4.2.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    start_lr : float
        Rate before the first iteration, at least 0.
    length : float
        Length of the warm-up, in iterations, at least 0; 0 for none; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> cosine = CosineScheduler(max_update=1000, base_lr=1)
    >>> schedule = ConstantWarmUp(cosine, start_lr=0.1, length=100)
    >>> [schedule(n) for n in (0, 50, 100, 600, 5000)]
    [0.1, 0.1, 0.1, 0.5, 0.0]
    """

    def _climbed(self, position: Any) -> Any:
        return 0.0 * position


class CosineWarmUp(HalfCosine, WarmUp):
    """Warm up along half a cosine to the inner schedule's rate at 0, then follow it.

        lr(n) = start_lr + (schedule(0) - start_lr) * (1 - cos(pi * n / length)) / 2
        lr(n) = schedule(n - length)                                    n > length

    The first line is for 0 <= n <= length.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    start_lr : float
        Rate before the first iteration, at least 0.
    length : float
        Length of the warm-up, in iterations, at least 0; 0 for none; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> cosine = CosineScheduler(max_update=1000, base_lr=1)
    >>> schedule = CosineWarmUp(cosine, start_lr=0, length=100)
    >>> [schedule(n) for n in (0, 50, 100, 600, 5000)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def _climbed(self, position: float) -> float:
        return self._shape(1 - position)

    def _climbed_each(self, position: np.ndarray) -> np.ndarray:
        return self._shapes((1 - position)[::-1])[::-1]


class _CoolDown(Modifier):
    """Follow the inner schedule up to `start_idx`, then move to `finish_lr` and stay."""

    _fall: Fall
    _derived = ("_inner", "_fall")
    _lengths = ("start_idx", "length")

    def __init__(
        self, schedule: LRCallable, finish_lr: float, start_idx: float, length: float
    ) -> None:
        super().__init__(schedule)
        name = type(self).__name__
        self.finish_lr = _check.rate(name, "finish_lr", finish_lr)
        self.start_idx = _check.iterations(name, "start_idx", start_idx, 0)
        self.length = _check.iterations(name, "length", length, 0)

    @property
    def start_lr(self) -> float:
        """Rate at the start of the cool-down, the inner schedule's current rate at `start_idx`."""
        return self._inner(self.start_idx)

    @property
    def finish_idx(self) -> float:
        """Iteration at which the cool-down ends, ``start_idx + length``."""
        return self.start_idx + self.length

    def _extent(self) -> Extent:
        return Extent(self.finish_idx, ends=True)

    def _rate(self, n: float) -> float:
        late = n - self.start_idx
        if late <= 0:
            return self._inner(n)
        if late >= self.length:
            return self.finish_lr
        finish_lr = self.finish_lr
        return finish_lr + (self._inner(self.start_idx) - finish_lr) * self._fall.of(
            late / self.length
        )

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self.start_idx, "right", self._inner_rates, self._late_rates)

    def _late_rates(self, n: np.ndarray) -> np.ndarray:
        late = n - self.start_idx
        return arrays.join(late, self.length, "left", self._descent, arrays.flat(self.finish_lr))

    def _descent(self, late: np.ndarray) -> np.ndarray:
        return self.finish_lr + (self.start_lr - self.finish_lr) * self._fall.of_each(
            late / self.length
        )


class LinearCoolDown(_CoolDown):
    """Follow the inner schedule up to `start_idx`, then move linearly to `finish_lr` and stay.

        lr(n) = schedule(n)                                             n <= start_idx
        lr(n) = start + (finish_lr - start) * (n - start_idx) / length  up to start_idx + length
        lr(n) = finish_lr                                               n >= start_idx + length

    with ``start = schedule(start_idx)``.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    finish_lr : float
        Rate at the end, at least 0.
    start_idx : float
        Last iteration before the cool-down, at least 0; fractions are allowed.
    length : float
        Length of the cool-down, in iterations, at least 0; with 0 the rate jumps to `finish_lr`.
        Fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import FactorScheduler
    >>> schedule = LinearCoolDown(FactorScheduler(step=10, base_lr=1), 0, start_idx=100, length=50)
    >>> [schedule(n) for n in (0, 100, 125, 150, 5000)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    def _derive(self) -> None:
        super()._derive()
        self._fall = FALLS["linear"]


class CoolDown(_CoolDown):
    """Follow the inner schedule up to `start_idx`, then fall to `finish_lr` along a shape and stay.

        lr(n) = schedule(n)                                             n <= start_idx
        lr(n) = finish_lr + (start - finish_lr) * fall(t)               up to start_idx + length
        lr(n) = finish_lr                                               n >= start_idx + length

    with ``start = schedule(start_idx)``, ``t = (n - start_idx) / length``, and this fall(t):

        linear         1 - t
        cosine         (1 + cos(pi * t)) / 2
        1-sqrt         1 - sqrt(t)
        square         1 - t^2
        exponential    2^(1 - t) - 1

    Haegele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations",
    2024, https://arxiv.org/abs/2405.18392, find 1-sqrt best. 'exponential' is Megatron-LM's.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    finish_lr : float
        Rate at the end, at least 0.
    start_idx : float
        Last iteration before the cool-down, at least 0; fractions are allowed.
    length : float
        Length of the cool-down, in iterations, at least 0; with 0 the rate jumps to `finish_lr`.
        Fractions are allowed.
    shape : {'linear', 'cosine', '1-sqrt', 'square', 'exponential'}
        Shape of the decrease.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import ConstantSchedule
    >>> schedule = CoolDown(ConstantSchedule(1), 0, start_idx=900, length=100, shape="1-sqrt")
    >>> [schedule(n) for n in (0, 900, 925, 1000, 5000)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    def __init__(
        self,
        schedule: LRCallable,
        finish_lr: float,
        start_idx: float,
        length: float,
        shape: str = "linear",
    ) -> None:
        self.shape = _check.one_of(type(self).__name__, "shape", shape, [*FALLS])
        super().__init__(schedule, finish_lr, start_idx, length)

    def _derive(self) -> None:
        super()._derive()
        self._fall = FALLS[self.shape]


class Pair(Compound):
    """A schedule made from two. Its `base_lr` reads as that of the first."""

    _derived = ("_rate_of_first", "_rate_of_second")
    _lengths: Tuple[str, ...] = ()
    _parts: Tuple[str, ...] = ("first", "second")

    def __init__(self, first: LRCallable, second: LRCallable) -> None:
        name = type(self).__name__
        self.first = foreign.check_schedule(name, first, "first")
        self.second = foreign.check_schedule(name, second, "second")
        self._derive()

    def _derive(self) -> None:
        self._rate_of_first = foreign.asked(self.first)
        self._rate_of_second = foreign.asked(self.second)

    @property
    def base_lr(self) -> float:
        """The current `base_lr` of `first`; the class describes what an assignment changes."""
        return foreign.get_base_lr(self.first)

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        reached = [foreign.set_base_lr(one, value) for one in self._assigned()]
        if not any(reached):
            self._decline_base_lr(value)

    def _assigned(self) -> List[LRCallable]:
        """Return the schedules that an assigned `base_lr` goes to."""
        return [self.first, self.second]


class SequentialSchedule(Pair):
    """Follow `first` up to iteration `after`, then `second` from its iteration 1.

        lr(n) = first(n)             n <= after
        lr(n) = second(n - after)    n > after

    ``first.then(second, after)`` makes one. Its `base_lr` reads as that of `first`. An
    assignment goes to both.

    Parameters
    ----------
    first, second : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    after : float
        Last iteration of `first`, at least 0; fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import ConstantSchedule, CosineScheduler
    >>> schedule = ConstantSchedule(lr=1).then(CosineScheduler(100, base_lr=1), after=500)
    >>> [schedule(n) for n in (0, 500, 550, 600, 5000)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    _lengths = ("after",)

    def __init__(self, first: LRCallable, second: LRCallable, after: float) -> None:
        super().__init__(first, second)
        self.after = _check.iterations(type(self).__name__, "after", after, 0)

    def _extent(self) -> Extent:
        return foreign.extent_of(self.second).after(self.after)

    def _rate(self, n: float) -> float:
        if n <= self.after:
            return self._rate_of_first(n)
        return self._rate_of_second(n - self.after)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(
            n,
            self.after,
            "right",
            lambda early: foreign.rates(self.first, early),
            lambda late: foreign.rates(self.second, late - self.after),
        )


class ScaledSchedule(Modifier):
    """Multiply all rates of a schedule by `factor`; ``factor * schedule`` makes one.

        lr(n) = factor * schedule(n)

    Its `base_lr` is the inner schedule's, before the multiplication.

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    factor : float
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> schedule = 0.5 * CosineScheduler(max_update=1000, base_lr=1)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [0.5, 0.25, 0.0, 0.0]
    """

    def __init__(self, schedule: LRCallable, factor: float) -> None:
        super().__init__(schedule)
        self.factor = _check.real(type(self).__name__, "factor", factor, minimum=0)

    def _rate(self, n: float) -> float:
        return self.factor * self._inner(n)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self.factor * self._inner_rates(n)


class ClippedSchedule(Modifier):
    """Limit rates to the range `low` to `high`; ``schedule.clip(low, high)`` makes one.

        lr(n) = min(max(schedule(n), low), high)

    Parameters
    ----------
    schedule : callable
        Maps an iteration to a rate: any schedule of this package or of MXNet, or a function.
    low : float
        No rate is below this, at least 0.
    high : float, optional
        No rate is above this, at least `low`; None for no bound.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import CosineScheduler
    >>> schedule = CosineScheduler(max_update=1000, base_lr=1).clip(0.1, 0.8)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [0.8, 0.5, 0.1, 0.1]
    """

    def __init__(self, schedule: LRCallable, low: float = 0, high: Optional[float] = None) -> None:
        super().__init__(schedule)
        name = type(self).__name__
        self.low = _check.rate(name, "low", low)
        self.high = None if high is None else _check.real(name, "high", high, minimum=self.low)

    def _rate(self, n: float) -> float:
        lr = max(self._inner(n), self.low)
        return lr if self.high is None else min(lr, self.high)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return np.clip(self._inner_rates(n), self.low, self.high)


class EpochSchedule(Modifier):
    """Convert a schedule with lengths in epochs to iterations; ``.in_epochs(...)`` makes one.

        lr(n) = schedule(n / iterations_per_epoch)

    The inner schedule is called with fractions of an epoch. So a cosine over 10 epochs changes at
    each iteration, and a step after epoch 3 comes right after that epoch's last iteration.

    Parameters
    ----------
    schedule : callable
        Maps a number of epochs to a rate: any schedule of this package or of MXNet, or a function.
    iterations_per_epoch : float
        The length of your DataLoader, above 0. Fractions are allowed.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> from gluon_lr import MultiFactorScheduler
    >>> schedule = MultiFactorScheduler([2, 3], 0.5, base_lr=1).in_epochs(iterations_per_epoch=100)
    >>> [schedule(n) for n in (0, 200, 201, 300, 301)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    _lengths = ("iterations_per_epoch",)
    _parts = ()  # not the inner schedule: its lengths are in epochs

    def __init__(self, schedule: LRCallable, iterations_per_epoch: float) -> None:
        super().__init__(schedule)
        self.iterations_per_epoch = _check.length(
            type(self).__name__, "iterations_per_epoch", iterations_per_epoch
        )

    def _own_lengths(self) -> List[float]:
        lengths = foreign.lengths_in(self.schedule)
        return [max(self.iterations_per_epoch * one, 1) for one in lengths]  # they are not shares

    def _extent(self) -> Extent:
        return super()._extent().times(self.iterations_per_epoch)

    def _rate(self, n: float) -> float:
        return self._inner(n / self.iterations_per_epoch)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return self._inner_rates(n / self.iterations_per_epoch)


def stretched(schedule: LRCallable, factor: float) -> Schedule:
    """Return `schedule` with all lengths multiplied by `factor`; wrap one of another library."""
    schedule = foreign.as_ours(schedule)
    if isinstance(schedule, Schedule) and foreign.is_ours(type(schedule)):
        return schedule._stretched(factor)
    return EpochSchedule(schedule, factor)
