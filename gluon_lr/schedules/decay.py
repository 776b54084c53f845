"""Schedules that fall from `base_lr`: drop-ins for `mx.lr_scheduler`, argument for argument."""

import bisect
import math
from typing import Sequence

from .. import _check
from .base import Schedule


class DecaySchedule(Schedule):
    """A warm-up to `base_lr`, then a decay from it.

        lr(n) = warmup_begin_lr + (base_lr - warmup_begin_lr) * n / warmup_steps   n < warmup_steps
        lr(n) = the decay of the subclass                                          otherwise

    In 'constant' mode the first line is `warmup_begin_lr`. The warm-up is not taken off the
    decay's own steps, as in MXNet.

    Parameters
    ----------
    base_lr : float
        Rate the decay starts from, at least 0. Assigning it later moves the whole curve, the
        warm-up's end included; `mx.optimizer.Optimizer` does so with its `learning_rate`.
    warmup_steps : int
        Length of the warm-up, in iterations, at least 0.
    warmup_begin_lr : float
        Rate at the start of the warm-up, from 0 to `base_lr`.
    warmup_mode : {'linear', 'constant'}
        Climb evenly to `base_lr`, or stay at `warmup_begin_lr` and then jump.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.
    """

    def __init__(
        self, base_lr: float, warmup_steps: int, warmup_begin_lr: float, warmup_mode: str
    ) -> None:
        super().__init__(base_lr)
        name = type(self).__name__
        self.warmup_steps = _check.integer(name, "warmup_steps", warmup_steps, 0)
        self.warmup_begin_lr = _check.real(
            name,
            "warmup_begin_lr",
            warmup_begin_lr,
            minimum=0,
            maximum=self.base_lr,
            remedy="The warm-up climbs to `base_lr`: raise that one or lower this one.",
        )
        self.warmup_mode = _check.one_of(name, "warmup_mode", warmup_mode, ["linear", "constant"])

    @property
    def warmup_final_lr(self) -> float:
        """Rate the warm-up ends at: `base_lr`, also after an assignment to it."""
        return self.base_lr

    def _rate(self, n: int) -> float:
        if n < self.warmup_steps:
            return self.get_warmup_lr(n)
        return self._decayed(n)

    def _decayed(self, n: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _decayed(n)")


class FactorScheduler(DecaySchedule):
    """Multiply the rate by `factor` after every `step` iterations.

        lr(n) = max(base_lr * factor^k, stop_factor_lr)    k = (n - 1) // step, k >= 1
        lr(n) = base_lr                                    n <= step

    The rate is still the old one at a step and changes one iteration after it.

    Parameters
    ----------
    step : int
        Iterations between two changes, at least 1.
    factor : float
        From 0 to 1.
    stop_factor_lr : float
        The rate never decays below this, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = FactorScheduler(step=250, factor=0.5, base_lr=1)
    >>> [schedule(n) for n in (0, 250, 251, 500, 501)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self,
        step: int,
        factor: float = 1,
        stop_factor_lr: float = 1e-8,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        name = type(self).__name__
        self.step = _check.integer(name, "step", step, 1)
        self.factor = _check.real(name, "factor", factor, minimum=0, maximum=1)
        self.stop_factor_lr = _check.rate(name, "stop_factor_lr", stop_factor_lr)

    def _decayed(self, n: int) -> float:
        if n <= self.step:
            return self.base_lr
        return max(self.base_lr * self.factor ** ((n - 1) // self.step), self.stop_factor_lr)


class MultiFactorScheduler(DecaySchedule):
    """Multiply the rate by `factor` after each of the iterations in `step`.

        lr(n) = base_lr * factor^k    k = how many of `step` are below n

    The rate is still the old one at a step and changes one iteration after it.

    Parameters
    ----------
    step : sequence of int
        Iterations after which the rate changes: rising, each at least 1, not empty.
    factor : float
        From 0 to 1.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = MultiFactorScheduler(step=[250, 750, 900], factor=0.5, base_lr=1)
    >>> [schedule(n) for n in (0, 250, 251, 751, 901, 5000)]
    [1.0, 1.0, 0.5, 0.25, 0.125, 0.125]
    """

    def __init__(
        self,
        step: Sequence[int],
        factor: float = 1,
        base_lr: float = 0.01,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        name = type(self).__name__
        constraint = "a rising, non-empty list of iterations"
        if not isinstance(step, (list, tuple)):
            raise TypeError(_check.message(name, "step", constraint, step))
        self.step = [_check.integer(name, "step", one, 1) for one in step]
        if not self.step or any(b <= a for a, b in zip(self.step, self.step[1:])):
            raise ValueError(_check.message(name, "step", constraint, step))
        self.factor = _check.real(name, "factor", factor, minimum=0, maximum=1)

    def _decayed(self, n: int) -> float:
        return self.base_lr * self.factor ** bisect.bisect_left(self.step, n)


class FiniteDecaySchedule(DecaySchedule):
    """A decay from `base_lr` that arrives at `final_lr` at iteration `max_update` and stays.

    lr(n) = final_lr + (base_lr - final_lr) * shape(t)
    t = (min(n, max_update) - warmup_steps) / (max_update - warmup_steps)
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(base_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        name = type(self).__name__
        self.max_update = _check.integer(
            name,
            "max_update",
            max_update,
            self.warmup_steps + 1,
            remedy="It counts from the first iteration and includes the warm-up.",
        )
        self.final_lr = _check.rate(name, "final_lr", final_lr)

    def _decayed(self, n: int) -> float:
        length = self.max_update - self.warmup_steps
        position = (min(n, self.max_update) - self.warmup_steps) / length
        return self.final_lr + (self.base_lr - self.final_lr) * self._shape(position)

    def _shape(self, position: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define _shape(position)")


class PolyScheduler(FiniteDecaySchedule):
    """Polynomial decay from `base_lr` to `final_lr`, then flat.

        lr(n) = final_lr + (base_lr - final_lr) * (1 - t)^pwr
        t = (n - warmup_steps) / (max_update - warmup_steps)    warmup_steps <= n <= max_update
        lr(n) = lr(max_update)                                  n > max_update

    Parameters
    ----------
    max_update : int
        Iteration at which the decay ends, warm-up included; above `warmup_steps`.
    pwr : float
        Power of the decay, at least 0.
    final_lr : float
        Rate the decay arrives at, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = PolyScheduler(max_update=1000, base_lr=1, pwr=2)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [1.0, 0.25, 0.0, 0.0]
    """

    def __init__(
        self,
        max_update: int,
        base_lr: float = 0.01,
        pwr: float = 2,
        final_lr: float = 0,
        warmup_steps: int = 0,
        warmup_begin_lr: float = 0,
        warmup_mode: str = "linear",
    ) -> None:
        super().__init__(max_update, base_lr, final_lr, warmup_steps, warmup_begin_lr, warmup_mode)
        self.pwr = _check.real(type(self).__name__, "pwr", pwr, minimum=0)

    def _shape(self, position: float) -> float:
        return (1 - position) ** self.pwr


class CosineScheduler(FiniteDecaySchedule):
    """Cosine decay from `base_lr` to `final_lr`, then flat.

        lr(n) = final_lr + (base_lr - final_lr) * (1 + cos(pi * t)) / 2
        t = (n - warmup_steps) / (max_update - warmup_steps)    warmup_steps <= n <= max_update
        lr(n) = final_lr                                        n > max_update

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Parameters
    ----------
    max_update : int
        Iteration at which the decay ends, warm-up included; above `warmup_steps`.
    final_lr : float
        Rate the decay arrives at, at least 0.
    base_lr, warmup_steps, warmup_begin_lr, warmup_mode
        The start of the decay and the warm-up to it, as in :class:`DecaySchedule`.

    Raises
    ------
    TypeError, ValueError
        On an argument outside its bounds.

    >>> schedule = CosineScheduler(max_update=1000, base_lr=3, final_lr=1)
    >>> [schedule(n) for n in (0, 500, 1000, 5000)]
    [3.0, 2.0, 1.0, 1.0]
    """

    def _shape(self, position: float) -> float:
        return half_cosine(position)


def half_cosine(position: float) -> float:
    """Fall from 1 at position 0 to 0 at position 1 along half a cosine."""
    return (1 + math.cos(math.pi * position)) / 2
