"""Schedules that decay from `base_lr`; four have the same arguments as in `mx.lr_scheduler`.

A call must not cost more than MXNet's own, so the most frequent paths make few function calls.
"""

import bisect
import math
from typing import Any, Sequence, Tuple

import numpy as np

from .. import _check
from . import arrays
from .base import Schedule
from .lengths import Extent
from .shapes import PoweredHalfCosine

__all__ = [
    "CosineScheduler",
    "ExponentialScheduler",
    "FactorScheduler",
    "InverseSqrtScheduler",
    "InverseTimeScheduler",
    "MultiFactorScheduler",
    "PolyScheduler",
]


class DecaySchedule(Schedule):
    """A warm-up to `base_lr`, then a decay from it.

        lr(n) = warmup_begin_lr + (base_lr - warmup_begin_lr) * n / warmup_steps   n < warmup_steps
        lr(n) = the decay of the subclass                                          otherwise

    In 'constant' mode the rate of the first line is `warmup_begin_lr`. As in MXNet, the steps of
    the stepped decays count from the first iteration, warm-up included.

    Parameters
    ----------
    base_lr : float
        Rate at the start of the decay, at least 0. A later assignment changes the whole curve,
        the end of the warm-up too; `mx.optimizer.Optimizer` assigns its `learning_rate` here.
    warmup_steps : float
        Length of the warm-up, in iterations, at least 0; fractions are allowed.
    warmup_begin_lr : float
        Rate at the start of the warm-up, from 0 to `base_lr`.
    warmup_mode : {'linear', 'constant'}
        Increase linearly to `base_lr`, or stay at `warmup_begin_lr` and then jump.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.
    """

    _lengths: Tuple[str, ...] = ("warmup_steps",)

    def __init__(
        self, base_lr: float, warmup_steps: float, warmup_begin_lr: float, warmup_mode: str
    ) -> None:
        super().__init__(base_lr)
        name = type(self).__name__
        self.warmup_steps = _check.iterations(name, "warmup_steps", warmup_steps, 0)
        self.warmup_begin_lr = _check.real(
            name,
            "warmup_begin_lr",
            warmup_begin_lr,
            minimum=0,
            maximum=self.base_lr,
            remedy="Increase `base_lr` or decrease this value: the warm-up rises to `base_lr`.",
        )
        self.warmup_mode = _check.one_of(name, "warmup_mode", warmup_mode, ["linear", "constant"])

    @property
    def base_lr(self) -> float:
        """Rate at the start of the decay; an assignment changes the whole curve."""
        return self._base_lr

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        self._base_lr = _check.rate(type(self).__name__, "base_lr", value)
        self._base_lr_moved()

    def _base_lr_moved(self) -> None:
        """Reset what depends on `base_lr`."""

    @property
    def warmup_final_lr(self) -> float:
        """Rate at the end of the warm-up; always the current `base_lr`."""
        return self.base_lr

    def _rate(self, n: float) -> float:
        if n < self.warmup_steps:
            return self._warm_up(n)
        return self._decayed(n)

    def _rates(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self.warmup_steps, "left", self._warm_up, self._decayed_each)

    def _warm_up(self, n: Any) -> Any:
        begin = self.warmup_begin_lr
        if self.warmup_mode == "constant":
            return begin + 0.0 * n
        return begin + (self._base_lr - begin) * n / self.warmup_steps

    def _decayed(self, n: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _decayed(n)")

    def _decayed_each(self, n: np.ndarray) -> np.ndarray:
        return self._decayed(n)


class GeometricDecaySchedule(DecaySchedule):
    """A decay that multiplies `base_lr` by a power of `factor`, down to a minimum rate."""

    def __init__(
        self,
        factor: float,
        stop_factor_lr: float,
        base_lr: float,
        warmup_steps: float,
        warmup_begin_lr: float,
        warmup_mode: str,
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        name = type(self).__name__
        self.factor = _check.real(name, "factor", factor, minimum=0, maximum=1)
        self.stop_factor_lr = _check.rate(name, "stop_factor_lr", stop_factor_lr)

    def _after(self, times: float) -> float:
        lr = self._base_lr * self.factor**times
        return lr if times == 0 or lr > self.stop_factor_lr else self.stop_factor_lr

    def _after_each(self, times: np.ndarray) -> np.ndarray:
        lrs = self._base_lr * self.factor**times
        return np.where((times == 0) | (lrs > self.stop_factor_lr), lrs, self.stop_factor_lr)


class _Stretch:
    """A constant piece of a curve: `lr` for ``low < n <= high``.

    `high` is written last and read first, so other threads never use a half-written piece.
    """

    __slots__ = ("high", "low", "lr")
    low: float
    lr: float

    def __init__(self) -> None:
        self.high = -math.inf


class SteppedDecaySchedule(GeometricDecaySchedule):
    """A decay by `factor` at steps. The last constant piece that was used is cached."""

    _derived = ("_stretch",)

    def _derive(self) -> None:
        self._stretch = _Stretch()

    _base_lr_moved = _derive

    def __call__(self, num_update: float) -> float:
        """Return the learning rate of update `num_update` (iterations, from 1)."""
        if type(num_update) is int and self._is_in_iterations:
            stretch = self._stretch
            if num_update <= stretch.high and num_update > stretch.low:
                return stretch.lr
            if num_update >= 0:
                return self._rate(num_update)
        return Schedule.__call__(self, num_update)

    def _decayed(self, n: float) -> float:
        stretch = self._stretch
        if n <= stretch.high and n > stretch.low:
            return stretch.lr
        # store it before base_lr is read: a later assignment to base_lr then replaces it
        stretch = self._stretch = _Stretch()
        times, low, high = self._locate(n)
        stretch.low, stretch.lr = max(low, math.ceil(self.warmup_steps) - 1), self._after(times)
        stretch.high = high
        return stretch.lr

    def _decayed_each(self, n: np.ndarray) -> np.ndarray:
        first, last = (int(self._locate(end.item())[0]) for end in (n[0], n[-1]))
        if last - first > n.size:
            return arrays.one_by_one(self._decayed, n)
        lrs = self._after_each(np.arange(first, last + 1))
        ends = n.searchsorted(self._steps(first, last), side="right")
        return arrays.stretches(lrs, ends, n.size)

    def _locate(self, n: float) -> Tuple[float, float, float]:
        """Return the number of changes before `n`, and the steps before and after `n`."""
        raise NotImplementedError(f"{type(self).__name__} must define _locate(n)")

    def _steps(self, first: int, last: int) -> Any:
        """Return the steps between change number `first` and change number `last`."""
        raise NotImplementedError(f"{type(self).__name__} must define _steps(first, last)")


class FactorScheduler(SteppedDecaySchedule):
    """Multiply the rate by `factor` after every `step` iterations (step decay).

        lr(n) = max(base_lr * factor^k, stop_factor_lr)    k = (n - 1) // step, k >= 1
        lr(n) = base_lr                                    n <= step

    At a step the rate is still the old one. It changes at the next iteration.

    Parameters
    ----------
    step : float
        Iterations between two changes, above 0; fractions are allowed.
    factor : float
        Factor of the decay, from 0 to 1.
    stop_factor_lr : float
        Minimum rate of the decay, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = FactorScheduler(step=250, factor=0.5, base_lr=1)
    >>> [schedule(n) for n in (0, 250, 251, 500, 501)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    _lengths = ("step", "warmup_steps")

    def __init__(
        self,
        step: float,
        factor: float = 1,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(
            factor, stop_factor_lr, base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        )
        self.step = _check.length(type(self).__name__, "step", step)

    def _locate(self, n: float) -> Tuple[float, float, float]:
        times = -(-n // self.step) - 1 if n > self.step else 0
        # a product of fractions may be rounded up or down
        if times > 0 and n <= times * self.step:
            times -= 1
        elif n > (times + 1) * self.step:
            times += 1
        return times, times * self.step, (times + 1) * self.step

    def _steps(self, first: int, last: int) -> Any:
        return self.step * np.arange(first + 1, last + 1)


class MultiFactorScheduler(SteppedDecaySchedule):
    """Multiply the rate by `factor` after each of the iterations in `step`.

        lr(n) = base_lr * factor^k    k = how many of `step` are below n

    At a step the rate is still the old one. It changes at the next iteration.

    Parameters
    ----------
    step : sequence of float
        Iterations after which the rate changes: a list, a tuple or an array, not empty, in rising
        order, each above 0. Fractions are allowed.
    factor : float
        Factor of the decay, from 0 to 1.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = MultiFactorScheduler(step=[250, 750, 900], factor=0.5, base_lr=1)
    >>> [schedule(n) for n in (0, 250, 251, 751, 901, 5000)]
    [1.0, 1.0, 0.5, 0.25, 0.125, 0.125]
    """

    _lengths = ("step", "warmup_steps")
    _periods = 1

    def __init__(
        self,
        step: Sequence[float],
        factor: float = 1,
        base_lr: float = 0.01,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(factor, 0, base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.step = _check.rising(type(self).__name__, "step", step)

    def _locate(self, n: float) -> Tuple[float, float, float]:
        times = bisect.bisect_left(self.step, n)
        low = self.step[times - 1] if times > 0 else 0
        high = self.step[times] if times < len(self.step) else math.inf
        return times, low, high

    def _steps(self, first: int, last: int) -> Any:
        return self.step[first:last]


class FiniteDecaySchedule(DecaySchedule):
    """A decay from `base_lr` that reaches `final_lr` at iteration `max_update` and stays there.

    lr(n) = final_lr + (base_lr - final_lr) * shape(t)
    t = (n - warmup_steps) / (max_update - warmup_steps)    warmup_steps <= n < max_update

    with a shape that falls from 1 at t = 0 to 0 at t = 1.
    """

    _end: float

    _derived = ("_length", "_end")
    _lengths = ("max_update", "warmup_steps")

    def __init__(
        self,
        max_update: float,
        base_lr: float = 0.01,
        final_lr: float = 0,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        name = type(self).__name__
        self.max_update = _check.length(name, "max_update", max_update)
        if self.max_update <= self.warmup_steps:
            constraint = f"above warmup_steps, {self.warmup_steps}"
            remedy = "Increase it: it counts from the first iteration and includes the warm-up."
            raise ValueError(_check.message(name, "max_update", constraint, max_update, remedy))
        self.final_lr = _check.rate(name, "final_lr", final_lr)
        self._derive()

    def _derive(self) -> None:
        self._length = self.max_update - self.warmup_steps
        self._end = self.max_update

    def _extent(self) -> Extent:
        return Extent(self.max_update, ends=True)

    def __call__(self, num_update: float) -> float:
        """Return the learning rate of update `num_update` (iterations, from 1)."""
        if type(num_update) is int and self._is_in_iterations and num_update >= self.warmup_steps:
            if num_update >= self._end:
                return self.final_lr
            position = (num_update - self.warmup_steps) / self._length  # _rate, written out: faster
            return self.final_lr + (self._base_lr - self.final_lr) * self._shape(position)
        return Schedule.__call__(self, num_update)

    def _rate(self, n: float) -> float:
        if n >= self._end:
            return self.final_lr
        if n >= self.warmup_steps:
            position = (n - self.warmup_steps) / self._length
            return self.final_lr + (self._base_lr - self.final_lr) * self._shape(position)
        return self._warm_up(n)

    def _decayed_each(self, n: np.ndarray) -> np.ndarray:
        return arrays.join(n, self._end, "left", self._falling, arrays.flat(self.final_lr))

    def _falling(self, n: np.ndarray) -> np.ndarray:
        position = (n - self.warmup_steps) / self._length
        return self.final_lr + (self._base_lr - self.final_lr) * self._shapes(position)

    def _shape(self, position: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define _shape(position)")

    def _shapes(self, position: np.ndarray) -> np.ndarray:
        return self._shape(position)


class PolyScheduler(FiniteDecaySchedule):
    """Polynomial decay from `base_lr` to `final_lr`, then constant.

        lr(n) = final_lr + (base_lr - final_lr) * (1 - t)^pwr
        t = (n - warmup_steps) / (max_update - warmup_steps)    warmup_steps <= n <= max_update
        lr(n) = lr(max_update)                                  n > max_update

    Parameters
    ----------
    max_update : float
        Iteration at which the decay ends, warm-up included; above 0, and above
        `warmup_steps`; fractions are allowed.
    pwr : float
        Power of the decay, at least 0.
    final_lr : float
        Rate at the end of the decay, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = PolyScheduler(max_update=1000, base_lr=1, pwr=2)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [1.0, 0.25, 0.0, 0.0]
    """

    def __init__(
        self,
        max_update: float,
        base_lr: float = 0.01,
        pwr: float = 2,
        final_lr: float = 0,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        self.pwr = _check.real(type(self).__name__, "pwr", pwr, minimum=0)
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)

    def _derive(self) -> None:
        super()._derive()
        if self.pwr == 0:  # the rate always stays at base_lr
            self._end = math.inf

    def _shape(self, position: Any) -> Any:
        return (1 - position) ** self.pwr


class CosineScheduler(PoweredHalfCosine, FiniteDecaySchedule):
    """Cosine decay from `base_lr` to `final_lr`, then constant.

        lr(n) = final_lr + (base_lr - final_lr) * ((1 + cos(pi * t)) / 2)^exponent
        t = (n - warmup_steps) / (max_update - warmup_steps)    warmup_steps <= n <= max_update
        lr(n) = final_lr                                        n > max_update

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    max_update : float
        Iteration at which the decay ends, warm-up included; above 0, and above
        `warmup_steps`; fractions are allowed.
    final_lr : float
        Rate at the end of the decay, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.
    exponent : float
        Power of the cosine, above 0; above 1 the rate falls earlier, as in optax.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = CosineScheduler(max_update=1000, base_lr=3, final_lr=1)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [3.0, 2.0, 1.0, 1.0]
    """

    def __init__(
        self,
        max_update: float,
        base_lr: float = 0.01,
        final_lr: float = 0,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
        exponent: float = 1,
    ) -> None:
        self.exponent = _check.real(type(self).__name__, "exponent", exponent, above=0)
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)


class ExponentialScheduler(GeometricDecaySchedule):
    """Decay smoothly by `factor` every `step` iterations: a smooth :class:`FactorScheduler`.

        lr(n) = max(base_lr * factor^((n - warmup_steps) / step), stop_factor_lr)
        lr(warmup_steps) = base_lr

    The first line is for ``n > warmup_steps``.

    Parameters
    ----------
    step : float
        Iterations in which the rate is multiplied by `factor`, above 0; fractions are allowed.
    factor : float
        Factor of the decay, from 0 to 1.
    stop_factor_lr : float
        Minimum rate of the decay, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = ExponentialScheduler(step=100, factor=0.25, base_lr=1, stop_factor_lr=0.01)
    >>> [schedule(n) for n in (0, 50, 100, 5000)]
    [1.0, 0.5, 0.25, 0.01]
    """

    _lengths = ("step", "warmup_steps")

    def __init__(
        self,
        step: float,
        factor: float,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(
            factor, stop_factor_lr, base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        )
        self.step = _check.length(type(self).__name__, "step", step)

    def _decayed(self, n: float) -> float:
        return self._after(self._times(n))

    def _decayed_each(self, n: np.ndarray) -> np.ndarray:
        return self._after_each(self._times(n))

    def _times(self, n: Any) -> Any:
        return (n - self.warmup_steps) / self.step


class InverseSqrtScheduler(DecaySchedule):
    """Warm up to `base_lr` over `warmup_steps`, then decay with the inverse square root.

        lr(n) = warmup_begin_lr + (base_lr - warmup_begin_lr) * n / warmup_steps   n < warmup_steps
        lr(n) = base_lr * sqrt(warmup_steps / n)                                   otherwise

    In the paper, ``base_lr`` is ``(d_model * warmup_steps) ** -0.5``.

    Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762,
    section 5.3.

    Parameters
    ----------
    warmup_steps : float
        Length of the warm-up, in iterations, above 0. It also sets the speed of the decay.
        Fractions are allowed.
    base_lr, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = InverseSqrtScheduler(warmup_steps=100, base_lr=1)
    >>> [schedule(n) for n in (0, 50, 100, 400, 1600)]
    [0.0, 0.5, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        warmup_steps: float,
        base_lr: float = 0.01,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        _check.length(type(self).__name__, "warmup_steps", warmup_steps)
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)

    def _decayed(self, n: Any) -> Any:
        return self._base_lr * (self.warmup_steps / n) ** 0.5


class InverseTimeScheduler(DecaySchedule):
    """Inverse-time decay: half of `base_lr` after `step` iterations, a third after twice `step`.

        lr(n) = base_lr / (1 + (n - warmup_steps) / step)    n >= warmup_steps

    Robbins and Monro, "A Stochastic Approximation Method", 1951,
    https://doi.org/10.1214/aoms/1177729586, on which rates converge: their sum is infinite, and
    the sum of their squares is finite.

    Parameters
    ----------
    step : float
        Iterations in which the rate falls to half of `base_lr`, above 0; fractions are allowed.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        If an argument is outside its bounds.

    >>> schedule = InverseTimeScheduler(step=100, base_lr=1)
    >>> [schedule(n) for n in (0, 100, 300, 900)]
    [1.0, 0.5, 0.25, 0.1]
    """

    _lengths = ("step", "warmup_steps")

    def __init__(
        self,
        step: float,
        base_lr: float = 0.01,
        warmup_steps: float = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.step = _check.length(type(self).__name__, "step", step)

    def _decayed(self, n: Any) -> Any:
        return self._base_lr / (1 + (n - self.warmup_steps) / self.step)
